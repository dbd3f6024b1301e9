/* Two threads, a ring and a bell that may be lost by nobody: every byte arrives, in order, and no sleep is for ever. */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ring.h"

#define BYTES 4096u
#define TOTAL_BYTES (1u << 20)
#define PATIENCE_MS 20000

struct end {
    struct hd_ring ring;
    int bell[2]; /* that wakes it */
    struct end *other;
    bool is_daemon;
    bool failed;
    uint64_t sleeps;
};

static void ring_if_due(struct end *end)
{
    if (hd_ring_bell_due(&end->ring))
        end->failed |= write(end->other->bell[1], "", 1) != 1;
}

/* Says what it waits for, looks once more, sleeps. */
static void sleep_for(struct end *end, bool wants_room)
{
    hd_ring_want(&end->ring, HD_RING_WANTS_INPUT);
    if (wants_room)
        hd_ring_want(&end->ring, HD_RING_WANTS_ROOM);
    bool room = wants_room && end->ring.out_at - atomic_load(&end->ring.out->read.value) < end->ring.out_bytes;
    if (!hd_ring_has_input(&end->ring) && !room) {
        struct pollfd poller = {.fd = end->bell[0], .events = POLLIN};
        char bells[64];
        end->sleeps++;
        if (poll(&poller, 1, PATIENCE_MS) != 1 || read(end->bell[0], bells, sizeof bells) < 1)
            end->failed = true;
    }
    hd_ring_want_nothing(&end->ring);
}

/* Sends a sequence of its own and checks that of the other end. Short pieces, so that both ends sleep often. */
static void *run(void *context)
{
    struct end *end = context;
    uint32_t sent = 0, received = 0;
    uint32_t random = end->is_daemon ? 1 : 2;
    while ((sent < TOTAL_BYTES || received < TOTAL_BYTES) && !end->failed) {
        uint8_t bytes[512];
        random = random * 1664525u + 1013904223u;
        size_t wanted = random >> 23;
        size_t taken = 0, count = 0;
        for (size_t i = 0; i < wanted; i++)
            bytes[i] = (uint8_t)((sent + i) * 7);
        if (wanted > TOTAL_BYTES - sent)
            wanted = TOTAL_BYTES - sent;
        end->failed |= hd_ring_write(&end->ring, bytes, wanted, &taken) != 0;
        sent += (uint32_t)taken;
        end->failed |= hd_ring_read(&end->ring, bytes, sizeof bytes, &count) != 0;
        for (size_t i = 0; i < count; i++)
            end->failed |= bytes[i] != (uint8_t)((received + i) * 7);
        received += (uint32_t)count;
        if (taken || count)
            ring_if_due(end);
        if (count == 0 && taken < wanted)
            sleep_for(end, true);
        else if (count == 0 && sent == TOTAL_BYTES && received < TOTAL_BYTES)
            sleep_for(end, false);
    }
    return NULL;
}

static void no_byte_and_no_wake_up_is_lost(void **state)
{
    (void)state;
    void *memory = aligned_alloc(HD_RING_CONTROL_BYTES, hd_ring_memory_bytes(BYTES, BYTES));
    memset(memory, 0, hd_ring_memory_bytes(BYTES, BYTES));
    struct end ends[2] = {{.is_daemon = true}, {.is_daemon = false}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ends[i].other = &ends[1 - i];
        assert_int_equal(pipe(ends[i].bell), 0);
        assert_int_equal(hd_ring_init(&ends[i].ring, memory, BYTES, BYTES, ends[i].is_daemon), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &ends[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_false(ends[i].failed);
        close(ends[i].bell[0]);
        close(ends[i].bell[1]);
    }
    assert_true(ends[0].sleeps + ends[1].sleeps > 0);
    free(memory);
}

/* One at a time: each request wakes the other end, or finds it awake. */
static void *answer(void *context)
{
    struct end *end = context;
    for (uint32_t i = 0; i < 20000 && !end->failed;) {
        size_t count = 0, taken;
        uint8_t byte;
        end->failed |= hd_ring_read(&end->ring, &byte, 1, &count) != 0;
        if (count == 0) {
            sleep_for(end, false);
            continue;
        }
        end->failed |= hd_ring_write(&end->ring, &byte, 1, &taken) != 0;
        ring_if_due(end);
        i++;
    }
    return NULL;
}

static void *ask(void *context)
{
    struct end *end = context;
    for (uint32_t i = 0; i < 20000 && !end->failed; i++) {
        size_t count = 0, taken;
        uint8_t byte = (uint8_t)i;
        end->failed |= hd_ring_write(&end->ring, &byte, 1, &taken) != 0;
        ring_if_due(end);
        while (count == 0 && !end->failed) {
            end->failed |= hd_ring_read(&end->ring, &byte, 1, &count) != 0;
            if (count == 0)
                sleep_for(end, false);
        }
        end->failed |= byte != (uint8_t)i;
    }
    return NULL;
}

static void every_question_wakes_its_answerer(void **state)
{
    (void)state;
    void *memory = aligned_alloc(HD_RING_CONTROL_BYTES, hd_ring_memory_bytes(BYTES, BYTES));
    memset(memory, 0, hd_ring_memory_bytes(BYTES, BYTES));
    struct end ends[2] = {{.is_daemon = true}, {.is_daemon = false}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ends[i].other = &ends[1 - i];
        assert_int_equal(pipe(ends[i].bell), 0);
        assert_int_equal(hd_ring_init(&ends[i].ring, memory, BYTES, BYTES, ends[i].is_daemon), 0);
    }
    assert_int_equal(pthread_create(&threads[0], NULL, answer, &ends[0]), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, ask, &ends[1]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(ends[i].failed);
        close(ends[i].bell[0]);
        close(ends[i].bell[1]);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_and_no_wake_up_is_lost),
        cmocka_unit_test(every_question_wakes_its_answerer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
