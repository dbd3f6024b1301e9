/* Long literals: built in slices, in the order of their session, while others go on. */
#include "common/varint.h"
#include "test.h"

#define LISTS 20000

/* A list of empty lists; with `last`, the node that stands in place of the last one. */
static void many_lists(struct builder *builder, const char *last)
{
    builder_init(builder);
    add_node(builder, HD_KIND_LIST, LISTS);
    for (int i = 0; i < LISTS - 1; i++)
        add_node(builder, HD_KIND_LIST, 0);
    if (last)
        add_text(builder, HD_KIND_STR, last);
    else
        add_node(builder, HD_KIND_LIST, 0);
}

static void others_go_on_and_the_session_waits(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    many_lists(&builder, NULL);
    uint64_t create = send_create(a, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(a, HANDLE(1, 1));
    uint64_t release = send_release(a, HANDLE(1, 1));
    expect_nothing(a, create);
    expect_nothing(a, length);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_nothing(a, create);
    unsigned slices = 0;
    while (hd_rpc_run(fixture->world.server, 1000))
        slices++;
    assert_true(slices > 5);
    /* The chain behind it names what it made. */
    expect_object(a, create, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, length, LISTS);
    expect_empty(a, release);
    builder_fini(&builder);
}

static void a_failure_at_the_end_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    many_lists(&builder, "\xff\xff");
    uint64_t create = send_create(a, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(a, HANDLE(1, 1));
    expect_error(a, create, HD_EUTF8, "a str in the literal");
    expect_aborted(a, length, create);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    builder_fini(&builder);
}

static void a_list_is_extended_in_one_step(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    builder_init(&builder);
    for (int i = 0; i < LISTS; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    Heapd__V1__Literal literal = built(&builder);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), false, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = HANDLE(1, 1);
    request.literal = &literal;
    uint64_t captures[2] = {0, LISTS - 1};
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(5, 1);
    uint64_t extend = rpc_send(a, METHOD(EXTEND), &request);
    /* All of it or nothing. */
    expect_int(b, send_length(b, HANDLE(1, 1)), 0);
    hd_rpc_run(fixture->world.server, 2000);
    expect_nothing(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), 0);
    expect_empty(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), LISTS);
    expect_int(a, send_length(a, HANDLE(5, 1)), 0);
    expect_int(a, send_length(a, HANDLE(6, 1)), 0);
    builder_fini(&builder);
}

static int64_t item_of(struct rpc_client *client, hd_handle list, int64_t index)
{
    Heapd__V1__GetItemRequest get = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    Heapd__V1__Value key = rpc_int(index);
    get.object = list;
    get.key = &key;
    Heapd__V1__Value *value =
        expect_message(client, rpc_send(client, METHOD(GET_ITEM), &get), &heapd__v1__value__descriptor);
    int64_t item = value->integer;
    free_message(value);
    return item;
}

/* Requests of ours as frames, given by hand: one turn of the connection each. */
static size_t frame_of(uint8_t **stream, uint16_t method, uint64_t id, const void *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    *stream = malloc(HD_FRAME_HEADER_BYTES + bytes);
    assert_non_null(*stream);
    protobuf_c_message_pack(message, *stream + HD_FRAME_HEADER_BYTES);
    const struct hd_frame frame = {.body_bytes = (uint32_t)bytes, .method = method, .request_id = id};
    hd_frame_write(*stream, &frame);
    return HD_FRAME_HEADER_BYTES + bytes;
}

static unsigned turns_until_taken(struct rpc_client *client, const uint8_t *stream, size_t count)
{
    unsigned turns = 1;
    while (hd_rpc_receive(client->connection, stream, count) == 0)
        assert_true(turns++ < 10000);
    return turns;
}

#define MANY 25000

