/* The parts of heapd-bench that can be wrong without anyone noticing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above in front of it. */
#include <setjmp.h>

#include <cmocka.h>
#include <time.h>

#include "client/bench/histogram.h"
#include "client/bench/protocol.h"
#include "common/frame.h"
#include "common/handle.h"
#include "heapd/v1/method.pb-c.h"
#include "heapd/v1/names.pb-c.h"
#include "heapd/v1/object.pb-c.h"

static void buckets_follow_each_other(void **state)
{
    (void)state;
    for (size_t bucket = 0; bucket < HD_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t top = hd_histogram_bucket_top(bucket);
        assert_int_equal(hd_histogram_bucket(top), bucket);
        if (top < UINT64_MAX)
            assert_int_equal(hd_histogram_bucket(top + 1), bucket + 1);
        else
            assert_int_equal(bucket, HD_HISTOGRAM_BUCKETS - 1);
    }
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void quantiles_are_within_one_percent(void **state)
{
    (void)state;
    const char *given = getenv("HEAPD_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)printf("HEAPD_TEST_SEED=%u\n", seed);
    srand(seed);
    enum { COUNT = 20001 };
    static uint64_t values[COUNT];
    static struct hd_histogram histogram;
    hd_histogram_init(&histogram);
    assert_int_equal(hd_histogram_quantile(&histogram, 0.5), 0);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (uint64_t)rand() >> (rand() % 30);
        hd_histogram_record(&histogram, values[i], 1);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    assert_int_equal(histogram.min, values[0]);
    assert_int_equal(histogram.max, values[COUNT - 1]);
    static const double shares[] = {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        size_t rank = (size_t)(shares[i] * COUNT + 0.999999);
        uint64_t exact = values[(rank ? rank : 1) - 1];
        uint64_t got = hd_histogram_quantile(&histogram, shares[i]);
        assert_true(got >= exact);
        assert_true(got <= exact + exact / 100 + 1);
    }
    hd_histogram_record(&histogram, 5, 1000000);
    assert_int_equal(hd_histogram_quantile(&histogram, 0.5), 5);
}

struct composed {
    struct hd_frame frames[2];
    uint8_t bytes[HD_BENCH_MAX_REQUEST_BYTES + 100];
    const uint8_t *bodies[2];
};

static void compose(const char *name, struct hd_bench_stream *stream, struct composed *out)
{
    const struct hd_bench_operation *operation = hd_bench_operation_find(name, strlen(name));
    assert_non_null(operation);
    const uint8_t *end = operation->compose(stream, out->bytes);
    const uint8_t *at = out->bytes;
    for (unsigned i = 0; i < operation->replies; i++) {
        assert_int_equal(hd_frame_read(at, (size_t)(end - at), HD_FRAME_MAX_BODY_BYTES, &out->frames[i]), 0);
        out->bodies[i] = at + HD_FRAME_HEADER_BYTES;
        at += HD_FRAME_HEADER_BYTES + out->frames[i].body_bytes;
    }
    assert_true(at == end);
    assert_true((size_t)(end - out->bytes) <= HD_BENCH_MAX_REQUEST_BYTES + stream->value_bytes);
}

/* What is composed by hand is what the generated code reads. */
static void requests_are_messages(void **state)
{
    (void)state;
    uint8_t value[90];
    memset(value, 'x', sizeof value);
    struct hd_bench_stream stream = {.next_id = 300, .value = value};
    hd_bench_keys_init(&stream.keys, HD_BENCH_UNIFORM, 1, 1000, 99, 0);
    struct composed composed;
    for (stream.value_bytes = 0; stream.value_bytes < sizeof value; stream.value_bytes += 89) {
        compose("set_item", &stream, &composed);
        assert_int_equal(composed.frames[0].method, HEAPD__V1__METHOD__SET_ITEM);
        Heapd__V1__SetItemRequest *set =
            heapd__v1__set_item_request__unpack(NULL, composed.frames[0].body_bytes, composed.bodies[0]);
        assert_non_null(set);
        assert_true(set->object == hd_handle_make(HD_BENCH_SLOT_DICT, 1));
        assert_int_equal(set->key->kind_case, HEAPD__V1__VALUE__KIND_STR);
        assert_int_equal(set->key->str.len, HD_BENCH_KEY_BYTES);
        assert_memory_equal(set->key->str.data, "key:000000000", 13);
        assert_int_equal(set->value->str.len, stream.value_bytes);
        heapd__v1__set_item_request__free_unpacked(set, NULL);
    }
    compose("add", &stream, &composed);
    Heapd__V1__AddRequest *add =
        heapd__v1__add_request__unpack(NULL, composed.frames[0].body_bytes, composed.bodies[0]);
    assert_non_null(add);
    assert_true(add->key->integer >= 0 && add->key->integer < 1000);
    assert_int_equal(add->delta->integer, 1);
    heapd__v1__add_request__free_unpacked(add, NULL);
    for (uint32_t generation = 1; generation <= 2; generation++) {
        compose("create", &stream, &composed);
        assert_true(composed.frames[1].request_id == composed.frames[0].request_id + 1);
        Heapd__V1__CreateRequest *create =
            heapd__v1__create_request__unpack(NULL, composed.frames[0].body_bytes, composed.bodies[0]);
        Heapd__V1__ReleaseRequest *release =
            heapd__v1__release_request__unpack(NULL, composed.frames[1].body_bytes, composed.bodies[1]);
        assert_non_null(create);
        assert_non_null(release);
        assert_true(create->into == hd_handle_make(HD_BENCH_SLOT_FIRST_FREE, generation));
        assert_int_equal(release->n_handles, 1);
        assert_true(release->handles[0] == create->into);
        assert_int_equal(create->literal->kinds.len, 4);
        assert_int_equal(create->literal->n_integers, 3);
        assert_int_equal(create->literal->integers[2], 3);
        assert_int_equal(create->literal->counts[0], 3);
        heapd__v1__create_request__free_unpacked(create, NULL);
        heapd__v1__release_request__free_unpacked(release, NULL);
    }
    assert_null(hd_bench_operation_find("nothing", 7));
}

/* Of zipf with a skew of 1 the first of 1000 keys comes once in ln 1000 + 0.577; the even one knows no favourites. */
static void keys_are_chosen_as_asked(void **state)
{
    (void)state;
    enum { KEYS = 1000, CHOICES = 200000 };
    static unsigned counts[3][KEYS];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct hd_bench_keys keys;
        hd_bench_keys_init(&keys, (enum hd_bench_distribution)kind, 1, KEYS, 7, 0);
        for (unsigned i = 0; i < CHOICES; i++) {
            uint64_t key = hd_bench_keys_next(&keys);
            assert_true(key < KEYS);
            counts[kind][key]++;
        }
    }
    unsigned most = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        assert_in_range(counts[HD_BENCH_UNIFORM][i], 100, 300);
        assert_int_equal(counts[HD_BENCH_SEQUENTIAL][i], CHOICES / KEYS);
        most = counts[HD_BENCH_ZIPF][i] > most ? counts[HD_BENCH_ZIPF][i] : most;
    }
    /* 200000 / 7.485 */
    assert_in_range(most, 26000, 27500);
}

