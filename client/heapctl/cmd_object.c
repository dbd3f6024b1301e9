/* One place in the heap: get, set, del, inspect. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/builder.h"
#include "client/heapctl/ctl.h"
#include "client/heapctl/export.h"
#include "client/heapctl/target.h"

#define GET_ATTEMPTS 5

static int write_raw(struct hd_ctl *ctl, const struct heapd_value *value, FILE *stream)
{
    if (value->kind == HEAPD_VALUE_STR || value->kind == HEAPD_VALUE_BYTES) {
        fwrite(value->as.bytes.data, 1, value->as.bytes.size, stream);
        return 0;
    }
    struct heapd_value all;
    struct heapd_error error;
    if (heapd_read_all(ctl->connection, value->as.ref, &all, &error))
        return hd_ctl_fail(ctl, &error);
    fwrite(all.as.bytes.data, 1, all.as.bytes.size, stream);
    heapd_value_clear(&all);
    return 0;
}

static bool is_text(const struct heapd_value *value)
{
    return value->kind == HEAPD_VALUE_STR || value->kind == HEAPD_VALUE_BYTES ||
           (value->kind == HEAPD_VALUE_REF && (value->type == HEAPD_TYPE_STR || value->type == HEAPD_TYPE_BYTES));
}

static int write_value(struct hd_ctl *ctl, const struct hd_path *path, FILE *stream)
{
    const bool as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
    const struct hd_document_options options = hd_ctl_document_options(ctl, as_json ? 0 : 2);
    struct heapd_value value;
    int error = hd_target_get(ctl->connection, path, HEAPD_ANY, &value, &ctl->problem);
    if (error)
        return error;
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_RAW) && is_text(&value))
        error = write_raw(ctl, &value, stream);
    else
        error = hd_export_write(ctl->connection, &value, &options, ctl->operands[0], stream, &ctl->problem);
    putc('\n', stream);
    if (value.kind == HEAPD_VALUE_REF)
        heapd_release(ctl->connection, value.as.ref);
    heapd_value_clear(&value);
    return error;
}

/* The text is put together before a byte of it is printed: so it can be begun again, and is whole or not there. */
static int get(struct hd_ctl *ctl, const struct hd_path *path)
{
    int error = HD_ECHANGED;
    for (int attempt = 1; error == HD_ECHANGED && attempt <= GET_ATTEMPTS; attempt++) {
        char *text = NULL;
        size_t text_bytes = 0;
        FILE *stream = open_memstream(&text, &text_bytes);
        if (!stream)
            return hd_problem_no_memory(&ctl->problem);
        error = write_value(ctl, path, stream);
        if (fclose(stream) && !error)
            error = hd_problem_no_memory(&ctl->problem);
        if (!error)
            fwrite(text, 1, text_bytes, stdout);
        free(text);
    }
    return error;
}

/* Runs an operation on the path that is the first operand. */
static int with_path(struct hd_ctl *ctl, int (*operation)(struct hd_ctl *ctl, const struct hd_path *path))
{
    struct hd_path path;
    int error = hd_path_parse(ctl->operands[0], &path, &ctl->problem);
    if (error)
        return error;
    error = operation(ctl, &path);
    hd_path_fini(&path);
    return error;
}

int hd_cmd_get(struct hd_ctl *ctl)
{
    return with_path(ctl, get);
}

