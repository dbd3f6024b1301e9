/*
 * Processes that contend for one lock, semaphore, condition or queue while those
 * who hold it are killed at random moments.
 *
 *     test_contend [kills of each kind [processes]]
 *
 * Lock: never two inside, in order of arrival, and one who finds traces of another
 * was told that it died. Semaphore: never more inside than units. Condition: no
 * notification is lost for good. Queue: no item is lost or doubled but what a
 * killed process had taken. And nobody waits for ever.
 */
#include "test.h"

#include <heapd/heapd.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

#define PROCESSES_MAX 500
#define LIVES_MAX 8192
#define UNITS 3
#define ITEMS_OF_A_LIFE 500
#define ITEMS_MAX (LIVES_MAX * ITEMS_OF_A_LIFE)

static unsigned kill_count = 40;
static unsigned process_count = 100;
static uint64_t seed;

/* What all processes see. A life is one process from birth to death. */
static struct shared {
    atomic_int stop; /* 1: no new work; 2: no work at all */
    atomic_int violation_line;
    atomic_uint inside;                /* the life that is, plus 1 */
    atomic_uint is_inside[LIVES_MAX];  /* of a semaphore: the turn, or 0 */
    atomic_uint was_killed[LIVES_MAX]; /* or is about to be */
    atomic_ullong last_arrival;        /* of those who got the lock */
    atomic_ullong entry_count;
    atomic_ullong abandoned_count;
    atomic_ullong tokens; /* of the condition; who has its lock may change it */
    atomic_ullong token_count;
    atomic_uchar put_begun[ITEMS_MAX];
    atomic_uchar put_done[ITEMS_MAX];
    atomic_uchar taken[ITEMS_MAX];
} * shared;

#define CHECK(condition) \
    do { \
        int none = 0; \
        if (!(condition)) \
            atomic_compare_exchange_strong(&shared->violation_line, &none, __LINE__); \
    } while (0)

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- a client's life ---- */

struct life {
    struct heapd_connection *heap;
    struct heapd_error error;
    heapd_handle object;
    uint32_t number;
    bool odd; /* of a pair of roles */
    uint64_t random;
};

static void check_inside(struct life *life, int how)
{
    unsigned before = atomic_exchange(&shared->inside, life->number + 1);
    CHECK(how & HEAPD_ACQUIRED || !before);
    if (how & HEAPD_ABANDONED)
        atomic_fetch_add(&shared->abandoned_count, 1);
    /* Somebody left traces: he must be dead, and we must have been told. */
    CHECK(!before || (how & HEAPD_ABANDONED && atomic_load(&shared->was_killed[before - 1])));
    atomic_fetch_add(&shared->entry_count, 1);
}

static void check_outside(struct life *life)
{
    CHECK(atomic_exchange(&shared->inside, 0) == life->number + 1);
}

static void dawdle(struct life *life)
{
    uint64_t random = next_random(&life->random);
    struct timespec moment = {.tv_nsec = 300000};
    if (random % 8 == 0)
        (void)nanosleep(&moment, NULL);
    for (uint64_t i = random >> 8 & 3; i > 0; i--)
        (void)sched_yield();
}

/* Tells its arrival in the same write as it asks for the lock, so no other comes between. */
static int acquire_in_order(struct life *life, uint64_t *arrival)
{
    heapd_ticket counted, acquired;
    struct heapd_result result;
    if (heapd_begin_add_name(life->heap, HEAPD_GLOBAL, heapd_text("arrivals"), heapd_int(1), &counted, &life->error) ||
        heapd_begin_acquire(life->heap, life->object, 0, HEAPD_FOREVER, &acquired, &life->error) ||
        heapd_wait(life->heap, counted, -1, &result, &life->error))
        _exit(3);
    *arrival = (uint64_t)result.value.as.integer;
    if (heapd_wait(life->heap, acquired, -1, &result, &life->error))
        _exit(3);
    return (int)result.value.as.integer;
}

static void live_with_lock(struct life *life)
{
    while (!atomic_load(&shared->stop)) {
        uint64_t arrival;
        int how = acquire_in_order(life, &arrival);
        CHECK(how & HEAPD_ACQUIRED);
        check_inside(life, how);
        CHECK(atomic_exchange(&shared->last_arrival, arrival) < arrival);
        dawdle(life);
        check_outside(life);
        if (heapd_unlock(life->heap, life->object, 0, 1, &life->error))
            _exit(4);
    }
}

/*
 * How many hold a unit at one moment, at least: those who are seen inside of the same turn before and after it. Looking
 * at one after the other once would count who left meanwhile together with who came in its place.
 */
