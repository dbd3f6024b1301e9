#include "client/heapctl/path.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/json_reader.h"
#include "client/heapctl/json_writer.h"
#include "client/heapctl/number.h"
#include "common/utf8.h"

struct parser {
    const char *text, *at;
    struct hd_path *path;
    struct hd_problem *problem;
};

static int refuse(struct parser *parser, const char *at, int error, const char *what)
{
    size_t column = hd_utf8_length((const uint8_t *)parser->text, (size_t)(at - parser->text)) + 1;
    return hd_problem_set(parser->problem, error, "path, column %zu: %s", column, what);
}

static struct hd_path_step *add_step(struct parser *parser, enum hd_path_step_kind kind)
{
    struct hd_path *path = parser->path;
    size_t count = path->step_count;
    /* Grows at 1, 2, 4, ... so that no capacity need be kept. */
    if ((count & (count - 1)) == 0) {
        struct hd_path_step *steps = realloc(path->steps, (count ? 2 * count : 1) * sizeof *steps);
        if (!steps) {
            hd_problem_no_memory(parser->problem);
            return NULL;
        }
        path->steps = steps;
    }
    struct hd_path_step *step = &path->steps[path->step_count++];
    *step = (struct hd_path_step){.kind = kind, .text_offset = hd_buffer_readable(&path->text)};
    return step;
}

static int add_text(struct parser *parser, enum hd_path_step_kind kind, const void *text, size_t count)
{
    struct hd_path_step *step = add_step(parser, kind);
    if (!step)
        return parser->problem->error;
    step->text_bytes = count;
    return hd_buffer_append(&parser->path->text, text, count) ? hd_problem_no_memory(parser->problem) : 0;
}

static bool is_word(char c)
{
    return c && !isspace((unsigned char)c) && !strchr(".[]\"\\", c);
}

struct string_target {
    struct parser *parser;
    enum hd_path_step_kind kind;
};

static int take_string(void *context, const struct hd_node *node, struct hd_problem *problem)
{
    (void)problem;
    struct string_target *target = context;
    return add_text(target->parser, target->kind, node->bytes.data, node->bytes.size);
}

/* A JSON string at parser->at; its text becomes a step. */
static int parse_string(struct parser *parser, enum hd_path_step_kind kind)
{
    const char *end = parser->at + 1;
    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return refuse(parser, parser->at, HD_ESYNTAX, "the string that begins here has no closing quote");
    end++;

    struct string_target target = {parser, kind};
    struct hd_json_sink sink = {.value = take_string, .context = &target};
    struct hd_json_reader reader;
    struct hd_problem problem = {0};
    int error = hd_json_reader_init(&reader, &sink, (struct hd_json_limits){.text_bytes = SIZE_MAX});
    if (!error)
        error = hd_json_reader_feed(&reader, (const uint8_t *)parser->at, (size_t)(end - parser->at), &problem);
    if (!error)
        error = hd_json_reader_finish(&reader, &problem);
    hd_json_reader_fini(&reader);
    if (error == HD_ENOMEM)
        return hd_problem_no_memory(parser->problem);
    if (error)
        return refuse(parser, parser->at, HD_ESYNTAX, "the string that begins here is not a JSON string");
    parser->at = end;
    return 0;
}

static int parse_name(struct parser *parser)
{
    if (*parser->at == '"')
        return parse_string(parser, HD_PATH_MEMBER);
    const char *end = parser->at;
    while (is_word(*end))
        end++;
    if (end == parser->at)
        return refuse(parser, end, HD_ESYNTAX, "a name is missing; quote one with odd characters as \"...\"");
    const char *begin = parser->at;
    parser->at = end;
    return add_text(parser, HD_PATH_MEMBER, begin, (size_t)(end - begin));
}

