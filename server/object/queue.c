/* Queues: a ring of items, and three lines. */
#include <string.h>

#include "alloc/size_class.h"
#include "object/sync_internal.h"
#include "object/work.h"

#define CAPACITY_MIN 8u

static struct hd_queue *queue_of(const struct hd_objects *objects, hd_value queue)
{
    return hd_sync_payload(objects, queue);
}

static void queue_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_queue *queue = payload;
    out->spans[out->span_count++] = (struct hd_span){queue->items, queue->capacity};
}

static struct hd_span queue_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    struct hd_queue *queue = payload;
    return (struct hd_span){queue->items, queue->capacity};
}

static void forget_turns(struct hd_objects *objects, struct hd_queue *queue);

static void queue_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    forget_turns(hd_objects_of(gc), payload);
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
}

const struct hd_type_ops hd_queue_ops = {.name = "queue",
                                         .inner = true,
                                         .tracked = true,
                                         .traverse = queue_traverse,
                                         .span = queue_span,
                                         .dispose = queue_dispose};

static size_t queue_bytes(uint32_t capacity)
{
    return sizeof(struct hd_queue) + (size_t)capacity * sizeof(hd_value);
}

int hd_queue_new(struct hd_objects *objects, int64_t maximum, hd_value *out)
{
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_QUEUE, queue_bytes(CAPACITY_MIN), &value);
    if (error)
        return error;
    struct hd_queue *queue = queue_of(objects, value);
    memset(queue, 0, queue_bytes(CAPACITY_MIN));
    queue->capacity = CAPACITY_MIN;
    queue->maximum = maximum > 0 ? (uint64_t)maximum : 0;
    *out = value;
    return 0;
}

/* ---- the ring ---- */

/* Items that are moved at once when a ring changes its size: some tens of microseconds. */
#define MOVED_MAX 8192u
/* The same when its turns are to be forgotten. */
#define UNTURNED_MAX 512u

/* The word of a place. */
static uint32_t word_of(const struct hd_queue *queue, uint32_t place)
{
    for (uint32_t i = queue->turn_count; i-- > 0;) {
        const struct hd_queue_turn *turn = &queue->turns[i];
        if (place < turn->capacity)
            place = place < turn->capacity - turn->by ? place + turn->by : place - (turn->capacity - turn->by);
    }
    return place;
}

/* The place of the item at a position, or, at `length`, of the next one. */
static uint32_t place(const struct hd_queue *queue, uint32_t position)
{
    uint64_t at = (uint64_t)queue->head + position;
    return (uint32_t)(at < queue->capacity ? at : at - queue->capacity);
}

static hd_value *item_at(struct hd_queue *queue, uint32_t position)
{
    return &queue->items[word_of(queue, place(queue, position))];
}

/* Moves `count` items from place to place; what they leave is absent. */
static void move(struct hd_objects *objects, struct hd_queue *queue, uint32_t to, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = to > from ? count - 1 - i : i;
        hd_value *word = &queue->items[word_of(queue, from + at)], item = *word;
        hd_gc_shade(objects->gc, item);
        *word = HD_ABSENT;
        hd_gc_put_new(&queue->items[word_of(queue, to + at)], item);
    }
    hd_objects_worked(objects, count * sizeof(hd_value));
}

/* Items that go round the end of a full ring: how many behind it, and how many in front. */
static uint32_t count_behind(const struct hd_queue *queue)
{
    uint64_t end = (uint64_t)queue->head + queue->length;
    return end > queue->capacity ? (uint32_t)(end - queue->capacity) : 0;
}

/* Room for a turn, if growing needs one. */
static int reserve_turn(struct hd_objects *objects, struct hd_queue *queue)
{
    if (queue->turns || count_behind(queue) <= MOVED_MAX || queue->capacity - queue->head <= MOVED_MAX)
        return 0;
    /* Among the objects, not in bookkeeping: a heap is freed without looking at its objects. */
    static_assert(sizeof *queue->turns <= sizeof(hd_value), "a turn fits a word");
    queue->turns = (struct hd_queue_turn *)hd_scratch_new(objects, HD_QUEUE_TURNS_MAX);
    return queue->turns ? 0 : HD_ENOMEM;
}

