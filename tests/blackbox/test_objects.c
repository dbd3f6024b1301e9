/* Handles, slots, chains and objects between two clients of one daemon. */
#include "test.h"

#include <sys/socket.h>

#include "client.h"
#include "fixture.h"

static struct bb_daemon daemon_;
static struct bb_client a, b;

static int setup_group(void **state)
{
    (void)state;
    bb_daemon_start(&daemon_, NULL);
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    bb_daemon_stop(&daemon_);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    bb_connect(&a, daemon_.path);
    bb_connect(&b, daemon_.path);
    return 0;
}

/* After each test the daemon still answers both clients. */
static int teardown(void **state)
{
    (void)state;
    bb_ping(&a);
    bb_ping(&b);
    bb_close(&a);
    bb_close(&b);
    return 0;
}

/* --- requests --- */

static void get_item(struct bb_client *client, uint64_t object, Heapd__V1__Value key, uint64_t into,
                     struct bb_reply *out)
{
    Heapd__V1__GetItemRequest request = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    request.into = into;
    bb_call(client, BB_METHOD(GET_ITEM), &request.base, out);
}

static void set_item(struct bb_client *client, uint64_t object, Heapd__V1__Value key, Heapd__V1__Value value,
                     struct bb_reply *out)
{
    Heapd__V1__SetItemRequest request = HEAPD__V1__SET_ITEM_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    request.value = &value;
    bb_call(client, BB_METHOD(SET_ITEM), &request.base, out);
}

static void append(struct bb_client *client, uint64_t object, Heapd__V1__Value value, struct bb_reply *out)
{
    Heapd__V1__AppendRequest request = HEAPD__V1__APPEND_REQUEST__INIT;
    request.object = object;
    request.value = &value;
    bb_call(client, BB_METHOD(APPEND), &request.base, out);
}

static void length(struct bb_client *client, uint64_t object, struct bb_reply *out)
{
    Heapd__V1__LengthRequest request = HEAPD__V1__LENGTH_REQUEST__INIT;
    request.object = object;
    bb_call(client, BB_METHOD(LENGTH), &request.base, out);
}

static void duplicate(struct bb_client *client, uint64_t object, uint64_t into, struct bb_reply *out)
{
    Heapd__V1__DuplicateRequest request = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    request.object = object;
    request.into = into;
    bb_call(client, BB_METHOD(DUPLICATE), &request.base, out);
}

/* A literal of kinds alone, with counts. */
static void create(struct bb_client *client, const uint8_t *kinds, size_t kind_count, const uint64_t *counts,
                   size_t count_count, uint64_t into, struct bb_reply *out)
{
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    literal.kinds = (ProtobufCBinaryData){.len = kind_count, .data = (uint8_t *)(uintptr_t)kinds};
    literal.n_counts = count_count;
    literal.counts = (uint64_t *)(uintptr_t)counts;
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = into;
    bb_call(client, BB_METHOD(CREATE), &request.base, out);
}

static void create_dict(struct bb_client *client, uint64_t into)
{
    struct bb_reply reply;
    create(client, (const uint8_t[]){HEAPD__V1__KIND__KIND_DICT}, 1, (const uint64_t[]){0}, 1, into, &reply);
    bb_expect_handle(&reply, into);
}

static Heapd__V1__Value text_value(const char *text)
{
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = HEAPD__V1__VALUE__KIND_STR;
    value.str = bb_text(text);
    return value;
}

/* --- two clients --- */

