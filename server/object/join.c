/* New lists and tuples out of old ones: slices, concatenation, repetition. */
#include "object/sequence.h"

#include "object/payload.h"

static bool is_sequence(enum hd_kind_of_value kind)
{
    return kind == HD_IS_LIST || kind == HD_IS_TUPLE;
}

static bool is_text(enum hd_kind_of_value kind)
{
    return kind == HD_IS_STR || kind == HD_IS_BYTES;
}

static uint32_t length_of(const struct hd_objects *objects, hd_value sequence)
{
    return hd_kind_of(objects, sequence) == HD_IS_LIST ? hd_list_length(objects, sequence)
                                                       : hd_tuple_length(objects, sequence);
}

/* Where the elements lie; until the next allocation. */
static const hd_value *words_of(const struct hd_objects *objects, hd_value sequence)
{
    const void *payload = hd_gc_payload(objects->gc, sequence);
    if (hd_kind_of(objects, sequence) == HD_IS_TUPLE)
        return ((const struct hd_tuple *)payload)->items;
    const struct hd_list *list = payload;
    return list->items + list->head;
}

/*
 * The elements are shown to the collector as they come: the rest of the block is
 * not part of the object yet.
 */
static int make(struct hd_join *join)
{
    struct hd_work *work = &join->work;
    struct hd_objects *objects = work->objects;
    if (join->list)
        return hd_list_new(objects, join->capacity, &work->value);
    return hd_tuple_new_open(objects, join->capacity, &work->value);
}

static uint32_t *filled(const struct hd_join *join, hd_value **words)
{
    void *payload = hd_gc_payload(join->work.objects->gc, join->work.value);
    if (join->list) {
        struct hd_list *list = payload;
        *words = list->items;
        return &list->length;
    }
    struct hd_tuple *tuple = payload;
    *words = tuple->items;
    return &tuple->length;
}

/* Goes on to what comes after the elements of this time; false: nothing does. */
static bool next_source(struct hd_join *join)
{
    if (join->times) {
        join->times--;
        join->next = 0;
        join->left = join->length;
        return true;
    }
    if (!join->second)
        return false;
    join->second = false;
    join->next = 0;
    join->left = length_of(join->work.objects, join->work.held[1]);
    hd_gc_release(join->work.objects->gc, join->work.held[0]);
    join->work.held[0] = join->work.held[1];
    join->work.held[1] = HD_ABSENT;
    join->work.watched = hd_kind_of(join->work.objects, join->work.held[0]) == HD_IS_LIST;
    return true;
}

/* What a counted element costs more than one that is only moved. Far apart, each is fetched, and costs as much. */
#define RETAIN_COST (HD_WORK_WORDS_PER_UNIT / HD_WORK_RETAINS_PER_UNIT)
#define NEAR_STEP 4

/* Copies elements until the source has no more or the room is used up. */
static void take(struct hd_join *join, hd_value *to, uint64_t *room)
{
    struct hd_gc *gc = join->work.objects->gc;
    const hd_value *from = words_of(join->work.objects, join->work.held[0]);
    bool is_near = join->step >= -NEAR_STEP && join->step <= NEAR_STEP;
    for (; join->left && *room; join->left--, join->next += join->step) {
        hd_value value = from[join->next];
        uint64_t cost = is_near && !hd_value_is_ref(value) ? 1 : RETAIN_COST;
        hd_gc_put_new(to++, hd_gc_retain(gc, value));
        *room -= cost < *room ? cost : *room;
    }
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_join *join = (struct hd_join *)work;
    uint64_t room = units < UINT32_MAX ? units * HD_WORK_WORDS_PER_UNIT : (uint64_t)UINT32_MAX * HD_WORK_WORDS_PER_UNIT;
    if (work->value == HD_ABSENT) {
        int error = make(join);
        if (error)
            return error;
    }
    hd_value *to;
    uint32_t *length = filled(join, &to);
    uint64_t begun = room;
    while (room) {
        if (join->left == 0 && !next_source(join))
            break;
        uint32_t left = join->left;
        take(join, &to[*length], &room);
        *length += left - join->left;
    }
    work->objects->work_units += (begun - room) / HD_WORK_WORDS_PER_UNIT;
    return join->left == 0 && join->times == 0 && !join->second;
}

