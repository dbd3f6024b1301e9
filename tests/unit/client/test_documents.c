/* Literals, documents in parts, and exports. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/lib/literal.h"
#include "client/lib/wire.h"
#include "fake.h"

static void a_literal_counts_for_itself(void **state)
{
    (void)state;
    struct heapd_literal *literal = heapd_literal_new();
    assert_int_equal(heapd_literal_open_dict(literal), 0);
    assert_int_equal(heapd_literal_add(literal, heapd_str("primes")), 0);
    assert_int_equal(heapd_literal_open_list(literal), 0);
    assert_int_equal(heapd_literal_last_container(literal), 1);
    assert_int_equal(heapd_literal_add(literal, heapd_int(2)), 0);
    assert_int_equal(heapd_literal_add(literal, heapd_none()), 0);
    assert_int_equal(heapd_literal_add(literal, heapd_bool(true)), 0);
    assert_int_equal(heapd_literal_depth(literal), 2);
    assert_int_equal(heapd_literal_state(literal), HEAPD_EINVALID);
    assert_int_equal(heapd_literal_close(literal), 0);
    assert_int_equal(heapd_literal_add(literal, heapd_str("again")), 0);
    assert_int_equal(heapd_literal_add_shared(literal, 1), 0);
    assert_int_equal(heapd_literal_close(literal), 0);
    assert_int_equal(heapd_literal_state(literal), 0);
    Heapd__V1__Literal columns;
    assert_int_equal(hd_wire_literal(literal, &columns), 0);
    const uint8_t kinds[] = {HD_KIND_DICT, HD_KIND_STR,  HD_KIND_LIST, HD_KIND_INT,
                             HD_KIND_NONE, HD_KIND_TRUE, HD_KIND_STR,  HD_KIND_SHARED};
    assert_int_equal(columns.kinds.len, sizeof kinds);
    assert_memory_equal(columns.kinds.data, kinds, sizeof kinds);
    assert_int_equal(columns.n_counts, 2);
    assert_int_equal(columns.counts[0], 2);
    assert_int_equal(columns.counts[1], 3);
    assert_int_equal(columns.data.len, 11);
    assert_memory_equal(columns.data.data, "primesagain", 11);
    assert_true(heapd_literal_size_bytes(literal) >= protobuf_c_message_get_packed_size(&columns.base));
    heapd_literal_free(literal);
}

static void mistakes_stick_until_the_reset(void **state)
{
    (void)state;
    struct heapd_literal *literal = heapd_literal_new();
    assert_int_equal(heapd_literal_close(literal), HEAPD_EINVALID);
    assert_int_equal(heapd_literal_add(literal, heapd_int(1)), HEAPD_EINVALID);
    heapd_literal_reset(literal);
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("key without a value"));
    assert_int_equal(heapd_literal_close(literal), HEAPD_EINVALID);
    heapd_literal_reset(literal);
    heapd_literal_open_list(literal);
    assert_int_equal(heapd_literal_add_shared(literal, 0), HEAPD_ECYCLE);
    heapd_literal_reset(literal);
    assert_int_equal(heapd_literal_add_shared(literal, 0), HEAPD_EINVALID);
    heapd_literal_reset(literal);
    assert_int_equal(heapd_literal_add(literal, heapd_new(literal)), HEAPD_EINVALID);
    heapd_literal_free(literal);
}

/*
 * A daemon that takes the parts of a document and puts the tree together as
 * text: each container is a slot of `text`, and children are written into it.
 */
#define MODEL_CONTAINERS 4000
struct model {
    struct container {
        enum hd_kind kind;
        char *text; /* children so far; "\x01" NUMBER ";" stands for a container */
        size_t bytes;
    } containers[MODEL_CONTAINERS];
    int count;
    struct {
        uint64_t handle;
        int container;
    } handles[MODEL_CONTAINERS];
    int handle_count;
    int held; /* handles minus releases */
    int parts;
    int depth;   /* the deepest literal */
    int fail_at; /* this part is refused; 0: none */
};

