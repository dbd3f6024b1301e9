/*
 * Keys: hashing, equality, and the memo that shares equal strings.
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
    uint64_t tail = 0;
    memcpy(&tail, at, size);
    last |= tail;
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

/* Anything but a tuple. */
static int hash_simple(struct hd_objects *objects, hd_value value, uint64_t *out)
{
    switch (hd_kind_of(objects, value)) {
    case HD_IS_NONE:
        *out = hd_siphash13(objects->hash_key, "none", 4);
        return 0;
    case HD_IS_BOOL:
    case HD_IS_INT:
        *out = hash_int(objects, value);
        return 0;
    case HD_IS_FLOAT:
        *out = hash_float(objects, value);
        return 0;
    case HD_IS_STR:
    case HD_IS_BYTES: {
        size_t size;
        const uint8_t *bytes = hd_bytes_view(objects, &value, &size);
        *out = hash_bytes(objects, bytes, size);
        return 0;
    }
    case HD_IS_CLASS:
    case HD_IS_INSTANCE:
    case HD_IS_SCOPE:
        *out = hash_identity(objects, value);
        return 0;
    default:
        return HD_EUNHASHABLE;
    }
}

/*
 * Work that one tuple as a key may make: a unit for each element, and for bytes
 * what they cost. A tuple that holds another one twice, which holds a third one
 * twice and so on, is small and has no end, and so nearly is one that holds a long
 * str a million times. To compare a tuple never makes more than to hash it, so what
 * was hashed can be looked for.
 */
#define TUPLE_UNITS_MAX (UINT64_C(1) << 20)

/* One tuple that is being gone through, and what was computed of it. */
struct tuple_frame {
    hd_value tuple;
    hd_value other; /* of a comparison */
    uint32_t position;
    uint64_t hash;
};

/* A stack of them: the first few need no memory of their own. */
struct tuple_stack {
    const struct hd_allocator *allocator;
    struct tuple_frame *frames;
    size_t depth;
    size_t capacity;
    struct tuple_frame first[8];
};

static void stack_init(struct tuple_stack *stack, const struct hd_allocator *allocator)
{
    stack->allocator = allocator;
    stack->frames = stack->first;
    stack->depth = 0;
    stack->capacity = sizeof stack->first / sizeof stack->first[0];
}

static void stack_fini(struct tuple_stack *stack)
{
    if (stack->frames != stack->first)
        hd_allocator_free(stack->allocator, stack->frames, stack->capacity * sizeof *stack->frames);
}

