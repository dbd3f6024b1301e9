#include "alloc/table.h"

#include <string.h>

/* Chunk sizes are powers of two of at least 64 entries; each array's chunk is rounded to pages when mapped. */
_Static_assert((HD_TABLE_CHUNK & (HD_TABLE_CHUNK - 1)) == 0 && HD_TABLE_CHUNK >= 4096, "chunk size");

#define ENTRY_BYTES_8THS (8 * (sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t)) + 3)

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
    return entries / 8 * ENTRY_BYTES_8THS;
}

/* Commits to one more chunk: charged now, touched as entries are used. */
static int grow(struct hd_table *table)
{
    if (table->committed_count > UINT32_MAX - HD_TABLE_CHUNK)
        return HD_ENOMEM;
    if (!hd_budget_charge(table->budget, bytes_of(HD_TABLE_CHUNK)))
        return HD_ENOMEM;
    uint32_t needed = table->committed_count + HD_TABLE_CHUNK;
    if (needed > table->capacity_count) {
        /* Address space only: what is not touched costs nothing. */
        uint64_t capacity = table->capacity_count ? (uint64_t)table->capacity_count * 2 : 4 * HD_TABLE_CHUNK;
        if (capacity > UINT32_MAX)
            capacity = UINT32_MAX / HD_TABLE_CHUNK * HD_TABLE_CHUNK;
        int error = map_columns(table, (uint32_t)capacity);
        if (error) {
            hd_budget_uncharge(table->budget, bytes_of(HD_TABLE_CHUNK));
            return error;
        }
    }
    table->committed_count = needed;
    return 0;
}

int hd_table_init(struct hd_table *table, const struct hd_os *os, struct hd_budget *budget, bool huge_pages)
{
    *table = (struct hd_table){.os = os, .budget = budget, .huge_pages = huge_pages, .length = 1};
    int error = grow(table);
    if (error)
        hd_table_fini(table);
    return error;
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
    hd_budget_uncharge(table->budget, hd_table_bytes(table));
    table->committed_count = table->capacity_count = 0;
    table->os = NULL;
}

uint64_t hd_table_bytes(const struct hd_table *table)
{
    return bytes_of(table->committed_count);
}

static uint32_t free_next(const struct hd_table *table, uint32_t index)
{
    return (uint32_t)((table->location[index] & HD_LOCATION_ADDRESS) >> 4);
}

static void set_free_next(struct hd_table *table, uint32_t index, uint32_t next)
{
    table->location[index] = (table->location[index] & ~HD_LOCATION_ADDRESS) | (uint64_t)next << 4;
}

int hd_table_add(struct hd_table *table, unsigned type, void *payload, bool inner, uint32_t *out)
{
    uint32_t index;
    if (table->free_head) {
        index = table->free_head;
        table->free_head = free_next(table, index);
        if (!table->free_head)
            table->free_tail = 0;
        table->free_count--;
    } else {
        if (table->length == table->committed_count) {
            int error = grow(table);
            if (error)
                return error;
        }
        index = table->length++;
    }
    hd_table_set_payload(table, index, payload);
    table->meta[index] = type | HD_META_ONE;
    if (inner)
        hd_table_bit_set(table->inner, index);
    table->live_count++;
    *out = index;
    return 0;
}

void hd_table_remove(struct hd_table *table, uint32_t index)
{
    assert(hd_table_type(table, index) != HD_TYPE_FREE);
    uint32_t generation = hd_table_generation(table, index) + 1;
    table->location[index] = (uint64_t)(generation >> 4 & 0xffff) << 48 | (generation & 15);
    table->meta[index] = HD_TYPE_FREE;
    table->state[index] = 0;
    hd_table_bit_clear(table->inner, index);
    hd_table_bit_clear(table->mark, index);
    hd_table_bit_clear(table->done, index);
    if (table->free_tail)
        set_free_next(table, table->free_tail, index);
    else
        table->free_head = index;
    table->free_tail = index;
    table->free_count++;
    table->live_count--;
}

const char *hd_table_check(const struct hd_table *table)
{
    if (table->length > table->committed_count || table->committed_count > table->capacity_count)
        return "table: length <= committed <= capacity";
    if ((uint64_t)table->live_count + table->free_count != table->length - 1)
        return "table: live + free == length - 1";
    uint32_t queued = 0, last = 0;
    for (uint32_t i = table->free_head; i; i = free_next(table, i)) {
        if (i >= table->length || hd_table_type(table, i) != HD_TYPE_FREE || ++queued > table->free_count)
            return "table: the free queue holds free entries, each once";
        last = i;
    }
    if (queued != table->free_count || last != table->free_tail)
        return "table: the free queue is complete";
    uint32_t live = 0;
    for (uint32_t i = 1; i < table->length; i++) {
        bool is_free = hd_table_type(table, i) == HD_TYPE_FREE;
        live += !is_free;
        if (is_free && (hd_table_bit(table->inner, i) || table->state[i]))
            return "table: a free entry has no bits";
        if (!is_free && !hd_table_payload(table, i))
            return "table: a live entry has a payload";
    }
    if (live != table->live_count)
        return "table: live entries are counted";
    return NULL;
}
