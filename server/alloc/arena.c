#include "alloc/arena.h"

#include <assert.h>

#include "alloc/poison.h"

#define HD_ARENA_HEADER_BYTES ((sizeof(struct hd_arena) + 63) / 64 * 64)
#define HD_HUGE_PAGE_BYTES ((size_t)2 << 20)
/* Arenas mapped at once so that a huge page fits behind them. */
#define HD_ARENA_GROUP (HD_ARENA_BYTES < HD_HUGE_PAGE_BYTES ? HD_HUGE_PAGE_BYTES / HD_ARENA_BYTES : 1)

_Static_assert(HD_ARENA_HEADER_BYTES + 16 * sizeof(struct hd_pool) <= HD_GRANULE_BYTES, "the header keeps small");
_Static_assert(HD_ARENA_HEADER_BYTES > HD_GRANULE_RECORDS * sizeof(struct hd_pool), "the mark is no record's offset");

static uint8_t *granule_at(const struct hd_arena *arena, unsigned granule)
{
    return (uint8_t *)(uintptr_t)arena + granule * HD_GRANULE_BYTES;
}

/* The first granule from `from` on that is free or not, as asked; HD_ARENA_GRANULES if there is none. */
static unsigned find_granule(const struct hd_arena *arena, unsigned from, bool free)
{
    for (unsigned word = from / 64; word < HD_ARENA_WORDS; word++) {
        uint64_t bits = free ? arena->free_map[word] : ~arena->free_map[word];
        if (word == from / 64)
            bits &= ~UINT64_C(0) << from % 64;
        if (bits) {
            unsigned found = word * 64 + (unsigned)__builtin_ctzll(bits);
            return found < HD_ARENA_GRANULES ? found : HD_ARENA_GRANULES;
        }
    }
    return HD_ARENA_GRANULES;
}

/* The shortest free run of at least `count` granules, the lowest of equals; HD_ARENA_GRANULES if there is none. */
static unsigned find_run(const struct hd_arena *arena, unsigned count)
{
    unsigned best = HD_ARENA_GRANULES;
    unsigned best_count = HD_ARENA_GRANULES + 1;
    unsigned end;
    for (unsigned start = find_granule(arena, 0, true); start < HD_ARENA_GRANULES && best_count > count;
         start = find_granule(arena, end, true)) {
        end = find_granule(arena, start, false);
        if (end - start >= count && end - start < best_count) {
            best = start;
            best_count = end - start;
        }
    }
    return best;
}

static unsigned measure_longest_run(const struct hd_arena *arena)
{
    unsigned longest = 0;
    unsigned end;
    for (unsigned start = find_granule(arena, 0, true); start < HD_ARENA_GRANULES;
         start = find_granule(arena, end, true)) {
        end = find_granule(arena, start, false);
        if (end - start > longest)
            longest = end - start;
    }
    return longest;
}

static void mark_granules(struct hd_arena *arena, unsigned first, unsigned count, bool free, uint16_t record)
{
    for (unsigned granule = first; granule < first + count; granule++) {
        uint64_t bit = UINT64_C(1) << granule % 64;
        arena->free_map[granule / 64] =
            free ? arena->free_map[granule / 64] | bit : arena->free_map[granule / 64] & ~bit;
        arena->record_of[granule] = record;
    }
}

static unsigned fill_of(const struct hd_arena *arena)
{
    if (arena->leaving)
        return HD_ARENA_FILL_LEAVING;
    return arena->pool_count == 0 ? HD_ARENA_FILL_EMPTY : arena->free_count * 16u / HD_ARENA_GRANULES;
}

static unsigned list_of(const struct hd_arena *arena)
{
    return arena->longest_run < HD_ARENA_LONGEST_MAX ? arena->longest_run : HD_ARENA_LONGEST_MAX;
}

static void list_insert(struct hd_arenas *arenas, struct hd_arena *arena)
{
    unsigned run = list_of(arena);
    arena->fill = (uint8_t)fill_of(arena);
    struct hd_arena **head = &arenas->lists[arena->fill][run];
    arena->prev = NULL;
    arena->next = *head;
    if (*head)
        (*head)->prev = arena;
    *head = arena;
    if (run)
        arenas->has_run[arena->fill] |= UINT64_C(1) << (run - 1);
}

static void list_remove(struct hd_arenas *arenas, struct hd_arena *arena)
{
    unsigned run = list_of(arena);
    if (arena->next)
        arena->next->prev = arena->prev;
    if (arena->prev) {
        arena->prev->next = arena->next;
        return;
    }
    arenas->lists[arena->fill][run] = arena->next;
    if (run && !arena->next)
        arenas->has_run[arena->fill] &= ~(UINT64_C(1) << (run - 1));
}

