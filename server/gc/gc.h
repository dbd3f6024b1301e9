/*
 * Reference counts and the cycle collector.
 *
 * The story. An object lives while something refers to it. Every reference in an
 * object, a handle, a name or a scope is counted in the object table, and an
 * object whose count falls to zero is taken apart at once: its own references
 * are given up, which may bring others to zero. Whatever is brought to zero
 * waits in a queue that runs through the dead objects themselves, and is taken
 * apart in slices; nothing recurses and nothing is allocated.
 *
 * Counting cannot free a cycle. Objects that may be part of one are born into a
 * list of the young, generation 0. When enough were born, the young are looked
 * at: references among them are subtracted from their counts, and those that
 * still have a count are referred to from outside and live, with all that they
 * reach; the rest are garbage. The living move one generation up. Young
 * collections cost in proportion to the young alone.
 *
 * The old are collected by tracing from the roots, which are all known, and in
 * slices: the heap is marked as it was when the collection began. Two rules keep
 * that picture true while clients go on. A reference that is about to be
 * overwritten, or moved where it might be missed, is marked first (Yuasa's
 * snapshot barrier), and an object born meanwhile is born marked. What is
 * unmarked in the end was unreachable in the beginning, and what is unreachable
 * stays so; it is cleared and freed.
 *
 * The collector knows no object type. It knows table entries and what two
 * functions of a type tell: where an object's references lie (traverse), and
 * how to free what it owns beside its block (dispose). To clear is to overwrite
 * the words that traverse shows, so that needs no third function.
 *
 * Rules that code and tests cite:
 *   R1  Every counted reference is stored by hd_gc_store, hd_gc_put_new or
 *       hd_gc_take, and given up by hd_gc_release.
 *   R2  count(x) == number of words that refer to x, in objects and outside,
 *       unless saturated; a saturated count never changes.
 *   R3  A collection begins and goes on only at a safe point: no pointer into a
 *       payload and no reference outside objects and roots is held across one.
 *   R4  While marking: every reference that leaves an object or a root, and
 *       every one moved within an object, is shaded.
 *   R5  mark(x) is set for each object born while a full collection is under way; when none is, for no object.
 */
#ifndef HEAPD_GC_GC_H
#define HEAPD_GC_GC_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/alloc.h"
#include "alloc/table.h"
#include "alloc/value.h"
#include "common/allocator.h"
#include "common/error.h"

#define HD_GENERATIONS 3

/* `count` words that hold values; absent ones and inline ones may be among them. */
struct hd_span {
    hd_value *words;
    size_t count;
};

#define HD_SPANS_MAX 3

/* All references of one object. */
struct hd_refs {
    struct hd_span spans[HD_SPANS_MAX];
    unsigned span_count;
    uint32_t hidden; /* index of one more object that is referred to and counted, or 0 */
};

struct hd_gc;
struct hd_tags;

struct hd_type_ops {
    const char *name;
    bool inner;   /* can hold references; its payload's bytes 4..7 are the collector's once it is dead */
    bool tracked; /* can be part of a cycle */
    /* Shows where the references lie. Must not depend on bytes 4..7. NULL for leaves. O(1). */
    void (*traverse)(const struct hd_gc *gc, void *payload, struct hd_refs *out);
    /*
     * The same for the marker, which asks most often: of types whose references are one span, but for the hidden one.
     * NULL: traverse is asked. `hidden` is NULL if there never is one.
     */
    struct hd_span (*span)(const struct hd_gc *gc, void *payload);
    uint32_t (*hidden)(const struct hd_gc *gc, void *payload);
    /* Frees what the object owns beside its block and its references. May be NULL. */
    void (*dispose)(struct hd_gc *gc, uint32_t index, void *payload);
    /* Moves (hd_alloc_move) the blocks that it owns beside its own and that are leaving; HD_ENOMEM. May be NULL. */
    int (*relocate)(struct hd_gc *gc, void *payload);
};

struct hd_root_visitor {
    void (*visit)(struct hd_root_visitor *visitor, hd_value value);
    void *context;
};

