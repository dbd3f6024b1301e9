/*
 * One client's handles: what it holds, what it may name, what it is charged for.
 * No I/O, no wire format.
 *
 * Clients choose handles (common/handle.h). A slot is
 *
 *     FREE      nothing; its generation is the last one used
 *     FILLED    holds one reference
 *     PENDING   a parked request will fill it
 *     FAILED    the request that was to fill it failed, or stood behind one that
 *               did; free for a raised generation, and a use of the failed one
 *               answers with HD_EABORTED and the request that failed first
 *
 *     LEAVING   holds one reference, and a release of many is about to take it
 *
 *     handle_count == number of FILLED and LEAVING slots
 *     pending_count == number of PENDING slots
 *     first_count <= HD_SLOTS_CHUNK; first_count and chunk_count * HD_SLOTS_CHUNK are
 *     not above max_slots, but for a chunk that is cut off by it
 *
 * Slots come in chunks, of which only those exist that have a slot in use or had
 * one; the first begins small and grows, so that a session with a few handles costs
 * a few hundred bytes, and one that names slot 1,000,000 a chunk and not a million.
 *
 * The session is a root of the collector: each FILLED slot holds one reference.
 * A slot may hold an inline value, too: a handle to a small int is a handle.
 */
#ifndef HEAPD_SESSION_SESSION_H
#define HEAPD_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/handle.h"
#include "heap/heap.h"
#include "object/sync.h"

enum hd_slot_state {
    HD_SLOT_FREE = 0,
    HD_SLOT_FILLED = 1,
    HD_SLOT_PENDING = 2,
    HD_SLOT_FAILED = 3,
    /* As FILLED, and about to be released: for a while, of a release of many. No handle names it any more. */
    HD_SLOT_LEAVING = 4,
};

#define HD_SLOTS_CHUNK 4096u

struct hd_slot {
    uint64_t word;       /* FILLED: the value; PENDING, FAILED: a request id; FREE: 0 */
    uint32_t generation; /* of the last use */
    uint8_t state;       /* enum hd_slot_state */
    bool used;           /* there was a use, so a generation has to be raised */
};

/* A slot as it was before a batch changed it. FILLED: it holds the reference that the slot had. */
struct hd_slot_change {
    uint32_t number;
    struct hd_slot before;
};

/* What a batch did to slots; empty while none runs. */
struct hd_session_journal {
    struct hd_slot_change *changes; /* own */
    uint32_t count;
    uint32_t capacity;
    bool is_open;
};

struct hd_session {
    struct hd_heap *heap; /* borrow */
    struct hd_root_source roots;
    uint64_t id;
    struct hd_party party; /* what it holds of locks and semaphores */
    bool orderly;          /* it said goodbye: sync.h says what becomes of these */
    uint32_t tag;          /* of what it makes: gc/tags.h; held; 0: none */
    struct hd_session_journal journal;
    struct hd_slot *first;   /* own; the slots below first_count */
    struct hd_slot **chunks; /* own; the others, by number / HD_SLOTS_CHUNK; NULL: none of them was used; [0] is NULL */
    uint32_t first_count;
    uint32_t chunk_count; /* of chunks */
    uint32_t max_slots;
    uint32_t handle_count;
    uint32_t pending_count;
    /* The end, in slices: slots below this are still to be released. */
    uint32_t closing_position;
    bool closing;
};

/* Cannot fail: memory comes with the first slot. The session must not move. */
void hd_session_init(struct hd_session *session, struct hd_heap *heap, uint64_t id, uint32_t max_slots);
/* Begins to release everything, in slices; hd_session_close_step until it says false, then hd_session_fini. */
void hd_session_close(struct hd_session *session);
/* Goes on for about `units`. True if slots are left. */
bool hd_session_close_step(struct hd_session *session, uint64_t units);
/* Gives up what it holds of locks and semaphores, for about `units`; close_step does the rest. True if some is left. */
bool hd_session_end_holds(struct hd_session *session, uint64_t units);
/* Only when closed. Takes NULL and a session that was never given a slot. */
void hd_session_fini(struct hd_session *session);

/*
 * The value that a handle holds, borrowed until it is released. HD_EHANDLE_STALE
 * (an older generation, or released), HD_EHANDLE_UNKNOWN (never filled),
 * HD_ESLOT_PENDING, HD_EABORTED with *failed_request. O(1).
 */
int hd_session_get(const struct hd_session *session, hd_handle handle, hd_value *out,
                   uint64_t *failed_request) HD_MUST_USE;

