#include "session/session.h"

#include <assert.h>
#include <string.h>

#include "gc/tags.h"

#define SLOTS_MIN 16u
#define CHUNK_BYTES (HD_SLOTS_CHUNK * sizeof(struct hd_slot))

static const struct hd_allocator *allocator_of(const struct hd_session *session)
{
    return &session->heap->account.allocator;
}

/* One above the highest number that a slot may have now. */
static uint32_t slots_end(const struct hd_session *session)
{
    uint32_t chunked = session->chunk_count * HD_SLOTS_CHUNK;
    return chunked > session->first_count ? chunked : session->first_count;
}

/* A number that is in no chunk: how many numbers from it on are not either. */
static uint32_t gap_after(const struct hd_session *session, uint32_t number)
{
    uint32_t end = slots_end(session), next = (number / HD_SLOTS_CHUNK + 1) * HD_SLOTS_CHUNK;
    return (next < end ? next : end) - number;
}

static bool holds_reference(const struct hd_slot *slot)
{
    return slot->state == HD_SLOT_FILLED || slot->state == HD_SLOT_LEAVING;
}

/*
 * The slots that are used, as roots. Positions are slots; a fill behind the scan moves a reference that is marked or
 * born marked. A gap counts as one.
 */
static size_t scan_slots(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_session *session =
        (const struct hd_session *)((const char *)source - offsetof(struct hd_session, roots));
    const uint32_t end = slots_end(session);
    uint32_t i = (uint32_t)from;
    for (; max > 0 && i < end; max--) {
        const struct hd_slot *slot = hd_session_slot(session, i);
        i += slot ? 1 : gap_after(session, i);
        if (slot && holds_reference(slot))
            visitor->visit(visitor, slot->word);
    }
    return i < end ? i : 0;
}

void hd_session_init(struct hd_session *session, struct hd_heap *heap, uint64_t id, uint32_t max_slots)
{
    *session = (struct hd_session){.heap = heap,
                                   .id = id,
                                   .party.id = id,
                                   .max_slots = max_slots,
                                   .roots = {.scan = scan_slots, .kind = HD_ROOT_SESSION, .id = id}};
    hd_gc_add_roots(&heap->gc, &session->roots);
}

