/* Batches that fail: whatever was done, all is as it was; without memory, too. */
#include "batch.h"

#include <time.h>

enum { LIST = 1, SHORT_DICT, LONG_DICT, SET, INSTANCE, CLASS, OBJECTS = INSTANCE };

/* What an object holds, as Export tells it, in order. */
static size_t dump(struct rpc_client *client, uint32_t slot, uint8_t *out, size_t room)
{
    uint64_t id = send_export(client, HANDLE(slot, 1), 0);
    struct rpc_reply reply;
    size_t bytes = 0;
    do {
        /* What was sent before may go on in slices, one request after the other. */
        bool taken = false;
        for (int i = 0; i < 1000 && !taken; i++) {
            while (rpc_pump(client))
                ;
            rpc_world_run(client->world);
            rpc_pump(client);
            taken = rpc_take(client, id, &reply);
        }
        assert_true(taken);
        assert_false(reply.frame.flags & HD_FRAME_ERROR);
        assert_true(bytes + reply.frame.body_bytes <= room);
        memcpy(out + bytes, reply.body, reply.frame.body_bytes);
        bytes += reply.frame.body_bytes;
    } while (reply.frame.flags & HD_FRAME_MORE);
    return bytes;
}

#define DUMP_BYTES ((size_t)256 << 10)
struct picture {
    uint8_t bytes[OBJECTS][DUMP_BYTES];
    size_t sizes[OBJECTS];
};

static void take_picture(struct rpc_client *client, struct picture *out)
{
    for (uint32_t i = 0; i < OBJECTS; i++)
        out->sizes[i] = dump(client, i + 1, out->bytes[i], DUMP_BYTES);
}

static bool same_picture(const struct picture *a, const struct picture *b)
{
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (a->sizes[i] != b->sizes[i] || memcmp(a->bytes[i], b->bytes[i], a->sizes[i]) != 0)
            return false;
    return true;
}

static void make_objects(struct rpc_client *a)
{
    Heapd__V1__Value value;
    char text[32];
    new_object(a, HEAPD__V1__KIND__KIND_LIST, LIST);
    new_object(a, HEAPD__V1__KIND__KIND_DICT, SHORT_DICT);
    new_object(a, HEAPD__V1__KIND__KIND_DICT, LONG_DICT);
    new_object(a, HEAPD__V1__KIND__KIND_SET, SET);
    expect_object(a, send_class(a, "point", 0, "x", HANDLE(CLASS, 1)), HANDLE(CLASS, 1), HEAPD__V1__TYPE__TYPE_CLASS);
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_INSTANCE, 0);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(CLASS, 1));
    expect_object(a, send_create(a, built(&builder), HANDLE(INSTANCE, 1)), HANDLE(INSTANCE, 1),
                  HEAPD__V1__TYPE__TYPE_INSTANCE);
    builder_fini(&builder);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(text, sizeof text, "a long key %d", i);
        value = rpc_str(text);
        expect_empty(a, send_set(a, HANDLE(LONG_DICT, 1), value, rpc_int(i)));
    }
    /* Holes, some of which are about to be closed. */
    for (int i = 0; i < 3000; i += 4) {
        (void)snprintf(text, sizeof text, "a long key %d", i);
        expect_empty(a, send_del(a, HANDLE(LONG_DICT, 1), rpc_str(text)));
    }
    for (int i = 0; i < 20; i++) {
        expect_empty(a, send_append(a, HANDLE(LIST, 1), rpc_int(i)));
        expect_bool(a, send_set_add(a, HANDLE(SET, 1), rpc_int(i)), true);
    }
    expect_empty(a, send_set(a, HANDLE(SHORT_DICT, 1), rpc_str("one"), rpc_int(1)));
}

