#include "test.h"

int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    rpc_world_check(&fixture->world);
    if (fixture->a.connection)
        rpc_client_close(&fixture->a);
    if (fixture->b.connection)
        rpc_client_close(&fixture->b);
    rpc_world_fini(&fixture->world);
    free(fixture);
    return 0;
}

/* ---- to ask ---- */

uint64_t send_create(struct rpc_client *client, Heapd__V1__Literal literal, hd_handle into)
{
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = into;
    return rpc_send(client, METHOD(CREATE), &request);
}

uint64_t send_new(struct rpc_client *client, enum _Heapd__V1__Kind kind, hd_handle into)
{
    return send_create(client, rpc_empty(kind), into);
}

uint64_t send_class(struct rpc_client *client, const char *name, hd_handle superclass, const char *attribute,
                    hd_handle into)
{
    Heapd__V1__CreateClassRequest request = HEAPD__V1__CREATE_CLASS_REQUEST__INIT;
    ProtobufCBinaryData attributes[1];
    request.name = rpc_bytes(name);
    request.superclass = superclass;
    if (attribute) {
        attributes[0] = rpc_bytes(attribute);
        request.attributes = attributes;
        request.n_attributes = 1;
    }
    request.into = into;
    return rpc_send(client, METHOD(CREATE_CLASS), &request);
}

uint64_t send_release(struct rpc_client *client, hd_handle handle)
{
    Heapd__V1__ReleaseRequest request = HEAPD__V1__RELEASE_REQUEST__INIT;
    request.handles = &handle;
    request.n_handles = 1;
    return rpc_send(client, METHOD(RELEASE), &request);
}

uint64_t send_duplicate(struct rpc_client *client, hd_handle object, hd_handle into)
{
    Heapd__V1__DuplicateRequest request = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    request.object = object;
    request.into = into;
    return rpc_send(client, METHOD(DUPLICATE), &request);
}

uint64_t send_inspect(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__InspectRequest request = HEAPD__V1__INSPECT_REQUEST__INIT;
    request.object = object;
    return rpc_send(client, METHOD(INSPECT), &request);
}

uint64_t send_length(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__LengthRequest request = HEAPD__V1__LENGTH_REQUEST__INIT;
    request.object = object;
    return rpc_send(client, METHOD(LENGTH), &request);
}

uint64_t send_get(struct rpc_client *client, hd_handle object, Heapd__V1__Value key, hd_handle into, bool as_object)
{
    Heapd__V1__GetItemRequest request = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    request.into = into;
    request.as_object = as_object;
    return rpc_send(client, METHOD(GET_ITEM), &request);
}

uint64_t send_set(struct rpc_client *client, hd_handle object, Heapd__V1__Value key, Heapd__V1__Value value)
{
    Heapd__V1__SetItemRequest request = HEAPD__V1__SET_ITEM_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    request.value = &value;
    return rpc_send(client, METHOD(SET_ITEM), &request);
}

uint64_t send_del(struct rpc_client *client, hd_handle object, Heapd__V1__Value key)
{
    Heapd__V1__DelItemRequest request = HEAPD__V1__DEL_ITEM_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    return rpc_send(client, METHOD(DEL_ITEM), &request);
}

uint64_t send_contains(struct rpc_client *client, hd_handle object, Heapd__V1__Value key)
{
    Heapd__V1__ContainsRequest request = HEAPD__V1__CONTAINS_REQUEST__INIT;
    request.object = object;
    request.key = &key;
    return rpc_send(client, METHOD(CONTAINS), &request);
}

uint64_t send_append(struct rpc_client *client, hd_handle object, Heapd__V1__Value value)
{
    Heapd__V1__AppendRequest request = HEAPD__V1__APPEND_REQUEST__INIT;
    request.object = object;
    request.value = &value;
    return rpc_send(client, METHOD(APPEND), &request);
}

uint64_t send_insert(struct rpc_client *client, hd_handle object, int64_t index, Heapd__V1__Value value)
{
    Heapd__V1__InsertRequest request = HEAPD__V1__INSERT_REQUEST__INIT;
    request.object = object;
    request.index = index;
    request.value = &value;
    return rpc_send(client, METHOD(INSERT), &request);
}

