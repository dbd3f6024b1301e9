#include "common/ring.h"

#include <string.h>

_Static_assert(sizeof(struct hd_ring_control) <= HD_RING_CONTROL_BYTES, "the control words fit their page");
_Static_assert(sizeof(struct hd_ring_line) == HD_RING_LINE_BYTES, "one word a line");

static bool is_size(uint32_t bytes)
{
    return bytes >= HD_RING_LEAST_BYTES && bytes <= HD_RING_MOST_BYTES && (bytes & (bytes - 1)) == 0;
}

int hd_ring_init(struct hd_ring *ring, void *memory, uint32_t to_daemon_bytes, uint32_t to_client_bytes, bool is_daemon)
{
    if (!is_size(to_daemon_bytes) || !is_size(to_client_bytes))
        return HD_EINVALID;
    struct hd_ring_control *control = memory;
    uint8_t *to_daemon = (uint8_t *)memory + HD_RING_CONTROL_BYTES;
    uint8_t *to_client = to_daemon + to_daemon_bytes;
    *ring = (struct hd_ring){
        .in = is_daemon ? &control->to_daemon : &control->to_client,
        .out = is_daemon ? &control->to_client : &control->to_daemon,
        .own_wants = is_daemon ? &control->daemon_wants.value : &control->client_wants.value,
        .peer_wants = is_daemon ? &control->client_wants.value : &control->daemon_wants.value,
        .in_data = is_daemon ? to_daemon : to_client,
        .out_data = is_daemon ? to_client : to_daemon,
        .in_bytes = is_daemon ? to_daemon_bytes : to_client_bytes,
        .out_bytes = is_daemon ? to_client_bytes : to_daemon_bytes,
    };
    return 0;
}

int hd_ring_read(struct hd_ring *ring, uint8_t *to, size_t room, size_t *count)
{
    uint64_t written = atomic_load_explicit(&ring->in->written.value, memory_order_acquire);
    uint64_t there = written - ring->in_at;
    if (there > ring->in_bytes)
        return HD_EPROTOCOL;
    size_t bytes = there < room ? (size_t)there : room;
    *count = bytes;
    if (bytes == 0)
        return 0;
    size_t at = (size_t)(ring->in_at & (ring->in_bytes - 1));
    size_t first = ring->in_bytes - at < bytes ? ring->in_bytes - at : bytes;
    memcpy(to, ring->in_data + at, first);
    if (first < bytes)
        memcpy(to + first, ring->in_data, bytes - first);
    ring->in_at += bytes;
    /* Release: the writer reuses the bytes only after we are done with them. */
    atomic_store_explicit(&ring->in->read.value, ring->in_at, memory_order_release);
    return 0;
}

int hd_ring_write(struct hd_ring *ring, const uint8_t *bytes, size_t count, size_t *taken)
{
    /* The reader's counter is another core's cache line: looked at only when what we know of it does not do. */
    uint64_t room = ring->out_bytes - (ring->out_at - ring->out_read);
    if (room < count) {
        uint64_t read = atomic_load_explicit(&ring->out->read.value, memory_order_acquire);
        if (read - ring->out_read > ring->out_at - ring->out_read)
            return HD_EPROTOCOL;
        ring->out_read = read;
        room = ring->out_bytes - (ring->out_at - read);
    }
    size_t fits = count < room ? count : (size_t)room;
    *taken = fits;
    if (fits == 0)
        return 0;
    size_t at = (size_t)(ring->out_at & (ring->out_bytes - 1));
    size_t first = ring->out_bytes - at < fits ? ring->out_bytes - at : fits;
    memcpy(ring->out_data + at, bytes, first);
    if (first < fits)
        memcpy(ring->out_data, bytes + first, fits - first);
    ring->out_at += fits;
    atomic_store_explicit(&ring->out->written.value, ring->out_at, memory_order_release);
    return 0;
}
