#include "gc/tags.h"

#include <string.h>

#define CHUNK_BITS 12
#define CHUNK_ENTRIES (1u << CHUNK_BITS)

struct hd_tag_chunk {
    uint32_t count;
    uint16_t tag[CHUNK_ENTRIES];
};

static struct hd_tag_chunk *chunk_of(const struct hd_tags *tags, uint32_t index)
{
    size_t number = index >> CHUNK_BITS;
    return number < tags->chunk_count ? tags->chunks[number] : NULL;
}

static int reserve(struct hd_tags *tags, uint32_t index)
{
    size_t number = index >> CHUNK_BITS, old = tags->chunk_count;
    if (number >= old) {
        size_t count = number + 1 > old * 2 ? number + 1 : old * 2;
        struct hd_tag_chunk **chunks =
            hd_allocator_resize(tags->allocator, tags->chunks, old * sizeof(void *), count * sizeof(void *));
        if (!chunks)
            return HD_ENOMEM;
        memset(chunks + old, 0, (count - old) * sizeof(void *));
        tags->chunks = chunks;
        tags->chunk_count = count;
    }
    if (!tags->chunks[number])
        tags->chunks[number] = hd_allocator_new_zeroed(tags->allocator, sizeof(struct hd_tag_chunk));
    return tags->chunks[number] ? 0 : HD_ENOMEM;
}

static void give_back_if_empty(struct hd_tags *tags, uint32_t index)
{
    struct hd_tag_chunk **chunk = &tags->chunks[index >> CHUNK_BITS];
    if ((*chunk)->count)
        return;
    hd_allocator_free(tags->allocator, *chunk, sizeof **chunk);
    *chunk = NULL;
}

/* ---- names ---------------------------------------------------------------- */

static void free_if_unused(struct hd_tags *tags, uint32_t number)
{
    struct hd_tag_entry *tag = &tags->tags[number];
    if (tag->object_count || tag->holder_count || tags->reader_count || !tag->name_bytes)
        return;
    tag->name_bytes = 0;
    tags->count--;
    if (tags->current == number)
        tags->current = 0;
}

/* The tag of this name; else a free number, or 0. */
static uint32_t find(const struct hd_tags *tags, const uint8_t *name, size_t size)
{
    uint32_t vacant = 0;
    for (uint32_t i = HD_TAGS_MAX; i > 0; i--) {
        const struct hd_tag_entry *tag = &tags->tags[i];
        if (tag->name_bytes == 0)
            vacant = i;
        else if (tag->name_bytes == size && memcmp(tag->name, name, size) == 0)
            return i;
    }
    return vacant;
}

int hd_tags_hold(struct hd_gc *gc, const uint8_t *name, size_t size, uint32_t *out)
{
    if (!gc->tags) {
        struct hd_tags *made = hd_allocator_new_zeroed(gc->allocator, sizeof *made);
        if (!made)
            return HD_ENOMEM;
        made->allocator = gc->allocator;
        gc->tags = made;
    }
    struct hd_tags *tags = gc->tags;
    uint32_t number = find(tags, name, size);
    if (!number)
        return HD_ELIMIT;
    struct hd_tag_entry *tag = &tags->tags[number];
    if (tag->name_bytes == 0) {
        memcpy(tag->name, name, size);
        tag->name_bytes = (uint32_t)size;
        tags->count++;
    }
    tag->holder_count++;
    *out = number;
    return 0;
}

void hd_tags_drop(struct hd_gc *gc, uint32_t tag)
{
    if (!tag)
        return;
    gc->tags->tags[tag].holder_count--;
    free_if_unused(gc->tags, tag);
}

bool hd_tags_read_begin(struct hd_gc *gc)
{
    if (!gc->tags)
        return false;
    gc->tags->reader_count++;
    return true;
}

