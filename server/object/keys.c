/*
 * Keys: hashing, and the memo that shares equal strings. Equality is in key_equal.c.
 *
 * The hash is SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012, with one and three rounds as most language runtimes use it), keyed,
 * so that a client cannot choose keys that collide. Numbers that are equal hash
 * equal: a float that is an integer hashes as that integer, a bool as 0 or 1. A
 * NaN equals nothing but itself, so it is hashed by its identity: by their bits, a
 * million of them would be a million keys with one hash.
 */
#include <string.h>

#include "object/object.h"
#include "object/payload.h"
#include "object/references.h"
#include "object/sync.h"

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

#define SIP_ROUND(v0, v1, v2, v3) \
    do { \
        v0 += v1; \
        v1 = rotate(v1, 13) ^ v0; \
        v0 = rotate(v0, 32); \
        v2 += v3; \
        v3 = rotate(v3, 16) ^ v2; \
        v0 += v3; \
        v3 = rotate(v3, 21) ^ v0; \
        v2 += v1; \
        v1 = rotate(v1, 17) ^ v2; \
        v2 = rotate(v2, 32); \
    } while (0)

uint64_t hd_siphash13(const uint64_t key[2], const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t v0 = UINT64_C(0x736f6d6570736575) ^ key[0];
    uint64_t v1 = UINT64_C(0x646f72616e646f6d) ^ key[1];
    uint64_t v2 = UINT64_C(0x6c7967656e657261) ^ key[0];
    uint64_t v3 = UINT64_C(0x7465646279746573) ^ key[1];
    uint64_t last = (uint64_t)size << 56;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        v3 ^= word;
        SIP_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    last |= hd_load_short(at, size);
    v3 ^= last;
    SIP_ROUND(v0, v1, v2, v3);
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    SIP_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

struct hd_key hd_key_of(hd_value value)
{
    return (struct hd_key){.value = value};
}

struct hd_key hd_key_of_bytes(enum hd_tag tag, const uint8_t *bytes, size_t size)
{
    if (size <= HD_INLINE_BYTES_MAX)
        return hd_key_of(hd_value_short(tag, bytes, size));
    return (struct hd_key){.bytes = bytes, .size = size, .tag = tag};
}

/* ---- hashing -------------------------------------------------------------- */

static uint64_t hash_bytes(struct hd_objects *objects, const void *bytes, size_t size)
{
    hd_objects_worked(objects, size);
    return hd_siphash13(objects->hash_key, bytes, size);
}

static uint64_t hash_identity(const struct hd_objects *objects, hd_value value)
{
    uint64_t identity = hd_table_identity(objects->gc->table, hd_value_index(value));
    return hd_siphash13(objects->hash_key, &identity, sizeof identity);
}

static uint64_t hash_limbs(struct hd_objects *objects, const uint64_t *limbs, size_t limb_count, bool negative)
{
    /* The sign goes into the key, so that limbs are hashed where they lie. */
    uint64_t key[2] = {objects->hash_key[0], objects->hash_key[1] ^ (negative ? UINT64_MAX : 0)};
    hd_objects_worked(objects, limb_count * sizeof *limbs);
    return hd_siphash13(key, limbs, limb_count * sizeof *limbs);
}

static uint64_t hash_int(struct hd_objects *objects, hd_value value)
{
    struct hd_int_view view;
    hd_int_view(objects, value, &view);
    return hash_limbs(objects, view.limbs, view.limb_count, view.negative);
}

static uint64_t hash_float(struct hd_objects *objects, hd_value value)
{
    double real = hd_float_get(objects, value);
    uint64_t limbs[17];
    size_t limb_count;
    bool negative;
    if (hd_float_to_limbs(real, limbs, &limb_count, &negative))
        return hash_limbs(objects, limbs, limb_count, negative);
    /* No NaN lies inline. */
    if (real != real && hd_value_is_ref(value))
        return hash_identity(objects, value);
    return hd_siphash13(objects->hash_key, &real, sizeof real);
}

/*
 * Work that one key may make: a unit for each element, and for bytes what they
 * cost. A tuple that holds another one twice, which holds a third one twice and so
 * on, is small and has no end, and so nearly is one that holds a long str a million
 * times. To compare a key never makes more than its weight, so what was hashed can
 * be looked for.
 */
#define WEIGHT_MAX (UINT64_C(1) << 20)

static uint64_t mixed(uint64_t x)
{
    /* SplitMix64's finish: sums of such numbers tell sets apart whose elements' hashes have the same sum. */
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void hd_frozenset_sum_up(struct hd_frozenset *set, const struct hd_key *key)
{
    set->mix += mixed(key->hash);
    set->weight += key->weight;
}

void hd_frozenset_take_off(struct hd_frozenset *set, const struct hd_key *key)
{
    set->mix -= mixed(key->hash);
    set->weight -= set->weight < key->weight ? set->weight : key->weight;
}

static uint64_t hash_frozen(const struct hd_objects *objects, uint64_t mix, uint64_t count)
{
    uint64_t pair[2] = {mix, count};
    uint64_t key[2] = {objects->hash_key[0] ^ UINT64_MAX, objects->hash_key[1]};
    return hd_siphash13(key, pair, sizeof pair);
}

static int hash_frozenset(struct hd_objects *objects, hd_value value, uint64_t *out, uint64_t *weight)
{
    const struct hd_frozenset *set = hd_gc_payload(objects->gc, value);
    *weight += set->weight + 1;
    *out = hash_frozen(objects, set->mix, set->table.count);
    return *weight > WEIGHT_MAX ? HD_ETOO_LARGE : 0;
}

int hd_set_mix(struct hd_objects *objects, hd_value set, uint64_t *mix, uint64_t *weight)
{
    uint32_t position = 0;
    hd_value element, none;
    *mix = *weight = 0;
    if (hd_is_type(objects, set, HD_TYPE_FROZENSET)) {
        const struct hd_frozenset *frozen = hd_gc_payload(objects->gc, set);
        *mix = frozen->mix;
        *weight = frozen->weight;
        return 0;
    }
    while (hd_dict_next(objects, set, &position, &element, &none)) {
        struct hd_key key = hd_key_of(element);
        int error = hd_key_hash(objects, &key);
        if (error)
            return error;
        *mix += mixed(key.hash);
        *weight += key.weight;
        objects->work_units++;
        if (*weight > WEIGHT_MAX)
            return HD_ETOO_LARGE;
    }
    return 0;
}

/* A set that is looked for as if it were frozen. */
static int hash_set(struct hd_objects *objects, hd_value set, uint64_t *out, uint64_t *weight)
{
    uint64_t mix;
    int error = hd_set_mix(objects, set, &mix, weight);
    if (!error)
        *out = hash_frozen(objects, mix, hd_dict_length(objects, set));
    return error;
}

static int hashed_before(const struct hd_weak *weak, uint64_t *out, uint64_t *weight)
{
    *weight += weak->weight;
    *out = weak->hash;
    return *weight > WEIGHT_MAX ? HD_ETOO_LARGE : 0;
}

/* Anything but a tuple, and a weak reference that was never hashed. */
static int hash_simple(struct hd_objects *objects, hd_value value, uint64_t *out, uint64_t *weight)
{
    ++*weight;
    switch (hd_kind_of(objects, value)) {
    case HD_IS_NONE:
        *out = hd_siphash13(objects->hash_key, "none", 4);
        return 0;
    case HD_IS_BOOL:
    case HD_IS_INT:
        *out = hash_int(objects, value);
        if (hd_value_is_ref(value))
            *weight += hd_int_size(objects, value) / HD_BYTES_PER_UNIT;
        return 0;
    case HD_IS_FLOAT:
        *out = hash_float(objects, value);
        return 0;
    case HD_IS_STR:
    case HD_IS_BYTES: {
        size_t size;
        const uint8_t *bytes = hd_bytes_view(objects, &value, &size);
        *out = hash_bytes(objects, bytes, size);
        *weight += size / HD_BYTES_PER_UNIT;
        return 0;
    }
    case HD_IS_FROZENSET:
        return hash_frozenset(objects, value, out, weight);
    case HD_IS_WEAK:
        return hashed_before(hd_gc_payload(objects->gc, value), out, weight);
    case HD_IS_SOFT:
    case HD_IS_CURSOR:
    case HD_IS_BUFFER:
    case HD_IS_CLASS:
    case HD_IS_INSTANCE:
    case HD_IS_SCOPE:
        *out = hash_identity(objects, value);
        return 0;
    default:
        if (hd_is_sync(hd_kind_of(objects, value))) {
            *out = hash_identity(objects, value);
            return 0;
        }
        return HD_EUNHASHABLE;
    }
}

/*
 * A tuple that is being gone through, with its hash so far; or a weak reference,
 * which has its object's hash and keeps it when that is gone.
 */
struct nested {
    hd_value value;
    uint32_t position;
    uint64_t hash;
    uint64_t weight_before;
};

/* A stack of them: the first few need no memory of their own. */
struct nested_stack {
    const struct hd_allocator *allocator;
    struct nested *frames;
    size_t depth;
    size_t capacity;
    struct nested first[8];
};

static void stack_init(struct nested_stack *stack, const struct hd_allocator *allocator)
{
    stack->allocator = allocator;
    stack->frames = stack->first;
    stack->depth = 0;
    stack->capacity = sizeof stack->first / sizeof stack->first[0];
}

static void stack_fini(struct nested_stack *stack)
{
    if (stack->frames != stack->first)
        hd_allocator_free(stack->allocator, stack->frames, stack->capacity * sizeof *stack->frames);
}

static int stack_push(struct nested_stack *stack, struct nested frame)
{
    if (stack->depth == stack->capacity) {
        bool moved = stack->frames != stack->first;
        struct nested *frames =
            hd_allocator_resize(stack->allocator, moved ? stack->frames : NULL,
                                moved ? stack->capacity * sizeof *frames : 0, stack->capacity * 2 * sizeof *frames);
        if (!frames)
            return HD_ENOMEM;
        if (!moved)
            memcpy(frames, stack->first, sizeof stack->first);
        stack->frames = frames;
        stack->capacity *= 2;
    }
    stack->frames[stack->depth++] = frame;
    return 0;
}

static uint64_t combine(const struct hd_objects *objects, uint64_t hash, uint64_t element)
{
    uint64_t pair[2] = {hash, element};
    return hd_siphash13(objects->hash_key, pair, sizeof pair);
}

static bool is_nested(const struct hd_objects *objects, hd_value value)
{
    if (hd_is_type(objects, value, HD_TYPE_TUPLE))
        return true;
    return hd_is_type(objects, value, HD_TYPE_WEAK) && !((struct hd_weak *)hd_gc_payload(objects->gc, value))->hashed;
}

/* A weak reference is found where its object is. */
static uint64_t folded(const struct hd_objects *objects, hd_value target, uint64_t hash)
{
    return hd_is_type(objects, target, HD_TYPE_WEAK) ? hash : (uint32_t)(hash ^ hash >> 32);
}

/* A hash is known: it becomes part of what is around it, which may end that, too. */
static void deliver(struct hd_objects *objects, struct nested_stack *stack, uint64_t hash, uint64_t weight,
                    uint64_t *out)
{
    while (stack->depth) {
        struct nested *frame = &stack->frames[stack->depth - 1];
        if (hd_is_type(objects, frame->value, HD_TYPE_TUPLE)) {
            frame->hash = combine(objects, frame->hash, hash);
            return;
        }
        struct hd_weak *weak = hd_gc_payload(objects->gc, frame->value);
        weak->hash = (uint32_t)folded(objects, hd_weak_peek(objects, frame->value), hash);
        weak->weight = (uint32_t)(weight - frame->weight_before);
        weak->hashed = true;
        hash = weak->hash;
        stack->depth--;
    }
    *out = hash;
}

/* Goes on with the innermost: its next element, or its end. */
static int hash_step(struct hd_objects *objects, struct nested_stack *stack, uint64_t *weight, uint64_t *out)
{
    struct nested *frame = &stack->frames[stack->depth - 1];
    hd_value next;
    if (hd_is_type(objects, frame->value, HD_TYPE_WEAK)) {
        next = hd_weak_peek(objects, frame->value);
        if (next == HD_ABSENT)
            return HD_EGONE;
    } else if (frame->position < hd_tuple_length(objects, frame->value)) {
        next = hd_tuple_at(objects, frame->value, frame->position++);
    } else {
        uint64_t hash = combine(objects, frame->hash, frame->position);
        stack->depth--;
        deliver(objects, stack, hash, *weight, out);
        return 0;
    }
    if (is_nested(objects, next))
        return stack_push(stack, (struct nested){.value = next, .weight_before = *weight});
    uint64_t hash;
    int error = hash_simple(objects, next, &hash, weight);
    if (!error)
        deliver(objects, stack, hash, *weight, out);
    return error;
}

static int hash_nested(struct hd_objects *objects, hd_value value, uint64_t *out, uint64_t *weight)
{
    struct nested_stack stack;
    stack_init(&stack, objects->allocator);
    int error = stack_push(&stack, (struct nested){.value = value});
    while (!error && stack.depth) {
        objects->work_units++;
        error = ++*weight > WEIGHT_MAX ? HD_ETOO_LARGE : hash_step(objects, &stack, weight, out);
    }
    stack_fini(&stack);
    return error;
}

bool hd_key_is_simple(const struct hd_objects *objects, hd_value value)
{
    switch (hd_kind_of(objects, value)) {
    case HD_IS_NONE:
    case HD_IS_BOOL:
    case HD_IS_INT:
    case HD_IS_FLOAT:
    case HD_IS_STR:
    case HD_IS_BYTES:
        return true;
    default:
        return false;
    }
}

int hd_key_hash(struct hd_objects *objects, struct hd_key *key)
{
    if (key->hashed)
        return 0;
    uint64_t hash, weight = 0;
    int error = 0;
    if (key->value == HD_ABSENT) {
        hash = hash_bytes(objects, key->bytes, key->size);
        weight = 1 + key->size / HD_BYTES_PER_UNIT;
    } else if (is_nested(objects, key->value)) {
        error = hash_nested(objects, key->value, &hash, &weight);
    } else if (key->as_frozen && hd_is_type(objects, key->value, HD_TYPE_SET)) {
        error = hash_set(objects, key->value, &hash, &weight);
    } else {
        error = hash_simple(objects, key->value, &hash, &weight);
    }
    if (error)
        return error;
    key->hash = (uint32_t)folded(objects, key->value, hash);
    key->weight = weight > UINT32_MAX ? UINT32_MAX : (uint32_t)weight;
    key->hashed = true;
    return 0;
}

/* ---- the memo ------------------------------------------------------------- */

/*
 * Keys repeat: the members of a thousand records, the attributes of a class. The
 * memo remembers, without holding them, the strings that were made for keys
 * lately; an equal one is then the same object. It is small, of fixed size, and
 * needs no care when a string dies: its identity is then no longer in the table.
 */
int hd_key_to_value(struct hd_objects *objects, struct hd_key *key, hd_value *out)
{
    if (key->value != HD_ABSENT) {
        *out = hd_gc_retain(objects->gc, key->value);
        return 0;
    }
    if (key->tag == HD_TAG_BYTES)
        return hd_bytes_new(objects, key->bytes, key->size, out);
    int error = hd_key_hash(objects, key);
    if (error)
        return error;
    struct hd_memo_slot *slot = &objects->memo[key->hash % HD_MEMO_SLOTS];
    struct hd_table *table = objects->gc->table;
    uint32_t index = slot->hash == key->hash ? hd_table_find(table, slot->identity) : 0;
    if (index && hd_table_type(table, index) == HD_TYPE_STR) {
        hd_value known = hd_value_ref(index, true);
        if (hd_key_bytes_equal(objects, HD_IS_STR, key->bytes, key->size, known)) {
            *out = hd_gc_retain(objects->gc, known);
            return 0;
        }
    }
    hd_value value;
    error = hd_str_new(objects, key->bytes, key->size, &value);
    if (error)
        return error;
    slot->identity = hd_table_identity(table, hd_value_index(value));
    slot->hash = key->hash;
    *out = value;
    return 0;
}