void hd_session_close(struct hd_session *session)
{
    session->closing = true;
    session->closing_position = slots_end(session);
    hd_tags_drop(&session->heap->gc, session->tag);
    session->tag = 0;
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
        struct hd_slot *slot = hd_session_slot(session, session->closing_position - 1);
        if (!slot) {
            /* None of its chunk, or of what is above the first ones, was used. */
            uint32_t below = (session->closing_position - 1) / HD_SLOTS_CHUNK * HD_SLOTS_CHUNK;
            session->closing_position = below ? below : session->first_count;
            continue;
        }
        session->closing_position--;
        if (holds_reference(slot)) {
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
    const struct hd_allocator *allocator = allocator_of(session);
    for (uint32_t i = 0; i < session->chunk_count; i++)
        hd_allocator_free(allocator, session->chunks[i], CHUNK_BYTES);
    hd_allocator_free(allocator, session->chunks, session->chunk_count * sizeof *session->chunks);
    hd_allocator_free(allocator, session->first, session->first_count * sizeof *session->first);
    *session = (struct hd_session){.heap = NULL};
}

static struct hd_slot *slot_of(const struct hd_session *session, hd_handle handle)
{
    return hd_session_slot(session, hd_handle_slot(handle));
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
    if (holds_reference(slot))
        return HD_ESLOT_OCCUPIED;
    if (slot->state == HD_SLOT_PENDING)
        return HD_ESLOT_PENDING;
    return hd_handle_generation(handle) > slot->generation ? 0 : HD_ESLOT_GENERATION;
}

/* The first slots, up to this number, exist. */
static int grow_first(struct hd_session *session, uint32_t number)
{
    uint32_t count = session->first_count ? session->first_count : SLOTS_MIN;
    while (count <= number)
        count *= 2;
    size_t old_bytes = session->first_count * sizeof *session->first;
    struct hd_slot *first =
        hd_allocator_resize(allocator_of(session), session->first, old_bytes, count * sizeof *first);
    if (!first)
        return HD_ENOMEM;
    memset(first + session->first_count, 0, (count - session->first_count) * sizeof *first);
    session->first = first;
    session->first_count = count;
    return 0;
}

/* The chunk with this number exists. */
static int add_chunk(struct hd_session *session, uint32_t chunk)
{
    const struct hd_allocator *allocator = allocator_of(session);
    if (chunk >= session->chunk_count) {
        uint32_t count = session->chunk_count ? session->chunk_count : 4;
        while (count <= chunk)
            count *= 2;
        struct hd_slot **chunks = hd_allocator_resize(allocator, session->chunks, session->chunk_count * sizeof *chunks,
                                                      count * sizeof *chunks);
        if (!chunks)
            return HD_ENOMEM;
        memset(chunks + session->chunk_count, 0, (count - session->chunk_count) * sizeof *chunks);
        session->chunks = chunks;
        session->chunk_count = count;
    }
    session->chunks[chunk] = hd_allocator_new_zeroed(allocator, CHUNK_BYTES);
    return session->chunks[chunk] ? 0 : HD_ENOMEM;
}

/* Makes the slot of this number exist. What was made for nothing is used later, or freed with the session. */
static int grow(struct hd_session *session, uint32_t number)
{
    if (hd_session_slot(session, number))
        return 0;
    return number < HD_SLOTS_CHUNK ? grow_first(session, number) : add_chunk(session, number / HD_SLOTS_CHUNK);
}

/* All of a range; its numbers are below max_slots. */
static int grow_range(struct hd_session *session, uint32_t first, uint64_t count)
{
    uint64_t last = first + count - 1;
    int error = 0;
    for (uint64_t number = first; number <= last && !error; number = (number / HD_SLOTS_CHUNK + 1) * HD_SLOTS_CHUNK) {
        uint64_t end_of_chunk = (number / HD_SLOTS_CHUNK + 1) * HD_SLOTS_CHUNK - 1;
        error = grow(session, (uint32_t)(last < end_of_chunk ? last : end_of_chunk));
    }
    return error;
}

/* ---- batches ---- */

/* Room to note so many changes. */
static int reserve_journal(struct hd_session *session, uint64_t more)
{
    struct hd_session_journal *journal = &session->journal;
    uint64_t capacity = journal->capacity ? journal->capacity : 16;
    if (!journal->is_open || journal->count + more <= journal->capacity)
        return 0;
    while (capacity < journal->count + more)
        capacity *= 2;
    if (capacity > UINT32_MAX)
        return HD_ENOMEM;
    struct hd_slot_change *changes =
        hd_allocator_resize(allocator_of(session), journal->changes, journal->capacity * sizeof *changes,
                            (size_t)capacity * sizeof *changes);
    if (!changes)
        return HD_ENOMEM;
    journal->changes = changes;
    journal->capacity = (uint32_t)capacity;
    return 0;
}

/* True: the reference that it held is the journal's now. */
static bool note_change(struct hd_session *session, hd_handle handle)
{
    struct hd_session_journal *journal = &session->journal;
    uint32_t number = hd_handle_slot(handle);
    if (!journal->is_open)
        return false;
    assert(journal->count < journal->capacity);
    journal->changes[journal->count++] = (struct hd_slot_change){number, *hd_session_slot(session, number)};
    return true;
}

void hd_session_open_journal(struct hd_session *session)
{
    assert(!session->journal.is_open && session->journal.count == 0);
    session->journal.is_open = true;
}

void hd_session_close_journal(struct hd_session *session, bool put_back)
{
    struct hd_session_journal *journal = &session->journal;
    struct hd_gc *gc = &session->heap->gc;
    for (uint32_t i = journal->count; i > 0; i--) {
        const struct hd_slot_change *change = &journal->changes[i - 1];
        struct hd_slot *slot = hd_session_slot(session, change->number);
        bool held = change->before.state == HD_SLOT_FILLED;
        if (!put_back) {
            if (held)
                hd_gc_release(gc, change->before.word);
            continue;
        }
        if (slot->state == HD_SLOT_FILLED) {
            hd_gc_release(gc, slot->word);
            session->handle_count--;
        }
        *slot = change->before;
        session->handle_count += held;
    }
    hd_allocator_free(allocator_of(session), journal->changes, journal->capacity * sizeof *journal->changes);
    *journal = (struct hd_session_journal){.count = 0};
}

int hd_session_prepare(struct hd_session *session, hd_handle handle)
{
    int error = refuse(session, handle);
    if (!error)
        error = reserve_journal(session, 1);
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
    /* One more, since the slot of a result may have been prepared before, and is filled after this. */
    int error = reserve_journal(session, count + 1);
    if (!error)
        error = grow_range(session, (uint32_t)slot, count);
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
    (void)note_change(session, handle);
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

static void release_slot(struct hd_session *session, struct hd_slot *slot, hd_handle handle)
{
    hd_value value = slot->word;
    bool is_kept = note_change(session, handle);
    slot->word = 0;
    slot->state = HD_SLOT_FREE;
    session->handle_count--;
    if (!is_kept)
        hd_gc_release(&session->heap->gc, value);
}

int hd_session_release(struct hd_session *session, hd_handle handle, uint64_t *failed_request)
{
    struct hd_slot *slot;
    int error = get_slot(session, handle, &slot, failed_request);
    if (!error)
        error = reserve_journal(session, 1);
    if (!error)
        release_slot(session, slot, handle);
    return error;
}

int hd_session_mark_leaving(struct hd_session *session, hd_handle handle, uint64_t *failed_request)
{
    struct hd_slot *slot;
    int error = get_slot(session, handle, &slot, failed_request);
    if (!error)
        slot->state = HD_SLOT_LEAVING;
    return error;
}

void hd_session_unmark_leaving(struct hd_session *session, hd_handle handle)
{
    struct hd_slot *slot = slot_of(session, handle);
    assert(slot->state == HD_SLOT_LEAVING);
    slot->state = HD_SLOT_FILLED;
}

void hd_session_release_leaving(struct hd_session *session, hd_handle handle)
{
    struct hd_slot *slot = slot_of(session, handle);
    assert(slot->state == HD_SLOT_LEAVING);
    slot->state = HD_SLOT_FILLED;
    release_slot(session, slot, handle);
}

int hd_session_release_all(struct hd_session *session, const hd_handle *handles, size_t count, size_t *bad,
                           uint64_t *failed_request)
{
    int error = reserve_journal(session, count);
    size_t good = 0;
    if (error) {
        *bad = 0;
        return error;
    }
    /* What was looked at once is marked, so that a handle given twice is found without memory for a set. */
    for (; good < count; good++) {
        error = hd_session_mark_leaving(session, handles[good], failed_request);
        if (error)
            break;
    }
    for (size_t i = 0; i < good; i++) {
        if (error)
            hd_session_unmark_leaving(session, handles[i]);
        else
            hd_session_release_leaving(session, handles[i]);
    }
    if (error)
        *bad = good;
    return error;
}

int hd_session_clone_begin(struct hd_session *target, const struct hd_session *source)
{
    if (target == source || target->handle_count || target->pending_count || target->closing)
        return HD_EINVALID;
    int error = source->first_count ? grow(target, source->first_count - 1) : 0;
    for (uint32_t i = 0; i < source->chunk_count && !error; i++)
        if (source->chunks[i])
            error = grow(target, i * HD_SLOTS_CHUNK);
    return error;
}

/* What is not copied leaves a slot that is free for a raised generation, as it is in the source for its client. */
static void clone_slot(struct hd_session *target, const struct hd_slot *slot, uint32_t number, bool is_copied)
{
    struct hd_slot *copy = hd_session_slot(target, number);
    /* The source may have grown since the beginning: what came later is not part of the copy. */
    if (!copy || !slot->used || copy->used)
        return;
    *copy = (struct hd_slot){.generation = slot->generation, .used = true};
    if (!is_copied || !holds_reference(slot))
        return;
    copy->word = hd_gc_retain(&target->heap->gc, slot->word);
    copy->state = HD_SLOT_FILLED;
    target->handle_count++;
}

bool hd_session_clone_step(struct hd_session *target, const struct hd_session *source, const hd_handle *except,
                           size_t except_count, uint32_t *position, size_t *except_position, uint64_t units)
{
    const uint32_t end = slots_end(source);
    while (*position < end && units-- > 0) {
        uint32_t number = *position;
        const struct hd_slot *slot = hd_session_slot(source, number);
        *position += slot ? 1 : gap_after(source, number);
        if (!slot)
            continue;
        while (*except_position < except_count && hd_handle_slot(except[*except_position]) < number)
            (*except_position)++;
        bool is_except = *except_position < except_count && hd_handle_slot(except[*except_position]) == number;
        clone_slot(target, slot, number, !is_except);
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
    if (session->first_count > HD_SLOTS_CHUNK || (session->chunk_count && session->chunks[0]))
        return "session: the first slots are not in a chunk";
    for (uint32_t i = 0; i < slots_end(session); i++) {
        const struct hd_slot *slot = hd_session_slot(session, i);
        if (!slot)
            continue;
        if (slot->used && i >= session->max_slots)
            return "session: no slot beyond max_slots is used";
        if (i == 0 && (slot->used || slot->state != HD_SLOT_FREE))
            return "session: slot 0 is never used";
        if (slot->state > HD_SLOT_LEAVING)
            return "session: a slot's state";
        if (!slot->used && (slot->state != HD_SLOT_FREE || slot->generation != 0))
            return "session: an unused slot is free";
        if (slot->state == HD_SLOT_FREE && slot->word != 0)
            return "session: a free slot holds nothing";
        if (holds_reference(slot) && slot->word == HD_ABSENT)
            return "session: a filled slot holds a value";
        filled += holds_reference(slot);
        pending += slot->state == HD_SLOT_PENDING;
    }
    if (filled != session->handle_count)
        return "session: handle_count";
    return pending == session->pending_count ? NULL : "session: pending_count";
}
