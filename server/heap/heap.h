/*
 * The engine as a library: one managed heap in this process.
 *
 * Ties allocator, table, collector and types together, under one limit, and adds
 * what is the heap's own: the global names, identities, numbers. It is a
 * deterministic state machine: the same calls with the same configuration give
 * the same visible results, whatever the clock or the addresses; work is given in
 * units (a unit is about one reference followed, some ten nanoseconds).
 *
 * Ownership, errors and "nothing has changed" as in object/object.h. Operations on
 * objects are called on heap->objects directly; between operations, at a safe
 * point, hd_heap_settle keeps the collector going.
 */
#ifndef HEAPD_HEAP_HEAP_H
#define HEAPD_HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/account.h"
#include "alloc/alloc.h"
#include "alloc/table.h"
#include "common/error.h"
#include "gc/gc.h"
#include "heap/expiry.h"
#include "heap/watch.h"
#include "object/bulk.h"
#include "object/object.h"
#include "os/os.h"

struct hd_heap_config {
    uint64_t limit_bytes;                /* over objects, table and bookkeeping; UINT64_MAX: none */
    uint64_t hash_key[2];                /* of the keyed hash: random in a daemon, fixed in a test */
    uint32_t thresholds[HD_GENERATIONS]; /* 0 in [0]: never by itself */
    bool huge_pages;
    size_t preallocate_bytes;     /* arenas that are mapped from the beginning and never given back */
    uint32_t max_buffers;         /* each needs a descriptor; 0: as many as the system gives */
    uint64_t settle_units;        /* slice of deferred work done after each request */
    bool (*fault)(void *context); /* tests: makes an allocation of any kind fail; NULL otherwise */
    void *fault_context;
};

/* Thresholds 700, 10, 10; no limit; key 0. */
void hd_heap_config_default(struct hd_heap_config *config);

struct hd_heap {
    struct hd_budget budget;
    struct hd_account account; /* bookkeeping of the heap and of the layers above */
    struct hd_alloc *alloc;
    struct hd_table table;
    struct hd_gc gc;
    struct hd_objects objects;
    struct hd_bulk_store bulk_store; /* buffers */
    hd_value globals;                /* the global scope */
    struct hd_root_source globals_root;
    uint64_t settle_units;
    struct hd_watch *watch;         /* own: subscriptions */
    struct hd_expiries expiries;    /* names with a time to live */
    uint64_t names_epoch;           /* raised whenever a global name is bound: who waits for one looks again */
    uint64_t settled_created_count; /* gc.created_count at the last settle */
    uint64_t settled_units;         /* of work that settling did, ever */
    uint64_t settle_debt;           /* units that births asked for and that were not done yet */
    uint64_t compact_checked_at;    /* gc.freed_count when fragmentation was looked at last */
    uint64_t release_credit_bytes;  /* that slices had for the table and that do not make a chunk yet */
    uint64_t collect_requests;      /* searches begun because memory ran short */
    /*
     * At the limit, before compacting: lets go of what may be let go of, for about `units`, after a collection has seen
     * to what nobody refers to. True while there is more. What dies is taken apart by the caller. NULL: there is
     * nothing.
     */
    bool (*evict)(void *context, uint64_t units);
    void *evict_context;
};

/* os is borrowed until free. HD_ENOMEM; HD_EINVALID: settle_units is 0. */
int hd_heap_new(const struct hd_os *os, const struct hd_heap_config *config, struct hd_heap **out) HD_MUST_USE;
/* Frees everything at once, whatever still refers to it. Takes NULL. */
void hd_heap_free(struct hd_heap *heap);

/* ---- names ----------------------------------------------------------------
 * scope: HD_ABSENT for the global one. Names are str: valid UTF-8, 1 to
 * HD_NAME_MAX_BYTES bytes (HD_EINVALID, HD_EUTF8). A closed scope is HD_EINVALID.
 */

/* Binds, in place of what was bound. Steals the value, only on success. */
int hd_heap_bind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value) HD_MUST_USE;
/* The same for a name whose value changes in place: its time to live stays. */
int hd_heap_rebind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value) HD_MUST_USE;
/* Looks in the scope, along its parents, then globally. HD_ENAME. */
int hd_heap_lookup(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value *out) HD_MUST_USE;
/* Looks in the scope alone. HD_ENAME. */
int hd_heap_lookup_own(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size,
                       hd_value *out) HD_MUST_USE;
