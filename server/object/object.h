/*
 * The object types, and what can be done with objects.
 *
 * Conventions of every function here:
 *   - A parameter of type hd_value is borrowed, an hd_value that comes out
 *     through `out` is a new reference that the caller owns (and gives up with
 *     hd_gc_release); "steal" says otherwise.
 *   - 0 or an error, in which case nothing has changed.
 *   - No pointer into a payload is kept by the caller.
 *   - Immutable values are never changed in place.
 */
#ifndef HEAPD_OBJECT_OBJECT_H
#define HEAPD_OBJECT_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/error.h"
#include "common/literal.h"
#include "gc/gc.h"

/* Types in the object table. Those of values that can lie inline come first. */
enum hd_type {
    HD_TYPE_INT = 1,   /* beyond 61 bits */
    HD_TYPE_FLOAT = 2, /* whose exponent does not fit inline */
    HD_TYPE_STR = 3,   /* of 8 bytes and more */
    HD_TYPE_BYTES = 4, /* likewise */
    HD_TYPE_LIST = 5,
    HD_TYPE_TUPLE = 6,
    HD_TYPE_DICT = 7,
    HD_TYPE_SET = 8,
    HD_TYPE_CLASS = 9,
    HD_TYPE_INSTANCE = 10,
    HD_TYPE_SCOPE = 11,
    HD_TYPE_FROZENSET = 12,
    HD_TYPE_WEAK = 13,
    HD_TYPE_SOFT = 14,
    HD_TYPE_CURSOR = 15,

    /* Coordination: sync.h. */
    HD_TYPE_QUEUE = 16,
    HD_TYPE_LOCK = 17,
    HD_TYPE_RLOCK = 18,
    HD_TYPE_SEMAPHORE = 19,
    HD_TYPE_CONDITION = 20,
    HD_TYPE_EVENT = 21,
    HD_TYPE_BARRIER = 22,
    HD_TYPE_BUFFER = 23,
};

/* What a value is to a client, boxed or inline: numbers of heapd.v1.Type. */
enum hd_kind_of_value {
    HD_IS_NONE = 1,
    HD_IS_BOOL = 2,
    HD_IS_INT = 3,
    HD_IS_FLOAT = 4,
    HD_IS_STR = 5,
    HD_IS_BYTES = 6,
    HD_IS_LIST = 7,
    HD_IS_TUPLE = 8,
    HD_IS_DICT = 9,
    HD_IS_SET = 10,
    HD_IS_CLASS = 11,
    HD_IS_INSTANCE = 12,
    HD_IS_SCOPE = 13,
    HD_IS_FROZENSET = 14,
    HD_IS_WEAK = 15,
    HD_IS_SOFT = 16,
    HD_IS_CURSOR = 17,

    HD_IS_QUEUE = 18,
    HD_IS_LOCK = 19,
    HD_IS_RLOCK = 20,
    HD_IS_SEMAPHORE = 21,
    HD_IS_CONDITION = 22,
    HD_IS_EVENT = 23,
    HD_IS_BARRIER = 24,
    HD_IS_BUFFER = 25,
};

#define HD_BYTES_MAX ((size_t)1 << 30)      /* of one str, bytes or int */
#define HD_ELEMENTS_MAX ((uint32_t)1 << 31) /* of one container */
#define HD_ARITHMETIC_MAX_BYTES ((size_t)64 << 10)
#define HD_ATTRIBUTES_MAX 250 /* of one class's layout */
#define HD_NAME_MAX_BYTES 4096
/* Parents above a scope, superclasses above a class: each is looked through for a name that the others do not have. */
#define HD_CHAIN_MAX 1000

#define HD_MEMO_SLOTS 4096

struct hd_sync;

/* A string that was made lately, to be shared by the next equal one. Weak. */
struct hd_memo_slot {
    uint64_t identity;
    uint32_t hash;
};

/* ---- interned strings: intern.h tells of them ---- */
struct hd_intern_slot {
    uint64_t identity; /* 0: empty; HD_INTERN_GRAVE: an entry was here */
    uint32_t hash;
    bool held;
};
#define HD_INTERN_GRAVE UINT64_MAX

