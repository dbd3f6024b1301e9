/* The functions that the rows of the table name. */
#ifndef HEAPD_RPC_HANDLERS_H
#define HEAPD_RPC_HANDLERS_H

#include "common/error.h"

struct hd_call;

/* clang-format off */
#define HD_HANDLERS(X) \
    X(hello) X(goodbye) X(ping) \
    X(open_ring) X(create_buffer) X(write_buffer) X(seal_buffer) X(get_buffer) \
    X(begin) X(commit) X(discard) X(check) X(version) \
    X(create) X(extend) X(create_class) X(release) X(duplicate) X(read) X(inspect) \
    X(length) X(get_item) X(set_item) X(del_item) X(contains) X(append) X(insert) X(pop) X(clear) X(set_add) \
    X(set_discard) X(get_attr) X(set_attr) X(del_attr) X(add) X(resolve) X(export) \
    X(open_scope) X(close_scope) X(bind) X(lookup) X(unbind) X(list_names) \
    X(gc_collect) X(gc_set_threshold) X(gc_get_threshold) X(gc_get_count) X(gc_stats) X(gc_set_enabled) \
    X(gc_freeze) X(gc_unfreeze) X(gc_freeze_count) X(compact) \
    X(make_token) X(redeem_token) X(offer_session) X(clone_session) \
    X(get_slice) X(set_slice) X(del_slice) X(extend_from) X(repeat) X(reverse) X(sort) X(search) X(copy) X(operate) \
    X(compare) X(hash) X(update) \
    X(stats) X(list_sessions) X(kill_session) X(shutdown) X(memory) \
    X(set_combine) X(set_update) X(set_compare) X(set_remove) X(dict_get) X(dict_set_default) \
    X(dict_pop) X(dict_pop_item) X(dict_update) X(dict_merge) X(dict_from_keys) X(gather) \
    X(open_cursor) X(read_cursor) X(make_weak) X(make_soft) X(get_referent) X(has_attr) \
    X(is_instance) X(is_subclass) X(get_class)
/* clang-format on */
#define HD_HANDLER_DECLARE(name) int hd_run_##name(struct hd_call *call, const void *message) HD_MUST_USE;
HD_HANDLERS(HD_HANDLER_DECLARE)
/* clang-format off */
#define HD_SYNC_HANDLERS(X) \
    X(create_sync) X(acquire) X(unlock) X(sync_state) X(put) X(get) X(task_done) X(join) X(condition_wait) X(notify) \
    X(event_set) X(event_clear) X(event_wait) X(barrier_wait) X(barrier_reset) X(barrier_abort) \
    X(subscribe) X(unsubscribe) X(expire) X(time_to_live) X(list_sync) X(list_scopes)
/* clang-format on */
HD_SYNC_HANDLERS(HD_HANDLER_DECLARE)
HD_HANDLER_DECLARE(get_many)
#undef HD_HANDLER_DECLARE

#endif
