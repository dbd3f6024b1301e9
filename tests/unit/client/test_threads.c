/* Eight threads on one connection; the daemon answers in changing order. */
#include <sched.h>
#include <sys/socket.h>

#include "fake.h"

#define THREADS 8
#define ROUNDS 400

/* Length answers the handle's number; a duplicate fills its slot; a ping comes back; a lookup fails. */
static void answer(struct fake *fake, const struct fake_request *request)
{
    const uint8_t *body = request->body;
    uint32_t bytes = request->frame.body_bytes;
    switch (request->frame.method) {
    case HEAPD_METHOD_LENGTH: {
        Heapd__V1__LengthRequest *message = heapd__v1__length_request__unpack(NULL, bytes, body);
        fake_reply_int(fake, request, (int64_t)message->object);
        heapd__v1__length_request__free_unpacked(message, NULL);
        return;
    }
    case HEAPD_METHOD_DUPLICATE: {
        Heapd__V1__DuplicateRequest *message = heapd__v1__duplicate_request__unpack(NULL, bytes, body);
        fake_reply_handle(fake, request, message->into, HEAPD_TYPE_LIST);
        heapd__v1__duplicate_request__free_unpacked(message, NULL);
        return;
    }
    case HEAPD_METHOD_LOOKUP:
        fake_reply_error(fake, request, HD_ENAME, "no such name", 0);
        return;
    case HEAPD_METHOD_PING: {
        Heapd__V1__PingReply pong = HEAPD__V1__PING_REPLY__INIT;
        fake_send(fake, request, 0, &pong.base);
        return;
    }
    default:
        fake_reply_empty(fake, request);
    }
}

/* Holds back up to three replies and gives them in reverse, as long as more requests are there to read. */
static void shuffling_script(struct fake *fake)
{
    struct fake_request held[3];
    int count = 0;
    for (;;) {
        char byte;
        ssize_t there = recv(fake->fd, &byte, 1, MSG_PEEK | (count ? MSG_DONTWAIT : 0));
        if (there == 0 && count == 0)
            return;
        if (there == 1 && fake_read(fake, &held[count]) == 0)
            count++;
        if (there < 1 || count == 3) {
            while (count > 0) {
                answer(fake, &held[--count]);
                fake_request_fini(&held[count]);
            }
        }
    }
}

struct worker {
    struct heapd_connection *connection;
    int number;
    int wrong;
};

static void work_pipelined(struct worker *worker, int round)
{
    heapd_ticket tickets[10];
    for (int i = 0; i < 10; i++)
        worker->wrong += heapd_begin_length(worker->connection, (heapd_handle)(worker->number * 1000 + i + 1),
                                            &tickets[i], NULL) != 0;
    for (int i = 9; i >= 0; i--) {
        struct heapd_result result = {0};
        int code;
        /* Some look now and then instead of waiting. */
        while ((code = heapd_wait(worker->connection, tickets[i], round % 3 ? -1 : 1, &result, NULL)) == HEAPD_PENDING)
            ;
        worker->wrong += code != 0 || result.value.as.integer != worker->number * 1000 + i + 1;
    }
}

static void *work(void *context)
{
    struct worker *worker = context;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t length = 0;
        struct heapd_error error;
        heapd_handle copy = 0;
        worker->wrong += heapd_length(worker->connection, (heapd_handle)round + 1, &length, &error) != 0;
        worker->wrong += length != (uint64_t)round + 1;
        worker->wrong += heapd_duplicate(worker->connection, 1, &copy, &error) != 0;
        worker->wrong +=
            heapd_lookup(worker->connection, 0, heapd_text("x"), HEAPD_ANY, 0, NULL, &error) != HEAPD_ENAME;
        if (round % 8 == 0)
            work_pipelined(worker, round / 8);
        worker->wrong += heapd_release(worker->connection, copy) != 0;
        if (round % 50 == 0)
            worker->wrong += heapd_finish(worker->connection, &error) != 0;
    }
    return NULL;
}

