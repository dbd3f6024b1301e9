/*
 * Equality of keys.
 *
 * Tuples and frozensets nest, and clients choose how deep, so pairs that are being
 * compared stand on a stack of their own. A pair of tuples asks of each position
 * whether the elements are equal, and the first no ends it; a pair of sets asks of
 * each element of the one whether any element of the other is equal to it, and the
 * first for which none is ends it.
 */
#include <string.h>

#include "object/hash_internal.h"
#include "object/object.h"
#include "object/payload.h"
#include "object/references.h"

/* ---- what does not nest ---------------------------------------------------- */

bool hd_key_bytes_equal(struct hd_objects *objects, enum hd_kind_of_value kind, const uint8_t *bytes, size_t size,
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
        return hd_key_bytes_equal(objects, kind, bytes, size, right);
    }
    default:
        return false;
    }
}

/* ---- pairs ------------------------------------------------------------------ */

/* No comparison of keys that could be hashed makes more: keys.c weighs them. */
#define UNITS_MAX (UINT64_C(1) << 21)

struct pair {
    hd_value left;
    hd_value right;
    uint32_t position; /* in left */
    bool is_tuple;
    bool searching;    /* of sets: for the element of left before `position` */
    struct hd_key key; /* that element */
    struct hd_candidates candidates;
};

/* A stack of them: the first few need no memory of their own. */
struct pairs {
    struct hd_objects *objects;
    struct pair *pairs;
    size_t depth;
    size_t capacity;
    bool equal; /* what came out of the pair that was looked at last */
    struct pair first[4];
};

static int push(struct pairs *pairs, struct pair pair)
{
    const struct hd_allocator *allocator = pairs->objects->allocator;
    if (pairs->depth == pairs->capacity) {
        bool moved = pairs->pairs != pairs->first;
        size_t bytes = pairs->capacity * sizeof pair;
        struct pair *grown = hd_allocator_resize(allocator, moved ? pairs->pairs : NULL, moved ? bytes : 0, 2 * bytes);
        if (!grown)
            return HD_ENOMEM;
        if (!moved)
            memcpy(grown, pairs->first, sizeof pairs->first);
        pairs->pairs = grown;
        pairs->capacity *= 2;
    }
    pairs->pairs[pairs->depth++] = pair;
    pairs->equal = true;
    return 0;
}

static bool is_set(const struct hd_objects *objects, hd_value value)
{
    return hd_is_type(objects, value, HD_TYPE_FROZENSET) || hd_is_type(objects, value, HD_TYPE_SET);
}

static bool nests(const struct hd_objects *objects, hd_value value)
{
    return hd_is_type(objects, value, HD_TYPE_TUPLE) || is_set(objects, value) ||
           hd_is_type(objects, value, HD_TYPE_WEAK);
}

/* Both are sets: they differ at a glance, or become a pair. */
static int relate_sets(struct pairs *pairs, hd_value left, hd_value right)
{
    struct hd_objects *objects = pairs->objects;
    uint64_t left_mix, right_mix, weight;
    pairs->equal = false;
    if (hd_dict_length(objects, left) != hd_dict_length(objects, right))
        return 0;
    int error = hd_set_mix(objects, left, &left_mix, &weight);
    if (!error)
        error = hd_set_mix(objects, right, &right_mix, &weight);
    if (error || left_mix != right_mix)
        return error;
    return push(pairs, (struct pair){.left = left, .right = right});
}

/* The object of a weak reference that has one, and of a weak reference to that one; else the value itself. */
static hd_value behind_weak(const struct hd_objects *objects, hd_value value)
{
    while (hd_is_type(objects, value, HD_TYPE_WEAK)) {
        hd_value target = hd_weak_peek(objects, value);
        if (target == HD_ABSENT)
            break;
        value = target;
    }
    return value;
}

