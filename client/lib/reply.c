#include "client/lib/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/chunk.h"
#include "client/lib/memory.h"
#include "client/lib/request.h"
#include "client/lib/wire.h"
#include "heapd/v1/admin.pb-c.h"
#include "heapd/v1/buffer.pb-c.h"
#include "heapd/v1/containers.pb-c.h"
#include "heapd/v1/gc.pb-c.h"
#include "heapd/v1/method.pb-c.h"
#include "heapd/v1/names.pb-c.h"
#include "heapd/v1/object.pb-c.h"
#include "heapd/v1/session.pb-c.h"
#include "heapd/v1/sync.pb-c.h"
#include "heapd/v1/token.pb-c.h"

/*
 * What a result points to lies in one block, result->memory: first an array of
 * items, if there is one, then bytes, each followed by a NUL.
 */
struct block {
    char *bytes;
};

static int block_new(struct heapd_result *result, size_t array_bytes, size_t text_bytes, struct block *out)
{
    size_t bytes = array_bytes + text_bytes;
    result->memory = malloc(bytes ? bytes : 1);
    if (!result->memory)
        return HD_ENOMEM;
    out->bytes = (char *)result->memory + array_bytes;
    return 0;
}

static const char *block_copy(struct block *block, const void *data, size_t size)
{
    char *copy = block->bytes;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    block->bytes += size + 1;
    return copy;
}

static struct heapd_bytes block_bytes(struct block *block, ProtobufCBinaryData data)
{
    return (struct heapd_bytes){.data = block_copy(block, data.data, data.len), .size = data.len};
}

static const char *block_text(struct block *block, const char *text)
{
    return block_copy(block, text, strlen(text));
}

static int copy_bytes(ProtobufCBinaryData data, struct heapd_value *out)
{
    char *copy = malloc(data.len + 1);
    if (!copy)
        return HD_ENOMEM;
    if (data.len)
        memcpy(copy, data.data, data.len);
    copy[data.len] = '\0';
    out->as.bytes = heapd_slice(copy, data.len);
    out->memory = copy;
    return 0;
}

static int decode_value(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__Value *from = (const Heapd__V1__Value *)message;
    struct heapd_value *to = &result->value;
    to->kind = (enum heapd_value_kind)from->kind_case;
    switch (from->kind_case) {
    case HEAPD__V1__VALUE__KIND_NONE:
        return 0;
    case HEAPD__V1__VALUE__KIND_BOOLEAN:
        to->as.boolean = from->boolean;
        return 0;
    case HEAPD__V1__VALUE__KIND_INTEGER:
        to->as.integer = from->integer;
        return 0;
    case HEAPD__V1__VALUE__KIND_REAL:
        to->as.real = from->real;
        return 0;
    case HEAPD__V1__VALUE__KIND_BIG_INTEGER:
        return from->big_integer.len ? copy_bytes(from->big_integer, to) : HD_EPROTOCOL;
    case HEAPD__V1__VALUE__KIND_STR:
        return copy_bytes(from->str, to);
    case HEAPD__V1__VALUE__KIND_BYTES:
        return copy_bytes(from->bytes, to);
    case HEAPD__V1__VALUE__KIND_HANDLE:
        to->as.ref = from->handle;
        to->type = (enum heapd_type)from->type;
        return 0;
    default:
        return HD_EPROTOCOL;
    }
}

static int decode_empty(const ProtobufCMessage *message, struct heapd_result *result)
{
    (void)message;
    (void)result;
    return 0;
}

static int decode_buffer(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__BufferReply *from = (const Heapd__V1__BufferReply *)message;
    result->as.buffer = (struct heapd_buffer_info){from->size, from->serial, from->sealed};
    if (from->handle) {
        result->value.kind = HEAPD_VALUE_REF;
        result->value.type = HEAPD_TYPE_BUFFER;
        result->value.as.ref = from->handle;
    }
    return 0;
}

