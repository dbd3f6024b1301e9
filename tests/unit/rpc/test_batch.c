/* Batches: together or not at all. */
#include "batch.h"

#include <heapd/v1/watch.pb-c.h>

/* ---- what a batch does ---- */

static void all_happens_at_commit(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_empty(a, send_begin(a, 0));
    uint64_t appended = send_append(a, HANDLE(1, 1), rpc_int(5));
    uint64_t length = send_length(a, HANDLE(1, 1));
    uint64_t created = send_new(a, HEAPD__V1__KIND__KIND_DICT, HANDLE(2, 1));
    uint64_t set = send_set(a, HANDLE(2, 1), rpc_str("key"), rpc_handle(HANDLE(1, 1)));
    uint64_t bound = send_bind(a, 0, "dict", rpc_handle(HANDLE(2, 1)));
    uint64_t released = send_release(a, HANDLE(2, 1));
    rpc_pump(a);
    expect_nothing(a, appended);
    expect_error(b, send_lookup(b, 0, "dict", 0, false, 0), HD_ENAME, "");
    uint64_t waiting = send_lookup(b, 0, "dict", HANDLE(1, 1), false, 1000);
    uint64_t committed = send_commit(a);
    expect_empty(a, appended);
    expect_int(a, length, 1);
    expect_object(a, created, HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_empty(a, set);
    expect_empty(a, bound);
    expect_empty(a, released);
    expect_empty(a, committed);
    rpc_world_run(&fixture->world);
    rpc_pump(b);
    expect_object(b, waiting, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_error(a, send_length(a, HANDLE(2, 1)), HD_EHANDLE_STALE, "");
}

static void a_failure_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_object(a, HEAPD__V1__KIND__KIND_DICT, 1);
    expect_empty(a, send_set(a, HANDLE(1, 1), rpc_str("kept"), rpc_int(1)));
    expect_empty(a, send_begin(a, 0));
    uint64_t set = send_set(a, HANDLE(1, 1), rpc_str("other"), rpc_int(2));
    uint64_t created = send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 1));
    uint64_t bound = send_bind(a, 0, "never", rpc_handle(HANDLE(2, 1)));
    uint64_t released = send_release(a, HANDLE(1, 1));
    uint64_t failed = send_length(a, HANDLE(1, 1));
    uint64_t after = send_append(a, HANDLE(2, 1), rpc_int(1));
    uint64_t committed = send_commit(a);
    expect_aborted(a, set, failed);
    expect_aborted(a, created, failed);
    expect_aborted(a, bound, failed);
    expect_aborted(a, released, failed);
    expect_error(a, failed, HD_EHANDLE_STALE, "");
    expect_aborted(a, after, failed);
    expect_aborted(a, committed, failed);
    expect_int(a, send_length(a, HANDLE(1, 1)), 1);
    expect_error(a, send_lookup(a, 0, "never", 0, false, 0), HD_ENAME, "");
    /* What was to be built on it fails, too. */
    expect_aborted(a, send_length(a, HANDLE(2, 1)), failed);
    /* And the next batch is none the worse. */
    expect_empty(a, send_begin(a, 0));
    created = send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 2));
    committed = send_commit(a);
    expect_object(a, created, HANDLE(2, 2), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, committed);
}

/* What is in it, and in which order, as a list in a slot. */
static void list_all(struct rpc_client *client, hd_handle object, uint32_t view, hd_handle into)
{
    Heapd__V1__GatherRequest request = HEAPD__V1__GATHER_REQUEST__INIT;
    Heapd__V1__Value source = rpc_handle(object);
    request.source = &source;
    request.view = (Heapd__V1__View)view;
    request.type = HEAPD__V1__TYPE__TYPE_LIST;
    request.into = into;
    expect_object(client, rpc_send(client, METHOD(GATHER), &request), into, HEAPD__V1__TYPE__TYPE_LIST);
}

static uint64_t send_equal(struct rpc_client *client, hd_handle left, hd_handle right)
{
    Heapd__V1__CompareRequest request = HEAPD__V1__COMPARE_REQUEST__INIT;
    Heapd__V1__Value a = rpc_handle(left), b = rpc_handle(right);
    request.left = &a;
    request.relation = (Heapd__V1__Relation)1;
    request.right = &b;
    return rpc_send(client, METHOD(COMPARE), &request);
}

#define A_LIST HANDLE(1, 1)
#define A_DICT HANDLE(2, 1)
#define A_SET HANDLE(3, 1)
#define MORE_DICT HANDLE(4, 1)
#define MORE_SET HANDLE(5, 1)