/* Sets `equal`, or pushes what has to be looked at for that. */
static int relate(struct pairs *pairs, hd_value left, hd_value right)
{
    struct hd_objects *objects = pairs->objects;
    bool weak = hd_is_type(objects, left, HD_TYPE_WEAK);
    if (left != right && weak && hd_is_type(objects, right, HD_TYPE_WEAK)) {
        left = behind_weak(objects, left);
        right = behind_weak(objects, right);
    }
    pairs->equal = left == right;
    if (pairs->equal)
        return 0;
    if (hd_is_type(objects, left, HD_TYPE_TUPLE) && hd_is_type(objects, right, HD_TYPE_TUPLE)) {
        if (hd_tuple_length(objects, left) != hd_tuple_length(objects, right))
            return 0;
        return push(pairs, (struct pair){.left = left, .right = right, .is_tuple = true});
    }
    if (is_set(objects, left) && is_set(objects, right))
        return relate_sets(pairs, left, right);
    pairs->equal = simple_equal(objects, left, right);
    return 0;
}

static int step_tuples(struct pairs *pairs)
{
    struct hd_objects *objects = pairs->objects;
    struct pair *pair = &pairs->pairs[pairs->depth - 1];
    if (!pairs->equal || pair->position == hd_tuple_length(objects, pair->left)) {
        pairs->depth--;
        return 0;
    }
    uint32_t position = pair->position++;
    return relate(pairs, hd_tuple_at(objects, pair->left, position), hd_tuple_at(objects, pair->right, position));
}

/* One candidate, or the next element to find one for. */
static int step_sets(struct pairs *pairs)
{
    struct hd_objects *objects = pairs->objects;
    struct pair *pair = &pairs->pairs[pairs->depth - 1];
    hd_value element, none;
    if (!pair->searching || pairs->equal) {
        if (!hd_dict_next(objects, pair->left, &pair->position, &element, &none)) {
            pairs->depth--;
            pairs->equal = true;
            return 0;
        }
        pair->key = hd_key_of(element);
        int error = hd_key_hash(objects, &pair->key);
        if (error)
            return error;
        pair->searching = true;
        pair->candidates = (struct hd_candidates){.hash = pair->key.hash};
    }
    const struct hd_hash_table *table = hd_gc_payload(objects->gc, pair->right);
    uint32_t entry = hd_hash_table_candidate(table, 1, &pair->candidates);
    pairs->equal = false;
    if (entry == HD_ENTRY_NONE) {
        pairs->depth--;
        return 0;
    }
    /* A table without an index offers all that it has; those that nest are told apart before they are gone through. */
    struct hd_key candidate = hd_key_of(table->entries[entry]);
    if (!table->slots && nests(objects, candidate.value)) {
        int error = hd_key_hash(objects, &candidate);
        if (error || candidate.hash != pair->key.hash)
            return error;
    }
    return relate(pairs, pair->key.value, candidate.value);
}

static int values_equal(struct hd_objects *objects, hd_value left, hd_value right, bool *out)
{
    struct pairs pairs = {.objects = objects};
    pairs.pairs = pairs.first;
    pairs.capacity = sizeof pairs.first / sizeof pairs.first[0];
    uint64_t units_end = objects->work_units + UNITS_MAX;
    int error = relate(&pairs, left, right);
    while (!error && pairs.depth) {
        if (objects->work_units++ >= units_end)
            error = HD_ETOO_LARGE;
        else
            error = pairs.pairs[pairs.depth - 1].is_tuple ? step_tuples(&pairs) : step_sets(&pairs);
    }
    if (pairs.pairs != pairs.first)
        hd_allocator_free(objects->allocator, pairs.pairs, pairs.capacity * sizeof *pairs.pairs);
    if (!error)
        *out = pairs.equal;
    return error;
}

int hd_key_equal(struct hd_objects *objects, const struct hd_key *key, hd_value other, bool *out)
{
    if (key->value == HD_ABSENT) {
        *out =
            hd_key_bytes_equal(objects, key->tag == HD_TAG_STR ? HD_IS_STR : HD_IS_BYTES, key->bytes, key->size, other);
        return 0;
    }
    if (key->value == other) {
        *out = true;
        return 0;
    }
    /* Of a set that is not to be taken for a frozen one, this is the same object or none. */
    bool is_plain_set = hd_is_type(objects, key->value, HD_TYPE_SET) && !key->as_frozen;
    if (nests(objects, key->value) && !is_plain_set)
        return values_equal(objects, key->value, other, out);
    *out = simple_equal(objects, key->value, other);
    return 0;
}
