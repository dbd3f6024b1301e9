#include "client/lib/slots.h"

#include <stdlib.h>
#include <string.h>

enum state {
    FREE = 0,
    PENDING,
    EARLY,
    LATER,
    HELD,
    QUEUED,
    RETIRED, /* its generations are used up */
};

/* Bits of hd_slot.early. */
enum {
    REQUEST_ANSWERED = 1,
    REQUEST_FILLED = 2,
    RELEASE_ANSWERED = 4,
    RELEASE_DONE = 8,
};

void hd_slots_init(struct hd_slots *slots, uint32_t max_slots)
{
    *slots = (struct hd_slots){.max_slots = max_slots, .used_count = 1};
}

void hd_slots_fini(struct hd_slots *slots)
{
    if (!slots)
        return;
    free(slots->slots);
    hd_slots_init(slots, slots->max_slots);
}

static struct hd_slot *find(const struct hd_slots *slots, hd_handle handle)
{
    uint32_t index = hd_handle_slot(handle);
    if (index == 0 || index >= slots->used_count)
        return NULL;
    struct hd_slot *slot = &slots->slots[index];
    if (slot->generation != hd_handle_generation(handle) || slot->state == FREE || slot->state == RETIRED)
        return NULL;
    return slot;
}

static void make_free(struct hd_slots *slots, uint32_t index)
{
    struct hd_slot *slot = &slots->slots[index];
    slots->taken_count--;
    if (slot->generation == UINT32_MAX) {
        slot->state = RETIRED;
        return;
    }
    slot->state = FREE;
    slot->next = slots->free_first;
    slots->free_first = index;
    slots->free_count++;
}

static void make_queued(struct hd_slots *slots, uint32_t index)
{
    slots->slots[index].state = QUEUED;
    slots->slots[index].next = 0;
    if (slots->release_last)
        slots->slots[slots->release_last].next = index;
    else
        slots->release_first = index;
    slots->release_last = index;
    slots->release_count++;
}

/* Makes room for `count` slots that were never used. */
static int extend(struct hd_slots *slots, uint32_t count)
{
    if (count > slots->max_slots - slots->used_count)
        return HD_ELIMIT;
    uint32_t needed = slots->used_count + count;
    if (needed <= slots->capacity)
        return 0;
    uint64_t capacity = slots->capacity ? slots->capacity : 32;
    while (capacity < needed)
        capacity *= 2;
    struct hd_slot *grown = realloc(slots->slots, (size_t)capacity * sizeof *grown);
    if (!grown)
        return HD_ENOMEM;
    slots->slots = grown;
    slots->capacity = (uint32_t)(capacity > UINT32_MAX ? UINT32_MAX : capacity);
    return 0;
}

static hd_handle use(struct hd_slots *slots, uint32_t first, uint32_t count, uint32_t generation, bool may_park)
{
    for (uint32_t i = 0; i < count; i++)
        slots->slots[first + i] = (struct hd_slot){.generation = generation, .state = PENDING, .may_park = may_park};
    slots->taken_count += count;
    return hd_handle_make(first, generation);
}

static int take_fresh(struct hd_slots *slots, uint32_t count, bool may_park, hd_handle *out)
{
    int error = extend(slots, count);
    if (error)
        return error;
    uint32_t first = slots->used_count;
    slots->used_count += count;
    *out = use(slots, first, count, 1, may_park);
    return 0;
}

static void unlink_free(struct hd_slots *slots, uint32_t first, uint32_t count)
{
    uint32_t *link = &slots->free_first;
    while (*link) {
        if (*link >= first && *link - first < count)
            *link = slots->slots[*link].next;
        else
            link = &slots->slots[*link].next;
    }
    slots->free_count -= count;
}

/* The first run of free slots. Linear, for a session that has used all its slots. */
static int take_run(struct hd_slots *slots, uint32_t count, bool may_park, hd_handle *out)
{
    uint32_t run = 0;
    uint32_t generation = 0;
    for (uint32_t i = 1; i < slots->used_count; i++) {
        const struct hd_slot *slot = &slots->slots[i];
        if (slot->state != FREE) {
            run = 0;
            generation = 0;
            continue;
        }
        if (slot->generation > generation)
            generation = slot->generation;
        if (++run == count) {
            uint32_t first = i + 1 - count;
            unlink_free(slots, first, count);
            *out = use(slots, first, count, generation + 1, may_park);
            return 0;
        }
    }
    return HD_ELIMIT;
}

int hd_slots_take(struct hd_slots *slots, uint32_t count, bool may_park, hd_handle *out)
{
    if (count == 1 && slots->free_first) {
        uint32_t index = slots->free_first;
        slots->free_first = slots->slots[index].next;
        slots->free_count--;
        *out = use(slots, index, 1, slots->slots[index].generation + 1, may_park);
        return 0;
    }
    int error = take_fresh(slots, count, may_park, out);
    return error == HD_ELIMIT ? take_run(slots, count, may_park, out) : error;
}

