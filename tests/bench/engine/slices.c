/*
 * How long the engine's thread is busy with anything but requests, while requests
 * come as fast as it takes them.
 *
 *     bench_slices COUNT collecting|freeing|dict|compacting
 *
 * collecting: COUNT live objects with random edges; one full collection after the
 * other while objects are replaced. freeing: COUNT small lists and a dict of half
 * as many entries are dropped meanwhile. dict: one dict grows to COUNT entries and
 * is emptied key by key; here the requests themselves are measured, since growing
 * is done along with them. compacting: nine of ten of COUNT objects were freed, and
 * the rest is moved together meanwhile.
 *
 * The loop is the daemon's: hd_heap_settle after each request, and after some
 * requests a slice whose units are halved or doubled by what the last one took.
 * Time is CPU time of this thread, so that a busy machine does not count. A slice
 * is what did something: calls that find nothing to do are not among them.
 *
 * A virtual machine that stands still is billed to whoever ran. So all is done three
 * times, each time in a process of its own: the engine does the same work for the
 * same units, slice by slice, and units are found by the first alone. "max" is the
 * worst of all; "max, the least of three" takes each slice by the fastest of three,
 * and the longest of these: what is the engine's own comes every time.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph.h"

#define REQUESTS_PER_TURN 64
#define SLICE_NS 200000u
#define SLICE_MIN_UNITS 64u
#define SLICE_START_UNITS 4096u
/* Half of the daemon's: the other half is for requests. */
#define SLICE_MAX_UNITS (UINT64_C(1) << 13)
#define COLLECTIONS 2
#define BACKGROUND_COUNT 100000u

#define RUNS 3
/* Slices, or requests, that are kept to be compared; what comes beyond is not. */
#define KEPT_MAX (UINT64_C(1) << 25)
#define LONG_NS 200000u
#define LONG_MAX 65536u

/* What the heap was doing before a slice. */
struct moment {
    enum hd_phase phase;
    enum hd_compact_phase compact_phase;
    uint64_t dead_count;
    uint64_t young_count; /* collections */
    uint64_t units;       /* 0: a settle */
};

/* A slice that was long. */
struct long_slice {
    uint64_t number;
    struct moment before, after;
};

/* One of the runs, in memory that all share. */
struct run {
    uint64_t count;           /* of slices, or requests */
    uint32_t *spent_ns;       /* KEPT_MAX */
    uint64_t unit_count;      /* calls of hd_heap_step */
    uint8_t *units_log2;      /* KEPT_MAX; of the first run: what each call was given */
    struct long_slice *longs; /* LONG_MAX, in order */
    uint64_t long_count;
};

static struct run *runs; /* RUNS of them */
static unsigned run_number;

struct loop {
    struct hd_heap *heap;
    hd_value all; /* the live list that requests change; borrow */
    uint64_t units;
    uint64_t request_count;
};

static hd_value random_object(struct loop *loop)
{
    struct hd_objects *objects = &loop->heap->objects;
    uint32_t position = (uint32_t)(bench_random() % hd_list_length(objects, loop->all));
    return hd_gc_retain(&loop->heap->gc, hd_list_at(objects, loop->all, position));
}

/*
 * One object is replaced. Its edges are cut first: what others refer to stays, but
 * does not keep what once was.
 */
static void request_replace(struct loop *loop)
{
    struct hd_heap *heap = loop->heap;
    struct hd_objects *objects = &heap->objects;
    hd_value edges[GRAPH_EDGES];
    for (unsigned i = 0; i < GRAPH_EDGES; i++)
        edges[i] = random_object(loop);
    hd_value object = graph_object(heap, loop->request_count & 1 ? 'l' : 'd', edges);
    uint32_t position = (uint32_t)(bench_random() % hd_list_length(objects, loop->all));
    BENCH_CHECK(hd_clear(objects, hd_list_at(objects, loop->all, position)));
    BENCH_CHECK(hd_list_set(objects, loop->all, position, object));
}

/* Two lists that refer to each other, and nothing refers to: for the young collections. */
static void request_cycle(struct loop *loop)
{
    struct hd_heap *heap = loop->heap;
    hd_value left, right;
    BENCH_CHECK(hd_list_new(&heap->objects, 1, &left));
    BENCH_CHECK(hd_list_new(&heap->objects, 1, &right));
    BENCH_CHECK(hd_list_append(&heap->objects, left, hd_gc_retain(&heap->gc, right)));
    BENCH_CHECK(hd_list_append(&heap->objects, right, hd_gc_retain(&heap->gc, left)));
    hd_gc_release(&heap->gc, left);
    hd_gc_release(&heap->gc, right);
}

static bool has_something_to_do(const struct hd_heap *heap)
{
    return hd_heap_has_work(heap) || heap->gc.counts[0] > heap->gc.thresholds[0];
}

