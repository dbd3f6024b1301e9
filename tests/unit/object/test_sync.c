/*
 * Coordination objects and a simple model of them, side by side: whatever is done,
 * in whatever order, the same waiters are woken in the same order with the same
 * outcome, and what each object says of itself is what the model says.
 */
#include "sync_model.h"

#define STEPS 60000

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
                model_push(&model.semaphore.holders, party);
            return 0;
        }
        if (object == RLOCK && owner) {
            lock->count++;
            return 0;
        }
        if (lock->count)
            return HD_SYNC_BUSY;
        *lock = (struct model_lock){.count = 1,
                                    .party = party,
                                    .thread = thread,
                                    .untold = -1,
                                    .line = lock->line,
                                    .abandoned = (out->abandoned = lock->abandoned, false)};
        return 0;
    case HD_SYNC_GET:
        if (!model.items.count)
            return HD_SYNC_BUSY;
        out->item = model_pop(&model.items);
        model_admit();
        return 0;
    case HD_SYNC_PUT:
        if (!model.getters.count && model.items.count >= model.maximum)
            return HD_SYNC_BUSY;
        model.unfinished++;
        if (model.getters.count)
            model_item_comes_back(item);
        else
            model_push(&model.items, item);
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
            model_wake(model_pop(&model.barrier_line), 0);
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
    model_push(model_line_of(waiter), id);
    if (waiter->act == HD_SYNC_CONDITION_WAIT)
        model_let_go(&model.locks[RLOCK]);
}

static void do_act(void)
{
    static const struct {
        enum hd_sync_act act;
        int object;
    } acts[] = {{HD_SYNC_ACQUIRE, LOCK},
                {HD_SYNC_ACQUIRE, RLOCK},
                {HD_SYNC_ACQUIRE, RLOCK},
                {HD_SYNC_ACQUIRE, SEMAPHORE},
                {HD_SYNC_GET, QUEUE},
                {HD_SYNC_PUT, QUEUE},
                {HD_SYNC_JOIN, QUEUE},
                {HD_SYNC_EVENT_WAIT, EVENT},
                {HD_SYNC_BARRIER_WAIT, BARRIER},
                {HD_SYNC_CONDITION_WAIT, CONDITION},
                {HD_SYNC_CONDITION_WAIT, CONDITION}};
    int which = below((int)(sizeof acts / sizeof *acts)), party = below(PARTIES), thread = below(THREADS);
    enum hd_sync_act act = acts[which].act;
    int item = ++next_item;
    struct model_waiter expected = {.act = act,
                                    .object = acts[which].object,
                                    .party = party,
                                    .thread = thread,
                                    .item = act == HD_SYNC_PUT ? item : 0};
    struct hd_sync_request request = {.act = act,
                                      .object = made[acts[which].object],
                                      .item = HD_ABSENT,
                                      .party = &parties[party],
                                      .thread = (uint64_t)thread};
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
        model_forget_units(party, count);
        model_units_free(count);
        return 0;
    }
    struct model_lock *lock = &model.locks[object];
    if (!lock->count)
        return HD_ENOT_LOCKED;
    if (object == RLOCK && (lock->party != party || lock->thread != thread))
        return HD_ENOT_OWNED;
    if (object == RLOCK && --lock->count)
        return 0;
    model_let_go(lock);
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
    int error =
        hd_condition_notify(objects, made[CONDITION], &parties[party], (uint64_t)thread, (uint64_t)count, &woken);
    assert_int_equal(error, owner ? 0 : HD_ENOT_OWNED);
    if (owner)
        assert_int_equal(model_notify(count), woken);
}

static void do_simple(void)
{
    switch (below(6)) {
    case 0:
        hd_event_set(objects, made[EVENT]);
        model.event = true;
        while (model.event_line.count)
            model_wake(model_pop(&model.event_line), 0);
        return;
    case 1:
        hd_event_clear(objects, made[EVENT]);
        model.event = false;
        return;
    case 2:
        hd_barrier_abort(objects, made[BARRIER]);
        model_break_barrier();
        return;
    case 3:
        hd_barrier_reset(objects, made[BARRIER]);
        model_break_barrier();
        model.broken = false;
        return;
    default:
        assert_int_equal(hd_queue_task_done(objects, made[QUEUE]), model.unfinished ? 0 : HD_EOVER_RELEASE);
        if (!model.unfinished || --model.unfinished)
            return;
        while (model.joiners.count)
            model_wake(model_pop(&model.joiners), 0);
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
        int id = model_pop(&model.outbox);
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
                model_let_go(&model.locks[i]);
            }
        }
        if (found)
            continue;
        int units = model.semaphore.units[party];
        assert_true(units > 0);
        model.semaphore.units[party] = 0;
        (void)model_take_out(&model.semaphore.holders, party);
        if (!orderly) {
            model.semaphore.abandoned = true;
            model_units_free(units);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_as_in_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