static int decode_ping(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__PingReply *from = (const Heapd__V1__PingReply *)message;
    struct block block;
    int code = block_new(result, 0, from->payload.len + 1, &block);
    if (code)
        return code;
    result->as.payload = block_bytes(&block, from->payload);
    return 0;
}

static int decode_token(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__Token *from = (const Heapd__V1__Token *)message;
    struct block block;
    int code = block_new(result, 0, from->secret.len + 1, &block);
    if (code)
        return code;
    result->as.token = (struct heapd_token){.secret = block_bytes(&block, from->secret), .ttl_ms = from->ttl_ms};
    return 0;
}

static int decode_read(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ReadReply *from = (const Heapd__V1__ReadReply *)message;
    struct block block;
    int code = block_new(result, 0, from->data.len + 1, &block);
    if (code)
        return code;
    result->as.part = (struct heapd_part){
        .data = block_bytes(&block, from->data),
        .total_bytes = from->total,
        .type = (enum heapd_type)from->type,
    };
    return 0;
}

static int decode_info(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ObjectInfo *from = (const Heapd__V1__ObjectInfo *)message;
    struct block block;
    int code = block_new(result, 0, from->class_name.len + 1, &block);
    if (code)
        return code;
    result->as.info = (struct heapd_object_info){
        .type = (enum heapd_type)from->type,
        .tracked = from->tracked,
        .shared = from->shared,
        .generation = from->generation,
        .class_name = block_bytes(&block, from->class_name),
        .identity = from->identity,
        .reference_count = from->reference_count,
        .shallow_bytes = from->shallow_bytes,
        .length = from->length,
    };
    return 0;
}

static int decode_names(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ListNamesReply *from = (const Heapd__V1__ListNamesReply *)message;
    size_t text_bytes = 0;
    for (size_t i = 0; i < from->n_names; i++)
        text_bytes += from->names[i]->name.len + 1;
    struct block block;
    int code = block_new(result, from->n_names * sizeof(struct heapd_name), text_bytes, &block);
    if (code)
        return code;
    struct heapd_name *items = result->memory;
    for (size_t i = 0; i < from->n_names; i++) {
        const Heapd__V1__NameInfo *name = from->names[i];
        items[i] = (struct heapd_name){
            .name = block_bytes(&block, name->name),
            .type = (enum heapd_type)name->type,
            .identity = name->identity,
            .length = name->length,
            .ttl_ms = name->ttl_ms,
        };
    }
    result->as.names = (struct heapd_name_list){.items = items, .count = from->n_names, .next = from->next};
    return 0;
}

static void copy_generations(uint64_t to[HEAPD_GENERATIONS], const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++)
        to[i] = i < count ? from[i] : 0;
}

static int decode_collection(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__CollectReply *from = (const Heapd__V1__CollectReply *)message;
    struct heapd_collection *to = &result->as.collection;
    to->unreachable = from->unreachable;
    copy_generations(to->unreachable_by_generation, from->unreachable_by_generation, from->n_unreachable_by_generation);
    copy_generations(to->examined_by_generation, from->examined_by_generation, from->n_examined_by_generation);
    to->unreachable_bytes = from->unreachable_bytes;
    return 0;
}

static int decode_compaction(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__CompactReply *from = (const Heapd__V1__CompactReply *)message;
    result->as.compaction = (struct heapd_compaction){
        .moved_count = from->moved_count,
        .moved_bytes = from->moved_bytes,
        .released_bytes = from->released_bytes,
    };
    return 0;
}

static int decode_thresholds(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__Thresholds *from = (const Heapd__V1__Thresholds *)message;
    result->as.thresholds = (struct heapd_thresholds){{from->threshold0, from->threshold1, from->threshold2}};
    return 0;
}

static int decode_counts(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__Counts *from = (const Heapd__V1__Counts *)message;
    result->as.counts = (struct heapd_counts){{from->count0, from->count1, from->count2}};
    return 0;
}