static struct moment look(const struct hd_heap *heap, uint64_t units)
{
    return (struct moment){
        .phase = heap->gc.phase,
        .compact_phase = heap->gc.compaction.phase,
        .dead_count = heap->gc.dead_count,
        .young_count = heap->gc.stats[0].collection_count + heap->gc.stats[1].collection_count,
        .units = units,
    };
}

static void keep(uint64_t spent_ns)
{
    struct run *run = &runs[run_number];
    if (run->count < KEPT_MAX)
        run->spent_ns[run->count] = spent_ns < UINT32_MAX ? (uint32_t)spent_ns : UINT32_MAX;
    run->count++;
}

static void add_slice(struct loop *loop, uint64_t spent_ns, struct moment before)
{
    struct run *run = &runs[run_number];
    if (spent_ns > LONG_NS && run->long_count < LONG_MAX)
        run->longs[run->long_count++] = (struct long_slice){run->count, before, look(loop->heap, before.units)};
    keep(spent_ns);
}

static void settle(struct loop *loop)
{
    bool has_work = has_something_to_do(loop->heap);
    struct moment before = look(loop->heap, 0);
    uint64_t before_ns = bench_cpu_ns();
    has_work |= hd_heap_settle(loop->heap);
    uint64_t spent_ns = bench_cpu_ns() - before_ns;
    if (has_work)
        add_slice(loop, spent_ns, before);
}

/* The first run finds how many units make a slice; the others do as it did. */
static uint64_t next_units(const struct loop *loop)
{
    struct run *run = &runs[run_number];
    uint64_t number = run->unit_count++;
    if (number >= KEPT_MAX)
        bench_die("more slices than can be kept");
    if (run_number == 0)
        run->units_log2[number] = (uint8_t)__builtin_ctzll(loop->units);
    return UINT64_C(1) << runs[0].units_log2[number];
}

static void slice(struct loop *loop)
{
    loop->units = next_units(loop);
    bool had_work = hd_heap_has_work(loop->heap);
    struct moment before = look(loop->heap, loop->units);
    uint64_t before_ns = bench_cpu_ns();
    bool more = hd_heap_step(loop->heap, loop->units);
    uint64_t spent_ns = bench_cpu_ns() - before_ns;
    if (had_work)
        add_slice(loop, spent_ns, before);
    if (!more)
        return; /* it was less than a slice */
    if (spent_ns > SLICE_NS && loop->units > SLICE_MIN_UNITS)
        loop->units /= 2;
    else if (spent_ns < SLICE_NS / 4 && loop->units < SLICE_MAX_UNITS)
        loop->units *= 2;
}

static void turn(struct loop *loop)
{
    for (unsigned i = 0; i < REQUESTS_PER_TURN; i++) {
        if (loop->request_count++ % 4 == 3)
            request_cycle(loop);
        else
            request_replace(loop);
        settle(loop);
    }
    slice(loop);
}

/* Where to look when one is too long. */
static void explain(uint64_t number)
{
    const struct run *run = &runs[0];
    for (uint64_t i = 0; i < run->long_count; i++) {
        const struct moment *before = &run->longs[i].before, *after = &run->longs[i].after;
        if (run->longs[i].number != number)
            continue;
        fprintf(stderr,
                "longest slice: %llu units, phase %d to %d, compaction %d to %d, dead %llu to %llu, %llu young\n",
                (unsigned long long)before->units, (int)before->phase, (int)after->phase, (int)before->compact_phase,
                (int)after->compact_phase, (unsigned long long)before->dead_count,
                (unsigned long long)after->dead_count, (unsigned long long)(after->young_count - before->young_count));
    }
}

static void report(void)
{
    static struct bench_histogram all, least;
    uint64_t longest = 0;
    uint64_t count = runs[0].count < KEPT_MAX ? runs[0].count : KEPT_MAX;
    for (unsigned i = 1; i < RUNS; i++)
        if (runs[i].count != runs[0].count)
            bench_die("the same work was not done in as many slices again");
    for (uint64_t at = 0; at < count; at++) {
        uint32_t fastest = UINT32_MAX;
        for (unsigned i = 0; i < RUNS; i++) {
            bench_histogram_add(&all, runs[i].spent_ns[at]);
            fastest = runs[i].spent_ns[at] < fastest ? runs[i].spent_ns[at] : fastest;
        }
        if (fastest > least.max_ns)
            longest = at;
        bench_histogram_add(&least, fastest);
    }
    bench_row("count", (double)runs[0].count, "slices");
    bench_row("median", bench_histogram_share_ns(&all, 0.5) / 1e3, "us");
    bench_row("p99.9", bench_histogram_share_ns(&all, 0.999) / 1e3, "us");
    bench_row("max", (double)all.max_ns / 1e3, "us");
    bench_row("max, the least of three", (double)least.max_ns / 1e3, "us");
    explain(longest);
}

