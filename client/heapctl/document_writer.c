#include "client/heapctl/document_writer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "client/heapctl/number.h"
#include "client/heapctl/path.h"

#define OPEN_BIT (UINT64_C(1) << 63)
#define NO_KEY SIZE_MAX

/* A container that is open in the text. */
struct level {
    uint64_t index;    /* of the child that is being written; children so far less one */
    size_t key_offset; /* of its key's packed node in the log; NO_KEY in arrays */
    bool is_object;
};

/* A shared part that is being written again: its nodes from `offset` on, until `depth` falls back to 0. */
struct replay {
    size_t offset;
    size_t depth;
};

/* How a node lies in the log. The bytes of a node with bytes follow it. */
struct packed {
    uint8_t kind;       /* enum heapd_node_kind */
    uint8_t value_kind; /* enum heapd_value_kind */
    bool is_key;
    uint64_t number; /* integer, the bits of a float, a bool, the size of the bytes, or the shared container */
};
#define PACKED_BYTES 11

int hd_document_writer_init(struct hd_document_writer *writer, FILE *stream, const struct hd_document_options *options,
                            const char *root_path)
{
    struct hd_buffer *buffers[] = {&writer->root,   &writer->log,     &writer->containers,
                                   &writer->levels, &writer->replays, &writer->scratch};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        hd_buffer_init(buffers[i], &hd_allocator_libc, SIZE_MAX / 2);
    hd_json_writer_init(&writer->json, stream, &options->layout);
    writer->bytes_as_base64 = options->bytes_as_base64;
    return hd_buffer_append(&writer->root, root_path, strlen(root_path));
}

void hd_document_writer_fini(struct hd_document_writer *writer)
{
    struct hd_buffer *buffers[] = {&writer->root,   &writer->log,     &writer->containers,
                                   &writer->levels, &writer->replays, &writer->scratch};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        hd_buffer_fini(buffers[i]);
    hd_json_writer_fini(&writer->json);
}

static bool has_bytes(enum heapd_value_kind kind)
{
    return kind == HEAPD_VALUE_STR || kind == HEAPD_VALUE_BYTES || kind == HEAPD_VALUE_BIG_INT;
}

static int pack(struct hd_buffer *log, const struct heapd_node *node)
{
    struct packed packed = {.kind = (uint8_t)node->kind, .is_key = node->is_key};
    size_t size = 0;
    if (node->kind == HEAPD_NODE_SHARED)
        packed.number = node->container;
    if (node->kind == HEAPD_NODE_VALUE) {
        packed.value_kind = (uint8_t)node->value.kind;
        if (has_bytes(node->value.kind))
            packed.number = size = node->value.as.bytes.size;
        else if (node->value.kind == HEAPD_VALUE_FLOAT)
            memcpy(&packed.number, &node->value.as.real, sizeof packed.number);
        else if (node->value.kind == HEAPD_VALUE_BOOL)
            packed.number = node->value.as.boolean;
        else
            packed.number = (uint64_t)node->value.as.integer;
    }
    uint8_t *room;
    int error = hd_buffer_reserve(log, PACKED_BYTES + size, &room);
    if (error)
        return error;
    room[0] = packed.kind;
    room[1] = packed.value_kind;
    room[2] = packed.is_key;
    memcpy(room + 3, &packed.number, sizeof packed.number);
    if (size)
        memcpy(room + PACKED_BYTES, node->value.as.bytes.data, size);
    hd_buffer_commit(log, PACKED_BYTES + size);
    return 0;
}

/* The node at `offset`, its bytes lent by the log, and where the next one lies. */
static size_t unpack(const struct hd_buffer *log, size_t offset, struct heapd_node *node)
{
    const uint8_t *at = hd_buffer_head(log) + offset;
    uint64_t number;
    memcpy(&number, at + 3, sizeof number);
    memset(node, 0, sizeof *node);
    node->kind = at[0];
    node->is_key = at[2];
    node->container = number;
    if (node->kind != HEAPD_NODE_VALUE)
        return offset + PACKED_BYTES;
    node->value = heapd_value_make(at[1]);
    if (has_bytes(node->value.kind)) {
        node->value.as.bytes = heapd_slice(at + PACKED_BYTES, number);
        return offset + PACKED_BYTES + number;
    }
    if (node->value.kind == HEAPD_VALUE_FLOAT)
        memcpy(&node->value.as.real, &number, sizeof number);
    else if (node->value.kind == HEAPD_VALUE_BOOL)
        node->value.as.boolean = number;
    else
        node->value.as.integer = (int64_t)number;
    return offset + PACKED_BYTES;
}