uint64_t send_pop(struct rpc_client *client, hd_handle object, Heapd__V1__Value *key, hd_handle into)
{
    Heapd__V1__PopRequest request = HEAPD__V1__POP_REQUEST__INIT;
    request.object = object;
    request.key = key;
    request.into = into;
    return rpc_send(client, METHOD(POP), &request);
}

uint64_t send_clear(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__ClearRequest request = HEAPD__V1__CLEAR_REQUEST__INIT;
    request.object = object;
    return rpc_send(client, METHOD(CLEAR), &request);
}

uint64_t send_set_add(struct rpc_client *client, hd_handle object, Heapd__V1__Value value)
{
    Heapd__V1__SetAddRequest request = HEAPD__V1__SET_ADD_REQUEST__INIT;
    request.object = object;
    request.value = &value;
    return rpc_send(client, METHOD(SET_ADD), &request);
}

uint64_t send_set_discard(struct rpc_client *client, hd_handle object, Heapd__V1__Value value)
{
    Heapd__V1__SetDiscardRequest request = HEAPD__V1__SET_DISCARD_REQUEST__INIT;
    request.object = object;
    request.value = &value;
    return rpc_send(client, METHOD(SET_DISCARD), &request);
}

uint64_t send_get_attr(struct rpc_client *client, hd_handle object, const char *name, hd_handle into, bool as_object)
{
    Heapd__V1__GetAttrRequest request = HEAPD__V1__GET_ATTR_REQUEST__INIT;
    request.object = object;
    request.name = rpc_bytes(name);
    request.into = into;
    request.as_object = as_object;
    return rpc_send(client, METHOD(GET_ATTR), &request);
}

uint64_t send_set_attr(struct rpc_client *client, hd_handle object, const char *name, Heapd__V1__Value value)
{
    Heapd__V1__SetAttrRequest request = HEAPD__V1__SET_ATTR_REQUEST__INIT;
    request.object = object;
    request.name = rpc_bytes(name);
    request.value = &value;
    return rpc_send(client, METHOD(SET_ATTR), &request);
}

uint64_t send_del_attr(struct rpc_client *client, hd_handle object, const char *name)
{
    Heapd__V1__DelAttrRequest request = HEAPD__V1__DEL_ATTR_REQUEST__INIT;
    request.object = object;
    request.name = rpc_bytes(name);
    return rpc_send(client, METHOD(DEL_ATTR), &request);
}

uint64_t send_add(struct rpc_client *client, hd_handle object, Heapd__V1__Value *key, const char *name,
                  Heapd__V1__Value delta)
{
    Heapd__V1__AddRequest request = HEAPD__V1__ADD_REQUEST__INIT;
    request.object = object;
    request.key = key;
    if (name)
        request.name = rpc_bytes(name);
    request.delta = &delta;
    return rpc_send(client, METHOD(ADD), &request);
}

uint64_t send_open_scope(struct rpc_client *client, hd_handle parent, hd_handle into)
{
    Heapd__V1__OpenScopeRequest request = HEAPD__V1__OPEN_SCOPE_REQUEST__INIT;
    request.parent = parent;
    request.into = into;
    return rpc_send(client, METHOD(OPEN_SCOPE), &request);
}

uint64_t send_close_scope(struct rpc_client *client, hd_handle scope)
{
    Heapd__V1__CloseScopeRequest request = HEAPD__V1__CLOSE_SCOPE_REQUEST__INIT;
    request.scope = scope;
    return rpc_send(client, METHOD(CLOSE_SCOPE), &request);
}

uint64_t send_bind(struct rpc_client *client, hd_handle scope, const char *name, Heapd__V1__Value value)
{
    Heapd__V1__BindRequest request = HEAPD__V1__BIND_REQUEST__INIT;
    request.scope = scope;
    request.name = rpc_bytes(name);
    request.value = &value;
    return rpc_send(client, METHOD(BIND), &request);
}