static void check_reply(const char *protocol, const char *text, size_t bytes, const char *failure)
{
    const struct hd_bench_protocol *peer = hd_bench_protocol_find(protocol, strlen(protocol));
    struct hd_bench_stream stream = {0};
    assert_non_null(peer);
    /* Whatever is missing, there is no reply yet. */
    for (size_t count = 1; count <= strlen(text); count++) {
        struct hd_bench_reply reply = {0};
        assert_int_equal(peer->read_reply(&stream, (const uint8_t *)text, count, &reply), 0);
        assert_int_equal(reply.bytes, count < bytes ? 0 : bytes);
        if (count < bytes)
            continue;
        assert_int_equal(reply.failure != NULL, failure != NULL);
        if (failure)
            assert_memory_equal(reply.failure, failure, reply.failure_bytes);
    }
}

static void replies_of_peers_end_where_they_end(void **state)
{
    (void)state;
    check_reply("redis", "+OK\r\n:7\r\n", 5, NULL);
    check_reply("redis", ":1234\r\n+", 7, NULL);
    check_reply("redis", "$5\r\na\r\nbc\r\n$", 11, NULL);
    check_reply("redis", "$-1\r\n", 5, NULL);
    check_reply("redis", "-ERR no\r\n+OK\r\n", 9, "ERR no");
    check_reply("memcached", "STORED\r\nEND", 8, NULL);
    check_reply("memcached", "VALUE key 0 3\r\nx\r\n\r\nEND\r\nV", 25, NULL);
    check_reply("memcached", "CLIENT_ERROR bad\r\n", 18, "CLIENT_ERROR bad");
    check_reply("memcached", "ERROR\r\n", 7, "ERROR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other),
        cmocka_unit_test(quantiles_are_within_one_percent),
        cmocka_unit_test(requests_are_messages),
        cmocka_unit_test(keys_are_chosen_as_asked),
        cmocka_unit_test(replies_of_peers_end_where_they_end),
    };
    return cmocka_run_group_tests_name("heapd-bench", tests, NULL, NULL);
}
