/*
 * How the payloads of the types lie in memory. For this folder only.
 *
 * Payloads have no header. Those of inner types leave bytes 4..7 to the collector
 * (gc_link), which threads its queue of the dead through them.
 */
#ifndef HEAPD_OBJECT_PAYLOAD_H
#define HEAPD_OBJECT_PAYLOAD_H

#include "object/object.h"

/* Sign and magnitude, as GMP's mpn functions want them; no leading zero limbs. */
struct hd_int {
    uint32_t limb_count;
    uint32_t negative;
    uint64_t limbs[];
};

struct hd_float {
    double real;
};

struct hd_str { /* bytes too */
    uint32_t size;
    uint8_t bytes[];
};

/*
 * head + length <= capacity. Free room at both ends, so that both ends are cheap.
 */
struct hd_list {
    uint32_t length;
    uint32_t gc_link;
    uint32_t head;
    uint32_t capacity;
    hd_value items[];
};

struct hd_tuple {
    uint32_t length;
    uint32_t gc_link;
    hd_value items[];
};

struct hd_closing; /* hash_internal.h */

/*
 * An open-addressing index over entries in order of insertion, as CPython's dict
 * has it, that grows, shrinks and closes its holes a few entries at a time.
 *
 *     entries      `end` of `capacity` used; a dict's are pairs, a set's single
 *                  words; a deleted one is a hole (hash_internal.h)
 *     slots        hash in the high half, number of the entry + 1 in the low; 0 never
 *                  used, HD_SLOT_DELETED was used. NULL while `capacity` is at most
 *                  HD_TABLE_UNINDEXED: then entries are looked through.
 *     old_slots    the index that is being left: slots from `migrated` on are not
 *                  in `slots` yet
 *     closing      while holes are closed: where entries have moved to
 *
 *     count <= end <= capacity
 *     count == number of entries that are not holes
 *     the last entry is no hole, but while holes are closed
 *     each present entry is in exactly one of slots and old_slots
 *     waiting == those that are in old_slots
 *     filled == used and deleted ones in slots
 *     filled + waiting <= 3/4 of slots
 */
struct hd_hash_table {
    uint32_t count;
    union {
        uint32_t gc_link;
        uint32_t version; /* while it lives: raised when an entry comes or goes */
    };
    uint32_t end;
    uint32_t capacity;
    hd_value *entries;          /* own: a block of the object allocator */
    uint64_t *slots;            /* own */
    uint64_t *old_slots;        /* own */
    struct hd_closing *closing; /* own */
    uint32_t filled;
    uint32_t migrated;
    uint32_t waiting;
    uint8_t slot_bits; /* log2 of the number of slots */
    uint8_t old_slot_bits;
};

_Static_assert(sizeof(struct hd_hash_table) <= 64, "small dicts are many");

/*
 * A table of single words that changes no more once it can be reached. What it takes
 * as a key is summed up while elements are put in, so that its hash costs nothing
 * later, however many there are.
 *
 *     mix      of the hashes of all elements, in any order the same
 *     weight   units that comparing it may cost at most; saturates
 */
struct hd_frozenset {
    struct hd_hash_table table;
    uint64_t mix;
    uint64_t weight;
};

struct hd_class {
    uint32_t id;
    uint32_t gc_link;
    hd_value name;
    hd_value superclass;
    hd_value layout;     /* dict: attribute name to position in instances */
    hd_value attributes; /* dict of the class's own attributes, or HD_ABSENT */
    uint32_t layout_count;
    uint32_t depth; /* superclasses above it; <= HD_CHAIN_MAX */
    /*
     * Names that a literal under way brought are in the layout before it is known that
     * the literal succeeds. Those from confirmed_count on are nobody else's yet, and go
     * when the last of builder_count literals ends without having needed them.
     */
    uint32_t confirmed_count; /* <= layout_count */
    uint32_t builder_count;
};

/*
 * `shape` is the class's id (24 bits) and the number of slots (8 bits). Slots
 * stand in the order of the class's layout; one that is not set is HD_ABSENT.
 */
struct hd_instance {
    uint32_t shape;
    uint32_t gc_link;
    hd_value slots[];
};

/* A leaf: what it leads to does not live by it. */
struct hd_weak {
    uint64_t target; /* identity; 0: gone */
    uint32_t hash;   /* of the target, as a key; kept when it is gone */
    uint32_t weight;
    bool hashed;
};

/*
 * linked: has an object, and stands in the list of those that do. The neighbours are
 * table indices, or 0.
 */
struct hd_soft {
    uint32_t newer;
    uint32_t gc_link;
    uint32_t older;
    uint32_t linked;
    hd_value value;
};

/* An iterator. container: HD_ABSENT once it came to the end. */
struct hd_cursor {
    uint32_t position;
    uint32_t gc_link;
    uint32_t from; /* of a sequence that is gone through backward: its length when that began */
    uint8_t view;
    uint8_t reversed;
    uint64_t version; /* of the container when it was opened */
    hd_value container;
};

struct hd_scope {
    uint16_t closed;
    uint16_t depth; /* parents that it had when it was made; <= HD_CHAIN_MAX */
    uint32_t gc_link;
    hd_value names;
    hd_value parent;
    hd_value deadlines; /* a dict, or HD_ABSENT: the heap's, for names that end by themselves */
};

