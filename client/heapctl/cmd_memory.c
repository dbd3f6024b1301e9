/* What the daemon's memory is made of, for people and for scripts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"

#define BAR_WIDTH 20
#define TEXT_BYTES 24

/* ---- for people ---- */

/* The number in the largest unit that leaves a digit before the point. */
static const char *scaled(char out[TEXT_BYTES], uint64_t value, const char *const *units, size_t unit_count,
                          double base)
{
    double number = (double)value;
    size_t unit = 0;
    while (number >= base && unit + 1 < unit_count) {
        number /= base;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(out, TEXT_BYTES, "%" PRIu64 " %s", value, units[0]);
    else
        (void)snprintf(out, TEXT_BYTES, "%.1f %s", number, units[unit]);
    return out;
}

static const char *bytes_text(char out[TEXT_BYTES], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return scaled(out, bytes, units, sizeof units / sizeof *units, 1024);
}

static const char *time_text(char out[TEXT_BYTES], uint64_t ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return scaled(out, ns, units, sizeof units / sizeof *units, 1000);
}

static void print_totals(const struct heapd_memory_info *memory)
{
    char a[TEXT_BYTES], b[TEXT_BYTES], c[TEXT_BYTES];
    bool is_limited = memory->limit_bytes != UINT64_MAX;
    printf("memory         %s used, %s at most so far, limit %s; %" PRIu64 " refusals\n",
           bytes_text(a, memory->used_bytes), bytes_text(b, memory->peak_bytes),
           is_limited ? bytes_text(c, memory->limit_bytes) : "none", memory->refused_count);
    printf("  objects      %s mapped, %s of it in use; %" PRIu64 " live\n", bytes_text(a, memory->objects_mapped_bytes),
           bytes_text(b, memory->objects_live_bytes), memory->objects_live_count);
    printf("  table        %s, %" PRIu64 " entries\n", bytes_text(a, memory->table_bytes), memory->table_entries_count);
    printf("  bookkeeping  %s in %" PRIu64 " blocks\n", bytes_text(a, memory->bookkeeping_bytes),
           memory->bookkeeping_count);
    printf("arenas         %" PRIu64 ", %" PRIu64 " of them empty (%s); %" PRIu64 " mapped and %" PRIu64
           " given back so far\n",
           memory->arena_count, memory->arena_free_count, bytes_text(a, memory->arena_bytes),
           memory->arenas_mapped_count, memory->arenas_released_count);
    printf("pools          %" PRIu64 " with room, %" PRIu64 " full, %" PRIu64 " empty\n", memory->pools_used_count,
           memory->pools_full_count, memory->pools_empty_count);
    printf("large          %" PRIu64 " (%s); %s still to be unmapped\n", memory->large_count,
           bytes_text(a, memory->large_bytes), bytes_text(b, memory->retired_bytes));
    printf("fragmentation  %.1f%% of the arenas is holes\n", memory->fragmentation_permille / 10.0);
    printf("waste          %.1f%% of all that is used holds no object\n", memory->waste_permille / 10.0);
    printf("compaction     %s; %" PRIu64 " so far; %" PRIu64 " blocks moved (%s)\n",
           memory->compaction_phase ? "under way" : "not under way", memory->compactions_count,
           memory->compaction_moved_count, bytes_text(a, memory->compaction_moved_bytes));
    printf("waiting        %" PRIu64 " dead objects and %" PRIu64 " ended sessions, to be taken apart\n",
           memory->waiting_count, memory->waiting_sessions_count);
}

static void print_class(const struct heapd_size_class *class)
{
    char size[TEXT_BYTES] = "runs", live[TEXT_BYTES], bar[BAR_WIDTH + 1];
    uint64_t room = (class->pools_used + class->pools_full) * class->blocks_per_pool;
    uint64_t filled = class->live_blocks * BAR_WIDTH / room;
    if (filled > BAR_WIDTH)
        filled = BAR_WIDTH;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    bool is_run = class->block_bytes == 0;
    if (!is_run)
        (void)snprintf(size, sizeof size, "%" PRIu32, class->block_bytes);
    printf("%8s %10" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12s  %s %5.1f%%\n", size, class->pools_used,
           class->pools_full, class->live_blocks,
           is_run ? "-" : bytes_text(live, class->live_blocks * class->block_bytes), bar,
           100.0 * (double)class->live_blocks / (double)room);
}

static void print_classes(const struct heapd_memory_info *memory)
{
    printf("\n%8s %10s %10s %12s %12s  %s\n", "BLOCK", "WITH ROOM", "FULL POOLS", "LIVE BLOCKS", "LIVE BYTES",
           "FILLED");
    for (size_t i = 0; i < memory->class_count; i++) {
        const struct heapd_size_class *class = &memory->classes[i];
        if (class->blocks_per_pool && (class->pools_used || class->pools_full))
            print_class(class);
    }
}

static void print_generations(const struct heapd_memory_info *memory)
{
    printf("\n%-10s %12s %10s %10s %12s %12s\n", "GENERATION", "TRACKED", "COUNT", "THRESHOLD", "COLLECTIONS",
           "COLLECTED");
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++) {
        const struct heapd_memory_generation *row = &memory->generation[i];
        printf("%-10zu %12" PRIu64 " %10" PRIu64 " %10" PRIu32 " %12" PRIu64 " %12" PRIu64 "\n", i, row->tracked,
               row->count, row->threshold, row->collections, row->collected);
    }
    printf("%-10s %12" PRIu64 "\n", "frozen", memory->frozen_count);
    printf("automatic collection is %s; %s full collection is under way\n", memory->gc_enabled ? "enabled" : "disabled",
           memory->gc_phase ? "a" : "no");
}