static struct level *top_level(const struct hd_document_writer *writer)
{
    if (!hd_buffer_readable(&writer->levels))
        return NULL;
    return (struct level *)(void *)(writer->levels.data + writer->levels.end) - 1;
}

/* Text of a number, a bool or none, as a value or inside the quotes of a key; NULL and a problem if there is none. */
static const char *scalar_text(struct hd_document_writer *writer, const struct heapd_value *value, char *local,
                               size_t *count)
{
    switch (value->kind) {
    case HEAPD_VALUE_NONE:
        *count = 4;
        return "null";
    case HEAPD_VALUE_BOOL:
        *count = value->as.boolean ? 4 : 5;
        return value->as.boolean ? "true" : "false";
    case HEAPD_VALUE_INT:
        *count = hd_number_format_int(value->as.integer, local);
        return local;
    case HEAPD_VALUE_FLOAT:
        *count = hd_number_format_real(value->as.real, local);
        return local;
    default:
        hd_buffer_reset(&writer->scratch, SIZE_MAX);
        if (hd_number_format_big((const uint8_t *)value->as.bytes.data, value->as.bytes.size, &writer->scratch))
            return NULL;
        *count = hd_buffer_readable(&writer->scratch);
        return (const char *)hd_buffer_head(&writer->scratch);
    }
}

static const char *base64_text(struct hd_document_writer *writer, struct heapd_bytes bytes, size_t *count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = (const uint8_t *)bytes.data;
    uint8_t *out;
    hd_buffer_reset(&writer->scratch, SIZE_MAX);
    if (hd_buffer_reserve(&writer->scratch, (bytes.size + 2) / 3 * 4 + 1, &out))
        return NULL;
    *count = (bytes.size + 2) / 3 * 4;
    const char *text = (const char *)out;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group =
            (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0u);
        *out++ = (uint8_t)digits[group >> 18];
        *out++ = (uint8_t)digits[group >> 12 & 63];
        *out++ = left > 1 ? (uint8_t)digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? (uint8_t)digits[group & 63] : '=';
    }
    return text;
}

static int append_level(struct hd_document_writer *writer, const struct level *level, struct hd_buffer *path)
{
    if (level->key_offset == NO_KEY)
        return hd_path_append_index(path, level->index);
    struct heapd_node key;
    char local[HD_NUMBER_TEXT_BYTES];
    size_t count;
    unpack(&writer->log, level->key_offset, &key);
    if (key.kind != HEAPD_NODE_VALUE)
        return hd_path_append_member(path, "?", 1);
    if (has_bytes(key.value.kind) && key.value.kind != HEAPD_VALUE_BIG_INT)
        return hd_path_append_member(path, key.value.as.bytes.data, key.value.as.bytes.size);
    const char *text = scalar_text(writer, &key.value, local, &count);
    return text ? hd_path_append_member(path, text, count) : HD_ENOMEM;
}