/* Bytes hashed, compared or moved that make one unit of work; a key of usual size makes none. */
#define HD_BYTES_PER_UNIT 64

static inline void hd_objects_worked(struct hd_objects *objects, size_t bytes)
{
    objects->work_units += bytes / HD_BYTES_PER_UNIT;
}

static inline struct hd_objects *hd_objects_of(const struct hd_gc *gc)
{
    return gc->types_context;
}

/* Makes an object of a type and counts it. */
int hd_object_new(struct hd_objects *objects, enum hd_type type, size_t payload_bytes, hd_value *out) HD_MUST_USE;

extern const struct hd_type_ops hd_list_ops, hd_tuple_ops, hd_dict_ops, hd_set_ops, hd_class_ops, hd_instance_ops,
    hd_scope_ops;
extern const struct hd_type_ops hd_bulk_ops;
extern const struct hd_type_ops hd_frozenset_ops, hd_weak_ops, hd_soft_ops, hd_cursor_ops;

/* NULL or a broken invariant of weak references. */
const char *hd_weak_check(struct hd_objects *objects);

/* A tuple with room for so many elements, that has none yet: its length is raised as they are put in. */
int hd_tuple_new_open(struct hd_objects *objects, uint32_t capacity, hd_value *out) HD_MUST_USE;
/*
 * Takes over a block (steal) as a list's payload: `length` words that begin at head,
 * behind room for the payload's own fields. What it has had is freed without a look
 * at what that refers to, unless it is handed out. Cannot fail.
 */
void hd_list_adopt(struct hd_objects *objects, hd_value list, hd_value *block, uint32_t head, uint32_t length);
/* Another capacity, at least what is used; the block may move. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_list_resize(struct hd_objects *objects, hd_value list, uint64_t capacity) HD_MUST_USE;
/* After elements were taken out: gives memory back if three quarters are unused and that is soon done. */
void hd_list_settle(struct hd_objects *objects, hd_value list);
/* For undo.c: an element that was put in comes out (a reference), one that was taken out (steal) goes back. Cannot
 * fail. */
hd_value hd_list_take_back(struct hd_objects *objects, hd_value list, uint32_t position);
void hd_list_put_back(struct hd_objects *objects, hd_value list, uint32_t position, hd_value value);
/* Words of a block in front of a list's elements. */
#define HD_LIST_HEADER_WORDS (sizeof(struct hd_list) / sizeof(hd_value))
/*
 * For literals: names that hd_attribute_set_in_literal brings to a class between begin
 * and end stay in its layout on success, and else go, unless somebody else has set them.
 */
void hd_class_builder_begins(struct hd_objects *objects, hd_value class_value);
void hd_class_builder_ends(struct hd_objects *objects, hd_value class_value, bool success);
int hd_attribute_set_in_literal(struct hd_objects *objects, hd_value instance, struct hd_key *name,
                                hd_value value) HD_MUST_USE;

/* The id's class is forgotten. */
void hd_class_forget(struct hd_objects *objects, uint32_t id);

/* An int as sign and limbs, wherever it lies. */
struct hd_int_view {
    const uint64_t *limbs;
    size_t limb_count;
    bool negative;
    uint64_t own; /* where the limb of an inline int lies; the view must not be copied then */
};

void hd_int_view(const struct hd_objects *objects, hd_value value, struct hd_int_view *out);
/* From limbs, leading zeros allowed; inline if it fits. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_int_from_limbs(struct hd_objects *objects, const uint64_t *limbs, size_t limb_count, bool negative,
                      hd_value *out) HD_MUST_USE;
/* The integer that a float equals, if any: up to 17 limbs are written. */
bool hd_float_to_limbs(double real, uint64_t limbs[17], size_t *limb_count, bool *negative);

/* As hd_key_equal for a str or bytes that is no object. */
bool hd_key_bytes_equal(struct hd_objects *objects, enum hd_kind_of_value kind, const uint8_t *bytes, size_t size,
                        hd_value other);
/* An element was put into it. */
void hd_frozenset_sum_up(struct hd_frozenset *set, const struct hd_key *key);
/* One was taken out again, before anybody else could reach it. */
void hd_frozenset_take_off(struct hd_frozenset *set, const struct hd_key *key);
/* The same of all elements of a set or frozenset. Errors of hd_key_hash. */
int hd_set_mix(struct hd_objects *objects, hd_value set, uint64_t *mix, uint64_t *weight) HD_MUST_USE;
/* A float, int or bool as the nearest double. HD_EOVERFLOW: an int too large to be one. */
int hd_number_to_double(const struct hd_objects *objects, hd_value value, double *out) HD_MUST_USE;

/* Two objects of one type exchange what they have; cursors of a table notice. */
void hd_table_exchange(struct hd_objects *objects, hd_value left, hd_value right);

uint64_t hd_siphash13(const uint64_t key[2], const void *bytes, size_t size);

static inline bool hd_is_str(const struct hd_objects *objects, hd_value value)
{
    return hd_value_tag(value) == HD_TAG_STR ||
           (hd_value_is_ref(value) && hd_gc_type(objects->gc, value) == HD_TYPE_STR);
}

static inline bool hd_is_type(const struct hd_objects *objects, hd_value value, enum hd_type type)
{
    return hd_value_is_ref(value) && hd_gc_type(objects->gc, value) == (unsigned)type;
}

#endif