uint64_t send_lookup(struct rpc_client *client, hd_handle scope, const char *name, hd_handle into, bool as_object,
                     uint64_t wait_ms)
{
    Heapd__V1__LookupRequest request = HEAPD__V1__LOOKUP_REQUEST__INIT;
    request.scope = scope;
    request.name = rpc_bytes(name);
    request.into = into;
    request.as_object = as_object;
    request.wait_ms = wait_ms;
    return rpc_send(client, METHOD(LOOKUP), &request);
}

uint64_t send_unbind(struct rpc_client *client, hd_handle scope, const char *name)
{
    Heapd__V1__UnbindRequest request = HEAPD__V1__UNBIND_REQUEST__INIT;
    request.scope = scope;
    request.name = rpc_bytes(name);
    return rpc_send(client, METHOD(UNBIND), &request);
}

uint64_t send_export(struct rpc_client *client, hd_handle object, uint32_t part_bytes)
{
    Heapd__V1__ExportRequest request = HEAPD__V1__EXPORT_REQUEST__INIT;
    request.object = object;
    request.part_bytes = part_bytes;
    return rpc_send(client, METHOD(EXPORT), &request);
}

uint64_t send_collect(struct rpc_client *client, uint32_t generation)
{
    Heapd__V1__CollectRequest request = HEAPD__V1__COLLECT_REQUEST__INIT;
    request.generation = generation;
    return rpc_send(client, METHOD(GC_COLLECT), &request);
}

/* ---- what comes back ---- */

static struct rpc_reply expect_reply(struct rpc_client *client, uint64_t id)
{
    struct rpc_reply reply;
    if (rpc_take(client, id, &reply))
        return reply;
    /* It may go on in slices, and hold what was sent behind it. */
    rpc_world_run(client->world);
    rpc_pump(client);
    if (!rpc_take(client, id, &reply))
        fail_msg("no reply to request %llu", (unsigned long long)id);
    return reply;
}

void *expect_message(struct rpc_client *client, uint64_t id, const ProtobufCMessageDescriptor *descriptor)
{
    struct rpc_reply reply = expect_reply(client, id);
    if (reply.frame.flags & HD_FRAME_ERROR) {
        Heapd__V1__Error *error = rpc_unpack(&reply, &heapd__v1__error__descriptor);
        fail_msg("request %llu: %s: %s", (unsigned long long)id, hd_error_name(-(int)error->code), error->message);
    }
    return rpc_unpack(&reply, descriptor);
}

