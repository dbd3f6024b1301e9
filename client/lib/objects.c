/* The Objects service: each method as a message, begun or waited for. */
#include <stdlib.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/object.pb-c.h"

/* Create */

static int begin_create(struct heapd_connection *connection, const struct heapd_literal *literal,
                        const uint64_t *captures, size_t capture_count, hd_handle *first_capture, hd_handle *into,
                        heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CreateRequest message = HEAPD__V1__CREATE_REQUEST__INIT;
    Heapd__V1__Literal columns;
    int code = literal ? hd_wire_literal(literal, &columns) : HD_EINVALID;
    message.literal = &columns;
    message.captures = (uint64_t *)(uintptr_t)captures;
    message.n_captures = capture_count;
    struct hd_call call = {
        .method = HEAPD_METHOD_CREATE,
        .message = &message.base,
        .into = &message.into,
        .handed_out = into != NULL,
        .captures_into = &message.captures_into,
        .capture_count = (uint32_t)capture_count,
    };
    code = hd_call_begin(connection, &call, capture_count > UINT32_MAX ? HD_ELIMIT : code, ticket, error);
    if (code)
        return code;
    if (into)
        *into = message.into;
    *first_capture = message.captures_into;
    return 0;
}

static void number_captures(hd_handle first, size_t count, heapd_handle *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = first + i;
}

int heapd_begin_create(struct heapd_connection *connection, const struct heapd_literal *literal,
                       const uint64_t *captures, size_t capture_count, heapd_handle *capture_handles,
                       heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    hd_handle first;
    int code = begin_create(connection, literal, captures, capture_count, &first, into, ticket, error);
    if (!code)
        number_captures(first, capture_count, capture_handles);
    return code;
}

int heapd_create(struct heapd_connection *connection, const struct heapd_literal *literal, heapd_handle *out,
                 struct heapd_error *error)
{
    Heapd__V1__CreateRequest message = HEAPD__V1__CREATE_REQUEST__INIT;
    Heapd__V1__Literal columns;
    int code = literal ? hd_wire_literal(literal, &columns) : HD_EINVALID;
    message.literal = &columns;
    struct hd_call call = {.method = HEAPD_METHOD_CREATE, .message = &message.base, .into = &message.into};
    return hd_sync_handle(connection, &call, code, out, error);
}

static int new_empty(struct heapd_connection *connection, int open(struct heapd_literal *literal), heapd_handle *out,
                     struct heapd_error *error)
{
    struct heapd_literal *literal = heapd_literal_new();
    if (!literal)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a literal");
    (void)open(literal);
    (void)heapd_literal_close(literal);
    int code = heapd_create(connection, literal, out, error);
    heapd_literal_free(literal);
    return code;
}

int heapd_new_list(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return new_empty(connection, heapd_literal_open_list, out, error);
}

int heapd_new_dict(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return new_empty(connection, heapd_literal_open_dict, out, error);
}

int heapd_new_set(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return new_empty(connection, heapd_literal_open_set, out, error);
}

int heapd_new_frozenset(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return new_empty(connection, heapd_literal_open_frozenset, out, error);
}

/* Extend */

int heapd_begin_extend(struct heapd_connection *connection, heapd_handle object, const struct heapd_literal *literal,
                       const uint64_t *captures, size_t capture_count, heapd_handle *capture_handles,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__ExtendRequest message = HEAPD__V1__EXTEND_REQUEST__INIT;
    Heapd__V1__Literal columns;
    int code = literal ? hd_wire_literal(literal, &columns) : HD_EINVALID;
    message.object = object;
    message.literal = &columns;
    message.captures = (uint64_t *)(uintptr_t)captures;
    message.n_captures = capture_count;
    struct hd_call call = {
        .method = HEAPD_METHOD_EXTEND,
        .message = &message.base,
        .captures_into = &message.captures_into,
        .capture_count = (uint32_t)capture_count,
    };
    code = hd_call_begin(connection, &call, capture_count > UINT32_MAX ? HD_ELIMIT : code, ticket, error);
    if (!code)
        number_captures(message.captures_into, capture_count, capture_handles);
    return code;
}

int heapd_extend(struct heapd_connection *connection, heapd_handle object, const struct heapd_literal *literal,
                 struct heapd_error *error)
{
    Heapd__V1__ExtendRequest message = HEAPD__V1__EXTEND_REQUEST__INIT;
    Heapd__V1__Literal columns;
    int code = literal ? hd_wire_literal(literal, &columns) : HD_EINVALID;
    message.object = object;
    message.literal = &columns;
    return hd_sync(connection, HEAPD_METHOD_EXTEND, &message.base, code, NULL, error);
}

/* Classes */