/* What a source of roots is, for those who ask why an object lives; the collector does not care. */
enum hd_root_kind {
    HD_ROOT_OTHER = 0,   /* a request under way */
    HD_ROOT_GLOBALS = 1, /* the scope of the global names */
    HD_ROOT_SESSION = 2, /* a session's handles: id is the session's, a position is a slot */
    HD_ROOT_WAITER = 3,  /* requests that are parked */
    HD_ROOT_FROZEN = 4,  /* no source: frozen objects are kept whatever refers to them */
    HD_ROOT_TOKEN = 5,   /* references on their way from one session to another */
    HD_ROOT_GARBAGE = 6, /* what a collection found and was told to keep */
    HD_ROOT_INTERNED = 7,
};

/*
 * Roots that live outside the heap: a session's handles, the global scope.
 * scan shows about `max` of them from position `from` on, each once, and returns
 * the position to go on from, 0 when there are no more. With a `max` of 1 it shows
 * what is at `from`, if anything.
 */
struct hd_root_source {
    size_t (*scan)(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max);
    enum hd_root_kind kind;
    uint64_t id;
    struct hd_root_source *next;
    struct hd_root_source *previous;
};

struct hd_watcher {
    /* Did this watcher mark the object? (Marks of watchers that have ended may be left.) */
    bool (*covers)(const struct hd_watcher *watcher, uint32_t index);
    bool changed; /* an object that it covers changed */
    /* Asked instead of `covers` by those who want to know which it was. May be NULL. */
    void (*hit)(struct hd_watcher *watcher, uint32_t index);
    struct hd_watcher *next;
    struct hd_watcher *previous;
};

/*
 * Somebody who needs the heap as it was at one moment, and looks at it in slices:
 * told of each object right before its references change or it goes, and of each
 * that is born. It must not allocate objects, nor release any.
 *
 * `stores` is told instead of `changes` if nothing changes but one word, or, with
 * NULL, one is put behind the last: whoever reads a large object in parts needs to
 * read no more than the part around it. A word's number, in the order of traverse,
 * stays the same meanwhile.
 */
struct hd_gc_observer {
    void (*changes)(struct hd_gc_observer *observer, uint32_t index);
    void (*stores)(struct hd_gc_observer *observer, uint32_t index, const hd_value *word);
    void (*born)(struct hd_gc_observer *observer, uint32_t index);
};

enum hd_phase {
    HD_PHASE_IDLE = 0,
    HD_PHASE_ROOTS = 1, /* marking, roots not all scanned */
    HD_PHASE_MARK = 2,
    HD_PHASE_CLEAR = 3, /* unmarked objects are being cleared */
    HD_PHASE_AGE = 4,   /* survivors become old */
    HD_PHASE_WIPE = 5,  /* it is over; marks are cleared, so that the next one can begin at once */
};

struct hd_generation_stats {
    uint64_t collection_count;
    uint64_t collected_count;
};

/* What one collection found. */
struct hd_collection {
    uint64_t unreachable_count[HD_GENERATIONS]; /* by the generation they were in */
    uint64_t examined_count[HD_GENERATIONS];
    uint64_t unreachable_bytes; /* their blocks; of a dry run only */
};

enum hd_compact_phase {
    HD_COMPACT_IDLE = 0,
    HD_COMPACT_CHOOSE = 1, /* arenas to be emptied */
    HD_COMPACT_MOVE = 2,   /* along the table */
    HD_COMPACT_END = 3,    /* what did not empty stays */
};

/* A compaction under way: rounds of emptying arenas until one gains little. */
struct hd_compaction {
    enum hd_compact_phase phase;
    uint32_t next;         /* entry to look at */
    unsigned failed_count; /* blocks on end that there was no memory to move into */
    uint64_t arena_count;  /* when the round began */
    bool failed;           /* some block of this round was among these */
    unsigned caution;      /* of hd_alloc_evacuate_begin: raised when a round failed and gained nothing */
    unsigned round_count;
    uint64_t moved_count;      /* blocks, ever */
    uint64_t moved_bytes;      /* ever */
    uint64_t compaction_count; /* ever */
};

/* A list of table indices, some of which may have died since. */
struct hd_young_list {
    uint32_t *indices; /* own */
    uint32_t length;
    uint32_t capacity;
};

/*
 * So many are young at most: a collection of them is one pause. Whoever is born
 * when there are more (collections are off, say) is old at once.
 */