static int stack_push(struct tuple_stack *stack, struct tuple_frame frame)
{
    if (stack->depth == stack->capacity) {
        bool moved = stack->frames != stack->first;
        struct tuple_frame *frames =
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

static int hash_tuple(struct hd_objects *objects, hd_value tuple, uint64_t *out)
{
    struct tuple_stack stack;
    uint64_t units_end = objects->work_units + TUPLE_UNITS_MAX;
    stack_init(&stack, objects->allocator);
    int error = stack_push(&stack, (struct tuple_frame){.tuple = tuple});
    while (!error) {
        if (objects->work_units++ >= units_end) {
            error = HD_ETOO_LARGE;
            break;
        }
        struct tuple_frame *frame = &stack.frames[stack.depth - 1];
        if (frame->position == hd_tuple_length(objects, frame->tuple)) {
            uint64_t hash = combine(objects, frame->hash, frame->position);
            if (--stack.depth == 0) {
                *out = hash;
                break;
            }
            struct tuple_frame *outer = &stack.frames[stack.depth - 1];
            outer->hash = combine(objects, outer->hash, hash);
            continue;
        }
        hd_value element = hd_tuple_at(objects, frame->tuple, frame->position++);
        if (hd_is_type(objects, element, HD_TYPE_TUPLE)) {
            error = stack_push(&stack, (struct tuple_frame){.tuple = element});
            continue;
        }
        uint64_t hash;
        error = hash_simple(objects, element, &hash);
        if (!error)
            frame->hash = combine(objects, frame->hash, hash);
    }
    stack_fini(&stack);
    return error;
}

int hd_key_hash(struct hd_objects *objects, struct hd_key *key)
{
    if (key->hashed)
        return 0;
    uint64_t hash;
    int error = 0;
    if (key->value == HD_ABSENT)
        hash = hash_bytes(objects, key->bytes, key->size);
    else if (hd_is_type(objects, key->value, HD_TYPE_TUPLE))
        error = hash_tuple(objects, key->value, &hash);
    else
        error = hash_simple(objects, key->value, &hash);
    if (error)
        return error;
    key->hash = (uint32_t)(hash ^ hash >> 32);
    key->hashed = true;
    return 0;
}

/* ---- equality ------------------------------------------------------------- */

static bool bytes_equal(struct hd_objects *objects, enum hd_kind_of_value kind, const uint8_t *bytes, size_t size,
                        hd_value other)
{
    if (hd_kind_of(objects, other) != kind)
        return false;
    size_t other_size;
    const uint8_t *other_bytes = hd_bytes_view(objects, &other, &other_size);
    if (size != other_size)
        return false;
    hd_objects_worked(objects, size);
    return memcmp(bytes, other_bytes, size) == 0;
}

static bool numbers_equal(struct hd_objects *objects, hd_value left, hd_value right)
{
    bool left_real = hd_kind_of(objects, left) == HD_IS_FLOAT;
    bool right_real = hd_kind_of(objects, right) == HD_IS_FLOAT;
    if (left_real && right_real)
        return hd_float_get(objects, left) == hd_float_get(objects, right);
    if (right_real)
        return numbers_equal(objects, right, left);
    struct hd_int_view a, b;
    uint64_t limbs[17];
    if (left_real) {
        a.limbs = limbs;
        if (!hd_float_to_limbs(hd_float_get(objects, left), limbs, &a.limb_count, &a.negative))
            return false;
    } else {
        hd_int_view(objects, left, &a);
    }
    hd_int_view(objects, right, &b);
    if (a.limb_count != b.limb_count || (a.negative != b.negative && a.limb_count != 0))
        return false;
    hd_objects_worked(objects, a.limb_count * sizeof(uint64_t));
    return memcmp(a.limbs, b.limbs, a.limb_count * sizeof(uint64_t)) == 0;
}

/* Neither is a tuple, and they are not the same word. */
static bool simple_equal(struct hd_objects *objects, hd_value left, hd_value right)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, left);
    switch (kind) {
    case HD_IS_BOOL:
    case HD_IS_INT:
    case HD_IS_FLOAT: {
        enum hd_kind_of_value other = hd_kind_of(objects, right);
        return (other == HD_IS_BOOL || other == HD_IS_INT || other == HD_IS_FLOAT) &&
               numbers_equal(objects, left, right);
    }
    case HD_IS_STR:
    case HD_IS_BYTES: {
        size_t size;
        const uint8_t *bytes = hd_bytes_view(objects, &left, &size);
        return bytes_equal(objects, kind, bytes, size, right);
    }
    default:
        return false;
    }
}

static int tuples_equal(struct hd_objects *objects, hd_value left, hd_value right, bool *out)
{
    struct tuple_stack stack;
    stack_init(&stack, objects->allocator);
    bool equal = hd_tuple_length(objects, left) == hd_tuple_length(objects, right);
    uint64_t units_end = objects->work_units + TUPLE_UNITS_MAX;
    int error = stack_push(&stack, (struct tuple_frame){.tuple = left, .other = right});
    while (!error && equal && stack.depth) {
        if (objects->work_units++ >= units_end) {
            error = HD_ETOO_LARGE;
            break;
        }
        struct tuple_frame *frame = &stack.frames[stack.depth - 1];
        if (frame->position == hd_tuple_length(objects, frame->tuple)) {
            stack.depth--;
            continue;
        }
        hd_value a = hd_tuple_at(objects, frame->tuple, frame->position);
        hd_value b = hd_tuple_at(objects, frame->other, frame->position++);
        if (a == b)
            continue;
        if (hd_is_type(objects, a, HD_TYPE_TUPLE) && hd_is_type(objects, b, HD_TYPE_TUPLE)) {
            equal = hd_tuple_length(objects, a) == hd_tuple_length(objects, b);
            error = stack_push(&stack, (struct tuple_frame){.tuple = a, .other = b});
        } else {
            equal = simple_equal(objects, a, b);
        }
    }
    stack_fini(&stack);
    if (!error)
        *out = equal;
    return error;
}

int hd_key_equal(struct hd_objects *objects, const struct hd_key *key, hd_value other, bool *out)
{
    if (key->value == HD_ABSENT) {
        *out = bytes_equal(objects, key->tag == HD_TAG_STR ? HD_IS_STR : HD_IS_BYTES, key->bytes, key->size, other);
        return 0;
    }
    if (key->value == other) {
        *out = true;
        return 0;
    }
    if (hd_is_type(objects, key->value, HD_TYPE_TUPLE)) {
        if (hd_is_type(objects, other, HD_TYPE_TUPLE))
            return tuples_equal(objects, key->value, other, out);
        *out = false;
        return 0;
    }
    *out = simple_equal(objects, key->value, other);
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
        if (bytes_equal(objects, HD_IS_STR, key->bytes, key->size, known)) {
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
