/* The cycle collector, as Python's gc module. */
#include <inttypes.h>
#include <stdio.h>

#include "client/heapctl/ctl.h"

static bool wants_json(const struct hd_ctl *ctl)
{
    return hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
}

static int json_array(struct hd_ctl *ctl, struct hd_json_writer *json, const char *key, const uint64_t *values)
{
    hd_json_writer_key(json, key, strlen(key));
    if (hd_json_writer_begin_array(json))
        return hd_problem_no_memory(&ctl->problem);
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++)
        hd_json_writer_uint(json, values[i]);
    hd_json_writer_end(json);
    return 0;
}

int hd_cmd_gc_collect(struct hd_ctl *ctl)
{
    uint64_t generation = HEAPD_GENERATIONS - 1;
    struct heapd_collection found;
    struct heapd_error error;
    struct hd_json_writer json;
    int failed = 0;
    if (ctl->operand_count)
        failed = hd_ctl_parse_number(ctl, ctl->operands[0], "the generation", HEAPD_GENERATIONS - 1, &generation);
    if (failed)
        return failed;
    bool dry_run = hd_ctl_options_has(&ctl->options, HD_OPTION_DRY_RUN);
    if (dry_run && generation != HEAPD_GENERATIONS - 1) {
        ctl->is_usage_problem = true;
        return hd_problem_set(&ctl->problem, HD_EINVALID, "a dry run is of all generations; leave the generation out");
    }
    int code = dry_run ? heapd_gc_dry_run(ctl->connection, &found, &error)
                       : heapd_gc_collect(ctl->connection, (uint32_t)generation, &found, &error);
    if (code)
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl)) {
        failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_uint(&json, "generation", generation);
        hd_ctl_json_uint(&json, "unreachable", found.unreachable);
        if (dry_run)
            hd_ctl_json_uint(&json, "unreachable_bytes", found.unreachable_bytes);
        failed = json_array(ctl, &json, "unreachable_by_generation", found.unreachable_by_generation);
        if (!failed)
            failed = json_array(ctl, &json, "examined_by_generation", found.examined_by_generation);
        hd_ctl_json_end(&json);
        return failed;
    }
    if (dry_run)
        printf("%" PRIu64 " unreachable objects found, %" PRIu64 " bytes; nothing was freed\n", found.unreachable,
               found.unreachable_bytes);
    else
        printf("%" PRIu64 " unreachable objects found and freed\n", found.unreachable);
    for (size_t i = 0; i <= generation; i++)
        printf("  generation %zu: %" PRIu64 " unreachable of %" PRIu64 " examined\n", i,
               found.unreachable_by_generation[i], found.examined_by_generation[i]);
    return 0;
}

static int print_three(struct hd_ctl *ctl, const char *key, const uint64_t *values)
{
    if (wants_json(ctl)) {
        struct hd_json_writer json;
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        failed = json_array(ctl, &json, key, values);
        hd_ctl_json_end(&json);
        return failed;
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", values[0], values[1], values[2]);
    return 0;
}

int hd_cmd_gc_threshold(struct hd_ctl *ctl)
{
    struct heapd_thresholds thresholds;
    struct heapd_error error;
    uint64_t values[HEAPD_GENERATIONS];
    if (heapd_gc_get_threshold(ctl->connection, &thresholds, &error))
        return hd_ctl_fail(ctl, &error);
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++) {
        values[i] = thresholds.threshold[i];
        int failed = 0;
        if (i < ctl->operand_count)
            failed = hd_ctl_parse_number(ctl, ctl->operands[i], "a threshold", UINT32_MAX, &values[i]);
        if (failed)
            return failed;
        thresholds.threshold[i] = (uint32_t)values[i];
    }
    if (ctl->operand_count && heapd_gc_set_threshold(ctl->connection, thresholds, &error))
        return hd_ctl_fail(ctl, &error);
    return print_three(ctl, "thresholds", values);
}

