/*
 * Coordination objects and a simple model of them, side by side: whatever is done,
 * in whatever order, the same waiters are woken in the same order with the same
 * outcome, and what each object says of itself is what the model says.
 */
#include "object/sync.h"

#include "fixture.h"
#include "support/os_fault.h"

#define PARTIES 5
#define THREADS 2
#define WAITERS 24
#define STEPS 60000

enum { LOCK, RLOCK, OBJECTS_OF_LOCKS, SEMAPHORE = OBJECTS_OF_LOCKS, CONDITION, EVENT, BARRIER, QUEUE, OBJECTS };

struct list {
    int ids[4096];
    int count;
};

static void push(struct list *list, int id)
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

static bool take_out(struct list *list, int id)
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

static int pop(struct list *list)
{
    int id = list->ids[0];
    (void)take_out(list, id);
    return id;
}

/* ---- the model ---- */

struct model_waiter {
    bool used;
    enum { NONE, IN_LINE, WOKEN, TAKEN } state;
    enum hd_sync_act act;
    int object, party, thread;
    int item; /* to be put, or given */
    int count;
    bool relocking, notified, abandoned;
    int error;
};

struct model_lock {
    int count, party, thread, untold;
    bool abandoned;
    struct list line;
};

static struct {
    struct model_waiter waiters[WAITERS];
    struct list outbox;
    struct model_lock locks[OBJECTS_OF_LOCKS];
    struct {
        int value, initial;
        bool abandoned;
        struct list holders; /* oldest first */
        int units[PARTIES];
        struct list line;
    } semaphore;
    struct list condition;
    bool event;
    struct list event_line;
    int parties;
    bool broken;
    struct list barrier_line;
    int maximum, unfinished;
    struct list items, getters, putters, joiners;
} model;

static void wake(int id, int error)
{
    model.waiters[id].state = WOKEN;
    if (error)
        model.waiters[id].error = error;
    push(&model.outbox, id);
}

static void let_go(struct model_lock *lock)
{
    lock->count = 0;
    lock->party = lock->untold = -1;
    if (!lock->line.count)
        return;
    int id = pop(&lock->line);
    struct model_waiter *waiter = &model.waiters[id];
    wake(id, 0);
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
    push(&lock->line, id);
    if (is_free)
        let_go(lock);
}

static void undo_lock(struct model_lock *lock, int id)
{
    if (lock->untold != id)
        return;
    lock->abandoned |= model.waiters[id].abandoned;
    let_go(lock);
}

static void units_free(int count)
{
    for (; count && model.semaphore.line.count; count--) {
        int id = pop(&model.semaphore.line), party = model.waiters[id].party;
        wake(id, 0);
        model.waiters[id].abandoned = model.semaphore.abandoned;
        model.semaphore.abandoned = false;
        if (model.semaphore.units[party]++ == 0)
            push(&model.semaphore.holders, party);
    }
    model.semaphore.value += count;
}

static void forget_units(int party, int count)
{
    while (count-- > 0) {
        int from = model.semaphore.units[party] ? party : -1;
        if (from < 0 && model.semaphore.holders.count)
            from = model.semaphore.holders.ids[0];
        if (from < 0)
            return;
        if (--model.semaphore.units[from] == 0)
            (void)take_out(&model.semaphore.holders, from);
    }
}

static int notify(int count)
{
    int woken = 0;
    for (; woken < count && model.condition.count; woken++) {
        int id = pop(&model.condition);
        model.waiters[id].notified = model.waiters[id].relocking = true;
        queue_for_lock(&model.locks[RLOCK], id);
    }
    return woken;
}

static void break_barrier(void)
{
    model.broken = true;
    while (model.barrier_line.count)
        wake(pop(&model.barrier_line), HD_EBROKEN_BARRIER);
}

static void admit(void)
{
    while (model.putters.count && model.items.count < model.maximum) {
        int id = pop(&model.putters);
        push(&model.items, model.waiters[id].item);
        model.unfinished++;
        wake(id, 0);
    }
}

static void item_comes_back(int item)
{
    if (!model.getters.count) {
        push_front(&model.items, item);
        return;
    }
    int id = pop(&model.getters);
    model.waiters[id].item = item;
    wake(id, 0);
}