/* Of this scope alone. HD_ENAME. */
int hd_heap_unbind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size) HD_MUST_USE;
/*
 * Adds a number to what is bound (in this scope alone) and gives the sum. HD_ENAME, and hd_number_add's errors.
 */
int hd_heap_add_to_name(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value delta,
                        hd_value *out) HD_MUST_USE;
/*
 * Names with a time to live (expiry.c). A moment is a number of the caller's, of
 * whatever unit, that only grows. A name that is bound again has no deadline any
 * more, but for one given with it.
 */
#define HD_NEVER UINT64_MAX
/* Has the name, in this scope itself, a time to live? */
bool hd_heap_name_expires(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size);
/* As hd_heap_bind; at that moment, or when hd_heap_expire first hears that it has passed, the name is unbound. */
int hd_heap_bind_until(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value,
                       uint64_t at) HD_MUST_USE;
/* Gives a bound name a deadline, another one, or (HD_NEVER) none. HD_ENAME. */
int hd_heap_set_deadline(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size,
                         uint64_t at) HD_MUST_USE;
/* HD_NEVER: it has none. HD_ENAME. */
int hd_heap_deadline(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, uint64_t *at) HD_MUST_USE;
/* The earliest of all; HD_NEVER: there is none. */
uint64_t hd_heap_next_deadline(const struct hd_heap *heap);
/* It is `now`: unbinds at most `units` of the names whose moment has come. True if there are more. */
bool hd_heap_expire(struct hd_heap *heap, uint64_t now, uint64_t units);

/* The scope's own names from *position on; false at the end. Borrowed. */
bool hd_heap_next_name(const struct hd_heap *heap, hd_value scope, uint32_t *position, hd_value *name, hd_value *value);

/* Adds to the number in an item or attribute of an object; one atomic step. */
int hd_heap_add_to_item(struct hd_heap *heap, hd_value object, struct hd_key *key, hd_value delta,
                        hd_value *out) HD_MUST_USE;
int hd_heap_add_to_attribute(struct hd_heap *heap, hd_value object, struct hd_key *name, hd_value delta,
                             hd_value *out) HD_MUST_USE;

/* ---- looking at objects --------------------------------------------------- */

struct hd_object_info {
    enum hd_kind_of_value kind;
    uint64_t identity;        /* 0: an inline value */
    uint64_t reference_count; /* 0: inline */
    uint64_t shallow_bytes;
    uint64_t length;
    bool tracked;
    unsigned generation;
    bool saturated;
};

void hd_heap_inspect(const struct hd_heap *heap, hd_value value, struct hd_object_info *out);

/* ---- work between requests ------------------------------------------------ */

/*
 * At a safe point, after each request: starts a collection that is due and does a
 * slice of what is waiting. True if something is left for hd_heap_step.
 */
bool hd_heap_settle(struct hd_heap *heap);
/*
 * Has hd_heap_settle nothing to do at all? Most requests leave the heap so; then
 * hd_heap_settled takes the place of the call.
 */
/* Fragmentation is looked at again when so many objects were freed. */
#define HD_COMPACT_CHECK_COUNT 65536u
static inline bool hd_heap_is_calm(const struct hd_heap *heap)
{
    const struct hd_gc *gc = &heap->gc;
    return gc->phase == HD_PHASE_IDLE && !gc->dead_count && gc->compaction.phase == HD_COMPACT_IDLE &&
           (gc->counts[0] <= gc->thresholds[0] || !gc->thresholds[0] || !gc->enabled) &&
           gc->freed_count - heap->compact_checked_at < HD_COMPACT_CHECK_COUNT && !hd_alloc_has_retired(heap->alloc);
}
static inline void hd_heap_settled(struct hd_heap *heap)
{
    heap->settled_created_count = heap->gc.created_count;
    heap->settle_debt = 0;
}
/* Will hd_heap_settle begin a collection or a compaction? For those who measure; a few comparisons. */
bool hd_heap_is_due(const struct hd_heap *heap);
/* Goes on with freeing and collecting for about `units`. True if something is left. */
bool hd_heap_step(struct hd_heap *heap, uint64_t units);
bool hd_heap_has_work(const struct hd_heap *heap);

