#include "sync_model.h"

struct model model;

void model_push(struct list *list, int id)
{
    assert_true(list->count < 4096);
    list->ids[list->count++] = id;
}

static void push_front(struct list *list, int id)
{
    memmove(list->ids + 1, list->ids, (size_t)list->count * sizeof(int));
    list->ids[0] = id;
    list->count++;
}

bool model_take_out(struct list *list, int id)
{
    for (int i = 0; i < list->count; i++) {
        if (list->ids[i] != id)
            continue;
        memmove(list->ids + i, list->ids + i + 1, (size_t)(list->count - i - 1) * sizeof(int));
        list->count--;
        return true;
    }
    return false;
}

int model_pop(struct list *list)
{
    int id = list->ids[0];
    (void)model_take_out(list, id);
    return id;
}

void model_wake(int id, int error)
{
    model.waiters[id].state = WOKEN;
    if (error)
        model.waiters[id].error = error;
    model_push(&model.outbox, id);
}

void model_let_go(struct model_lock *lock)
{
    lock->count = 0;
    lock->party = lock->untold = -1;
    if (!lock->line.count)
        return;
    int id = model_pop(&lock->line);
    struct model_waiter *waiter = &model.waiters[id];
    model_wake(id, 0);
    lock->count = waiter->act == HD_SYNC_CONDITION_WAIT ? waiter->count : 1;
    lock->party = waiter->party;
    lock->thread = waiter->thread;
    lock->untold = id;
    waiter->abandoned = lock->abandoned;
    lock->abandoned = false;
}

static void queue_for_lock(struct model_lock *lock, int id)
{
    bool is_free = !lock->count;
    model_push(&lock->line, id);
    if (is_free)
        model_let_go(lock);
}

static void undo_lock(struct model_lock *lock, int id)
{
    if (lock->untold != id)
        return;
    lock->abandoned |= model.waiters[id].abandoned;
    model_let_go(lock);
}

void model_units_free(int count)
{
    for (; count && model.semaphore.line.count; count--) {
        int id = model_pop(&model.semaphore.line), party = model.waiters[id].party;
        model_wake(id, 0);
        model.waiters[id].abandoned = model.semaphore.abandoned;
        model.semaphore.abandoned = false;
        if (model.semaphore.units[party]++ == 0)
            model_push(&model.semaphore.holders, party);
    }
    model.semaphore.value += count;
}

void model_forget_units(int party, int count)
{
    while (count-- > 0) {
        int from = model.semaphore.units[party] ? party : -1;
        if (from < 0 && model.semaphore.holders.count)
            from = model.semaphore.holders.ids[0];
        if (from < 0)
            return;
        if (--model.semaphore.units[from] == 0)
            (void)model_take_out(&model.semaphore.holders, from);
    }
}

int model_notify(int count)
{
    int woken = 0;
    for (; woken < count && model.condition.count; woken++) {
        int id = model_pop(&model.condition);
        model.waiters[id].notified = model.waiters[id].relocking = true;
        queue_for_lock(&model.locks[RLOCK], id);
    }
    return woken;
}

void model_break_barrier(void)
{
    model.broken = true;
    while (model.barrier_line.count)
        model_wake(model_pop(&model.barrier_line), HD_EBROKEN_BARRIER);
}

void model_admit(void)
{
    while (model.putters.count && model.items.count < model.maximum) {
        int id = model_pop(&model.putters);
        model_push(&model.items, model.waiters[id].item);
        model.unfinished++;
        model_wake(id, 0);
    }
}

void model_item_comes_back(int item)
{
    if (!model.getters.count) {
        push_front(&model.items, item);
        return;
    }
    int id = model_pop(&model.getters);
    model.waiters[id].item = item;
    model_wake(id, 0);
}

struct list *model_line_of(const struct model_waiter *waiter)
{
    switch (waiter->act) {
    case HD_SYNC_ACQUIRE:
        return waiter->object == SEMAPHORE ? &model.semaphore.line : &model.locks[waiter->object].line;
    case HD_SYNC_GET:
        return &model.getters;
    case HD_SYNC_PUT:
        return &model.putters;
    case HD_SYNC_JOIN:
        return &model.joiners;
    case HD_SYNC_CONDITION_WAIT:
        return waiter->relocking ? &model.locks[RLOCK].line : &model.condition;
    case HD_SYNC_EVENT_WAIT:
        return &model.event_line;
    default:
        return &model.barrier_line;
    }
}

static void pass_on(struct model_waiter *waiter)
{
    if (waiter->notified) {
        waiter->notified = false;
        (void)model_notify(1);
    }
}

void model_end(int id)
{
    struct model_waiter *waiter = &model.waiters[id];
    bool in_line = waiter->state == IN_LINE;
    if (in_line)
        assert_true(model_take_out(model_line_of(waiter), id));
    else if (waiter->state == WOKEN)
        assert_true(model_take_out(&model.outbox, id));
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        pass_on(waiter);
        undo_lock(&model.locks[RLOCK], id);
    } else if (in_line && waiter->act == HD_SYNC_BARRIER_WAIT) {
        model_break_barrier();
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_GET) {
        model_item_comes_back(waiter->item);
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_ACQUIRE && waiter->object == SEMAPHORE) {
        if (model.semaphore.units[waiter->party]) {
            model.semaphore.abandoned |= waiter->abandoned;
            model_forget_units(waiter->party, 1);
            model_units_free(1);
        }
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_ACQUIRE) {
        undo_lock(&model.locks[waiter->object], id);
    }
    waiter->used = false;
}

void model_time_over(int id, int error)
{
    struct model_waiter *waiter = &model.waiters[id];
    bool cancelled = error == HD_ECANCELLED;
    if (waiter->state != IN_LINE)
        return;
    if (!cancelled)
        error = waiter->act == HD_SYNC_GET            ? HD_EQUEUE_EMPTY
                : waiter->act == HD_SYNC_PUT          ? HD_EQUEUE_FULL
                : waiter->act == HD_SYNC_BARRIER_WAIT ? HD_EBROKEN_BARRIER
                                                      : HD_EDEADLINE;
    if (waiter->act == HD_SYNC_CONDITION_WAIT && !waiter->relocking) {
        (void)model_take_out(&model.condition, id);
        waiter->error = cancelled ? error : 0;
        waiter->relocking = true;
        queue_for_lock(&model.locks[RLOCK], id);
        return;
    }
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        if (!cancelled)
            return;
        pass_on(waiter);
        if (!waiter->error) {
            waiter->error = error;
            return;
        }
    }
    (void)model_take_out(model_line_of(waiter), id);
    model_wake(id, error);
    if (waiter->act == HD_SYNC_BARRIER_WAIT)
        model_break_barrier();
}