#define HD_YOUNG_MAX 4096u
/* When more have survived one collection than this, the next takes them along, before their threshold says so. */
#define HD_MIDDLE_MAX 2048u

/* A place within an object's references, kept between slices. */
struct hd_gc_cursor {
    uint32_t index; /* 0: none */
    unsigned span;
    size_t offset;
};

#define HD_MARK_STACK 4096

struct hd_gc {
    struct hd_table *table;               /* borrow */
    struct hd_alloc *alloc;               /* borrow */
    const struct hd_allocator *allocator; /* borrow */
    const struct hd_type_ops *types[HD_TYPE_COUNT];
    void *types_context; /* for the layer that registers the types */
    /* An object with HD_STATE_WEAK goes; called before anything of it is given up. Must not allocate or release. */
    void (*gone)(struct hd_gc *gc, uint32_t index);

    /* Generations. thresholds[i] == 0: generation i is not collected by itself. */
    bool enabled;
    uint32_t thresholds[HD_GENERATIONS];
    /*
     * counts[0]: tracked objects born minus died since the last collection of generation 0;
     * counts[i]: collections of generation i - 1 since the last one of generation i.
     */
    uint64_t counts[HD_GENERATIONS];
    struct hd_young_list young[2];
    uint32_t young_pause;                       /* births to come that are old at once, since there was no room */
    uint64_t tracked_count[HD_GENERATIONS + 1]; /* by generation; the last: frozen */
    uint64_t long_lived_pending;                /* became old since the last full collection */
    uint64_t long_lived_total;                  /* were old after it */
    struct hd_generation_stats stats[HD_GENERATIONS];

    /* Objects whose count is zero, newest first, threaded through payload bytes 4..7. */
    uint32_t dead_head;
    uint64_t dead_count;
    uint32_t dead_before;            /* those that had died when marking found nothing more, likewise threaded */
    bool dead_wait;                  /* marking waits for these, and for what the cursors are at */
    struct hd_gc_cursor dead_cursor; /* the one being taken apart */
    struct hd_gc_cursor dead_large;  /* a large one, put off while there are others */

    /* The full collection under way. */
    enum hd_phase phase;
    bool marking; /* phase is ROOTS or MARK: barriers are on */
    /*
     * If it is set when a collection has found what is unreachable, each of these is shown to it, and all of them stay:
     * those that it takes a reference to, and those that it does not, which the next collection finds again. One that
     * stays would show another that was cleared, so it is all or none. Must not collect, nor change objects.
     */
    void (*save)(struct hd_gc *gc, uint32_t index);
    void *save_context;
    struct hd_gc_observer *observer; /* borrow; NULL: nobody. One at a time */
    struct hd_root_source *roots;
    struct hd_root_source *root_next;
    size_t root_position;
    uint32_t mark_word;  /* where the sweep over the bitmap stands */
    uint64_t pass_found; /* objects found in this sweep, and in the one before */
    uint64_t pass_found_before;
    bool pass_again; /* something was marked behind the sweep */
    bool depth_first;
    struct hd_gc_cursor mark_cursor; /* a large object being followed */
    uint32_t stack[HD_MARK_STACK];
    uint32_t stack_length;
    uint32_t clear_next;
    uint32_t clear_pass; /* 0: give up references; then free saturated shells: 1, with a hidden reference; 2, others */
    bool saw_saturated;
    bool saves; /* while clearing: `save` was set when marking ended */
    struct hd_gc_cursor clear_cursor;
    struct hd_collection current;
    struct hd_collection last; /* the full collection that ended last */
    struct hd_collection last_dry_run;
    uint64_t full_ended_count;
    bool dry_run; /* the one under way only counts what it would free */
    uint64_t dry_run_ended_count;
    uint32_t frozen_next; /* while roots are scanned: frozen objects are roots too */

    struct hd_compaction compaction;

    uint64_t freed_count;   /* objects freed, ever */
    uint64_t created_count; /* ever */
    struct hd_watcher *watchers;
    struct hd_tags *tags; /* own; NULL: nobody ever gave a tag (tags.h) */
};

/* Cannot fail. The table, the allocators and `types` entries are borrowed until fini. */
void hd_gc_init(struct hd_gc *gc, struct hd_table *table, struct hd_alloc *alloc, const struct hd_allocator *allocator);
void hd_gc_fini(struct hd_gc *gc);

