#include "client/heapctl/json_reader.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "client/heapctl/number.h"
#include "common/utf8.h"

enum {
    CANCEL = 0, /* what yajl's callbacks return */
    CONTINUE = 1,
};

/* States of the escape scanner: outside, after a backslash, and after "\u" and 0 .. 3 digits. */
enum {
    OUTSIDE,
    AFTER_BACKSLASH,
    DIGITS_0,
    DIGITS_3 = DIGITS_0 + 3,
};

static int pass(struct hd_json_reader *reader, int error)
{
    reader->given = true;
    reader->given_end = yajl_get_bytes_consumed(reader->yajl);
    reader->sink_error = error;
    return error ? CANCEL : CONTINUE;
}

static int give(struct hd_json_reader *reader, const struct hd_node *node)
{
    return pass(reader, reader->sink.value(reader->sink.context, node, reader->problem));
}

/* Refusals of the reader itself: the position is put in front of these. */
static int refuse(struct hd_json_reader *reader, int error, const char *text)
{
    hd_problem_set(reader->problem, error, "%s", text);
    reader->sink_error = 0;
    return CANCEL;
}

static int on_null(void *context)
{
    return give(context, &(struct hd_node){.kind = HD_KIND_NONE});
}

static int on_boolean(void *context, int value)
{
    return give(context, &(struct hd_node){.kind = value ? HD_KIND_TRUE : HD_KIND_FALSE});
}

static int on_number(void *context, const char *text, size_t count)
{
    struct hd_json_reader *reader = context;
    struct hd_node node;
    int error = hd_number_parse(text, count, &reader->scratch, &node);
    if (error == HD_EOVERFLOW)
        return refuse(reader, error, "the number is beyond the range of a float");
    if (error)
        return refuse(reader, error, hd_error_text(error));
    return give(reader, &node);
}

static int check_text(struct hd_json_reader *reader, const uint8_t *text, size_t count)
{
    if (count > reader->limits.text_bytes) {
        hd_problem_set(reader->problem, HD_ETOO_LARGE,
                       "a string of %zu bytes is longer than the daemon takes in one request; %zu would fit", count,
                       reader->limits.text_bytes);
        return CANCEL;
    }
    if (hd_utf8_valid(text, count))
        return CONTINUE;
    return refuse(reader, HD_EUTF8, "the string is not valid UTF-8");
}

static int on_string(void *context, const unsigned char *text, size_t count)
{
    struct hd_json_reader *reader = context;
    if (check_text(reader, text, count) == CANCEL)
        return CANCEL;
    return give(reader, &(struct hd_node){.kind = HD_KIND_STR, .bytes = {text, count}});
}

static int on_key(void *context, const unsigned char *text, size_t count)
{
    struct hd_json_reader *reader = context;
    if (check_text(reader, text, count) == CANCEL)
        return CANCEL;
    return pass(reader, reader->sink.key(reader->sink.context, text, count, reader->problem));
}

static int begin(struct hd_json_reader *reader, enum hd_kind kind)
{
    if (reader->depth == reader->limits.depth) {
        hd_problem_set(reader->problem, HD_EDEPTH, "nested deeper than the daemon's limit of %" PRIu32 " levels",
                       reader->limits.depth);
        return CANCEL;
    }
    reader->depth++;
    return give(reader, &(struct hd_node){.kind = kind});
}

static int on_begin_map(void *context)
{
    return begin(context, HD_KIND_DICT);
}

static int on_begin_array(void *context)
{
    return begin(context, HD_KIND_LIST);
}

static int on_end(void *context)
{
    struct hd_json_reader *reader = context;
    reader->depth--;
    return pass(reader, reader->sink.end(reader->sink.context, reader->problem));
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_begin_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_begin_array,
    .yajl_end_array = on_end,
};

int hd_json_reader_init(struct hd_json_reader *reader, const struct hd_json_sink *sink, struct hd_json_limits limits)
{
    *reader = (struct hd_json_reader){.sink = *sink, .limits = limits};
    hd_buffer_init(&reader->scratch, &hd_allocator_libc, SIZE_MAX / 2);
    reader->yajl = yajl_alloc(&callbacks, NULL, reader);
    return reader->yajl ? 0 : HD_ENOMEM;
}

