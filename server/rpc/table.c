/* Every method that there is, one row each. */
#include <heapd/v1/admin.pb-c.h>
#include <heapd/v1/buffer.pb-c.h>
#include <heapd/v1/bulk.pb-c.h>
#include <heapd/v1/containers.pb-c.h>
#include <heapd/v1/batch.pb-c.h>
#include <heapd/v1/gc.pb-c.h>
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/names.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <heapd/v1/ring.pb-c.h>
#include <heapd/v1/sequence.pb-c.h>
#include <heapd/v1/session.pb-c.h>
#include <heapd/v1/sync.pb-c.h>
#include <heapd/v1/watch.pb-c.h>
#include <heapd/v1/tags.pb-c.h>
#include <heapd/v1/token.pb-c.h>

#include "rpc/inspect.h"
#include "rpc/private.h"

#define ROW(number, lower, message, flags, needs) \
    [HEAPD__V1__METHOD__##number] = { \
        HEAPD__V1__METHOD__##number, #lower, &heapd__v1__##message##__descriptor, flags, needs, hd_run_##lower}

static const struct hd_operation operations[HD_METHODS_MAX] = {
    ROW(HELLO, hello, hello_request, HD_OP_BEFORE_HELLO, NULL),
    ROW(GOODBYE, goodbye, empty, 0, NULL),
    ROW(PING, ping, ping_request, HD_OP_BATCH, NULL),

    ROW(BEGIN, begin, begin_request, 0, NULL),
    ROW(COMMIT, commit, empty, HD_OP_CONTINUES, NULL),
    ROW(DISCARD, discard, empty, HD_OP_CONTINUES, NULL),
    ROW(CHECK, check, check_request, HD_OP_BATCH, NULL),
    ROW(VERSION, version, version_request, 0, NULL),

    ROW(OPEN_RING, open_ring, open_ring_request, 0, NULL),
    ROW(MAKE_TOKEN, make_token, make_token_request, 0, NULL),
    ROW(REDEEM_TOKEN, redeem_token, redeem_token_request, 0, NULL),
    ROW(OFFER_SESSION, offer_session, offer_session_request, 0, NULL),
    ROW(CLONE_SESSION, clone_session, clone_session_request, HD_OP_CONTINUES, NULL),
    ROW(CREATE_BUFFER, create_buffer, create_buffer_request, 0, NULL),
    ROW(WRITE_BUFFER, write_buffer, write_buffer_request, 0, "bytes to write (a buffer has)"),
    ROW(SEAL_BUFFER, seal_buffer, seal_buffer_request, HD_OP_CONTINUES, "a seal (a buffer has)"),
    ROW(GET_BUFFER, get_buffer, get_buffer_request, 0, "memory to share (a buffer has)"),

    ROW(CREATE, create, create_request, HD_OP_BATCH, NULL),
    ROW(EXTEND, extend, extend_request, HD_OP_BATCH, "extend (a list, set or dict has)"),
    ROW(CREATE_CLASS, create_class, create_class_request, HD_OP_BATCH, NULL),
    ROW(RELEASE, release, release_request, HD_OP_BATCH, NULL),
    ROW(DUPLICATE, duplicate, duplicate_request, HD_OP_BATCH, NULL),
    ROW(READ, read, read_request, HD_OP_BATCH, "bytes to read (a str or bytes has)"),
    ROW(INSPECT, inspect, inspect_request, HD_OP_BATCH, NULL),
    ROW(LENGTH, length, length_request, HD_OP_BATCH, "length"),
    ROW(GET_ITEM, get_item, get_item_request, HD_OP_BATCH, "items"),
    ROW(SET_ITEM, set_item, set_item_request, HD_OP_BATCH, "items that can be set"),
    ROW(DEL_ITEM, del_item, del_item_request, HD_OP_BATCH, "items that can be deleted"),
    ROW(CONTAINS, contains, contains_request, HD_OP_BATCH, "elements"),
    ROW(APPEND, append, append_request, HD_OP_BATCH, "append (a list has)"),
    ROW(INSERT, insert, insert_request, HD_OP_BATCH, "insert (a list has)"),
    ROW(POP, pop, pop_request, HD_OP_BATCH, "items that can be taken out"),
    ROW(CLEAR, clear, clear_request, HD_OP_BATCH, "clear (a list, dict or set has)"),
    ROW(SET_ADD, set_add, set_add_request, HD_OP_BATCH, "add of an element (a set has)"),
    ROW(SET_DISCARD, set_discard, set_discard_request, HD_OP_BATCH, "discard (a set has)"),
    ROW(GET_ATTR, get_attr, get_attr_request, HD_OP_BATCH, "attributes"),
    ROW(SET_ATTR, set_attr, set_attr_request, HD_OP_BATCH, "attributes"),
    ROW(DEL_ATTR, del_attr, del_attr_request, HD_OP_BATCH, "attributes"),
    ROW(ADD, add, add_request, HD_OP_BATCH, "items that can be added to"),
    ROW(RESOLVE, resolve, resolve_request, HD_OP_BATCH, "items"),
    ROW(EXPORT, export, export_request, HD_OP_CONTINUES, NULL),
    ROW(GET_MANY, get_many, get_many_request, 0, "items"),

    ROW(GET_SLICE, get_slice, get_slice_request, HD_OP_CONTINUES | HD_OP_BATCH, "slices"),
    ROW(SET_SLICE, set_slice, set_slice_request, HD_OP_CONTINUES, "slices that can be set, or the values cannot be gone through"),
    ROW(DEL_SLICE, del_slice, del_slice_request, HD_OP_CONTINUES, "slices that can be deleted"),
    ROW(EXTEND_FROM, extend_from, extend_from_request, HD_OP_CONTINUES, "extend, or the values cannot be gone through"),
    ROW(REPEAT, repeat, repeat_request, HD_OP_CONTINUES, "repetition in place (a list has, by an int)"),
    ROW(REVERSE, reverse, reverse_request, HD_OP_CONTINUES, "reverse (a list has)"),
    ROW(SORT, sort, sort_request, HD_OP_CONTINUES, "sort (a list has), or two of its elements have no order"),
    ROW(SEARCH, search, search_request, HD_OP_CONTINUES | HD_OP_BATCH, "such a search, or what is looked for cannot be in it"),
    ROW(COPY, copy, copy_request, HD_OP_CONTINUES | HD_OP_BATCH, "copy"),
    ROW(OPERATE, operate, operate_request, HD_OP_CONTINUES | HD_OP_BATCH, "such an operation with the other operand"),
    ROW(COMPARE, compare, compare_request, HD_OP_CONTINUES | HD_OP_BATCH, "order with the other operand"),
    ROW(HASH, hash, hash_request, HD_OP_BATCH, "hash"),
    ROW(UPDATE, update, update_request, HD_OP_CONTINUES | HD_OP_BATCH, "such an update"),

    ROW(OPEN_SCOPE, open_scope, open_scope_request, HD_OP_BATCH, NULL),
    ROW(CLOSE_SCOPE, close_scope, close_scope_request, 0, NULL),
    ROW(BIND, bind, bind_request, HD_OP_BATCH, NULL),
    ROW(LOOKUP, lookup, lookup_request, HD_OP_CONTINUES | HD_OP_BATCH, NULL),
    ROW(UNBIND, unbind, unbind_request, HD_OP_BATCH, NULL),
    ROW(LIST_NAMES, list_names, list_names_request, 0, NULL),

    ROW(GC_COLLECT, gc_collect, collect_request, HD_OP_CONTINUES | HD_OP_HEAP_WORK, NULL),
    ROW(GC_SET_THRESHOLD, gc_set_threshold, thresholds, 0, NULL),
    ROW(GC_GET_THRESHOLD, gc_get_threshold, empty, 0, NULL),
    ROW(GC_GET_COUNT, gc_get_count, empty, 0, NULL),
    ROW(GC_STATS, gc_stats, empty, 0, NULL),
    ROW(GC_SET_ENABLED, gc_set_enabled, set_enabled_request, 0, NULL),
    ROW(GC_FREEZE, gc_freeze, empty, HD_OP_CONTINUES | HD_OP_HEAP_WORK, NULL),
    ROW(GC_UNFREEZE, gc_unfreeze, empty, HD_OP_CONTINUES | HD_OP_HEAP_WORK, NULL),
    ROW(GC_FREEZE_COUNT, gc_freeze_count, empty, 0, NULL),
    ROW(COMPACT, compact, empty, HD_OP_CONTINUES | HD_OP_HEAP_WORK, NULL),

    ROW(WHY, why, why_request, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(RETAINED, retained, retained_request, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(CENSUS, census, census_request, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(SNAPSHOT, snapshot, snapshot_request, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(AUDIT, audit, empty, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(GC_OBJECTS, gc_objects, gc_objects_request, HD_OP_ADMIN, NULL),
    ROW(REFERRERS, referrers, referrers_request, HD_OP_ADMIN | HD_OP_CONTINUES, NULL),
    ROW(REFERENTS, referents, referents_request, 0, NULL),
    ROW(GC_DEBUG, gc_debug, gc_debug_request, 0, NULL),
    ROW(GC_GARBAGE, gc_garbage, gc_garbage_request, HD_OP_ADMIN, NULL),
    ROW(TAKE, take, take_request, HD_OP_ADMIN, NULL),
    ROW(FOLLOW, follow, follow_request, HD_OP_CONTINUES, NULL),
    ROW(SET_TAG, set_tag, set_tag_request, 0, NULL),
    ROW(TAG_OBJECT, tag_object, tag_object_request, 0, NULL),
    ROW(LIST_TAGS, list_tags, empty, HD_OP_ADMIN, NULL),
    ROW(INTERN, intern, intern_request, 0, NULL),
    ROW(MAP, map, map_request, HD_OP_ADMIN, NULL),
    ROW(SLOWLOG, slowlog, slowlog_request, HD_OP_ADMIN, NULL),

    ROW(STATS, stats, empty, HD_OP_ADMIN, NULL),
    ROW(LIST_SESSIONS, list_sessions, empty, HD_OP_ADMIN, NULL),
    ROW(KILL_SESSION, kill_session, kill_session_request, HD_OP_ADMIN, NULL),
    ROW(SHUTDOWN, shutdown, empty, HD_OP_ADMIN, NULL),
    ROW(MEMORY, memory, empty, HD_OP_ADMIN, NULL),

    ROW(SUBSCRIBE, subscribe, subscribe_request, 0, NULL),
    ROW(UNSUBSCRIBE, unsubscribe, unsubscribe_request, 0, NULL),
    ROW(EXPIRE, expire, expire_request, 0, NULL),
    ROW(TIME_TO_LIVE, time_to_live, time_to_live_request, 0, NULL),

    ROW(CREATE_SYNC, create_sync, create_sync_request, 0, NULL),
    ROW(ACQUIRE, acquire, acquire_request, HD_OP_CONTINUES, "acquire (a lock, rlock or semaphore has)"),
    ROW(UNLOCK, unlock, unlock_request, 0, "release (a lock, rlock or semaphore has)"),
    ROW(SYNC_STATE, sync_state, sync_state_request, HD_OP_BATCH, "state of coordination"),
    ROW(PUT, put, put_request, HD_OP_CONTINUES, "put (a queue has)"),
    ROW(GET, get, get_request, HD_OP_CONTINUES, "get (a queue has)"),
    ROW(TASK_DONE, task_done, sync_request, 0, "task_done (a queue has)"),
    ROW(JOIN, join, wait_request, HD_OP_CONTINUES, "join (a queue has)"),
    ROW(CONDITION_WAIT, condition_wait, wait_request, HD_OP_CONTINUES, "notifications (a condition has)"),
    ROW(NOTIFY, notify, notify_request, 0, "notify (a condition has)"),
    ROW(EVENT_SET, event_set, sync_request, 0, "set (an event has)"),
    ROW(EVENT_CLEAR, event_clear, sync_request, 0, "clear (an event has)"),
    ROW(EVENT_WAIT, event_wait, wait_request, HD_OP_CONTINUES, "event to wait for"),
    ROW(BARRIER_WAIT, barrier_wait, wait_request, HD_OP_CONTINUES, "barrier to wait at"),
    ROW(BARRIER_RESET, barrier_reset, sync_request, 0, "reset (a barrier has)"),
    ROW(BARRIER_ABORT, barrier_abort, sync_request, 0, "abort (a barrier has)"),
    ROW(LIST_SYNC, list_sync, empty, HD_OP_ADMIN, NULL),
    ROW(LIST_SCOPES, list_scopes, list_scopes_request, 0, NULL),
    ROW(SET_COMBINE, set_combine, set_combine_request, HD_OP_CONTINUES | HD_OP_BATCH, "set algebra (a set or frozenset has)"),
    ROW(SET_UPDATE, set_update, set_update_request, HD_OP_CONTINUES | HD_OP_BATCH, "set algebra in place (a set has)"),
    ROW(SET_COMPARE, set_compare, set_compare_request, HD_OP_CONTINUES | HD_OP_BATCH, "set algebra (a set or frozenset has)"),
    ROW(SET_REMOVE, set_remove, set_remove_request, HD_OP_BATCH, "remove of an element (a set has)"),
    ROW(DICT_GET, dict_get, dict_get_request, HD_OP_BATCH, "keys (a dict has)"),
    ROW(DICT_SET_DEFAULT, dict_set_default, dict_set_default_request, HD_OP_BATCH, "keys (a dict has)"),
    ROW(DICT_POP, dict_pop, dict_pop_request, HD_OP_BATCH, "keys (a dict has)"),
    ROW(DICT_POP_ITEM, dict_pop_item, dict_pop_item_request, HD_OP_BATCH, "pairs (a dict has)"),
    ROW(DICT_UPDATE, dict_update, dict_update_request, HD_OP_CONTINUES | HD_OP_BATCH, "update from pairs (a dict has)"),
    ROW(DICT_MERGE, dict_merge, dict_merge_request, HD_OP_CONTINUES | HD_OP_BATCH, "keys (a dict has)"),
    ROW(DICT_FROM_KEYS, dict_from_keys, dict_from_keys_request, HD_OP_CONTINUES | HD_OP_BATCH, "elements to go through"),
    ROW(GATHER, gather, gather_request, HD_OP_CONTINUES | HD_OP_BATCH, "elements to go through in this way"),
    ROW(OPEN_CURSOR, open_cursor, open_cursor_request, 0, "elements to go through in this way"),
    ROW(READ_CURSOR, read_cursor, read_cursor_request, 0, "elements left (a cursor has)"),
    ROW(MAKE_WEAK, make_weak, make_weak_request, 0, "identity to refer to weakly"),
    ROW(MAKE_SOFT, make_soft, make_soft_request, 0, NULL),
    ROW(GET_REFERENT, get_referent, get_referent_request, HD_OP_BATCH, "object that it leads to (a reference has)"),
    ROW(HAS_ATTR, has_attr, has_attr_request, HD_OP_BATCH, "attributes"),
    ROW(IS_INSTANCE, is_instance, is_instance_request, HD_OP_BATCH, "class"),
    ROW(IS_SUBCLASS, is_subclass, is_subclass_request, HD_OP_BATCH, "superclass (a class has)"),
    ROW(GET_CLASS, get_class, get_class_request, HD_OP_BATCH, "class (an instance or class has)"),
};

const struct hd_operation *hd_operation_find(uint16_t method)
{
    if (method >= HD_METHODS_MAX || !operations[method].run)
        return NULL;
    return &operations[method];
}