void hd_gc_add_roots(struct hd_gc *gc, struct hd_root_source *source);
/* What it held must have been released before. */
void hd_gc_remove_roots(struct hd_gc *gc, struct hd_root_source *source);

#define HD_PAYLOAD_ZEROED_BYTES 64

/*
 * Makes an object with a count of one, owned by the caller: a block of
 * `payload_bytes`, an entry of the table, a place among the young. The first
 * HD_PAYLOAD_ZEROED_BYTES of an inner object's payload are zero, the rest is
 * undefined and must not be shown by traverse before it is filled. HD_ENOMEM:
 * nothing has changed.
 */
int hd_gc_new(struct hd_gc *gc, unsigned type, size_t payload_bytes, hd_value *out) HD_MUST_USE;
/*
 * Resizes an object's block; it may move. HD_ENOMEM: unchanged.
 */
int hd_gc_resize(struct hd_gc *gc, uint32_t index, size_t payload_bytes) HD_MUST_USE;

static inline void *hd_gc_payload(const struct hd_gc *gc, hd_value value)
{
    assert(hd_value_is_ref(value));
    return hd_table_payload(gc->table, hd_value_index(value));
}

static inline unsigned hd_gc_type(const struct hd_gc *gc, hd_value value)
{
    return hd_table_type(gc->table, hd_value_index(value));
}

/* The slow parts of the inline functions below. */
void hd_gc_zero(struct hd_gc *gc, uint32_t index);
void hd_gc_watch_hit(struct hd_gc *gc, uint32_t index);

/* Marks an object as reached. Leaves need no mark. */
static inline void hd_gc_mark(struct hd_gc *gc, hd_value value)
{
    if (!hd_value_is_inner_ref(value))
        return;
    uint32_t index = hd_value_index(value);
    if (hd_table_bit(gc->table->mark, index))
        return;
    hd_table_bit_set(gc->table->mark, index);
    /* Behind the sweep, it is found by the next one. */
    if (index >> 6 <= gc->mark_word)
        gc->pass_again = true;
}

/* R4: for a reference that is about to be overwritten, or moved within its object. */
static inline void hd_gc_shade(struct hd_gc *gc, hd_value value)
{
    if (__builtin_expect(gc->marking, 0))
        hd_gc_mark(gc, value);
}

/* R4, for `count` words that are moved within their object. */
static inline void hd_gc_shade_words(struct hd_gc *gc, const hd_value *words, size_t count)
{
    if (__builtin_expect(gc->marking, 0))
        for (size_t i = 0; i < count; i++)
            hd_gc_mark(gc, words[i]);
}

/* One reference more. Returns the value, now owned by the caller. */
static inline hd_value hd_gc_retain(struct hd_gc *gc, hd_value value)
{
    if (hd_value_is_ref(value)) {
        uint32_t *meta = &gc->table->meta[hd_value_index(value)];
        if (*meta >> HD_META_TYPE_BITS != HD_COUNT_SATURATED)
            *meta += HD_META_ONE;
    }
    return value;
}

/* One reference less (steal). At zero the object is queued to be taken apart. */
static inline void hd_gc_release(struct hd_gc *gc, hd_value value)
{
    if (!hd_value_is_ref(value))
        return;
    uint32_t index = hd_value_index(value);
    uint32_t *meta = &gc->table->meta[index];
    hd_gc_shade(gc, value);
    if (*meta >> HD_META_TYPE_BITS == HD_COUNT_SATURATED)
        return;
    assert(*meta >= HD_META_ONE);
    *meta -= HD_META_ONE;
    if (*meta < HD_META_ONE)
        hd_gc_zero(gc, index);
}

/* To be called before an object's contents change in any way. */
static inline void hd_gc_touch(struct hd_gc *gc, uint32_t owner)
{
    if (__builtin_expect(gc->table->state[owner] & HD_STATE_WATCHED, 0))
        hd_gc_watch_hit(gc, owner);
    if (__builtin_expect(gc->observer != NULL, 0))
        gc->observer->changes(gc->observer, owner);
}