static void model_write(struct container *to, const char *text)
{
    size_t length = strlen(text);
    to->text = realloc(to->text, to->bytes + length + 1);
    memcpy(to->text + to->bytes, text, length + 1);
    to->bytes += length;
}

static int model_find(const struct model *model, uint64_t handle)
{
    for (int i = model->handle_count - 1; i >= 0; i--) {
        if (model->handles[i].handle == handle)
            return model->handles[i].container;
    }
    return -1;
}

static void model_hold(struct model *model, uint64_t handle, int container)
{
    model->handles[model->handle_count].handle = handle;
    model->handles[model->handle_count++].container = container;
    model->held++;
}

/* Reads a literal into the container `base` (-1: the root). Returns the number of its first container. */
static int model_read(struct fake *fake, struct model *model, const Heapd__V1__Literal *from, int base)
{
    struct hd_columns columns = {
        .kinds = from->kinds.data,
        .integers = from->integers,
        .sizes = from->sizes,
        .data = from->data.data,
        .counts = from->counts,
        .kind_count = from->kinds.len,
        .integer_count = from->n_integers,
        .size_count = from->n_sizes,
        .data_bytes = from->data.len,
        .count_count = from->n_counts,
    };
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, &columns);
    int first = model->count;
    struct {
        int container;
        uint64_t left;
    } open[64];
    int depth = 0;
    while (hd_literal_reader_left(&reader) > 0) {
        struct hd_node node;
        int code = hd_literal_reader_next(&reader, &node);
        FAKE_CHECK(fake, code == 0);
        if (code)
            break;
        int around = depth ? open[depth - 1].container : base;
        if (depth)
            open[depth - 1].left--;
        char text[64];
        if (hd_kind_is_container(node.kind)) {
            int number = model->count++;
            model->containers[number].kind = node.kind;
            (void)snprintf(text, sizeof text, "\x01%d;", number);
            open[depth].container = number;
            open[depth++].left = node.kind == HD_KIND_DICT ? node.count * 2 : node.count;
        } else if (node.kind == HD_KIND_INT) {
            (void)snprintf(text, sizeof text, "%lld;", (long long)node.integer);
        } else {
            (void)snprintf(text, sizeof text, "%.*s;", (int)node.bytes.size, (const char *)node.bytes.data);
        }
        if (around >= 0)
            model_write(&model->containers[around], text);
        model->depth = depth > model->depth ? depth : model->depth;
        while (depth > 0 && open[depth - 1].left == 0)
            depth--;
    }
    FAKE_CHECK(fake, hd_literal_reader_end(&reader) == 0);
    return first;
}

static void model_captures(struct fake *fake, struct model *model, const uint64_t *captures, size_t count,
                           uint64_t into, int first)
{
    for (size_t i = 0; i < count; i++) {
        FAKE_CHECK(fake, i == 0 || captures[i] > captures[i - 1]);
        model_hold(model, into + i, first + (int)captures[i]);
    }
}