static void two_clients_share_one_object(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&a, BB_HANDLE(1), 3);
    bb_bind(&a, "shared", BB_HANDLE(1));
    bb_lookup(&b, "shared", BB_HANDLE(7));
    append(&b, BB_HANDLE(7), bb_integer(42), &reply);
    bb_expect_ok(&reply);
    get_item(&a, BB_HANDLE(1), bb_integer(3), 0, &reply);
    assert_int_equal(bb_expect_integer(&reply), 42);
    set_item(&a, BB_HANDLE(1), bb_integer(0), bb_integer(-5), &reply);
    bb_expect_ok(&reply);
    get_item(&b, BB_HANDLE(7), bb_integer(-4), 0, &reply);
    assert_int_equal(bb_expect_integer(&reply), -5);

    /* The name and two handles. */
    Heapd__V1__InspectRequest inspect = HEAPD__V1__INSPECT_REQUEST__INIT;
    inspect.object = BB_HANDLE(1);
    bb_call(&a, BB_METHOD(INSPECT), &inspect.base, &reply);
    Heapd__V1__ObjectInfo *info = heapd__v1__object_info__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(info);
    assert_int_equal(info->reference_count, 3);
    assert_int_equal(info->type, HEAPD__V1__TYPE__TYPE_LIST);
    assert_int_equal(info->length, 4);
    heapd__v1__object_info__free_unpacked(info, NULL);
    bb_reply_free(&reply);

    bb_unbind(&a, "shared");
    bb_release(&a, BB_HANDLE(1));
    assert_int_equal(bb_length(&b, BB_HANDLE(7)), 4); /* b's reference keeps it */
}

static void a_handle_is_worth_nothing_to_another_session(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&a, BB_HANDLE(9), 3);
    length(&b, BB_HANDLE(9), &reply);
    bb_expect_error(&reply, HD_EHANDLE_UNKNOWN, "session");
    assert_int_equal(bb_length(&a, BB_HANDLE(9)), 3);
}

/* --- handles and slots --- */

static void forged_handles_are_unknown(void **state)
{
    (void)state;
    struct bb_reply reply;
    const uint64_t forged[] = {0,          hd_handle_make(0, 1), hd_handle_make(5, 0),          hd_handle_make(5, 77),
                               UINT32_MAX, UINT64_MAX,           hd_handle_make(UINT32_MAX, 1), 1u << 19};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        length(&a, forged[i], &reply);
        bb_expect_error(&reply, HD_EHANDLE_UNKNOWN, "");
    }
    bb_create_list(&a, BB_HANDLE(1), 0);
    length(&a, hd_handle_make(1, 2), &reply); /* a generation that was never made */
    bb_expect_error(&reply, HD_EHANDLE_UNKNOWN, "");
    append(&a, BB_HANDLE(1), bb_handle(hd_handle_make(123, 4)), &reply);
    bb_expect_error(&reply, HD_EHANDLE_UNKNOWN, "");
    assert_int_equal(bb_length(&a, BB_HANDLE(1)), 0);
}

static void a_released_handle_is_stale(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&a, BB_HANDLE(1), 1);
    bb_release(&a, BB_HANDLE(1));
    length(&a, BB_HANDLE(1), &reply);
    bb_expect_error(&reply, HD_EHANDLE_STALE, "released");
    Heapd__V1__ReleaseRequest release = HEAPD__V1__RELEASE_REQUEST__INIT;
    uint64_t handle = BB_HANDLE(1);
    release.n_handles = 1;
    release.handles = &handle;
    bb_call(&a, BB_METHOD(RELEASE), &release.base, &reply);
    bb_expect_error(&reply, HD_EHANDLE_STALE, "");
    bb_create_list(&a, hd_handle_make(1, 2), 2); /* the slot again, one generation on */
    length(&a, BB_HANDLE(1), &reply);
    bb_expect_error(&reply, HD_EHANDLE_STALE, "");
    assert_int_equal(bb_length(&a, hd_handle_make(1, 2)), 2);
}

static void slots_are_used_once_at_a_time(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&a, BB_HANDLE(1), 1);
    bb_create_list(&a, BB_HANDLE(2), 2);
    duplicate(&a, BB_HANDLE(1), hd_handle_make(2, 2), &reply);
    bb_expect_error(&reply, HD_ESLOT_OCCUPIED, "slot");
    assert_int_equal(bb_length(&a, BB_HANDLE(2)), 2);
    bb_release(&a, BB_HANDLE(2));
    duplicate(&a, BB_HANDLE(1), BB_HANDLE(2), &reply); /* not raised */
    bb_expect_error(&reply, HD_ESLOT_GENERATION, "raise");
    duplicate(&a, BB_HANDLE(1), hd_handle_make(2, 9), &reply); /* raised by more than one is fine */
    bb_expect_handle(&reply, hd_handle_make(2, 9));
    duplicate(&a, BB_HANDLE(1), hd_handle_make(UINT32_MAX, 1), &reply); /* beyond the session's slots */
    bb_expect_error(&reply, HD_EHANDLE_UNKNOWN, "");
}

