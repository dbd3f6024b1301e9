/* What an object keeps alive; the largest keepers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

static bool is_given(const struct hd_ctl *ctl, enum hd_ctl_option option)
{
    return hd_ctl_options_has(&ctl->options, option);
}

static void print_keeper(const struct heapd_keeper *keeper)
{
    printf("%14" PRIu64 " %12" PRIu64 "  ", keeper->retained_bytes, keeper->retained_count);
    if (keeper->is_root) {
        hd_ctl_print_root(&keeper->root);
    } else {
        printf("%s ", heapd_type_name(keeper->type));
        if (keeper->class_name.size) {
            hd_ctl_print_name(keeper->class_name);
            putchar(' ');
        }
        printf("0x%" PRIx64, keeper->identity);
    }
    putchar('\n');
}

static void print_retained(const struct heapd_keeping *keeping)
{
    if (keeping->has_object && !keeping->reachable) {
        printf("%s 0x%" PRIx64 ": no root leads to it, so it keeps nothing; it waits for a collection\n",
               heapd_type_name(keeping->object.type), keeping->object.identity);
        return;
    }
    printf("%14s %12s\n", "RETAINED BYTES", "OBJECTS");
    if (keeping->has_object)
        print_keeper(&keeping->object);
    if (keeping->largest_count)
        puts(keeping->has_object ? "of these, what it keeps directly:" : "the largest keepers:");
    for (size_t i = 0; i < keeping->largest_count; i++)
        print_keeper(&keeping->largest[i]);
    if (keeping->above_count)
        puts("and it is kept, alone, by:");
    for (size_t i = 0; i < keeping->above_count; i++)
        print_keeper(&keeping->above[i]);
    printf("%14" PRIu64 " %12" PRIu64 "  all that roots lead to\n", keeping->reachable_bytes, keeping->reachable_count);
}

static int json_keeper(struct hd_json_writer *json, const struct heapd_keeper *keeper)
{
    if (hd_json_writer_begin_object(json))
        return HD_ENOMEM;
    hd_ctl_json_uint(json, "retained_bytes", keeper->retained_bytes);
    hd_ctl_json_uint(json, "retained_count", keeper->retained_count);
    if (keeper->is_root) {
        hd_ctl_json_string(json, "root", hd_ctl_root_name(keeper->root.kind));
        hd_ctl_json_uint(json, "session", keeper->root.session);
        hd_ctl_json_string(json, "client", keeper->root.client_name);
    } else {
        hd_ctl_json_string(json, "type", heapd_type_name(keeper->type));
        hd_ctl_json_uint(json, "identity", keeper->identity);
        hd_ctl_json_uint(json, "shallow_bytes", keeper->shallow_bytes);
        if (keeper->class_name.size)
            hd_ctl_json_text(json, "class", keeper->class_name);
    }
    hd_json_writer_end(json);
    return 0;
}

static int json_keepers(struct hd_json_writer *json, const char *key, const struct heapd_keeper *rows, size_t count)
{
    hd_json_writer_key(json, key, strlen(key));
    int error = hd_json_writer_begin_array(json);
    for (size_t i = 0; !error && i < count; i++)
        error = json_keeper(json, &rows[i]);
    if (!error)
        hd_json_writer_end(json);
    return error;
}

static int print_as_json(struct hd_ctl *ctl, const struct heapd_keeping *keeping)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    if (keeping->has_object) {
        hd_json_writer_key(&json, "object", 6);
        error = json_keeper(&json, &keeping->object);
        hd_ctl_json_bool(&json, "reachable", keeping->reachable);
    }
    if (!error)
        error = json_keepers(&json, "largest", keeping->largest, keeping->largest_count);
    if (!error)
        error = json_keepers(&json, "above", keeping->above, keeping->above_count);
    hd_ctl_json_uint(&json, "reachable_count", keeping->reachable_count);
    hd_ctl_json_uint(&json, "reachable_bytes", keeping->reachable_bytes);
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_retained(struct hd_ctl *ctl)
{
    struct heapd_object_ref object = {0};
    struct heapd_report report;
    struct heapd_error error;
    /* By its identity: a handle that we look with would be one more that keeps it. */
    int failed = ctl->operand_count ? hd_ctl_identity(ctl, ctl->operands[0], &object.identity) : 0;
    if (failed)
        return failed;
    if (heapd_retained(ctl->connection, object, ctl->options.count, &report, &error))
        return hd_ctl_fail(ctl, &error);
    if (is_given(ctl, HD_OPTION_JSON))
        failed = print_as_json(ctl, &report.as.retained);
    else
        print_retained(&report.as.retained);
    heapd_report_clear(&report);
    return failed;
}
