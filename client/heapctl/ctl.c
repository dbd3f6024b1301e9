#include "client/heapctl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int hd_ctl_fail(struct hd_ctl *ctl, const struct heapd_error *error)
{
    return hd_problem_set(&ctl->problem, error->code, "%s", error->message);
}

int hd_ctl_parse_number(struct hd_ctl *ctl, const char *text, const char *what, uint64_t max, uint64_t *out)
{
    size_t count = strlen(text);
    uint64_t value = 0;
    bool good = count > 0 && strspn(text, "0123456789") == count;
    for (const char *at = text; good && *at; at++)
        good = !__builtin_mul_overflow(value, 10u, &value) &&
               !__builtin_add_overflow(value, (unsigned)(*at - '0'), &value);
    if (!good || value > max) {
        ctl->is_usage_problem = true;
        return hd_problem_set(&ctl->problem, HD_EINVALID, "%s must be a number from 0 to %" PRIu64 ", not \"%s\"", what,
                              max, text);
    }
    *out = value;
    return 0;
}

struct hd_document_options hd_ctl_document_options(const struct hd_ctl *ctl, unsigned indent)
{
    const struct hd_ctl_options *options = &ctl->options;
    return (struct hd_document_options){
        .layout =
            {
                .indent = hd_ctl_options_has(options, HD_OPTION_COMPACT)  ? 0
                          : hd_ctl_options_has(options, HD_OPTION_INDENT) ? options->indent
                                                                          : indent,
                .compact = hd_ctl_options_has(options, HD_OPTION_COMPACT),
                .ascii = hd_ctl_options_has(options, HD_OPTION_ASCII),
            },
        .bytes_as_base64 = options->bytes_as_base64,
    };
}

int hd_ctl_json_begin(struct hd_ctl *ctl, struct hd_json_writer *json, bool array)
{
    hd_json_writer_init(json, stdout, &(struct hd_json_layout){0});
    int error = array ? hd_json_writer_begin_array(json) : hd_json_writer_begin_object(json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

void hd_ctl_json_end(struct hd_json_writer *json)
{
    while (hd_json_writer_depth(json))
        hd_json_writer_end(json);
    hd_json_writer_fini(json);
    putchar('\n');
}

void hd_ctl_json_string(struct hd_json_writer *json, const char *key, const char *text)
{
    hd_ctl_json_text(json, key, heapd_text(text));
}

void hd_ctl_json_text(struct hd_json_writer *json, const char *key, struct heapd_bytes text)
{
    hd_json_writer_key(json, key, strlen(key));
    hd_json_writer_string(json, text.data, text.size);
}

void hd_ctl_json_uint(struct hd_json_writer *json, const char *key, uint64_t value)
{
    hd_json_writer_key(json, key, strlen(key));
    hd_json_writer_uint(json, value);
}

void hd_ctl_json_bool(struct hd_json_writer *json, const char *key, bool value)
{
    hd_json_writer_key(json, key, strlen(key));
    hd_json_writer_bool(json, value);
}

void hd_ctl_print_name(struct heapd_bytes name)
{
    struct hd_buffer text;
    hd_buffer_init(&text, &hd_allocator_libc, SIZE_MAX / 2);
    if (!hd_path_append_member(&text, name.data, name.size))
        fwrite(hd_buffer_head(&text), 1, hd_buffer_readable(&text), stdout);
    hd_buffer_fini(&text);
}
