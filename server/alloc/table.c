#include "alloc/table.h"

#include <string.h>

/* Chunk sizes are powers of two of at least 64 entries; each array's chunk is rounded to pages when mapped. */
_Static_assert((HD_TABLE_CHUNK & (HD_TABLE_CHUNK - 1)) == 0 && HD_TABLE_CHUNK >= 4096, "chunk size");

#define ENTRY_BYTES_8THS (8 * (sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t)) + 4)
#define CHUNKS_MAX (UINT32_MAX / HD_TABLE_CHUNK)
#define GENERATION_BITS 20

/* One of the arrays: where its pointer is kept, and how many bits an entry takes in it. */
struct column {
    void **array;
    unsigned bits;
};

static void columns(struct hd_table *table, struct column out[HD_TABLE_COLUMNS])
{
    out[0] = (struct column){(void **)&table->location, 64};
    out[1] = (struct column){(void **)&table->meta, 32};
    out[2] = (struct column){(void **)&table->state, 8};
    out[3] = (struct column){(void **)&table->inner, 1};
    out[4] = (struct column){(void **)&table->mark, 1};
    out[5] = (struct column){(void **)&table->done, 1};
    out[6] = (struct column){(void **)&table->holes, 1};
}

#define MAP_ALIGN_BYTES ((size_t)2 << 20)

static size_t column_bytes(const struct hd_table *table, unsigned bits, uint32_t entries)
{
    size_t bytes = (size_t)entries / 8 * bits;
    size_t page = table->os->page_bytes;
    return (bytes + page - 1) & ~(page - 1);
}

/* Maps every array anew or larger. After a failure some are larger than they need be, which does no harm. */
static int map_columns(struct hd_table *table, uint32_t capacity)
{
    const struct hd_os *os = table->os;
    struct column all[HD_TABLE_COLUMNS];
    columns(table, all);
    for (int i = 0; i < HD_TABLE_COLUMNS; i++) {
        size_t bytes = column_bytes(table, all[i].bits, capacity);
        void *array = *all[i].array;
        if (bytes <= table->mapped_bytes[i])
            continue;
        array = array ? os->remap(os->context, array, table->mapped_bytes[i], bytes, MAP_ALIGN_BYTES)
                      : os->map(os->context, bytes, MAP_ALIGN_BYTES);
        if (!array)
            return HD_ENOMEM;
        *all[i].array = array;
        table->mapped_bytes[i] = bytes;
        if (table->huge_pages && bytes >= MAP_ALIGN_BYTES)
            os->advise_huge(os->context, array, bytes);
    }
    table->capacity_count = capacity;
    return 0;
}

static uint64_t bytes_of(uint64_t entries)
{
    return entries / 8 * ENTRY_BYTES_8THS + entries / HD_TABLE_CHUNK * sizeof(struct hd_table_chunk);
}

uint64_t hd_table_chunk_bytes(void)
{
    return bytes_of(HD_TABLE_CHUNK);
}

/* Address space for chunks up to and with this one: what is not touched costs nothing. */
static int make_room(struct hd_table *table, uint32_t number)
{
    uint64_t needed = ((uint64_t)number + 1) * HD_TABLE_CHUNK;
    if (needed <= table->capacity_count)
        return 0;
    uint64_t capacity = table->capacity_count ? (uint64_t)table->capacity_count * 2 : 4 * HD_TABLE_CHUNK;
    if (capacity > UINT32_MAX)
        capacity = (uint64_t)CHUNKS_MAX * HD_TABLE_CHUNK;
    return map_columns(table, (uint32_t)capacity);
}

/* The lowest chunk that is not committed. */
static uint32_t lowest_vacant(const struct hd_table *table)
{
    if (table->committed_count / HD_TABLE_CHUNK == table->chunk_count)
        return table->chunk_count;
    uint32_t number = 0;
    while (table->chunks[number].committed)
        number++;
    return number;
}

/* Commits to one more chunk, whose entries are the next fresh ones: charged now, touched as they are used. */
/*
 * The bitmaps' pages are written here for the first time. Marking and freeing come to entries in any order, and would
 * fault on the page of each chunk within one slice: a microsecond or several for each 65,536 objects.
 */
static void touch_bitmaps(struct hd_table *table, uint32_t number)
{
    struct column all[HD_TABLE_COLUMNS];
    columns(table, all);
    for (int i = 0; i < HD_TABLE_COLUMNS; i++) {
        size_t bytes = (size_t)HD_TABLE_CHUNK / 8;
        if (all[i].bits == 1)
            memset((uint8_t *)*all[i].array + number * bytes, 0, bytes);
    }
}

