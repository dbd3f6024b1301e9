/* Buffers: their object, their bookkeeping, their file, and each descriptor of it. */
#include "oom.h"

#include <sched.h>

#include "object/bulk.h"

#define WRITER 7u

/* Where a descriptor could not be had, that is as good as no memory. */
static int as_memory(const struct oom *oom, int error)
{
    return oom->os.failed_count && (error == HD_EDESCRIPTORS || error == HD_ESYSTEM) ? HD_ENOMEM : error;
}

static bool unchanged(struct oom *oom, int error)
{
    return oom_unchanged(oom, as_memory(oom, error));
}

/* What the helper was given last is done. */
static int await(struct oom *oom, const void *wanted)
{
    void *waiter;
    int result;
    for (;;) {
        if (!hd_bulk_next_sealed(&oom->heap->bulk_store, &waiter, &result)) {
            (void)sched_yield();
            continue;
        }
        assert_ptr_equal(waiter, wanted);
        return result;
    }
}

static void pass(struct oom *oom, int error, int fd)
{
    if (unchanged(oom, error))
        oom->os.os.shared_close(oom->os.os.context, fd);
}

/* A buffer of the first session, written and sealed as far as that goes. */
static void buffer(struct oom *oom, size_t at, uint64_t bytes)
{
    struct hd_objects *objects = oom->objects;
    const struct hd_bulk_store *store = objects->bulk_store;
    static const uint8_t text[] = "what a client writes";
    uint8_t back[sizeof text];
    hd_value value;
    int fd = -1, token;
    uint64_t held_bytes = store->bytes;
    oom_begin(oom);
    if (!unchanged(oom, hd_bulk_new(objects, bytes, WRITER, &value))) {
        assert_int_equal(store->bytes, held_bytes);
        return;
    }
    oom_root(oom, at, value);
    oom_begin(oom);
    pass(oom, hd_bulk_open_writer(objects, value, WRITER, &fd), fd);
    (void)unchanged(oom, hd_bulk_write(objects, value, WRITER, bytes - sizeof text, text, sizeof text));
    assert_int_equal(hd_bulk_seal(objects, value, WRITER, &token), 0);
    assert_int_equal(await(oom, &token), 0);
    oom_begin(oom);
    pass(oom, hd_bulk_open_reader(objects, value, &fd), fd);
    (void)unchanged(oom, hd_bulk_read(objects, value, bytes - sizeof text, back, sizeof back));
}

void oom_buffers(struct oom *oom)
{
    struct hd_bulk_store *store = oom->objects->bulk_store;
    for (size_t i = 0; i < 4; i++)
        buffer(oom, i, 4000 + i * 100000);
    oom_root(oom, 1, HD_NONE);
    /* One that is not sealed when its writer ends. */
    hd_value value;
    oom_begin(oom);
    if (unchanged(oom, hd_bulk_new(oom->objects, 5000, WRITER + 1, &value))) {
        oom_root(oom, 1, value);
        hd_bulk_abandon(oom->objects, WRITER + 1);
        assert_int_equal(hd_bulk_state(oom->objects, value), HD_BULK_ABANDONED);
    }
    for (size_t i = 0; i < 4; i++)
        oom_root(oom, i, HD_NONE);
    while (hd_gc_reap(oom->gc, 100))
        ;
    assert_int_equal(store->count, 0);
    assert_int_equal(store->bytes, 0);
    assert_int_equal(store->unsealed_count, 0);
    oom_check(oom);
}
