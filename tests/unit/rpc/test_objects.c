/* Whole objects: made from literals, extended, read and looked at. */
#include "test.h"

static void a_document_in_one_request(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_DICT, 2);
    add_text(&builder, HD_KIND_STR, "name");
    add_text(&builder, HD_KIND_STR, "a string of more than seven bytes");
    add_text(&builder, HD_KIND_STR, "numbers");
    add_numbers(&builder, 1000);
    expect_object(a, send_create(a, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_object(a, send_get(a, HANDLE(1, 1), rpc_str("numbers"), HANDLE(2, 1), false), HANDLE(2, 1),
                  HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_get(a, HANDLE(2, 1), rpc_int(999), 0, false), 999);
    builder_fini(&builder);
}

static void a_scalar_goes_into_its_slot_or_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_INT, 5);
    expect_int(a, send_create(a, built(&builder), 0), 5);
    expect_object(a, send_create(a, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_INT);
    builder_fini(&builder);
    expect_error(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, 0), HD_ENOT_PLAIN, "the result is a list");
}

static void bad_literals_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    request.into = HANDLE(1, 1);
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_EINVALID, "the literal is missing");
    builder_init(&builder);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 2)), HD_EPROTOCOL, "columns");
    add_node(&builder, HD_KIND_LIST, 5);
    add_node(&builder, HD_KIND_INT, 5);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 3)), HD_EPROTOCOL, "columns");
    hd_literal_writer_reset(&builder.writer);
    add_node(&builder, HD_KIND_INT, 1);
    add_node(&builder, HD_KIND_INT, 1);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 4)), HD_EPROTOCOL, "top level");
    hd_literal_writer_reset(&builder.writer);
    add_node(&builder, HD_KIND_LIST, 1);
    add_node(&builder, HD_KIND_SHARED, 0);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 5)), HD_ECYCLE, "");
    hd_literal_writer_reset(&builder.writer);
    add_node(&builder, HD_KIND_LIST, 1);
    add_node(&builder, HD_KIND_SHARED, 7);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 6)), HD_EINVALID, "shares or captures");
    hd_literal_writer_reset(&builder.writer);
    add_node(&builder, HD_KIND_DICT, 1);
    add_node(&builder, HD_KIND_LIST, 0);
    add_node(&builder, HD_KIND_INT, 0);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 7)), HD_EUNHASHABLE, "a key in the literal");
    hd_literal_writer_reset(&builder.writer);
    add_node(&builder, HD_KIND_LIST, 1);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(77, 1));
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 8)), HD_EHANDLE_UNKNOWN, "slot 77");
    hd_literal_writer_reset(&builder.writer);
    for (uint32_t i = 0; i < HD_LITERAL_MAX_DEPTH + 2; i++)
        add_node(&builder, HD_KIND_LIST, i < HD_LITERAL_MAX_DEPTH + 1);
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 9)), HD_EDEPTH, "deeper than 10000");
    hd_literal_writer_reset(&builder.writer);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_LIST);
    add_node(&builder, HD_KIND_INSTANCE, 0);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(2, 1));
    expect_error(a, send_create(a, built(&builder), HANDLE(1, 10)), HD_ETYPE, "an instance of what is no class");
    builder_fini(&builder);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before + 1);
}

static void captures_hold_containers(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t captures[] = {1, 3};
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, 3);
    add_node(&builder, HD_KIND_DICT, 0);
    add_node(&builder, HD_KIND_SET, 0);
    add_node(&builder, HD_KIND_LIST, 0);
    Heapd__V1__Literal literal = built(&builder);
    request.literal = &literal;
    request.into = HANDLE(1, 1);
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(10, 1);
    expect_object(a, rpc_send(a, METHOD(CREATE), &request), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_set(a, HANDLE(10, 1), rpc_str("k"), rpc_int(1)));
    expect_empty(a, send_append(a, HANDLE(11, 1), rpc_int(1)));
    expect_object(a, send_get(a, HANDLE(1, 1), rpc_int(2), HANDLE(5, 1), false), HANDLE(5, 1),
                  HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_length(a, HANDLE(5, 1)), 1);
    /* Into slots that are taken, out of order, or into the result's own. */
    request.into = HANDLE(2, 1);
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_ESLOT_OCCUPIED, "slot 10");
    request.into = HANDLE(2, 2);
    request.captures_into = HANDLE(20, 1);
    captures[1] = 1;
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_EINVALID, "not ascending: 1 before 1");
    captures[1] = 4;
    request.into = HANDLE(3, 1);
    request.captures_into = HANDLE(30, 1);
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_EINVALID, "captures a container that it does not have");
    captures[1] = 3;
    request.into = HANDLE(4, 1);
    request.captures_into = HANDLE(3, 2);
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_EINVALID, "slot 4 is for the result and for a capture");
    request.into = HANDLE(6, 1);
    request.captures_into = HANDLE(4095, 1);
    expect_error(a, rpc_send(a, METHOD(CREATE), &request), HD_EHANDLE_UNKNOWN, "slot 4096");
    builder_fini(&builder);
}