/* Makes the arena what it is when just mapped: a header, its first records, free granules. */
static void arena_format(struct hd_arena *arena, struct hd_arenas *owner)
{
    *arena = (struct hd_arena){
        .kind = HD_SPAN_ARENA,
        .owner = owner,
        .all_next = arena->all_next,
        .all_prev = arena->all_prev,
        .free_count = HD_ARENA_GRANULES - 1,
        .longest_run = HD_ARENA_GRANULES - 1,
    };
    mark_granules(arena, 0, HD_ARENA_GRANULES, true, HD_GRANULE_FREE);
    mark_granules(arena, 0, 1, false, HD_GRANULE_RECORDS);
    arena->record_next = (struct hd_pool *)((uintptr_t)arena + HD_ARENA_HEADER_BYTES);
    arena->record_end = (struct hd_pool *)((uintptr_t)arena + HD_GRANULE_BYTES);
    hd_poison(granule_at(arena, 1), HD_ARENA_BYTES - HD_GRANULE_BYTES);
}

static void adopt(struct hd_arenas *arenas, struct hd_arena *arena)
{
    arena_format(arena, arenas);
    list_insert(arenas, arena);
    arena->all_next = arenas->all;
    if (arenas->all)
        arenas->all->all_prev = arena;
    arenas->all = arena;
    arenas->arena_count++;
    arenas->empty_count++;
    arenas->mapped_count++;
    arenas->free_granule_count += arena->free_count;
}

static bool map_group(struct hd_arenas *arenas, size_t count)
{
    size_t bytes = count * HD_ARENA_BYTES;
    uint8_t *base = hd_pages_map(arenas->pages, bytes, bytes);
    if (!base)
        return false;
    if (arenas->huge_pages)
        arenas->pages->os->advise_huge(arenas->pages->os->context, base, bytes);
    /* Downwards, so that the lowest is the first to be used: lists are last in, first out. */
    for (size_t i = count; i-- > 0;)
        adopt(arenas, (struct hd_arena *)(void *)(base + i * HD_ARENA_BYTES));
    return true;
}

static bool map_more(struct hd_arenas *arenas)
{
    if (arenas->huge_pages && HD_ARENA_GROUP > 1 && map_group(arenas, HD_ARENA_GROUP))
        return true;
    return map_group(arenas, 1);
}

/* Of an empty arena. */
static void release(struct hd_arenas *arenas, struct hd_arena *arena)
{
    list_remove(arenas, arena);
    if (arenas->cursor == arena)
        arenas->cursor = arena->all_next;
    if (arena->all_prev)
        arena->all_prev->all_next = arena->all_next;
    else
        arenas->all = arena->all_next;
    if (arena->all_next)
        arena->all_next->all_prev = arena->all_prev;
    arenas->arena_count--;
    arenas->empty_count--;
    arenas->released_count++;
    arenas->free_granule_count -= arena->free_count;
    hd_pages_unmap(arenas->pages, arena, HD_ARENA_BYTES);
}

void hd_arenas_init(struct hd_arenas *arenas, struct hd_pages *pages, size_t reserve_count, bool huge_pages)
{
    *arenas = (struct hd_arenas){.pages = pages, .reserve_count = reserve_count, .huge_pages = huge_pages};
}

void hd_arenas_fini(struct hd_arenas *arenas)
{
    for (unsigned fill = 0; fill < HD_ARENA_FILLS; fill++) {
        for (unsigned run = 0; run <= HD_ARENA_LONGEST_MAX; run++) {
            struct hd_arena *next;
            for (struct hd_arena *arena = arenas->lists[fill][run]; arena; arena = next) {
                next = arena->next;
                hd_pages_unmap(arenas->pages, arena, HD_ARENA_BYTES);
            }
        }
    }
}

int hd_arenas_keep(struct hd_arenas *arenas, uint64_t count)
{
    while (arenas->arena_count < count) {
        if (!map_more(arenas))
            return HD_ENOMEM;
    }
    arenas->kept_count = count;
    return 0;
}

/* The fullest arena with a long enough run; among equally full ones the tightest fit. */
static struct hd_arena *choose(const struct hd_arenas *arenas, unsigned granule_count)
{
    for (unsigned fill = 0; fill <= HD_ARENA_FILL_EMPTY; fill++) {
        uint64_t runs = arenas->has_run[fill] & ~UINT64_C(0) << (granule_count - 1);
        if (runs)
            return arenas->lists[fill][__builtin_ctzll(runs) + 1];
    }
    return NULL;
}

static void take_granules(struct hd_arena *arena, unsigned first, unsigned count, uint16_t record)
{
    mark_granules(arena, first, count, false, record);
    arena->free_count = (uint16_t)(arena->free_count - count);
}

/*
 * Makes a free granule into room for records. The highest one: pools fill the
 * arena from below, so it is the least likely to cut a run in two.
 */