static int decode_gc_stats(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__GcStatsReply *from = (const Heapd__V1__GcStatsReply *)message;
    struct heapd_collector_stats *to = &result->as.gc_stats;
    to->enabled = from->enabled;
    for (size_t i = 0; i < HEAPD_GENERATIONS && i < from->n_generations; i++) {
        const Heapd__V1__GenerationStats *generation = from->generations[i];
        to->generation[i] = (struct heapd_generation){
            .collections = generation->collections,
            .collected = generation->collected,
            .uncollectable = generation->uncollectable,
            .objects = generation->objects,
        };
    }
    return 0;
}

static int decode_stats(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__StatsReply *from = (const Heapd__V1__StatsReply *)message;
    size_t text_bytes = 0;
    for (size_t i = 0; i < from->n_stats; i++)
        text_bytes += strlen(from->stats[i]->name) + 1;
    struct block block;
    int code = block_new(result, from->n_stats * sizeof(struct heapd_stat), text_bytes, &block);
    if (code)
        return code;
    struct heapd_stat *items = result->memory;
    for (size_t i = 0; i < from->n_stats; i++)
        items[i] = (struct heapd_stat){
            .name = block_text(&block, from->stats[i]->name),
            .value = from->stats[i]->value,
        };
    result->as.stats = (struct heapd_stat_list){.items = items, .count = from->n_stats};
    return 0;
}

static int decode_sessions(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ListSessionsReply *from = (const Heapd__V1__ListSessionsReply *)message;
    size_t text_bytes = 0;
    for (size_t i = 0; i < from->n_sessions; i++)
        text_bytes += strlen(from->sessions[i]->client_name) + 1;
    struct block block;
    int code = block_new(result, from->n_sessions * sizeof(struct heapd_session), text_bytes, &block);
    if (code)
        return code;
    struct heapd_session *items = result->memory;
    for (size_t i = 0; i < from->n_sessions; i++) {
        const Heapd__V1__SessionInfo *session = from->sessions[i];
        items[i] = (struct heapd_session){
            .id = session->id,
            .client_name = block_text(&block, session->client_name),
            .pid = session->pid,
            .uid = session->uid,
            .handles = session->handles,
            .requests = session->requests,
            .parked = session->parked,
            .output_bytes = session->output_bytes,
            .self = session->self,
        };
    }
    result->as.sessions = (struct heapd_session_list){.items = items, .count = from->n_sessions};
    return 0;
}

/* What connection.c needs of the greeting, as a result that only it sees. */
static int decode_hello(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__HelloReply *from = (const Heapd__V1__HelloReply *)message;
    struct heapd_server_info *info = calloc(1, sizeof *info);
    if (!info)
        return HD_ENOMEM;
    info->protocol_version = from->version;
    info->session_id = from->session_id;
    info->max_frame_bytes = from->max_frame_bytes;
    info->max_slots = from->max_slots;
    info->max_depth = from->max_depth;
    (void)snprintf(info->version, sizeof info->version, "%s", from->server_version);
    result->memory = info;
    return 0;
}

struct reply_form {
    const ProtobufCMessageDescriptor *descriptor;
    int (*decode)(const ProtobufCMessage *message, struct heapd_result *result);
};