/* "PATH: what", where PATH leads to the node that comes now. A long path loses its middle. */
static int refuse(struct hd_document_writer *writer, int error, const char *what, struct hd_problem *problem)
{
    enum { SHOWN = 240 };
    struct hd_buffer path;
    hd_buffer_init(&path, &hd_allocator_libc, SIZE_MAX / 2);
    int failed = hd_buffer_append(&path, hd_buffer_head(&writer->root), hd_buffer_readable(&writer->root));
    const struct level *level = (const struct level *)(const void *)hd_buffer_head(&writer->levels);
    for (size_t i = hd_buffer_readable(&writer->levels) / sizeof *level; !failed && i > 0; i--, level++)
        failed = append_level(writer, level, &path);
    const char *text = (const char *)hd_buffer_head(&path);
    int count = (int)(hd_buffer_readable(&path) < INT32_MAX ? hd_buffer_readable(&path) : INT32_MAX);
    if (failed)
        hd_problem_no_memory(problem);
    else if (count <= 2 * SHOWN)
        hd_problem_set(problem, error, "%.*s: %s", count, text, what);
    else
        hd_problem_set(problem, error, "%.*s ... %.*s: %s", SHOWN, text, SHOWN, text + count - SHOWN, what);
    hd_buffer_fini(&path);
    return problem->error;
}

static int write_key(struct hd_document_writer *writer, const struct heapd_node *node, struct hd_problem *problem)
{
    char local[HD_NUMBER_TEXT_BYTES];
    const struct heapd_value *value = &node->value;
    const char *text;
    size_t count;
    if (node->kind != HEAPD_NODE_VALUE)
        return refuse(writer, HD_ETYPE, "a key that is a container has no form in JSON", problem);
    if (value->kind == HEAPD_VALUE_BYTES && !writer->bytes_as_base64)
        return refuse(writer, HD_ETYPE, "a key of bytes has no form in JSON; --bytes=base64 writes it as text",
                      problem);
    if (value->kind == HEAPD_VALUE_FLOAT && !isfinite(value->as.real))
        return refuse(writer, HD_ETYPE, "a key that is not a finite number has no form in JSON", problem);
    if (value->kind == HEAPD_VALUE_STR) {
        hd_json_writer_key(&writer->json, value->as.bytes.data, value->as.bytes.size);
        return 0;
    }
    if (value->kind == HEAPD_VALUE_BYTES)
        text = base64_text(writer, value->as.bytes, &count);
    else
        text = scalar_text(writer, value, local, &count);
    if (!text)
        return hd_problem_no_memory(problem);
    hd_json_writer_key(&writer->json, text, count);
    return 0;
}

static int write_scalar(struct hd_document_writer *writer, const struct heapd_value *value, struct hd_problem *problem)
{
    char local[HD_NUMBER_TEXT_BYTES];
    size_t count;
    if (value->kind == HEAPD_VALUE_STR) {
        hd_json_writer_string(&writer->json, value->as.bytes.data, value->as.bytes.size);
        return 0;
    }
    if (value->kind == HEAPD_VALUE_BYTES) {
        if (!writer->bytes_as_base64)
            return refuse(writer, HD_ETYPE, "bytes have no form in JSON; --bytes=base64 writes them as text", problem);
        const char *text = base64_text(writer, value->as.bytes, &count);
        if (!text)
            return hd_problem_no_memory(problem);
        hd_json_writer_string(&writer->json, text, count);
        return 0;
    }
    if (value->kind == HEAPD_VALUE_FLOAT && !isfinite(value->as.real))
        return refuse(writer, HD_ETYPE,
                      isnan(value->as.real) ? "NaN has no form in JSON" : "infinity has no form in JSON", problem);
    if (value->kind == HEAPD_VALUE_ABSENT || value->kind > HEAPD_VALUE_BYTES)
        return refuse(writer, HD_ETYPE, "this kind of value has no form in JSON", problem);
    const char *text = scalar_text(writer, value, local, &count);
    if (!text)
        return hd_problem_no_memory(problem);
    hd_json_writer_raw(&writer->json, text, count);
    return 0;
}

static int open_container(struct hd_document_writer *writer, const struct heapd_node *node, struct hd_problem *problem)
{
    struct level level = {.index = UINT64_MAX, .key_offset = NO_KEY};
    level.is_object = node->kind == HEAPD_NODE_DICT || node->kind == HEAPD_NODE_INSTANCE;
    int error = hd_buffer_append(&writer->levels, &level, sizeof level);
    if (!error)
        error =
            level.is_object ? hd_json_writer_begin_object(&writer->json) : hd_json_writer_begin_array(&writer->json);
    return error ? hd_problem_no_memory(problem) : 0;
}

