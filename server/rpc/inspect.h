/* What the handlers of the Inspect service share. */
#ifndef HEAPD_RPC_INSPECT_H
#define HEAPD_RPC_INSPECT_H

#include <heapd/v1/inspect.pb-c.h>

#include "rpc/private.h"

static inline Heapd__V1__Type hd_wire_type(unsigned type)
{
    /* The boxed types are numbered in the same order, behind none and bool. */
    return (Heapd__V1__Type)(type + HD_IS_INT - HD_TYPE_INT);
}

/*
 * A root in words; position 0 of a session: the session itself. Borrows the client's name until the reply is packed.
 * O(connections) for a session: for many at once, hd_set_root of each and one way along the connections.
 */
void hd_describe_root(struct hd_rpc_server *server, enum hd_root_kind kind, uint64_t id, uint64_t position,
                      Heapd__V1__Root *out);
/* What is known of a root without its session's connection; and what that adds. */
void hd_set_root(enum hd_root_kind kind, uint64_t id, uint64_t position, Heapd__V1__Root *out);
void hd_describe_session(const struct hd_rpc_connection *connection, uint64_t position, Heapd__V1__Root *out);

/* What collections were told to keep is let go of. */
void hd_garbage_free(struct hd_rpc_server *server);

#define HD_INSPECT_HANDLERS(X) \
    X(why) \
    X(retained) X(census) X(snapshot) X(follow) X(slowlog) X(audit) X(gc_objects) X(referrers) X(referents) \
        X(gc_debug) X(gc_garbage) X(take) X(set_tag) X(tag_object) X(list_tags) X(intern) X(map)
#define HD_INSPECT_HANDLER_DECLARE(name) int hd_run_##name(struct hd_call *call, const void *message) HD_MUST_USE;
HD_INSPECT_HANDLERS(HD_INSPECT_HANDLER_DECLARE)
#undef HD_INSPECT_HANDLER_DECLARE

#endif