static void model_answer(struct fake *fake, const struct fake_request *request)
{
    struct model *model = fake->context;
    const uint8_t *body = request->body;
    size_t bytes = request->frame.body_bytes;
    bool is_part = request->frame.method == HEAPD_METHOD_CREATE || request->frame.method == HEAPD_METHOD_EXTEND;
    if (is_part && ++model->parts == model->fail_at) {
        fake_reply_error(fake, request, HD_ENOMEM, "the heap is full", 0);
        return;
    }
    if (is_part && model->fail_at && model->parts > model->fail_at) {
        fake_reply_error(fake, request, HD_EABORTED, "aborted", 1);
        return;
    }
    if (request->frame.method == HEAPD_METHOD_CREATE) {
        Heapd__V1__CreateRequest *message = heapd__v1__create_request__unpack(NULL, bytes, body);
        int first = model_read(fake, model, message->literal, -1);
        model_hold(model, message->into, first);
        model_captures(fake, model, message->captures, message->n_captures, message->captures_into, first);
        fake_reply_handle(fake, request, message->into, HEAPD_TYPE_LIST);
        heapd__v1__create_request__free_unpacked(message, NULL);
    } else if (request->frame.method == HEAPD_METHOD_EXTEND) {
        Heapd__V1__ExtendRequest *message = heapd__v1__extend_request__unpack(NULL, bytes, body);
        int base = model_find(model, message->object);
        FAKE_CHECK(fake, base >= 0);
        int first = model_read(fake, model, message->literal, base);
        model_captures(fake, model, message->captures, message->n_captures, message->captures_into, first);
        fake_reply_empty(fake, request);
        heapd__v1__extend_request__free_unpacked(message, NULL);
    } else if (request->frame.method == HD_METHOD_RELEASE) {
        Heapd__V1__ReleaseRequest *message = heapd__v1__release_request__unpack(NULL, bytes, body);
        model->held -= (int)message->n_handles;
        fake_reply_empty(fake, request);
        heapd__v1__release_request__free_unpacked(message, NULL);
    } else {
        fake_reply_empty(fake, request);
    }
}

static void model_script(struct fake *fake)
{
    struct fake_request request;
    while (fake_read(fake, &request) == 0) {
        model_answer(fake, &request);
        fake_request_fini(&request);
    }
    fake_request_fini(&request);
}

static void model_print(const struct model *model, int number, char *out, size_t *at)
{
    const struct container *container = &model->containers[number];
    out[(*at)++] = container->kind == HD_KIND_LIST ? '[' : '{';
    for (const char *text = container->text; text && *text;) {
        if (*text == 1) {
            model_print(model, atoi(text + 1), out, at);
            text = strchr(text, ';') + 1;
        } else {
            out[(*at)++] = *text++;
        }
    }
    out[(*at)++] = container->kind == HD_KIND_LIST ? ']' : '}';
}

/* The same document as text and as calls; deterministic in its seed. */
static void build(struct heapd_literal *literal, char *text, size_t *at, unsigned *seed, int depth, int children)
{
    bool dict = depth % 2;
    text[(*at)++] = dict ? '{' : '[';
    assert_int_equal(dict ? heapd_literal_open_dict(literal) : heapd_literal_open_list(literal), 0);
    for (int i = 0; i < children; i++) {
        if (dict) {
            char key[16];
            *at += (size_t)sprintf(text + *at, "k%d;", i);
            (void)snprintf(key, sizeof key, "k%d", i);
            assert_int_equal(heapd_literal_add(literal, heapd_str(key)), 0);
        }
        *seed = *seed * 1664525 + 1013904223;
        if (depth < 60 && i == children / 2) {
            build(literal, text, at, seed, depth + 1, 1 + (int)(*seed >> 28));
        } else {
            *at += (size_t)sprintf(text + *at, "%d;", (int)(*seed >> 16));
            assert_int_equal(heapd_literal_add(literal, heapd_int((int)(*seed >> 16))), 0);
        }
    }
    assert_int_equal(heapd_literal_close(literal), 0);
    text[(*at)++] = dict ? '}' : ']';
}

