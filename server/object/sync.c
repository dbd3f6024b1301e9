/* What all coordination objects share: lines of waiters, the outbox, who holds what. */
#include "object/sync.h"

#include <string.h>

#include "object/sync_internal.h"
#include "object/sync_list.h"

bool hd_is_sync(enum hd_kind_of_value kind)
{
    return kind >= HD_IS_QUEUE && kind <= HD_IS_BARRIER;
}

/* ---- lines and the outbox ---- */

int hd_line_prepare(struct hd_objects *objects, struct hd_line *line)
{
    if (line->first)
        return 0;
    struct hd_cohort *cohort = hd_allocator_new_zeroed(objects->allocator, sizeof *cohort);
    if (!cohort)
        return HD_ENOMEM;
    assert(!line->cohort);
    line->cohort = cohort;
    return 0;
}

static void leave_cohort(struct hd_sync_waiter *waiter)
{
    struct hd_cohort *cohort = waiter->cohort;
    waiter->cohort = NULL;
    if (--cohort->count == 0)
        hd_allocator_free(waiter->objects->allocator, cohort, sizeof *cohort);
}

/* Notes what has happened to its cohort, before its state is looked at. */
static void settle(struct hd_sync_waiter *waiter)
{
    const struct hd_cohort *cohort = waiter->cohort;
    if (!cohort || !cohort->is_woken)
        return;
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        waiter->relocking = waiter->notified = true;
    } else {
        waiter->state = HD_SYNC_WOKEN;
        if (cohort->error)
            waiter->error = cohort->error;
    }
    leave_cohort(waiter);
}

bool hd_sync_is_given(const struct hd_sync_waiter *waiter)
{
    bool is_woken = waiter->cohort && waiter->cohort->is_woken;
    return waiter->state != HD_SYNC_IN_LINE || (is_woken && waiter->act != HD_SYNC_CONDITION_WAIT);
}

bool hd_sync_is_relocking(const struct hd_sync_waiter *waiter)
{
    bool is_woken = waiter->cohort && waiter->cohort->is_woken;
    return waiter->relocking || (is_woken && waiter->act == HD_SYNC_CONDITION_WAIT);
}

void hd_line_append(struct hd_line *line, struct hd_sync_waiter *waiter)
{
    waiter->next = NULL;
    waiter->previous = line->last;
    if (line->last)
        line->last->next = waiter;
    else
        line->first = waiter;
    line->last = waiter;
    line->length++;
    waiter->cohort = line->cohort;
    if (line->cohort)
        line->cohort->count++;
    waiter->state = HD_SYNC_IN_LINE;
    waiter->objects->sync->waiting_count[waiter->act]++;
}

void hd_line_remove(struct hd_line *line, struct hd_sync_waiter *waiter)
{
    settle(waiter);
    assert(waiter->state == HD_SYNC_IN_LINE);
    if (waiter->cohort) {
        assert(waiter->cohort == line->cohort);
        if (line->length == 1)
            line->cohort = NULL;
        leave_cohort(waiter);
    }
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        line->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        line->last = waiter->previous;
    waiter->next = waiter->previous = NULL;
    line->length--;
    waiter->state = HD_SYNC_NOWHERE;
    waiter->objects->sync->waiting_count[waiter->act]--;
}

static void put_in_outbox(struct hd_sync_waiter *waiter)
{
    struct hd_sync *sync = waiter->objects->sync;
    waiter->next = NULL;
    waiter->previous = sync->woken_last;
    if (sync->woken_last)
        sync->woken_last->next = waiter;
    else
        sync->woken_first = waiter;
    sync->woken_last = waiter;
    waiter->state = HD_SYNC_WOKEN;
}

static void take_from_outbox(struct hd_sync_waiter *waiter)
{
    struct hd_sync *sync = waiter->objects->sync;
    settle(waiter);
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        sync->woken_first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        sync->woken_last = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->state = HD_SYNC_TAKEN;
}

void hd_line_wake(struct hd_line *line, struct hd_sync_waiter *waiter, int error)
{
    hd_line_remove(line, waiter);
    if (error)
        waiter->error = error;
    put_in_outbox(waiter);
}

/* Hangs all of a line behind a list, and empties it. */
static void move_all(struct hd_line *line, struct hd_sync_waiter **first, struct hd_sync_waiter **last)
{
    line->first->previous = *last;
    if (*last)
        (*last)->next = line->first;
    else
        *first = line->first;
    *last = line->last;
    *line = (struct hd_line){.first = NULL};
}

