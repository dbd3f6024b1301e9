/* The Tags service, and the map. */
#include <heapd/tags.h>
#include <string.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "client/lib/report.h"
#include "heapd/v1/method.pb-c.h"
#include "heapd/v1/tags.pb-c.h"

static int ask(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *request,
               struct heapd_tag *out, struct heapd_error *error)
{
    struct hd_report got;
    int code = hd_report_ask(connection, method, request, &heapd__v1__tag_reply__descriptor, &got, error);
    if (code)
        return code;
    const Heapd__V1__TagReply *reply = got.message;
    if (out) {
        memset(out, 0, sizeof *out);
        out->size = reply->tag.len < HEAPD_TAG_MAX_BYTES ? reply->tag.len : HEAPD_TAG_MAX_BYTES;
        if (out->size)
            memcpy(out->text, reply->tag.data, out->size);
    }
    hd_report_drop(&got);
    return 0;
}

int heapd_set_tag(struct heapd_connection *connection, struct heapd_bytes tag, struct heapd_tag *previous,
                  struct heapd_error *error)
{
    Heapd__V1__SetTagRequest request = HEAPD__V1__SET_TAG_REQUEST__INIT;
    request.tag = hd_wire_bytes(tag);
    return ask(connection, HEAPD__V1__METHOD__SET_TAG, &request.base, previous, error);
}

int heapd_get_tag(struct heapd_connection *connection, struct heapd_tag *tag, struct heapd_error *error)
{
    Heapd__V1__SetTagRequest request = HEAPD__V1__SET_TAG_REQUEST__INIT;
    request.ask = true;
    return ask(connection, HEAPD__V1__METHOD__SET_TAG, &request.base, tag, error);
}

int heapd_tag_object(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes tag,
                     struct heapd_tag *previous, struct heapd_error *error)
{
    Heapd__V1__TagObjectRequest request = HEAPD__V1__TAG_OBJECT_REQUEST__INIT;
    request.object = object;
    request.tag = hd_wire_bytes(tag);
    return ask(connection, HEAPD__V1__METHOD__TAG_OBJECT, &request.base, previous, error);
}

int heapd_get_object_tag(struct heapd_connection *connection, heapd_handle object, struct heapd_tag *tag,
                         struct heapd_error *error)
{
    Heapd__V1__TagObjectRequest request = HEAPD__V1__TAG_OBJECT_REQUEST__INIT;
    request.object = object;
    request.ask = true;
    return ask(connection, HEAPD__V1__METHOD__TAG_OBJECT, &request.base, tag, error);
}

static int no_memory(struct hd_report *report, struct heapd_error *error)
{
    hd_report_drop(report);
    return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a report");
}

int heapd_list_tags(struct heapd_connection *connection, struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__Empty request = HEAPD__V1__EMPTY__INIT;
    struct hd_report got;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__LIST_TAGS, &request.base,
                             &heapd__v1__list_tags_reply__descriptor, &got, error);
    if (code)
        return code;
    const Heapd__V1__ListTagsReply *from = got.message;
    struct heapd_tag_row *rows = hd_report_alloc(&got, from->n_tags, sizeof *rows);
    if (!rows)
        return no_memory(&got, error);
    for (size_t i = 0; i < from->n_tags; i++)
        rows[i] =
            (struct heapd_tag_row){hd_public_bytes(from->tags[i]->tag), from->tags[i]->count, from->tags[i]->sessions};
    *report = (struct heapd_report){.memory = got.arena};
    report->as.tags = (struct heapd_tag_rows){rows, from->n_tags};
    return 0;
}

/* ---- interned strs ---- */

int heapd_intern(struct heapd_connection *connection, struct heapd_value value, bool hold, heapd_handle *out,
                 struct heapd_error *error)
{
    Heapd__V1__InternRequest message = HEAPD__V1__INTERN_REQUEST__INIT;
    struct hd_wire_value wire;
    struct hd_call call = {.method = HEAPD__V1__METHOD__INTERN, .message = &message.base, .into = &message.into};
    message.value = &wire.value;
    message.hold = hold;
    return hd_sync_handle(connection, &call, hd_wire_value(&value, &wire), out, error);
}

int heapd_intern_let_go(struct heapd_connection *connection, struct heapd_value value, bool *was_held,
                        struct heapd_error *error)
{
    Heapd__V1__InternRequest message = HEAPD__V1__INTERN_REQUEST__INIT;
    struct hd_wire_value wire;
    int code = hd_wire_value(&value, &wire);
    message.value = &wire.value;
    message.let_go = true;
    return hd_sync_bool(connection, HEAPD__V1__METHOD__INTERN, &message.base, code, was_held, error);
}

/* ---- the map ---- */

int heapd_map(struct heapd_connection *connection, uint64_t from, uint32_t count, struct heapd_report *report,
              struct heapd_error *error)
{
    Heapd__V1__MapRequest request = HEAPD__V1__MAP_REQUEST__INIT;
    struct hd_report got;
    request.from = from;
    request.count = count;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__MAP, &request.base, &heapd__v1__map_reply__descriptor, &got,
                             error);
    if (code)
        return code;
    const Heapd__V1__MapReply *reply = got.message;
    struct heapd_arena_row *rows = hd_report_alloc(&got, reply->n_arenas, sizeof *rows);
    if (!rows)
        return no_memory(&got, error);
    for (size_t i = 0; i < reply->n_arenas; i++) {
        const Heapd__V1__ArenaRow *row = reply->arenas[i];
        if (row->fills.len < row->uses.len) {
            hd_report_drop(&got);
            return hd_fail_with(error, HD_EPROTOCOL, "an arena of the map is not described in full");
        }
        rows[i] = (struct heapd_arena_row){
            .uses = row->uses.data,
            .fills = row->fills.data,
            .granule_count = row->uses.len,
            .pools = row->pools,
            .free_granules = row->free_granules,
            .live_bytes = row->live_bytes,
            .leaving = row->leaving,
        };
    }
    *report = (struct heapd_report){.memory = got.arena};
    report->as.map = (struct heapd_arenas){
        .items = rows,
        .count = reply->n_arenas,
        .next = reply->next,
        .arena_count = reply->arena_count,
        .arena_bytes = reply->arena_bytes,
        .granule_bytes = reply->granule_bytes,
        .class_bytes = reply->class_bytes,
        .class_count = reply->n_class_bytes,
        .large_count = reply->large_count,
        .large_bytes = reply->large_bytes,
    };
    return 0;
}