struct hd_intern_table {
    struct hd_intern_slot *slots; /* own */
    uint64_t capacity;            /* a power of two, or 0 */
    uint64_t used;
};

struct hd_interned {
    struct hd_intern_table now;
    struct hd_intern_table old; /* being left; capacity 0: none */
    uint64_t moved;             /* slots of old that are empty now */
    uint64_t count;
    uint64_t held_count;
    uint64_t hit_count; /* ever: found, instead of made */
    struct hd_root_source roots;
    bool is_root;
};

struct hd_weak_chunk;
struct hd_bulk_store;

struct hd_undo;

struct hd_objects {
    struct hd_gc *gc;                     /* borrow */
    const struct hd_allocator *allocator; /* borrow */
    uint64_t hash_key[2];
    struct hd_memo_slot *memo; /* own; HD_MEMO_SLOTS of them */
    uint32_t *class_indices;   /* own; by class id */
    uint32_t class_count;      /* ids ever used, the unused id 0 included */
    uint32_t class_free;       /* first of the free ids, whose words link them; 0: none */
    uint32_t class_capacity;
    uint64_t type_count[HD_TYPE_COUNT]; /* live objects of each type, those waiting to be taken apart included */
    /*
     * What was done beyond the usual cost of an operation: bytes that were hashed,
     * compared or moved, elements that were looked at. It only grows; whoever shares
     * time out looks at the difference. A unit is some tens of nanoseconds.
     */
    uint64_t work_units;
    struct hd_undo *undo; /* NULL, or the log that changes are noted in: undo.h */
    /* Weak references: weak.c. */
    struct hd_weak_chunk **weak_chunks; /* own; by index of the target; weak_chunk_count of them, or NULL */
    size_t weak_chunk_count;
    uint64_t weak_cleared_count; /* ever, since their object went */
    void (*gone)(void *context, uint32_t index);
    void *gone_context;
    struct hd_interned interned; /* intern.h */
    /* Soft references: soft.c. Table indices, or 0. */
    uint32_t soft_newest;
    uint32_t soft_oldest;
    uint64_t soft_count;         /* that have an object */
    uint64_t soft_evicted_count; /* ever */
    struct hd_sync *sync;        /* own: sync.h */
    /* Buffers: bulk.c. NULL: there are none. */
    struct hd_bulk_store *bulk_store; /* borrow */
};

/* Registers the types with the collector. HD_ENOMEM. */
int hd_objects_init(struct hd_objects *objects, struct hd_gc *gc, const struct hd_allocator *allocator,
                    const uint64_t hash_key[2]) HD_MUST_USE;
void hd_objects_fini(struct hd_objects *objects);

enum hd_kind_of_value hd_kind_of(const struct hd_objects *objects, hd_value value);
const char *hd_kind_name(enum hd_kind_of_value kind);

/* ---- scalars -------------------------------------------------------------- */

/* HD_ENOMEM. */
int hd_int_new(struct hd_objects *objects, int64_t integer, hd_value *out) HD_MUST_USE;
/* From two's complement, little endian, size >= 1. HD_EINVALID (no bytes), HD_ETOO_LARGE, HD_ENOMEM. */
int hd_int_from_bytes(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out) HD_MUST_USE;
/* True if the value is an int (not a bool) of 64 bits. */
bool hd_int_to_int64(const struct hd_objects *objects, hd_value value, int64_t *out);
/* An int that 64 bits do not hold? */
bool hd_is_big_int(const struct hd_objects *objects, hd_value value);
/* The length in bytes of the shortest two's complement form of an int; written by hd_int_write. */
size_t hd_int_size(const struct hd_objects *objects, hd_value value);
void hd_int_write(const struct hd_objects *objects, hd_value value, uint8_t *out);

int hd_float_new(struct hd_objects *objects, double real, hd_value *out) HD_MUST_USE;
double hd_float_get(const struct hd_objects *objects, hd_value value);

