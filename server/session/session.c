#include "session/session.h"

#include <assert.h>
#include <string.h>

#define SLOTS_MIN 16u

static const struct hd_allocator *allocator_of(const struct hd_session *session)
{
    return &session->heap->account.allocator;
}

/* The slots that are used, as roots. Positions are slots; a fill behind the scan moves a reference that is marked or
 * born marked. */
static size_t scan_slots(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_session *session =
        (const struct hd_session *)((const char *)source - offsetof(struct hd_session, roots));
    size_t left = session->capacity > from ? session->capacity - from : 0;
    size_t end = from + (left < max ? left : max);
    for (size_t i = from; i < end; i++)
        if (session->slots[i].state == HD_SLOT_FILLED)
            visitor->visit(visitor, session->slots[i].word);
    return end < session->capacity ? end : 0;
}

void hd_session_init(struct hd_session *session, struct hd_heap *heap, uint64_t id, uint32_t max_slots)
{
    *session = (struct hd_session){.heap = heap, .id = id, .party.id = id, .max_slots = max_slots,
                                    .roots = {.scan = scan_slots, .kind = HD_ROOT_SESSION, .id = id}};
    hd_gc_add_roots(&heap->gc, &session->roots);
}

void hd_session_close(struct hd_session *session)
{
    session->closing = true;
    session->closing_position = session->capacity;
}

bool hd_session_end_holds(struct hd_session *session, uint64_t units)
{
    return hd_party_end_step(&session->heap->objects, &session->party, session->orderly, units);
}

/* What a slot held is at most queued here; the heap takes it apart in slices of its own. */
bool hd_session_close_step(struct hd_session *session, uint64_t units)
{
    assert(session->closing);
    /* First, since others may wait for these. */
    if (session->party.first && hd_session_end_holds(session, units))
        return true;
    while (session->closing_position > 0 && units-- > 0) {
        struct hd_slot *slot = &session->slots[--session->closing_position];
        if (slot->state == HD_SLOT_FILLED) {
            hd_gc_release(&session->heap->gc, slot->word);
            session->handle_count--;
        } else if (slot->state == HD_SLOT_PENDING) {
            session->pending_count--;
        }
        slot->word = 0;
        slot->state = HD_SLOT_FREE;
    }
    return session->closing_position > 0;
}

void hd_session_fini(struct hd_session *session)
{
    if (!session || !session->heap)
        return;
    assert(session->handle_count == 0);
    hd_gc_remove_roots(&session->heap->gc, &session->roots);
    hd_allocator_free(allocator_of(session), session->slots, session->capacity * sizeof *session->slots);
    *session = (struct hd_session){.heap = NULL};
}

static struct hd_slot *slot_of(const struct hd_session *session, hd_handle handle)
{
    uint32_t number = hd_handle_slot(handle);
    return number < session->capacity ? &session->slots[number] : NULL;
}

static int get_slot(const struct hd_session *session, hd_handle handle, struct hd_slot **out, uint64_t *failed_request)
{
    struct hd_slot *slot = slot_of(session, handle);
    uint32_t generation = hd_handle_generation(handle);
    if (!slot || !slot->used || generation > slot->generation)
        return HD_EHANDLE_UNKNOWN;
    if (generation < slot->generation)
        return HD_EHANDLE_STALE;
    switch ((enum hd_slot_state)slot->state) {
    case HD_SLOT_FILLED:
        *out = slot;
        return 0;
    case HD_SLOT_PENDING:
        return HD_ESLOT_PENDING;
    case HD_SLOT_FAILED:
        *failed_request = slot->word;
        return HD_EABORTED;
    case HD_SLOT_FREE:
    case HD_SLOT_LEAVING:
        break;
    }
    return HD_EHANDLE_STALE;
}

int hd_session_get(const struct hd_session *session, hd_handle handle, hd_value *out, uint64_t *failed_request)
{
    struct hd_slot *slot;
    int error = get_slot(session, handle, &slot, failed_request);
    if (!error)
        *out = slot->word;
    return error;
}