void hd_line_wake_all(struct hd_line *line, int error)
{
    if (!line->first)
        return;
    struct hd_sync *sync = line->first->objects->sync;
    line->cohort->is_woken = true;
    line->cohort->error = error;
    sync->waiting_count[line->first->act] -= line->length;
    move_all(line, &sync->woken_first, &sync->woken_last);
}

void hd_line_notify_all(struct hd_line *line, struct hd_line *lock_line)
{
    if (!line->first)
        return;
    line->cohort->is_woken = true;
    lock_line->length += line->length;
    move_all(line, &lock_line->first, &lock_line->last);
}

struct hd_sync_waiter *hd_sync_next_woken(struct hd_objects *objects)
{
    struct hd_sync_waiter *waiter = objects->sync->woken_first;
    if (waiter)
        take_from_outbox(waiter);
    return waiter;
}

const char *hd_line_check(const struct hd_line *line)
{
    uint64_t length = 0;
    const struct hd_sync_waiter *previous = NULL;
    for (const struct hd_sync_waiter *i = line->first; i; previous = i, i = i->next, length++)
        if (i->state != HD_SYNC_IN_LINE || i->previous != previous)
            return "sync: those in line are in line";
    if (line->last != previous)
        return "sync: the last in line";
    return length == line->length ? NULL : "sync: length of a line";
}

/* ---- holds ---- */

struct hd_hold *hd_hold_new(struct hd_objects *objects)
{
    struct hd_hold *hold = hd_allocator_new_zeroed(objects->allocator, sizeof *hold);
    if (!hold)
        return NULL;
    hold->all_next = objects->sync->holds;
    if (hold->all_next)
        hold->all_next->all_previous = hold;
    objects->sync->holds = hold;
    return hold;
}

void hd_hold_free(struct hd_objects *objects, struct hd_hold *hold)
{
    if (!hold)
        return;
    if (hold->all_previous)
        hold->all_previous->all_next = hold->all_next;
    else
        objects->sync->holds = hold->all_next;
    if (hold->all_next)
        hold->all_next->all_previous = hold->all_previous;
    hd_allocator_free(objects->allocator, hold, sizeof *hold);
}

void hd_hold_free_all(struct hd_objects *objects)
{
    while (objects->sync->holds)
        hd_hold_free(objects, objects->sync->holds);
}

void hd_hold_attach(struct hd_hold *hold, struct hd_party *party)
{
    hold->party = party;
    hold->next = NULL;
    hold->previous = party->last;
    if (party->last)
        party->last->next = hold;
    else
        party->first = hold;
    party->last = hold;
    party->hold_count++;
}

void hd_hold_detach(struct hd_hold *hold)
{
    struct hd_party *party = hold->party;
    if (!party)
        return;
    if (hold->previous)
        hold->previous->next = hold->next;
    else
        party->first = hold->next;
    if (hold->next)
        hold->next->previous = hold->previous;
    else
        party->last = hold->previous;
    party->hold_count--;
    hold->party = NULL;
    hold->next = hold->previous = NULL;
}

bool hd_party_end_step(struct hd_objects *objects, struct hd_party *party, bool orderly, uint64_t units)
{
    while (party->first && units-- > 0) {
        struct hd_hold *hold = party->first;
        if (hd_table_type(objects->gc->table, hold->object) == HD_TYPE_SEMAPHORE)
            hd_semaphore_party_ends(objects, hold, orderly);
        else
            hd_lock_party_ends(objects, hold, orderly);
    }
    return party->first != NULL;
}

bool hd_party_next_hold(const struct hd_objects *objects, const struct hd_party *party, const struct hd_hold **at,
                        struct hd_hold_info *out)
{
    const struct hd_hold *hold = *at ? (*at)->next : party->first;
    (void)objects;
    if (!hold)
        return false;
    /* Locks and semaphores are leaves. */
    *out = (struct hd_hold_info){
        .party = party->id, .object = hd_value_ref(hold->object, true), .thread = hold->thread, .count = hold->count};
    *at = hold;
    return true;
}

/* ---- trying and waiting ---- */

static bool has_act(enum hd_kind_of_value kind, enum hd_sync_act act)
{
    switch (act) {
    case HD_SYNC_ACQUIRE:
        return kind == HD_IS_LOCK || kind == HD_IS_RLOCK || kind == HD_IS_SEMAPHORE;
    case HD_SYNC_GET:
    case HD_SYNC_PUT:
    case HD_SYNC_JOIN:
        return kind == HD_IS_QUEUE;
    case HD_SYNC_CONDITION_WAIT:
        return kind == HD_IS_CONDITION;
    case HD_SYNC_EVENT_WAIT:
        return kind == HD_IS_EVENT;
    case HD_SYNC_BARRIER_WAIT:
        return kind == HD_IS_BARRIER;
    default:
        return false;
    }
}