/* The names as the message has them, for the caller to free; NULL and HD_ENOMEM without memory. */
static int fill_class(Heapd__V1__CreateClassRequest *message, struct heapd_bytes name, heapd_handle superclass,
                      const struct heapd_bytes *attributes, size_t attribute_count)
{
    heapd__v1__create_class_request__init(message);
    message->name = hd_wire_bytes(name);
    message->superclass = superclass;
    message->attributes = malloc((attribute_count + 1) * sizeof *message->attributes);
    if (!message->attributes)
        return HD_ENOMEM;
    message->n_attributes = attribute_count;
    for (size_t i = 0; i < attribute_count; i++)
        message->attributes[i] = hd_wire_bytes(attributes[i]);
    return 0;
}

int heapd_create_class(struct heapd_connection *connection, struct heapd_bytes name, heapd_handle superclass,
                       const struct heapd_bytes *attributes, size_t attribute_count, heapd_handle *out,
                       struct heapd_error *error)
{
    Heapd__V1__CreateClassRequest message;
    int code = fill_class(&message, name, superclass, attributes, attribute_count);
    struct hd_call call = {.method = HEAPD_METHOD_CREATE_CLASS, .message = &message.base, .into = &message.into};
    code = hd_sync_handle(connection, &call, code, out, error);
    free(message.attributes);
    return code;
}

int heapd_begin_create_class(struct heapd_connection *connection, struct heapd_bytes name, heapd_handle superclass,
                             const struct heapd_bytes *attributes, size_t attribute_count, heapd_handle *into,
                             heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CreateClassRequest message;
    int code = fill_class(&message, name, superclass, attributes, attribute_count);
    struct hd_call call = {.method = HEAPD_METHOD_CREATE_CLASS, .message = &message.base, .into = &message.into};
    code = hd_begin_handle(connection, &call, code, into, ticket, error);
    free(message.attributes);
    return code;
}

/* Duplicate */

int heapd_duplicate(struct heapd_connection *connection, heapd_handle object, heapd_handle *out,
                    struct heapd_error *error)
{
    Heapd__V1__DuplicateRequest message = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    message.object = object;
    struct hd_call call = {.method = HEAPD_METHOD_DUPLICATE, .message = &message.base, .into = &message.into};
    return hd_sync_handle(connection, &call, 0, out, error);
}