static void containers_are_extended(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t capture = 0;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_DICT, HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_TUPLE, HANDLE(3, 1)), HANDLE(3, 1), HEAPD__V1__TYPE__TYPE_TUPLE);
    builder_init(&builder);
    add_text(&builder, HD_KIND_STR, "key");
    add_node(&builder, HD_KIND_LIST, 0);
    Heapd__V1__Literal literal = built(&builder);
    request.literal = &literal;
    request.captures = &capture;
    request.n_captures = 1;
    for (uint32_t i = 1; i <= 2; i++) {
        request.object = HANDLE(i, 1);
        request.captures_into = HANDLE(10 + i, 1);
        expect_empty(a, rpc_send(a, METHOD(EXTEND), &request));
        expect_int(a, send_length(a, HANDLE(10 + i, 1)), 0);
    }
    expect_int(a, send_length(a, HANDLE(1, 1)), 2);
    expect_int(a, send_length(a, HANDLE(2, 1)), 1);
    request.object = HANDLE(3, 1);
    request.captures_into = HANDLE(20, 1);
    expect_error(a, rpc_send(a, METHOD(EXTEND), &request), HD_ETYPE, "tuple has no extend");
    add_node(&builder, HD_KIND_INT, 0);
    literal = built(&builder);
    request.object = HANDLE(2, 1);
    request.captures_into = HANDLE(21, 1);
    expect_error(a, rpc_send(a, METHOD(EXTEND), &request), HD_EPROTOCOL, "top level");
    expect_int(a, send_length(a, HANDLE(2, 1)), 1);
    builder_fini(&builder);
}

static void classes(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_object(a, send_class(a, "Shape", 0, "colour", HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_CLASS);
    expect_object(a, send_class(a, "Circle", HANDLE(1, 1), NULL, HANDLE(2, 1)), HANDLE(2, 1),
                  HEAPD__V1__TYPE__TYPE_CLASS);
    expect_error(a, send_class(a, "", 0, NULL, HANDLE(3, 1)), HD_EINVALID, "a name of 0 bytes");
    expect_error(a, send_class(a, "\xff", 0, NULL, HANDLE(3, 2)), HD_EUTF8, "\"\\xff\"");
    expect_error(a, send_class(a, "X", 0, "", HANDLE(3, 3)), HD_EINVALID, "attribute's name of 0 bytes");
    expect_error(a, send_class(a, "X", 0, NULL, 0), HD_ENOT_PLAIN, "class");
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(4, 1)), HANDLE(4, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_class(a, "X", HANDLE(4, 1), NULL, HANDLE(5, 1)), HD_ETYPE,
                 "a list was given as the superclass");
    Heapd__V1__CreateClassRequest request = HEAPD__V1__CREATE_CLASS_REQUEST__INIT;
    ProtobufCBinaryData names[300];
    char text[300][16];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(text[i], sizeof text[i], "a%d", i);
        names[i] = rpc_bytes(text[i]);
    }
    request.name = rpc_bytes("Wide");
    request.attributes = names;
    request.n_attributes = 300;
    request.into = HANDLE(6, 1);
    expect_error(a, rpc_send(a, METHOD(CREATE_CLASS), &request), HD_ELIMIT, "at most 250 attributes");
    request.n_attributes = 250;
    request.into = HANDLE(6, 2);
    expect_object(a, rpc_send(a, METHOD(CREATE_CLASS), &request), HANDLE(6, 2), HEAPD__V1__TYPE__TYPE_CLASS);
}

