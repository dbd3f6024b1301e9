/*
 * Sorting a list: merging runs, as Tim Peters' timsort does without its gallop.
 *
 * The words are copied into scratch memory and sorted there; the list, which is
 * watched, keeps the references meanwhile. In the end the payload that came out
 * takes the place of the list's: the same references in another order.
 *
 * Each loop keeps where it stands in the struct, so that a comparison of two large
 * elements can be left in its midst and gone on with.
 */
#include <string.h>

#include "object/payload.h"
#include "object/sequence.h"

/* Runs are made that long by insertion. */
#define RUN_MIN 32u
/* Units that a comparison of two small values takes, all around it counted, in quarters. */
#define COMPARES_PER_UNIT 2

enum phase { COPY, FIND_RUN, REVERSE_RUN, INSERT, CHOOSE, SAVE, MERGE, REST, COMMIT };

static hd_value *words_of(const struct hd_sort *sort)
{
    return sort->words + HD_LIST_HEADER_WORDS;
}

static void take(uint64_t *units, uint64_t used)
{
    *units -= used < *units ? used : *units;
}

/* 1: *out says whether left belongs in front of right; 0: not yet; or an error. */
static int less(struct hd_sort *sort, hd_value left, hd_value right, uint64_t *units, bool *out)
{
    if (sort->reverse) {
        hd_value other = left;
        left = right;
        right = other;
    }
    if (hd_value_tag(left) == HD_TAG_INT && hd_value_tag(right) == HD_TAG_INT) {
        *out = hd_value_to_int(left) < hd_value_to_int(right);
        return 1;
    }
    int order;
    uint64_t worked = sort->work.objects->work_units;
    if (!sort->comparer.active && hd_order(sort->work.objects, left, right, &order) == 0) {
        take(units, sort->work.objects->work_units - worked);
        *out = order == -1;
        return 1;
    }
    int result = hd_comparer_run(&sort->comparer, left, right, HD_LESS, false, units);
    if (result == 1)
        *out = sort->comparer.truth;
    return result;
}

static int make_room(struct hd_sort *sort)
{
    struct hd_objects *objects = sort->work.objects;
    if (!sort->words)
        sort->words = hd_scratch_new(objects, HD_LIST_HEADER_WORDS + sort->length);
    if (!sort->words)
        return HD_ENOMEM;
    if (!sort->spare)
        sort->spare = hd_scratch_new(objects, sort->length / 2 + 1);
    return sort->spare ? 0 : HD_ENOMEM;
}

static int copy_words(struct hd_sort *sort, uint64_t *units)
{
    int error = make_room(sort);
    if (error)
        return error;
    const struct hd_list *list = hd_gc_payload(sort->work.objects->gc, sort->work.held[0]);
    uint64_t words = *units < UINT32_MAX ? *units * HD_WORK_WORDS_PER_UNIT : UINT32_MAX;
    uint32_t count = sort->length - sort->done < words ? sort->length - sort->done : (uint32_t)words;
    memcpy(words_of(sort) + sort->done, list->items + list->head + sort->done, count * sizeof(hd_value));
    sort->done += count;
    take(units, count / HD_WORK_WORDS_PER_UNIT);
    if (sort->done < sort->length)
        return 0;
    sort->from = 0;
    sort->to = 0;
    sort->phase = FIND_RUN;
    return 1;
}

/* The longest run from `from` on, up to before `to`: not descending, or strictly so. */
static int find_run(struct hd_sort *sort, uint64_t *units)
{
    const hd_value *words = words_of(sort);
    if (sort->from == sort->length) {
        sort->phase = CHOOSE;
        return 1;
    }
    if (sort->to <= sort->from)
        sort->to = sort->from + 1;
    for (unsigned i = 1; sort->to < sort->length; i++) {
        bool down;
        if (*units == 0)
            return 0;
        take(units, i % COMPARES_PER_UNIT == 0);
        int result = less(sort, words[sort->to], words[sort->to - 1], units, &down);
        if (result != 1)
            return result;
        if (sort->to == sort->from + 1)
            sort->descending = down;
        else if (down != sort->descending)
            break;
        sort->to++;
    }
    sort->low = sort->from;
    sort->high = sort->to;
    sort->phase = sort->descending && sort->to > sort->from + 1 ? REVERSE_RUN : INSERT;
    sort->want = 0;
    return 1;
}

