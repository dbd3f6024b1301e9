/* A pair of rings, both ends of which are the test's. What threads do to it is in test_ring_threads.c. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/ring.h"

#define BYTES 4096u

struct pair {
    void *memory;
    struct hd_ring daemon;
    struct hd_ring client;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    pair->memory = aligned_alloc(HD_RING_CONTROL_BYTES, hd_ring_memory_bytes(BYTES, 2 * BYTES));
    memset(pair->memory, 0, hd_ring_memory_bytes(BYTES, 2 * BYTES));
    assert_int_equal(hd_ring_init(&pair->daemon, pair->memory, BYTES, 2 * BYTES, true), 0);
    assert_int_equal(hd_ring_init(&pair->client, pair->memory, BYTES, 2 * BYTES, false), 0);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    free(pair->memory);
    free(pair);
    return 0;
}

static size_t put(struct hd_ring *ring, const void *bytes, size_t count)
{
    size_t taken;
    assert_int_equal(hd_ring_write(ring, bytes, count, &taken), 0);
    return taken;
}

static size_t take(struct hd_ring *ring, void *to, size_t room)
{
    size_t count;
    assert_int_equal(hd_ring_read(ring, to, room, &count), 0);
    return count;
}

static void sizes_are_checked(void **state)
{
    struct pair *pair = *state;
    struct hd_ring ring;
    static const uint32_t wrong[] = {0, 1, 2048, 4095, 4097, 6144, 2u << 20, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(hd_ring_init(&ring, pair->memory, wrong[i], BYTES, true), HD_EINVALID);
        assert_int_equal(hd_ring_init(&ring, pair->memory, BYTES, wrong[i], true), HD_EINVALID);
    }
}

static void bytes_come_out_in_order(void **state)
{
    struct pair *pair = *state;
    uint8_t in[700], out[700];
    uint8_t next_in = 0, next_out = 0;
    size_t inside = 0;
    for (unsigned turn = 0; turn < 5000; turn++) {
        size_t count = turn * 37 % sizeof in;
        for (size_t i = 0; i < count; i++)
            in[i] = (uint8_t)(next_in + i);
        size_t taken = put(&pair->client, in, count);
        assert_true(taken == count || inside + taken == BYTES);
        next_in = (uint8_t)(next_in + taken);
        inside += taken;
        count = take(&pair->daemon, out, turn * 53 % sizeof out);
        assert_true(count <= inside);
        inside -= count;
        for (size_t i = 0; i < count; i++)
            assert_int_equal(out[i], next_out++);
    }
    assert_false(hd_ring_has_input(&pair->client)); /* the other way is another ring */
}

static void a_full_ring_takes_no_more(void **state)
{
    struct pair *pair = *state;
    static uint8_t bytes[3 * BYTES];
    assert_int_equal(put(&pair->daemon, bytes, sizeof bytes), 2 * BYTES);
    assert_int_equal(put(&pair->daemon, bytes, 1), 0);
    assert_int_equal(take(&pair->client, bytes, 10), 10);
    assert_int_equal(put(&pair->daemon, bytes, sizeof bytes), 10);
    assert_int_equal(take(&pair->client, bytes, sizeof bytes), 2 * BYTES);
    assert_int_equal(take(&pair->client, bytes, sizeof bytes), 0);
}

static struct hd_ring_control *control(struct pair *pair)
{
    return pair->memory;
}

