/*
 * One end of a pair of rings beside another that writes what it likes into the shared memory, and changes it between
 * any two steps. Input: one byte for which end we are and how large the rings, then a program: an operation, and what
 * it takes. Nothing outside of the memory is touched, no more is given than was asked for or fits, our own counters
 * move as far as was said, and an end that was not lied to gets the bytes that were put in.
 */
#include <string.h>

#include "common/ring.h"
#include "fuzz.h"

#define ROOM_MOST 8192u

struct program {
    const uint8_t *at;
    const uint8_t *end;
};

static uint8_t next(struct program *program)
{
    return program->at < program->end ? *program->at++ : 0;
}

/* Small ones, large ones, and those near the edges of 64 bits, from few bytes. */
static uint64_t number(struct program *program)
{
    uint64_t value = next(program);
    unsigned shift = next(program) % 64;
    uint64_t result = value << shift;
    return next(program) & 1 ? (uint64_t)0 - result : result;
}

static void step_read(struct hd_ring *ring, struct program *program)
{
    static uint8_t to[ROOM_MOST + 1];
    size_t room = number(program) % (ROOM_MOST + 1);
    size_t count = SIZE_MAX;
    uint64_t before = ring->in_at;
    uint64_t promised = atomic_load(&ring->in->written.value) - before;
    to[room] = 0xa5;
    int error = hd_ring_read(ring, to, room, &count);
    FUZZ_CHECK((error != 0) == (promised > ring->in_bytes));
    FUZZ_CHECK(to[room] == 0xa5);
    FUZZ_CHECK(error || (count <= room && count <= promised && ring->in_at == before + count));
    FUZZ_CHECK(!error || (count == SIZE_MAX && ring->in_at == before));
    FUZZ_CHECK(error || count || promised == 0 || room == 0);
}

static void step_write(struct hd_ring *ring, struct program *program)
{
    static uint8_t bytes[ROOM_MOST];
    size_t count = number(program) % (ROOM_MOST + 1);
    size_t taken = SIZE_MAX;
    uint64_t before = ring->out_at;
    memset(bytes, next(program), sizeof bytes);
    int error = hd_ring_write(ring, bytes, count, &taken);
    FUZZ_CHECK(error == 0 || error == HD_EPROTOCOL);
    FUZZ_CHECK(error || (taken <= count && taken <= ring->out_bytes && ring->out_at == before + taken));
    FUZZ_CHECK(!error || ring->out_at == before);
    /* Whatever the other end says it has read, it is never taken to have read what was not written. */
    FUZZ_CHECK(ring->out_at - ring->out_read <= ring->out_bytes);
}

/* What the other end may write: all of it. */
static void step_lie(struct hd_ring_control *control, struct program *program)
{
    struct hd_ring_line *lines[] = {
        &control->to_daemon.written,
        &control->to_daemon.read,
        &control->to_client.written,
        &control->to_client.read,
        &control->daemon_wants,
        &control->client_wants,
        &control->crowd,
    };
    struct hd_ring_line *line = lines[next(program) % (sizeof lines / sizeof *lines)];
    uint64_t value = number(program);
    if (next(program) & 1)
        value += atomic_load(&line->value);
    atomic_store(&line->value, value);
}

static void step_bell(struct hd_ring *ring, struct program *program)
{
    switch (next(program) % 3) {
    case 0:
        hd_ring_want(ring, next(program) & 1 ? HD_RING_WANTS_ROOM : HD_RING_WANTS_INPUT);
        FUZZ_CHECK(atomic_load(ring->own_wants));
        break;
    case 1:
        hd_ring_want_nothing(ring);
        FUZZ_CHECK(atomic_load(ring->own_wants) == 0);
        break;
    default:
        FUZZ_CHECK(hd_ring_bell_due(ring) || atomic_load(ring->peer_wants) == 0);
        FUZZ_CHECK(!hd_ring_bell_due(ring));
    }
}

/* Both ends behave: every byte comes out, in order. */
static void exchange(struct hd_ring *writer, struct hd_ring *reader, struct program program)
{
    uint8_t bytes[600], to[600];
    uint8_t put = 0, got = 0;
    while (program.at < program.end) {
        size_t count = (size_t)next(&program) * 2, moved;
        for (size_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)(put + i);
        FUZZ_CHECK(hd_ring_write(writer, bytes, count, &moved) == 0);
        put = (uint8_t)(put + moved);
        FUZZ_CHECK(hd_ring_read(reader, to, (size_t)next(&program) * 2, &moved) == 0);
        for (size_t i = 0; i < moved; i++)
            FUZZ_CHECK(to[i] == got++);
    }
    FUZZ_CHECK((uint8_t)(put - got) == (uint8_t)(writer->out_at - reader->in_at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return -1;
    uint32_t bytes = HD_RING_LEAST_BYTES << (data[0] >> 1 & 1);
    /* Of just this size, so that a sanitizer sees what lies outside. */
    size_t memory_bytes = hd_ring_memory_bytes(bytes, bytes);
    void *memory = aligned_alloc(HD_RING_LINE_BYTES, memory_bytes);
    struct hd_ring daemon, client;
    FUZZ_CHECK(memory);
    memset(memory, 0, memory_bytes);
    FUZZ_CHECK(hd_ring_init(&daemon, memory, bytes, bytes, true) == 0);
    FUZZ_CHECK(hd_ring_init(&client, memory, bytes, bytes, false) == 0);
    exchange(&client, &daemon, (struct program){data + 1, data + size});
    struct hd_ring *ring = data[0] & 1 ? &daemon : &client;
    struct program program = {data + 1, data + size};
    while (program.at < program.end) {
        switch (next(&program) % 4) {
        case 0:
            step_read(ring, &program);
            break;
        case 1:
            step_write(ring, &program);
            break;
        case 2:
            step_lie(memory, &program);
            break;
        default:
            step_bell(ring, &program);
        }
    }
    free(memory);
    return 0;
}
