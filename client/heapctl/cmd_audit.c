/* Counts, referrers, and what collections were told to keep. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

static bool wants_json(const struct hd_ctl *ctl)
{
    return hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
}

static int print_rows(struct hd_ctl *ctl, const struct heapd_object_rows *rows, const char *roots_key)
{
    struct hd_json_writer json;
    if (!wants_json(ctl)) {
        for (size_t i = 0; i < rows->count; i++)
            printf("%-14s 0x%-12" PRIx64 " %6" PRIu64 " references %10" PRIu64 " bytes\n",
                   heapd_type_name(rows->items[i].type), rows->items[i].identity, rows->items[i].reference_count,
                   rows->items[i].shallow_bytes);
        return 0;
    }
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, roots_key, rows->roots);
    hd_json_writer_key(&json, "objects", 7);
    error = hd_json_writer_begin_array(&json);
    for (size_t i = 0; !error && i < rows->count; i++) {
        error = hd_json_writer_begin_object(&json);
        if (error)
            break;
        hd_ctl_json_string(&json, "type", heapd_type_name(rows->items[i].type));
        hd_ctl_json_uint(&json, "identity", rows->items[i].identity);
        hd_ctl_json_uint(&json, "references", rows->items[i].reference_count);
        hd_ctl_json_uint(&json, "shallow_bytes", rows->items[i].shallow_bytes);
        hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_referrers(struct hd_ctl *ctl)
{
    struct heapd_object_ref object = {0};
    struct heapd_report report;
    struct heapd_error error;
    int failed = hd_ctl_identity(ctl, ctl->operands[0], &object.identity);
    if (failed)
        return failed;
    if (heapd_referrers(ctl->connection, object, ctl->options.count, &report, &error))
        return hd_ctl_fail(ctl, &error);
    failed = print_rows(ctl, &report.as.objects, "roots");
    if (!wants_json(ctl))
        printf("and %" PRIu64 " handles or other roots; heapctl why names them\n", report.as.objects.roots);
    heapd_report_clear(&report);
    return failed;
}

/* ---- audit ---- */

static int audit_as_json(struct hd_ctl *ctl, const struct heapd_audited *audit)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, "checked", audit->checked);
    hd_ctl_json_uint(&json, "more", audit->more);
    hd_json_writer_key(&json, "miscounts", 9);
    error = hd_json_writer_begin_array(&json);
    for (size_t i = 0; !error && i < audit->count; i++) {
        error = hd_json_writer_begin_object(&json);
        if (error)
            break;
        hd_ctl_json_string(&json, "type", heapd_type_name(audit->items[i].type));
        hd_ctl_json_uint(&json, "identity", audit->items[i].identity);
        hd_ctl_json_uint(&json, "references", audit->items[i].reference_count);
        hd_ctl_json_uint(&json, "found", audit->items[i].found);
        hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_audit(struct hd_ctl *ctl)
{
    struct heapd_report report;
    struct heapd_error error;
    int failed = 0;
    if (heapd_audit(ctl->connection, &report, &error))
        return hd_ctl_fail(ctl, &error);
    const struct heapd_audited *audit = &report.as.audit;
    if (wants_json(ctl)) {
        failed = audit_as_json(ctl, audit);
    } else {
        printf("%" PRIu64 " reference counts were compared, %" PRIu64 " do not agree\n", audit->checked,
               audit->count + audit->more);
        for (size_t i = 0; i < audit->count; i++)
            printf("%s 0x%" PRIx64 ": counted %" PRIu64 ", found %" PRIu64 "\n", heapd_type_name(audit->items[i].type),
                   audit->items[i].identity, audit->items[i].reference_count, audit->items[i].found);
    }
    if (!failed && audit->count)
        failed = hd_problem_set(&ctl->problem, HD_EINTERNAL, "reference counts are wrong; please report it");
    heapd_report_clear(&report);
    return failed;
}

/* ---- debug flags, garbage ---- */

static const struct {
    const char *name;
    uint32_t flag;
} flags[] = {
    {"none", 0},
    {"stats", HEAPD_DEBUG_STATS},
    {"saveall", HEAPD_DEBUG_SAVEALL},
};

int hd_cmd_gc_debug(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct hd_json_writer json;
    uint32_t wanted = 0;
    for (size_t i = 0; i < ctl->operand_count; i++) {
        size_t f = 0;
        while (f < sizeof flags / sizeof flags[0] && strcmp(flags[f].name, ctl->operands[i]))
            f++;
        if (f == sizeof flags / sizeof flags[0]) {
            ctl->is_usage_problem = true;
            return hd_problem_set(&ctl->problem, HD_EINVALID, "no debug flag is called \"%s\"", ctl->operands[i]);
        }
        wanted |= flags[f].flag;
    }
    if (ctl->operand_count && heapd_gc_set_debug(ctl->connection, wanted, &error))
        return hd_ctl_fail(ctl, &error);
    if (heapd_gc_get_debug(ctl->connection, &wanted, &error))
        return hd_ctl_fail(ctl, &error);
    if (wants_json(ctl)) {
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_uint(&json, "flags", wanted);
        hd_ctl_json_end(&json);
        return 0;
    }
    for (size_t f = 1; f < sizeof flags / sizeof flags[0]; f++)
        if (wanted & flags[f].flag)
            printf("%s ", flags[f].name);
    puts(wanted ? "" : "none");
    return 0;
}

int hd_cmd_gc_garbage(struct hd_ctl *ctl)
{
    struct heapd_report report;
    struct heapd_error error;
    if (ctl->operand_count && strcmp(ctl->operands[0], "clear")) {
        ctl->is_usage_problem = true;
        return hd_problem_set(&ctl->problem, HD_EINVALID, "gc garbage knows clear, and nothing else");
    }
    if (ctl->operand_count && heapd_gc_clear_garbage(ctl->connection, &error))
        return hd_ctl_fail(ctl, &error);
    if (heapd_gc_garbage(ctl->connection, 0, ctl->options.count, &report, &error))
        return hd_ctl_fail(ctl, &error);
    int failed = print_rows(ctl, &report.as.objects, "count");
    if (!wants_json(ctl))
        printf("%" PRIu64 " objects are kept as garbage\n", report.as.objects.roots);
    heapd_report_clear(&report);
    return failed;
}