/* Instead of hd_gc_touch, if one word changes alone. NULL: one is put behind all others, and they stay as they are. */
static inline void hd_gc_touch_word(struct hd_gc *gc, uint32_t owner, const hd_value *word)
{
    if (__builtin_expect(gc->table->state[owner] & HD_STATE_WATCHED, 0))
        hd_gc_watch_hit(gc, owner);
    if (__builtin_expect(gc->observer != NULL, 0))
        gc->observer->stores(gc->observer, owner, word);
}

/* Stores a value into a word of an object in place of the old one. Steals the value. */
static inline void hd_gc_store(struct hd_gc *gc, uint32_t owner, hd_value *word, hd_value value)
{
    hd_gc_touch_word(gc, owner, word);
    hd_value old = *word;
    *word = value;
    hd_gc_release(gc, old);
}

/* Stores into a word that holds nothing yet. Steals the value. */
static inline void hd_gc_put_new(hd_value *word, hd_value value)
{
    *word = value;
}

/* Takes the value out of a word of an object; it is the caller's now. */
static inline hd_value hd_gc_take(struct hd_gc *gc, uint32_t owner, hd_value *word)
{
    hd_gc_touch(gc, owner);
    hd_value old = *word;
    *word = HD_ABSENT;
    hd_gc_shade(gc, old);
    return old;
}

/*
 * Two objects of one type change places: each gets the other's payload. What was
 * followed of either is followed again, since references moved (R4). O(1).
 */
void hd_gc_exchange(struct hd_gc *gc, uint32_t left, uint32_t right);

/* Takes dead objects apart, about `units` references' worth. True if some are left. */
bool hd_gc_reap(struct hd_gc *gc, uint64_t units);

/*
 * Collects the young: generation 0, or 0 and 1. In one go, in proportion to
 * them; very large containers among them become old unexamined. Only at a safe
 * point. Cannot fail.
 */
void hd_gc_collect_young(struct hd_gc *gc, unsigned generation, struct hd_collection *out);

/*
 * Begins a full collection, if none is under way: snapshot at the beginning. A dry
 * run counts what a collection would free, and frees nothing.
 */
void hd_gc_full_start(struct hd_gc *gc, bool dry_run);
/* Goes on with it for about `units`. True while it is under way. */
bool hd_gc_full_step(struct hd_gc *gc, uint64_t units);
/* Are objects still looked for, followed or cleared? What comes after is over soon, and changes no object. */
static inline bool hd_gc_is_collecting(const struct hd_gc *gc)
{
    return gc->phase != HD_PHASE_IDLE && gc->phase != HD_PHASE_WIPE;
}

/*
 * Makes all tracked objects frozen (CPython's permanent generation: kept whether
 * reachable or not, until counting frees them), or all frozen ones old again, for
 * about `units` from *next on (0 to begin). True while there are more. Not while a
 * full collection is under way.
 */
bool hd_gc_freeze_step(struct hd_gc *gc, uint32_t *next, uint64_t units);
bool hd_gc_unfreeze_step(struct hd_gc *gc, uint32_t *next, uint64_t units);

/* Starts what counts and thresholds ask for: a young collection is done at once, a full one begun. */
void hd_gc_poll(struct hd_gc *gc);

/*
 * Begins to move objects together, so that arenas become empty and go back to the
 * system; nothing but the table's location words has to be put right. Only one at
 * a time; a second start does nothing.
 */
void hd_gc_compact_start(struct hd_gc *gc);
/* Goes on with it for about `units`; only at a safe point, since payloads move. True while it is under way. */
bool hd_gc_compact_step(struct hd_gc *gc, uint64_t units);

/*
 * Watching: whoever looks at many objects in slices, and must know whether one
 * of them changed meanwhile, marks each with hd_gc_watch between begin and end.
 * When a marked object changes or dies, each watcher that covers it is told.
 */
void hd_gc_watch_begin(struct hd_gc *gc, struct hd_watcher *watcher);
void hd_gc_watch(struct hd_gc *gc, uint32_t index);
void hd_gc_watch_end(struct hd_gc *gc, struct hd_watcher *watcher);

/*
 * NULL, or the name of an invariant that does not hold, R2 among them: every
 * reference in objects and roots is counted again. `scratch` has room for
 * table->length numbers, or is NULL to leave R2 out. O(heap).
 */
const char *hd_gc_check(const struct hd_gc *gc, uint32_t *scratch);

#endif
