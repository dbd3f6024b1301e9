#include "client/lib/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "common/literal.h"

/* Bytes of values, each followed by a NUL, behind one another in the result's one block. */
static struct heapd_bytes copy(char **to, const void *data, size_t size)
{
    struct heapd_bytes bytes = {.data = *to, .size = size};
    if (size)
        memcpy(*to, data, size);
    (*to)[size] = '\0';
    *to += size + 1;
    return bytes;
}

/* ---- a pair ---- */

static size_t bytes_of(const Heapd__V1__Value *value)
{
    switch (value->kind_case) {
    case HEAPD__V1__VALUE__KIND_BIG_INTEGER:
        return value->big_integer.len + 1;
    case HEAPD__V1__VALUE__KIND_STR:
        return value->str.len + 1;
    case HEAPD__V1__VALUE__KIND_BYTES:
        return value->bytes.len + 1;
    default:
        return 1;
    }
}

static int decode_half(const Heapd__V1__Value *from, char **to, struct heapd_value *out)
{
    *out = heapd_value_make((enum heapd_value_kind)from->kind_case);
    switch (from->kind_case) {
    case HEAPD__V1__VALUE__KIND_NONE:
        return 0;
    case HEAPD__V1__VALUE__KIND_BOOLEAN:
        out->as.boolean = from->boolean;
        return 0;
    case HEAPD__V1__VALUE__KIND_INTEGER:
        out->as.integer = from->integer;
        return 0;
    case HEAPD__V1__VALUE__KIND_REAL:
        out->as.real = from->real;
        return 0;
    case HEAPD__V1__VALUE__KIND_BIG_INTEGER:
        out->as.bytes = copy(to, from->big_integer.data, from->big_integer.len);
        return from->big_integer.len ? 0 : HD_EPROTOCOL;
    case HEAPD__V1__VALUE__KIND_STR:
        out->as.bytes = copy(to, from->str.data, from->str.len);
        return 0;
    case HEAPD__V1__VALUE__KIND_BYTES:
        out->as.bytes = copy(to, from->bytes.data, from->bytes.len);
        return 0;
    case HEAPD__V1__VALUE__KIND_HANDLE:
        out->as.ref = from->handle;
        out->type = (enum heapd_type)from->type;
        return 0;
    default:
        return HD_EPROTOCOL;
    }
}

int hd_pair_decode(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__DictPopItemReply *from = (const Heapd__V1__DictPopItemReply *)message;
    if (!from->key || !from->value)
        return HD_EPROTOCOL;
    char *to = malloc(bytes_of(from->key) + bytes_of(from->value));
    result->memory = to;
    if (!to)
        return HD_ENOMEM;
    int code = decode_half(from->key, &to, &result->as.pair.key);
    return code ? code : decode_half(from->value, &to, &result->as.pair.value);
}

/* ---- a chunk ---- */

static struct hd_columns columns_of(const Heapd__V1__Literal *literal)
{
    return (struct hd_columns){
        .kinds = literal->kinds.data,
        .kind_count = literal->kinds.len,
        .integers = literal->integers,
        .integer_count = literal->n_integers,
        .reals = literal->reals,
        .real_count = literal->n_reals,
        .sizes = literal->sizes,
        .size_count = literal->n_sizes,
        .data = literal->data.data,
        .data_bytes = literal->data.len,
        .handles = literal->handles,
        .handle_count = literal->n_handles,
    };
}

static int decode_node(const struct hd_node *node, char **to, struct heapd_value *out)
{
    switch (node->kind) {
    case HD_KIND_NONE:
        *out = heapd_none();
        return 0;
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        *out = heapd_bool(node->kind == HD_KIND_TRUE);
        return 0;
    case HD_KIND_INT:
        *out = heapd_int(node->integer);
        return 0;
    case HD_KIND_FLOAT:
        *out = heapd_float(node->real);
        return 0;
    case HD_KIND_BIG_INT:
        *out = heapd_value_make(HEAPD_VALUE_BIG_INT);
        break;
    case HD_KIND_STR:
        *out = heapd_value_make(HEAPD_VALUE_STR);
        break;
    case HD_KIND_BYTES:
        *out = heapd_value_make(HEAPD_VALUE_BYTES);
        break;
    case HD_KIND_HANDLE:
        *out = heapd_ref(node->handle);
        return 0;
    default:
        return HD_EPROTOCOL;
    }
    out->as.bytes = copy(to, node->bytes.data, node->bytes.size);
    return 0;
}

static int decode_items(const Heapd__V1__CursorChunk *from, const struct hd_columns *columns, struct heapd_value *items,
                        char *to, struct heapd_chunk *chunk)
{
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, columns);
    for (size_t i = 0; i < columns->kind_count; i++) {
        struct hd_node node;
        int code = hd_literal_reader_next(&reader, &node);
        if (!code)
            code = decode_node(&node, &to, &items[i]);
        if (code)
            return HD_EPROTOCOL;
        if (items[i].kind != HEAPD_VALUE_REF)
            continue;
        if (chunk->ref_count < from->n_types)
            items[i].type = (enum heapd_type)from->types[chunk->ref_count];
        chunk->ref_count++;
    }
    chunk->items = items;
    chunk->count = columns->kind_count;
    return hd_literal_reader_end(&reader);
}

static void describe(const Heapd__V1__CursorChunk *from, struct heapd_description *out)
{
    for (size_t i = 0; i < from->n_identities; i++)
        out[i] = (struct heapd_description){
            .type = (enum heapd_type)from->types[i],
            .key_type = i < from->n_key_types ? (enum heapd_type)from->key_types[i] : HEAPD_TYPE_UNKNOWN,
            .identity = from->identities[i],
            .length = from->lengths[i],
        };
}

int hd_chunk_decode(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__CursorChunk *from = (const Heapd__V1__CursorChunk *)message;
    static const Heapd__V1__Literal nothing = HEAPD__V1__LITERAL__INIT;
    const struct hd_columns columns = columns_of(from->items ? from->items : &nothing);
    struct heapd_chunk *chunk = &result->as.chunk;
    size_t described = from->n_identities;
    if (described && (from->n_types != described || from->n_lengths != described || columns.kind_count != described))
        return HD_EPROTOCOL;
    size_t item_bytes = columns.kind_count * sizeof(struct heapd_value);
    size_t description_bytes = described * sizeof(struct heapd_description);
    /* Each value's bytes lie in data, and have a NUL behind them here. */
    char *block = malloc(item_bytes + description_bytes + columns.data_bytes + columns.kind_count + 1);
    result->memory = block;
    if (!block)
        return HD_ENOMEM;
    struct heapd_description *descriptions = (struct heapd_description *)(void *)(block + item_bytes);
    if (described) {
        describe(from, descriptions);
        chunk->descriptions = descriptions;
        chunk->description_count = described;
    }
    chunk->done = from->done;
    return decode_items(from, &columns, (struct heapd_value *)(void *)block, block + item_bytes + description_bytes,
                        chunk);
}