int hd_sync_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, request->object);
    if (!has_act(kind, request->act))
        return HD_ETYPE;
    *result = (struct hd_sync_result){.item = HD_ABSENT};
    switch (request->act) {
    case HD_SYNC_ACQUIRE:
        return kind == HD_IS_SEMAPHORE ? hd_semaphore_try(objects, request, result)
                                       : hd_lock_try(objects, request, result);
    case HD_SYNC_GET:
        return hd_queue_try_get(objects, request, result);
    case HD_SYNC_PUT:
        return hd_queue_try_put(objects, request);
    case HD_SYNC_JOIN:
        return hd_queue_try_join(objects, request);
    case HD_SYNC_CONDITION_WAIT:
        return hd_condition_try(objects, request);
    case HD_SYNC_EVENT_WAIT:
        return hd_event_try(objects, request);
    default:
        return hd_barrier_try(objects, request, result);
    }
}

/* The line that one is in. */
static struct hd_line *line_of(const struct hd_sync_waiter *waiter)
{
    const struct hd_objects *objects = waiter->objects;
    void *payload = hd_sync_payload(objects, waiter->object);
    switch (waiter->act) {
    case HD_SYNC_ACQUIRE:
        if (hd_gc_type(objects->gc, waiter->object) == HD_TYPE_SEMAPHORE)
            return &((struct hd_semaphore *)payload)->line;
        return &((struct hd_lock *)payload)->line;
    case HD_SYNC_GET:
        return &((struct hd_queue *)payload)->getters;
    case HD_SYNC_PUT:
        return &((struct hd_queue *)payload)->putters;
    case HD_SYNC_JOIN:
        return &((struct hd_queue *)payload)->joiners;
    case HD_SYNC_CONDITION_WAIT:
        return waiter->relocking ? hd_lock_line(objects, ((struct hd_condition *)payload)->lock)
                                 : &((struct hd_condition *)payload)->line;
    case HD_SYNC_EVENT_WAIT:
        return &((struct hd_event *)payload)->line;
    default:
        return &((struct hd_barrier *)payload)->line;
    }
}

/* The line to get into, if all in it may be woken at once; else NULL. */
static struct hd_line *line_for(const struct hd_objects *objects, const struct hd_sync_request *request)
{
    void *payload = hd_sync_payload(objects, request->object);
    switch (request->act) {
    case HD_SYNC_JOIN:
        return &((struct hd_queue *)payload)->joiners;
    case HD_SYNC_CONDITION_WAIT:
        return &((struct hd_condition *)payload)->line;
    case HD_SYNC_EVENT_WAIT:
        return &((struct hd_event *)payload)->line;
    case HD_SYNC_BARRIER_WAIT:
        return &((struct hd_barrier *)payload)->line;
    default:
        return NULL;
    }
}

static size_t scan_waiter(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_sync_waiter *waiter =
        (const void *)((const char *)source - offsetof(struct hd_sync_waiter, roots));
    const hd_value words[] = {waiter->object, waiter->item};
    for (; from < 2 && max > 0; from++, max--)
        if (words[from] != HD_ABSENT)
            visitor->visit(visitor, words[from]);
    return from < 2 ? from : 0;
}

int hd_sync_wait(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_waiter *waiter)
{
    *waiter = (struct hd_sync_waiter){.act = request->act, .party = request->party, .thread = request->thread};
    if (hd_gc_type(objects->gc, request->object) == HD_TYPE_SEMAPHORE) {
        waiter->spare = hd_hold_new(objects);
        if (!waiter->spare)
            return HD_ENOMEM;
    }
    struct hd_line *line = line_for(objects, request);
    if (line && hd_line_prepare(objects, line)) {
        hd_hold_free(objects, waiter->spare);
        waiter->spare = NULL;
        return HD_ENOMEM;
    }
    waiter->objects = objects;
    waiter->roots.scan = scan_waiter;
    waiter->roots.kind = HD_ROOT_WAITER;
    waiter->roots.id = request->party->id;
    waiter->object = hd_gc_retain(objects->gc, request->object);
    if (request->act == HD_SYNC_PUT)
        waiter->item = request->item;
    hd_gc_add_roots(objects->gc, &waiter->roots);
    objects->sync->waited_count++;
    if (request->act == HD_SYNC_CONDITION_WAIT) {
        hd_condition_wait(objects, waiter);
        return 0;
    }
    if (request->act == HD_SYNC_BARRIER_WAIT)
        waiter->count = line_of(waiter)->length;
    hd_line_append(line_of(waiter), waiter);
    return 0;
}