/* Of every column something, with numbers of all sizes. */
static void long_columns(struct builder *builder)
{
    builder_init(builder);
    add_node(builder, HD_KIND_LIST, 5 * MANY);
    for (int i = 0; i < MANY; i++) {
        add_node(builder, HD_KIND_INT, (uint64_t)((i % 2 ? -1 : 1) * ((int64_t)1 << i % 60)));
        add_node(builder, HD_KIND_LIST, 1);
        add_text(builder, HD_KIND_STR, i % 3 ? "a str that is no short one" : "ab");
        add_node(builder, HD_KIND_NONE, 0);
        add_text(builder, HD_KIND_BYTES, "b");
        add_node(builder, HD_KIND_TRUE, 0);
    }
}

static void a_long_message_is_read_in_turns(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    long_columns(&builder);
    Heapd__V1__Literal literal = built(&builder);
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = HANDLE(1, 1);
    uint64_t captures[2] = {1, MANY};
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(5, 1);
    uint8_t *stream;
    size_t count = frame_of(&stream, METHOD(CREATE), 1000, &request);
    /* Others are served between two turns. */
    assert_int_equal(hd_rpc_receive(a->connection, stream, count), 0);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    assert_true(turns_until_taken(a, stream, count) > 15);
    expect_object(a, 1000, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_length(a, HANDLE(1, 1)), 5 * MANY);
    expect_int(a, send_length(a, HANDLE(6, 1)), 1);
    assert_int_equal(item_of(a, HANDLE(1, 1), 5 * (MANY - 1)), -((int64_t)1 << (MANY - 1) % 60));
    assert_int_equal(item_of(a, HANDLE(1, 1), 5 * 12), (int64_t)1 << 12);
    free(stream);
    builder_fini(&builder);
}

/* A request cut off in the midst, or spoiled there, says what protobuf-c would, and leaves nothing. */
static void a_long_message_that_is_none_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    long_columns(&builder);
    Heapd__V1__Literal literal = built(&builder);
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = HANDLE(1, 1);
    uint8_t *stream;
    size_t count = frame_of(&stream, METHOD(CREATE), 1000, &request);
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    /* The columns of ints lie behind that of kinds: none of its numbers ends now. */
    for (size_t i = 0; i < 20; i++)
        stream[HD_FRAME_HEADER_BYTES + 6 * MANY + 1000 + i] |= 0x80;
    (void)turns_until_taken(a, stream, count);
    expect_error(a, 1000, HD_EPROTOCOL, "CreateRequest");
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    /* One that ends in the midst of it. */
    free(stream);
    count = frame_of(&stream, METHOD(CREATE), 1001, &request);
    assert_int_equal(hd_rpc_receive(a->connection, stream, count), 0);
    free(stream);
    rpc_client_close(a);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    builder_fini(&builder);
}

/* Numbers one by one are no column: of a few a message may consist, of very many not. */
static void a_long_message_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    const size_t data_bytes = 100000;
    for (unsigned pieces = 3; pieces <= 3000; pieces += 2997) {
        uint8_t *literal = calloc(1, data_bytes + 12000), *at = literal;
        assert_non_null(literal);
        *at++ = 1 << 3 | 2;
        at = hd_varint_put(at, pieces + 1);
        for (unsigned i = 0; i < pieces; i++)
            *at++ = HD_KIND_INT;
        *at++ = HD_KIND_STR;
        for (unsigned i = 0; i < pieces; i++) {
            *at++ = 2 << 3;
            *at++ = 14;
        }
        *at++ = 4 << 3;
        at = hd_varint_put(at, data_bytes);
        *at++ = 5 << 3 | 2;
        at = hd_varint_put(at, data_bytes);
        memset(at, 'x', data_bytes);
        at += data_bytes;
        uint8_t *stream = calloc(1, data_bytes + 13000), *body = stream + HD_FRAME_HEADER_BYTES;
        assert_non_null(stream);
        *body++ = 1 << 3;
        body = hd_varint_put(body, HANDLE(1, pieces));
        *body++ = 2 << 3 | 2;
        body = hd_varint_put(body, (uint64_t)(at - literal));
        memcpy(body, literal, (size_t)(at - literal));
        body += at - literal;
        const struct hd_frame frame = {.body_bytes = (uint32_t)(body - stream - HD_FRAME_HEADER_BYTES),
                                       .method = METHOD(EXTEND),
                                       .request_id = 1000 + pieces};
        hd_frame_write(stream, &frame);
        expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, pieces)), HANDLE(1, pieces),
                      HEAPD__V1__TYPE__TYPE_LIST);
        (void)turns_until_taken(a, stream, (size_t)(body - stream));
        if (pieces == 3) {
            expect_empty(a, 1000 + pieces);
            assert_int_equal(item_of(a, HANDLE(1, pieces), 2), 7);
        } else {
            expect_error(a, 1000 + pieces, HD_ELIMIT, "packed");
        }
        expect_int(a, send_length(a, HANDLE(1, pieces)), pieces == 3 ? 4 : 0);
        expect_empty(a, send_release(a, HANDLE(1, pieces)));
        free(literal);
        free(stream);
    }
}