/* Of every kind something, on what others changed before in the same batch; the last request decides. */
static uint64_t send_methods_of_containers(struct rpc_client *a, bool fails, uint64_t *compared)
{
    send_extend(a, A_LIST, 100, 50, HANDLE(20, fails ? 1 : 2));
    send_extend(a, A_DICT, 500, 60, 0);
    send_pop_item(a, A_DICT);
    send_others(a, METHOD(DICT_UPDATE), A_DICT, rpc_handle(MORE_DICT), 0);
    send_pop_item(a, A_DICT);
    send_extend(a, A_SET, 50, 100, 0);
    send_others(a, METHOD(SET_UPDATE), A_SET, rpc_handle(MORE_SET), HEAPD__V1__SET_OPERATION__SET_SYMMETRIC_DIFFERENCE);
    send_extend(a, A_DICT, 0, 20, 0);
    (void)send_compare_and_set(a, A_DICT, 0, 1, 77);
    (void)send_compare_and_set(a, A_LIST, 2, 1234, 0);
    *compared = send_equal(a, A_LIST, A_LIST);
    return fails ? send_length(a, HANDLE(99, 1)) : send_length(a, A_DICT);
}

static void methods_of_containers_are_undone(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    const hd_handle made[] = {A_LIST, A_DICT, A_SET, MORE_DICT, MORE_SET};
    const Heapd__V1__Kind kinds[] = {HEAPD__V1__KIND__KIND_LIST, HEAPD__V1__KIND__KIND_DICT, HEAPD__V1__KIND__KIND_SET,
                                     HEAPD__V1__KIND__KIND_DICT, HEAPD__V1__KIND__KIND_SET};
    uint64_t versions[5], compared;
    for (uint32_t i = 0; i < 5; i++) {
        new_object(a, kinds[i], i + 1);
        expect_empty(a, send_extend(a, made[i], i == 4 ? 20 : 0, i == 3 ? 3000 : 40, 0));
        versions[i] = version_of(a, made[i]);
    }
    for (uint32_t i = 0; i < 3; i++)
        list_all(a, made[i], i == 1 ? 3 : 1, HANDLE(30 + i, 1));
    expect_empty(a, send_bind(a, 0, "d", rpc_handle(A_DICT)));
    expect_object(b, send_lookup(b, 0, "d", HANDLE(1, 1), true, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_DICT);
    Heapd__V1__SubscribeRequest subscribe = HEAPD__V1__SUBSCRIBE_REQUEST__INIT;
    subscribe.object = HANDLE(1, 1);
    uint64_t subscription = rpc_send(b, METHOD(SUBSCRIBE), &subscribe);
    rpc_pump(b);
    struct rpc_reply reply;
    assert_true(rpc_take(b, subscription, &reply));
    expect_empty(a, send_begin(a, 0));
    uint64_t failed = send_methods_of_containers(a, true, &compared);
    expect_aborted(a, send_commit(a), failed);
    rpc_world_check(&fixture->world);
    /* Values, order and versions are as before, and nobody was told of a change. */
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(version_of(a, made[i]), versions[i]);
    for (uint32_t i = 0; i < 3; i++) {
        list_all(a, made[i], i == 1 ? 3 : 1, HANDLE(40 + i, 1));
        expect_bool(a, send_equal(a, HANDLE(30 + i, 1), HANDLE(40 + i, 1)), true);
    }
    assert_false(rpc_take(b, 0, &reply));
    /* A slot for what was captured is failed, like any other. */
    expect_aborted(a, send_length(a, HANDLE(20, 1)), failed);
    expect_empty(a, send_begin(a, 0));
    uint64_t length = send_methods_of_containers(a, false, &compared);
    expect_empty(a, send_commit(a));
    expect_bool(a, compared, true);
    expect_int(a, length, 1500 - 1);
    expect_int(a, send_length(a, A_LIST), 40 + 50 + 1);
    expect_int(a, send_length(a, HANDLE(20, 2)), 0);
    rpc_world_run(&fixture->world);
    rpc_pump(b);
    assert_true(rpc_take(b, 0, &reply) || rpc_take(b, subscription, &reply));
    rpc_world_check(&fixture->world);
}

static void what_is_no_batch_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_error(a, send_commit(a), HD_EBATCH, "no batch");
    expect_error(a, rpc_send(a, METHOD(DISCARD), NULL), HD_EBATCH, "no batch");
    expect_error(a, send_check(a, HANDLE(1, 1), 1), HD_EBATCH, "check");
    expect_empty(a, send_begin(a, 0));
    expect_error(a, send_begin(a, 0), HD_EBATCH, "open already");
    uint64_t kept = send_append(a, HANDLE(1, 1), rpc_int(1));
    uint64_t exported = send_export(a, HANDLE(1, 1), 0);
    expect_error(a, exported, HD_EBATCH, "export");
    expect_aborted(a, send_append(a, HANDLE(1, 1), rpc_int(2)), exported);
    uint64_t committed = send_commit(a);
    expect_aborted(a, kept, exported);
    expect_aborted(a, committed, exported);
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    /* What would wait. */
    expect_empty(a, send_begin(a, 0));
    uint64_t waiting = send_lookup(a, 0, "nobody", 0, false, 1000);
    committed = send_commit(a);
    expect_error(a, waiting, HD_EBATCH, "wait");
    expect_aborted(a, committed, waiting);
    /* Discarded, and left behind by a session that ends. */
    expect_empty(a, send_begin(a, 0));
    kept = send_append(a, HANDLE(1, 1), rpc_int(1));
    uint64_t discarded = rpc_send(a, METHOD(DISCARD), NULL);
    expect_aborted(a, kept, discarded);
    expect_empty(a, discarded);
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    expect_empty(&fixture->b, send_begin(&fixture->b, 0));
    (void)rpc_send(&fixture->b, METHOD(PING), NULL);
}

