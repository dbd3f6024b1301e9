/*
 * Tags: names that clients give to objects, so that one can ask later what they
 * made where, and what it keeps.
 *
 * A side table by table index, in chunks that exist only where something has a
 * tag. A heap that never saw a tag has none of this: each birth and each death
 * then costs a comparison. A tag is there as long as an object or a session has
 * it; its number is used again afterwards.
 *
 *     objects(t) == number of entries that say t; entries of objects that are gone say 0
 *     chunk->count == number of its entries that are not 0
 *     tags[t].name_bytes == 0  <=>  t is free
 */
#ifndef HEAPD_GC_TAGS_H
#define HEAPD_GC_TAGS_H

#include "gc/gc.h"

#define HD_TAGS_MAX 1024u
#define HD_TAG_NAME_BYTES 64u

struct hd_tag_entry {
    uint8_t name[HD_TAG_NAME_BYTES];
    uint32_t name_bytes;
    uint32_t holder_count; /* sessions, and requests that have found it just now */
    uint64_t object_count;
};

struct hd_tag_chunk;

struct hd_tags {
    const struct hd_allocator *allocator; /* borrow */
    uint32_t current;                     /* what is born gets this tag; 0: none */
    uint32_t count;                       /* tags that there are */
    uint32_t reader_count;                /* analyses that will say the names: none is free before they have */
    size_t chunk_count;
    struct hd_tag_chunk **chunks;              /* own */
    struct hd_tag_entry tags[HD_TAGS_MAX + 1]; /* [0] is no tag */
};

/*
 * The tag of this name (1 to HD_TAG_NAME_BYTES bytes), made if there is none, held for the caller until hd_tags_drop.
 * HD_ENOMEM; HD_ELIMIT: there are HD_TAGS_MAX. O(HD_TAGS_MAX).
 */
int hd_tags_hold(struct hd_gc *gc, const uint8_t *name, size_t size, uint32_t *out) HD_MUST_USE;
/* Takes 0. */
void hd_tags_drop(struct hd_gc *gc, uint32_t tag);

/* An object's tag; 0: none. O(1). */
uint32_t hd_tags_of(const struct hd_gc *gc, uint32_t index);
/* Gives it another, or (0) none. HD_ENOMEM: it has the one that it had. O(1). */
int hd_tags_set(struct hd_gc *gc, uint32_t index, uint32_t tag) HD_MUST_USE;
/* It has none from now on. Cannot fail. */
void hd_tags_clear(struct hd_gc *gc, uint32_t index);

/* Between these, names stay. Both do nothing while there are no tags; `begun` is what begin returned. */
bool hd_tags_read_begin(struct hd_gc *gc);
void hd_tags_read_end(struct hd_gc *gc, bool begun);

void hd_tags_free(struct hd_gc *gc);
/* NULL, or the name of an invariant that does not hold. O(length of the table). */
const char *hd_tags_check(const struct hd_gc *gc);

/* What is born from now on. One comparison while there are no tags. */
static inline void hd_tags_choose(struct hd_gc *gc, uint32_t tag)
{
    if (__builtin_expect(gc->tags != NULL, 0))
        gc->tags->current = tag;
}

#endif
