/*
 * The naive model of the engine: objects as plain structs, edges as arrays,
 * reachability by brute force. It knows nothing of counts, generations or slices.
 *
 * A value of the model is the engine's word and, for a reference, the number of
 * the model's object. So contents are compared word by word: the engine must
 * show the same object in the same place, not only an equal one.
 */
#ifndef HEAPD_TESTS_MODEL_MODEL_H
#define HEAPD_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/heap.h"

#define MODEL_NONE 0u

/* What a scalar is, so that the model can tell which keys are equal. */
struct model_scalar {
    enum hd_kind_of_value kind;
    int64_t integer; /* ints of 64 bits and bools */
    bool big;        /* an int beyond that: 2 ** power, negative or not */
    unsigned power;
    bool negative;
    double real;
    const char *bytes; /* str, bytes */
    size_t size;
};

struct model_value {
    hd_value word;
    uint32_t object; /* MODEL_NONE: inline */
};

struct model_object {
    bool used;
    bool reached;
    enum hd_kind_of_value kind;
    uint64_t identity;
    hd_value word;
    struct model_scalar scalar; /* of a leaf */
    struct model_value *items;  /* own; elements, keys and values in turn, values of attributes by position in names */
    uint32_t count;
    uint32_t capacity;
    unsigned depth;          /* of tuples within tuples */
    uint32_t owner;          /* an instance's class, a class's superclass, a scope's parent */
    struct model_value name; /* of a class */
    hd_value *names;         /* own; a class's layout: names as inline words */
    uint32_t name_count;
    struct model_value *own; /* own; a class's own attributes: name, value in turn */
    uint32_t own_count;
    uint32_t own_capacity;
    bool has_own; /* the class has a dict of its own attributes */
    bool closed;  /* scope */
};

#define MODEL_ROOTS 48
#define MODEL_SESSIONS 3
#define MODEL_SLOTS 12

struct model {
    struct model_object *objects; /* own; number 0 is none */
    uint32_t object_count;        /* numbers ever used */
    uint32_t capacity;
    uint32_t free_number; /* search starts here */
    uint32_t *by_index;   /* own; the object of a table index, if its identity is right */
    uint32_t by_index_count;
    struct model_value roots[MODEL_ROOTS];
    struct model_value held[MODEL_SESSIONS][MODEL_SLOTS]; /* by the sessions' handles; HD_ABSENT: none */
    struct model_value walk_root;                         /* of the walk under way */
    struct model_value *globals;                          /* own; name, value in turn */
    uint32_t global_count;
    uint32_t global_capacity;
    uint32_t *queue; /* own; of the search */
};

/* Aborts the test with a message; the caller has printed the seed. */
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MODEL_ASSERT(condition) \
    do { \
        if (!(condition)) \
            model_fail("%s:%d: %s", __FILE__, __LINE__, #condition); \
    } while (0)

void model_init(struct model *model);
void model_fini(struct model *model);

/* The model's object for a reference that the engine made, new or known. */
struct model_value model_adopt(struct model *model, const struct hd_heap *heap, hd_value word,
                               const struct model_scalar *scalar);
/* For a word that the model must know already. */
struct model_value model_known(const struct model *model, const struct hd_heap *heap, hd_value word);

static inline struct model_object *model_at(const struct model *model, uint32_t number)
{
    return &model->objects[number];
}

/* Insert and remove words of an array of values. */
void model_insert(struct model_value **items, uint32_t *count, uint32_t *capacity, uint32_t at,
                  struct model_value value);
void model_remove(struct model_value *items, uint32_t *count, uint32_t at);

/* The scalar behind a value; false for containers. */
bool model_scalar_of(const struct model *model, struct model_value value, struct model_scalar *out);
bool model_equal(const struct model *model, struct model_value left, struct model_value right);
bool model_hashable(const struct model *model, struct model_value value);

/* Marks what the roots reach, and forgets the rest. */
void model_reach(struct model *model);
/* How many nodes a literal of it has, and containers; false if a class or scope is in it. */
bool model_count_nodes(struct model *model, struct model_value root, uint64_t *nodes, uint64_t *containers);

/* All that is reachable is in the engine as the model has it. */
void model_compare(struct model *model, struct hd_heap *heap);
/* After a full collection: nothing else is there. Numbers by type. */
void model_compare_counts(const struct model *model, const struct hd_heap *heap);

#endif