static const struct reply_form value_form = {&heapd__v1__value__descriptor, decode_value};
static const struct reply_form empty_form = {&heapd__v1__empty__descriptor, decode_empty};
static const struct reply_form ping_form = {&heapd__v1__ping_reply__descriptor, decode_ping};
static const struct reply_form token_form = {&heapd__v1__token__descriptor, decode_token};
static const struct reply_form hello_form = {&heapd__v1__hello_reply__descriptor, decode_hello};
static const struct reply_form read_form = {&heapd__v1__read_reply__descriptor, decode_read};
static const struct reply_form info_form = {&heapd__v1__object_info__descriptor, decode_info};
static const struct reply_form names_form = {&heapd__v1__list_names_reply__descriptor, decode_names};
static const struct reply_form collection_form = {&heapd__v1__collect_reply__descriptor, decode_collection};
static const struct reply_form compaction_form = {&heapd__v1__compact_reply__descriptor, decode_compaction};
static const struct reply_form thresholds_form = {&heapd__v1__thresholds__descriptor, decode_thresholds};
static const struct reply_form counts_form = {&heapd__v1__counts__descriptor, decode_counts};
static const struct reply_form gc_stats_form = {&heapd__v1__gc_stats_reply__descriptor, decode_gc_stats};
static const struct reply_form stats_form = {&heapd__v1__stats_reply__descriptor, decode_stats};
static const struct reply_form sessions_form = {&heapd__v1__list_sessions_reply__descriptor, decode_sessions};
static const struct reply_form pair_form = {&heapd__v1__dict_pop_item_reply__descriptor, hd_pair_decode};
static const struct reply_form chunk_form = {&heapd__v1__cursor_chunk__descriptor, hd_chunk_decode};
static const struct reply_form memory_form = {&heapd__v1__memory_reply__descriptor, hd_memory_decode};

static const struct reply_form buffer_form = {&heapd__v1__buffer_reply__descriptor, decode_buffer};
static const struct reply_form sync_list_form = {&heapd__v1__list_sync_reply__descriptor, hd_sync_decode_list};
static const struct reply_form scopes_form = {&heapd__v1__list_scopes_reply__descriptor, hd_sync_decode_scopes};
static const struct reply_form sync_state_form = {&heapd__v1__sync_state__descriptor, hd_sync_decode_state};