/* The slot of this number, or NULL: it was never used. */
static inline struct hd_slot *hd_session_slot(const struct hd_session *session, uint32_t number)
{
    if (number < session->first_count)
        return &session->first[number];
    uint32_t chunk = number / HD_SLOTS_CHUNK;
    if (chunk >= session->chunk_count || !session->chunks[chunk])
        return NULL;
    return &session->chunks[chunk][number % HD_SLOTS_CHUNK];
}

/* hd_session_get without the reason why not: HD_ABSENT. */
static inline hd_value hd_session_peek(const struct hd_session *session, hd_handle handle)
{
    const struct hd_slot *slot = hd_session_slot(session, hd_handle_slot(handle));
    if (!slot || slot->state != HD_SLOT_FILLED || slot->generation != hd_handle_generation(handle))
        return HD_ABSENT;
    return slot->word;
}

/*
 * Checks that a slot can take a result, and makes the memory for it, so that
 * hd_session_fill cannot fail afterwards. HD_ESLOT_OCCUPIED, HD_ESLOT_PENDING,
 * HD_ESLOT_GENERATION (not raised), HD_EHANDLE_UNKNOWN (slot 0 or beyond the
 * limit), HD_ENOMEM. Nothing that a client can see changes.
 */
int hd_session_prepare(struct hd_session *session, hd_handle handle) HD_MUST_USE;
/*
 * The same for `count` slots side by side, of one generation. *bad is the first handle that will not do. Of single
 * slots one may be prepared before it, to be filled as well.
 */
int hd_session_prepare_range(struct hd_session *session, hd_handle first, uint64_t count, hd_handle *bad) HD_MUST_USE;
/* Puts a value (steal) into a prepared or pending slot. */
void hd_session_fill(struct hd_session *session, hd_handle handle, hd_value value);
/* Makes a prepared slot wait for a request. */
void hd_session_pend(struct hd_session *session, hd_handle handle, uint64_t request_id);
/* A pending slot is free again, as if never asked for (a plain value came). */
void hd_session_unpend(struct hd_session *session, hd_handle handle);
/*
 * Remembers that `request_id`, which was to fill the slot, failed, because of
 * itself or of the one that failed first. Does nothing unless the slot waits for
 * this very request or could have been prepared. Needs no memory it cannot get:
 * when there is none, later uses find HD_EHANDLE_UNKNOWN instead.
 */
void hd_session_fail(struct hd_session *session, hd_handle handle, uint64_t request_id, uint64_t first_failed_request);
/* The same for `count` slots side by side. */
void hd_session_fail_range(struct hd_session *session, hd_handle first, uint64_t count, uint64_t request_id,
                           uint64_t first_failed_request);

/* Releases a handle. Errors as hd_session_get. */
int hd_session_release(struct hd_session *session, hd_handle handle, uint64_t *failed_request) HD_MUST_USE;
/*
 * Releases many handles, or none of them. Errors as hd_session_get, with the
 * position of the handle at fault in *bad; one given twice is HD_EHANDLE_STALE.
 */
int hd_session_release_all(struct hd_session *session, const hd_handle *handles, size_t count, size_t *bad,
                           uint64_t *failed_request) HD_MUST_USE;

/*
 * The same in steps: each handle is marked (errors as hd_session_get), then each is released, or unmarked if one would
 * not do. Other requests of the session do not run meanwhile; it may end.
 */
int hd_session_mark_leaving(struct hd_session *session, hd_handle handle, uint64_t *failed_request) HD_MUST_USE;
void hd_session_unmark_leaving(struct hd_session *session, hd_handle handle);
void hd_session_release_leaving(struct hd_session *session, hd_handle handle);

/*
 * Copies a session's handles into one that holds nothing yet, slot by slot, with their generations, for a process that
 * was forked. begin takes the memory (HD_ENOMEM) and refuses a target that was used (HD_EINVALID). step goes on for
 * about `units` slots from *position, 0 at first; true: there is more. `except`, ascending by slot, are left out; so is
 * what the source has not filled. The target may end between steps, not the source.
 */
int hd_session_clone_begin(struct hd_session *target, const struct hd_session *source) HD_MUST_USE;
bool hd_session_clone_step(struct hd_session *target, const struct hd_session *source, const hd_handle *except,
                           size_t except_count, uint32_t *position, size_t *except_position, uint64_t units);

/*
 * A batch: what is filled and released from now on can be put back as it was, at which nothing can fail. Releasing then
 * fails with HD_ENOMEM where it could not otherwise. Nothing is pended meanwhile.
 */
void hd_session_open_journal(struct hd_session *session);
void hd_session_close_journal(struct hd_session *session, bool put_back);

/* The generation that a slot was last used with, for messages; 0 if never. */
uint32_t hd_session_generation(const struct hd_session *session, hd_handle handle);

/* NULL, or the name of a broken invariant. O(slots). */
const char *hd_session_check(const struct hd_session *session);

#endif
