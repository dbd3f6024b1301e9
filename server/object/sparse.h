/*
 * Words by table index, zero until they are set: what a slice after slice has
 * learned of the objects that it met. Grows by chunks, so no step of it takes long.
 */
#ifndef HEAPD_OBJECT_SPARSE_H
#define HEAPD_OBJECT_SPARSE_H

#include <stddef.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/error.h"

#define HD_SPARSE_CHUNK_BITS 10

struct hd_sparse {
    const struct hd_allocator *allocator; /* borrow */
    uint64_t **chunks;                    /* own; each own or NULL */
    size_t chunk_count;                   /* length of chunks */
};

static inline uint64_t hd_sparse_get(const struct hd_sparse *sparse, uint32_t index)
{
    size_t chunk = index >> HD_SPARSE_CHUNK_BITS;
    if (chunk >= sparse->chunk_count || !sparse->chunks[chunk])
        return 0;
    return sparse->chunks[chunk][index & ((1u << HD_SPARSE_CHUNK_BITS) - 1)];
}

/* HD_ENOMEM: unchanged. */
int hd_sparse_set(struct hd_sparse *sparse, uint32_t index, uint64_t word) HD_MUST_USE;
/* Frees all; it is empty then. */
void hd_sparse_clear(struct hd_sparse *sparse);

/* As a set of indices: a bit each. */
static inline int hd_sparse_has(const struct hd_sparse *sparse, uint32_t index)
{
    return hd_sparse_get(sparse, index >> 6) >> (index & 63) & 1;
}

static inline int HD_MUST_USE hd_sparse_add(struct hd_sparse *sparse, uint32_t index)
{
    uint64_t word = hd_sparse_get(sparse, index >> 6) | UINT64_C(1) << (index & 63);
    return hd_sparse_set(sparse, index >> 6, word);
}

#endif