/* What a wait that led to nothing is called. */
static int error_of(enum hd_sync_act act)
{
    switch (act) {
    case HD_SYNC_GET:
        return HD_EQUEUE_EMPTY;
    case HD_SYNC_PUT:
        return HD_EQUEUE_FULL;
    case HD_SYNC_BARRIER_WAIT:
        return HD_EBROKEN_BARRIER;
    default:
        return HD_EDEADLINE;
    }
}

void hd_sync_time_over(struct hd_sync_waiter *waiter, int error)
{
    settle(waiter);
    if (waiter->state != HD_SYNC_IN_LINE)
        return;
    bool cancelled = error == HD_ECANCELLED;
    error = cancelled ? error : error_of(waiter->act);
    if (waiter->act == HD_SYNC_CONDITION_WAIT && !waiter->relocking) {
        if (cancelled)
            waiter->error = error;
        hd_condition_relock(waiter->objects, waiter);
    } else if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        /* It waits for the lock again, which no deadline ends; who cancels a second time gives that up too. */
        if (cancelled)
            hd_condition_pass_on(waiter->objects, waiter);
        if (cancelled && waiter->error == HD_ECANCELLED)
            hd_line_wake(line_of(waiter), waiter, error);
        else if (cancelled)
            waiter->error = error;
    } else if (waiter->act == HD_SYNC_BARRIER_WAIT) {
        hd_line_wake(line_of(waiter), waiter, error);
        hd_barrier_break(waiter->objects, waiter->object);
    } else {
        hd_line_wake(line_of(waiter), waiter, error);
    }
}

void hd_sync_told(struct hd_sync_waiter *waiter)
{
    assert(waiter->state == HD_SYNC_TAKEN);
    waiter->state = HD_SYNC_TOLD;
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        const struct hd_condition *condition = hd_sync_payload(waiter->objects, waiter->object);
        hd_lock_told(waiter->objects, condition->lock, waiter);
    } else if (!waiter->error && waiter->act == HD_SYNC_GET) {
        hd_queue_told(waiter->objects, waiter->object);
        hd_gc_shade(waiter->objects->gc, waiter->item);
        waiter->item = HD_ABSENT;
    } else if (!waiter->error && waiter->act == HD_SYNC_ACQUIRE &&
               hd_gc_type(waiter->objects->gc, waiter->object) != HD_TYPE_SEMAPHORE) {
        hd_lock_told(waiter->objects, waiter->object, waiter);
    }
}

/* It was given something and was not told: that goes on to the next. */
static void undo(struct hd_sync_waiter *waiter)
{
    struct hd_objects *objects = waiter->objects;
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        hd_condition_undo(objects, waiter);
        return;
    }
    if (waiter->error)
        return;
    if (waiter->act == HD_SYNC_GET)
        hd_queue_undo(objects, waiter);
    else if (waiter->act != HD_SYNC_ACQUIRE)
        return;
    else if (hd_gc_type(objects->gc, waiter->object) == HD_TYPE_SEMAPHORE)
        hd_semaphore_undo(objects, waiter->object, waiter);
    else
        hd_lock_undo(objects, waiter->object, waiter);
    objects->sync->returned_count++;
}

static void leave_line(struct hd_sync_waiter *waiter)
{
    hd_line_remove(line_of(waiter), waiter);
    if (waiter->act == HD_SYNC_CONDITION_WAIT)
        hd_condition_undo(waiter->objects, waiter);
    else if (waiter->act == HD_SYNC_BARRIER_WAIT)
        hd_barrier_break(waiter->objects, waiter->object);
}

void hd_sync_waiter_fini(struct hd_sync_waiter *waiter)
{
    struct hd_objects *objects = waiter->objects;
    if (!objects)
        return;
    settle(waiter);
    if (waiter->state == HD_SYNC_WOKEN)
        take_from_outbox(waiter);
    if (waiter->state == HD_SYNC_IN_LINE)
        leave_line(waiter);
    else if (waiter->state == HD_SYNC_TAKEN)
        undo(waiter);
    hd_gc_remove_roots(objects->gc, &waiter->roots);
    hd_gc_release(objects->gc, waiter->item);
    hd_gc_release(objects->gc, waiter->object);
    hd_hold_free(objects, waiter->spare);
    *waiter = (struct hd_sync_waiter){.objects = NULL};
}

int hd_sync_release(struct hd_objects *objects, hd_value object, struct hd_party *party, uint64_t thread,
                    uint64_t count)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_SEMAPHORE)
        return hd_semaphore_release(objects, object, party, count);
    if (kind != HD_IS_LOCK && kind != HD_IS_RLOCK)
        return HD_ETYPE;
    return count == 1 ? hd_lock_release(objects, object, party, thread) : HD_EINVALID;
}