static void threads_share_a_connection(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, shuffling_script, NULL);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.connection = fake.client, .number = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    assert_int_equal(heapd_finish(fake.client, NULL), 0);
    assert_int_equal(heapd_held_count(fake.client), 0);
    fake_stop(&fake);
}

/* The daemon disappears while eight threads wait. */
static void vanishing_script(struct fake *fake)
{
    struct fake_request request;
    for (int i = 0; i < THREADS; i++) {
        FAKE_CHECK(fake, fake_read(fake, &request) == 0);
        fake_request_fini(&request);
    }
}

static void *wait_in_vain(void *context)
{
    struct worker *worker = context;
    worker->wrong = heapd_ping(worker->connection, NULL) != HEAPD_ECLOSED;
    return NULL;
}

static void a_lost_connection_wakes_every_thread(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, vanishing_script, NULL);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.connection = fake.client, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_vain, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    fake_stop(&fake);
}

/* Large requests from all threads, to a daemon that answers each before it reads on: the writer's part is passed on. */
static void *send_large(void *context)
{
    struct worker *worker = context;
    static char block[200000];
    for (int i = 0; i < 20; i++)
        worker->wrong += heapd_append(worker->connection, 1, heapd_bytes_of(block, sizeof block), NULL) != 0;
    return NULL;
}

static void large_requests_do_not_block_each_other(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, fake_serve_end, NULL);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.connection = fake.client};
        assert_int_equal(pthread_create(&threads[i], NULL, send_large, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    fake_stop(&fake);
}

/* Answers nothing until the requests of all threads have come: nobody may wait for a reply in order to send. */
static void holding_script(struct fake *fake)
{
    struct fake_request requests[THREADS + 1];
    for (int i = 0; i <= THREADS; i++)
        FAKE_CHECK(fake, fake_read(fake, &requests[i]) == 0);
    for (int i = 0; i <= THREADS; i++) {
        if (requests[i].frame.method == HEAPD_METHOD_LOOKUP)
            fake_reply_error(fake, &requests[i], HD_EDEADLINE, "the time to wait is over", 0);
        else
            fake_reply_empty(fake, &requests[i]);
        fake_request_fini(&requests[i]);
    }
    fake_serve_end(fake);
}

/* One request each, larger than the socket holds: no later one carries it along. */
static void *send_one_large(void *context)
{
    struct worker *worker = context;
    static char block[900000];
    worker->wrong = heapd_append(worker->connection, 1, heapd_bytes_of(block, sizeof block), NULL) != 0;
    return NULL;
}

static void *look_up(void *context)
{
    struct worker *worker = context;
    worker->wrong =
        heapd_lookup(worker->connection, 0, heapd_text("x"), HEAPD_ANY, 60000, NULL, NULL) != HEAPD_EDEADLINE;
    return NULL;
}

static void a_thread_that_reads_for_long_does_not_keep_others_from_sending(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, holding_script, NULL);
    pthread_t threads[THREADS + 1];
    struct worker workers[THREADS + 1];
    for (int i = 0; i <= THREADS; i++) {
        workers[i] = (struct worker){.connection = fake.client};
        assert_int_equal(pthread_create(&threads[i], NULL, i ? send_one_large : look_up, &workers[i]), 0);
        /* The lookup is under way before the others begin, so that its thread is the reader. */
        while (i == 0 && heapd_pending_count(fake.client) == 0)
            sched_yield();
    }
    for (int i = 0; i <= THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_connection),
        cmocka_unit_test(a_lost_connection_wakes_every_thread),
        cmocka_unit_test(large_requests_do_not_block_each_other),
        cmocka_unit_test(a_thread_that_reads_for_long_does_not_keep_others_from_sending),
    };
    return cmocka_run_group_tests_name("client threads", tests, NULL, NULL);
}
