/* SetTag, TagObject, ListTags; Intern. */
#include <heapd/v1/tags.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "gc/tags.h"
#include "object/intern.h"
#include "rpc/inspect.h"

/* Holds the tag of a request; 0: the name is empty. */
static int hold_tag(struct hd_call *call, const ProtobufCBinaryData *name, uint32_t *out)
{
    if (name->len > HD_TAG_NAME_BYTES)
        return hd_fail(call, HD_ETOO_LARGE, "a tag of %zu bytes; at most %u", name->len, HD_TAG_NAME_BYTES);
    if (!hd_utf8_valid(name->data, name->len))
        return hd_fail(call, HD_EUTF8, "the tag");
    *out = 0;
    if (name->len == 0)
        return 0;
    int error = hd_tags_hold(&call->heap->gc, name->data, name->len, out);
    return error == HD_ELIMIT
               ? hd_fail(call, error, "there are %u tags; one that nothing has any more makes room", HD_TAGS_MAX)
               : error;
}

/* The reply is small: it cannot fail. */
static int reply_tag(struct hd_call *call, uint32_t tag)
{
    Heapd__V1__TagReply reply = HEAPD__V1__TAG_REPLY__INIT;
    if (tag) {
        struct hd_tag_entry *found = &call->heap->gc.tags->tags[tag];
        reply.tag = (ProtobufCBinaryData){found->name_bytes, found->name};
    }
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_set_tag(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetTagRequest *request = message;
    struct hd_session *session = call->session;
    uint32_t tag, before = session->tag;
    int error = request->ask ? 0 : hold_tag(call, &request->tag, &tag);
    if (error)
        return error;
    error = reply_tag(call, before);
    if (request->ask)
        return error;
    if (error) {
        hd_tags_drop(&call->heap->gc, tag);
        return error;
    }
    session->tag = tag;
    hd_tags_drop(&call->heap->gc, before);
    return 0;
}

int hd_run_tag_object(struct hd_call *call, const void *message)
{
    const Heapd__V1__TagObjectRequest *request = message;
    struct hd_gc *gc = &call->heap->gc;
    hd_value object;
    uint32_t tag;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    if (!hd_value_is_ref(object))
        return hd_fail(call, HD_ETYPE, "the value lies in the handle itself; it is no object that could have a tag");
    uint32_t index = hd_value_index(object), before = hd_tags_of(gc, index);
    if (request->ask)
        return reply_tag(call, before);
    error = hold_tag(call, &request->tag, &tag);
    if (error)
        return error;
    /* The name that the reply says must not go with its last object before it was said. */
    bool reading = hd_tags_read_begin(gc);
    error = hd_tags_set(gc, index, tag);
    hd_tags_drop(gc, tag);
    if (!error)
        error = reply_tag(call, before);
    hd_tags_read_end(gc, reading);
    return error;
}

static int by_name(const void *a, const void *b)
{
    const Heapd__V1__TagRow *left = *(Heapd__V1__TagRow *const *)a, *right = *(Heapd__V1__TagRow *const *)b;
    size_t common = left->tag.len < right->tag.len ? left->tag.len : right->tag.len;
    int order = memcmp(left->tag.data, right->tag.data, common);
    return order ? order : (left->tag.len > right->tag.len) - (left->tag.len < right->tag.len);
}

int hd_run_list_tags(struct hd_call *call, const void *message)
{
    struct hd_tags *tags = call->heap->gc.tags;
    struct hd_rpc_arena *arena = &call->server->arena;
    Heapd__V1__ListTagsReply reply = HEAPD__V1__LIST_TAGS_REPLY__INIT;
    (void)message;
    if (!tags || !tags->count)
        return hd_reply_message(call, &reply.base, 0);
    Heapd__V1__TagRow *rows = hd_rpc_arena_get(arena, tags->count * sizeof *rows);
    reply.tags = hd_rpc_arena_get(arena, tags->count * sizeof *reply.tags);
    if (!rows || !reply.tags)
        return HD_ENOMEM;
    for (uint32_t i = 1; i <= HD_TAGS_MAX; i++) {
        struct hd_tag_entry *tag = &tags->tags[i];
        if (!tag->name_bytes)
            continue;
        Heapd__V1__TagRow *row = &rows[reply.n_tags];
        heapd__v1__tag_row__init(row);
        row->tag = (ProtobufCBinaryData){tag->name_bytes, tag->name};
        row->count = tag->object_count;
        row->sessions = tag->holder_count;
        reply.tags[reply.n_tags++] = row;
    }
    qsort(reply.tags, reply.n_tags, sizeof *reply.tags, by_name);
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_intern(struct hd_call *call, const void *message)
{
    const Heapd__V1__InternRequest *request = message;
    struct hd_call_key key;
    hd_value value = HD_ABSENT;
    bool was_held = false;
    if (request->let_go && (request->hold || request->into))
        return hd_fail(call, HD_EINVALID, "let_go gives nothing, and holds nothing");
    if (!request->let_go && !request->into)
        return hd_fail(call, HD_ENOT_PLAIN, "the interned str goes into a slot");
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_key(call, request->value, &key);
    if (error)
        return error;
    if (request->let_go)
        error = hd_intern_let_go(call->objects, &key.key, &was_held);
    else
        error = hd_intern(call->objects, &key.key, request->hold, &value);
    hd_call_key_done(call, &key);
    if (error == HD_ETYPE)
        return hd_fail(call, error, "only a str is interned");
    if (error == HD_ETOO_LARGE)
        return hd_fail(call, error, "interned are str of at most %zu bytes", HD_INTERN_MAX_BYTES);
    if (error)
        return error;
    if (!request->let_go)
        return hd_reply_result(call, value, true);
    hd_reply_bool(call, was_held);
    return 0;
}