static struct list *line_of(const struct model_waiter *waiter)
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
        (void)notify(1);
    }
}

/* What the engine's hd_sync_waiter_fini does to one that was not told. */
static void model_end(int id)
{
    struct model_waiter *waiter = &model.waiters[id];
    bool in_line = waiter->state == IN_LINE;
    if (in_line)
        assert_true(take_out(line_of(waiter), id));
    else if (waiter->state == WOKEN)
        assert_true(take_out(&model.outbox, id));
    if (waiter->act == HD_SYNC_CONDITION_WAIT) {
        pass_on(waiter);
        undo_lock(&model.locks[RLOCK], id);
    } else if (in_line && waiter->act == HD_SYNC_BARRIER_WAIT) {
        break_barrier();
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_GET) {
        item_comes_back(waiter->item);
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_ACQUIRE && waiter->object == SEMAPHORE) {
        if (model.semaphore.units[waiter->party]) {
            model.semaphore.abandoned |= waiter->abandoned;
            forget_units(waiter->party, 1);
            units_free(1);
        }
    } else if (!in_line && !waiter->error && waiter->act == HD_SYNC_ACQUIRE) {
        undo_lock(&model.locks[waiter->object], id);
    }
    waiter->used = false;
}

static void model_time_over(int id, int error)
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
        (void)take_out(&model.condition, id);
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
    (void)take_out(line_of(waiter), id);
    wake(id, error);
    if (waiter->act == HD_SYNC_BARRIER_WAIT)
        break_barrier();
}

/* ---- both ---- */

static struct hd_objects *objects;
static struct hd_heap *heap;
static hd_value made[OBJECTS];
static struct hd_party parties[PARTIES];
static struct hd_sync_waiter waiters[WAITERS];
static uint64_t random_state;
static int next_item;
static uint64_t waited;

static int below(int count)
{
    return (int)(hd_test_random(&random_state) % (uint64_t)count);
}

static hd_value item_value(int item)
{
    /* Some are objects, whose references are counted. */
    char text[32];
    hd_value value;
    if (item % 2)
        return hd_value_int(item);
    int size = snprintf(text, sizeof text, "the item of number %d", item);
    assert_int_equal(hd_str_new(objects, (const uint8_t *)text, (size_t)size, &value), 0);
    return value;
}

static void expect_item(hd_value value, int item)
{
    hd_value wanted = item_value(item);
    struct hd_key key = hd_key_of(wanted);
    bool equal;
    assert_int_equal(hd_key_equal(objects, &key, value, &equal), 0);
    assert_true(equal);
    hd_gc_release(objects->gc, wanted);
}

/* What the model says of an act: 0, HD_SYNC_BUSY or an error; done if it is 0. */
static int model_try(enum hd_sync_act act, int object, int party, int thread, int item, struct model_waiter *out)
{
    struct model_lock *lock = &model.locks[object < OBJECTS_OF_LOCKS ? object : RLOCK];
    bool owner = lock->count && lock->party == party && lock->thread == thread;
    switch (act) {
    case HD_SYNC_ACQUIRE:
        if (object == SEMAPHORE) {
            if (!model.semaphore.value)
                return HD_SYNC_BUSY;
            model.semaphore.value--;
            out->abandoned = model.semaphore.abandoned;
            model.semaphore.abandoned = false;
            if (model.semaphore.units[party]++ == 0)
                push(&model.semaphore.holders, party);
            return 0;
        }
        if (object == RLOCK && owner) {
            lock->count++;
            return 0;
        }
        if (lock->count)
            return HD_SYNC_BUSY;
        *lock = (struct model_lock){.count = 1, .party = party, .thread = thread, .untold = -1, .line = lock->line,
                                    .abandoned = (out->abandoned = lock->abandoned, false)};
        return 0;
    case HD_SYNC_GET:
        if (!model.items.count)
            return HD_SYNC_BUSY;
        out->item = pop(&model.items);
        admit();
        return 0;
    case HD_SYNC_PUT:
        if (!model.getters.count && model.items.count >= model.maximum)
            return HD_SYNC_BUSY;
        model.unfinished++;
        if (model.getters.count)
            item_comes_back(item);
        else
            push(&model.items, item);
        return 0;
    case HD_SYNC_JOIN:
        return model.unfinished ? HD_SYNC_BUSY : 0;
    case HD_SYNC_CONDITION_WAIT:
        return owner ? HD_SYNC_BUSY : HD_ENOT_OWNED;
    case HD_SYNC_EVENT_WAIT:
        return model.event ? 0 : HD_SYNC_BUSY;
    default:
        if (model.broken)
            return HD_EBROKEN_BARRIER;
        if (model.barrier_line.count + 1 < model.parties)
            return HD_SYNC_BUSY;
        out->count = model.barrier_line.count;
        while (model.barrier_line.count)
            wake(pop(&model.barrier_line), 0);
        return 0;
    }
}