static int commit(struct hd_table *table)
{
    uint32_t number = lowest_vacant(table);
    if (number >= CHUNKS_MAX)
        return HD_ENOMEM;
    if (!hd_budget_charge(table->budget, bytes_of(HD_TABLE_CHUNK)))
        return HD_ENOMEM;
    int error = make_room(table, number);
    if (error) {
        hd_budget_uncharge(table->budget, bytes_of(HD_TABLE_CHUNK));
        return error;
    }
    touch_bitmaps(table, number);
    struct hd_table_chunk *chunk = &table->chunks[number];
    chunk->committed = true;
    chunk->first_generation = chunk->next_generation;
    table->committed_count += HD_TABLE_CHUNK;
    if (number == table->chunk_count)
        table->chunk_count++;
    table->empty_count += number > 0;
    table->fresh_chunk = number;
    return 0;
}

int hd_table_init(struct hd_table *table, const struct hd_os *os, struct hd_budget *budget, bool huge_pages)
{
    *table = (struct hd_table){
        .os = os,
        .budget = budget,
        .huge_pages = huge_pages,
        .length = 1,
        .hole_chunk = HD_TABLE_NO_CHUNK,
    };
    size_t page = os->page_bytes, bytes = CHUNKS_MAX * sizeof(struct hd_table_chunk);
    table->chunks = os->map(os->context, (bytes + page - 1) & ~(page - 1), page);
    int error = table->chunks ? commit(table) : HD_ENOMEM;
    if (error) {
        hd_table_fini(table);
        return error;
    }
    /* Entry 0 means no object. */
    table->chunks[0].live_count = table->chunks[0].fresh_count = 1;
    return 0;
}

void hd_table_fini(struct hd_table *table)
{
    if (!table || !table->os)
        return;
    struct column all[HD_TABLE_COLUMNS];
    columns(table, all);
    for (int i = 0; i < HD_TABLE_COLUMNS; i++) {
        if (*all[i].array)
            table->os->unmap(table->os->context, *all[i].array, table->mapped_bytes[i]);
        *all[i].array = NULL;
        table->mapped_bytes[i] = 0;
    }
    size_t page = table->os->page_bytes, bytes = CHUNKS_MAX * sizeof(struct hd_table_chunk);
    if (table->chunks)
        table->os->unmap(table->os->context, table->chunks, (bytes + page - 1) & ~(page - 1));
    table->chunks = NULL;
    hd_budget_uncharge(table->budget, hd_table_bytes(table));
    table->committed_count = table->capacity_count = 0;
    table->os = NULL;
}

uint64_t hd_table_bytes(const struct hd_table *table)
{
    return bytes_of(table->committed_count);
}

/* ---- entries ---- */

/* From `low` on, the first chunk with so many holes; HD_TABLE_NO_CHUNK if there is none. */
static uint32_t find_holes(const struct hd_table *table, uint32_t low, uint32_t count)
{
    for (uint32_t number = low; number < table->chunk_count; number++)
        if (table->chunks[number].hole_count >= count)
            return number;
    return HD_TABLE_NO_CHUNK;
}

static void go_to_holes(struct hd_table *table, uint32_t number)
{
    table->hole_chunk = number;
    if (number != HD_TABLE_NO_CHUNK)
        table->hole_next = number * HD_TABLE_CHUNK;
}

/* Of hole_chunk, which has one. */
static uint32_t take_hole(struct hd_table *table)
{
    struct hd_table_chunk *chunk = &table->chunks[table->hole_chunk];
    uint32_t first = table->hole_chunk * HD_TABLE_CHUNK, end = first + chunk->fresh_count;
    uint32_t word = table->hole_next / 64;
    uint64_t bits = table->holes[word] & ~UINT64_C(0) << (table->hole_next & 63);
    while (!bits) {
        word = (word + 1) * 64 < end ? word + 1 : first / 64;
        bits = table->holes[word];
    }
    uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);
    table->holes[word] &= ~(bits & -bits);
    table->hole_next = index + 1 < end ? index + 1 : first;
    chunk->hole_count--;
    table->free_count--;
    return index;
}

/* Of fresh_chunk, which has one. */
static uint32_t take_fresh(struct hd_table *table)
{
    struct hd_table_chunk *chunk = &table->chunks[table->fresh_chunk];
    uint32_t index = table->fresh_chunk * HD_TABLE_CHUNK + chunk->fresh_count++;
    uint32_t generation = chunk->first_generation;
    table->location[index] = (uint64_t)(generation >> 4) << 48 | (generation & 15);
    if (index >= table->length)
        table->length = index + 1;
    return index;
}