static const struct reply_form *form_of(uint16_t method)
{
    switch (method) {
    case HD_METHOD_HELLO:
        return &hello_form;
    case HEAPD_METHOD_PING:
        return &ping_form;
    case HEAPD_METHOD_MAKE_TOKEN:
    case HEAPD_METHOD_OFFER_SESSION:
        return &token_form;
    case HEAPD_METHOD_REDEEM_TOKEN:
    case HEAPD_METHOD_CREATE:
    case HEAPD_METHOD_CREATE_CLASS:
    case HEAPD_METHOD_DUPLICATE:
    case HEAPD_METHOD_LENGTH:
    case HEAPD_METHOD_GET_ITEM:
    case HEAPD_METHOD_CONTAINS:
    case HEAPD_METHOD_POP:
    case HEAPD_METHOD_SET_ADD:
    case HEAPD_METHOD_SET_DISCARD:
    case HEAPD_METHOD_GET_ATTR:
    case HEAPD_METHOD_ADD:
    case HEAPD_METHOD_RESOLVE:
    case HEAPD_METHOD_OPEN_SCOPE:
    case HEAPD_METHOD_LOOKUP:
    case HEAPD_METHOD_GC_FREEZE_COUNT:
    case HEAPD__V1__METHOD__INTERN:
    case HEAPD__V1__METHOD__TAKE:
    case HEAPD__V1__METHOD__GC_DEBUG:
    case HEAPD_METHOD_GET_SLICE:
    case HEAPD_METHOD_SEARCH:
    case HEAPD_METHOD_COPY:
    case HEAPD_METHOD_OPERATE:
    case HEAPD_METHOD_COMPARE:
    case HEAPD_METHOD_HASH:
    case HEAPD_METHOD_UPDATE:
    case HEAPD_METHOD_VERSION:
        return &value_form;
    case HEAPD_METHOD_SET_COMBINE:
    case HEAPD_METHOD_SET_COMPARE:
    case HEAPD_METHOD_DICT_GET:
    case HEAPD_METHOD_DICT_SET_DEFAULT:
    case HEAPD_METHOD_DICT_POP:
    case HEAPD_METHOD_DICT_MERGE:
    case HEAPD_METHOD_DICT_FROM_KEYS:
    case HEAPD_METHOD_GATHER:
    case HEAPD_METHOD_OPEN_CURSOR:
    case HEAPD_METHOD_MAKE_WEAK:
    case HEAPD_METHOD_MAKE_SOFT:
    case HEAPD_METHOD_GET_REFERENT:
    case HEAPD_METHOD_HAS_ATTR:
    case HEAPD_METHOD_IS_INSTANCE:
    case HEAPD_METHOD_IS_SUBCLASS:
    case HEAPD_METHOD_GET_CLASS:
        return &value_form;
    case HEAPD_METHOD_DICT_POP_ITEM:
        return &pair_form;
    case HEAPD_METHOD_READ_CURSOR:
    case HEAPD_METHOD_GET_MANY:
        return &chunk_form;
    case HEAPD_METHOD_READ:
        return &read_form;
    case HEAPD_METHOD_INSPECT:
        return &info_form;
    case HEAPD_METHOD_LIST_NAMES:
        return &names_form;
    case HEAPD_METHOD_GC_COLLECT:
        return &collection_form;
    case HEAPD_METHOD_GC_GET_THRESHOLD:
        return &thresholds_form;
    case HEAPD_METHOD_GC_GET_COUNT:
        return &counts_form;
    case HEAPD_METHOD_GC_STATS:
        return &gc_stats_form;
    case HEAPD_METHOD_STATS:
        return &stats_form;
    case HEAPD_METHOD_LIST_SESSIONS:
        return &sessions_form;
    case HEAPD_METHOD_COMPACT:
        return &compaction_form;
    case HEAPD_METHOD_MEMORY:
        return &memory_form;

    case HEAPD_METHOD_SUBSCRIBE:
    case HEAPD_METHOD_TIME_TO_LIVE:
    case HEAPD_METHOD_CREATE_SYNC:
    case HEAPD_METHOD_ACQUIRE:
    case HEAPD_METHOD_GET:
    case HEAPD_METHOD_JOIN:
    case HEAPD_METHOD_CONDITION_WAIT:
    case HEAPD_METHOD_NOTIFY:
    case HEAPD_METHOD_EVENT_WAIT:
    case HEAPD_METHOD_BARRIER_WAIT:
        return &value_form;
    case HEAPD_METHOD_SYNC_STATE:
        return &sync_state_form;
    case HEAPD_METHOD_LIST_SYNC:
        return &sync_list_form;
    case HEAPD_METHOD_LIST_SCOPES:
        return &scopes_form;

    case HEAPD_METHOD_CREATE_BUFFER:
    case HEAPD_METHOD_SEAL_BUFFER:
    case HEAPD_METHOD_GET_BUFFER:
        return &buffer_form;
    default:
        return &empty_form;
    }
}

int hd_reply_decode(struct hd_arena *arena, uint16_t method, const uint8_t *body, size_t body_bytes,
                    struct heapd_result *out)
{
    const struct reply_form *form = form_of(method);
    ProtobufCMessage *message = protobuf_c_message_unpack(form->descriptor, &arena->protobuf, body_bytes, body);
    if (!message)
        return arena->failed ? HD_ENOMEM : HD_EPROTOCOL;
    out->method = (enum heapd_method)method;
    int code = form->decode(message, out);
    if (code)
        heapd_result_clear(out);
    return code;
}

void hd_reply_decode_error(struct hd_arena *arena, const uint8_t *body, size_t body_bytes, struct heapd_error *out)
{
    const Heapd__V1__Error *from = heapd__v1__error__unpack(&arena->protobuf, body_bytes, body);
    if (!from || from->code == 0 || from->code > INT32_MAX) {
        (void)hd_fail_with(out, arena->failed ? HD_ENOMEM : HD_EPROTOCOL, "the daemon refused with a reply that %s",
                           arena->failed ? "this process has no memory for" : "makes no sense");
        return;
    }
    int code = -(int)from->code;
    (void)hd_fail_with(out, code, "%s", *from->message ? from->message : heapd_code_text(code));
    out->status = (int)from->status;
    out->failed_request = from->failed_request;
}