static int free_waiter(void)
{
    for (int i = 0; i < WAITERS; i++)
        if (!model.waiters[i].used)
            return i;
    return -1;
}

static void model_wait(int id)
{
    struct model_waiter *waiter = &model.waiters[id];
    waiter->used = true;
    waiter->state = IN_LINE;
    if (waiter->act == HD_SYNC_BARRIER_WAIT)
        waiter->count = model.barrier_line.count;
    if (waiter->act == HD_SYNC_CONDITION_WAIT)
        waiter->count = model.locks[RLOCK].count;
    push(line_of(waiter), id);
    if (waiter->act == HD_SYNC_CONDITION_WAIT)
        let_go(&model.locks[RLOCK]);
}

static void do_act(void)
{
    static const struct {
        enum hd_sync_act act;
        int object;
    } acts[] = {{HD_SYNC_ACQUIRE, LOCK},          {HD_SYNC_ACQUIRE, RLOCK},     {HD_SYNC_ACQUIRE, RLOCK},
                {HD_SYNC_ACQUIRE, SEMAPHORE},     {HD_SYNC_GET, QUEUE},         {HD_SYNC_PUT, QUEUE},
                {HD_SYNC_JOIN, QUEUE},            {HD_SYNC_EVENT_WAIT, EVENT},  {HD_SYNC_BARRIER_WAIT, BARRIER},
                {HD_SYNC_CONDITION_WAIT, CONDITION}, {HD_SYNC_CONDITION_WAIT, CONDITION}};
    int which = below((int)(sizeof acts / sizeof *acts)), party = below(PARTIES), thread = below(THREADS);
    enum hd_sync_act act = acts[which].act;
    int item = ++next_item;
    struct model_waiter expected = {.act = act, .object = acts[which].object, .party = party, .thread = thread,
                                    .item = act == HD_SYNC_PUT ? item : 0};
    struct hd_sync_request request = {.act = act, .object = made[acts[which].object], .item = HD_ABSENT,
                                      .party = &parties[party], .thread = (uint64_t)thread};
    struct hd_sync_result result;
    if (act == HD_SYNC_PUT)
        request.item = item_value(item);
    int wanted = model_try(act, expected.object, party, thread, item, &expected);
    assert_int_equal(hd_sync_try(objects, &request, &result), wanted);
    if (wanted == 0 && act == HD_SYNC_GET) {
        expect_item(result.item, expected.item);
        hd_gc_release(objects->gc, result.item);
    } else if (wanted == 0 && act == HD_SYNC_ACQUIRE) {
        assert_int_equal(result.abandoned, expected.abandoned);
    } else if (wanted == 0 && act == HD_SYNC_BARRIER_WAIT) {
        assert_int_equal(result.index, expected.count);
    }
    int id = free_waiter();
    if (wanted == HD_SYNC_BUSY && id >= 0 && below(4)) {
        model.waiters[id] = expected;
        memset(&waiters[id], 0, sizeof waiters[id]);
        assert_int_equal(hd_sync_wait(objects, &request, &waiters[id]), 0);
        model_wait(id);
        waited++;
    } else if (wanted) {
        hd_gc_release(objects->gc, request.item);
    }
}