int hd_cmd_gc_count(struct hd_ctl *ctl)
{
    struct heapd_counts counts;
    struct heapd_error error;
    if (heapd_gc_get_count(ctl->connection, &counts, &error))
        return hd_ctl_fail(ctl, &error);
    return print_three(ctl, "counts", counts.count);
}

static int print_stats_as_json(struct hd_ctl *ctl, const struct heapd_collector_stats *stats)
{
    struct hd_json_writer json;
    int failed = hd_ctl_json_begin(ctl, &json, false);
    if (failed)
        return failed;
    hd_ctl_json_bool(&json, "enabled", stats->enabled);
    hd_json_writer_key(&json, "generations", strlen("generations"));
    failed = hd_json_writer_begin_array(&json);
    for (size_t i = 0; !failed && i < HEAPD_GENERATIONS; i++) {
        const struct heapd_generation *generation = &stats->generation[i];
        failed = hd_json_writer_begin_object(&json);
        if (failed)
            break;
        hd_ctl_json_uint(&json, "collections", generation->collections);
        hd_ctl_json_uint(&json, "collected", generation->collected);
        hd_ctl_json_uint(&json, "uncollectable", generation->uncollectable);
        hd_ctl_json_uint(&json, "objects", generation->objects);
        hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return failed ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_gc_stats(struct hd_ctl *ctl)
{
    struct heapd_collector_stats stats;
    struct heapd_error error;
    if (heapd_gc_stats(ctl->connection, &stats, &error))
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl))
        return print_stats_as_json(ctl, &stats);
    printf("automatic collection is %s\n", stats.enabled ? "enabled" : "disabled");
    printf("%-10s %12s %12s %14s %12s\n", "GENERATION", "COLLECTIONS", "COLLECTED", "UNCOLLECTABLE", "OBJECTS");
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++) {
        const struct heapd_generation *generation = &stats.generation[i];
        printf("%-10zu %12" PRIu64 " %12" PRIu64 " %14" PRIu64 " %12" PRIu64 "\n", i, generation->collections,
               generation->collected, generation->uncollectable, generation->objects);
    }
    return 0;
}

static int set_enabled(struct hd_ctl *ctl, bool enabled)
{
    struct heapd_error error;
    if (heapd_gc_set_enabled(ctl->connection, enabled, &error))
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl)) {
        struct hd_json_writer json;
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_bool(&json, "enabled", enabled);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        printf("automatic collection is %s\n", enabled ? "enabled" : "disabled");
    }
    return 0;
}

int hd_cmd_gc_enable(struct hd_ctl *ctl)
{
    return set_enabled(ctl, true);
}

int hd_cmd_gc_disable(struct hd_ctl *ctl)
{
    return set_enabled(ctl, false);
}

static int set_frozen(struct hd_ctl *ctl, bool freeze)
{
    struct heapd_error error;
    uint64_t count;
    int code = freeze ? heapd_gc_freeze(ctl->connection, &error) : heapd_gc_unfreeze(ctl->connection, &error);
    if (code || heapd_gc_freeze_count(ctl->connection, &count, &error))
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl)) {
        struct hd_json_writer json;
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_uint(&json, "frozen", count);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        printf("%" PRIu64 " objects are frozen\n", count);
    }
    return 0;
}

int hd_cmd_gc_freeze(struct hd_ctl *ctl)
{
    return set_frozen(ctl, true);
}

int hd_cmd_gc_unfreeze(struct hd_ctl *ctl)
{
    return set_frozen(ctl, false);
}

int hd_cmd_gc_compact(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_compaction done;
    if (heapd_compact(ctl->connection, &done, &error))
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl)) {
        struct hd_json_writer json;
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_uint(&json, "moved_count", done.moved_count);
        hd_ctl_json_uint(&json, "moved_bytes", done.moved_bytes);
        hd_ctl_json_uint(&json, "released_bytes", done.released_bytes);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        printf("%" PRIu64 " blocks moved (%" PRIu64 " bytes), %" PRIu64 " bytes given back\n", done.moved_count,
               done.moved_bytes, done.released_bytes);
    }
    return 0;
}