/* What a client may have done to the counters. Afterwards nothing was read, and no more is. */
static void a_counter_that_lies_is_refused(void **state)
{
    struct pair *pair = *state;
    static const int64_t lies[] = {-1, -4096, BYTES + 1, INT64_MAX, INT64_MIN};
    uint8_t bytes[64] = {0};
    size_t count = 77;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        (void)put(&pair->client, bytes, 10);
        (void)take(&pair->daemon, bytes, sizeof bytes);
        uint64_t honest = atomic_load(&control(pair)->to_daemon.written.value);
        atomic_store(&control(pair)->to_daemon.written.value, honest + (uint64_t)lies[i]);
        assert_true(hd_ring_has_input(&pair->daemon)); /* so that somebody reads, and finds out */
        assert_int_equal(hd_ring_read(&pair->daemon, bytes, sizeof bytes, &count), HD_EPROTOCOL);
        assert_int_equal(count, 77);
        atomic_store(&control(pair)->to_daemon.written.value, honest);
    }
}

static void a_reader_that_lies_is_refused(void **state)
{
    struct pair *pair = *state;
    static uint8_t bytes[2 * BYTES];
    size_t taken;
    assert_int_equal(put(&pair->daemon, bytes, sizeof bytes), sizeof bytes);
    /* More than was written; and, after some was really read, less than before. */
    atomic_store(&control(pair)->to_client.read.value, 2 * BYTES + 1);
    assert_int_equal(hd_ring_write(&pair->daemon, bytes, 1, &taken), HD_EPROTOCOL);
    atomic_store(&control(pair)->to_client.read.value, 100);
    assert_int_equal(hd_ring_write(&pair->daemon, bytes, 200, &taken), 0);
    assert_int_equal(taken, 100);
    atomic_store(&control(pair)->to_client.read.value, 99);
    assert_int_equal(hd_ring_write(&pair->daemon, bytes, 1, &taken), HD_EPROTOCOL);
}

/* Our own counters are ours: what stands in the memory of them is for the other end. */
static void our_own_counters_are_not_read_back(void **state)
{
    struct pair *pair = *state;
    uint8_t bytes[8] = "abcdefg", out[8] = "";
    (void)put(&pair->daemon, "xyz", 3);
    atomic_store(&control(pair)->to_client.written.value, 12345);
    atomic_store(&control(pair)->to_daemon.read.value, 54321);
    (void)put(&pair->daemon, "uvw", 3);
    assert_int_equal(atomic_load(&control(pair)->to_client.written.value), 6);
    (void)put(&pair->client, bytes, 7);
    assert_int_equal(take(&pair->daemon, out, sizeof out), 7);
    assert_string_equal(out, "abcdefg");
    assert_int_equal(atomic_load(&control(pair)->to_daemon.read.value), 7);
}

static void a_bell_is_rung_once_for_a_sleep(void **state)
{
    struct pair *pair = *state;
    assert_false(hd_ring_bell_due(&pair->client));
    hd_ring_want(&pair->daemon, HD_RING_WANTS_INPUT);
    hd_ring_want(&pair->daemon, HD_RING_WANTS_ROOM);
    (void)put(&pair->client, "x", 1);
    assert_true(hd_ring_bell_due(&pair->client));
    assert_false(hd_ring_bell_due(&pair->client));
    hd_ring_want(&pair->daemon, HD_RING_WANTS_INPUT);
    hd_ring_want_nothing(&pair->daemon);
    assert_false(hd_ring_bell_due(&pair->client));
    hd_ring_want(&pair->client, HD_RING_WANTS_INPUT);
    assert_false(hd_ring_bell_due(&pair->client)); /* its own */
    assert_true(hd_ring_bell_due(&pair->daemon));
}

static void the_pace_follows_what_waits_were_like(void **state)
{
    (void)state;
    struct hd_ring_pace pace = {0};
    assert_int_equal(hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS), HD_RING_SPIN_LEAST_NS);
    for (int i = 0; i < 100; i++)
        hd_ring_pace_note(&pace, 2000);
    assert_in_range(hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS), 12000, 13000);
    for (int i = 0; i < 100; i++)
        hd_ring_pace_note(&pace, 30000);
    assert_int_equal(hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS), HD_RING_SPIN_MOST_NS);
    for (int i = 0; i < 100; i++)
        hd_ring_pace_note(&pace, UINT64_MAX);
    assert_int_equal(hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS), HD_RING_SPIN_LEAST_NS);
}