static unsigned count_inside(void)
{
    static unsigned before[LIVES_MAX];
    unsigned inside = 0;
    for (uint32_t i = 0; i < LIVES_MAX; i++)
        before[i] = atomic_load(&shared->is_inside[i]);
    for (uint32_t i = 0; i < LIVES_MAX; i++)
        inside += before[i] && atomic_load(&shared->is_inside[i]) == before[i] && !atomic_load(&shared->was_killed[i]);
    return inside;
}

static void live_with_semaphore(struct life *life)
{
    for (unsigned turn = 1; !atomic_load(&shared->stop); turn++) {
        int how;
        if (heapd_acquire(life->heap, life->object, 0, HEAPD_FOREVER, &how, &life->error))
            _exit(3);
        atomic_store(&shared->is_inside[life->number], turn);
        CHECK(count_inside() <= UNITS);
        atomic_fetch_add(&shared->entry_count, 1);
        atomic_fetch_add(&shared->abandoned_count, (how & HEAPD_ABANDONED) != 0);
        dawdle(life);
        atomic_store(&shared->is_inside[life->number], 0);
        if (heapd_unlock(life->heap, life->object, 0, 1, &life->error))
            _exit(4);
    }
}

/* A dead holder may have been notified and not have used that: whoever is told wakes the others. */
static void recover(struct life *life, int how)
{
    if (how & HEAPD_ABANDONED && heapd_notify(life->heap, life->object, 0, UINT64_MAX, NULL, &life->error))
        _exit(5);
}

static void consume_tokens(struct life *life)
{
    while (atomic_load(&shared->stop) < 2) {
        int how;
        if (heapd_acquire(life->heap, life->object, 0, HEAPD_FOREVER, &how, &life->error))
            _exit(3);
        check_inside(life, how);
        recover(life, how);
        while (!atomic_load(&shared->tokens) && atomic_load(&shared->stop) < 2) {
            check_outside(life);
            if (heapd_condition_wait(life->heap, life->object, 0, HEAPD_FOREVER, &how, &life->error))
                _exit(6);
            CHECK(how & HEAPD_ACQUIRED);
            check_inside(life, how);
            recover(life, how);
        }
        if (atomic_load(&shared->tokens))
            atomic_fetch_sub(&shared->tokens, 1);
        check_outside(life);
        if (heapd_unlock(life->heap, life->object, 0, 1, &life->error))
            _exit(4);
    }
}

static void produce_tokens(struct life *life)
{
    while (!atomic_load(&shared->stop)) {
        int how;
        if (heapd_acquire(life->heap, life->object, 0, HEAPD_FOREVER, &how, &life->error))
            _exit(3);
        check_inside(life, how);
        recover(life, how);
        dawdle(life);
        if (atomic_load(&shared->tokens) < 20) {
            atomic_fetch_add(&shared->tokens, 1);
            atomic_fetch_add(&shared->token_count, 1);
            if (heapd_notify(life->heap, life->object, 0, 1, NULL, &life->error))
                _exit(5);
        }
        check_outside(life);
        if (heapd_unlock(life->heap, life->object, 0, 1, &life->error))
            _exit(4);
        dawdle(life);
    }
}

static void live_with_condition(struct life *life)
{
    if (life->odd)
        produce_tokens(life);
    else
        consume_tokens(life);
}

static void produce_items(struct life *life)
{
    uint32_t item = life->number * ITEMS_OF_A_LIFE, end = item + ITEMS_OF_A_LIFE;
    for (; item < end && !atomic_load(&shared->stop); item++) {
        atomic_store(&shared->put_begun[item], 1);
        if (heapd_put(life->heap, life->object, heapd_int(item), HEAPD_FOREVER, &life->error))
            _exit(3);
        atomic_store(&shared->put_done[item], 1);
    }
    while (!atomic_load(&shared->stop))
        bb_pause();
}

static void consume_items(struct life *life)
{
    for (;;) {
        struct heapd_value item;
        int code = heapd_get(life->heap, life->object, HEAPD_PLAIN, 100, &item, &life->error);
        if (code == HEAPD_EQUEUE_EMPTY && atomic_load(&shared->stop) == 2)
            return;
        if (code == HEAPD_EQUEUE_EMPTY)
            continue;
        if (code)
            _exit(4);
        atomic_fetch_add(&shared->taken[item.as.integer], 1);
        atomic_fetch_add(&shared->entry_count, 1);
    }
}

static void live_with_queue(struct life *life)
{
    if (life->odd)
        produce_items(life);
    else
        consume_items(life);
}

/* ---- births and deaths ---- */

struct trial {
    const char *name;
    enum heapd_type type;
    int64_t value;
    void (*live)(struct life *life);
};

struct population {
    const struct trial *trial;
    struct bb_daemon daemon;
    struct life keeper; /* the parent's own */
    pid_t pids[PROCESSES_MAX];
    uint32_t lives[PROCESSES_MAX];
    uint32_t life_count;
};