/* Copies the bytes. HD_EUTF8, HD_ETOO_LARGE, HD_ENOMEM. */
int hd_str_new(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out) HD_MUST_USE;
int hd_bytes_new(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out) HD_MUST_USE;
/* The bytes of a str or bytes: lent until the next call that may allocate or free. `value` itself may hold them. */
const uint8_t *hd_bytes_view(const struct hd_objects *objects, const hd_value *value, size_t *size);

/* Numbers of heapd.v1.Arithmetic. */
enum hd_arithmetic {
    HD_ADD = 1,
    HD_SUBTRACT = 2,
    HD_MULTIPLY = 3,
    HD_TRUE_DIVIDE = 4,
    HD_FLOOR_DIVIDE = 5,
    HD_MODULO = 6,
    HD_POWER = 7,
    HD_SHIFT_LEFT = 8,
    HD_SHIFT_RIGHT = 9,
    HD_AND = 10,
    HD_OR = 11,
    HD_XOR = 12,
    HD_NEGATE = 13, /* of left alone, as the next two */
    HD_ABSOLUTE = 14,
    HD_INVERT = 15,
};

static inline bool hd_arithmetic_is_unary(enum hd_arithmetic operation)
{
    return operation >= HD_NEGATE && operation <= HD_INVERT;
}

/*
 * Of ints, floats and bools, as Python has it. HD_EINVALID (no such operation), HD_ETYPE,
 * HD_EZERO_DIVISION, HD_EOVERFLOW (a float that is too large, or an int too large to be
 * one), HD_EVALUE (a negative shift; a power that is no real number), HD_ETOO_LARGE (an
 * operand beyond HD_ARITHMETIC_MAX_BYTES, a result beyond twice that), HD_ENOMEM.
 */
int hd_number_compute(struct hd_objects *objects, enum hd_arithmetic operation, hd_value left, hd_value right,
                      hd_value *out) HD_MUST_USE;
/* HD_ADD. */
int hd_number_add(struct hd_objects *objects, hd_value left, hd_value right, hd_value *out) HD_MUST_USE;

/* ---- keys ----------------------------------------------------------------- */

/*
 * A key to look for: a value, or the bytes of a str or bytes that no object need
 * be made for. The hash is computed when first needed.
 */
struct hd_key {
    hd_value value;       /* HD_ABSENT: the bytes below */
    const uint8_t *bytes; /* borrow */
    size_t size;
    enum hd_tag tag; /* HD_TAG_STR or HD_TAG_BYTES */
    uint32_t hash;
    uint32_t weight; /* once hashed: units that comparing it may cost */
    bool hashed;
    bool as_frozen; /* a set is looked for as the frozenset of its elements, as Python's `in` and discard do */
};

struct hd_key hd_key_of(hd_value value);
/* The bytes must be valid UTF-8 if tag is HD_TAG_STR; short ones become an inline value. */
struct hd_key hd_key_of_bytes(enum hd_tag tag, const uint8_t *bytes, size_t size);
/* The key as a value of its own; str keys that were met lately are shared. HD_ENOMEM. */
int hd_key_to_value(struct hd_objects *objects, struct hd_key *key, hd_value *out) HD_MUST_USE;
/*
 * HD_EUNHASHABLE, HD_ENOMEM (deep tuples), HD_ETOO_LARGE (tuples and frozensets of
 * more than a million elements, nested ones included, or of 64 MiB of str, bytes and
 * ints), HD_EGONE (a weak reference whose object died before it was hashed).
 */
int hd_key_hash(struct hd_objects *objects, struct hd_key *key) HD_MUST_USE;
/* No tuple, frozenset or weak reference: hashed once, it is compared without fail. */
bool hd_key_is_simple(const struct hd_objects *objects, hd_value value);
/* As dict keys are equal in Python: 1 == 1.0 == True, tuples by element, an object itself. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_key_equal(struct hd_objects *objects, const struct hd_key *key, hd_value other, bool *out) HD_MUST_USE;

/* ---- containers ----------------------------------------------------------- */