void hd_json_reader_fini(struct hd_json_reader *reader)
{
    if (reader->yajl)
        yajl_free(reader->yajl);
    reader->yajl = NULL;
    hd_buffer_fini(&reader->scratch);
}

static void advance(struct hd_json_position *position, const uint8_t *text, size_t count)
{
    const uint8_t *end = text + count, *newline;
    while ((newline = memchr(text, '\n', (size_t)(end - text)))) {
        position->line++;
        position->column = 0;
        text = newline + 1;
    }
    for (; text < end; text++)
        position->column += (*text & 0xc0) != 0x80;
}

/* Ends a piece: remembers where the token that it cuts, if it cuts one, begins. */
static void end_piece(struct hd_json_reader *reader, const uint8_t *text, size_t count)
{
    size_t at = reader->given ? reader->given_end : 0;
    if (reader->given)
        reader->token_begun = false;
    if (!reader->token_begun) {
        while (at < count && text[at] && strchr(" \t\r\n,:", text[at]))
            at++;
        advance(&reader->position, text, at);
        reader->token_begun = at < count;
        reader->token = reader->position;
        text += at;
        count -= at;
    }
    advance(&reader->position, text, count);
}

static int hex_digit(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* A whole \uXXXX was read. True if it makes a surrogate that has no partner. */
static bool end_of_unit(struct hd_json_reader *reader)
{
    bool low = reader->escape.unit >= 0xdc00 && reader->escape.unit <= 0xdfff;
    bool was_high = reader->escape.high;
    reader->escape.high = reader->escape.unit >= 0xd800 && reader->escape.unit <= 0xdbff;
    return low != was_high;
}

/*
 * Looks for \u escapes of surrogates that are not a pair: in JSON a backslash
 * stands in strings only, so no grammar is needed. Returns the position where
 * yajl must stop, or `count`. What is no escape at all is left to yajl.
 */
static size_t find_lone_surrogate(struct hd_json_reader *reader, const uint8_t *text, size_t count)
{
    reader->escape.start = 0;
    for (size_t i = 0; i < count; i++) {
        if (reader->escape.state == OUTSIDE) {
            if (reader->escape.high && text[i] != '\\')
                return reader->escape.start;
            const uint8_t *backslash = memchr(text + i, '\\', count - i);
            if (!backslash)
                break;
            i = (size_t)(backslash - text);
            if (!reader->escape.high)
                reader->escape.start = i;
            reader->escape.state = AFTER_BACKSLASH;
        } else if (reader->escape.state == AFTER_BACKSLASH) {
            if (reader->escape.high && text[i] != 'u')
                return reader->escape.start;
            reader->escape.state = text[i] == 'u' ? DIGITS_0 : OUTSIDE;
            reader->escape.unit = 0;
        } else {
            int digit = hex_digit(text[i]);
            if (digit < 0) {
                reader->escape.state = OUTSIDE;
                reader->escape.high = 0;
                continue;
            }
            reader->escape.unit = reader->escape.unit << 4 | (unsigned)digit;
            if (reader->escape.state++ < DIGITS_3)
                continue;
            reader->escape.state = OUTSIDE;
            if (end_of_unit(reader))
                return reader->escape.start;
        }
    }
    return count;
}

static bool is_word(uint8_t c)
{
    return isalnum(c) || c == '+' || c == '-' || c == '.';
}

/* yajl stops behind a token that it, or a callback, refuses; this finds where in the piece the token began. */
static size_t token_start(const uint8_t *text, size_t begin, size_t end)
{
    if (begin >= end)
        return begin;
    size_t i = end - 1;
    if (text[i] == '"') {
        while (i > begin) {
            size_t backslashes = 0;
            i--;
            while (backslashes < i && text[i - 1 - backslashes] == '\\')
                backslashes++;
            if (text[i] == '"' && backslashes % 2 == 0)
                break;
        }
        return i;
    }
    while (i > begin && is_word(text[i]) && is_word(text[i - 1]))
        i--;
    return i;
}

/* Puts "line L, column C: " in front of the problem's text. */
static int locate(struct hd_problem *problem, struct hd_json_position position)
{
    char plain[sizeof problem->text];
    memcpy(plain, problem->text, sizeof plain);
    return hd_problem_set(problem, problem->error, "line %" PRIu64 ", column %" PRIu64 ": %s", position.line + 1,
                          position.column + 1, plain);
}

/* The same, for the character at `at` in the piece. */
static int locate_character(const struct hd_json_reader *reader, const uint8_t *text, size_t at,
                            struct hd_problem *problem)
{
    struct hd_json_position position = reader->position;
    advance(&position, text, at);
    return locate(problem, position);
}

/* The same, for the token that ends at `end`, wherever it began. */
static int locate_token(const struct hd_json_reader *reader, const uint8_t *text, size_t end,
                        struct hd_problem *problem)
{
    size_t start = token_start(text, reader->given ? reader->given_end : 0, end);
    if (!start && reader->token_begun && !reader->given)
        return locate(problem, reader->token);
    return locate_character(reader, text, start, problem);
}

/* Does the text begin with the word, as far as the piece shows? */
static bool begins_with(const uint8_t *text, size_t count, const char *word)
{
    size_t length = strlen(word);
    return count && !memcmp(text, word, length < count ? length : count);
}

/* Takes yajl's message, without its kind and its newline. Returns whether it is about a token, not a character. */
static bool take_message(struct hd_json_reader *reader, struct hd_problem *problem)
{
    unsigned char *message = yajl_get_error(reader->yajl, 0, NULL, 0);
    if (!message) {
        hd_problem_no_memory(problem);
        return false;
    }
    bool lexical = !strncmp((char *)message, "lexical error", strlen("lexical error"));
    const char *text = strstr((char *)message, ": ");
    text = text ? text + 2 : (char *)message;
    hd_problem_set(problem, HD_ESYNTAX, "%.*s", (int)strcspn(text, "\n"), text);
    yajl_free_error(reader->yajl, message);
    return !lexical;
}

/* What yajl found wrong in this piece, with its position. */
static int syntax_error(struct hd_json_reader *reader, const uint8_t *text, size_t count, struct hd_problem *problem)
{
    size_t at = yajl_get_bytes_consumed(reader->yajl);
    if (at > count)
        at = count;
    if (take_message(reader, problem))
        return locate_token(reader, text, at, problem);
    if (at && (strstr(problem->text, "invalid char in") || strstr(problem->text, "invalid bytes in")))
        at--; /* for these two yajl has already stepped over the culprit */

    const uint8_t *rest = text + at;
    size_t left = count - at;
    if (begins_with(rest, left, "NaN") || begins_with(rest, left, "Infinity"))
        hd_problem_set(problem, HD_ESYNTAX, "NaN and Infinity are not JSON");
    else if (begins_with(rest, left, "\xef\xbb\xbf"))
        hd_problem_set(problem, HD_ESYNTAX, "a byte order mark is not JSON; save the text as UTF-8 without it");
    return locate_character(reader, text, at, problem);
}

int hd_json_reader_feed(struct hd_json_reader *reader, const uint8_t *text, size_t count, struct hd_problem *problem)
{
    size_t safe = find_lone_surrogate(reader, text, count);
    reader->problem = problem;
    reader->given = false;
    switch (yajl_parse(reader->yajl, text, safe)) {
    case yajl_status_ok:
        break;
    case yajl_status_client_canceled:
        if (reader->sink_error)
            return reader->sink_error;
        return locate_token(reader, text, yajl_get_bytes_consumed(reader->yajl), problem);
    default:
        return syntax_error(reader, text, safe, problem);
    }
    if (safe < count) {
        hd_problem_set(problem, HD_EUTF8, "half of a surrogate pair is no character, and a str cannot hold it");
        return locate_character(reader, text, safe, problem);
    }
    end_piece(reader, text, count);
    return 0;
}

int hd_json_reader_finish(struct hd_json_reader *reader, struct hd_problem *problem)
{
    reader->problem = problem;
    switch (yajl_complete_parse(reader->yajl)) {
    case yajl_status_ok:
        return 0;
    case yajl_status_client_canceled:
        /* A number that only the end of the text completed. */
        return reader->sink_error ? reader->sink_error : locate(problem, reader->token);
    default:
        take_message(reader, problem);
        if (!strcmp(problem->text, "premature EOF"))
            hd_problem_set(problem, HD_ESYNTAX, "the text ends too early");
        return locate(problem, reader->position);
    }
}