static void be_born(struct population *population, unsigned place)
{
    struct life life = {.number = population->life_count++, .odd = place % 2};
    life.random = seed ^ (uint64_t)life.number << 20;
    assert_true(life.number < LIVES_MAX);
    population->lives[place] = life.number;
    population->pids[place] = fork();
    assert_true(population->pids[place] >= 0);
    if (population->pids[place])
        return;
    struct heapd_value value;
    if (heapd_connect(population->daemon.path, NULL, &life.heap, &life.error) ||
        heapd_lookup(life.heap, HEAPD_GLOBAL, heapd_text("object"), HEAPD_OBJECT, 0, &value, &life.error))
        _exit(2);
    life.object = value.as.ref;
    population->trial->live(&life);
    heapd_close(life.heap);
    _exit(0);
}

/* Its own error number, or 0; a killed one counts as good. */
static int reap(struct population *population, unsigned place, bool killed)
{
    int status;
    assert_int_equal(waitpid(population->pids[place], &status, 0), population->pids[place]);
    population->pids[place] = 0;
    if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kill_one(struct population *population, unsigned place)
{
    atomic_store(&shared->was_killed[population->lives[place]], 1);
    assert_int_equal(kill(population->pids[place], SIGKILL), 0);
    assert_int_equal(reap(population, place, true), 0);
}

/* Those of one role end by themselves; if one does not, it waits for ever. */
static void await_end(struct population *population, unsigned first, unsigned step)
{
    uint64_t until_ms = bb_now_ms() + 3 * BB_PATIENCE_MS;
    for (unsigned place = first; place < process_count; place += step) {
        int status;
        pid_t pid;
        while ((pid = waitpid(population->pids[place], &status, WNOHANG)) == 0 && bb_now_ms() < until_ms)
            bb_pause();
        if (pid == 0) {
            for (unsigned i = 0; i < process_count; i++)
                if (population->pids[i])
                    (void)kill(population->pids[i], SIGKILL);
            fail_msg("%s: a process waits for ever", population->trial->name);
        }
        population->pids[place] = 0;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void populate(struct population *population, const struct trial *trial)
{
    struct life *keeper = &population->keeper;
    *population = (struct population){.trial = trial};
    memset(shared, 0, sizeof *shared);
    bb_daemon_start(&population->daemon, NULL);
    assert_int_equal(heapd_connect(population->daemon.path, NULL, &keeper->heap, &keeper->error), 0);
    assert_int_equal(
        heapd_create_typed(keeper->heap, trial->type, trial->value, true, 0, &keeper->object, &keeper->error), 0);
    assert_int_equal(
        heapd_bind(keeper->heap, HEAPD_GLOBAL, heapd_text("object"), heapd_ref(keeper->object), &keeper->error), 0);
    assert_int_equal(heapd_bind(keeper->heap, HEAPD_GLOBAL, heapd_text("arrivals"), heapd_int(0), &keeper->error), 0);
    for (unsigned place = 0; place < process_count; place++)
        be_born(population, place);
    BB_AWAIT(atomic_load(&shared->entry_count) > process_count / 2);
}

static bool holds(const struct population *population, unsigned place)
{
    uint32_t life = population->lives[place];
    return atomic_load(&shared->inside) == life + 1 || atomic_load(&shared->is_inside[life]);
}

/* One that holds something, if one is found soon, which may be over when it dies. */
static unsigned find_holder(const struct population *population, unsigned otherwise)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        for (unsigned place = 0; place < process_count; place++)
            if (holds(population, place))
                return place;
        (void)sched_yield();
    }
    return otherwise;
}

static void kill_at_random(struct population *population)
{
    uint64_t random = seed;
    for (unsigned i = 0; i < kill_count; i++) {
        unsigned place = (unsigned)(next_random(&random) % process_count);
        struct timespec moment = {.tv_nsec = (long)(next_random(&random) % 4000000)};
        (void)nanosleep(&moment, NULL);
        place = i % 2 ? find_holder(population, place) : place;
        kill_one(population, place);
        be_born(population, place);
    }
}

static uint64_t stat_of(struct population *population, const char *name)
{
    struct heapd_result result;
    assert_int_equal(heapd_stats(population->keeper.heap, &result, &population->keeper.error), 0);
    uint64_t value = heapd_result_stat(&result, name, UINT64_MAX);
    heapd_result_clear(&result);
    return value;
}

static void depopulate(struct population *population)
{
    int line = atomic_load(&shared->violation_line);
    if (line)
        fail_msg("%s: what is checked in line %d did not hold", population->trial->name, line);
    /* Sessions of the last ones may still be ending. */
    BB_AWAIT(stat_of(population, "rpc_sessions_count") == 1);
    assert_int_equal(stat_of(population, "rpc_parked_count"), 0);
    print_message("%s: %u processes, %u killed, %llu turns, %llu abandoned, %llu given back untold\n",
                  population->trial->name, process_count, kill_count, atomic_load(&shared->entry_count),
                  (unsigned long long)stat_of(population, "sync_abandoned_count"),
                  (unsigned long long)stat_of(population, "sync_returned_count"));
    heapd_close(population->keeper.heap);
    bb_daemon_stop(&population->daemon);
}

/* ---- the trials ---- */

static struct population population;

static void a_lock_excludes(void **state)
{
    static const struct trial trial = {"lock", HEAPD_TYPE_LOCK, 0, live_with_lock};
    (void)state;
    populate(&population, &trial);
    kill_at_random(&population);
    atomic_store(&shared->stop, 2);
    await_end(&population, 0, 1);
    depopulate(&population);
}

static void a_semaphore_counts(void **state)
{
    static const struct trial trial = {"semaphore", HEAPD_TYPE_SEMAPHORE, UNITS, live_with_semaphore};
    struct heapd_sync_info info;
    (void)state;
    populate(&population, &trial);
    kill_at_random(&population);
    atomic_store(&shared->stop, 2);
    await_end(&population, 0, 1);
    /* Every unit came back. */
    assert_int_equal(heapd_sync_state(population.keeper.heap, population.keeper.object, &info, NULL), 0);
    assert_int_equal(info.value, UNITS);
    depopulate(&population);
}

/* Takes the lock as one of them: if a dead one had been notified, this tells the others. */
static bool tokens_are_gone(struct life *keeper)
{
    int how;
    if (heapd_acquire(keeper->heap, keeper->object, 0, HEAPD_FOREVER, &how, &keeper->error))
        return false;
    recover(keeper, how);
    if (how & HEAPD_ABANDONED)
        atomic_store(&shared->inside, 0);
    bool gone = !atomic_load(&shared->tokens);
    return !heapd_unlock(keeper->heap, keeper->object, 0, 1, &keeper->error) && gone;
}

static void a_condition_loses_no_notification(void **state)
{
    static const struct trial trial = {"condition", HEAPD_TYPE_CONDITION, 0, live_with_condition};
    struct life *keeper = &population.keeper;
    int how;
    (void)state;
    populate(&population, &trial);
    kill_at_random(&population);
    atomic_store(&shared->stop, 1);
    await_end(&population, 1, 2);
    BB_AWAIT(tokens_are_gone(keeper));
    atomic_store(&shared->stop, 2);
    assert_int_equal(heapd_acquire(keeper->heap, keeper->object, 0, HEAPD_FOREVER, &how, &keeper->error), 0);
    if (how & HEAPD_ABANDONED)
        atomic_store(&shared->inside, 0);
    assert_int_equal(heapd_notify(keeper->heap, keeper->object, 0, UINT64_MAX, NULL, &keeper->error), 0);
    assert_int_equal(heapd_unlock(keeper->heap, keeper->object, 0, 1, &keeper->error), 0);
    await_end(&population, 0, 2);
    depopulate(&population);
}

static void a_queue_loses_nothing(void **state)
{
    static const struct trial trial = {"queue", HEAPD_TYPE_QUEUE, 8, live_with_queue};
    unsigned lost = 0, put = 0;
    (void)state;
    populate(&population, &trial);
    kill_at_random(&population);
    atomic_store(&shared->stop, 1);
    await_end(&population, 1, 2);
    atomic_store(&shared->stop, 2);
    await_end(&population, 0, 2);
    for (uint32_t i = 0; i < population.life_count * ITEMS_OF_A_LIFE; i++) {
        unsigned taken = atomic_load(&shared->taken[i]);
        assert_true(taken <= 1);
        assert_true(!taken || atomic_load(&shared->put_begun[i]));
        put += atomic_load(&shared->put_done[i]);
        lost += atomic_load(&shared->put_done[i]) && !taken;
    }
    print_message("queue: %u items put, %u taken by processes that were killed with them\n", put, lost);
    /* A consumer takes one at a time. */
    assert_true(lost <= kill_count);
    depopulate(&population);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_excludes),
        cmocka_unit_test(a_semaphore_counts),
        cmocka_unit_test(a_condition_loses_no_notification),
        cmocka_unit_test(a_queue_loses_nothing),
    };
    if (argc > 1)
        kill_count = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        process_count = (unsigned)strtoul(argv[2], NULL, 10);
    if (process_count < 2 || process_count > PROCESSES_MAX || kill_count + process_count > LIVES_MAX) {
        (void)fprintf(stderr, "usage: test_contend [kills, at most %d [processes, 2 to %d]]\n",
                      LIVES_MAX - PROCESSES_MAX, PROCESSES_MAX);
        return 2;
    }
    const char *wanted = getenv("HEAPD_TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
    (void)printf("contend: HEAPD_TEST_SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout); /* or each child would print it again */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