static int reverse_run(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    for (unsigned i = 1; sort->low + 1 < sort->high; i++) {
        if (i % HD_WORK_WORDS_PER_UNIT == 0) {
            if (*units == 0)
                return 0;
            take(units, 1);
        }
        hd_value word = words[sort->low];
        words[sort->low++] = words[--sort->high];
        words[sort->high] = word;
    }
    sort->phase = INSERT;
    sort->want = 0;
    return 1;
}

static void push_run(struct hd_sort *sort)
{
    sort->runs[sort->run_count].from = sort->from;
    sort->runs[sort->run_count++].length = sort->to - sort->from;
    sort->from = sort->to;
    sort->descending = false;
    sort->phase = CHOOSE;
}

/* Makes a short run longer, each element where a search by halves puts it: behind all that are equal. */
static int insert(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    for (;;) {
        if (sort->want == 0) {
            if (sort->to == sort->length || sort->to - sort->from >= RUN_MIN) {
                push_run(sort);
                return 1;
            }
            sort->low = sort->from;
            sort->high = sort->to;
            sort->want = 1;
        }
        while (sort->low < sort->high) {
            uint32_t middle = sort->low + (sort->high - sort->low) / 2;
            bool before;
            if (*units == 0)
                return 0;
            take(units, middle % COMPARES_PER_UNIT == 0);
            int result = less(sort, words[sort->to], words[middle], units, &before);
            if (result != 1)
                return result;
            if (before)
                sort->high = middle;
            else
                sort->low = middle + 1;
        }
        hd_value word = words[sort->to];
        memmove(words + sort->low + 1, words + sort->low, (sort->to - sort->low) * sizeof word);
        words[sort->low] = word;
        sort->to++;
        sort->want = 0;
    }
}

/* Begins to merge run `at` with the one behind it. */
static void begin_merge(struct hd_sort *sort, unsigned at)
{
    sort->low = sort->runs[at].from;
    sort->middle = sort->low + sort->runs[at].length;
    sort->high = sort->middle + sort->runs[at + 1].length;
    sort->runs[at].length = sort->high - sort->low;
    sort->run_count--;
    for (unsigned i = at + 1; i < sort->run_count; i++)
        sort->runs[i] = sort->runs[i + 1];
    sort->done = 0;
    sort->phase = SAVE;
}

/* Timsort's rule: lengths fall faster than Fibonacci's numbers, so that there are few runs and merges are even. */
static void choose(struct hd_sort *sort)
{
    unsigned n = sort->run_count;
    bool all = sort->from == sort->length;
    if (n < 2) {
        sort->phase = all ? COMMIT : FIND_RUN;
        return;
    }
    uint64_t last = sort->runs[n - 1].length, before = sort->runs[n - 2].length;
    uint64_t third = n >= 3 ? sort->runs[n - 3].length : UINT64_MAX;
    uint64_t fourth = n >= 4 ? sort->runs[n - 4].length : UINT64_MAX;
    if (all || third <= before + last || fourth <= third + before)
        begin_merge(sort, n >= 3 && third < last ? n - 3 : n - 2);
    else if (before <= last)
        begin_merge(sort, n - 2);
    else
        sort->phase = FIND_RUN;
}

/* The shorter of the two runs goes to the spare words. */
static int save(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    bool left = sort->middle - sort->low <= sort->high - sort->middle;
    uint32_t from = left ? sort->low : sort->middle;
    uint32_t all = left ? sort->middle - sort->low : sort->high - sort->middle;
    uint64_t limit = *units < UINT32_MAX ? *units * HD_WORK_WORDS_PER_UNIT : UINT32_MAX;
    uint32_t count = all - sort->done < limit ? all - sort->done : (uint32_t)limit;
    memcpy(sort->spare + sort->done, words + from + sort->done, count * sizeof *words);
    sort->done += count;
    take(units, count / HD_WORK_WORDS_PER_UNIT);
    if (sort->done < all)
        return 0;
    sort->spare_length = all;
    /* From the front: i in spare, j behind the middle, k in the words. From the back: the same, each counted down. */
    sort->i = left ? 0 : all;
    sort->j = left ? sort->middle : sort->middle;
    sort->k = left ? sort->low : sort->high;
    sort->descending = !left;
    sort->phase = MERGE;
    return 1;
}

static int merge_front(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    for (unsigned n = 1; sort->i < sort->spare_length && sort->j < sort->high; n++) {
        bool right;
        if (*units == 0)
            return 0;
        take(units, n % COMPARES_PER_UNIT == 0);
        int result = less(sort, words[sort->j], sort->spare[sort->i], units, &right);
        if (result != 1)
            return result;
        words[sort->k++] = right ? words[sort->j++] : sort->spare[sort->i++];
    }
    sort->phase = REST;
    return 1;
}

