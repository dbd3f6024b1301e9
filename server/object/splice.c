/*
 * Changing a part of a list.
 *
 * The new elements are gathered in a list of our own, with references that are
 * counted. If few words of the list have to move, they are moved in the last step.
 * Otherwise a payload with the list to come is put together in scratch memory, and
 * the last step puts it in place. Either way what was taken out changes places with
 * the gathered elements, so that it dies with that list: the queue of the dead does
 * the rest.
 */
#include <string.h>

#include "object/payload.h"
#include "object/sequence.h"

/* Words that are moved at once: some ten microseconds. */
#define AT_ONCE_WORDS (UINT32_C(1) << 16)
/* And for one element, where another payload would cost far more than the move: a few hundred. */
#define ELEMENT_AT_ONCE_WORDS (UINT32_C(1) << 18)

enum { LIST = 0, SOURCE = 1, GATHERED = 2 };
enum phase { GATHER, PLAN, REMOVED, BUILD, COMMIT };

static struct hd_list *list_of(const struct hd_objects *objects, hd_value list)
{
    return hd_gc_payload(objects->gc, list);
}

static hd_value *words_of(struct hd_list *list)
{
    return list->items + list->head;
}

static uint32_t gathered_count(const struct hd_splice *splice)
{
    hd_value list = splice->work.held[GATHERED];
    return list == HD_ABSENT ? 0 : hd_list_length(splice->work.objects, list);
}

/* ---- gathering ------------------------------------------------------------ */

static int gather(struct hd_splice *splice, uint64_t *units)
{
    struct hd_work *work = &splice->work;
    struct hd_objects *objects = work->objects;
    hd_value element;
    for (unsigned i = 1; splice->times; i++) {
        if (i % HD_WORK_RETAINS_PER_UNIT == 0) {
            if (*units == 0)
                return 0;
            --*units;
        }
        uint32_t position = splice->position;
        if (!hd_iterate(objects, work->held[SOURCE], &splice->position, &element)) {
            splice->times--;
            splice->position = 0;
            continue;
        }
        hd_gc_retain(objects->gc, element);
        int error = hd_list_append(objects, work->held[GATHERED], element);
        if (error) {
            hd_gc_release(objects->gc, element);
            splice->position = position;
            return error;
        }
    }
    return 1;
}

/* ---- what is to be done --------------------------------------------------- */

static bool is_extended(const struct hd_splice *splice)
{
    return splice->indices.step != 1;
}

/* Words that stay in the list and come to lie elsewhere, at least. */
static uint32_t moved_words(const struct hd_splice *splice, const struct hd_list *list, uint32_t more)
{
    const struct hd_indices *indices = &splice->indices;
    uint32_t behind = list->length - ((uint32_t)indices->start + indices->count);
    if (more == indices->count)
        return 0;
    uint32_t front = (uint32_t)indices->start;
    bool room = more < indices->count || list->head >= more - indices->count;
    return room && front < behind ? front : behind;
}

/* What an extended slice that is deleted leaves behind lies in pieces. */
static bool fits_in_place(const struct hd_splice *splice)
{
    const struct hd_list *list = list_of(splice->work.objects, splice->work.held[LIST]);
    uint32_t more = gathered_count(splice);
    if (splice->reversed)
        return list->length <= AT_ONCE_WORDS;
    if (is_extended(splice))
        return more ? more <= AT_ONCE_WORDS : list->length <= AT_ONCE_WORDS;
    return more <= AT_ONCE_WORDS && moved_words(splice, list, more) <= AT_ONCE_WORDS;
}

/* Pure growth at the end: the words are put behind the end, where nobody looks. */
static bool is_growth(const struct hd_splice *splice)
{
    return !splice->reversed && !is_extended(splice) && splice->indices.count == 0 &&
           (uint32_t)splice->indices.start == hd_list_length(splice->work.objects, splice->work.held[LIST]);
}

static uint32_t length_to_come(const struct hd_splice *splice)
{
    uint32_t length = hd_list_length(splice->work.objects, splice->work.held[LIST]);
    if (splice->reversed || (is_extended(splice) && gathered_count(splice)))
        return length;
    return length - splice->indices.count + gathered_count(splice);
}

static int new_block(struct hd_splice *splice, uint32_t words, hd_value **out)
{
    if (*out)
        return 0;
    *out = hd_scratch_new(splice->work.objects, HD_LIST_HEADER_WORDS + words);
    return *out ? 0 : HD_ENOMEM;
}