/* A free entry, no longer among the free. HD_ENOMEM. */
static int take(struct hd_table *table, uint32_t *out)
{
    if (table->hole_chunk == HD_TABLE_NO_CHUNK || table->chunks[table->hole_chunk].hole_count <= HD_TABLE_HOLES_LEFT) {
        uint32_t number = find_holes(table, table->hole_low, HD_TABLE_HOLES_MIN);
        table->hole_low = number < table->chunk_count ? number : table->chunk_count;
        go_to_holes(table, number);
    }
    if (table->hole_chunk != HD_TABLE_NO_CHUNK) {
        *out = take_hole(table);
        return 0;
    }
    if (table->chunks[table->fresh_chunk].fresh_count == HD_TABLE_CHUNK) {
        int error = commit(table);
        if (error && table->free_count == 0)
            return error;
        if (error) {
            /* At the limit, the last holes are used too. */
            go_to_holes(table, find_holes(table, 0, 1));
            *out = take_hole(table);
            return 0;
        }
    }
    *out = take_fresh(table);
    return 0;
}

int hd_table_add(struct hd_table *table, unsigned type, void *payload, bool inner, uint32_t *out)
{
    uint32_t index;
    int error = take(table, &index);
    if (error)
        return error;
    struct hd_table_chunk *chunk = &table->chunks[index / HD_TABLE_CHUNK];
    table->empty_count -= chunk->live_count == 0;
    chunk->live_count++;
    table->live_count++;
    hd_table_set_payload(table, index, payload);
    table->meta[index] = type | HD_META_ONE;
    if (inner)
        hd_table_bit_set(table->inner, index);
    *out = index;
    return 0;
}

/* Is the one generation above the other? They go round. */
static bool is_above(uint32_t generation, uint32_t other)
{
    const uint32_t half = UINT32_C(1) << (GENERATION_BITS - 1);
    uint32_t distance = (generation - other) & (2 * half - 1);
    return distance && distance < half;
}

void hd_table_remove(struct hd_table *table, uint32_t index)
{
    assert(hd_table_type(table, index) != HD_TYPE_FREE);
    uint32_t number = index / HD_TABLE_CHUNK;
    struct hd_table_chunk *chunk = &table->chunks[number];
    uint32_t generation = (hd_table_generation(table, index) + 1) & ((UINT32_C(1) << GENERATION_BITS) - 1);
    if (is_above(generation, chunk->next_generation))
        chunk->next_generation = generation;
    table->location[index] = (uint64_t)(generation >> 4) << 48 | (generation & 15);
    table->meta[index] = HD_TYPE_FREE;
    table->state[index] = 0;
    hd_table_bit_clear(table->inner, index);
    hd_table_bit_clear(table->mark, index);
    hd_table_bit_clear(table->done, index);
    hd_table_bit_set(table->holes, index);
    chunk->live_count--;
    table->live_count--;
    table->empty_count += chunk->live_count == 0;
    chunk->hole_count++;
    table->free_count++;
    if (chunk->hole_count == HD_TABLE_HOLES_MIN && number < table->hole_low)
        table->hole_low = number;
}

/* ---- chunks that go back ---- */

/* The two that entries come from stay, as a reserve. */
static bool is_spare(const struct hd_table *table, uint32_t number)
{
    const struct hd_table_chunk *chunk = &table->chunks[number];
    return chunk->committed && chunk->live_count == 0 && number != table->fresh_chunk && number != table->hole_chunk;
}

bool hd_table_has_spare(const struct hd_table *table)
{
    uint32_t fresh = table->fresh_chunk, hole = table->hole_chunk, kept = 0;
    if (table->empty_count == 0)
        return false;
    kept += table->chunks[fresh].live_count == 0;
    kept += hole != HD_TABLE_NO_CHUNK && hole != fresh && table->chunks[hole].live_count == 0;
    return table->empty_count > kept;
}

static void zero_chunk(struct hd_table *table, uint32_t number)
{
    struct column all[HD_TABLE_COLUMNS];
    columns(table, all);
    for (int i = 0; i < HD_TABLE_COLUMNS; i++) {
        size_t bytes = (size_t)HD_TABLE_CHUNK / 8 * all[i].bits;
        uint8_t *part = (uint8_t *)*all[i].array + number * bytes;
        if (bytes % table->os->page_bytes == 0)
            table->os->discard(table->os->context, part, bytes);
        else
            memset(part, 0, bytes);
    }
}