static void a_document_in_parts_is_the_same_document(void **state)
{
    (void)state;
    static char expected[1 << 16], got[1 << 16];
    struct model *model = calloc(1, sizeof *model);
    struct fake fake;
    fake_start(&fake, model_script, model);
    struct heapd_literal *literal = heapd_literal_new();
    assert_int_equal(heapd_literal_attach(literal, fake.client, 256), 0);
    assert_int_equal(heapd_literal_attach(literal, fake.client, 256), HEAPD_EINVALID);
    unsigned seed = 42;
    size_t length = 0;
    build(literal, expected, &length, &seed, 0, 200);
    heapd_handle root = 0;
    struct heapd_error error;
    if (heapd_literal_finish(literal, &root, &error))
        fail_msg("%s", error.message);
    size_t got_length = 0;
    model_print(model, 0, got, &got_length);
    assert_int_equal(got_length, length);
    assert_memory_equal(got, expected, length);
    assert_true(model->parts > 10);
    /* The fake daemon takes 20. */
    assert_true(model->depth <= 20);
    assert_int_equal(heapd_release(fake.client, root), 0);
    assert_int_equal(heapd_finish(fake.client, &error), 0);
    assert_int_equal(heapd_held_count(fake.client), 0);
    assert_int_equal(model->held, 0);
    heapd_literal_free(literal);
    fake_stop(&fake);
    for (int i = 0; i < model->count; i++)
        free(model->containers[i].text);
    free(model);
}

static void a_document_that_fails_leaves_nothing_held(void **state)
{
    (void)state;
    struct model *model = calloc(1, sizeof *model);
    model->fail_at = 5;
    struct fake fake;
    fake_start(&fake, model_script, model);
    struct heapd_literal *literal = heapd_literal_new();
    assert_int_equal(heapd_literal_attach(literal, fake.client, 256), 0);
    assert_int_equal(heapd_literal_open_list(literal), 0);
    for (int i = 0; i < 100000; i++) {
        if (heapd_literal_add(literal, heapd_int(i)))
            break;
    }
    heapd_handle root = 0;
    struct heapd_error error;
    assert_int_equal(heapd_literal_finish(literal, &root, &error), HEAPD_ENOMEM);
    assert_string_equal(error.message, "the heap is full");
    assert_true(root == 0);
    assert_int_equal(heapd_finish(fake.client, &error), 0);
    assert_int_equal(heapd_held_count(fake.client), 0);
    assert_int_equal(model->held, 0);
    heapd_literal_free(literal);
    fake_stop(&fake);
    for (int i = 0; i < model->count; i++)
        free(model->containers[i].text);
    free(model);
}

/* {"a": [1, <shared 0>], "b": instance of P with x = 2.5}, in parts of one node each. */
static void export_script(struct fake *fake)
{
    struct fake_request request;
    fake_expect(fake, HD_METHOD_EXPORT, &request);
    static const uint8_t kinds[] = {HD_KIND_DICT, HD_KIND_STR,      HD_KIND_LIST, HD_KIND_INT, HD_KIND_SHARED,
                                    HD_KIND_STR,  HD_KIND_INSTANCE, HD_KIND_STR,  HD_KIND_STR, HD_KIND_FLOAT};
    static uint64_t counts[] = {2, 2, 1};
    static int64_t integer = 1;
    static uint64_t shared = 0;
    static double real = 2.5;
    static uint64_t size = 1;
    static const char *const texts[] = {"a", "b", "P", "x"};
    int text = 0, count = 0;
    for (size_t i = 0; i < sizeof kinds; i++) {
        Heapd__V1__Literal part = HEAPD__V1__LITERAL__INIT;
        part.kinds = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t)&kinds[i]};
        if (kinds[i] == HD_KIND_STR) {
            part.n_sizes = 1;
            part.sizes = &size;
            part.data = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t)texts[text++]};
        } else if (kinds[i] == HD_KIND_INT) {
            part.n_integers = 1;
            part.integers = &integer;
        } else if (kinds[i] == HD_KIND_SHARED) {
            part.n_shared = 1;
            part.shared = &shared;
        } else if (kinds[i] == HD_KIND_FLOAT) {
            part.n_reals = 1;
            part.reals = &real;
        } else {
            part.n_counts = 1;
            part.counts = &counts[count++];
        }
        fake_send(fake, &request, i + 1 < sizeof kinds ? HD_FRAME_MORE : 0, &part.base);
    }
    fake_request_fini(&request);
    /* The second export fails in the middle, the third is closed in the middle. */
    for (int i = 0; i < 2; i++) {
        fake_expect(fake, HD_METHOD_EXPORT, &request);
        Heapd__V1__Literal part = HEAPD__V1__LITERAL__INIT;
        static const uint8_t list = HD_KIND_LIST;
        part.kinds = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t)&list};
        part.n_counts = 1;
        part.counts = &counts[0];
        fake_send(fake, &request, HD_FRAME_MORE, &part.base);
        if (i == 0)
            fake_reply_error(fake, &request, HD_ECHANGED, "an object changed meanwhile", 0);
        else
            FAKE_CHECK(fake, request.body != NULL);
        if (i == 1) {
            struct fake_request cancel;
            fake_expect(fake, HD_METHOD_EXPORT, &cancel);
            FAKE_CHECK(fake, cancel.frame.flags == HD_FRAME_CANCEL);
            fake_send(fake, &request, HD_FRAME_MORE, &part.base);
            fake_reply_error(fake, &request, HD_ECANCELLED, "cancelled", 0);
            fake_request_fini(&cancel);
        }
        fake_request_fini(&request);
    }
    fake_serve_end(fake);
}

