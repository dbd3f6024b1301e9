/* Queues: a ring of items, and three lines. */
#include <string.h>

#include "object/sync_internal.h"

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

static void queue_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
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

static uint32_t place(const struct hd_queue *queue, uint32_t position)
{
    uint64_t at = (uint64_t)queue->head + position;
    return (uint32_t)(at < queue->capacity ? at : at - queue->capacity);
}

/* Moves `count` words that hold items within the ring; what they leave is absent. */
static void move(struct hd_objects *objects, struct hd_queue *queue, uint32_t to, uint32_t from, uint32_t count)
{
    hd_gc_shade_words(objects->gc, queue->items + from, count);
    memmove(queue->items + to, queue->items + from, count * sizeof(hd_value));
    uint32_t clear = to > from ? from : to + count > from ? to + count : from;
    uint32_t end = to > from ? (to < from + count ? to : from + count) : from + count;
    memset(queue->items + clear, 0, (size_t)(end - clear) * sizeof(hd_value));
    hd_objects_worked(objects, count * sizeof(hd_value));
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
    int error = hd_gc_resize(objects->gc, hd_value_index(value), queue_bytes(capacity));
    if (error)
        return error;
    queue = queue_of(objects, value);
    memset(queue->items + old, 0, (size_t)(capacity - old) * sizeof(hd_value));
    queue->capacity = capacity;
    /* Items that went round the end: the shorter part is moved. */
    uint64_t end = (uint64_t)queue->head + queue->length;
    if (end <= old)
        return 0;
    uint32_t behind = (uint32_t)(end - old), front = old - queue->head;
    if (behind <= front) {
        move(objects, queue, old, 0, behind);
    } else {
        move(objects, queue, capacity - front, queue->head, front);
        queue->head = capacity - front;
    }
    return 0;
}

/* One that became nearly empty gives its room back. A block that could not be cut stays as it is. */
static void shrink(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    uint64_t used = queue->length + queue->untold_count;
    if (queue->capacity <= 8 * CAPACITY_MIN || used > queue->capacity / 8)
        return;
    uint32_t capacity = queue->capacity / 2;
    uint64_t end = (uint64_t)queue->head + queue->length;
    if (end > queue->capacity) {
        uint32_t front = queue->capacity - queue->head;
        move(objects, queue, front, 0, queue->length - front);
        move(objects, queue, 0, queue->head, front);
        queue->head = 0;
    } else if (end >= capacity) {
        move(objects, queue, 0, queue->head, queue->length);
        queue->head = 0;
    }
    uint32_t before = queue->capacity;
    queue->capacity = capacity;
    if (hd_gc_resize(objects->gc, hd_value_index(value), queue_bytes(capacity)))
        queue_of(objects, value)->capacity = before;
}

/* There is room. */
static void append(struct hd_queue *queue, hd_value item)
{
    assert(queue->length < queue->capacity);
    hd_gc_put_new(&queue->items[place(queue, queue->length)], item);
    queue->length++;
}

static void prepend(struct hd_queue *queue, hd_value item)
{
    assert(queue->length < queue->capacity);
    queue->head = queue->head ? queue->head - 1 : queue->capacity - 1;
    hd_gc_put_new(&queue->items[queue->head], item);
    queue->length++;
}

static hd_value take_first(struct hd_objects *objects, hd_value value)
{
    struct hd_queue *queue = queue_of(objects, value);
    hd_value item = hd_gc_take(objects->gc, hd_value_index(value), &queue->items[queue->head]);
    queue->head = place(queue, 1);
    queue->length--;
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
    const struct hd_queue *queue = queue_of(objects, value);
    if (!queue->length)
        return HD_SYNC_BUSY;
    *out = queue->items[queue->head];
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
    if (!queue->getters.first && queue->maximum && queue->length >= queue->maximum)
        return HD_SYNC_BUSY;
    int error = reserve(objects, request->object);
    if (error)
        return error;
    queue = queue_of(objects, request->object);
    hd_gc_touch(objects->gc, hd_value_index(request->object));
    queue->unfinished++;
    if (queue->getters.first)
        give(queue, request->item);
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
