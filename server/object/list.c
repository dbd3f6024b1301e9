/* Lists and tuples. */
#include <string.h>

#include "object/object.h"
#include "object/payload.h"
#include "object/undo.h"

/* Elements that are moved to the front of their block in one go: more take too long for those who wait. */
#define SLIDE_AT_ONCE (UINT32_C(1) << 17)

static struct hd_list *list_of(const struct hd_objects *objects, hd_value list)
{
    return hd_gc_payload(objects->gc, list);
}

static void list_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_list *list = payload;
    out->spans[out->span_count++] = (struct hd_span){list->items + list->head, list->length};
}

static struct hd_span list_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    struct hd_list *list = payload;
    return (struct hd_span){list->items + list->head, list->length};
}

static void count_down(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
}

const struct hd_type_ops hd_list_ops = {.name = "list",
                                        .inner = true,
                                        .tracked = true,
                                        .traverse = list_traverse,
                                        .span = list_span,
                                        .dispose = count_down};

static size_t list_bytes(uint32_t capacity)
{
    return sizeof(struct hd_list) + (size_t)capacity * sizeof(hd_value);
}

static uint32_t list_capacity(const void *payload)
{
    return (uint32_t)((hd_alloc_usable(payload) - sizeof(struct hd_list)) / sizeof(hd_value));
}

int hd_list_new(struct hd_objects *objects, uint32_t capacity, hd_value *out)
{
    if (capacity > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_LIST, list_bytes(capacity), &value);
    if (error)
        return error;
    struct hd_list *list = list_of(objects, value);
    list->capacity = list_capacity(list);
    *out = value;
    return 0;
}

uint32_t hd_list_length(const struct hd_objects *objects, hd_value list)
{
    return list_of(objects, list)->length;
}

hd_value hd_list_at(const struct hd_objects *objects, hd_value list, uint32_t position)
{
    const struct hd_list *l = list_of(objects, list);
    assert(position < l->length);
    return l->items[l->head + position];
}

/* Moves the elements to another place in the block. */
static void slide(struct hd_objects *objects, struct hd_list *list, uint32_t head)
{
    hd_gc_shade_words(objects->gc, list->items + list->head, list->length);
    memmove(list->items + head, list->items + list->head, (size_t)list->length * sizeof(hd_value));
    hd_objects_worked(objects, (size_t)list->length * sizeof(hd_value));
    list->head = head;
}

static int resize(struct hd_objects *objects, hd_value value, uint32_t capacity)
{
    int error = hd_gc_resize(objects->gc, hd_value_index(value), list_bytes(capacity));
    if (error)
        return error;
    struct hd_list *list = list_of(objects, value);
    list->capacity = list_capacity(list);
    return 0;
}

int hd_list_reserve(struct hd_objects *objects, hd_value value, uint32_t more)
{
    struct hd_list *list = list_of(objects, value);
    if (more > HD_ELEMENTS_MAX - list->length)
        return HD_ETOO_LARGE;
    uint32_t needed = list->length + more;
    if (list->head + needed <= list->capacity)
        return 0;
    /* Room that was left at the front, if a slide pays for itself by as many appends. */
    if (needed <= list->capacity && list->head >= list->length / 2) {
        slide(objects, list, 0);
        return 0;
    }
    uint64_t capacity = (uint64_t)list->head + needed + needed / 8 + (needed < 8 ? 2 : 6);
    return resize(objects, value, capacity > UINT32_MAX ? list->head + needed : (uint32_t)capacity);
}

static void note_inserted(struct hd_objects *objects, hd_value list, uint32_t position)
{
    hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_INSERTED, .owner = list, .position = position});
}

int hd_list_append(struct hd_objects *objects, hd_value value, hd_value element)
{
    int error = hd_undo_prepare(objects);
    if (!error)
        error = hd_list_reserve(objects, value, 1);
    if (error)
        return error;
    struct hd_list *list = list_of(objects, value);
    hd_gc_touch_word(objects->gc, hd_value_index(value), NULL);
    note_inserted(objects, value, list->length);
    hd_gc_put_new(&list->items[list->head + list->length++], element);
    return 0;
}

/* Makes room in front: as much as there are elements, up to a bound. */
static int reserve_front(struct hd_objects *objects, hd_value value)
{
    struct hd_list *list = list_of(objects, value);
    if (list->head > 0)
        return 0;
    uint32_t front = list->length / 8 + 4;
    if (front > HD_ELEMENTS_MAX - list->length)
        return HD_ETOO_LARGE;
    if (list->length + front > list->capacity) {
        int error = resize(objects, value, list->length + front);
        if (error)
            return error;
    }
    list = list_of(objects, value);
    /* All of the free room may be behind: share it. */
    uint32_t room = list->capacity - list->length;
    slide(objects, list, room < 2 ? room : room / 2);
    return 0;
}