/* Somebody else appends again and again: what comes is put behind all of that at last, in one piece. */
static void a_list_that_changes_meanwhile_is_extended_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    builder_init(&builder);
    for (int i = 0; i < LISTS; i++)
        add_node(&builder, HD_KIND_INT, 7);
    Heapd__V1__Literal literal = built(&builder);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), false, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = HANDLE(1, 1);
    request.literal = &literal;
    uint64_t extend = rpc_send(a, METHOD(EXTEND), &request);
    int64_t appended = 0;
    bool more = true;
    for (; more; appended++) {
        expect_empty(b, send_append(b, HANDLE(1, 1), rpc_int(-1 - appended)));
        more = hd_rpc_run(fixture->world.server, 200);
        rpc_world_check(&fixture->world);
        assert_true(appended < LISTS);
    }
    expect_empty(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), LISTS + appended);
    /* In one piece, whatever was appended before it and behind. */
    int64_t before = 0;
    while (before < appended && item_of(b, HANDLE(1, 1), before) == -1 - before)
        before++;
    assert_true(before > 0);
    for (int64_t i = 0; i < LISTS; i += 100)
        assert_int_equal(item_of(b, HANDLE(1, 1), before + i), 7);
    assert_int_equal(item_of(b, HANDLE(1, 1), before + LISTS - 1), 7);
    for (int64_t i = before; i < appended; i++)
        assert_int_equal(item_of(b, HANDLE(1, 1), i + LISTS), -1 - i);
    builder_fini(&builder);
}

static void a_session_that_ends_takes_it_along(void **state)
{
    struct fixture *fixture = *state;
    struct builder builder;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    many_lists(&builder, NULL);
    send_create(&fixture->b, built(&builder), HANDLE(1, 1));
    hd_rpc_run(fixture->world.server, 2000);
    rpc_world_check(&fixture->world);
    rpc_client_close(&fixture->b);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    rpc_client_open(&fixture->b, &fixture->world, false);
    builder_fini(&builder);
}

static void collections_meanwhile_keep_what_is_being_built(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    many_lists(&builder, NULL);
    uint64_t create = send_create(b, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(b, HANDLE(1, 1));
    /* One collection begins before, others in the middle. */
    for (int i = 0; i < 40; i++) {
        if (i % 3 == 0)
            send_collect(a, 2);
        hd_rpc_run(fixture->world.server, 300);
        rpc_world_check(&fixture->world);
    }
    expect_object(b, create, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(b, length, LISTS);
    rpc_world_check(&fixture->world);
    builder_fini(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_go_on_and_the_session_waits),
        TEST(a_failure_at_the_end_leaves_nothing),
        TEST(a_list_is_extended_in_one_step),
        TEST(a_list_that_changes_meanwhile_is_extended_all_the_same),
        TEST(a_session_that_ends_takes_it_along),
        TEST(a_long_message_is_read_in_turns),
        TEST(a_long_message_that_is_none_changes_nothing),
        TEST(a_long_message_in_pieces),
        TEST(collections_meanwhile_keep_what_is_being_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