/* Create, append, bind, release in one write, the first link broken: all that name its slot say which. */
static void a_chain_with_a_broken_first_link_is_aborted(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint8_t bytes[1024];
    size_t count = 0;
    Heapd__V1__LookupRequest lookup = HEAPD__V1__LOOKUP_REQUEST__INIT;
    lookup.name = bb_text("nobody bound this");
    lookup.into = BB_HANDLE(1);
    Heapd__V1__Value number = bb_integer(1), handle = bb_handle(BB_HANDLE(1));
    Heapd__V1__AppendRequest add = HEAPD__V1__APPEND_REQUEST__INIT;
    add.object = BB_HANDLE(1);
    add.value = &number;
    Heapd__V1__DuplicateRequest second = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    second.object = BB_HANDLE(1);
    second.into = BB_HANDLE(2);
    Heapd__V1__LengthRequest third = HEAPD__V1__LENGTH_REQUEST__INIT;
    third.object = BB_HANDLE(2);
    Heapd__V1__BindRequest bind = HEAPD__V1__BIND_REQUEST__INIT;
    bind.name = bb_text("never");
    bind.value = &handle;
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(LOOKUP), 501, 0, &lookup.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(APPEND), 502, 0, &add.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(DUPLICATE), 503, 0, &second.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(LENGTH), 504, 0, &third.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(BIND), 505, 0, &bind.base);
    bb_write(&a, bytes, count);
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, 501);
    bb_expect_error(&reply, HD_ENAME, "name");
    for (uint64_t id = 502; id <= 505; id++) {
        bb_receive(&a, &reply);
        assert_int_equal(reply.frame.request_id, id);
        assert_int_equal(bb_expect_error(&reply, HD_EABORTED, "failed_request"), 501);
    }
    /* The slots stayed free, for a generation that is raised. */
    bb_create_list(&a, hd_handle_make(1, 2), 6);
    bb_create_list(&a, hd_handle_make(2, 2), 7);
    assert_int_equal(bb_length(&a, hd_handle_make(1, 2)), 6);
    lookup.name = bb_text("never");
    lookup.into = BB_HANDLE(3);
    bb_call(&a, BB_METHOD(LOOKUP), &lookup.base, &reply);
    bb_expect_error(&reply, HD_ENAME, "");
}

static void a_whole_chain_goes_out_in_one_write(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint8_t bytes[1024];
    size_t count = bb_pack_create_list(bytes, sizeof bytes, 601, BB_HANDLE(1), 2);
    Heapd__V1__Value number = bb_integer(9), handle = bb_handle(BB_HANDLE(1));
    Heapd__V1__AppendRequest add = HEAPD__V1__APPEND_REQUEST__INIT;
    add.object = BB_HANDLE(1);
    add.value = &number;
    Heapd__V1__BindRequest bind = HEAPD__V1__BIND_REQUEST__INIT;
    bind.name = bb_text("chained");
    bind.value = &handle;
    uint64_t one = BB_HANDLE(1);
    Heapd__V1__ReleaseRequest release = HEAPD__V1__RELEASE_REQUEST__INIT;
    release.n_handles = 1;
    release.handles = &one;
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(APPEND), 602, 0, &add.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(BIND), 603, 0, &bind.base);
    count += bb_pack(bytes + count, sizeof bytes - count, BB_METHOD(RELEASE), 604, 0, &release.base);
    bb_write(&a, bytes, count);
    for (uint64_t id = 601; id <= 604; id++) {
        bb_receive(&a, &reply);
        assert_int_equal(reply.frame.request_id, id);
        bb_expect_ok(&reply);
    }
    bb_lookup(&b, "chained", BB_HANDLE(1));
    assert_int_equal(bb_length(&b, BB_HANDLE(1)), 3);
    bb_unbind(&b, "chained");
}