bool hd_table_release(struct hd_table *table)
{
    if (!hd_table_has_spare(table))
        return false;
    uint32_t number = table->chunk_count - 1;
    while (!is_spare(table, number))
        number--;
    struct hd_table_chunk *chunk = &table->chunks[number];
    zero_chunk(table, number);
    table->free_count -= chunk->hole_count;
    table->empty_count--;
    table->committed_count -= HD_TABLE_CHUNK;
    hd_budget_uncharge(table->budget, bytes_of(HD_TABLE_CHUNK));
    chunk->committed = false;
    chunk->hole_count = chunk->fresh_count = 0;
    uint32_t last = table->chunk_count - 1;
    while (!table->chunks[last].committed)
        last--;
    table->length = last * HD_TABLE_CHUNK + table->chunks[last].fresh_count;
    return true;
}

uint32_t hd_table_clear_marks(struct hd_table *table, uint32_t from, uint32_t count)
{
    uint64_t end = ((uint64_t)from + count + 63) & ~UINT64_C(63);
    for (uint32_t i = from & ~63u; i < end && i < table->length;) {
        uint64_t part_end = ((uint64_t)i / HD_TABLE_CHUNK + 1) * HD_TABLE_CHUNK;
        part_end = part_end < end ? part_end : end;
        /* Of a chunk that is not there all is zero, and not to be touched. */
        if (table->chunks[i / HD_TABLE_CHUNK].committed) {
            memset(table->mark + i / 64, 0, (size_t)(part_end - i) / 8);
            memset(table->done + i / 64, 0, (size_t)(part_end - i) / 8);
        }
        if (part_end > UINT32_MAX)
            return UINT32_MAX;
        i = (uint32_t)part_end;
    }
    return end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
}

uint32_t hd_table_skip(const struct hd_table *table, uint32_t index)
{
    uint32_t number = index / HD_TABLE_CHUNK;
    if (index >= table->length || table->chunks[number].committed)
        return index;
    while (!table->chunks[number].committed)
        number++; /* the last one is */
    return number * HD_TABLE_CHUNK;
}

/* ---- check ---- */

static const char *check_entry(const struct hd_table *table, uint32_t index)
{
    bool is_free = hd_table_type(table, index) == HD_TYPE_FREE;
    if (is_free && (hd_table_bit(table->inner, index) || hd_table_bit(table->mark, index) || table->state[index]))
        return "table: a free entry has no bits";
    if (is_free == !hd_table_bit(table->holes, index))
        return "table: a used entry is live or a hole";
    if (is_free == (hd_table_payload(table, index) != NULL))
        return "table: live entries have a payload, and no others";
    uint32_t next = (hd_table_generation(table, index) + !is_free) & ((UINT32_C(1) << GENERATION_BITS) - 1);
    if (is_above(next, table->chunks[index / HD_TABLE_CHUNK].next_generation) && is_free)
        return "table: a chunk knows its highest generation";
    return NULL;
}

static const char *check_chunk(const struct hd_table *table, uint32_t number)
{
    const struct hd_table_chunk *chunk = &table->chunks[number];
    uint32_t first = number * HD_TABLE_CHUNK, holes = 0;
    if (!chunk->committed && (chunk->live_count || chunk->hole_count || chunk->fresh_count))
        return "table: nothing is in a chunk that is not committed";
    if (chunk->live_count + chunk->hole_count != chunk->fresh_count || chunk->fresh_count > HD_TABLE_CHUNK)
        return "table: live + holes == fresh";
    if (chunk->committed && chunk->fresh_count < HD_TABLE_CHUNK && number != table->fresh_chunk)
        return "table: only one chunk has fresh entries";
    if (chunk->hole_count >= HD_TABLE_HOLES_MIN && number < table->hole_low)
        return "table: hole_low";
    for (uint32_t i = 0; i < chunk->fresh_count; i++) {
        holes += hd_table_bit(table->holes, first + i);
        const char *broken = first + i ? check_entry(table, first + i) : NULL;
        if (broken)
            return broken;
    }
    return holes == chunk->hole_count ? NULL : "table: holes are counted";
}

const char *hd_table_check(const struct hd_table *table)
{
    uint64_t live = 0, holes = 0, committed = 0, empty = 0;
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        const struct hd_table_chunk *chunk = &table->chunks[i];
        const char *broken = check_chunk(table, i);
        if (broken)
            return broken;
        live += chunk->live_count;
        holes += chunk->hole_count;
        committed += chunk->committed ? HD_TABLE_CHUNK : 0;
        empty += chunk->committed && chunk->live_count == 0;
        if (chunk->committed && table->length < i * HD_TABLE_CHUNK + chunk->fresh_count)
            return "table: length is beyond all that is used";
    }
    if (live != (uint64_t)table->live_count + 1 || holes != table->free_count)
        return "table: live and free entries are counted";
    if (committed != table->committed_count || empty != table->empty_count)
        return "table: chunks are counted";
    if (table->committed_count > table->capacity_count || table->length > table->capacity_count)
        return "table: committed and length <= capacity";
    return NULL;
}