static const struct hd_work_kind join_kind = {.bytes = sizeof(struct hd_join), .step = step};

static int begin(struct hd_objects *objects, hd_value source, uint64_t total, struct hd_join *out)
{
    if (total > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    *out = (struct hd_join){.step = 1, .capacity = (uint32_t)total};
    out->list = hd_kind_of(objects, source) == HD_IS_LIST;
    out->length = length_of(objects, source);
    hd_work_init(&out->work, &join_kind, objects);
    hd_work_hold(&out->work, 0, source, true);
    return 0;
}

/* A tuple that would be made again as it is stays what it is. */
static void keep_whole(struct hd_join *join)
{
    join->work.value = hd_gc_retain(join->work.objects->gc, join->work.held[0]);
    join->left = 0;
    join->times = 0;
}

int hd_get_slice_begin(struct hd_objects *objects, hd_value object, const struct hd_range *range, union hd_make *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    struct hd_indices indices;
    if (is_text(kind))
        return hd_text_slice(objects, object, range, &out->text);
    if (!is_sequence(kind))
        return HD_ETYPE;
    int error = hd_range_resolve(objects, range, length_of(objects, object), &indices);
    if (!error)
        error = begin(objects, object, indices.count, &out->join);
    if (error)
        return error;
    out->join.next = indices.start;
    out->join.step = indices.step;
    out->join.left = indices.count;
    if (kind == HD_IS_TUPLE && indices.step == 1 && indices.count == out->join.length)
        keep_whole(&out->join);
    return 0;
}

int hd_concat_begin(struct hd_objects *objects, hd_value left, hd_value right, union hd_make *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, left);
    if (kind != hd_kind_of(objects, right))
        return HD_ETYPE;
    if (is_text(kind))
        return hd_text_concat(objects, left, right, &out->text);
    if (!is_sequence(kind))
        return HD_ETYPE;
    uint32_t length = length_of(objects, left), more = length_of(objects, right);
    int error = begin(objects, left, (uint64_t)length + more, &out->join);
    if (error)
        return error;
    hd_work_hold(&out->join.work, 1, right, true);
    out->join.left = length;
    out->join.second = true;
    return 0;
}

int hd_times_of(const struct hd_objects *objects, hd_value times, uint64_t *out)
{
    int64_t number = times == HD_TRUE;
    if (times != HD_TRUE && times != HD_FALSE) {
        if (hd_kind_of(objects, times) != HD_IS_INT)
            return HD_ETYPE;
        if (!hd_int_to_int64(objects, times, &number))
            return HD_EOVERFLOW;
    }
    *out = number > 0 ? (uint64_t)number : 0;
    return 0;
}

int hd_repeat_begin(struct hd_objects *objects, hd_value object, hd_value times, union hd_make *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    uint64_t count;
    if (!is_text(kind) && !is_sequence(kind))
        return HD_ETYPE;
    int error = hd_times_of(objects, times, &count);
    if (error)
        return error;
    if (is_text(kind))
        return hd_text_repeat(objects, object, count, &out->text);
    uint32_t length = length_of(objects, object);
    if (length && count > HD_ELEMENTS_MAX / length)
        return HD_ETOO_LARGE;
    error = begin(objects, object, length * count, &out->join);
    if (error)
        return error;
    if (count && length) {
        out->join.left = length;
        out->join.times = count - 1;
    }
    if (kind == HD_IS_TUPLE && count == 1)
        keep_whole(&out->join);
    return 0;
}
