/* A slot that a request names: an item, an attribute or a name. */
#ifndef HEAPD_RPC_PLACE_H
#define HEAPD_RPC_PLACE_H

#include "rpc/private.h"

enum hd_place_kind { HD_PLACE_ITEM, HD_PLACE_ATTRIBUTE, HD_PLACE_NAME };

struct hd_place {
    enum hd_place_kind kind;
    hd_value object; /* borrow; or the scope */
    struct hd_call_key key;
    const ProtobufCBinaryData *name; /* borrow */
};

/*
 * object and key, object and name, or scope and name. hd_call_key_done(&place.key) in
 * the end, after a failure too.
 */
int hd_place_find(struct hd_call *call, hd_handle object, const Heapd__V1__Value *key, hd_handle scope,
                  const ProtobufCBinaryData *name, struct hd_place *out) HD_MUST_USE;
/* What is there: a new reference. A name is looked for in its scope alone. HD_EINDEX, HD_EKEY, HD_EATTRIBUTE, HD_ENAME,
 * ... */
int hd_place_get(struct hd_call *call, struct hd_place *place, hd_value *out) HD_MUST_USE;
/* Puts a value there (steal, only on success). was_there: nobody waits for such a name. */
int hd_place_set(struct hd_call *call, struct hd_place *place, hd_value value, bool was_there) HD_MUST_USE;

#endif