void free_message(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

void expect_empty(struct rpc_client *client, uint64_t id)
{
    free_message(expect_message(client, id, &heapd__v1__empty__descriptor));
}

static Heapd__V1__Value *expect_plain(struct rpc_client *client, uint64_t id, Heapd__V1__Value__KindCase kind)
{
    Heapd__V1__Value *value = expect_message(client, id, &heapd__v1__value__descriptor);
    assert_int_equal(value->kind_case, kind);
    return value;
}

void expect_kind(struct rpc_client *client, uint64_t id, Heapd__V1__Value__KindCase kind)
{
    free_message(expect_plain(client, id, kind));
}

void expect_int(struct rpc_client *client, uint64_t id, int64_t wanted)
{
    Heapd__V1__Value *value = expect_plain(client, id, HEAPD__V1__VALUE__KIND_INTEGER);
    assert_int_equal(value->integer, wanted);
    free_message(value);
}

void expect_bool(struct rpc_client *client, uint64_t id, bool wanted)
{
    Heapd__V1__Value *value = expect_plain(client, id, HEAPD__V1__VALUE__KIND_BOOLEAN);
    assert_int_equal(value->boolean, wanted);
    free_message(value);
}

void expect_str(struct rpc_client *client, uint64_t id, const char *wanted)
{
    Heapd__V1__Value *value = expect_plain(client, id, HEAPD__V1__VALUE__KIND_STR);
    assert_int_equal(value->str.len, strlen(wanted));
    assert_memory_equal(value->str.data, wanted, value->str.len);
    free_message(value);
}

void expect_object(struct rpc_client *client, uint64_t id, hd_handle handle, Heapd__V1__Type type)
{
    Heapd__V1__Value *value = expect_plain(client, id, HEAPD__V1__VALUE__KIND_HANDLE);
    assert_int_equal(value->handle, handle);
    assert_int_equal(value->type, type);
    free_message(value);
}

static Heapd__V1__Error *take_error(struct rpc_client *client, uint64_t id, int wanted)
{
    struct rpc_reply reply = expect_reply(client, id);
    if (!(reply.frame.flags & HD_FRAME_ERROR))
        fail_msg("request %llu did not fail", (unsigned long long)id);
    Heapd__V1__Error *error = rpc_unpack(&reply, &heapd__v1__error__descriptor);
    if (error->code != (uint32_t)-wanted)
        fail_msg("request %llu: %s: %s", (unsigned long long)id, hd_error_name(-(int)error->code), error->message);
    assert_int_equal(error->status, (int)hd_error_status(wanted));
    /* The general text, which says what to do, is always there. */
    assert_non_null(strstr(error->message, hd_error_text(wanted)));
    return error;
}

void expect_error(struct rpc_client *client, uint64_t id, int error, const char *needle)
{
    Heapd__V1__Error *body = take_error(client, id, error);
    if (!strstr(body->message, needle))
        fail_msg("\"%s\" is not in \"%s\"", needle, body->message);
    assert_int_equal(body->failed_request, 0);
    free_message(body);
}

void expect_aborted(struct rpc_client *client, uint64_t id, uint64_t failed_request)
{
    Heapd__V1__Error *body = take_error(client, id, HD_EABORTED);
    assert_int_equal(body->failed_request, failed_request);
    free_message(body);
}

void expect_nothing(struct rpc_client *client, uint64_t id)
{
    struct rpc_reply reply;
    assert_false(rpc_take(client, id, &reply));
}

/* ---- literals ---- */

void builder_init(struct builder *builder)
{
    hd_literal_writer_init(&builder->writer, &hd_allocator_libc, (size_t)64 << 20);
}

void builder_fini(struct builder *builder)
{
    hd_literal_writer_fini(&builder->writer);
}

void add_node(struct builder *builder, enum hd_kind kind, uint64_t number)
{
    struct hd_node node = {.kind = kind};
    node.count = number; /* of whatever member the kind has: they share the place */
    assert_int_equal(hd_literal_writer_add(&builder->writer, &node), 0);
}

void add_text(struct builder *builder, enum hd_kind kind, const char *text)
{
    struct hd_node node = {.kind = kind};
    node.bytes.data = (const uint8_t *)text;
    node.bytes.size = strlen(text);
    assert_int_equal(hd_literal_writer_add(&builder->writer, &node), 0);
}

Heapd__V1__Literal built(struct builder *builder)
{
    struct hd_columns columns;
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    hd_literal_writer_columns(&builder->writer, &columns);
    literal.kinds = (ProtobufCBinaryData){columns.kind_count, (uint8_t *)(uintptr_t)columns.kinds};
    literal.data = (ProtobufCBinaryData){columns.data_bytes, (uint8_t *)(uintptr_t)columns.data};
    literal.integers = (int64_t *)(uintptr_t)columns.integers;
    literal.n_integers = columns.integer_count;
    literal.reals = (double *)(uintptr_t)columns.reals;
    literal.n_reals = columns.real_count;
    literal.sizes = (uint64_t *)(uintptr_t)columns.sizes;
    literal.n_sizes = columns.size_count;
    literal.counts = (uint64_t *)(uintptr_t)columns.counts;
    literal.n_counts = columns.count_count;
    literal.handles = (uint64_t *)(uintptr_t)columns.handles;
    literal.n_handles = columns.handle_count;
    literal.shared = (uint64_t *)(uintptr_t)columns.shared;
    literal.n_shared = columns.shared_count;
    return literal;
}

void add_numbers(struct builder *builder, uint64_t count)
{
    add_node(builder, HD_KIND_LIST, count);
    for (uint64_t i = 0; i < count; i++)
        add_node(builder, HD_KIND_INT, i);
}