void hd_slots_untake(struct hd_slots *slots, hd_handle handle)
{
    if (find(slots, handle))
        make_free(slots, hd_handle_slot(handle));
}

/* Both answers are there, in whatever order they came. */
static void settle_early(struct hd_slots *slots, uint32_t index)
{
    uint8_t early = slots->slots[index].early;
    if (!(early & REQUEST_ANSWERED) || !(early & RELEASE_ANSWERED))
        return;
    if ((early & REQUEST_FILLED) && !(early & RELEASE_DONE))
        make_queued(slots, index);
    else
        make_free(slots, index);
}

void hd_slots_answered(struct hd_slots *slots, hd_handle handle, bool filled)
{
    struct hd_slot *slot = find(slots, handle);
    if (!slot)
        return;
    uint32_t index = hd_handle_slot(handle);
    switch ((enum state)slot->state) {
    case PENDING:
        if (filled)
            slot->state = HELD;
        else
            make_free(slots, index);
        break;
    case LATER:
        if (filled)
            make_queued(slots, index);
        else
            make_free(slots, index);
        break;
    case EARLY:
        slot->early |= (uint8_t)(REQUEST_ANSWERED | (filled ? REQUEST_FILLED : 0));
        settle_early(slots, index);
        break;
    default:
        break;
    }
}

bool hd_slots_is_held(const struct hd_slots *slots, hd_handle handle)
{
    const struct hd_slot *slot = find(slots, handle);
    return slot && slot->state == HELD;
}

int hd_slots_release(struct hd_slots *slots, hd_handle handle)
{
    struct hd_slot *slot = find(slots, handle);
    if (!slot)
        return HD_EHANDLE_STALE;
    switch ((enum state)slot->state) {
    case HELD:
        make_queued(slots, hd_handle_slot(handle));
        return 0;
    case PENDING:
        slot->state = slot->may_park ? LATER : EARLY;
        return slot->may_park ? 0 : HD_SLOTS_RELEASE_EARLY;
    default:
        return HD_EHANDLE_STALE;
    }
}

void hd_slots_release_later(struct hd_slots *slots, hd_handle handle)
{
    struct hd_slot *slot = find(slots, handle);
    if (slot && slot->state == EARLY)
        slot->state = LATER;
}

void hd_slots_early_answered(struct hd_slots *slots, hd_handle handle, bool released)
{
    struct hd_slot *slot = find(slots, handle);
    if (!slot || slot->state != EARLY)
        return;
    slot->early |= (uint8_t)(RELEASE_ANSWERED | (released ? RELEASE_DONE : 0));
    settle_early(slots, hd_handle_slot(handle));
}

bool hd_slots_next_release(struct hd_slots *slots, hd_handle *out)
{
    uint32_t index = slots->release_first;
    if (!index)
        return false;
    slots->release_first = slots->slots[index].next;
    if (!slots->release_first)
        slots->release_last = 0;
    slots->release_count--;
    *out = hd_handle_make(index, slots->slots[index].generation);
    make_free(slots, index);
    return true;
}

int hd_slots_copy(const struct hd_slots *slots, struct hd_slots *out, hd_handle **except, size_t *except_count)
{
    size_t count = slots->capacity ? slots->capacity : 1;
    struct hd_slots copy = {
        .max_slots = slots->max_slots, .used_count = slots->used_count, .capacity = slots->capacity};
    hd_handle *left_out = malloc(count * sizeof *left_out);
    copy.slots = malloc(count * sizeof *copy.slots);
    if (!copy.slots || !left_out) {
        free(copy.slots);
        free(left_out);
        return HD_ENOMEM;
    }
    size_t left_out_count = 0;
    for (uint32_t i = 1; i < slots->used_count; i++) {
        copy.slots[i] = slots->slots[i];
        copy.slots[i].next = 0;
        if (slots->slots[i].state == RETIRED)
            continue;
        copy.taken_count++;
        if (slots->slots[i].state == HELD)
            continue;
        if (slots->slots[i].state != FREE)
            left_out[left_out_count++] = hd_handle_make(i, slots->slots[i].generation);
        make_free(&copy, i);
    }
    *out = copy;
    *except = left_out;
    *except_count = left_out_count;
    return 0;
}

int hd_slots_check(const struct hd_slots *slots)
{
    uint32_t counts[RETIRED + 1] = {0};
    for (uint32_t i = 1; i < slots->used_count; i++)
        counts[slots->slots[i].state]++;
    uint32_t listed = 0;
    for (uint32_t i = slots->free_first; i && listed <= slots->used_count; i = slots->slots[i].next)
        listed++;
    if (listed != slots->free_count || counts[FREE] != listed)
        return 1;
    uint32_t queued = 0;
    for (uint32_t i = slots->release_first; i && queued <= slots->used_count; i = slots->slots[i].next)
        queued++;
    if (queued != slots->release_count || counts[QUEUED] != queued)
        return 2;
    if (slots->used_count - 1 != slots->free_count + slots->taken_count + counts[RETIRED])
        return 3;
    return 0;
}