static Heapd__V1__ReadReply *read_part(struct rpc_client *client, hd_handle object, uint64_t offset, uint64_t size)
{
    Heapd__V1__ReadRequest request = HEAPD__V1__READ_REQUEST__INIT;
    request.object = object;
    request.offset = offset;
    request.size = size;
    return expect_message(client, rpc_send(client, METHOD(READ), &request), &heapd__v1__read_reply__descriptor);
}

static void long_strings_are_read_in_parts(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    static char text[800001];
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    builder_init(&builder);
    add_text(&builder, HD_KIND_STR, text);
    expect_object(a, send_create(a, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_STR);
    builder_fini(&builder);
    uint64_t offset = 0;
    while (offset < 800000) {
        Heapd__V1__ReadReply *reply = read_part(a, HANDLE(1, 1), offset, UINT64_MAX);
        assert_int_equal(reply->total, 800000);
        assert_int_equal(reply->type, HEAPD__V1__TYPE__TYPE_STR);
        assert_true(reply->data.len > 0 && reply->data.len <= fixture->world.rpc_config.max_frame_bytes / 2);
        assert_memory_equal(reply->data.data, text + offset, reply->data.len);
        offset += reply->data.len;
        free_message(reply);
    }
    Heapd__V1__ReadReply *end = read_part(a, HANDLE(1, 1), 800000, 10);
    assert_int_equal(end->data.len, 0);
    free_message(end);
    Heapd__V1__ReadRequest request = HEAPD__V1__READ_REQUEST__INIT;
    request.object = HANDLE(1, 1);
    request.offset = 800001;
    expect_error(a, rpc_send(a, METHOD(READ), &request), HD_EINDEX, "offset 800001 of a str of 800000 bytes");
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = HANDLE(2, 1);
    expect_error(a, rpc_send(a, METHOD(READ), &request), HD_ETYPE, "list has no bytes to read");
}

static Heapd__V1__ObjectInfo *inspect(struct rpc_client *client, hd_handle object)
{
    return expect_message(client, send_inspect(client, object), &heapd__v1__object_info__descriptor);
}

static void counts_move_as_references_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    Heapd__V1__ObjectInfo *info = inspect(a, HANDLE(1, 1));
    uint64_t identity = info->identity;
    assert_int_equal(info->type, HEAPD__V1__TYPE__TYPE_LIST);
    assert_true(identity != 0 && info->shallow_bytes > 0 && info->tracked);
    assert_int_equal(info->reference_count, 1);
    free_message(info);
    expect_object(a, send_duplicate(a, HANDLE(1, 1), HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_duplicate(a, HANDLE(1, 1), 0), HD_ENOT_PLAIN, "the result is a");
    expect_empty(a, send_bind(a, 0, "it", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "it", HANDLE(1, 1), false, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    info = inspect(b, HANDLE(1, 1));
    assert_int_equal(info->reference_count, 4);
    assert_int_equal(info->identity, identity);
    free_message(info);
    rpc_client_close(b);
    rpc_world_run(&fixture->world);
    expect_empty(a, send_release(a, HANDLE(2, 1)));
    expect_empty(a, send_unbind(a, 0, "it"));
    info = inspect(a, HANDLE(1, 1));
    assert_int_equal(info->reference_count, 1);
    free_message(info);
}

static void classes_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    expect_object(a, send_class(a, "Shape", 0, "colour", HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_CLASS);
    builder_init(&builder);
    add_node(&builder, HD_KIND_INSTANCE, 1);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(1, 1));
    add_text(&builder, HD_KIND_STR, "colour");
    add_text(&builder, HD_KIND_STR, "blue");
    expect_object(a, send_create(a, built(&builder), HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_INSTANCE);
    builder_fini(&builder);
    for (uint32_t i = 1; i <= 2; i++) {
        Heapd__V1__ObjectInfo *info = inspect(a, HANDLE(i, 1));
        assert_int_equal(info->class_name.len, 5);
        assert_memory_equal(info->class_name.data, "Shape", 5);
        free_message(info);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_in_one_request),
        TEST(a_scalar_goes_into_its_slot_or_comes_back),
        TEST(bad_literals_are_told_apart),
        TEST(captures_hold_containers),
        TEST(containers_are_extended),
        TEST(classes),
        TEST(long_strings_are_read_in_parts),
        TEST(counts_move_as_references_come_and_go),
        TEST(classes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