int hd_list_insert(struct hd_objects *objects, hd_value value, int64_t index, hd_value element)
{
    struct hd_list *list = list_of(objects, value);
    int64_t length = list->length;
    if (index < 0)
        index = index + length < 0 ? 0 : index + length;
    if (index >= length)
        return hd_list_append(objects, value, element);
    uint32_t position = (uint32_t)index;
    bool from_front = position < list->length / 2;
    int error = hd_undo_prepare(objects);
    if (error)
        return error;
    error = from_front ? reserve_front(objects, value) : hd_list_reserve(objects, value, 1);
    if (error)
        return error;
    list = list_of(objects, value);
    struct hd_gc *gc = objects->gc;
    hd_gc_touch(gc, hd_value_index(value));
    note_inserted(objects, value, position);
    hd_value *items = list->items + list->head;
    if (from_front) {
        hd_gc_shade_words(gc, items, position);
        memmove(items - 1, items, position * sizeof *items);
        hd_objects_worked(objects, position * sizeof *items);
        list->head--;
        hd_gc_put_new(items + position - 1, element);
    } else {
        uint32_t behind = list->length - position;
        hd_gc_shade_words(gc, items + position, behind);
        memmove(items + position + 1, items + position, behind * sizeof *items);
        hd_objects_worked(objects, behind * sizeof *items);
        hd_gc_put_new(items + position, element);
    }
    list->length++;
    return 0;
}

/* Python's index to a position: negative ones count from the end. */
static int position_of(int64_t index, uint32_t length, uint32_t *out)
{
    if (index < 0)
        index += length;
    if (index < 0 || index >= length)
        return HD_EINDEX;
    *out = (uint32_t)index;
    return 0;
}

int hd_list_get(struct hd_objects *objects, hd_value value, int64_t index, hd_value *out)
{
    const struct hd_list *list = list_of(objects, value);
    uint32_t position;
    int error = position_of(index, list->length, &position);
    if (!error)
        *out = hd_gc_retain(objects->gc, list->items[list->head + position]);
    return error;
}

int hd_list_set(struct hd_objects *objects, hd_value value, int64_t index, hd_value element)
{
    struct hd_list *list = list_of(objects, value);
    uint32_t position;
    int error = position_of(index, list->length, &position);
    if (!error)
        error = hd_undo_prepare(objects);
    if (!error)
        hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_WORD,
                                                     .owner = value,
                                                     .position = position,
                                                     .value = list->items[list->head + position]});
    if (!error)
        hd_gc_store(objects->gc, hd_value_index(value), &list->items[list->head + position], element);
    return error;
}

/* Gives memory back when three quarters are unused. Failing to do so does no harm. */
static void shrink(struct hd_objects *objects, hd_value value)
{
    struct hd_list *list = list_of(objects, value);
    if (list->capacity < 16 || list->length > list->capacity / 4)
        return;
    if (list->head)
        slide(objects, list, 0);
    if (resize(objects, value, list->length + list->length / 8 + 2) != 0)
        return;
}

void hd_list_settle(struct hd_objects *objects, hd_value value)
{
    /* To slide very many would take long: as they are popped, there will be fewer. */
    if (list_of(objects, value)->length <= SLIDE_AT_ONCE || list_of(objects, value)->head == 0)
        shrink(objects, value);
}

int hd_list_resize(struct hd_objects *objects, hd_value value, uint64_t capacity)
{
    if (capacity > UINT32_MAX)
        return HD_ETOO_LARGE;
    return resize(objects, value, (uint32_t)capacity);
}

int hd_list_pop(struct hd_objects *objects, hd_value value, int64_t index, hd_value *out)
{
    struct hd_list *list = list_of(objects, value);
    struct hd_gc *gc = objects->gc;
    uint32_t position;
    int error = position_of(index, list->length, &position);
    if (error)
        return error;
    error = hd_undo_prepare(objects);
    if (error)
        return error;
    hd_value *items = list->items + list->head;
    hd_value taken = hd_gc_take(gc, hd_value_index(value), &items[position]);
    hd_undo_note(objects,
                 &(struct hd_undo_note){.kind = HD_UNDO_POPPED, .owner = value, .position = position, .value = taken});
    uint32_t behind = list->length - position - 1;
    if (position < behind) {
        hd_gc_shade_words(gc, items, position);
        memmove(items + 1, items, position * sizeof *items);
        hd_objects_worked(objects, position * sizeof *items);
        list->head++;
        /* Those behind have come one place nearer to the start: a marker among them would leave one out. */
        if (gc->mark_cursor.index == hd_value_index(value) && gc->mark_cursor.offset > position)
            gc->mark_cursor.offset--;
    } else {
        hd_gc_shade_words(gc, items + position + 1, behind);
        memmove(items + position, items + position + 1, behind * sizeof *items);
        hd_objects_worked(objects, behind * sizeof *items);
    }
    if (--list->length == 0)
        list->head = 0;
    if (!hd_undo_is_open(objects))
        hd_list_settle(objects, value);
    *out = taken;
    return 0;
}

