/* A directory of chunks. */
#include "object/sparse.h"

#include <string.h>

#define CHUNK_WORDS ((size_t)1 << HD_SPARSE_CHUNK_BITS)

int hd_sparse_set(struct hd_sparse *sparse, uint32_t index, uint64_t word)
{
    size_t chunk = index >> HD_SPARSE_CHUNK_BITS;
    if (chunk >= sparse->chunk_count) {
        size_t count = chunk + 1 > sparse->chunk_count * 2 ? chunk + 1 : sparse->chunk_count * 2;
        uint64_t **chunks = hd_allocator_resize(sparse->allocator, sparse->chunks, sparse->chunk_count * sizeof *chunks,
                                                count * sizeof *chunks);
        if (!chunks)
            return HD_ENOMEM;
        memset(chunks + sparse->chunk_count, 0, (count - sparse->chunk_count) * sizeof *chunks);
        sparse->chunks = chunks;
        sparse->chunk_count = count;
    }
    if (!sparse->chunks[chunk]) {
        sparse->chunks[chunk] = hd_allocator_new_zeroed(sparse->allocator, CHUNK_WORDS * sizeof(uint64_t));
        if (!sparse->chunks[chunk])
            return HD_ENOMEM;
    }
    sparse->chunks[chunk][index & (CHUNK_WORDS - 1)] = word;
    return 0;
}

void hd_sparse_clear(struct hd_sparse *sparse)
{
    for (size_t i = 0; i < sparse->chunk_count; i++)
        hd_allocator_free(sparse->allocator, sparse->chunks[i], CHUNK_WORDS * sizeof(uint64_t));
    hd_allocator_free(sparse->allocator, sparse->chunks, sparse->chunk_count * sizeof *sparse->chunks);
    sparse->chunks = NULL;
    sparse->chunk_count = 0;
}