int heapd_begin_duplicate(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                          heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__DuplicateRequest message = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    message.object = object;
    struct hd_call call = {.method = HEAPD_METHOD_DUPLICATE, .message = &message.base, .into = &message.into};
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

/* Read */

int heapd_read(struct heapd_connection *connection, heapd_handle object, uint64_t offset, uint64_t size,
               struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__ReadRequest message = HEAPD__V1__READ_REQUEST__INIT;
    message.object = object;
    message.offset = offset;
    message.size = size;
    return hd_sync(connection, HEAPD_METHOD_READ, &message.base, 0, result, error);
}

int heapd_begin_read(struct heapd_connection *connection, heapd_handle object, uint64_t offset, uint64_t size,
                     heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__ReadRequest message = HEAPD__V1__READ_REQUEST__INIT;
    message.object = object;
    message.offset = offset;
    message.size = size;
    return hd_begin(connection, HEAPD_METHOD_READ, &message.base, 0, ticket, error);
}

/* Appends one part to *data, which grows to the object's size with the first. */
static int gather(struct heapd_connection *connection, heapd_handle object, uint64_t part_bytes, char **data,
                  uint64_t *have, struct heapd_part *seen, struct heapd_error *error)
{
    struct heapd_result result = {0};
    int code = heapd_read(connection, object, *have, part_bytes, &result, error);
    if (code)
        return code;
    *seen = result.as.part;
    if (!*data)
        *data = seen->total_bytes < SIZE_MAX ? malloc((size_t)seen->total_bytes + 1) : NULL;
    if (!*data)
        code = hd_fail_with(error, HD_ENOMEM, "this process has no memory for %llu bytes",
                            (unsigned long long)seen->total_bytes);
    else if (seen->data.size > seen->total_bytes - *have || (seen->data.size == 0 && *have < seen->total_bytes))
        code = hd_fail_with(error, HD_EPROTOCOL, "the parts of the object do not add up");
    if (!code && seen->data.size)
        memcpy(*data + *have, seen->data.data, seen->data.size);
    if (!code)
        *have += seen->data.size;
    heapd_result_clear(&result);
    return code;
}

int heapd_read_all(struct heapd_connection *connection, heapd_handle object, struct heapd_value *result,
                   struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    if (code)
        return code;
    uint64_t part_bytes = connection->server.max_frame_bytes / 2;
    char *data = NULL;
    uint64_t have = 0;
    struct heapd_part seen;
    do
        code = gather(connection, object, part_bytes, &data, &have, &seen, error);
    while (!code && have < seen.total_bytes);
    if (code) {
        free(data);
        return code;
    }
    data[have] = '\0';
    *result = seen.type == HEAPD_TYPE_STR ? heapd_str_of(data, (size_t)have) : heapd_bytes_of(data, (size_t)have);
    result->type = seen.type;
    result->memory = data;
    return 0;
}

/* Inspect, Length */

int heapd_inspect(struct heapd_connection *connection, heapd_handle object, struct heapd_result *result,
                  struct heapd_error *error)
{
    Heapd__V1__InspectRequest message = HEAPD__V1__INSPECT_REQUEST__INIT;
    message.object = object;
    return hd_sync(connection, HEAPD_METHOD_INSPECT, &message.base, 0, result, error);
}

int heapd_begin_inspect(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                        struct heapd_error *error)
{
    Heapd__V1__InspectRequest message = HEAPD__V1__INSPECT_REQUEST__INIT;
    message.object = object;
    return hd_begin(connection, HEAPD_METHOD_INSPECT, &message.base, 0, ticket, error);
}

int heapd_length(struct heapd_connection *connection, heapd_handle object, uint64_t *out, struct heapd_error *error)
{
    Heapd__V1__LengthRequest message = HEAPD__V1__LENGTH_REQUEST__INIT;
    message.object = object;
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_LENGTH, &message.base, 0, &result, error);
    if (code)
        return code;
    if (result.value.kind == HEAPD_VALUE_INT && result.value.as.integer >= 0)
        *out = (uint64_t)result.value.as.integer;
    else
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered a length that is no number");
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_length(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                       struct heapd_error *error)
{
    Heapd__V1__LengthRequest message = HEAPD__V1__LENGTH_REQUEST__INIT;
    message.object = object;
    return hd_begin(connection, HEAPD_METHOD_LENGTH, &message.base, 0, ticket, error);
}

/* Clear */

int heapd_clear(struct heapd_connection *connection, heapd_handle object, struct heapd_error *error)
{
    Heapd__V1__ClearRequest message = HEAPD__V1__CLEAR_REQUEST__INIT;
    message.object = object;
    return hd_sync(connection, HEAPD_METHOD_CLEAR, &message.base, 0, NULL, error);
}

int heapd_begin_clear(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                      struct heapd_error *error)
{
    Heapd__V1__ClearRequest message = HEAPD__V1__CLEAR_REQUEST__INIT;
    message.object = object;
    return hd_begin(connection, HEAPD_METHOD_CLEAR, &message.base, 0, ticket, error);
}

/* Resolve */

struct resolve {
    Heapd__V1__ResolveRequest message;
    Heapd__V1__Step *steps;      /* own */
    Heapd__V1__Step **pointers;  /* own */
    struct hd_wire_value *items; /* own */
};

static void resolve_fini(struct resolve *resolve)
{
    free(resolve->steps);
    free(resolve->pointers);
    free(resolve->items);
}

static int resolve_init(struct resolve *resolve, heapd_handle object, heapd_handle scope, struct heapd_bytes name,
                        const struct heapd_path_step *steps, size_t count, enum heapd_want want)
{
    heapd__v1__resolve_request__init(&resolve->message);
    resolve->message.object = object;
    resolve->message.scope = scope;
    resolve->message.name = hd_wire_bytes(name);
    resolve->message.as_object = want == HEAPD_OBJECT;
    resolve->steps = calloc(count + 1, sizeof *resolve->steps);
    resolve->pointers = calloc(count + 1, sizeof(Heapd__V1__Step *));
    resolve->items = calloc(count + 1, sizeof *resolve->items);
    if (!resolve->steps || !resolve->pointers || !resolve->items)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        Heapd__V1__Step *step = &resolve->steps[i];
        heapd__v1__step__init(step);
        if (steps[i].is_member) {
            step->kind_case = HEAPD__V1__STEP__KIND_MEMBER;
            step->member = hd_wire_bytes(steps[i].member);
        } else {
            int code = hd_wire_value(&steps[i].item, &resolve->items[i]);
            if (code)
                return code;
            step->kind_case = HEAPD__V1__STEP__KIND_ITEM;
            step->item = &resolve->items[i].value;
        }
        resolve->pointers[i] = step;
    }
    resolve->message.steps = resolve->pointers;
    resolve->message.n_steps = count;
    return 0;
}

int heapd_resolve(struct heapd_connection *connection, heapd_handle object, heapd_handle scope, struct heapd_bytes name,
                  const struct heapd_path_step *steps, size_t step_count, enum heapd_want want,
                  struct heapd_value *result, struct heapd_error *error)
{
    struct resolve resolve;
    int code = resolve_init(&resolve, object, scope, name, steps, step_count, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_RESOLVE,
        .message = &resolve.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &resolve.message.into,
    };
    code = hd_sync_value(connection, &call, code, result, error);
    resolve_fini(&resolve);
    return code;
}

int heapd_begin_resolve(struct heapd_connection *connection, heapd_handle object, heapd_handle scope,
                        struct heapd_bytes name, const struct heapd_path_step *steps, size_t step_count,
                        enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct resolve resolve;
    int code = resolve_init(&resolve, object, scope, name, steps, step_count, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_RESOLVE,
        .message = &resolve.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &resolve.message.into,
    };
    code = hd_begin_handle(connection, &call, code, into, ticket, error);
    resolve_fini(&resolve);
    return code;
}