int hd_list_new(struct hd_objects *objects, uint32_t capacity, hd_value *out) HD_MUST_USE;
uint32_t hd_list_length(const struct hd_objects *objects, hd_value list);
/* Borrowed; position < length. */
hd_value hd_list_at(const struct hd_objects *objects, hd_value list, uint32_t position);
/* Makes room for `more` elements. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_list_reserve(struct hd_objects *objects, hd_value list, uint32_t more) HD_MUST_USE;
/* Steal the value, only on success. Index as Python's insert: clipped to the ends. */
int hd_list_append(struct hd_objects *objects, hd_value list, hd_value value) HD_MUST_USE;
int hd_list_insert(struct hd_objects *objects, hd_value list, int64_t index, hd_value value) HD_MUST_USE;
/* Index as Python's: negative from the end. HD_EINDEX. set steals on success. */
int hd_list_get(struct hd_objects *objects, hd_value list, int64_t index, hd_value *out) HD_MUST_USE;
int hd_list_set(struct hd_objects *objects, hd_value list, int64_t index, hd_value value) HD_MUST_USE;
int hd_list_pop(struct hd_objects *objects, hd_value list, int64_t index, hd_value *out) HD_MUST_USE;

/* Its elements are absent until hd_tuple_init_at put each there (steal). */
int hd_tuple_new(struct hd_objects *objects, uint32_t length, hd_value *out) HD_MUST_USE;
void hd_tuple_init_at(struct hd_objects *objects, hd_value tuple, uint32_t position, hd_value value);
uint32_t hd_tuple_length(const struct hd_objects *objects, hd_value tuple);
hd_value hd_tuple_at(const struct hd_objects *objects, hd_value tuple, uint32_t position);

/* capacity: entries to make room for at once, 0: as it comes. */
int hd_dict_new(struct hd_objects *objects, uint32_t capacity, hd_value *out) HD_MUST_USE;
int hd_set_new(struct hd_objects *objects, uint32_t capacity, hd_value *out) HD_MUST_USE;
/* Elements are put in by hd_set_add, as long as nobody else can reach it. */
int hd_frozenset_new(struct hd_objects *objects, uint32_t capacity, hd_value *out) HD_MUST_USE;
/* Makes room for `more` entries of a dict or set. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_dict_reserve(struct hd_objects *objects, hd_value dict, uint32_t more) HD_MUST_USE;
/* Entries of a dict or set. */
uint32_t hd_dict_length(const struct hd_objects *objects, hd_value dict);
/* Entries from position *position on, in order of insertion: false at the end. Borrowed. value is HD_ABSENT for sets.
 */
bool hd_dict_next(const struct hd_objects *objects, hd_value dict, uint32_t *position, hd_value *key, hd_value *value);
/* HD_EKEY; HD_EUNHASHABLE. */
int hd_dict_get(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value *out) HD_MUST_USE;
/* Steals the value, only on success. */
int hd_dict_set(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value value) HD_MUST_USE;
/* Takes the value out (out may be NULL). HD_EKEY. */
int hd_dict_pop(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value *out) HD_MUST_USE;
int hd_set_add(struct hd_objects *objects, hd_value set, struct hd_key *key, bool *was_new) HD_MUST_USE;
int hd_set_discard(struct hd_objects *objects, hd_value set, struct hd_key *key, bool *was_there) HD_MUST_USE;
/* For dict and set. */
int hd_dict_contains(struct hd_objects *objects, hd_value dict, struct hd_key *key, bool *out) HD_MUST_USE;
/* The entry that was put in last, borrowed. HD_EKEY when empty. value is HD_ABSENT for sets. */
int hd_dict_last(struct hd_objects *objects, hd_value dict, hd_value *key, hd_value *value) HD_MUST_USE;
/* What the key has, or puts the value there (borrow). */
int hd_dict_set_default(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value value,
                        hd_value *out) HD_MUST_USE;
/* Takes out the entry that was put in last. HD_EKEY when empty. value may be NULL. */
int hd_dict_pop_last(struct hd_objects *objects, hd_value dict, hd_value *key, hd_value *value) HD_MUST_USE;

/* ---- classes and instances ------------------------------------------------ */