/* One change of any kind; whether it succeeds is its own affair. `text` holds its key. */
static uint64_t send_any(struct rpc_client *a, char text[32], uint32_t *next_slot)
{
    uint32_t table = rand() % 2 ? LONG_DICT : SHORT_DICT;
    int number = rand() % (table == LONG_DICT ? 3000 : 12);
    (void)snprintf(text, 32, "a long key %d", number);
    Heapd__V1__Value key = rpc_str(text), position = rpc_int(rand() % 20);
    switch (rand() % 23) {
    case 0:
        return send_append(a, HANDLE(LIST, 1), rpc_str("a string of some length"));
    case 1:
        return send_insert(a, HANDLE(LIST, 1), rand() % 25, rpc_int(-1));
    case 2:
        return send_pop(a, HANDLE(LIST, 1), &position, 0);
    case 3:
        return send_set(a, HANDLE(LIST, 1), position, rpc_handle(HANDLE(SET, 1)));
    case 4:
        return send_clear(a, HANDLE(rand() % 2 ? LIST : SET, 1));
    case 5:
    case 6:
        return send_set(a, HANDLE(table, 1), key, rpc_str("another string of some length"));
    case 7:
    case 8:
        return send_del(a, HANDLE(table, 1), key);
    case 9:
        return send_pop(a, HANDLE(table, 1), NULL, 0);
    case 10:
        return send_set_add(a, HANDLE(SET, 1), key);
    case 11:
        return send_set_discard(a, HANDLE(SET, 1), rpc_int(rand() % 20));
    case 12:
        return send_set_attr(a, HANDLE(INSTANCE, 1), rand() % 2 ? "x" : "y", rpc_int(rand()));
    case 13:
        return send_del_attr(a, HANDLE(INSTANCE, 1), "x");
    case 15:
        return send_extend(a, HANDLE(rand() % 2 ? LIST : SET, 1), rand() % 100, rand() % 50, 0);
    case 16:
        return send_extend(a, HANDLE(table, 1), rand() % 100, 2 * (rand() % 50), 0);
    case 17:
        return send_others(a, METHOD(DICT_UPDATE), HANDLE(table, 1), rpc_handle(HANDLE(SHORT_DICT, 1)), 0);
    case 18:
        return send_others(a, METHOD(SET_UPDATE), HANDLE(SET, 1), rpc_handle(HANDLE(rand() % 2 ? LIST : SHORT_DICT, 1)),
                           (Heapd__V1__SetOperation)(1 + rand() % 4));
    case 19:
        return send_pop_item(a, HANDLE(table, 1));
    case 20:
        return send_compare_and_set(a, HANDLE(rand() % 2 ? LIST : SHORT_DICT, 1), rand() % 20, rand() % 20, 5);
    case 21:
        return send_others(a, METHOD(DICT_UPDATE), HANDLE(SHORT_DICT, 1), rpc_handle(HANDLE(LONG_DICT, 1)), 0);
    case 14:
        return send_add(a, HANDLE(LIST, 1), &position, NULL, rpc_int(7));
    default:
        ++*next_slot;
        (void)send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(*next_slot, 1));
        (void)send_set(a, HANDLE(table, 1), key, rpc_handle(HANDLE(*next_slot, 1)));
        return send_release(a, HANDLE(*next_slot, 1));
    }
}

static void take_all(struct rpc_client *client)
{
    struct rpc_reply reply;
    while (rpc_pump(client))
        ;
    while (rpc_take_any(client, &reply))
        ;
}