static int merge_back(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    for (unsigned n = 1; sort->i > 0 && sort->j > sort->low; n++) {
        bool right;
        if (*units == 0)
            return 0;
        take(units, n % COMPARES_PER_UNIT == 0);
        int result = less(sort, sort->spare[sort->i - 1], words[sort->j - 1], units, &right);
        if (result != 1)
            return result;
        words[--sort->k] = right ? words[--sort->j] : sort->spare[--sort->i];
    }
    sort->phase = REST;
    return 1;
}

/* What is left of the spare words; what is left of the other run is in its place. */
static int rest(struct hd_sort *sort, uint64_t *units)
{
    hd_value *words = words_of(sort);
    uint64_t limit = *units < UINT32_MAX ? *units * HD_WORK_WORDS_PER_UNIT : UINT32_MAX;
    uint32_t left = sort->descending ? sort->i : sort->spare_length - sort->i;
    uint32_t count = left < limit ? left : (uint32_t)limit;
    if (sort->descending) {
        sort->i -= count;
        sort->k -= count;
        memcpy(words + sort->k, sort->spare + sort->i, count * sizeof *words);
    } else {
        memcpy(words + sort->k, sort->spare + sort->i, count * sizeof *words);
        sort->i += count;
        sort->k += count;
    }
    take(units, count / HD_WORK_WORDS_PER_UNIT);
    if (count < left)
        return 0;
    sort->descending = false;
    sort->phase = CHOOSE;
    return 1;
}

static void commit(struct hd_sort *sort)
{
    struct hd_work *work = &sort->work;
    hd_list_adopt(work->objects, work->held[0], sort->words, 0, sort->length);
    sort->words = NULL;
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_sort *sort = (struct hd_sort *)work;
    uint64_t left = units;
    int result = 1;
    /* To sort one or none is no change. */
    if (sort->length < 2)
        return 1;
    while (result == 1 && sort->phase != COMMIT) {
        switch (sort->phase) {
        case COPY:
            result = copy_words(sort, &left);
            break;
        case FIND_RUN:
            result = find_run(sort, &left);
            break;
        case REVERSE_RUN:
            result = reverse_run(sort, &left);
            break;
        case INSERT:
            result = insert(sort, &left);
            break;
        case CHOOSE:
            choose(sort);
            break;
        case SAVE:
            result = save(sort, &left);
            break;
        case MERGE:
            result = sort->descending ? merge_back(sort, &left) : merge_front(sort, &left);
            break;
        default:
            result = rest(sort, &left);
        }
    }
    work->objects->work_units += units - left;
    if (result == 1)
        commit(sort);
    return result;
}

/* What was read of the elements so far was not watched: from the beginning again, once. */
static void keep(struct hd_work *work)
{
    struct hd_sort *sort = (struct hd_sort *)work;
    hd_comparer_reset(&sort->comparer);
    sort->comparer.read = &sort->read;
    sort->comparer.reader = work;
    sort->phase = COPY;
    sort->done = 0;
    sort->run_count = 0;
    sort->descending = false;
}

static bool covers(const struct hd_work *work, uint32_t index)
{
    return hd_sparse_has(&((const struct hd_sort *)work)->read, index);
}

static void fini(struct hd_work *work)
{
    struct hd_sort *sort = (struct hd_sort *)work;
    hd_comparer_fini(&sort->comparer);
    hd_sparse_clear(&sort->read);
    hd_scratch_free(work->objects, sort->words);
    hd_scratch_free(work->objects, sort->spare);
}

static const struct hd_work_kind sort_kind = {
    .bytes = sizeof(struct hd_sort), .step = step, .keep = keep, .covers = covers, .fini = fini};

int hd_sort_begin(struct hd_objects *objects, hd_value list, bool reverse, struct hd_sort *out)
{
    if (!hd_is_type(objects, list, HD_TYPE_LIST))
        return HD_ETYPE;
    *out = (struct hd_sort){.reverse = reverse, .read = {.allocator = objects->allocator}};
    out->length = hd_list_length(objects, list);
    hd_work_init(&out->work, &sort_kind, objects);
    hd_comparer_init(&out->comparer, objects);
    hd_work_hold(&out->work, 0, list, true);
    return 0;
}