static int model_release(int object, int party, int thread, int count)
{
    if (object == SEMAPHORE) {
        if (model.semaphore.value + count > model.semaphore.initial)
            return HD_EOVER_RELEASE;
        forget_units(party, count);
        units_free(count);
        return 0;
    }
    struct model_lock *lock = &model.locks[object];
    if (!lock->count)
        return HD_ENOT_LOCKED;
    if (object == RLOCK && (lock->party != party || lock->thread != thread))
        return HD_ENOT_OWNED;
    if (object == RLOCK && --lock->count)
        return 0;
    let_go(lock);
    return 0;
}

static void do_release(void)
{
    int object = below(OBJECTS_OF_LOCKS + 1), party = below(PARTIES), thread = below(THREADS);
    int count = object == SEMAPHORE ? 1 + below(2) : 1;
    if (object != SEMAPHORE && below(4) && model.locks[object].count && model.locks[object].party >= 0) {
        party = model.locks[object].party;
        thread = model.locks[object].thread;
    }
    int wanted = model_release(object, party, thread, count);
    assert_int_equal(hd_sync_release(objects, made[object], &parties[party], (uint64_t)thread, (uint64_t)count),
                     wanted);
}

static void do_notify(void)
{
    const struct model_lock *lock = &model.locks[RLOCK];
    int party = lock->count && below(8) ? lock->party : below(PARTIES);
    int thread = lock->count && below(8) ? lock->thread : below(THREADS), count = below(4);
    if (party < 0)
        return;
    bool owner = lock->count && lock->party == party && lock->thread == thread;
    uint64_t woken = 0;
    int error = hd_condition_notify(objects, made[CONDITION], &parties[party], (uint64_t)thread, (uint64_t)count, &woken);
    assert_int_equal(error, owner ? 0 : HD_ENOT_OWNED);
    if (owner)
        assert_int_equal(notify(count), woken);
}

static void do_simple(void)
{
    switch (below(6)) {
    case 0:
        hd_event_set(objects, made[EVENT]);
        model.event = true;
        while (model.event_line.count)
            wake(pop(&model.event_line), 0);
        return;
    case 1:
        hd_event_clear(objects, made[EVENT]);
        model.event = false;
        return;
    case 2:
        hd_barrier_abort(objects, made[BARRIER]);
        break_barrier();
        return;
    case 3:
        hd_barrier_reset(objects, made[BARRIER]);
        break_barrier();
        model.broken = false;
        return;
    default:
        assert_int_equal(hd_queue_task_done(objects, made[QUEUE]), model.unfinished ? 0 : HD_EOVER_RELEASE);
        if (!model.unfinished || --model.unfinished)
            return;
        while (model.joiners.count)
            wake(pop(&model.joiners), 0);
    }
}

/* Some of the outbox, in order. */
static void do_take(void)
{
    for (int i = below(4); i > 0; i--) {
        struct hd_sync_waiter *woken = hd_sync_next_woken(objects);
        if (!model.outbox.count) {
            assert_null(woken);
            return;
        }
        int id = pop(&model.outbox);
        assert_ptr_equal(woken, &waiters[id]);
        model.waiters[id].state = TAKEN;
    }
}

static void do_tell(int id)
{
    struct model_waiter *waiter = &model.waiters[id];
    const struct hd_sync_waiter *real = &waiters[id];
    if (!waiter->used || waiter->state != TAKEN)
        return;
    assert_int_equal(real->error, waiter->error);
    assert_int_equal(real->abandoned, waiter->abandoned);
    assert_int_equal(real->notified, waiter->notified);
    if (waiter->act == HD_SYNC_BARRIER_WAIT && !waiter->error)
        assert_int_equal(real->count, waiter->count);
    hd_value item = waiter->act == HD_SYNC_GET && !waiter->error ? real->item : HD_ABSENT;
    if (item != HD_ABSENT)
        expect_item(item, waiter->item);
    hd_sync_told(&waiters[id]);
    hd_gc_release(objects->gc, item);
    for (int i = 0; i < OBJECTS_OF_LOCKS; i++)
        if (model.locks[i].untold == id)
            model.locks[i].untold = -1;
    waiter->used = false;
    hd_sync_waiter_fini(&waiters[id]);
}

static void do_end(int id)
{
    if (!model.waiters[id].used)
        return;
    model_end(id);
    hd_sync_waiter_fini(&waiters[id]);
}