static void print_times(const struct heapd_memory_info *memory)
{
    printf("\n%-8s %12s %10s %10s %10s %10s %10s\n", "SLICES", "COUNT", "TOTAL", "P50", "P99", "P99.9", "LONGEST");
    for (size_t i = 0; i < memory->histogram_count; i++) {
        const struct heapd_histogram *row = &memory->histograms[i];
        char total[TEXT_BYTES], p50[TEXT_BYTES], p99[TEXT_BYTES], p999[TEXT_BYTES], max[TEXT_BYTES];
        printf("%-8s %12" PRIu64 " %10s %10s %10s %10s %10s\n", row->name, row->count, time_text(total, row->total_ns),
               time_text(p50, row->p50_ns), time_text(p99, row->p99_ns), time_text(p999, row->p999_ns),
               time_text(max, row->max_ns));
    }
}

static uint64_t in_bucket(const struct heapd_histogram *histogram, size_t bucket)
{
    return bucket < histogram->bucket_count ? histogram->buckets[bucket] : 0;
}

static uint64_t in_buckets(const struct heapd_memory_info *memory, size_t bucket)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < memory->histogram_count; i++)
        sum += in_bucket(&memory->histograms[i], bucket);
    return sum;
}

/* A column for each kind that occurred, a row for each time between the shortest and the longest. */
static void print_histograms(const struct heapd_memory_info *memory)
{
    size_t first = SIZE_MAX, end = 0;
    for (size_t i = 0; i < 65; i++) {
        if (in_buckets(memory, i) == 0)
            continue;
        first = first == SIZE_MAX ? i : first;
        end = i + 1;
    }
    if (first == SIZE_MAX)
        return;
    printf("\n%-10s", "SHORTER");
    for (size_t i = 0; i < memory->histogram_count; i++)
        if (memory->histograms[i].count)
            printf(" %10s", memory->histograms[i].name);
    putchar('\n');
    for (size_t bucket = first; bucket < end; bucket++) {
        char time[TEXT_BYTES];
        printf("%-10s", time_text(time, bucket < 64 ? UINT64_C(1) << bucket : UINT64_MAX));
        for (size_t i = 0; i < memory->histogram_count; i++)
            if (memory->histograms[i].count)
                printf(" %10" PRIu64, in_bucket(&memory->histograms[i], bucket));
        putchar('\n');
    }
}