/* For commands that change something: silent for people, an empty object for scripts. */
static int say_done(struct hd_ctl *ctl)
{
    struct hd_json_writer json;
    if (!hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        return 0;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_string(&json, "path", ctl->operands[0]);
    hd_ctl_json_end(&json);
    return 0;
}

static int build_and_set(struct hd_ctl *ctl, const struct hd_path *path, struct hd_builder *builder)
{
    const char *text = ctl->operands[1];
    const struct hd_json_sink sink = hd_builder_sink(builder);
    struct heapd_value value;
    struct hd_json_reader reader;
    int error =
        hd_json_reader_init(&reader, &sink, hd_builder_limits(builder)) ? hd_problem_no_memory(&ctl->problem) : 0;
    if (!error)
        error = hd_json_reader_feed(&reader, (const uint8_t *)text, strlen(text), &ctl->problem);
    if (!error)
        error = hd_json_reader_finish(&reader, &ctl->problem);
    if (!error)
        error = hd_builder_finish(builder, &value, &ctl->problem);
    if (!error)
        error = hd_target_set(ctl->connection, path, value, &ctl->problem);
    hd_json_reader_fini(&reader);
    return error;
}

static int set(struct hd_ctl *ctl, const struct hd_path *path)
{
    struct hd_builder builder;
    int error = hd_builder_init(&builder, ctl->connection) ? hd_problem_no_memory(&ctl->problem)
                                                           : build_and_set(ctl, path, &builder);
    hd_builder_fini(&builder);
    return error ? error : say_done(ctl);
}

int hd_cmd_set(struct hd_ctl *ctl)
{
    return with_path(ctl, set);
}

static int del(struct hd_ctl *ctl, const struct hd_path *path)
{
    int error = hd_target_delete(ctl->connection, path, &ctl->problem);
    return error ? error : say_done(ctl);
}

int hd_cmd_del(struct hd_ctl *ctl)
{
    return with_path(ctl, del);
}

/* The reference by which heapctl holds the object is no news to anyone. */
static uint64_t other_references(const struct heapd_object_info *info)
{
    return info->identity && !info->shared && info->reference_count ? info->reference_count - 1 : info->reference_count;
}

static int print_info_as_json(struct hd_ctl *ctl, const struct heapd_object_info *info)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_string(&json, "path", ctl->operands[0]);
    hd_ctl_json_string(&json, "type", heapd_type_name(info->type));
    if (info->type == HEAPD_TYPE_INSTANCE || info->type == HEAPD_TYPE_CLASS)
        hd_ctl_json_text(&json, "class", info->class_name);
    hd_ctl_json_bool(&json, "inline", !info->identity);
    hd_ctl_json_uint(&json, "identity", info->identity);
    hd_ctl_json_uint(&json, "references", other_references(info));
    hd_ctl_json_bool(&json, "shared", info->shared);
    hd_ctl_json_uint(&json, "shallow_bytes", info->shallow_bytes);
    hd_ctl_json_bool(&json, "tracked", info->tracked);
    hd_json_writer_key(&json, "generation", strlen("generation"));
    if (info->tracked)
        hd_json_writer_uint(&json, info->generation);
    else
        hd_json_writer_null(&json);
    hd_ctl_json_uint(&json, "length", info->length);
    hd_ctl_json_end(&json);
    return 0;
}

static void print_info(const struct heapd_object_info *info)
{
    printf("type           %s", heapd_type_name(info->type));
    if (info->type == HEAPD_TYPE_INSTANCE || info->type == HEAPD_TYPE_CLASS) {
        putchar(' ');
        hd_ctl_print_name(info->class_name);
    }
    if (!info->identity) {
        printf("\nidentity       none: the value lies inline where it is used\n");
        return;
    }
    printf("\nidentity       0x%" PRIx64 "\n", info->identity);
    printf("references     %" PRIu64 "%s\n", other_references(info),
           info->shared ? " (interned or saturated: the count says little)" : "");
    printf("shallow size   %" PRIu64 " bytes\n", info->shallow_bytes);
    if (info->tracked)
        printf("collector      tracked, generation %" PRIu32 "\n", info->generation);
    else
        printf("collector      not tracked\n");
    printf("length         %" PRIu64 "\n", info->length);
}

static int inspect(struct hd_ctl *ctl, const struct hd_path *path)
{
    struct heapd_value object;
    struct heapd_result result;
    struct heapd_error error;
    int failed = hd_target_get(ctl->connection, path, HEAPD_OBJECT, &object, &ctl->problem);
    if (failed)
        return failed;
    if (heapd_inspect(ctl->connection, object.as.ref, &result, &error)) {
        failed = hd_ctl_fail(ctl, &error);
    } else {
        if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
            failed = print_info_as_json(ctl, &result.as.info);
        else
            print_info(&result.as.info);
        heapd_result_clear(&result);
    }
    heapd_release(ctl->connection, object.as.ref);
    return failed;
}

int hd_cmd_inspect(struct hd_ctl *ctl)
{
    return with_path(ctl, inspect);
}
