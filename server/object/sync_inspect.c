/* Coordination objects looked at: what one says of itself, and whether its equations hold. */
#include "object/sync.h"
#include "object/sync_internal.h"
#include "object/sync_list.h"

/* ---- looking ---- */

static void inspect_lock(const struct hd_lock *lock, struct hd_sync_info *out)
{
    out->value = lock->hold->count;
    out->is_set = lock->hold->count > 0;
    out->abandoned = lock->abandoned;
    out->waiting = lock->line.length;
    out->holder = lock->hold->party ? lock->hold->party->id : 0;
    out->thread = lock->hold->party ? lock->hold->thread : 0;
}

static void inspect_queue(const struct hd_queue *queue, struct hd_sync_info *out)
{
    out->value = queue->length;
    out->maximum = queue->maximum;
    out->unfinished = queue->unfinished;
    out->waiting = queue->getters.length;
    out->putting = queue->putters.length;
    out->joining = queue->joiners.length;
}

void hd_sync_inspect(const struct hd_objects *objects, hd_value object, struct hd_sync_info *out)
{
    const void *payload = hd_sync_payload(objects, object);
    *out = (struct hd_sync_info){.lock = HD_ABSENT};
    switch (hd_kind_of(objects, object)) {
    case HD_IS_LOCK:
    case HD_IS_RLOCK:
        inspect_lock(payload, out);
        return;
    case HD_IS_SEMAPHORE: {
        const struct hd_semaphore *semaphore = payload;
        out->value = semaphore->value;
        out->maximum = semaphore->bounded ? semaphore->initial : 0;
        out->is_set = semaphore->bounded;
        out->abandoned = semaphore->abandoned;
        out->waiting = semaphore->line.length;
        return;
    }
    case HD_IS_CONDITION: {
        const struct hd_condition *condition = payload;
        inspect_lock(hd_sync_payload(objects, condition->lock), out);
        out->waiting = condition->line.length;
        out->lock = condition->lock;
        return;
    }
    case HD_IS_EVENT:
        out->is_set = ((const struct hd_event *)payload)->is_set;
        out->waiting = ((const struct hd_event *)payload)->line.length;
        return;
    case HD_IS_BARRIER:
        out->value = ((const struct hd_barrier *)payload)->parties;
        out->is_set = ((const struct hd_barrier *)payload)->broken;
        out->waiting = ((const struct hd_barrier *)payload)->line.length;
        return;
    default:
        inspect_queue(payload, out);
    }
}

/* ---- checks ---- */

static const char *check_queue(const struct hd_queue *queue)
{
    const char *broken = hd_queue_check_ring(queue);
    if (broken)
        return broken;
    if (queue->getters.first && queue->length)
        return "queue: getters => it is empty";
    if (queue->putters.first && (!queue->maximum || queue->length < queue->maximum))
        return "queue: putters => it is full";
    if (queue->joiners.first && !queue->unfinished)
        return "queue: joiners => unfinished > 0";
    broken = hd_line_check(&queue->getters);
    if (!broken)
        broken = hd_line_check(&queue->putters);
    return broken ? broken : hd_line_check(&queue->joiners);
}

static const char *check_lock(const struct hd_lock *lock)
{
    if (lock->line.first && !lock->hold->count)
        return "lock: a line => it is held";
    if (lock->hold->party && !lock->hold->count)
        return "lock: what is not held has no holder";
    if (lock->untold && !lock->hold->count)
        return "lock: untold is a holder";
    return hd_line_check(&lock->line);
}

static const char *check_semaphore(const struct hd_semaphore *semaphore)
{
    const struct hd_hold *previous = NULL;
    if (semaphore->line.first && semaphore->value)
        return "semaphore: a line => value == 0";
    if (semaphore->bounded && semaphore->value > semaphore->initial)
        return "semaphore: a bounded one's value";
    for (const struct hd_hold *i = semaphore->first; i; previous = i, i = i->next_holder)
        if (!i->party || !i->count || i->previous_holder != previous)
            return "semaphore: its holders hold it";
    if (semaphore->last != previous)
        return "semaphore: the last holder";
    return hd_line_check(&semaphore->line);
}

static const char *check_barrier(const struct hd_barrier *barrier)
{
    if (barrier->line.length >= barrier->parties || (barrier->broken && barrier->line.first))
        return "barrier: fewer than its parties in line, none if it is broken";
    return hd_line_check(&barrier->line);
}

const char *hd_sync_check(const struct hd_objects *objects, hd_value object)
{
    const void *payload = hd_sync_payload(objects, object);
    switch (hd_kind_of(objects, object)) {
    case HD_IS_QUEUE:
        return check_queue(payload);
    case HD_IS_LOCK:
    case HD_IS_RLOCK:
        return check_lock(payload);
    case HD_IS_SEMAPHORE:
        return check_semaphore(payload);
    case HD_IS_CONDITION:
        return hd_line_check(&((const struct hd_condition *)payload)->line);
    case HD_IS_EVENT:
        if (((const struct hd_event *)payload)->is_set && ((const struct hd_event *)payload)->line.first)
            return "event: a line => it is not set";
        return hd_line_check(&((const struct hd_event *)payload)->line);
    case HD_IS_BARRIER:
        return check_barrier(payload);
    default:
        return NULL;
    }
}