static void model_party_ends(int party, bool orderly)
{
    /* In the order in which the party got them: the engine's, so that the same are woken first. */
    (void)orderly;
    for (int i = 0; i < OBJECTS_OF_LOCKS; i++)
        assert_true(!model.locks[i].count || model.locks[i].party != party);
    assert_int_equal(model.semaphore.units[party], 0);
}

/* A session ends: what it waits for first, then what it holds. */
static void do_party_end(void)
{
    int party = below(PARTIES);
    bool orderly = below(2);
    for (int id = 0; id < WAITERS; id++)
        if (model.waiters[id].used && model.waiters[id].party == party)
            do_end(id);
    while (parties[party].first) {
        /* Whichever the engine gives up next, seen by what is not held any more. */
        struct hd_sync_info before[OBJECTS_OF_LOCKS];
        for (int i = 0; i < OBJECTS_OF_LOCKS; i++)
            hd_sync_inspect(objects, made[i], &before[i]);
        (void)hd_party_end_step(objects, &parties[party], orderly, 1);
        bool found = false;
        for (int i = 0; i < OBJECTS_OF_LOCKS && !found; i++) {
            struct hd_sync_info after;
            hd_sync_inspect(objects, made[i], &after);
            found = before[i].holder == parties[party].id && after.holder != parties[party].id;
            if (!found)
                continue;
            if (orderly && i == LOCK) {
                model.locks[i].party = -1;
            } else {
                model.locks[i].abandoned = true;
                let_go(&model.locks[i]);
            }
        }
        if (found)
            continue;
        int units = model.semaphore.units[party];
        assert_true(units > 0);
        model.semaphore.units[party] = 0;
        (void)take_out(&model.semaphore.holders, party);
        if (!orderly) {
            model.semaphore.abandoned = true;
            units_free(units);
        }
    }
    model_party_ends(party, orderly);
}

static void compare(void)
{
    struct hd_sync_info info;
    for (int i = 0; i < OBJECTS_OF_LOCKS; i++) {
        const struct model_lock *lock = &model.locks[i];
        hd_sync_inspect(objects, made[i], &info);
        assert_int_equal(info.value, lock->count);
        assert_int_equal(info.waiting, lock->line.count);
        assert_int_equal(info.abandoned, lock->abandoned);
        assert_int_equal(info.holder, lock->count && lock->party >= 0 ? lock->party + 1 : 0);
    }
    hd_sync_inspect(objects, made[SEMAPHORE], &info);
    assert_int_equal(info.value, model.semaphore.value);
    assert_int_equal(info.waiting, model.semaphore.line.count);
    hd_sync_inspect(objects, made[CONDITION], &info);
    assert_int_equal(info.waiting, model.condition.count);
    hd_sync_inspect(objects, made[BARRIER], &info);
    assert_int_equal(info.waiting, model.barrier_line.count);
    assert_int_equal(info.is_set, model.broken);
    hd_sync_inspect(objects, made[QUEUE], &info);
    assert_int_equal(info.value, model.items.count);
    assert_int_equal(info.waiting, model.getters.count);
    assert_int_equal(info.putting, model.putters.count);
    assert_int_equal(info.joining, model.joiners.count);
    assert_int_equal(info.unfinished, model.unfinished);
    for (int i = 0; i < OBJECTS; i++) {
        const char *broken = hd_sync_check(objects, made[i]);
        if (broken)
            fail_msg("%s", broken);
    }
}

static void make_all(void)
{
    memset(&model, 0, sizeof model);
    for (int i = 0; i < PARTIES; i++)
        parties[i] = (struct hd_party){.id = (uint64_t)i + 1};
    model.parties = 3;
    model.maximum = 3;
    model.semaphore.value = model.semaphore.initial = 3;
    for (int i = 0; i < OBJECTS_OF_LOCKS; i++)
        model.locks[i].party = model.locks[i].untold = -1;
    assert_int_equal(hd_lock_new(objects, false, &made[LOCK]), 0);
    assert_int_equal(hd_lock_new(objects, true, &made[RLOCK]), 0);
    assert_int_equal(hd_semaphore_new(objects, 3, true, &made[SEMAPHORE]), 0);
    assert_int_equal(hd_condition_new(objects, made[RLOCK], &made[CONDITION]), 0);
    assert_int_equal(hd_event_new(objects, &made[EVENT]), 0);
    assert_int_equal(hd_barrier_new(objects, 3, &made[BARRIER]), 0);
    assert_int_equal(hd_queue_new(objects, 3, &made[QUEUE]), 0);
    for (int i = 0; i < OBJECTS; i++) {
        uint8_t name = (uint8_t)('a' + i);
        assert_int_equal(hd_heap_bind(heap, HD_ABSENT, &name, 1, made[i]), 0);
    }
}