/* Why a slot could not take a result, whether or not there is memory for it yet. */
static int refuse(const struct hd_session *session, hd_handle handle)
{
    uint32_t number = hd_handle_slot(handle);
    if (number == 0 || number >= session->max_slots)
        return HD_EHANDLE_UNKNOWN;
    const struct hd_slot *slot = slot_of(session, handle);
    if (!slot || !slot->used)
        return 0;
    if (slot->state == HD_SLOT_FILLED)
        return HD_ESLOT_OCCUPIED;
    if (slot->state == HD_SLOT_PENDING)
        return HD_ESLOT_PENDING;
    return hd_handle_generation(handle) > slot->generation ? 0 : HD_ESLOT_GENERATION;
}

/* Makes slots up to this number exist. */
static int grow(struct hd_session *session, uint32_t number)
{
    if (number < session->capacity)
        return 0;
    uint64_t capacity = session->capacity ? session->capacity : SLOTS_MIN;
    while (capacity <= number)
        capacity *= 2;
    if (capacity > session->max_slots)
        capacity = session->max_slots;
    size_t old_bytes = session->capacity * sizeof *session->slots;
    struct hd_slot *slots =
        hd_allocator_resize(allocator_of(session), session->slots, old_bytes, (size_t)capacity * sizeof *slots);
    if (!slots)
        return HD_ENOMEM;
    memset(slots + session->capacity, 0, ((size_t)capacity - session->capacity) * sizeof *slots);
    session->slots = slots;
    session->capacity = (uint32_t)capacity;
    return 0;
}

int hd_session_prepare(struct hd_session *session, hd_handle handle)
{
    int error = refuse(session, handle);
    return error ? error : grow(session, hd_handle_slot(handle));
}

int hd_session_prepare_range(struct hd_session *session, hd_handle first, uint64_t count, hd_handle *bad)
{
    uint64_t slot = hd_handle_slot(first);
    uint32_t generation = hd_handle_generation(first);
    if (count == 0)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        /* A slot past the limit ends the loop long before its number could wrap. */
        hd_handle handle = hd_handle_make((uint32_t)(slot + i), generation);
        int error = refuse(session, handle);
        if (error) {
            *bad = handle;
            return error;
        }
    }
    int error = grow(session, (uint32_t)(slot + count - 1));
    if (error)
        *bad = first;
    return error;
}

static struct hd_slot *take_slot(struct hd_session *session, hd_handle handle)
{
    struct hd_slot *slot = slot_of(session, handle);
    assert(slot && !session->closing);
    slot->generation = hd_handle_generation(handle);
    slot->used = true;
    return slot;
}

void hd_session_fill(struct hd_session *session, hd_handle handle, hd_value value)
{
    struct hd_slot *slot = take_slot(session, handle);
    assert(slot->state != HD_SLOT_FILLED && value != HD_ABSENT);
    if (slot->state == HD_SLOT_PENDING)
        session->pending_count--;
    slot->word = value;
    slot->state = HD_SLOT_FILLED;
    session->handle_count++;
}

void hd_session_pend(struct hd_session *session, hd_handle handle, uint64_t request_id)
{
    assert(refuse(session, handle) == 0);
    struct hd_slot *slot = take_slot(session, handle);
    slot->word = request_id;
    slot->state = HD_SLOT_PENDING;
    session->pending_count++;
}

void hd_session_unpend(struct hd_session *session, hd_handle handle)
{
    struct hd_slot *slot = slot_of(session, handle);
    assert(slot && slot->state == HD_SLOT_PENDING && slot->generation == hd_handle_generation(handle));
    session->pending_count--;
    slot->state = HD_SLOT_FREE;
    slot->word = 0;
    /* The same handle must do for the next request. */
    if (slot->generation > 0)
        slot->generation--;
    else
        slot->used = false;
}

void hd_session_fail(struct hd_session *session, hd_handle handle, uint64_t request_id, uint64_t first_failed_request)
{
    struct hd_slot *slot = slot_of(session, handle);
    bool pending = slot && slot->state == HD_SLOT_PENDING && slot->word == request_id &&
                   slot->generation == hd_handle_generation(handle);
    if (!pending && hd_session_prepare(session, handle))
        return;
    slot = take_slot(session, handle);
    if (pending)
        session->pending_count--;
    slot->word = first_failed_request;
    slot->state = HD_SLOT_FAILED;
}

void hd_session_fail_range(struct hd_session *session, hd_handle first, uint64_t count, uint64_t request_id,
                           uint64_t first_failed_request)
{
    uint64_t slot = hd_handle_slot(first);
    for (uint64_t i = 0; i < count && slot + i < session->max_slots; i++)
        hd_session_fail(session, hd_handle_make((uint32_t)(slot + i), hd_handle_generation(first)), request_id,
                        first_failed_request);
}