/* Writes a node whose packed form lies at `offset` in the log; a shared one is for the caller. */
static int write_node(struct hd_document_writer *writer, const struct heapd_node *node, size_t offset,
                      struct hd_problem *problem)
{
    if (node->kind == HEAPD_NODE_END) {
        hd_json_writer_end(&writer->json);
        writer->levels.end -= sizeof(struct level);
        return 0;
    }
    struct level *level = top_level(writer);
    if (level && (node->is_key || !level->is_object))
        level->index++;
    if (node->is_key) {
        level->key_offset = offset;
        return write_key(writer, node, problem);
    }
    if (node->kind == HEAPD_NODE_VALUE)
        return write_scalar(writer, &node->value, problem);
    return node->kind == HEAPD_NODE_SHARED ? 0 : open_container(writer, node, problem);
}

static uint64_t *container(const struct hd_document_writer *writer, uint64_t number)
{
    return (uint64_t *)(void *)hd_buffer_head(&writer->containers) + number;
}

/* Writes a container, closed before, once more. */
static int begin_replay(struct hd_document_writer *writer, uint64_t number, struct hd_problem *problem)
{
    if (number >= hd_buffer_readable(&writer->containers) / sizeof(uint64_t))
        return hd_problem_set(problem, HD_EPROTOCOL, "the export refers to a part that did not come");
    uint64_t begin = *container(writer, number);
    if (begin & OPEN_BIT)
        return refuse(writer, HD_ECYCLE, "this is one of the containers that it lies in, and JSON cannot hold a cycle",
                      problem);
    struct replay replay = {.offset = begin};
    return hd_buffer_append(&writer->replays, &replay, sizeof replay) ? hd_problem_no_memory(problem) : 0;
}

static int run_replays(struct hd_document_writer *writer, struct hd_problem *problem)
{
    while (hd_buffer_readable(&writer->replays)) {
        struct replay *replay = (struct replay *)(void *)(writer->replays.data + writer->replays.end) - 1;
        struct heapd_node node;
        size_t offset = replay->offset;
        replay->offset = unpack(&writer->log, offset, &node);
        if (node.kind == HEAPD_NODE_END)
            replay->depth--;
        else if (node.kind != HEAPD_NODE_VALUE && node.kind != HEAPD_NODE_SHARED)
            replay->depth++;
        if (!replay->depth)
            writer->replays.end -= sizeof *replay;
        int error = write_node(writer, &node, offset, problem);
        if (!error && node.kind == HEAPD_NODE_SHARED)
            error = begin_replay(writer, node.container, problem);
        if (error)
            return error;
    }
    return 0;
}

/* Remembers where containers begin, and which are open. */
static int note_container(struct hd_document_writer *writer, const struct heapd_node *node, uint64_t offset)
{
    uint64_t known = hd_buffer_readable(&writer->containers) / sizeof(uint64_t);
    if (node->kind == HEAPD_NODE_END) {
        if (node->container >= known)
            return HD_EPROTOCOL;
        *container(writer, node->container) &= ~OPEN_BIT;
        return 0;
    }
    if (node->container != known)
        return HD_EPROTOCOL;
    offset |= OPEN_BIT;
    return hd_buffer_append(&writer->containers, &offset, sizeof offset);
}

int hd_document_writer_node(struct hd_document_writer *writer, const struct heapd_node *node,
                            struct hd_problem *problem)
{
    size_t offset = hd_buffer_readable(&writer->log);
    int error = pack(&writer->log, node);
    if (!error && node->kind != HEAPD_NODE_VALUE && node->kind != HEAPD_NODE_SHARED)
        error = note_container(writer, node, offset);
    if (error)
        return error == HD_EPROTOCOL ? hd_problem_set(problem, error, "the export's containers are not in order")
                                     : hd_problem_no_memory(problem);
    error = write_node(writer, node, offset, problem);
    if (!error && node->kind == HEAPD_NODE_SHARED) {
        error = begin_replay(writer, node->container, problem);
        if (!error)
            error = run_replays(writer, problem);
    }
    return error;
}