static void step(void)
{
    switch (below(16)) {
    case 0:
    case 1:
        do_release();
        break;
    case 2:
        do_notify();
        break;
    case 3:
        do_simple();
        break;
    case 4:
    case 5:
        do_take();
        break;
    case 6:
    case 7:
        for (int i = 0; i < WAITERS; i++)
            if (below(2))
                do_tell(i);
        break;
    case 8: {
        int id = below(WAITERS), error = below(3) ? HD_EDEADLINE : HD_ECANCELLED;
        if (model.waiters[id].used && model.waiters[id].state == IN_LINE) {
            model_time_over(id, error);
            hd_sync_time_over(&waiters[id], error);
        }
        break;
    }
    case 9:
        if (below(3) == 0)
            do_end(below(WAITERS));
        break;
    case 10:
        if (below(12) == 0)
            do_party_end();
        break;
    default:
        do_act();
    }
}

static void all_is_as_in_the_model(void **state)
{
    (void)state;
    struct hd_os_fault os;
    struct hd_heap_config config;
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    config.thresholds[0] = 50;
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    random_state = hd_test_seed("object_sync");
    make_all();
    for (int i = 0; i < STEPS; i++) {
        step();
        compare();
        (void)hd_heap_settle(heap);
        if (i % 2000 == 0) {
            const char *broken = hd_heap_check(heap, &hd_allocator_libc);
            if (broken)
                fail_msg("%s", broken);
            struct hd_collection found;
            assert_int_equal(hd_heap_collect(heap, 2, &found), 0);
            hd_heap_compact(heap);
        }
    }
    print_message("%llu waited\n", (unsigned long long)waited);
    assert_true(waited > STEPS / 50);
    for (int id = 0; id < WAITERS; id++)
        do_end(id);
    compare();
    for (int i = 0; i < PARTIES; i++)
        while (hd_party_end_step(objects, &parties[i], false, 1))
            ;
    hd_heap_free(heap);
    assert_int_equal(os.mapped_bytes, 0);
}

/* ---- queues beyond the ring's first size ---- */

static void a_queue_grows_and_shrinks(void **state)
{
    (void)state;
    struct hd_os_fault os;
    struct hd_heap_config config;
    struct hd_party party = {.id = 1};
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    hd_value queue;
    assert_int_equal(hd_queue_new(objects, 0, &queue), 0);
    assert_int_equal(hd_heap_bind(heap, HD_ABSENT, (const uint8_t *)"q", 1, queue), 0);
    random_state = hd_test_seed("object_sync queue");
    int first = 0, last = 0, most = 0;
    uint64_t largest = 0;
    for (int phase = 0; phase < 12; phase++) {
        for (int i = 0; i < 20000; i++) {
            struct hd_sync_request request = {.object = queue, .item = HD_ABSENT, .party = &party};
            struct hd_sync_result result;
            if (below(100) < (phase % 2 ? 20 : 80)) {
                request.act = HD_SYNC_PUT;
                request.item = hd_value_int(last++);
                assert_int_equal(hd_sync_try(objects, &request, &result), 0);
            } else if (first < last) {
                request.act = HD_SYNC_GET;
                assert_int_equal(hd_sync_try(objects, &request, &result), 0);
                assert_int_equal(hd_value_to_int(result.item), first++);
            }
            most = last - first > most ? last - first : most;
            uint64_t bytes = hd_shallow_bytes(objects, queue);
            largest = bytes > largest ? bytes : largest;
        }
        const char *broken = hd_sync_check(objects, queue);
        if (broken)
            fail_msg("%s", broken);
    }
    assert_true(most > 5000);
    /* Nearly empty, it holds little. */
    while (last - first > 1) {
        struct hd_sync_request request = {.act = HD_SYNC_GET, .object = queue, .item = HD_ABSENT, .party = &party};
        struct hd_sync_result result;
        assert_int_equal(hd_sync_try(objects, &request, &result), 0);
        assert_int_equal(hd_value_to_int(result.item), first++);
    }
    assert_true(hd_shallow_bytes(objects, queue) < largest / 50);
    hd_heap_free(heap);
}