void hd_tags_read_end(struct hd_gc *gc, bool begun)
{
    if (!begun || --gc->tags->reader_count)
        return;
    for (uint32_t i = 1; i <= HD_TAGS_MAX; i++)
        free_if_unused(gc->tags, i);
}

/* ---- objects -------------------------------------------------------------- */

uint32_t hd_tags_of(const struct hd_gc *gc, uint32_t index)
{
    const struct hd_tag_chunk *chunk = gc->tags ? chunk_of(gc->tags, index) : NULL;
    return chunk ? chunk->tag[index & (CHUNK_ENTRIES - 1)] : 0;
}

int hd_tags_set(struct hd_gc *gc, uint32_t index, uint32_t tag)
{
    struct hd_tags *tags = gc->tags;
    if (!tag) {
        hd_tags_clear(gc, index);
        return 0;
    }
    int error = reserve(tags, index);
    if (error)
        return error;
    struct hd_tag_chunk *chunk = chunk_of(tags, index);
    tags->tags[tag].holder_count++; /* it may be the one that the object has */
    chunk->count++;                 /* so that clearing does not give it back */
    hd_tags_clear(gc, index);
    chunk->count--;
    tags->tags[tag].holder_count--;
    chunk->tag[index & (CHUNK_ENTRIES - 1)] = (uint16_t)tag;
    chunk->count++;
    tags->tags[tag].object_count++;
    return 0;
}

void hd_tags_clear(struct hd_gc *gc, uint32_t index)
{
    struct hd_tags *tags = gc->tags;
    uint32_t before = hd_tags_of(gc, index);
    if (!before)
        return;
    struct hd_tag_chunk *chunk = chunk_of(tags, index);
    chunk->tag[index & (CHUNK_ENTRIES - 1)] = 0;
    chunk->count--;
    give_back_if_empty(tags, index);
    tags->tags[before].object_count--;
    free_if_unused(tags, before);
}

/* ---- the end, and checks -------------------------------------------------- */

void hd_tags_free(struct hd_gc *gc)
{
    struct hd_tags *tags = gc->tags;
    if (!tags)
        return;
    for (size_t i = 0; i < tags->chunk_count; i++)
        hd_allocator_free(tags->allocator, tags->chunks[i], sizeof(struct hd_tag_chunk));
    hd_allocator_free(tags->allocator, tags->chunks, tags->chunk_count * sizeof(void *));
    hd_allocator_free(tags->allocator, tags, sizeof *tags);
    gc->tags = NULL;
}

static const char *check_tags(const struct hd_tags *tags, uint64_t tagged)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= HD_TAGS_MAX; i++) {
        const struct hd_tag_entry *tag = &tags->tags[i];
        if (tag->object_count > tagged)
            return "tags: objects are counted by tag";
        tagged -= tag->object_count;
        if (tag->name_bytes == 0 && (tag->object_count || tag->holder_count))
            return "tags: a free tag is nobody's";
        count += tag->name_bytes != 0;
    }
    if (tagged)
        return "tags: objects are counted by tag";
    return count == tags->count ? NULL : "tags: count is the number of tags";
}

const char *hd_tags_check(const struct hd_gc *gc)
{
    const struct hd_tags *tags = gc->tags;
    uint64_t tagged = 0;
    if (!tags)
        return NULL;
    for (size_t i = 0; i < tags->chunk_count; i++) {
        const struct hd_tag_chunk *chunk = tags->chunks[i];
        uint32_t found = 0;
        for (uint32_t j = 0; chunk && j < CHUNK_ENTRIES; j++) {
            uint32_t index = (uint32_t)(i << CHUNK_BITS) + j;
            if (!chunk->tag[j])
                continue;
            found++;
            if (index >= gc->table->length || hd_table_type(gc->table, index) == HD_TYPE_FREE)
                return "tags: what is gone has none";
        }
        if (chunk && (found != chunk->count || !found))
            return "tags: a chunk counts its entries";
        tagged += found;
    }
    return check_tags(tags, tagged);
}