/* A collection asked for: begun by hd_heap_collect_begin, driven by hd_heap_collect_step. */
struct hd_collect {
    unsigned generation;
    bool dry_run;
    uint64_t wait_for; /* gc.full_ended_count, or dry_run_ended_count, at which it is over */
    bool begun;
    struct hd_collection young; /* what a full one found among the young before it began */
    bool ended;                 /* result is there; what was found may still have to be freed */
    bool done;
    struct hd_collection result;
};

/*
 * Collects a generation and all younger ones. Generations 0 and 1 are done at
 * once; 2 is exact for what is garbage now: a full collection that is under way is
 * finished first. HD_EINVALID: no such generation.
 */
int hd_heap_collect_begin(struct hd_heap *heap, unsigned generation, struct hd_collect *collect) HD_MUST_USE;
/*
 * Begins a full collection that nobody waits for, the young first, unless one is
 * under way; hd_heap_step goes on with it.
 */
void hd_heap_collect_start(struct hd_heap *heap);
/* Counts what a full collection would free, and frees nothing. */
void hd_heap_dry_run_begin(struct hd_heap *heap, struct hd_collect *collect);
/* True while it is not done. */
bool hd_heap_collect_step(struct hd_heap *heap, struct hd_collect *collect, uint64_t units);
/* All of it in one go, with all freeing that is waiting: for tests, tools and the memory limit. */
int hd_heap_collect(struct hd_heap *heap, unsigned generation, struct hd_collection *out) HD_MUST_USE;

/* Freezes or unfreezes every tracked object, in slices; *next is 0 to begin. True while it is not done. */
bool hd_heap_freeze_step(struct hd_heap *heap, bool freeze, uint32_t *next, uint64_t units);

/* Gives back to the system what waits for that, about `units`' worth. True while some is left. */
bool hd_heap_release_step(struct hd_heap *heap, uint64_t units);

/* Begins a compaction, if none is under way; hd_heap_step goes on with it. */
void hd_heap_compact_begin(struct hd_heap *heap);
/* All of it in one go. */
void hd_heap_compact(struct hd_heap *heap);

/* ---- at the limit (relief.c) ---------------------------------------------- */

enum hd_relief_phase {
    HD_RELIEF_FREE = 0,    /* what is dead is taken apart, what is empty goes back */
    HD_RELIEF_COLLECT = 1, /* all generations */
    HD_RELIEF_EVICT = 2,   /* what may be let go of: hd_heap.evict */
    HD_RELIEF_COMPACT = 3,
    HD_RELIEF_OVER = 4,
};

/* A search for memory, after HD_ENOMEM. All zero: none. */
struct hd_relief {
    enum hd_relief_phase phase;
    bool begun;  /* this phase */
    bool helped; /* some phase that is over gave something back */
    uint64_t room_before_bytes;
    uint64_t freed_before;
    uint64_t wait_for; /* gc.compaction.compaction_count */
    struct hd_collect collect;
};

enum hd_relief_result {
    HD_RELIEF_GOES_ON,
    HD_RELIEF_HELPED, /* goes on, and what came back until now makes it worth asking again */
    HD_RELIEF_ENDED,
};

void hd_heap_relief_begin(struct hd_heap *heap, struct hd_relief *relief);
/* Goes on with it for about `units`; only at a safe point. hd_heap_step may be called meanwhile. */
enum hd_relief_result hd_heap_relief_step(struct hd_heap *heap, struct hd_relief *relief, uint64_t units) HD_MUST_USE;
/* All of it in one go: for tests and tools. True if something came back, so that a second try is worth while. */
bool hd_heap_relieve(struct hd_heap *heap);

/* ---- numbers and checks --------------------------------------------------- */

/* Calls visit for every number of the engine: name with its unit, and value. */
void hd_heap_stats(const struct hd_heap *heap, void (*visit)(void *context, const char *name, uint64_t value),
                   void *context);

/*
 * Checks every invariant of every structure, and each count against the
 * references that there are; O(heap). NULL, or the name of a broken one. Needs
 * scratch memory from outside the heap: an allocator that is not accounted.
 */
const char *hd_heap_check(struct hd_heap *heap, const struct hd_allocator *scratch);

#endif