/* superclass: HD_ABSENT or a class, whose layout is taken over. `name` is a str. HD_EDEPTH: more than HD_CHAIN_MAX. */
int hd_class_new(struct hd_objects *objects, hd_value name, hd_value superclass, hd_value *out) HD_MUST_USE;
/* Adds an attribute to the layout unless it is there. HD_ELIMIT. */
int hd_class_add_attribute(struct hd_objects *objects, hd_value class_value, struct hd_key *name) HD_MUST_USE;
/* The class itself, or one above it? Both are classes. O(depth). */
bool hd_class_derives(const struct hd_objects *objects, hd_value class_value, hd_value from);
/* Borrowed, or HD_ABSENT. */
hd_value hd_class_superclass(const struct hd_objects *objects, hd_value class_value);
/* Borrowed. */
hd_value hd_class_name(const struct hd_objects *objects, hd_value class_value);
int hd_instance_new(struct hd_objects *objects, hd_value class_value, hd_value *out) HD_MUST_USE;
/* Borrowed. */
hd_value hd_instance_class(const struct hd_objects *objects, hd_value instance);
/* Attributes that are set. */
uint32_t hd_instance_length(const struct hd_objects *objects, hd_value instance);
/* As hd_dict_next, over the attributes that are set. */
bool hd_instance_next(const struct hd_objects *objects, hd_value instance, uint32_t *position, hd_value *name,
                      hd_value *value);
/*
 * Attributes of an instance, then those of its class and superclasses (get
 * only); of a class its own. HD_EATTRIBUTE, HD_ETYPE (neither of these; set: a
 * name that is no str of 1 to HD_NAME_MAX_BYTES). set steals on success.
 */
int hd_attribute_get(struct hd_objects *objects, hd_value object, struct hd_key *name, hd_value *out) HD_MUST_USE;
int hd_attribute_set(struct hd_objects *objects, hd_value object, struct hd_key *name, hd_value value) HD_MUST_USE;
int hd_attribute_delete(struct hd_objects *objects, hd_value object, struct hd_key *name) HD_MUST_USE;

/* ---- scopes --------------------------------------------------------------- */

/* parent: HD_ABSENT or a scope. HD_EDEPTH: more than HD_CHAIN_MAX parents. */
int hd_scope_new(struct hd_objects *objects, hd_value parent, hd_value *out) HD_MUST_USE;
/* Borrowed: its names, a dict; its parent, or HD_ABSENT. */
hd_value hd_scope_names(const struct hd_objects *objects, hd_value scope);
hd_value hd_scope_parent(const struct hd_objects *objects, hd_value scope);
/* Borrowed: a dict of the heap's about names that end by themselves; HD_ABSENT until it is made. HD_ENOMEM. */
hd_value hd_scope_deadlines(const struct hd_objects *objects, hd_value scope);
int hd_scope_make_deadlines(struct hd_objects *objects, hd_value scope) HD_MUST_USE;
/* If there is one, and it is empty. */
void hd_scope_drop_deadlines(struct hd_objects *objects, hd_value scope);
/* Drops names, deadlines and parent. */
void hd_scope_close(struct hd_objects *objects, hd_value scope);
bool hd_scope_is_closed(const struct hd_objects *objects, hd_value scope);

/* ---- whatever the type (operations.c) ------------------------------------- */

/* list, tuple: HD_EINDEX; dict: HD_EKEY; else HD_ETYPE. */
int hd_get_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value *out) HD_MUST_USE;
/* Steals the value, only on success. */
int hd_set_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value value) HD_MUST_USE;
/* Takes an item out; out may be NULL. Without a key (NULL): the last of a list, dict (its value) or set. */
int hd_pop_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value *out) HD_MUST_USE;
/*
 * A key of a dict, an element of a set, list or tuple, a part of a str or bytes; in one
 * go: what may be long is hd_search_begin's (sequence.h).
 */