static void release_slot(struct hd_session *session, struct hd_slot *slot)
{
    hd_value value = slot->word;
    slot->word = 0;
    slot->state = HD_SLOT_FREE;
    session->handle_count--;
    hd_gc_release(&session->heap->gc, value);
}

int hd_session_release(struct hd_session *session, hd_handle handle, uint64_t *failed_request)
{
    struct hd_slot *slot;
    int error = get_slot(session, handle, &slot, failed_request);
    if (!error)
        release_slot(session, slot);
    return error;
}

int hd_session_release_all(struct hd_session *session, const hd_handle *handles, size_t count, size_t *bad,
                           uint64_t *failed_request)
{
    int error = 0;
    size_t good = 0;
    /* What was looked at once is marked, so that a handle given twice is found without memory for a set. */
    for (; good < count; good++) {
        struct hd_slot *slot;
        error = get_slot(session, handles[good], &slot, failed_request);
        if (error)
            break;
        slot->state = HD_SLOT_LEAVING;
    }
    for (size_t i = 0; i < good; i++) {
        struct hd_slot *slot = slot_of(session, handles[i]);
        slot->state = HD_SLOT_FILLED;
        if (!error)
            release_slot(session, slot);
    }
    if (error)
        *bad = good;
    return error;
}

int hd_session_clone_begin(struct hd_session *target, const struct hd_session *source)
{
    if (target == source || target->handle_count || target->pending_count || target->closing)
        return HD_EINVALID;
    return source->capacity ? grow(target, source->capacity - 1) : 0;
}

/* What is not copied leaves a slot that is free for a raised generation, as it is in the source for its client. */
static void clone_slot(struct hd_session *target, const struct hd_slot *slot, uint32_t number, bool is_copied)
{
    struct hd_slot *copy = &target->slots[number];
    if (!slot->used || copy->used)
        return;
    *copy = (struct hd_slot){.generation = slot->generation, .used = true};
    if (!is_copied || slot->state != HD_SLOT_FILLED)
        return;
    copy->word = hd_gc_retain(&target->heap->gc, slot->word);
    copy->state = HD_SLOT_FILLED;
    target->handle_count++;
}

bool hd_session_clone_step(struct hd_session *target, const struct hd_session *source, const hd_handle *except,
                           size_t except_count, uint32_t *position, size_t *except_position, uint64_t units)
{
    /* The source may have grown since the beginning: what came later is not part of the copy. */
    uint32_t end = source->capacity < target->capacity ? source->capacity : target->capacity;
    while (*position < end && units-- > 0) {
        uint32_t number = (*position)++;
        while (*except_position < except_count && hd_handle_slot(except[*except_position]) < number)
            (*except_position)++;
        bool is_except = *except_position < except_count && hd_handle_slot(except[*except_position]) == number;
        clone_slot(target, &source->slots[number], number, !is_except);
    }
    return *position < end;
}

uint32_t hd_session_generation(const struct hd_session *session, hd_handle handle)
{
    const struct hd_slot *slot = slot_of(session, handle);
    return slot ? slot->generation : 0;
}

const char *hd_session_check(const struct hd_session *session)
{
    uint32_t filled = 0, pending = 0;
    if (session->capacity > session->max_slots)
        return "session: capacity <= max_slots";
    for (uint32_t i = 0; i < session->capacity; i++) {
        const struct hd_slot *slot = &session->slots[i];
        if (i == 0 && (slot->used || slot->state != HD_SLOT_FREE))
            return "session: slot 0 is never used";
        if (slot->state > HD_SLOT_FAILED)
            return "session: a slot's state";
        if (!slot->used && (slot->state != HD_SLOT_FREE || slot->generation != 0))
            return "session: an unused slot is free";
        if (slot->state == HD_SLOT_FREE && slot->word != 0)
            return "session: a free slot holds nothing";
        if (slot->state == HD_SLOT_FILLED && slot->word == HD_ABSENT)
            return "session: a filled slot holds a value";
        filled += slot->state == HD_SLOT_FILLED;
        pending += slot->state == HD_SLOT_PENDING;
    }
    if (filled != session->handle_count)
        return "session: handle_count";
    return pending == session->pending_count ? NULL : "session: pending_count";
}