static int parse_index(struct parser *parser)
{
    const char *begin = parser->at, *digits = begin + (*begin == '-');
    size_t count = strspn(digits, "0123456789");
    if (!count)
        return refuse(parser, begin, HD_ESYNTAX, "an integer or a string in quotes is wanted between [ and ]");

    struct hd_buffer scratch;
    struct hd_node node;
    hd_buffer_init(&scratch, &hd_allocator_libc, SIZE_MAX / 2);
    int error = hd_number_parse(begin, (size_t)(digits - begin) + count, &scratch, &node);
    hd_buffer_fini(&scratch);
    if (error)
        return hd_problem_no_memory(parser->problem);
    if (node.kind != HD_KIND_INT)
        return refuse(parser, begin, HD_EOVERFLOW, "the index does not fit 64 bits");
    struct hd_path_step *step = add_step(parser, HD_PATH_INDEX);
    if (!step)
        return parser->problem->error;
    step->index = node.integer;
    parser->at = digits + count;
    return 0;
}

static int parse_bracket(struct parser *parser)
{
    const char *bracket = parser->at++;
    int error = *parser->at == '"' ? parse_string(parser, HD_PATH_KEY) : parse_index(parser);
    if (error)
        return error;
    if (*parser->at != ']')
        return refuse(parser, *parser->at ? parser->at : bracket, HD_ESYNTAX, "the [ has no ]");
    parser->at++;
    return 0;
}

static int parse(struct parser *parser)
{
    if (!hd_utf8_valid((const uint8_t *)parser->text, strlen(parser->text)))
        return hd_problem_set(parser->problem, HD_EUTF8, "the path is not valid UTF-8");
    int error = parse_name(parser);
    while (!error && *parser->at) {
        if (*parser->at == '.') {
            parser->at++;
            error = parse_name(parser);
        } else if (*parser->at == '[') {
            error = parse_bracket(parser);
        } else {
            error = refuse(parser, parser->at, HD_ESYNTAX, "a . or a [ is wanted here; quote odd names as \"...\"");
        }
    }
    return error;
}

int hd_path_parse(const char *text, struct hd_path *out, struct hd_problem *problem)
{
    struct hd_path path = {0};
    struct parser parser = {.text = text, .at = text, .path = &path, .problem = problem};
    hd_buffer_init(&path.text, &hd_allocator_libc, SIZE_MAX / 2);
    int error = parse(&parser);
    if (error)
        hd_path_fini(&path);
    else
        *out = path;
    return error;
}

void hd_path_fini(struct hd_path *path)
{
    if (!path)
        return;
    free(path->steps);
    path->steps = NULL;
    path->step_count = 0;
    hd_buffer_fini(&path->text);
}

static int append_quoted(struct hd_buffer *out, const void *text, size_t count)
{
    char *json = NULL;
    size_t json_bytes = 0;
    FILE *stream = open_memstream(&json, &json_bytes);
    if (!stream)
        return HD_ENOMEM;
    struct hd_json_writer writer;
    hd_json_writer_init(&writer, stream, &(struct hd_json_layout){.compact = true});
    hd_json_writer_string(&writer, text, count);
    hd_json_writer_fini(&writer);
    int error = fclose(stream) ? HD_ENOMEM : hd_buffer_append(out, json, json_bytes);
    free(json);
    return error;
}

int hd_path_append_member(struct hd_buffer *out, const void *name, size_t count)
{
    const char *text = name;
    bool bare = count > 0;
    for (size_t i = 0; i < count; i++)
        bare = bare && is_word(text[i]) && (unsigned char)text[i] >= 0x20;
    if (hd_buffer_readable(out) && hd_buffer_append(out, ".", 1))
        return HD_ENOMEM;
    return bare ? hd_buffer_append(out, text, count) : append_quoted(out, text, count);
}

int hd_path_append_index(struct hd_buffer *out, uint64_t index)
{
    char text[32];
    int count = snprintf(text, sizeof text, "[%llu]", (unsigned long long)index);
    return hd_buffer_append(out, text, (size_t)count);
}
