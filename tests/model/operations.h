/* What the operations of the model test share: values and keys at random, and the operations themselves. */
#ifndef HEAPD_TESTS_MODEL_OPERATIONS_H
#define HEAPD_TESTS_MODEL_OPERATIONS_H

#include "object/payload.h"
#include "run.h"

#define LENGTH_OF(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))
#define KIND(kind) (1u << HD_IS_##kind)

/* ---- values (operations_value.c) ---- */

#define NAMES 12
/* Of attributes and of scopes. */
extern const char *const names[NAMES];

bool new_scalar(struct run *run, struct model_value *out);
void let_go(struct run *run, struct model_value value);
struct model_value again(struct run *run, struct model_value value);
uint32_t any_root(struct run *run);
/* Puts a value (steal) into a root. */
void set_root(struct run *run, uint32_t at, struct model_value value);
/* Some value, owned: a new scalar, or what a root holds. */
bool some_value(struct run *run, struct model_value *out);
/* A root that holds one of these kinds, borrowed; NULL if none was met. */
struct model_object *some_object(struct run *run, unsigned kinds);
bool is_container(struct run *run, struct model_value value);
/* Keeps a value (steal): in a root, or, while the heap is to grow, often at the end of a list. */
void keep(struct run *run, struct model_value value);
/* An index in range or a little beyond, from the front or the end. */
int64_t some_index(struct run *run, uint32_t length);
/* Python's meaning of an index; false: out of range. */
bool position_of(int64_t index, uint32_t length, uint32_t *out);

/* ---- keys ---- */

struct some_key {
    struct hd_key key;
    struct model_value value;          /* owned; word HD_ABSENT if the key is given by its bytes */
    const struct model_scalar *scalar; /* then */
};

bool make_key(struct run *run, struct some_key *out);
void drop_key(struct run *run, const struct some_key *key);
bool key_is(struct run *run, const struct some_key *key, struct model_value other);
bool key_hashable(struct run *run, const struct some_key *key);
/* Its position among the words of a dict (stride 2) or set (1); -1. */
int64_t find_key(struct run *run, const struct model_object *object, uint32_t stride, const struct some_key *key);
/* The key as the engine keeps it, now that it is the last entry of a dict or set. */
struct model_value last_key(struct run *run, const struct model_object *object, const struct some_key *key);

/* ---- operations_made.c ---- */

void op_new_scalar(struct run *run);
void op_new_container(struct run *run);
void op_new_tuple(struct run *run);
void op_new_class(struct run *run);
void op_new_instance(struct run *run);
void op_new_scope(struct run *run);
void op_duplicate(struct run *run);
void op_release(struct run *run);
void op_descend(struct run *run);
void op_build(struct run *run);

/* ---- operations_list.c ---- */

void op_append(struct run *run);
void op_insert(struct run *run);
void op_list_set(struct run *run);
void op_list_pop(struct run *run);
void op_contains(struct run *run);
void op_clear(struct run *run);
void op_add(struct run *run);

/* ---- operations_table.c ---- */

void op_table_put(struct run *run);
void op_table_get(struct run *run);
void op_table_remove(struct run *run);
void op_pop_last(struct run *run);

/* ---- operations_name.c ---- */

void op_attribute_set(struct run *run);
void op_attribute_get(struct run *run);
void op_attribute_delete(struct run *run);
void op_bind(struct run *run);
void op_unbind(struct run *run);
void op_look_up(struct run *run);
void op_close_scope(struct run *run);

#endif
