/*
 * Clients in waves that connect, take references and are killed at random
 * moments. Afterwards the heap holds what it held before, and the daemon has as
 * many sessions and descriptors.
 *
 *     test_crash [clients [clients in a wave]]
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

#define SHARED_COUNT 200
#define WAVE_MAX 1000

static unsigned client_count = 300;
static unsigned wave_count = 50;
static uint64_t seed;
static unsigned long *request_count; /* of all clients; shared with them */

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* --- a client's life --- */

struct life {
    struct bb_client client;
    uint64_t random;
    uint32_t slot; /* the last one used */
};

static uint64_t new_handle(struct life *life)
{
    return BB_HANDLE(++life->slot);
}

static void make_garbage(struct life *life)
{
    bb_create_list(&life->client, new_handle(life), (unsigned)(next_random(&life->random) % 300));
}

/* Two lists that hold each other: when the client dies only the collector finds them. */
static void make_cycle(struct life *life)
{
    struct bb_reply reply;
    uint64_t one = new_handle(life), two = new_handle(life);
    bb_create_list(&life->client, one, 1);
    bb_create_list(&life->client, two, 1);
    Heapd__V1__Value to_one = bb_handle(one), to_two = bb_handle(two);
    Heapd__V1__AppendRequest append = HEAPD__V1__APPEND_REQUEST__INIT;
    append.object = one;
    append.value = &to_two;
    bb_call(&life->client, BB_METHOD(APPEND), &append.base, &reply);
    bb_expect_ok(&reply);
    append.object = two;
    append.value = &to_one;
    bb_call(&life->client, BB_METHOD(APPEND), &append.base, &reply);
    bb_expect_ok(&reply);
}

static void take_reference(struct life *life)
{
    struct bb_reply reply;
    uint64_t shared = new_handle(life), element = new_handle(life);
    bb_lookup(&life->client, "shared", shared);
    Heapd__V1__Value key = bb_integer((int64_t)(next_random(&life->random) % SHARED_COUNT));
    Heapd__V1__GetItemRequest get = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    get.object = shared;
    get.key = &key;
    get.into = element;
    bb_call(&life->client, BB_METHOD(GET_ITEM), &get.base, &reply);
    bb_expect_handle(&reply, element);
    if (next_random(&life->random) % 2)
        bb_release(&life->client, shared);
}

static void wait_for_nothing(struct life *life)
{
    Heapd__V1__LookupRequest lookup = HEAPD__V1__LOOKUP_REQUEST__INIT;
    lookup.name = bb_text("nobody binds this");
    lookup.into = new_handle(life);
    lookup.wait_ms = 600000;
    (void)bb_send(&life->client, BB_METHOD(LOOKUP), &lookup.base);
}

/* A pipeline whose last frame is not whole, and stays so for a moment. */
static void leave_half_a_frame(struct life *life)
{
    uint8_t bytes[8192];
    struct bb_reply reply;
    uint64_t first = new_handle(life), second = new_handle(life);
    size_t count = bb_pack_create_list(bytes, sizeof bytes, life->client.next_id++, first, 100);
    size_t half = count + HD_FRAME_HEADER_BYTES + 3;
    count += bb_pack_create_list(bytes + count, sizeof bytes - count, life->client.next_id++, second, 100);
    bb_write(&life->client, bytes, half);
    for (int i = 0; i < 3; i++)
        bb_pause();
    bb_write(&life->client, bytes + half, count - half);
    bb_receive(&life->client, &reply);
    bb_expect_handle(&reply, first);
    bb_receive(&life->client, &reply);
    bb_expect_handle(&reply, second);
}

static void live(const char *path, uint64_t random)
{
    static void (*const deeds[])(struct life *) = {make_garbage, make_cycle, take_reference, leave_half_a_frame};
    struct life life = {.random = random};
    bb_connect(&life.client, path);
    for (unsigned i = 0;; i++) {
        __atomic_add_fetch(request_count, 1, __ATOMIC_RELAXED);
        deeds[next_random(&life.random) % (sizeof deeds / sizeof *deeds)](&life);
        if (i == 20)
            wait_for_nothing(&life);
        if (i > 200) /* enough; it holds all that until it is killed */
            for (;;)
                pause();
    }
}

/* --- waves --- */