static struct heapd_node next_node(struct heapd_export *reader)
{
    struct heapd_node node = {0};
    struct heapd_error error;
    int code = heapd_export_next(reader, &node, &error);
    if (code != 1)
        fail_msg("%d: %s", code, error.message);
    return node;
}

static void check_value(struct heapd_export *reader, bool is_key, uint32_t depth, const char *text)
{
    struct heapd_node node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_VALUE);
    assert_int_equal(node.is_key, is_key);
    assert_int_equal(node.depth, depth);
    assert_int_equal(node.value.kind, HEAPD_VALUE_STR);
    assert_memory_equal(node.value.as.bytes.data, text, node.value.as.bytes.size);
}

static void check_export(struct heapd_export *reader)
{
    struct heapd_node node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_DICT);
    assert_int_equal(node.count, 2);
    check_value(reader, true, 1, "a");
    node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_LIST);
    assert_int_equal(node.container, 1);
    assert_false(node.is_key);
    node = next_node(reader);
    assert_int_equal(node.value.as.integer, 1);
    assert_int_equal(node.depth, 2);
    node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_SHARED);
    assert_int_equal(node.container, 0);
    node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_END);
    assert_int_equal(node.container, 1);
    check_value(reader, true, 1, "b");
    node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_INSTANCE);
    assert_memory_equal(node.value.as.bytes.data, "P", 1);
    check_value(reader, true, 2, "x");
    node = next_node(reader);
    assert_true(node.value.as.real > 2.4 && node.value.as.real < 2.6);
    assert_int_equal(next_node(reader).kind, HEAPD_NODE_END);
    node = next_node(reader);
    assert_int_equal(node.kind, HEAPD_NODE_END);
    assert_int_equal(node.depth, 0);
}

static void an_export_is_one_walk(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, export_script, NULL);
    struct heapd_export *reader;
    struct heapd_error error;
    struct heapd_node node;
    assert_int_equal(heapd_export_open(fake.client, 5, 0, &reader, &error), 0);
    check_export(reader);
    assert_int_equal(heapd_export_next(reader, &node, &error), 0);
    assert_int_equal(heapd_export_next(reader, &node, &error), 0);
    heapd_export_close(reader);
    assert_int_equal(heapd_export_open(fake.client, 5, 0, &reader, &error), 0);
    assert_int_equal(heapd_export_next(reader, &node, &error), 1);
    assert_int_equal(heapd_export_next(reader, &node, &error), HEAPD_ECHANGED);
    assert_int_equal(heapd_export_next(reader, &node, &error), HEAPD_ECHANGED);
    heapd_export_close(reader);
    assert_int_equal(heapd_export_open(fake.client, 5, 0, &reader, &error), 0);
    assert_int_equal(heapd_export_next(reader, &node, &error), 1);
    heapd_export_close(reader);
    assert_int_equal(heapd_unbind(fake.client, 0, heapd_text("x"), &error), 0);
    assert_int_equal(heapd_pending_count(fake.client), 0);
    fake_stop(&fake);
}