/* The room that it took stays, for what has to go back after it. */
hd_value hd_list_take_back(struct hd_objects *objects, hd_value value, uint32_t position)
{
    struct hd_list *list = list_of(objects, value);
    hd_value *items = list->items + list->head;
    hd_value taken = hd_gc_take(objects->gc, hd_value_index(value), &items[position]);
    uint32_t behind = list->length - position - 1;
    hd_gc_shade_words(objects->gc, items + position + 1, behind);
    memmove(items + position, items + position + 1, behind * sizeof *items);
    list->length--;
    return taken;
}

void hd_list_put_back(struct hd_objects *objects, hd_value value, uint32_t position, hd_value element)
{
    struct hd_list *list = list_of(objects, value);
    hd_value *items = list->items + list->head;
    uint32_t behind = list->length - position;
    hd_gc_touch(objects->gc, hd_value_index(value));
    /* Nothing gave room back since it was taken out, so there is some at one of the ends. */
    assert(list->length < list->capacity);
    if (list->head + list->length < list->capacity) {
        hd_gc_shade_words(objects->gc, items + position, behind);
        memmove(items + position + 1, items + position, behind * sizeof *items);
    } else {
        hd_gc_shade_words(objects->gc, items, position);
        memmove(items - 1, items, position * sizeof *items);
        list->head--;
        items--;
    }
    hd_gc_put_new(items + position, element);
    list->length++;
}

void hd_list_adopt(struct hd_objects *objects, hd_value value, hd_value *block, uint32_t head, uint32_t length)
{
    struct hd_gc *gc = objects->gc;
    uint32_t index = hd_value_index(value);
    struct hd_list *list = (struct hd_list *)block;
    hd_gc_touch(gc, index);
    *list = (struct hd_list){.length = length, .head = head, .capacity = list_capacity(list)};
    hd_alloc_put(gc->alloc, list_of(objects, value));
    hd_table_set_payload(gc->table, index, list);
    /* A marker in the midst of it does not know what it has seen of this order: it begins again. */
    if (gc->mark_cursor.index == index)
        gc->mark_cursor = (struct hd_gc_cursor){.index = index};
}

/* ---- tuples --------------------------------------------------------------- */

static struct hd_tuple *tuple_of(const struct hd_objects *objects, hd_value tuple)
{
    return hd_gc_payload(objects->gc, tuple);
}

static void tuple_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_tuple *tuple = payload;
    out->spans[out->span_count++] = (struct hd_span){tuple->items, tuple->length};
}

static struct hd_span tuple_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    struct hd_tuple *tuple = payload;
    return (struct hd_span){tuple->items, tuple->length};
}

const struct hd_type_ops hd_tuple_ops = {.name = "tuple",
                                         .inner = true,
                                         .tracked = true,
                                         .traverse = tuple_traverse,
                                         .span = tuple_span,
                                         .dispose = count_down};

int hd_tuple_new(struct hd_objects *objects, uint32_t length, hd_value *out)
{
    if (length > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    size_t bytes = (size_t)length * sizeof(hd_value);
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_TUPLE, sizeof(struct hd_tuple) + bytes, &value);
    if (error)
        return error;
    struct hd_tuple *tuple = tuple_of(objects, value);
    memset(tuple->items, 0, bytes);
    tuple->length = length;
    *out = value;
    return 0;
}

int hd_tuple_new_open(struct hd_objects *objects, uint32_t capacity, hd_value *out)
{
    if (capacity > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    /* Of a newborn the first bytes are zero: its length is. */
    return hd_object_new(objects, HD_TYPE_TUPLE, sizeof(struct hd_tuple) + (size_t)capacity * sizeof(hd_value), out);
}

void hd_tuple_init_at(struct hd_objects *objects, hd_value tuple, uint32_t position, hd_value value)
{
    struct hd_tuple *t = tuple_of(objects, tuple);
    assert(position < t->length && t->items[position] == HD_ABSENT);
    hd_gc_put_new(&t->items[position], value);
}

uint32_t hd_tuple_length(const struct hd_objects *objects, hd_value tuple)
{
    return tuple_of(objects, tuple)->length;
}

hd_value hd_tuple_at(const struct hd_objects *objects, hd_value tuple, uint32_t position)
{
    const struct hd_tuple *t = tuple_of(objects, tuple);
    assert(position < t->length);
    return t->items[position];
}