static void limits_hold(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_empty(a, send_begin(a, 0));
    uint64_t first = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t id = send_append(a, HANDLE(1, 1), rpc_int(i));
        first = first ? first : id;
    }
    uint64_t beyond = send_append(a, HANDLE(1, 1), rpc_int(0));
    expect_error(a, beyond, HD_ELIMIT, "1000");
    uint64_t committed = send_commit(a);
    for (uint64_t id = first; id < beyond; id++)
        expect_aborted(a, id, beyond);
    expect_aborted(a, committed, beyond);
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    /* A megabyte. */
    char text[30001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    expect_empty(a, send_begin(a, 0));
    for (int i = 0; i < 34; i++)
        (void)send_append(a, HANDLE(1, 1), rpc_str(text));
    beyond = send_append(a, HANDLE(1, 1), rpc_str(text));
    expect_error(a, beyond, HD_ETOO_LARGE, "bytes");
    expect_aborted(a, send_commit(a), beyond);
    /* And time. */
    expect_empty(a, send_begin(a, 50));
    uint64_t kept = send_append(a, HANDLE(1, 1), rpc_int(1));
    rpc_pump(a);
    fixture->world.now_ns += UINT64_C(51) * 1000000;
    committed = send_commit(a);
    expect_aborted(a, kept, committed);
    expect_error(a, committed, HD_EDEADLINE, "");
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
}

/* Who does not read is answered as he reads; what he sent behind the batch waits. */
static void a_slow_reader_gets_all_answers(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t ids[1000];
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_empty(a, send_begin(a, 0));
    for (int i = 0; i < 999; i++)
        ids[i] = send_append(a, HANDLE(1, 1), rpc_int(i));
    ids[999] = send_length(a, HANDLE(9, 9));
    a->deaf = true;
    uint64_t committed = send_commit(a);
    uint64_t after = send_length(a, HANDLE(1, 1));
    rpc_pump(a);
    a->deaf = false;
    for (int i = 0; i < 999; i++)
        expect_aborted(a, ids[i], ids[999]);
    expect_error(a, ids[999], HD_EHANDLE_UNKNOWN, "");
    expect_aborted(a, committed, ids[999]);
    expect_int(a, after, 0);
}

/* ---- conditions ---- */