/* A frame with a body of random bytes. */
static void write_random(struct fake *fake, const struct fake_request *request, uint8_t flags)
{
    unsigned *seed = fake->context;
    uint8_t bytes[HD_FRAME_HEADER_BYTES + 64];
    size_t body_bytes = (size_t)rand_r(seed) % 64;
    struct hd_frame frame = request->frame;
    frame.body_bytes = (uint32_t)body_bytes;
    frame.flags = flags;
    hd_frame_write(bytes, &frame);
    /* Small bytes are likelier to be tags and lengths that make some sense. */
    for (size_t i = 0; i < body_bytes; i++)
        bytes[HD_FRAME_HEADER_BYTES + i] = (uint8_t)(rand_r(seed) % (rand_r(seed) % 2 ? 16 : 256));
    fake_write(fake, bytes, HD_FRAME_HEADER_BYTES + body_bytes);
}

static void random_script(struct fake *fake)
{
    unsigned *seed = fake->context;
    struct fake_request request;
    while (fake_read(fake, &request) == 0) {
        if (rand_r(seed) % 4 == 0)
            write_random(fake, &request, HD_FRAME_MORE);
        write_random(fake, &request, rand_r(seed) % 4 ? 0 : HD_FRAME_ERROR);
        fake_request_fini(&request);
    }
    fake_request_fini(&request);
}

static int ask_something(struct heapd_connection *heap, unsigned which)
{
    struct heapd_result result = {0};
    struct heapd_value value = {0};
    struct heapd_export *reader;
    struct heapd_node node;
    struct heapd_error error;
    int code = 0;
    switch (which % 6) {
    case 0:
        code = heapd_stats(heap, &result, &error);
        break;
    case 1:
        code = heapd_list_sessions(heap, &result, &error);
        break;
    case 2:
        code = heapd_list_names(heap, 0, heapd_text(""), 0, 0, &result, &error);
        break;
    case 3:
        code = heapd_inspect(heap, 5, &result, &error);
        break;
    case 4:
        code = heapd_lookup(heap, 0, heapd_text("x"), HEAPD_ANY, 0, &value, &error);
        break;
    default:
        code = heapd_export_open(heap, 5, 0, &reader, &error);
        if (code == 0) {
            while ((code = heapd_export_next(reader, &node, &error)) == 1)
                ;
            heapd_export_close(reader);
        }
    }
    heapd_result_clear(&result);
    heapd_value_clear(&value);
    return code;
}

static void random_replies_do_no_harm(void **state)
{
    (void)state;
    const char *given = getenv("HEAPD_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)printf("HEAPD_TEST_SEED=%u\n", seed);
    unsigned failed = 0;
    for (unsigned round = 0; round < 600; round++) {
        unsigned script_seed = seed + round;
        struct fake fake;
        fake_start(&fake, random_script, &script_seed);
        for (int i = 0; i < 20 && heapd_connection_state(fake.client, NULL) == 0; i++)
            failed += ask_something(fake.client, round) < 0;
        fake_stop(&fake);
    }
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_counts_for_itself),
        cmocka_unit_test(mistakes_stick_until_the_reset),
        cmocka_unit_test(a_document_in_parts_is_the_same_document),
        cmocka_unit_test(a_document_that_fails_leaves_nothing_held),
        cmocka_unit_test(an_export_is_one_walk),
        cmocka_unit_test(random_replies_do_no_harm),
    };
    return cmocka_run_group_tests_name("client documents", tests, NULL, NULL);
}
