/*
 * Buffers: large bytes in shared memory, which their writer seals and others then map.
 *
 *     create -> write -> seal -> get -> release
 *
 * A buffer is a leaf: it holds no references. Its payload is one pointer to a struct hd_bulk, which does not move.
 * While it is unsealed it belongs to its writer, a session by its id: nobody else can write, and nobody at all can
 * read. When the writer ends first, the bytes are gone, and whoever still refers to it is told so for ever.
 *
 *     UNSEALED -> SEALING -> SEALED        the helper seals; UNSEALED again if somebody has it mapped for writing
 *     UNSEALED, SEALING -> ABANDONED       the writer ended; the descriptor is closed
 *
 * All bytes are charged from the beginning: to the account, and to the writer while it is not sealed. What it costs
 * goes back when the object dies, though the pages live on as long as somebody has them mapped. DESIGN.md says why.
 */
#ifndef HEAPD_OBJECT_BULK_H
#define HEAPD_OBJECT_BULK_H

#include "alloc/account.h"
#include "object/object.h"
#include "os/helper.h"

/* What one request writes or reads of it at most: some hundred microseconds. */
#define HD_BULK_PART_BYTES ((size_t)256 << 10)

enum hd_bulk_state {
    HD_BULK_UNSEALED,
    HD_BULK_SEALING,
    HD_BULK_SEALED,
    HD_BULK_ABANDONED,
};

struct hd_bulk;

/* Of a heap. bytes and counts are of the living; those that the helper still closes are not counted. */
struct hd_bulk_store {
    const struct hd_os *os;      /* borrow */
    struct hd_account *account;  /* borrow */
    struct hd_helper *helper;    /* own */
    struct hd_bulk *first;       /* all that have a struct, those that are being closed too */
    struct hd_helper_job *taken; /* done, and not looked at yet */
    uint64_t last_serial;
    uint32_t max_count; /* descriptors that may be used up; 0: as many as the system gives */
    uint32_t count;
    uint64_t bytes;
    uint32_t unsealed_count;
    uint64_t unsealed_bytes;
    uint64_t sealed_ever_count;
    uint64_t abandoned_ever_count;
};

/* HD_ENOMEM. os and account are borrowed until fini. */
int hd_bulk_store_init(struct hd_bulk_store *store, const struct hd_os *os, struct hd_account *account,
                       uint32_t max_count) HD_MUST_USE;
/* Closes everything, whatever still refers to it. */
void hd_bulk_store_fini(struct hd_bulk_store *store);

/* A buffer of `bytes` zeros for this writer. HD_EINVALID: 0 bytes; HD_ENOMEM; HD_EDESCRIPTORS, HD_ESYSTEM. */
int hd_bulk_new(struct hd_objects *objects, uint64_t bytes, uint64_t writer, hd_value *out) HD_MUST_USE;

uint64_t hd_bulk_bytes(const struct hd_objects *objects, hd_value buffer);
/* A number that no other buffer of this heap has or will have. */
uint64_t hd_bulk_serial(const struct hd_objects *objects, hd_value buffer);
enum hd_bulk_state hd_bulk_state(const struct hd_objects *objects, hd_value buffer);
/* Bytes of a session's buffers that are not sealed. O(unsealed buffers of all). */
uint64_t hd_bulk_unsealed_bytes(const struct hd_objects *objects, uint64_t writer);

/*
 * A part of at most HD_BULK_PART_BYTES, within it. HD_ESEALED, HD_EPERMISSION (not its writer), HD_EINDEX,
 * HD_ETOO_LARGE, HD_ENOT_SEALED (reading; or writing to one whose writer has ended), HD_ESYSTEM.
 */
int hd_bulk_write(struct hd_objects *objects, hd_value buffer, uint64_t writer, uint64_t offset, const uint8_t *bytes,
                  size_t count) HD_MUST_USE;
int hd_bulk_read(struct hd_objects *objects, hd_value buffer, uint64_t offset, uint8_t *to, size_t count) HD_MUST_USE;

/* A descriptor (own) to write by, for its writer while it is unsealed; one to read by, for all once it is sealed. */
int hd_bulk_open_writer(struct hd_objects *objects, hd_value buffer, uint64_t writer, int *out) HD_MUST_USE;
int hd_bulk_open_reader(struct hd_objects *objects, hd_value buffer, int *out) HD_MUST_USE;

/*
 * Begins to seal. `waiter` (borrow) is what hd_bulk_next_sealed gives when it is through, or failed. HD_ESEALED,
 * HD_EPERMISSION, HD_ENOT_SEALED (it is being sealed, or its writer has ended).
 */
int hd_bulk_seal(struct hd_objects *objects, hd_value buffer, uint64_t writer, void *waiter) HD_MUST_USE;
/* The waiter gives up; the sealing goes on. */
void hd_bulk_forget(struct hd_objects *objects, void *waiter);
/*
 * Takes back what the helper has done. True: *waiter's buffer is sealed (*result 0), or is not (HD_EMAPPED,
 * HD_ESYSTEM). To be called until it is false, at safe points.
 */
bool hd_bulk_next_sealed(struct hd_bulk_store *store, void **waiter, int *result);

/* A writer ends. O(unsealed buffers of all). */
void hd_bulk_abandon(struct hd_objects *objects, uint64_t writer);

#endif