/* ---- for scripts ---- */

static void write_totals(struct hd_json_writer *json, const struct heapd_memory_info *memory)
{
    hd_json_writer_key(json, "limit_bytes", strlen("limit_bytes"));
    if (memory->limit_bytes == UINT64_MAX)
        hd_json_writer_null(json);
    else
        hd_json_writer_uint(json, memory->limit_bytes);
    hd_ctl_json_uint(json, "used_bytes", memory->used_bytes);
    hd_ctl_json_uint(json, "peak_bytes", memory->peak_bytes);
    hd_ctl_json_uint(json, "refused_count", memory->refused_count);
    hd_ctl_json_uint(json, "objects_mapped_bytes", memory->objects_mapped_bytes);
    hd_ctl_json_uint(json, "objects_live_bytes", memory->objects_live_bytes);
    hd_ctl_json_uint(json, "objects_live_count", memory->objects_live_count);
    hd_ctl_json_uint(json, "table_bytes", memory->table_bytes);
    hd_ctl_json_uint(json, "table_entries_count", memory->table_entries_count);
    hd_ctl_json_uint(json, "bookkeeping_bytes", memory->bookkeeping_bytes);
    hd_ctl_json_uint(json, "bookkeeping_count", memory->bookkeeping_count);
    hd_ctl_json_uint(json, "fragmentation_permille", memory->fragmentation_permille);
    hd_ctl_json_uint(json, "waste_permille", memory->waste_permille);
    hd_ctl_json_uint(json, "waiting_count", memory->waiting_count);
    hd_ctl_json_uint(json, "waiting_sessions_count", memory->waiting_sessions_count);
}

static void write_arenas(struct hd_json_writer *json, const struct heapd_memory_info *memory)
{
    hd_ctl_json_uint(json, "arena_bytes", memory->arena_bytes);
    hd_ctl_json_uint(json, "arena_live_bytes", memory->arena_live_bytes);
    hd_ctl_json_uint(json, "arena_count", memory->arena_count);
    hd_ctl_json_uint(json, "arena_free_count", memory->arena_free_count);
    hd_ctl_json_uint(json, "arenas_mapped_count", memory->arenas_mapped_count);
    hd_ctl_json_uint(json, "arenas_released_count", memory->arenas_released_count);
    hd_ctl_json_uint(json, "pools_used_count", memory->pools_used_count);
    hd_ctl_json_uint(json, "pools_full_count", memory->pools_full_count);
    hd_ctl_json_uint(json, "pools_empty_count", memory->pools_empty_count);
    hd_ctl_json_uint(json, "large_bytes", memory->large_bytes);
    hd_ctl_json_uint(json, "large_count", memory->large_count);
    hd_ctl_json_uint(json, "retired_bytes", memory->retired_bytes);
    hd_ctl_json_bool(json, "is_compacting", memory->compaction_phase != 0);
    hd_ctl_json_uint(json, "compactions_count", memory->compactions_count);
    hd_ctl_json_uint(json, "compaction_moved_count", memory->compaction_moved_count);
    hd_ctl_json_uint(json, "compaction_moved_bytes", memory->compaction_moved_bytes);
}

static int begin_rows(struct hd_json_writer *json, const char *key)
{
    hd_json_writer_key(json, key, strlen(key));
    return hd_json_writer_begin_array(json);
}