int hd_contains(struct hd_objects *objects, hd_value object, struct hd_key *key, bool *out) HD_MUST_USE;
/* Elements, entries, attributes, code points of a str, bytes of bytes. HD_ETYPE. */
int hd_length(struct hd_objects *objects, hd_value object, uint64_t *out) HD_MUST_USE;
/* Empties a list, dict or set. */
int hd_clear(struct hd_objects *objects, hd_value object) HD_MUST_USE;
/* Payload and parts in bytes, without the table entry; 0 for inline values. */
uint64_t hd_shallow_bytes(const struct hd_objects *objects, hd_value object);

/* NULL, or the name of an invariant of its payload that does not hold. O(size). */
const char *hd_object_check(struct hd_objects *objects, hd_value object);

/* ---- graphs (build.c, walk.c) --------------------------------------------- */

#define HD_LITERAL_MAX_DEPTH 10000u

/* How a literal's handles become values: a borrowed value, or an error. */
struct hd_resolver {
    int (*resolve)(void *context, uint64_t handle, hd_value *out);
    void *context;
};

struct hd_build {
    const struct hd_columns *columns; /* borrow */
    struct hd_resolver resolver;
    const uint64_t *captures; /* numbers of containers, ascending; borrow */
    size_t capture_count;
    hd_value *captured; /* capture_count words that take owned references; borrow */
};

/*
 * Makes what a literal describes; exactly one top-level node. HD_EPROTOCOL (the
 * columns do not fit), HD_EUTF8, HD_ECYCLE, HD_EDEPTH, HD_EUNHASHABLE, HD_EINVALID
 * (a capture or share of a container that is not there), HD_ETYPE (an instance of
 * what is no class), the resolver's errors, HD_ENOMEM.
 */
int hd_build_value(struct hd_objects *objects, const struct hd_build *build, hd_value *out) HD_MUST_USE;
/* The same for any number of top-level nodes, which go into a list, set or (in pairs) dict: all or nothing. */
int hd_build_extend(struct hd_objects *objects, const struct hd_build *build, hd_value container) HD_MUST_USE;

struct hd_builder;

/*
 * The same in slices, for literals that are long. What `build` points to must stay
 * until the builder is freed; its handles are resolved now. The builder is a root
 * of the collector. into: HD_ABSENT for a value, else the container to extend,
 * which the builder holds. HD_ETYPE, the resolver's errors, HD_ENOMEM.
 */
int hd_builder_new(struct hd_objects *objects, const struct hd_build *build, hd_value into,
                   struct hd_builder **out) HD_MUST_USE;
void hd_builder_free(struct hd_builder *builder);
/*
 * Reads about `units` nodes. 1: all were read, and a dict or set is extended by them;
 * 0: there are more; else as hd_build_value.
 */
int hd_builder_step(struct hd_builder *builder, uint64_t units) HD_MUST_USE;
/*
 * After a step that gave 1: hands out the value, or extends a list (and *out is HD_ABSENT),
 * and the captures. Of a dict or set it cannot fail.
 */
int hd_builder_finish(struct hd_builder *builder, hd_value *out) HD_MUST_USE;

/* Appends a value that is no container to a literal. HD_ETYPE, HD_ENOMEM, HD_ETOO_LARGE. */
int hd_literal_add_scalar(struct hd_objects *objects, struct hd_literal_writer *writer, hd_value value) HD_MUST_USE;

struct hd_walk;

/*
 * Begins to write what `root` reaches as the parts of one literal. The walk holds
 * a reference to root and is a root of the collector until it is freed. HD_ENOMEM.
 */
int hd_walk_new(struct hd_objects *objects, hd_value root, struct hd_walk **out) HD_MUST_USE;
void hd_walk_free(struct hd_walk *walk);
/*
 * Appends nodes to the writer until about `units` were written or the part has
 * `part_bytes`. Returns 1 when the literal is complete, 0 when there is more,
 * HD_ECHANGED when an object that was already looked at changed since the walk
 * began, or HD_ENOMEM, HD_ETOO_LARGE, HD_ETYPE (a class or scope in it).
 */
int hd_walk_step(struct hd_walk *walk, struct hd_literal_writer *writer, size_t part_bytes, uint64_t units) HD_MUST_USE;

#endif
