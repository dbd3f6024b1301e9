/*
 * Release of very many handles, in steps: all or none of them, and nobody waits.
 *
 * Its frame stays at the front of the input, and each turn of the connection reads
 * on in it by hand: taking a message of a million handles apart would take longer
 * than a turn has. The handles are gone through twice, first to look at each, then
 * to release them; no memory is needed.
 */
#include <heapd/v1/method.pb-c.h>

#include "common/varint.h"
#include "rpc/private.h"

/* Bodies up to this are done at once. */
#define AT_ONCE_BYTES 16384u
/* Handles, and whatever else lies between them, in a step; each handle is looked up in the session. */
#define STEP_PARTS HD_SLICE_UNITS

#define HANDLES_PACKED HD_WIRE_TAG(1, HD_WIRE_BYTES)
#define HANDLE_ALONE HD_WIRE_TAG(1, HD_WIRE_VARINT)

bool hd_release_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    return frame->method == HEAPD__V1__METHOD__RELEASE && frame->body_bytes > AT_ONCE_BYTES && !connection->batch;
}

/* Moves behind a field that this version does not know. */
static bool skip(uint64_t tag, const uint8_t **at, const uint8_t *end)
{
    uint64_t number;
    size_t bytes;
    switch (tag & 7) {
    case HD_WIRE_VARINT:
        return hd_varint_get(at, end, &number);
    case HD_WIRE_FIXED64:
        bytes = 8;
        break;
    case HD_WIRE_BYTES:
        if (!hd_varint_get(at, end, &number) || number > (size_t)(end - *at))
            return false;
        bytes = (size_t)number;
        break;
    case 5:
        bytes = 4;
        break;
    default:
        return false;
    }
    if ((size_t)(end - *at) < bytes)
        return false;
    *at += bytes;
    return tag >> 3 != 0;
}

/* What the next part of the body is; else HD_EPROTOCOL. */
enum part {
    NO_MORE,
    HANDLE,
    NO_HANDLE, /* the head of a column, or a field that this version does not know */
};

/* One part further. Each counts as a handle does, whatever it is: none of them is to make a step long. */
static int next_part(struct hd_release *release, const uint8_t *body, size_t body_bytes, hd_handle *out)
{
    const uint8_t *at = body + release->at, *end = body + body_bytes;
    uint64_t tag, size;
    if (release->at >= release->packed_end) {
        if (at == end)
            return NO_MORE;
        if (!hd_varint_get(&at, end, &tag))
            return HD_EPROTOCOL;
        release->packed_end = 0;
        if (tag == HANDLES_PACKED) {
            if (!hd_varint_get(&at, end, &size) || size > (size_t)(end - at))
                return HD_EPROTOCOL;
            release->packed_end = (size_t)(at - body) + (size_t)size;
        } else if (tag != HANDLE_ALONE && !skip(tag, &at, end)) {
            return HD_EPROTOCOL;
        }
        if (tag != HANDLE_ALONE) {
            release->at = (size_t)(at - body);
            return NO_HANDLE;
        }
    }
    const uint8_t *stop = release->packed_end ? body + release->packed_end : end;
    if (!hd_varint_get(&at, stop, out))
        return HD_EPROTOCOL;
    release->at = (size_t)(at - body);
    return HANDLE;
}

static void begin_phase(struct hd_release *release, enum hd_release_phase phase)
{
    release->phase = phase;
    release->at = release->packed_end = release->done = 0;
}

/* True: all of them were looked at, or one will not do. */
static bool mark(struct hd_call *call, struct hd_release *release, const uint8_t *body, size_t body_bytes)
{
    for (unsigned i = 0; i < STEP_PARTS; i++) {
        hd_handle handle;
        int result = next_part(release, body, body_bytes, &handle);
        if (result == NO_MORE)
            return true;
        if (result == NO_HANDLE)
            continue;
        if (result == HANDLE) {
            release->bad = handle;
            result = hd_session_mark_leaving(call->session, handle, &release->failed_request);
        }
        if (result < 0) {
            release->error = result;
            return true;
        }
        release->good++;
    }
    return false;
}

/* Releases, or unmarks, those that were marked. True: all of them. */
static bool go_through(struct hd_call *call, struct hd_release *release, const uint8_t *body, size_t body_bytes)
{
    for (unsigned i = 0; i < STEP_PARTS && release->done < release->good; i++) {
        hd_handle handle;
        int result = next_part(release, body, body_bytes, &handle);
        if (result == NO_HANDLE)
            continue;
        if (result != HANDLE)
            return true; /* never: the body is the same */
        if (release->phase == HD_RELEASE_RELEASING)
            hd_session_release_leaving(call->session, handle);
        else
            hd_session_unmark_leaving(call->session, handle);
        release->done++;
    }
    return release->done == release->good;
}

static int finish(struct hd_call *call, struct hd_release *release, const struct hd_frame *frame)
{
    release->phase = HD_RELEASE_NONE;
    call->failed_request = release->failed_request;
    if (release->error == HD_EPROTOCOL)
        return hd_fail(call, HD_EPROTOCOL, "%u bytes are no ReleaseRequest", frame->body_bytes);
    if (release->error)
        return hd_fail_handle(call, release->error, release->bad);
    hd_reply_empty(call);
    return 0;
}

int hd_release_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    struct hd_release *release = &call->connection->release;
    if (release->phase == HD_RELEASE_NONE) {
        *release = (struct hd_release){.phase = HD_RELEASE_MARKING};
    }
    if (release->phase == HD_RELEASE_MARKING) {
        if (mark(call, release, body, frame->body_bytes))
            begin_phase(release, release->error ? HD_RELEASE_UNMARKING : HD_RELEASE_RELEASING);
        return HD_CALL_LATER;
    }
    return go_through(call, release, body, frame->body_bytes) ? finish(call, release, frame) : HD_CALL_LATER;
}