static int write_classes(struct hd_json_writer *json, const struct heapd_memory_info *memory)
{
    int failed = begin_rows(json, "classes");
    for (size_t i = 0; !failed && i < memory->class_count; i++) {
        const struct heapd_size_class *class = &memory->classes[i];
        failed = hd_json_writer_begin_object(json);
        if (failed)
            break;
        hd_ctl_json_uint(json, "block_bytes", class->block_bytes);
        hd_ctl_json_uint(json, "blocks_per_pool", class->blocks_per_pool);
        hd_ctl_json_uint(json, "pools_used", class->pools_used);
        hd_ctl_json_uint(json, "pools_full", class->pools_full);
        hd_ctl_json_uint(json, "live_blocks", class->live_blocks);
        hd_json_writer_end(json);
    }
    if (!failed)
        hd_json_writer_end(json);
    return failed;
}

static int write_generations(struct hd_json_writer *json, const struct heapd_memory_info *memory)
{
    hd_ctl_json_bool(json, "gc_enabled", memory->gc_enabled);
    hd_ctl_json_bool(json, "is_collecting", memory->gc_phase != 0);
    hd_ctl_json_uint(json, "frozen_count", memory->frozen_count);
    int failed = begin_rows(json, "generations");
    for (size_t i = 0; !failed && i < HEAPD_GENERATIONS; i++) {
        const struct heapd_memory_generation *row = &memory->generation[i];
        failed = hd_json_writer_begin_object(json);
        if (failed)
            break;
        hd_ctl_json_uint(json, "tracked", row->tracked);
        hd_ctl_json_uint(json, "threshold", row->threshold);
        hd_ctl_json_uint(json, "count", row->count);
        hd_ctl_json_uint(json, "collections", row->collections);
        hd_ctl_json_uint(json, "collected", row->collected);
        hd_json_writer_end(json);
    }
    if (!failed)
        hd_json_writer_end(json);
    return failed;
}

static int write_histogram(struct hd_json_writer *json, const struct heapd_histogram *row)
{
    int failed = hd_json_writer_begin_object(json);
    if (failed)
        return failed;
    hd_ctl_json_string(json, "name", row->name);
    hd_ctl_json_uint(json, "count", row->count);
    hd_ctl_json_uint(json, "total_ns", row->total_ns);
    hd_ctl_json_uint(json, "max_ns", row->max_ns);
    hd_ctl_json_uint(json, "p50_ns", row->p50_ns);
    hd_ctl_json_uint(json, "p99_ns", row->p99_ns);
    hd_ctl_json_uint(json, "p999_ns", row->p999_ns);
    failed = begin_rows(json, "buckets");
    if (failed)
        return failed;
    for (size_t i = 0; i < row->bucket_count; i++)
        hd_json_writer_uint(json, row->buckets[i]);
    hd_json_writer_end(json);
    hd_json_writer_end(json);
    return 0;
}

static int write_histograms(struct hd_json_writer *json, const struct heapd_memory_info *memory)
{
    int failed = begin_rows(json, "histograms");
    for (size_t i = 0; !failed && i < memory->histogram_count; i++)
        failed = write_histogram(json, &memory->histograms[i]);
    if (!failed)
        hd_json_writer_end(json);
    return failed;
}

static int print_as_json(struct hd_ctl *ctl, const struct heapd_memory_info *memory)
{
    struct hd_json_writer json;
    int failed = hd_ctl_json_begin(ctl, &json, false);
    if (failed)
        return failed;
    write_totals(&json, memory);
    write_arenas(&json, memory);
    failed = write_classes(&json, memory);
    if (!failed)
        failed = write_generations(&json, memory);
    if (!failed)
        failed = write_histograms(&json, memory);
    hd_ctl_json_end(&json);
    return failed ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_memory(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_result result;
    int failed = 0;
    if (heapd_memory(ctl->connection, &result, &error))
        return hd_ctl_fail(ctl, &error);
    const struct heapd_memory_info *memory = result.as.memory;
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        failed = print_as_json(ctl, memory);
    } else {
        print_totals(memory);
        print_classes(memory);
        print_generations(memory);
        print_times(memory);
        print_histograms(memory);
    }
    heapd_result_clear(&result);
    return failed;
}
