/*
 * Looking ahead: the frames that lie in the input are read, some at a time, before
 * the first of them runs, so that the memory that they will need is on its way.
 */
#include "rpc/private.h"

/* Fewer do not wait long enough to be worth the steps. */
#define PREFETCH_MIN 3

/* The key of an item, if its hash or its index can be told without making an object. */
static bool key_of(const Heapd__V1__Value *value, struct hd_key *out)
{
    switch (value->kind_case) {
    case HEAPD__V1__VALUE__KIND_STR:
        *out = hd_key_of_bytes(HD_TAG_STR, value->str.data, value->str.len);
        return true;
    case HEAPD__V1__VALUE__KIND_BYTES:
        *out = hd_key_of_bytes(HD_TAG_BYTES, value->bytes.data, value->bytes.len);
        return true;
    case HEAPD__V1__VALUE__KIND_INTEGER:
        *out = hd_key_of(hd_value_int(value->integer));
        return hd_int_fits(value->integer);
    default:
        return false;
    }
}

/* What the request will touch, as far as it can be told before those in front of it have run. False: nothing. */
static bool begin_prefetch(const struct hd_session *session, const struct hd_hot *hot, hd_value previous,
                           struct hd_prefetch *out)
{
    out->key.hashed = false;
    if (!hot->request || !hot->object)
        return false;
    out->object = hd_session_peek(session, hot->object);
    out->is_known = out->object == previous;
    out->has_key = hot->key && key_of(hot->key, &out->key);
    return hd_value_is_ref(out->object) && !(out->is_known && !out->has_key);
}

static unsigned read_frames(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count,
                            struct hd_ahead_frame *frames)
{
    const uint32_t max_bytes = connection->server->config.max_frame_bytes;
    unsigned read = 0;
    while (read < HD_AHEAD_MAX) {
        struct hd_ahead_frame *next = &frames[read];
        if (hd_frame_read(bytes, count, max_bytes, &next->frame))
            break;
        size_t frame_bytes = HD_FRAME_HEADER_BYTES + (size_t)next->frame.body_bytes;
        if (count < frame_bytes)
            break;
        (void)hd_hot_read(next->frame.method, bytes + HD_FRAME_HEADER_BYTES, next->frame.body_bytes, &next->hot);
        bytes += frame_bytes;
        count -= frame_bytes;
        read++;
    }
    return read;
}

void hd_ahead_look(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_rpc_server *server = connection->server;
    struct hd_ahead *ahead = &server->ahead;
    struct hd_prefetch *wanted[HD_AHEAD_MAX];
    unsigned wanted_count = 0;
    hd_value previous = HD_ABSENT;
    ahead->next = 0;
    ahead->count = read_frames(connection, bytes, count, ahead->frames);
    for (unsigned i = 0; i < ahead->count; i++) {
        struct hd_prefetch *prefetch = &ahead->frames[i].prefetch;
        if (!begin_prefetch(&connection->session, &ahead->frames[i].hot, previous, prefetch))
            continue;
        previous = prefetch->object;
        wanted[wanted_count++] = prefetch;
    }
    if (wanted_count >= PREFETCH_MIN)
        hd_prefetch_all(&server->heap->objects, wanted, wanted_count);
}