/* Kills in the order of birth, each at a moment of its own. False: one ended in another way. */
static bool run_wave(const char *path, unsigned count, uint64_t *random)
{
    pid_t pids[WAVE_MAX];
    bool good = true;
    for (unsigned i = 0; i < count; i++) {
        uint64_t own = next_random(random);
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            live(path, own);
            _exit(1);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        struct timespec moment = {.tv_nsec = (long)(next_random(random) % 1500000)};
        (void)nanosleep(&moment, NULL);
        (void)kill(pids[i], SIGKILL);
    }
    for (unsigned i = 0; i < count; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        good = good && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    return good;
}

static void make_shared(struct bb_client *client)
{
    struct bb_reply reply;
    bb_create_list(client, BB_HANDLE(1), 0);
    for (uint32_t i = 0; i < SHARED_COUNT; i++) {
        uint64_t element = hd_handle_make(2, i + 1);
        bb_create_list(client, element, 2);
        Heapd__V1__Value value = bb_handle(element);
        Heapd__V1__AppendRequest append = HEAPD__V1__APPEND_REQUEST__INIT;
        append.object = BB_HANDLE(1);
        append.value = &value;
        bb_call(client, BB_METHOD(APPEND), &append.base, &reply);
        bb_expect_ok(&reply);
        bb_release(client, element);
    }
    bb_bind(client, "shared", BB_HANDLE(1));
}

static uint64_t reference_count(struct bb_client *client, uint64_t handle)
{
    struct bb_reply reply;
    Heapd__V1__InspectRequest request = HEAPD__V1__INSPECT_REQUEST__INIT;
    request.object = handle;
    bb_call(client, BB_METHOD(INSPECT), &request.base, &reply);
    Heapd__V1__ObjectInfo *info = heapd__v1__object_info__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(info);
    uint64_t count = info->reference_count;
    heapd__v1__object_info__free_unpacked(info, NULL);
    bb_reply_free(&reply);
    return count;
}

static void killed_clients_leave_nothing(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client keeper;
    uint64_t random = seed;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&keeper, daemon.path);
    make_shared(&keeper);
    bb_collect(&keeper);
    uint64_t objects = bb_settled_objects(&keeper), most = 0;
    uint64_t begin_ms = bb_now_ms();
    unsigned descriptors = bb_daemon_descriptors(&daemon);
    assert_int_equal(reference_count(&keeper, BB_HANDLE(1)), 2);

    for (unsigned done = 0; done < client_count; done += wave_count) {
        unsigned count = client_count - done < wave_count ? client_count - done : wave_count;
        assert_true(run_wave(daemon.path, count, &random));
        uint64_t now = bb_stat(&keeper, BB_STAT_OBJECTS); /* and it still answers */
        most = now > most ? now : most;
    }
    BB_AWAIT(bb_stat(&keeper, BB_STAT_SESSIONS) == 1);
    uint64_t end_ms = bb_now_ms();
    bb_collect(&keeper);
    assert_int_equal(bb_settled_objects(&keeper), objects);
    BB_AWAIT(bb_daemon_descriptors(&daemon) == descriptors);
    assert_int_equal(reference_count(&keeper, BB_HANDLE(1)), 2);
    assert_int_equal(bb_length(&keeper, BB_HANDLE(1)), SHARED_COUNT);
    print_message(
        "%u clients killed after %lu deeds in %.1f s; objects %llu, %llu seen between waves, %llu at the end\n",
        client_count, *request_count, (double)(end_ms - begin_ms) / 1000, (unsigned long long)objects,
        (unsigned long long)most, (unsigned long long)bb_stat(&keeper, BB_STAT_OBJECTS));
    bb_close(&keeper);
    bb_daemon_stop(&daemon);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_clients_leave_nothing)};
    if (argc > 1)
        client_count = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        wave_count = (unsigned)strtoul(argv[2], NULL, 10);
    if (client_count == 0 || wave_count == 0 || wave_count > WAVE_MAX) {
        (void)fprintf(stderr, "usage: test_crash [clients [clients in a wave, at most %d]]\n", WAVE_MAX);
        return 2;
    }
    const char *wanted = getenv("HEAPD_TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
    (void)printf("crash: HEAPD_TEST_SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout); /* or each child would print it again */
    request_count = mmap(NULL, sizeof *request_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (request_count == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