/* Room behind the end for more words; the block may move. */
static int reserve(struct hd_splice *splice, uint32_t more)
{
    struct hd_work *work = &splice->work;
    const struct hd_list *list = list_of(work->objects, work->held[LIST]);
    if (list->head + list->length + more <= list->capacity)
        return 0;
    if (list->length <= AT_ONCE_WORDS)
        return hd_list_reserve(work->objects, work->held[LIST], more);
    return hd_list_resize(work->objects, work->held[LIST], list->head + list->length + more + list->length / 8);
}

static int plan(struct hd_splice *splice)
{
    struct hd_work *work = &splice->work;
    uint32_t length = hd_list_length(work->objects, work->held[LIST]);
    uint64_t more = gathered_count(splice);
    if (splice->exact && more != splice->indices.count)
        return HD_EVALUE;
    if (length - splice->indices.count + more > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    /* Nothing for nothing: a step would mean going through the list to find that out. */
    if (splice->indices.count == 0 && more == 0)
        splice->indices.step = 1;
    if (is_growth(splice) || fits_in_place(splice)) {
        uint32_t taken = splice->indices.count;
        int error = more > taken ? reserve(splice, (uint32_t)more - taken) : 0;
        if (error)
            return error;
    } else {
        /* Room in front pays when it is the front that had to grow. */
        uint32_t front = (uint32_t)splice->indices.start < length / 2 && more > splice->indices.count ? length / 8 : 0;
        splice->block_head = front;
        uint32_t needed = length_to_come(splice);
        uint64_t capacity = (uint64_t)front + needed + needed / 8;
        int error = new_block(splice, capacity > HD_ELEMENTS_MAX ? front + needed : (uint32_t)capacity, &splice->block);
        if (error)
            return error;
    }
    if (splice->indices.count && !splice->reversed)
        return new_block(splice, splice->indices.count, &splice->removed);
    return 0;
}

/* ---- putting words together ----------------------------------------------- */

/* The element at a position of the list to come. */
struct source {
    const hd_value *list;
    const hd_value *gathered;
    uint32_t length;
    uint32_t more;
};

static struct source source_of(const struct hd_splice *splice)
{
    const struct hd_work *work = &splice->work;
    struct hd_list *list = list_of(work->objects, work->held[LIST]);
    struct source source = {.list = words_of(list), .length = list->length};
    if (work->held[GATHERED] != HD_ABSENT) {
        struct hd_list *gathered = list_of(work->objects, work->held[GATHERED]);
        source.gathered = words_of(gathered);
        source.more = gathered->length;
    }
    return source;
}

/* Positions from low to high in steps upwards, whichever way the slice goes. */
static void upwards(const struct hd_indices *indices, uint32_t *low, uint32_t *stride)
{
    int64_t last = indices->start + (int64_t)(indices->count - 1) * indices->step;
    *low = (uint32_t)(indices->step < 0 ? last : indices->start);
    *stride = (uint32_t)(indices->step < 0 ? -indices->step : indices->step);
}

static bool is_taken(const struct hd_splice *splice, uint32_t position)
{
    uint32_t low, stride;
    if (splice->indices.count == 0)
        return false;
    upwards(&splice->indices, &low, &stride);
    return position >= low && (position - low) % stride == 0 && (position - low) / stride < splice->indices.count;
}

static uint32_t limit_of(uint64_t units, uint32_t done, uint32_t all)
{
    uint64_t words = units < UINT32_MAX ? units * HD_WORK_WORDS_PER_UNIT : UINT32_MAX;
    return all - done < words ? all : done + (uint32_t)words;
}

/* What is taken out, in any order. */
static int copy_removed(struct hd_splice *splice, uint64_t *units)
{
    struct source source = source_of(splice);
    hd_value *to = splice->removed + HD_LIST_HEADER_WORDS;
    uint32_t end = limit_of(*units, splice->done, splice->indices.count);
    for (uint32_t i = splice->done; i < end; i++)
        to[i] = source.list[splice->indices.start + (int64_t)i * splice->indices.step];
    *units -= (end - splice->done) / HD_WORK_WORDS_PER_UNIT;
    splice->done = end;
    return end == splice->indices.count;
}

static int build_reversed(struct hd_splice *splice, hd_value *to, uint64_t *units)
{
    struct source source = source_of(splice);
    uint32_t end = limit_of(*units, splice->done, source.length);
    for (uint32_t i = splice->done; i < end; i++)
        to[i] = source.list[source.length - 1 - i];
    *units -= (end - splice->done) / HD_WORK_WORDS_PER_UNIT;
    splice->done = end;
    return end == source.length;
}

/* `position` counts the words that are there, `done` those of the old list that were looked at. */
static int build_extended(struct hd_splice *splice, hd_value *to, uint64_t *units)
{
    struct source source = source_of(splice);
    uint32_t end = limit_of((*units + 3) / 4, splice->done, source.length);
    for (uint32_t i = splice->done; i < end; i++) {
        if (!is_taken(splice, i)) {
            to[splice->position++] = source.list[i];
        } else if (source.more) {
            int64_t which = (i - splice->indices.start) / splice->indices.step;
            to[splice->position++] = source.gathered[which];
        }
    }
    uint64_t used = (uint64_t)(end - splice->done) / HD_WORK_WORDS_PER_UNIT * 4;
    *units -= used < *units ? used : *units;
    splice->done = end;
    return end == source.length;
}

static int build_simple(struct hd_splice *splice, hd_value *to, uint64_t *units)
{
    struct source source = source_of(splice);
    uint32_t all = length_to_come(splice);
    uint32_t start = (uint32_t)splice->indices.start, gone = splice->indices.count;
    uint32_t end = limit_of(*units, splice->done, all);
    *units -= (end - splice->done) / HD_WORK_WORDS_PER_UNIT;
    while (splice->done < end) {
        uint32_t at = splice->done, stop;
        const hd_value *from;
        if (at < start) {
            from = source.list + at;
            stop = start;
        } else if (at < start + source.more) {
            from = source.gathered + (at - start);
            stop = start + source.more;
        } else {
            from = source.list + (at - source.more + gone);
            stop = all;
        }
        uint32_t count = (stop < end ? stop : end) - at;
        memcpy(to + at, from, count * sizeof *to);
        splice->done += count;
    }
    return end == all;
}

static int build(struct hd_splice *splice, uint64_t *units)
{
    if (is_growth(splice)) {
        struct source source = source_of(splice);
        struct hd_list *list = list_of(splice->work.objects, splice->work.held[LIST]);
        uint32_t end = limit_of(*units, splice->done, source.more);
        if (source.more)
            memcpy(words_of(list) + list->length + splice->done, source.gathered + splice->done,
                   (end - splice->done) * sizeof(hd_value));
        *units -= (end - splice->done) / HD_WORK_WORDS_PER_UNIT;
        splice->done = end;
        return end == source.more;
    }
    if (!splice->block)
        return 1;
    hd_value *to = splice->block + HD_LIST_HEADER_WORDS + splice->block_head;
    if (splice->reversed)
        return build_reversed(splice, to, units);
    return is_extended(splice) ? build_extended(splice, to, units) : build_simple(splice, to, units);
}

/* ---- the change ----------------------------------------------------------- */

/* What the gathered words are, once they belong to the list: what was taken out of it. */
static void give_up(struct hd_splice *splice)
{
    struct hd_work *work = &splice->work;
    hd_value gathered = work->held[GATHERED];
    if (splice->removed) {
        hd_list_adopt(work->objects, gathered, splice->removed, 0, splice->indices.count);
        splice->removed = NULL;
    } else if (gathered != HD_ABSENT) {
        struct hd_list *list = list_of(work->objects, gathered);
        list->length = 0;
    }
}

static void shade(struct hd_splice *splice, const hd_value *words, uint32_t count)
{
    hd_gc_shade_words(splice->work.objects->gc, words, count);
}

static void commit_reversed(struct hd_splice *splice)
{
    struct hd_list *list = list_of(splice->work.objects, splice->work.held[LIST]);
    hd_value *words = words_of(list);
    shade(splice, words, list->length);
    for (uint32_t i = 0; i < list->length / 2; i++) {
        hd_value word = words[i];
        words[i] = words[list->length - 1 - i];
        words[list->length - 1 - i] = word;
    }
}

static void commit_extended(struct hd_splice *splice)
{
    struct source source = source_of(splice);
    struct hd_list *list = list_of(splice->work.objects, splice->work.held[LIST]);
    hd_value *words = words_of(list);
    shade(splice, source.gathered, source.more);
    if (source.more) {
        for (uint32_t i = 0; i < source.more; i++)
            words[splice->indices.start + (int64_t)i * splice->indices.step] = source.gathered[i];
        return;
    }
    uint32_t kept = 0;
    shade(splice, words, list->length);
    for (uint32_t i = 0; i < list->length; i++)
        if (!is_taken(splice, i))
            words[kept++] = words[i];
    list->length = kept;
}

/* The words in front have come to lie elsewhere: the marker's place is counted from the front. */
static void move_cursor(struct hd_splice *splice, uint32_t more)
{
    struct hd_gc_cursor *cursor = &splice->work.objects->gc->mark_cursor;
    uint32_t start = (uint32_t)splice->indices.start, gone = splice->indices.count;
    if (cursor->index != hd_value_index(splice->work.held[LIST]))
        return;
    if (cursor->offset > start + gone)
        cursor->offset = cursor->offset - gone + more;
    else if (cursor->offset > start + more)
        cursor->offset = start + more;
}

static void commit_simple(struct hd_splice *splice)
{
    struct source source = source_of(splice);
    struct hd_list *list = list_of(splice->work.objects, splice->work.held[LIST]);
    hd_value *words = words_of(list);
    uint32_t start = (uint32_t)splice->indices.start, gone = splice->indices.count, more = source.more;
    uint32_t behind = list->length - start - gone;
    bool room = more <= gone || list->head >= more - gone;
    shade(splice, source.gathered, more);
    if (more != gone && room && start < behind) {
        shade(splice, words, start);
        list->head = list->head + gone - more;
        memmove(words_of(list), words, start * sizeof *words);
        words = words_of(list);
        move_cursor(splice, more);
    } else if (more != gone) {
        shade(splice, words + start + gone, behind);
        memmove(words + start + more, words + start + gone, behind * sizeof *words);
    }
    if (more)
        memcpy(words + start, source.gathered, more * sizeof *words);
    list->length = list->length - gone + more;
    if (list->length == 0)
        list->head = 0;
}

static void commit(struct hd_splice *splice)
{
    struct hd_work *work = &splice->work;
    struct hd_objects *objects = work->objects;
    hd_gc_touch(objects->gc, hd_value_index(work->held[LIST]));
    if (splice->block) {
        hd_list_adopt(objects, work->held[LIST], splice->block, splice->block_head, length_to_come(splice));
        splice->block = NULL;
    } else if (splice->reversed) {
        commit_reversed(splice);
    } else if (is_growth(splice)) {
        list_of(objects, work->held[LIST])->length += gathered_count(splice);
    } else if (is_extended(splice)) {
        commit_extended(splice);
    } else {
        commit_simple(splice);
    }
    give_up(splice);
    hd_list_settle(objects, work->held[LIST]);
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_splice *splice = (struct hd_splice *)work;
    uint64_t left = units;
    int result = 1;
    while (result == 1 && splice->phase != COMMIT) {
        switch (splice->phase) {
        case GATHER:
            result = gather(splice, &left);
            break;
        case PLAN:
            result = plan(splice);
            result = result ? result : 1;
            splice->position = 0;
            break;
        case REMOVED:
            result = splice->removed ? copy_removed(splice, &left) : 1;
            break;
        default:
            result = build(splice, &left);
        }
        if (result == 1) {
            splice->phase++;
            splice->done = 0;
        }
    }
    work->objects->work_units += units - left;
    if (result == 1)
        commit(splice);
    return result;
}

static void fini(struct hd_work *work)
{
    struct hd_splice *splice = (struct hd_splice *)work;
    hd_scratch_free(work->objects, splice->block);
    hd_scratch_free(work->objects, splice->removed);
}

static const struct hd_work_kind splice_kind = {.bytes = sizeof(struct hd_splice), .step = step, .fini = fini};

/* ---- beginning ------------------------------------------------------------ */

/* A list with room for what will be gathered, and for what is taken out to change places with it. */
static int begin(struct hd_objects *objects, hd_value list, uint64_t expected, struct hd_splice *out)
{
    *out = (struct hd_splice){.indices.step = 1};
    hd_work_init(&out->work, &splice_kind, objects);
    if (expected > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    hd_value gathered;
    int error = hd_list_new(objects, (uint32_t)expected, &gathered);
    if (error)
        return error;
    out->work.held[GATHERED] = gathered;
    hd_work_hold(&out->work, LIST, list, true);
    return 0;
}

static bool is_list(const struct hd_objects *objects, hd_value value)
{
    return hd_is_type(objects, value, HD_TYPE_LIST);
}

/* At least; of a str a guess, since it is not known without counting. */
static uint64_t expected_of(struct hd_objects *objects, hd_value source)
{
    uint64_t length = 0;
    if (hd_kind_of(objects, source) != HD_IS_STR && hd_length(objects, source, &length) == 0)
        return length;
    return 0;
}

static void from_source(struct hd_splice *splice, hd_value source, uint64_t times)
{
    hd_work_hold(&splice->work, SOURCE, source, true);
    splice->times = times;
}

int hd_set_slice_begin(struct hd_objects *objects, hd_value list, const struct hd_range *range, hd_value values,
                       struct hd_splice *out)
{
    struct hd_indices indices;
    if (!is_list(objects, list))
        return HD_ETYPE;
    int error = hd_range_resolve(objects, range, hd_list_length(objects, list), &indices);
    if (!error && !hd_is_iterable(objects, values))
        error = HD_ETYPE;
    if (!error)
        error = begin(objects, list, expected_of(objects, values), out);
    if (error)
        return error;
    from_source(out, values, 1);
    out->indices = indices;
    out->exact = indices.step != 1;
    return 0;
}

int hd_delete_slice_begin(struct hd_objects *objects, hd_value list, const struct hd_range *range,
                          struct hd_splice *out)
{
    struct hd_indices indices;
    if (!is_list(objects, list))
        return HD_ETYPE;
    int error = hd_range_resolve(objects, range, hd_list_length(objects, list), &indices);
    if (!error)
        error = begin(objects, list, 0, out);
    if (error)
        return error;
    out->indices = indices;
    return 0;
}

static void at_end(struct hd_splice *splice)
{
    splice->indices.start = hd_list_length(splice->work.objects, splice->work.held[LIST]);
    splice->indices.stop = splice->indices.start;
}

int hd_extend_begin(struct hd_objects *objects, hd_value list, hd_value values, struct hd_splice *out)
{
    if (!is_list(objects, list) || !hd_is_iterable(objects, values))
        return HD_ETYPE;
    int error = begin(objects, list, expected_of(objects, values), out);
    if (error)
        return error;
    from_source(out, values, 1);
    at_end(out);
    return 0;
}

int hd_repeat_in_place_begin(struct hd_objects *objects, hd_value list, hd_value times, struct hd_splice *out)
{
    uint64_t count;
    if (!is_list(objects, list))
        return HD_ETYPE;
    int error = hd_times_of(objects, times, &count);
    if (error)
        return error;
    uint32_t length = hd_list_length(objects, list);
    if (length && count > HD_ELEMENTS_MAX / length)
        return HD_ETOO_LARGE;
    error = begin(objects, list, count ? (count - 1) * length : 0, out);
    if (error)
        return error;
    if (count == 0) {
        out->indices.count = length;
    } else {
        from_source(out, list, length ? count - 1 : 0);
        at_end(out);
    }
    return 0;
}

int hd_reverse_begin(struct hd_objects *objects, hd_value list, struct hd_splice *out)
{
    if (!is_list(objects, list))
        return HD_ETYPE;
    *out = (struct hd_splice){.indices.step = 1, .reversed = true};
    hd_work_init(&out->work, &splice_kind, objects);
    hd_work_hold(&out->work, LIST, list, true);
    return 0;
}

bool hd_list_moves_much(const struct hd_objects *objects, hd_value list, int64_t index, bool insert)
{
    const struct hd_list *l = list_of(objects, list);
    int64_t length = l->length;
    if (length <= ELEMENT_AT_ONCE_WORDS)
        return false;
    index = index < 0 ? index + length : index;
    index = index < 0 ? 0 : index > length ? length : index;
    int64_t front = insert && l->head == 0 ? length : index;
    return (front < length - index ? front : length - index) > ELEMENT_AT_ONCE_WORDS;
}

int hd_insert_begin(struct hd_objects *objects, hd_value list, int64_t index, hd_value value, struct hd_splice *out)
{
    if (!is_list(objects, list))
        return HD_ETYPE;
    int error = begin(objects, list, 1, out);
    if (error)
        return error;
    /* There is room for one. */
    error = hd_list_append(objects, out->work.held[GATHERED], hd_gc_retain(objects->gc, value));
    assert(!error);
    int64_t length = hd_list_length(objects, list);
    index = index < 0 ? index + length : index;
    out->indices.start = index < 0 ? 0 : index > length ? length : index;
    return error;
}

int hd_pop_begin(struct hd_objects *objects, hd_value list, int64_t index, struct hd_splice *out)
{
    hd_value value;
    if (!is_list(objects, list))
        return HD_ETYPE;
    int error = hd_list_get(objects, list, index, &value);
    if (error)
        return error;
    error = begin(objects, list, 0, out);
    if (error) {
        hd_gc_release(objects->gc, value);
        return error;
    }
    out->work.value = value;
    out->indices.start = index < 0 ? index + hd_list_length(objects, list) : index;
    out->indices.count = 1;
    return 0;
}