static void a_check_sees_changes(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    new_object(a, HEAPD__V1__KIND__KIND_DICT, 1);
    expect_empty(a, send_bind(a, 0, "shared", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "shared", HANDLE(1, 1), true, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_DICT);
    uint64_t version = version_of(a, HANDLE(1, 1));
    assert_int_equal(version_of(b, HANDLE(1, 1)), version);
    for (int round = 0; round < 2; round++) {
        expect_empty(a, send_begin(a, 0));
        uint64_t checked = send_check(a, HANDLE(1, 1), version);
        uint64_t set = send_set(a, HANDLE(1, 1), rpc_str("by a"), rpc_int(round));
        uint64_t committed = send_commit(a);
        if (round == 0) {
            expect_empty(a, checked);
            expect_empty(a, set);
            expect_empty(a, committed);
            continue;
        }
        /* Its own change counts as well. */
        expect_error(a, checked, HD_ECHANGED, "version");
        expect_aborted(a, set, checked);
        expect_aborted(a, committed, checked);
    }
    version = version_of(a, HANDLE(1, 1));
    expect_empty(b, send_set(b, HANDLE(1, 1), rpc_str("by b"), rpc_int(1)));
    expect_empty(a, send_begin(a, 0));
    uint64_t checked = send_check(a, HANDLE(1, 1), version);
    uint64_t committed = send_commit(a);
    expect_error(a, checked, HD_ECHANGED, "version");
    expect_aborted(a, committed, checked);
    /* Names. */
    uint64_t identity = identity_of(a, HANDLE(1, 1));
    expect_empty(a, send_begin(a, 0));
    uint64_t free_name = send_check_name(a, "free", 0), same = send_check_name(a, "shared", identity);
    committed = send_commit(a);
    expect_empty(a, free_name);
    expect_empty(a, same);
    expect_empty(a, committed);
    expect_empty(a, send_begin(a, 0));
    uint64_t other = send_check_name(a, "shared", identity + 1);
    committed = send_commit(a);
    expect_error(a, other, HD_ECHANGED, "name");
    expect_aborted(a, committed, other);
}

/* One request may fill a slot for its result and slots for captures besides: as many as the journal has room for at
 * first. */
static void a_result_beside_captures_is_undone(void **state)
{
    enum { MOST = 40 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    for (uint32_t count = 1; count <= MOST; count++) {
        uint64_t captures[MOST];
        Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
        struct builder builder;
        builder_init(&builder);
        add_node(&builder, HD_KIND_LIST, count);
        for (uint32_t i = 0; i < count; i++) {
            add_node(&builder, HD_KIND_LIST, 0);
            captures[i] = i + 1;
        }
        Heapd__V1__Literal literal = built(&builder);
        request.literal = &literal;
        request.into = HANDLE(1, 2 * count - 1);
        request.captures = captures;
        request.n_captures = count;
        request.captures_into = HANDLE(10, 2 * count - 1);
        expect_empty(a, send_begin(a, 0));
        uint64_t created = rpc_send(a, METHOD(CREATE), &request);
        uint64_t failed = send_get(a, request.into, rpc_int(1000), 0, false);
        (void)send_commit(a);
        expect_aborted(a, created, failed);
        expect_error(a, failed, HD_EINDEX, "");
        expect_aborted(a, send_length(a, request.into), failed);
        request.into = HANDLE(1, 2 * count);
        request.captures_into = HANDLE(10, 2 * count);
        expect_empty(a, send_begin(a, 0));
        created = rpc_send(a, METHOD(CREATE), &request);
        uint64_t committed = send_commit(a);
        expect_object(a, created, request.into, HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(a, committed);
        for (uint32_t i = 0; i < count; i++)
            expect_empty(a, send_release(a, request.captures_into + i));
        expect_empty(a, send_release(a, request.into));
        builder_fini(&builder);
        rpc_world_check(&fixture->world);
    }
}

/* A request that was refused before it could be kept is missing from the batch, and all of the batch is nothing. */
static void what_cannot_be_kept_fails_the_batch(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    for (int i = 0; i < 4; i++) {
        expect_empty(a, send_begin(a, 0));
        uint64_t kept = send_append(a, HANDLE(1, 1), rpc_int(1));
        uint64_t id = 1000 + (uint64_t)i;
        struct hd_frame frame = {.request_id = id, .method = METHOD(PING)};
        if (i == 0)
            frame.method = 255; /* no such method */
        if (i == 1)
            frame.flags = HD_FRAME_MORE;
        if (i == 2)
            frame.descriptors = 1;
        if (i == 3)
            frame.request_id = 0;
        rpc_send_frame(a, &frame, NULL);
        uint64_t after = send_append(a, HANDLE(1, 1), rpc_int(2));
        uint64_t committed = send_commit(a);
        struct rpc_reply reply;
        rpc_pump(a);
        assert_true(rpc_take(a, frame.request_id, &reply));
        assert_true(reply.frame.flags & HD_FRAME_ERROR);
        expect_aborted(a, after, frame.request_id);
        expect_aborted(a, kept, frame.request_id);
        expect_aborted(a, committed, frame.request_id);
        expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_happens_at_commit),
        TEST(a_failure_leaves_nothing),
        TEST(methods_of_containers_are_undone),
        TEST(what_is_no_batch_is_refused),
        TEST(limits_hold),
        TEST(a_slow_reader_gets_all_answers),
        TEST(a_check_sees_changes),
        TEST(a_result_beside_captures_is_undone),
        TEST(what_cannot_be_kept_fails_the_batch),
    };
    return cmocka_run_group_tests_name("rpc batch", tests, NULL, NULL);
}