/* Whoever works for long may look for long, up to a bound. */
static void the_longest_look_follows_the_work(void **state)
{
    (void)state;
    struct hd_ring_pace pace = {0};
    assert_int_equal(hd_ring_pace_most_ns(0), HD_RING_SPIN_MOST_NS);
    assert_int_equal(hd_ring_pace_most_ns(UINT64_MAX), HD_RING_SPIN_MOST_NS + 2 * HD_RING_WORK_MOST_NS);
    for (int i = 0; i < 100; i++)
        hd_ring_pace_note(&pace, 2 * HD_RING_SPIN_MOST_NS);
    assert_int_equal(hd_ring_pace_limit_ns(&pace, hd_ring_pace_most_ns(0)), HD_RING_SPIN_LEAST_NS);
    assert_int_equal(hd_ring_pace_limit_ns(&pace, hd_ring_pace_most_ns(60000)), HD_RING_SPIN_MOST_NS + 120000);
}

/* Looking that never helps is given up, and tried again ever more rarely, until it helps. */
static void looking_in_vain_is_given_up(void **state)
{
    (void)state;
    struct hd_ring_pace pace = {0};
    unsigned looks = 0;
    for (unsigned i = 0; i < 4096; i++) {
        uint32_t limit_ns = hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS);
        looks += limit_ns > 0;
        assert_true(i < HD_RING_MISSES_MOST || limit_ns == 0 || limit_ns == HD_RING_SPIN_MOST_NS);
        hd_ring_pace_found(&pace, false);
    }
    assert_in_range(looks, HD_RING_MISSES_MOST + 4096 / HD_RING_TRY_EACH, 20);
    hd_ring_pace_found(&pace, true);
    assert_int_equal(hd_ring_pace_limit_ns(&pace, HD_RING_SPIN_MOST_NS), HD_RING_SPIN_LEAST_NS);
}

/* Whoever was put aside while it looked sleeps for a while, for twice that if it happens again at once. */
static void a_taken_processor_means_sleep(void **state)
{
    (void)state;
    struct hd_ring_thrift thrift = {0};
    uint64_t now = 1000000000;
    assert_false(hd_ring_thrift_note(&thrift, now, now + HD_RING_ROBBED_NS - 1));
    assert_false(hd_ring_thrift_sleeps(&thrift, now));
    for (uint64_t term_ns = HD_RING_SLEEP_LEAST_NS; term_ns < 4 * (uint64_t)HD_RING_SLEEP_MOST_NS; term_ns *= 2) {
        uint64_t wanted_ns = term_ns < HD_RING_SLEEP_MOST_NS ? term_ns : HD_RING_SLEEP_MOST_NS;
        assert_true(hd_ring_thrift_note(&thrift, now, now + HD_RING_ROBBED_NS));
        now += HD_RING_ROBBED_NS;
        assert_true(hd_ring_thrift_sleeps(&thrift, now + wanted_ns - 1));
        assert_false(hd_ring_thrift_sleeps(&thrift, now + wanted_ns));
        now += wanted_ns;
    }
    /* A long time without: it begins anew. */
    now += 64 * (uint64_t)HD_RING_SLEEP_MOST_NS;
    assert_true(hd_ring_thrift_note(&thrift, now, now + HD_RING_ROBBED_NS));
    assert_int_equal(thrift.term_ns, HD_RING_SLEEP_LEAST_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sizes_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_come_out_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_that_lies_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_lies_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(our_own_counters_are_not_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bell_is_rung_once_for_a_sleep, setup, teardown),
        cmocka_unit_test(the_pace_follows_what_waits_were_like),
        cmocka_unit_test(the_longest_look_follows_the_work),
        cmocka_unit_test(looking_in_vain_is_given_up),
        cmocka_unit_test(a_taken_processor_means_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