/* What was built in one go until now is not to be made up for in the first slices. */
static void make_old(struct hd_heap *heap)
{
    struct hd_collection ignored;
    BENCH_CHECK(hd_heap_collect(heap, 2, &ignored));
    while (hd_heap_settle(heap))
        ;
}

static void use_graph(struct loop *loop, uint64_t count)
{
    loop->all = graph_new(loop->heap, count, false, "ld");
    bench_bind(loop->heap, "all", loop->all);
    make_old(loop->heap);
}

static void collecting(struct loop *loop, uint64_t count)
{
    struct hd_gc *gc = &loop->heap->gc;
    use_graph(loop, count);
    uint64_t end = gc->full_ended_count + COLLECTIONS;
    while (gc->full_ended_count < end) {
        hd_gc_full_start(gc, false);
        turn(loop);
    }
}

static struct hd_key text_key(uint64_t number, char text[32])
{
    int size = snprintf(text, 32, "%010llu", (unsigned long long)number);
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, (size_t)size);
}

static hd_value dict_new(struct hd_heap *heap, uint64_t count)
{
    hd_value dict;
    BENCH_CHECK(hd_dict_new(&heap->objects, 0, &dict));
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        struct hd_key key = text_key(i, text);
        BENCH_CHECK(hd_dict_set(&heap->objects, dict, &key, hd_value_int((int64_t)i)));
    }
    return dict;
}

static void freeing(struct loop *loop, uint64_t count)
{
    struct hd_heap *heap = loop->heap;
    use_graph(loop, BACKGROUND_COUNT);
    bench_bind(heap, "lists", small_lists_new(heap, count));
    bench_bind(heap, "dict", dict_new(heap, count / 2 + 1));
    make_old(heap);
    static const char *const names[] = {"lists", "dict"};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t before = heap->table.live_count;
        uint64_t drop_count = i == 0 ? count : count / 2;
        bench_unbind(heap, names[i]);
        /* Until it is gone, as far as the objects that are born meanwhile let us see. */
        while (heap->table.live_count + drop_count > before + BACKGROUND_COUNT)
            turn(loop);
    }
    while (hd_heap_has_work(heap))
        turn(loop);
}

static void time_request(const struct loop *loop, uint64_t before_ns)
{
    keep(bench_cpu_ns() - before_ns);
    (void)hd_heap_settle(loop->heap);
}

static void dict(struct loop *loop, uint64_t count)
{
    struct hd_objects *objects = &loop->heap->objects;
    hd_value value;
    BENCH_CHECK(hd_dict_new(objects, 0, &value));
    bench_bind(loop->heap, "dict", value);
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        struct hd_key key = text_key(i, text);
        uint64_t before_ns = bench_cpu_ns();
        BENCH_CHECK(hd_dict_set(objects, value, &key, hd_value_int((int64_t)i)));
        time_request(loop, before_ns);
    }
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        struct hd_key key = text_key(i, text);
        uint64_t before_ns = bench_cpu_ns();
        BENCH_CHECK(hd_dict_pop(objects, value, &key, NULL));
        time_request(loop, before_ns);
    }
}

static void compacting(struct loop *loop, uint64_t count)
{
    struct hd_heap *heap = loop->heap;
    use_graph(loop, BACKGROUND_COUNT);
    hd_value lists = small_lists_new(heap, count);
    bench_bind(heap, "lists", lists);
    for (uint32_t i = 0; i < count; i++)
        if (bench_random() % 10)
            BENCH_CHECK(hd_list_set(&heap->objects, lists, i, HD_NONE));
    make_old(heap);
    hd_heap_compact_begin(heap);
    while (heap->gc.compaction.phase != HD_COMPACT_IDLE)
        turn(loop);
}

static void run_case(const char *name, uint64_t count)
{
    static struct loop loop;
    loop.heap = bench_heap_new(true);
    loop.units = SLICE_START_UNITS;
    if (strcmp(name, "collecting") == 0)
        collecting(&loop, count);
    else if (strcmp(name, "freeing") == 0)
        freeing(&loop, count);
    else if (strcmp(name, "dict") == 0)
        dict(&loop, count);
    else if (strcmp(name, "compacting") == 0)
        compacting(&loop, count);
    else
        bench_die("unknown case");
    hd_heap_free(loop.heap);
}

static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        bench_die("not enough memory to measure");
    return memory;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        bench_die("usage: bench_slices COUNT collecting|freeing|dict|compacting");
    uint64_t count = bench_count(argv[1]);
    runs = shared(RUNS * sizeof *runs);
    for (run_number = 0; run_number < RUNS; run_number++) {
        runs[run_number].spent_ns = shared(KEPT_MAX * sizeof(uint32_t));
        runs[run_number].units_log2 = shared(KEPT_MAX);
        runs[run_number].longs = shared(LONG_MAX * sizeof(struct long_slice));
        pid_t child = fork();
        if (child == 0) {
            run_case(argv[2], count);
            _exit(0);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            bench_die("a run failed");
    }
    report();
    return 0;
}