static void forget_turns(struct hd_objects *objects, struct hd_queue *queue)
{
    hd_scratch_free(objects, (hd_value *)queue->turns);
    queue->turns = NULL;
    queue->turn_count = 0;
}

/* The ring gets larger: those that went round the end follow what is in front of it. */
static void widen(struct hd_objects *objects, struct hd_queue *queue, uint32_t capacity)
{
    uint32_t old = queue->capacity, behind = count_behind(queue), front = old - queue->head;
    queue->capacity = capacity;
    if (behind <= MOVED_MAX) {
        move(objects, queue, old, 0, behind);
    } else if (front <= MOVED_MAX) {
        move(objects, queue, queue->capacity - front, queue->head, front);
        queue->head = queue->capacity - front;
    } else {
        assert(queue->turn_count < HD_QUEUE_TURNS_MAX);
        queue->turns[queue->turn_count++] = (struct hd_queue_turn){.capacity = old, .by = queue->head};
        queue->head = 0;
    }
}

/* Room for one item more beside those that may come back. */
static int reserve(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    uint64_t needed = queue->length + queue->untold_count + 1;
    if (needed <= queue->capacity)
        return 0;
    if (needed > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    uint32_t old = queue->capacity;
    uint32_t capacity = old < HD_ELEMENTS_MAX / 2 ? old * 2 : HD_ELEMENTS_MAX;
    int error = reserve_turn(objects, queue);
    if (!error)
        error = hd_gc_resize(objects->gc, hd_value_index(value), queue_bytes(capacity));
    if (error)
        return error;
    queue = queue_of(objects, value);
    /* What is added to a large block reads as zero, and words that hold nothing are. */
    if (queue_bytes(old) < HD_LARGE_MIN_BYTES)
        memset(queue->items + old, 0, (size_t)(capacity - old) * sizeof(hd_value));
    widen(objects, queue, capacity);
    return 0;
}

/* All items in front, without turns. */
static void straighten(struct hd_objects *objects, struct hd_queue *queue)
{
    hd_value items[UNTURNED_MAX];
    for (uint32_t i = 0; i < queue->length; i++) {
        hd_value *word = item_at(queue, i);
        hd_gc_shade(objects->gc, *word);
        items[i] = *word;
        *word = HD_ABSENT;
    }
    forget_turns(objects, queue);
    queue->head = 0;
    for (uint32_t i = 0; i < queue->length; i++)
        hd_gc_put_new(&queue->items[i], items[i]);
}

/* Gets all items into the first half, if that is no great work. */
static bool clear_half(struct hd_objects *objects, struct hd_queue *queue)
{
    if (queue->turns) {
        if (queue->length > UNTURNED_MAX)
            return false;
        straighten(objects, queue);
        return true;
    }
    uint64_t end = (uint64_t)queue->head + queue->length;
    if (end <= queue->capacity / 2)
        return true;
    if (queue->length > MOVED_MAX)
        return false; /* as items come and go, they all will be there once */
    if (end > queue->capacity) {
        uint32_t front = queue->capacity - queue->head;
        move(objects, queue, front, 0, queue->length - front);
        move(objects, queue, 0, queue->head, front);
    } else {
        move(objects, queue, 0, queue->head, queue->length);
    }
    queue->head = 0;
    return true;
}

/* One that became nearly empty gives its room back. A block that could not be cut stays as it is. */
static void shrink(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    uint64_t used = queue->length + queue->untold_count;
    if (queue->capacity <= 8 * CAPACITY_MIN || used > queue->capacity / 8 || !clear_half(objects, queue))
        return;
    uint32_t before = queue->capacity;
    queue->capacity = before / 2;
    if (hd_gc_resize(objects->gc, hd_value_index(value), queue_bytes(queue->capacity)))
        queue_of(objects, value)->capacity = before;
}

const char *hd_queue_check_ring(const struct hd_queue *queue)
{
    if (queue->length + queue->untold_count > queue->capacity)
        return "queue: length + untold_count <= capacity";
    if (queue->turn_count > (queue->turns ? HD_QUEUE_TURNS_MAX : 0))
        return "queue: turns";
    for (uint32_t i = 0; i < queue->turn_count; i++)
        if (queue->turns[i].capacity > queue->capacity || queue->turns[i].by >= queue->turns[i].capacity)
            return "queue: a turn of places that it has";
    for (uint32_t i = 0; i < queue->capacity; i++) {
        bool inside = (i + queue->capacity - queue->head) % queue->capacity < queue->length;
        if ((queue->items[word_of(queue, i)] != HD_ABSENT) != inside)
            return "queue: items stand in the ring, absent words beside them";
    }
    return NULL;
}

/* There is room. */
static void append(struct hd_queue *queue, hd_value item)
{
    assert(queue->length < queue->capacity);
    hd_gc_put_new(item_at(queue, queue->length), item);
    queue->length++;
}

static void prepend(struct hd_queue *queue, hd_value item)
{
    assert(queue->length < queue->capacity);
    queue->head = queue->head ? queue->head - 1 : queue->capacity - 1;
    hd_gc_put_new(item_at(queue, 0), item);
    queue->length++;
}

static hd_value take_first(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    hd_value item = hd_gc_take(objects->gc, hd_value_index(value), item_at(queue, 0));
    queue->head = place(queue, 1);
    queue->length--;
    if (queue->turns && !queue->length)
        forget_turns(objects, queue);
    return item;
}

/* ---- the lines ---- */

/* An item was taken: one who waits with another comes in, in its place. */
static void admit(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    while (queue->putters.first && queue->length < queue->maximum) {
        struct hd_sync_waiter *waiter = queue->putters.first;
        hd_value item = waiter->item;
        waiter->item = HD_ABSENT;
        hd_gc_shade(objects->gc, item);
        append(queue, item);
        queue->unfinished++;
        hd_line_wake(&queue->putters, waiter, 0);
    }
}

static void give(struct hd_queue *queue, hd_value item)
{
    struct hd_sync_waiter *waiter = queue->getters.first;
    waiter->item = item;
    queue->untold_count++;
    hd_line_wake(&queue->getters, waiter, 0);
}

int hd_queue_peek(const struct hd_objects *objects, hd_value value, hd_value *out)
{
    if (hd_kind_of(objects, value) != HD_IS_QUEUE)
        return HD_ETYPE;
    struct hd_queue *queue = queue_of(objects, value);
    if (!queue->length)
        return HD_SYNC_BUSY;
    *out = *item_at(queue, 0);
    return 0;
}

int hd_queue_try_get(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result)
{
    if (!queue_of(objects, request->object)->length)
        return HD_SYNC_BUSY;
    result->item = take_first(objects, request->object);
    admit(objects, request->object);
    shrink(objects, request->object);
    return 0;
}

int hd_queue_try_put(struct hd_objects *objects, const struct hd_sync_request *request)
{
    struct hd_queue *queue = queue_of(objects, request->object);
    if (!request->is_back && !queue->getters.first && queue->maximum && queue->length >= queue->maximum)
        return HD_SYNC_BUSY;
    int error = reserve(objects, request->object);
    if (error)
        return error;
    queue = queue_of(objects, request->object);
    hd_gc_touch(objects->gc, hd_value_index(request->object));
    if (!request->is_back)
        queue->unfinished++;
    if (queue->getters.first)
        give(queue, request->item);
    else if (request->is_back)
        prepend(queue, request->item);
    else
        append(queue, request->item);
    return 0;
}

void hd_queue_told(struct hd_objects *objects, hd_value queue)
{
    queue_of(objects, queue)->untold_count--;
    shrink(objects, queue);
}

void hd_queue_undo(struct hd_objects *objects, struct hd_sync_waiter *waiter)
{
    struct hd_queue *queue = queue_of(objects, waiter->object);
    hd_value item = waiter->item;
    waiter->item = HD_ABSENT;
    hd_gc_shade(objects->gc, item);
    hd_gc_touch(objects->gc, hd_value_index(waiter->object));
    queue->untold_count--;
    if (queue->getters.first)
        give(queue, item);
    else
        prepend(queue, item);
}

int hd_queue_task_done(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    if (!queue->unfinished)
        return HD_EOVER_RELEASE;
    if (--queue->unfinished == 0)
        hd_line_wake_all(&queue->joiners, 0);
    return 0;
}

int hd_queue_try_join(struct hd_objects *objects, const struct hd_sync_request *request)
{
    return queue_of(objects, request->object)->unfinished ? HD_SYNC_BUSY : 0;
}
