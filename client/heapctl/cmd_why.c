/* Why is it still alive? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

static void print_quoted_free(struct heapd_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void print_edge(const struct heapd_why_step *step)
{
    switch (step->edge) {
    case HEAPD_EDGE_INDEX:
        printf("[%" PRIu64 "]", step->number);
        break;
    case HEAPD_EDGE_KEY:
        putchar('[');
        print_quoted_free(step->text);
        putchar(']');
        break;
    case HEAPD_EDGE_IS_KEY:
        fputs("a key", stdout);
        break;
    case HEAPD_EDGE_MEMBER:
        fputs("a member", stdout);
        break;
    case HEAPD_EDGE_ATTRIBUTE:
        putchar('.');
        print_quoted_free(step->text);
        break;
    case HEAPD_EDGE_CLASS:
        fputs("its class", stdout);
        break;
    case HEAPD_EDGE_NAME:
        fputs("name ", stdout);
        print_quoted_free(step->text);
        break;
    case HEAPD_EDGE_NAMES:
        fputs("its names", stdout);
        break;
    case HEAPD_EDGE_PARENT:
        fputs("its parent", stdout);
        break;
    case HEAPD_EDGE_PART:
        if (step->text.size)
            print_quoted_free(step->text);
        else
            printf("reference %" PRIu64, step->number);
        break;
    case HEAPD_EDGE_UNKNOWN:
        fputs("(changed since)", stdout);
        break;
    }
}

static void print_object(const struct heapd_why_step *step)
{
    printf("%s ", heapd_type_name(step->type));
    if (step->class_name.size) {
        print_quoted_free(step->class_name);
        putchar(' ');
    }
    printf("0x%" PRIx64 ", %" PRIu64 " bytes%s", step->identity, step->shallow_bytes,
           step->gone ? ", gone by now" : "");
}

static void print_path(const struct heapd_why_path *path, size_t number)
{
    printf("%zu. ", number);
    hd_ctl_print_root(&path->root);
    putchar('\n');
    for (size_t i = 0; i < path->step_count; i++) {
        const struct heapd_why_step *step = &path->steps[i];
        /* The global scope is what "the global names" are. */
        if (i == 0 && path->root.kind == HEAPD_ROOT_GLOBALS && path->step_count > 1)
            continue;
        if (path->elided && i == path->elided_before)
            printf("     ... %" PRIu64 " steps left out ...\n", path->elided);
        fputs("     ", stdout);
        if (i > 0 && !(path->elided && i == path->elided_before)) {
            print_edge(step);
            fputs(" -> ", stdout);
        }
        print_object(step);
        putchar('\n');
    }
}

static void print_why(const struct heapd_reasons *why)
{
    printf("%s 0x%" PRIx64 " has %" PRIu64 " reference%s", heapd_type_name(why->type), why->identity,
           why->reference_count, why->reference_count == 1 ? "" : "s");
    if (why->path_count == 0) {
        puts(", and no root leads to it:\nit is garbage that waits for a collection, or was held by heapctl alone");
        return;
    }
    printf(", and is kept alive through %" PRIu64 " of them:\n", why->holders);
    for (size_t i = 0; i < why->path_count; i++)
        print_path(&why->paths[i], i + 1);
    if (why->holders > why->path_count)
        printf("%" PRIu64 " more are not shown; --count N shows up to 64\n", why->holders - why->path_count);
}

/* ---- JSON ---- */

static const char *edge_name(enum heapd_edge_kind kind)
{
    static const char *const names[] = {"unknown", "index", "key",   "is_key", "member", "attribute",
                                        "class",   "name",  "names", "parent", "part"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

static int json_step(struct hd_json_writer *json, const struct heapd_why_step *step)
{
    if (hd_json_writer_begin_object(json))
        return HD_ENOMEM;
    hd_ctl_json_string(json, "edge", edge_name(step->edge));
    if (step->edge == HEAPD_EDGE_INDEX || step->edge == HEAPD_EDGE_PART)
        hd_ctl_json_uint(json, "number", step->number);
    if (step->text.size)
        hd_ctl_json_text(json, "text", step->text);
    hd_ctl_json_string(json, "type", heapd_type_name(step->type));
    if (step->class_name.size)
        hd_ctl_json_text(json, "class", step->class_name);
    hd_ctl_json_uint(json, "identity", step->identity);
    hd_ctl_json_uint(json, "shallow_bytes", step->shallow_bytes);
    hd_ctl_json_bool(json, "gone", step->gone);
    hd_json_writer_end(json);
    return 0;
}

static int json_path(struct hd_json_writer *json, const struct heapd_why_path *path)
{
    if (hd_json_writer_begin_object(json))
        return HD_ENOMEM;
    hd_ctl_json_string(json, "root", hd_ctl_root_name(path->root.kind));
    if (path->root.kind == HEAPD_ROOT_SESSION) {
        hd_ctl_json_uint(json, "session", path->root.session);
        hd_ctl_json_uint(json, "handle", path->root.handle);
        hd_ctl_json_string(json, "client", path->root.client_name);
        hd_ctl_json_uint(json, "pid", path->root.pid);
    }
    hd_ctl_json_uint(json, "elided", path->elided);
    hd_json_writer_key(json, "steps", 5);
    int error = hd_json_writer_begin_array(json);
    for (size_t i = 0; !error && i < path->step_count; i++)
        error = json_step(json, &path->steps[i]);
    if (error)
        return error;
    hd_json_writer_end(json);
    hd_json_writer_end(json);
    return 0;
}

static int print_as_json(struct hd_ctl *ctl, const struct heapd_reasons *why)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, "identity", why->identity);
    hd_ctl_json_string(&json, "type", heapd_type_name(why->type));
    hd_ctl_json_uint(&json, "references", why->reference_count);
    hd_ctl_json_uint(&json, "holders", why->holders);
    hd_ctl_json_uint(&json, "reachable", why->reachable);
    hd_json_writer_key(&json, "paths", 5);
    error = hd_json_writer_begin_array(&json);
    for (size_t i = 0; !error && i < why->path_count; i++)
        error = json_path(&json, &why->paths[i]);
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

int hd_cmd_why(struct hd_ctl *ctl)
{
    struct heapd_object_ref object;
    struct heapd_report report;
    struct heapd_error error;
    struct heapd_why_options options = {.others = true, .max_paths = ctl->options.count};
    int failed = hd_ctl_object(ctl, ctl->operands[0], &object);
    if (failed)
        return failed;
    int code = heapd_why(ctl->connection, object, &options, &report, &error);
    if (object.object) /* not counted: it is our own */
        heapd_release(ctl->connection, object.object);
    if (code)
        return hd_ctl_fail(ctl, &error);
    if (object.object && report.as.why.reference_count)
        report.as.why.reference_count--;
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        failed = print_as_json(ctl, &report.as.why);
    else
        print_why(&report.as.why);
    heapd_report_clear(&report);
    return failed;
}