static void add_records(struct hd_arena *arena)
{
    unsigned word = HD_ARENA_WORDS - 1;
    while (!arena->free_map[word])
        word--;
    unsigned granule = word * 64 + 63 - (unsigned)__builtin_clzll(arena->free_map[word]);
    take_granules(arena, granule, 1, HD_GRANULE_RECORDS);
    uint8_t *start = granule_at(arena, granule);
    hd_unpoison(start, HD_GRANULE_BYTES);
    arena->record_next = (struct hd_pool *)(void *)start;
    arena->record_end = (struct hd_pool *)(void *)(start + HD_GRANULE_BYTES);
}

static struct hd_pool *take_record(struct hd_arena *arena)
{
    struct hd_pool *record = arena->record_free;
    if (record)
        arena->record_free = record->next;
    else
        record = arena->record_next++;
    return record;
}

static bool has_record(const struct hd_arena *arena)
{
    return arena->record_free || arena->record_next != arena->record_end;
}

struct hd_pool *hd_arenas_take(struct hd_arenas *arenas, unsigned granule_count)
{
    assert(granule_count >= 1 && granule_count <= HD_ARENA_GRANULES / 4);
    struct hd_arena *arena = choose(arenas, granule_count);
    if (!arena) {
        if (!map_more(arenas))
            return NULL;
        arena = choose(arenas, granule_count);
    }
    unsigned free_before = arena->free_count;
    unsigned first = find_run(arena, granule_count);
    assert(first < HD_ARENA_GRANULES);

    list_remove(arenas, arena);
    struct hd_pool *record = take_record(arena);
    take_granules(arena, first, granule_count, (uint16_t)(hd_span_offset(record) / sizeof *record));
    if (arena->free_count && !has_record(arena))
        add_records(arena);
    if (arena->pool_count++ == 0)
        arenas->empty_count--;
    arena->longest_run = (uint16_t)measure_longest_run(arena);
    list_insert(arenas, arena);
    arenas->free_granule_count -= free_before - arena->free_count;

    *record = (struct hd_pool){.first_granule = (uint8_t)first, .granule_count = (uint8_t)granule_count};
    return record;
}

void hd_arenas_give(struct hd_arenas *arenas, struct hd_pool *pool)
{
    struct hd_arena *arena = hd_arena_of_pool(pool);
    unsigned free_before = arena->free_count;
    hd_poison(hd_pool_start(pool), pool->granule_count * HD_GRANULE_BYTES);
    list_remove(arenas, arena);
    if (--arena->pool_count == 0) {
        arena_format(arena, arenas);
        arenas->empty_count++;
    } else {
        mark_granules(arena, pool->first_granule, pool->granule_count, true, HD_GRANULE_FREE);
        arena->free_count = (uint16_t)(arena->free_count + pool->granule_count);
        arena->longest_run = (uint16_t)measure_longest_run(arena);
        pool->next = arena->record_free;
        arena->record_free = pool;
    }
    list_insert(arenas, arena);
    arenas->free_granule_count += arena->free_count - free_before;
}

bool hd_arenas_release(struct hd_arenas *arenas, uint64_t reserve_count)
{
    if (!hd_arenas_have_spare(arenas, reserve_count))
        return false;
    for (unsigned run = HD_ARENA_LONGEST_MAX + 1; run-- > 0;) {
        if (arenas->lists[HD_ARENA_FILL_EMPTY][run]) {
            release(arenas, arenas->lists[HD_ARENA_FILL_EMPTY][run]);
            return true;
        }
    }
    return false;
}

size_t hd_arenas_trim(struct hd_arenas *arenas)
{
    size_t released = 0;
    while (hd_arenas_release(arenas, 0))
        released += HD_ARENA_BYTES;
    return released;
}

void hd_arenas_set_leaving(struct hd_arenas *arenas, struct hd_arena *arena, bool leaving)
{
    list_remove(arenas, arena);
    arena->leaving = leaving;
    list_insert(arenas, arena);
}

struct hd_pool *hd_arena_next_pool(const struct hd_arena *arena, unsigned granule)
{
    for (; granule < HD_ARENA_GRANULES; granule++)
        if (arena->record_of[granule] > HD_GRANULE_RECORDS)
            return hd_pool_of(granule_at(arena, granule));
    return NULL;
}

const char *hd_arenas_each_pool(const struct hd_arenas *arenas,
                                const char *(*visit)(void *context, const struct hd_pool *pool), void *context)
{
    for (unsigned fill = 0; fill < HD_ARENA_FILLS; fill++) {
        for (unsigned run = 0; run <= HD_ARENA_LONGEST_MAX; run++) {
            for (const struct hd_arena *arena = arenas->lists[fill][run]; arena; arena = arena->next) {
                for (unsigned granule = 0; granule < HD_ARENA_GRANULES;) {
                    if (arena->record_of[granule] <= HD_GRANULE_RECORDS) {
                        granule++;
                        continue;
                    }
                    const struct hd_pool *pool = hd_pool_of(granule_at(arena, granule));
                    const char *result = visit(context, pool);
                    if (result)
                        return result;
                    granule += pool->granule_count;
                }
            }
        }
    }
    return NULL;
}