/* --- errors of objects: each with its status and advice, and nothing changed --- */

static void wrong_types_indexes_and_keys_are_told(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&a, BB_HANDLE(1), 3);
    create_dict(&a, BB_HANDLE(2));
    append(&a, BB_HANDLE(2), bb_integer(1), &reply);
    bb_expect_error(&reply, HD_ETYPE, "");
    get_item(&a, BB_HANDLE(1), text_value("x"), 0, &reply);
    bb_expect_error(&reply, HD_ETYPE, "");
    get_item(&a, BB_HANDLE(1), bb_integer(3), 0, &reply);
    bb_expect_error(&reply, HD_EINDEX, "");
    get_item(&a, BB_HANDLE(1), bb_integer(-4), 0, &reply);
    bb_expect_error(&reply, HD_EINDEX, "");
    set_item(&a, BB_HANDLE(1), bb_integer(INT64_MAX), bb_integer(0), &reply);
    bb_expect_error(&reply, HD_EINDEX, "");
    get_item(&a, BB_HANDLE(2), text_value("missing"), 0, &reply);
    bb_expect_error(&reply, HD_EKEY, "");
    set_item(&a, BB_HANDLE(2), bb_handle(BB_HANDLE(1)), bb_integer(0), &reply);
    bb_expect_error(&reply, HD_EUNHASHABLE, "tuple");
    set_item(&a, BB_HANDLE(2), text_value("\xed\xa0\x80"), bb_integer(0), &reply); /* a surrogate */
    bb_expect_error(&reply, HD_EUTF8, "UTF-8");
    set_item(&a, BB_HANDLE(2), text_value("\xff"), bb_integer(0), &reply);
    bb_expect_error(&reply, HD_EUTF8, "");
    assert_int_equal(bb_length(&a, BB_HANDLE(1)), 3);
    assert_int_equal(bb_length(&a, BB_HANDLE(2)), 0);
    set_item(&a, BB_HANDLE(2), text_value("list"), bb_handle(BB_HANDLE(1)), &reply);
    bb_expect_ok(&reply);
    get_item(&a, BB_HANDLE(2), text_value("list"), 0, &reply); /* an object, and no slot for it */
    bb_expect_error(&reply, HD_ENOT_PLAIN, "slot");
}

static void bad_literals_are_told(void **state)
{
    (void)state;
    struct bb_reply reply;
    const uint8_t list = HEAPD__V1__KIND__KIND_LIST, none = HEAPD__V1__KIND__KIND_NONE;
    create(&a, (const uint8_t[]){list, none}, 2, (const uint64_t[]){2}, 1, BB_HANDLE(1), &reply); /* a node short */
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    create(&a, (const uint8_t[]){list, none}, 2, (const uint64_t[]){UINT64_MAX}, 1, BB_HANDLE(2), &reply);
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    create(&a, (const uint8_t[]){list}, 1, NULL, 0, BB_HANDLE(3), &reply); /* no count */
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    create(&a, (const uint8_t[]){none, none}, 2, NULL, 0, BB_HANDLE(4), &reply); /* two on top */
    assert_int_equal(reply.frame.flags, HD_FRAME_ERROR);
    bb_reply_free(&reply);
    create(&a, (const uint8_t[]){99}, 1, NULL, 0, BB_HANDLE(5), &reply); /* no such kind */
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    create(&a, NULL, 0, NULL, 0, BB_HANDLE(6), &reply); /* nothing at all */
    assert_int_equal(reply.frame.flags, HD_FRAME_ERROR);
    bb_reply_free(&reply);

    const uint8_t cycle[] = {list, HEAPD__V1__KIND__KIND_SHARED}; /* a list that holds itself, before it is whole */
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    uint64_t one = 1, zero = 0;
    literal.kinds = (ProtobufCBinaryData){.len = 2, .data = (uint8_t *)(uintptr_t)cycle};
    literal.n_counts = literal.n_shared = 1;
    literal.counts = &one;
    literal.shared = &zero;
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = BB_HANDLE(7);
    bb_call(&a, BB_METHOD(CREATE), &request.base, &reply);
    bb_expect_error(&reply, HD_ECYCLE, "second request");
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    struct bb_reply reply;
    uint8_t *kinds = malloc(DEPTH);
    uint64_t *counts = malloc(DEPTH * sizeof *counts);
    memset(kinds, HEAPD__V1__KIND__KIND_LIST, DEPTH);
    for (size_t i = 0; i < DEPTH; i++)
        counts[i] = i + 1 < DEPTH;
    create(&a, kinds, DEPTH, counts, DEPTH, BB_HANDLE(1), &reply);
    bb_expect_error(&reply, HD_EDEPTH, "several requests");
    free(kinds);
    free(counts);
}