static unsigned seed_of_run(void)
{
    const char *given = getenv("HEAPD_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)printf("HEAPD_TEST_SEED=%u\n", seed);
    return seed;
}

/* Whatever a batch did before it failed, everything is as it was, in the same order. */
static void any_batch_is_rolled_back(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static struct picture before, after;
    uint32_t next_slot = 100;
    srand(seed_of_run());
    make_objects(a);
    for (int round = 0; round < 60; round++) {
        char texts[40][32];
        bool fails = round % 4 != 3;
        int count = 1 + rand() % 40;
        if (fails)
            take_picture(a, &before);
        expect_empty(a, send_begin(a, 0));
        for (int i = 0; i < count; i++)
            (void)send_any(a, texts[i], &next_slot);
        if (fails)
            (void)send_get(a, HANDLE(SHORT_DICT, 1), rpc_str("not there"), 0, false);
        (void)send_commit(a);
        take_all(a);
        rpc_world_check(&fixture->world);
        if (fails) {
            take_picture(a, &after);
            assert_true(same_picture(&before, &after));
        } else {
            /* Changes of its own keep the objects moving between batches. */
            for (int i = 0; i < 40; i++)
                (void)send_any(a, texts[i], &next_slot);
            take_all(a);
        }
    }
}

/* Who waits for memory is woken by the world's run, and asks again when he is pumped. */
static void settle(struct rpc_client *client)
{
    for (int i = 0; i < 4; i++) {
        while (rpc_pump(client))
            ;
        rpc_world_run(client->world);
    }
    while (rpc_pump(client))
        ;
}

/* Without memory at any point of it: all or nothing, and a later Commit does it. */
static void fail_at_each_point(struct fixture *fixture, unsigned seed)
{
    struct rpc_client *a = &fixture->a;
    static struct picture before, after;
    uint32_t next_slot = 100;
    unsigned failures = 0;
    make_objects(a);
    for (uint64_t nth = 1; nth < 400; nth += 1 + nth / 16) {
        char texts[30][32];
        srand(seed + (unsigned)nth);
        take_picture(a, &before);
        expect_empty(a, send_begin(a, 0));
        for (int i = 0; i < 30; i++)
            (void)send_any(a, texts[i], &next_slot);
        take_all(a);
        fixture->world.fail_at = nth;
        fixture->world.fail_every = 1;
        uint64_t committed = send_commit(a);
        settle(a);
        fixture->world.fail_at = fixture->world.fail_every = 0;
        settle(a);
        struct rpc_reply reply;
        assert_true(rpc_take(a, committed, &reply));
        bool failed = reply.frame.flags & HD_FRAME_ERROR;
        take_all(a);
        rpc_world_check(&fixture->world);
        if (failed) {
            take_picture(a, &after);
            assert_true(same_picture(&before, &after));
            failures++;
        }
    }
    assert_true(failures > 0);
}

static void without_memory_nothing_changes(void **state)
{
    fail_at_each_point(*state, seed_of_run());
}

/* Keys that came back out of an old index once found the new one full. */
static void what_comes_back_has_room(void **state)
{
    fail_at_each_point(*state, 1795261835);
}

/* Replies that leave the output no room for Commit's own, and no memory for more: it is said all the same. */
static void without_memory_commit_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    char text[5001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_empty(a, send_append(a, HANDLE(1, 1), rpc_str(text)));
    expect_object(a, send_get(a, HANDLE(1, 1), rpc_int(0), HANDLE(2, 1), true), HANDLE(2, 1),
                  HEAPD__V1__TYPE__TYPE_STR);
    for (uint64_t size = 900; size < 5000; size += 50)
        for (uint64_t nth = 1; nth < 6; nth++) {
            Heapd__V1__ReadRequest request = HEAPD__V1__READ_REQUEST__INIT;
            request.object = HANDLE(2, 1);
            request.size = size;
            expect_empty(a, send_begin(a, 0));
            uint64_t read = rpc_send(a, METHOD(READ), &request);
            take_all(a);
            fixture->world.fail_at = nth;
            fixture->world.fail_every = 1;
            uint64_t committed = send_commit(a);
            settle(a);
            fixture->world.fail_at = fixture->world.fail_every = 0;
            settle(a);
            struct rpc_reply reply;
            assert_true(rpc_take(a, read, &reply));
            bool failed = reply.frame.flags & HD_FRAME_ERROR;
            assert_true(rpc_take(a, committed, &reply));
            assert_true(failed == !!(reply.frame.flags & HD_FRAME_ERROR));
            take_all(a);
        }
}

/* What is rolled back has not changed: neither for a Commit that runs again, nor for a later check. */
static void what_is_rolled_back_keeps_its_version(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    unsigned again = 0;
    new_object(a, HEAPD__V1__KIND__KIND_LIST, 1);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), true, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    for (uint64_t nth = 1; nth < 30; nth++) {
        uint64_t version = version_of(a, HANDLE(1, 1));
        expect_empty(a, send_begin(a, 0));
        uint64_t checked = send_check(a, HANDLE(1, 1), version);
        for (int i = 0; i < 10; i++)
            (void)send_append(a, HANDLE(1, 1), rpc_str("a string that needs memory"));
        take_all(a);
        fixture->world.fail_at = nth; /* one allocation alone: there is memory when it runs again */
        uint64_t committed = send_commit(a);
        settle(a);
        again += fixture->world.fail_at == 0;
        fixture->world.fail_at = 0;
        expect_empty(a, checked);
        expect_empty(a, committed);
        take_all(a);
        /* And a failure that is not for want of memory. */
        version = version_of(a, HANDLE(1, 1));
        expect_empty(a, send_begin(a, 0));
        (void)send_append(a, HANDLE(1, 1), rpc_int(1));
        (void)send_length(a, HANDLE(9, 9));
        (void)send_commit(a);
        take_all(a);
        expect_empty(a, send_begin(a, 0));
        checked = send_check(a, HANDLE(1, 1), version);
        expect_empty(a, send_commit(a));
        expect_empty(a, checked);
        /* It is still looked after. */
        expect_empty(b, send_append(b, HANDLE(1, 1), rpc_int(2)));
        expect_empty(a, send_begin(a, 0));
        checked = send_check(a, HANDLE(1, 1), version);
        uint64_t failed = send_commit(a);
        expect_error(a, checked, HD_ECHANGED, "version");
        expect_aborted(a, failed, checked);
    }
    assert_true(again > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_batch_is_rolled_back),
        TEST(without_memory_nothing_changes),
        TEST(what_comes_back_has_room),
        TEST(without_memory_commit_is_answered),
        TEST(what_is_rolled_back_keeps_its_version),
    };
    return cmocka_run_group_tests_name("rpc batch rollback", tests, NULL, NULL);
}
