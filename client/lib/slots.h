/*
 * The connection's handles: which slots are in use, and with which generation.
 *
 * The daemon starts requests in the order in which they are sent. So a slot may
 * be used again as soon as its release stands before the new use in the output;
 * nobody has to wait for the release's reply. What it may not do is to overtake
 * the request that fills the slot, hence the states:
 *
 *     FREE ── take ──> PENDING ── filled ──> HELD ── release ──> QUEUED ── next_release ──> FREE
 *                         │  └── not filled ──> FREE
 *                         └─ release: EARLY (the release goes out at once, behind
 *                            the request), or LATER (the request may be parked,
 *                            so a release would find the slot pending: it is
 *                            queued when the reply says that the slot is filled)
 *
 * A release of its own that went out early and failed although the slot was
 * filled is queued again, so no reference leaks whatever the daemon's timing.
 *
 * Not safe for threads: the connection's lock guards it.
 */
#ifndef HEAPD_CLIENT_SLOTS_H
#define HEAPD_CLIENT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/handle.h"

struct hd_slot {
    uint32_t generation; /* of its last use; 0: never used */
    uint32_t next;       /* in the free list or the queue of releases; 0: the end */
    uint8_t state;
    bool may_park;
    uint8_t early; /* EARLY: what was answered of the request and of the release */
};

/*
 * Slots 1 .. used_count - 1 were used at least once.
 *     used_count - 1 == free_count + taken_count + retired slots
 */
struct hd_slots {
    struct hd_slot *slots; /* own; slots[0] is not used */
    uint32_t capacity;
    uint32_t used_count;
    uint32_t max_slots;
    uint32_t free_first;
    uint32_t free_count;
    uint32_t release_first; /* queue of releases, oldest first */
    uint32_t release_last;
    uint32_t release_count;
    uint32_t taken_count; /* neither free nor retired */
};

void hd_slots_init(struct hd_slots *slots, uint32_t max_slots);
void hd_slots_fini(struct hd_slots *slots);

/*
 * Takes `count` slots side by side, with the same generation: the handles are
 * *out, *out + 1, ... One slot costs O(1); a range is looked for only when there
 * is no room at the end. `may_park`: the request that is to fill them may be
 * parked. HD_ELIMIT, HD_ENOMEM.
 */
int hd_slots_take(struct hd_slots *slots, uint32_t count, bool may_park, hd_handle *out) HD_MUST_USE;
/* Undoes a take whose request was never sent. */
void hd_slots_untake(struct hd_slots *slots, hd_handle handle);

/* The request that was to fill it has been answered. */
void hd_slots_answered(struct hd_slots *slots, hd_handle handle, bool filled);

/* Is the slot filled, and not given back? */
bool hd_slots_is_held(const struct hd_slots *slots, hd_handle handle);

/*
 * 0, HD_EHANDLE_STALE, or HD_SLOTS_RELEASE_EARLY: the caller is to send a
 * release of this handle alone, now, and to say hd_slots_early_answered later,
 * or, if it cannot be sent, hd_slots_release_later.
 */
#define HD_SLOTS_RELEASE_EARLY 1
int hd_slots_release(struct hd_slots *slots, hd_handle handle);
void hd_slots_release_later(struct hd_slots *slots, hd_handle handle);
void hd_slots_early_answered(struct hd_slots *slots, hd_handle handle, bool released);

/* Takes a handle from the queue of releases; its slot is free from then on. False: the queue is empty. */
bool hd_slots_next_release(struct hd_slots *slots, hd_handle *out);

/*
 * A copy for a session that is cloned at this place in the order of requests: what is held stays held; what waits for a
 * reply, or is on its way out, is free in the copy, and its handles come as *except, ascending by slot (own: free).
 * HD_ENOMEM.
 */
int hd_slots_copy(const struct hd_slots *slots, struct hd_slots *out, hd_handle **except,
                  size_t *except_count) HD_MUST_USE;

/* For tests: 0, or the number of the equation that does not hold. */
int hd_slots_check(const struct hd_slots *slots);

#endif
