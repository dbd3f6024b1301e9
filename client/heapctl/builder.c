#include "client/heapctl/builder.h"

/* What the literal sends at a time, and what a request adds to its contents at most. */
#define PART_BYTES ((size_t)256 << 10)
#define REQUEST_BYTES 4096

int hd_builder_init(struct hd_builder *builder, struct heapd_connection *connection)
{
    *builder = (struct hd_builder){.connection = connection, .literal = heapd_literal_new()};
    return builder->literal ? 0 : HD_ENOMEM;
}

void hd_builder_fini(struct hd_builder *builder)
{
    heapd_literal_free(builder->literal);
    if (builder->handle)
        heapd_release(builder->connection, builder->handle);
    *builder = (struct hd_builder){0};
}

/* A part that was refused shows as a code alone; what there is to say about it comes with finish. */
static int check(struct hd_builder *builder, int code, struct hd_problem *problem)
{
    struct heapd_error error;
    if (!code)
        return 0;
    if (builder->attached && heapd_literal_finish(builder->literal, &builder->handle, &error)) {
        builder->attached = false;
        return hd_problem_set(problem, error.code, "%s", error.message);
    }
    return hd_problem_set(problem, code, "%s", heapd_code_text(code));
}

static int open_container(struct hd_builder *builder, enum hd_kind kind)
{
    if (!builder->begun) {
        int code = heapd_literal_attach(builder->literal, builder->connection, PART_BYTES);
        if (code)
            return code;
        builder->attached = true;
    }
    return kind == HD_KIND_LIST ? heapd_literal_open_list(builder->literal) : heapd_literal_open_dict(builder->literal);
}

static int on_value(void *context, const struct hd_node *node, struct hd_problem *problem)
{
    struct hd_builder *builder = context;
    int code;
    switch (node->kind) {
    case HD_KIND_NONE:
        code = heapd_literal_add(builder->literal, heapd_none());
        break;
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        code = heapd_literal_add(builder->literal, heapd_bool(node->kind == HD_KIND_TRUE));
        break;
    case HD_KIND_INT:
        code = heapd_literal_add(builder->literal, heapd_int(node->integer));
        break;
    case HD_KIND_BIG_INT:
        code = heapd_literal_add(builder->literal, heapd_big_int(node->bytes.data, node->bytes.size));
        break;
    case HD_KIND_FLOAT:
        code = heapd_literal_add(builder->literal, heapd_float(node->real));
        break;
    case HD_KIND_STR:
        code = heapd_literal_add(builder->literal, heapd_str_of((const char *)node->bytes.data, node->bytes.size));
        break;
    default:
        code = open_container(builder, node->kind);
        break;
    }
    builder->begun = true;
    return check(builder, code, problem);
}

static int on_key(void *context, const uint8_t *text, size_t count, struct hd_problem *problem)
{
    struct hd_builder *builder = context;
    return check(builder, heapd_literal_add(builder->literal, heapd_str_of((const char *)text, count)), problem);
}

static int on_end(void *context, struct hd_problem *problem)
{
    struct hd_builder *builder = context;
    return check(builder, heapd_literal_close(builder->literal), problem);
}

struct hd_json_limits hd_builder_limits(const struct hd_builder *builder)
{
    struct heapd_server_info info;
    heapd_get_server_info(builder->connection, &info);
    /* A string may come when a part is almost full; a smaller frame has smaller parts. */
    size_t frame = info.max_frame_bytes;
    size_t part = PART_BYTES < frame / 2 ? PART_BYTES : frame / 2;
    size_t text = frame > part + REQUEST_BYTES ? frame - part - REQUEST_BYTES : 0;
    return (struct hd_json_limits){.depth = info.max_depth, .text_bytes = text};
}

struct hd_json_sink hd_builder_sink(struct hd_builder *builder)
{
    return (struct hd_json_sink){on_value, on_key, on_end, builder};
}

int hd_builder_finish(struct hd_builder *builder, struct heapd_value *out, struct hd_problem *problem)
{
    struct heapd_error error;
    if (!builder->attached) {
        *out = heapd_new(builder->literal);
        return 0;
    }
    builder->attached = false;
    if (heapd_literal_finish(builder->literal, &builder->handle, &error))
        return hd_problem_set(problem, error.code, "%s", error.message);
    *out = heapd_ref(builder->handle);
    return 0;
}