static struct hd_party nobody = {.id = 1};

static void put_one(hd_value queue, int number)
{
    struct hd_sync_request request = {.act = HD_SYNC_PUT, .object = queue, .party = &nobody};
    struct hd_sync_result result;
    request.item = hd_value_int(number);
    if (number % 100 == 0) {
        assert_int_equal(hd_list_new(objects, 1, &request.item), 0);
        assert_int_equal(hd_list_append(objects, request.item, hd_value_int(number)), 0);
    }
    assert_int_equal(hd_sync_try(objects, &request, &result), 0);
}

static void get_one(hd_value queue, int number)
{
    struct hd_sync_request request = {.act = HD_SYNC_GET, .object = queue, .item = HD_ABSENT, .party = &nobody};
    struct hd_sync_result result;
    assert_int_equal(hd_sync_try(objects, &request, &result), 0);
    hd_value item = number % 100 ? result.item : hd_list_at(objects, result.item, 0);
    assert_int_equal(hd_value_to_int(item), number);
    hd_gc_release(objects->gc, result.item);
}

static void check_queue(hd_value queue)
{
    const char *broken = hd_sync_check(objects, queue);
    if (broken)
        fail_msg("%s", broken);
}

/* Whenever it grows, its items go round the end: nothing is moved, and the order stays, through collections, too. */
static void a_large_queue_grows_without_moving_its_items(void **state)
{
    (void)state;
    enum { LEVELS = 5, FIRST = 32768 };
    struct hd_os_fault os;
    struct hd_heap_config config;
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    for (int round = 0; round < 2; round++) {
        hd_value queue;
        int first = 0, last = 0;
        assert_int_equal(hd_queue_new(objects, 0, &queue), 0);
        assert_int_equal(hd_heap_bind(heap, HD_ABSENT, (const uint8_t *)"q", 1, queue), 0);
        for (int level = 0; level < LEVELS; level++) {
            int capacity = FIRST << level;
            while (last - first < capacity)
                put_one(queue, last++);
            for (int i = 0; i < capacity * (level + 3) / 9; i++)
                get_one(queue, first++);
            while (last - first < capacity)
                put_one(queue, last++);
            bool collects = level == 2;
            if (collects) {
                hd_heap_collect_start(heap);
                (void)hd_heap_step(heap, 2000);
            }
            uint64_t worked = objects->work_units;
            put_one(queue, last++);
            assert_true(objects->work_units - worked < 100);
            check_queue(queue);
            (void)hd_heap_settle(heap);
        }
        while (hd_heap_has_work(heap))
            (void)hd_heap_step(heap, 10000);
        hd_heap_compact(heap);
        for (uint64_t bytes = hd_shallow_bytes(objects, queue); last - first > (round ? 300 : 0);) {
            get_one(queue, first++);
            if (hd_shallow_bytes(objects, queue) != bytes)
                check_queue(queue);
            bytes = hd_shallow_bytes(objects, queue);
        }
        assert_true(hd_shallow_bytes(objects, queue) < 100000);
        for (int i = 0; i < 1000; i++) {
            put_one(queue, last++);
            get_one(queue, first++);
        }
        check_queue(queue);
        const char *broken = hd_heap_check(heap, &hd_allocator_libc);
        if (broken)
            fail_msg("%s", broken);
        assert_int_equal(hd_heap_unbind(heap, HD_ABSENT, (const uint8_t *)"q", 1), 0);
    }
    hd_heap_free(heap);
    assert_int_equal(os.mapped_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_as_in_the_model),
        cmocka_unit_test(a_queue_grows_and_shrinks),
        cmocka_unit_test(a_large_queue_grows_without_moving_its_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