static void names_are_told(void **state)
{
    (void)state;
    struct bb_reply reply;
    Heapd__V1__LookupRequest lookup = HEAPD__V1__LOOKUP_REQUEST__INIT;
    lookup.name = bb_text("deleted");
    bb_create_list(&a, BB_HANDLE(1), 1);
    bb_bind(&a, "deleted", BB_HANDLE(1));
    bb_unbind(&b, "deleted");
    bb_call(&a, BB_METHOD(LOOKUP), &lookup.base, &reply);
    bb_expect_error(&reply, HD_ENAME, "bind");
    Heapd__V1__UnbindRequest unbind = HEAPD__V1__UNBIND_REQUEST__INIT;
    unbind.name = lookup.name;
    bb_call(&a, BB_METHOD(UNBIND), &unbind.base, &reply);
    bb_expect_error(&reply, HD_ENAME, "");
}

/* --- the collector --- */

static void cycles_need_the_collector(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_collect(&a);
    uint64_t before = bb_settled_objects(&a);
    bb_create_list(&a, BB_HANDLE(1), 0);
    bb_create_list(&a, BB_HANDLE(2), 0);
    append(&a, BB_HANDLE(1), bb_handle(BB_HANDLE(2)), &reply);
    bb_expect_ok(&reply);
    append(&a, BB_HANDLE(2), bb_handle(BB_HANDLE(1)), &reply);
    bb_expect_ok(&reply);
    bb_release(&a, BB_HANDLE(1));
    bb_release(&a, BB_HANDLE(2));
    assert_int_equal(bb_stat(&a, BB_STAT_OBJECTS), before + 2);
    Heapd__V1__CollectRequest request = HEAPD__V1__COLLECT_REQUEST__INIT;
    request.generation = 2;
    bb_call(&a, BB_METHOD(GC_COLLECT), &request.base, &reply);
    Heapd__V1__CollectReply *found = heapd__v1__collect_reply__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(found);
    assert_int_equal(found->unreachable, 2);
    assert_int_equal(found->n_unreachable_by_generation, 3);
    heapd__v1__collect_reply__free_unpacked(found, NULL);
    bb_reply_free(&reply);
    BB_AWAIT(bb_stat(&a, BB_STAT_OBJECTS) == before);
    request.generation = 3;
    bb_call(&a, BB_METHOD(GC_COLLECT), &request.base, &reply);
    bb_expect_error(&reply, HD_EINVALID, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_clients_share_one_object),
        TEST(a_handle_is_worth_nothing_to_another_session),
        TEST(forged_handles_are_unknown),
        TEST(a_released_handle_is_stale),
        TEST(slots_are_used_once_at_a_time),
        TEST(a_chain_with_a_broken_first_link_is_aborted),
        TEST(a_whole_chain_goes_out_in_one_write),
        TEST(wrong_types_indexes_and_keys_are_told),
        TEST(bad_literals_are_told),
        TEST(nesting_has_a_limit),
        TEST(names_are_told),
        TEST(cycles_need_the_collector),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
