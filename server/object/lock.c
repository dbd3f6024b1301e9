/* Locks, plain and re-entrant. */
#include <string.h>

#include "object/sync_internal.h"

static struct hd_lock *lock_of(const struct hd_objects *objects, hd_value lock)
{
    return hd_sync_payload(objects, lock);
}

static void lock_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    struct hd_objects *objects = hd_objects_of(gc);
    struct hd_lock *lock = payload;
    if (lock->hold)
        hd_hold_detach(lock->hold);
    hd_hold_free(objects, lock->hold);
    objects->type_count[hd_table_type(gc->table, index)]--;
}

const struct hd_type_ops hd_lock_ops = {.name = "lock", .dispose = lock_dispose};
const struct hd_type_ops hd_rlock_ops = {.name = "rlock", .dispose = lock_dispose};

int hd_lock_new(struct hd_objects *objects, bool reentrant, hd_value *out)
{
    hd_value value;
    struct hd_hold *hold = hd_hold_new(objects);
    if (!hold)
        return HD_ENOMEM;
    int error = hd_object_new(objects, reentrant ? HD_TYPE_RLOCK : HD_TYPE_LOCK, sizeof(struct hd_lock), &value);
    if (error) {
        hd_hold_free(objects, hold);
        return error;
    }
    struct hd_lock *lock = lock_of(objects, value);
    memset(lock, 0, sizeof *lock);
    hold->object = hd_value_index(value);
    lock->hold = hold;
    *out = value;
    return 0;
}

bool hd_lock_is_lock(const struct hd_objects *objects, hd_value value)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, value);
    return kind == HD_IS_LOCK || kind == HD_IS_RLOCK;
}

struct hd_line *hd_lock_line(const struct hd_objects *objects, hd_value lock)
{
    return &lock_of(objects, lock)->line;
}

/* It is free. Returns whether the new holder is to be told that it was abandoned. */
static bool take(struct hd_lock *lock, struct hd_party *party, uint64_t thread, uint64_t count)
{
    bool abandoned = lock->abandoned;
    lock->abandoned = 0;
    lock->hold->thread = thread;
    lock->hold->count = count;
    hd_hold_attach(lock->hold, party);
    return abandoned;
}

static void give(struct hd_lock *lock, struct hd_sync_waiter *waiter)
{
    /* Of a condition it is to be held as often as before. */
    uint64_t count = waiter->act == HD_SYNC_CONDITION_WAIT ? waiter->count : 1;
    waiter->abandoned = take(lock, waiter->party, waiter->thread, count);
    lock->untold = waiter;
}

uint64_t hd_lock_let_go(struct hd_objects *objects, hd_value value)
{
    struct hd_lock *lock = lock_of(objects, value);
    uint64_t count = lock->hold->count;
    hd_hold_detach(lock->hold);
    lock->hold->count = 0;
    lock->untold = NULL;
    struct hd_sync_waiter *first = lock->line.first;
    if (first) {
        hd_line_wake(&lock->line, first, 0);
        give(lock, first);
    }
    return count;
}

static bool is_owner(const struct hd_lock *lock, const struct hd_party *party, uint64_t thread, bool reentrant)
{
    const struct hd_hold *hold = lock->hold;
    return hold->count && hold->party == party && (!reentrant || hold->thread == thread);
}

static bool is_reentrant(const struct hd_objects *objects, hd_value lock)
{
    return hd_gc_type(objects->gc, lock) == HD_TYPE_RLOCK;
}

bool hd_lock_is_held_by(const struct hd_objects *objects, hd_value lock, const struct hd_party *party, uint64_t thread)
{
    return is_owner(lock_of(objects, lock), party, thread, is_reentrant(objects, lock));
}

int hd_lock_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result)
{
    struct hd_lock *lock = lock_of(objects, request->object);
    if (!lock->hold->count) {
        result->abandoned = take(lock, request->party, request->thread, 1);
        return 0;
    }
    if (!is_reentrant(objects, request->object) || !is_owner(lock, request->party, request->thread, true))
        return HD_SYNC_BUSY;
    lock->hold->count++;
    return 0;
}

int hd_lock_release(struct hd_objects *objects, hd_value value, const struct hd_party *party, uint64_t thread)
{
    struct hd_lock *lock = lock_of(objects, value);
    if (!lock->hold->count)
        return HD_ENOT_LOCKED;
    if (is_reentrant(objects, value)) {
        if (!is_owner(lock, party, thread, true))
            return HD_ENOT_OWNED;
        if (--lock->hold->count)
            return 0;
    }
    (void)hd_lock_let_go(objects, value);
    return 0;
}

void hd_lock_queue(struct hd_objects *objects, hd_value value, struct hd_sync_waiter *waiter)
{
    struct hd_lock *lock = lock_of(objects, value);
    bool is_free = !lock->hold->count;
    hd_line_append(&lock->line, waiter);
    if (!is_free)
        return;
    hd_line_wake(&lock->line, waiter, 0);
    give(lock, waiter);
}

void hd_lock_told(struct hd_objects *objects, hd_value value, const struct hd_sync_waiter *waiter)
{
    struct hd_lock *lock = lock_of(objects, value);
    if (lock->untold == waiter)
        lock->untold = NULL;
}

void hd_lock_undo(struct hd_objects *objects, hd_value value, const struct hd_sync_waiter *waiter)
{
    struct hd_lock *lock = lock_of(objects, value);
    /* Of a plain lock anyone may have made it free meanwhile. */
    if (lock->untold != waiter)
        return;
    lock->abandoned |= waiter->abandoned;
    (void)hd_lock_let_go(objects, value);
}

void hd_lock_party_ends(struct hd_objects *objects, struct hd_hold *hold, bool orderly)
{
    hd_value value = hd_value_ref(hold->object, true);
    if (orderly && !is_reentrant(objects, value)) {
        hd_hold_detach(hold);
        objects->sync->left_count++;
        return;
    }
    lock_of(objects, value)->abandoned = 1;
    objects->sync->abandoned_count++;
    (void)hd_lock_let_go(objects, value);
}
