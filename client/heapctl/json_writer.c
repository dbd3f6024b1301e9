#include "client/heapctl/json_writer.h"

#include <inttypes.h>
#include <string.h>

#include "client/heapctl/number.h"

/* What follows the backslash; 'u': \u00XX; 0: the byte stands for itself; 1: the byte is not ASCII. */
static const char escapes[256] = {
    [0 ... 7] = 'u', ['\b'] = 'b',      ['\t'] = 't', ['\n'] = 'n',  [11] = 'u',        ['\f'] = 'f',
    ['\r'] = 'r',    [14 ... 31] = 'u', ['"'] = '"',  ['\\'] = '\\', [128 ... 255] = 1,
};

void hd_json_writer_init(struct hd_json_writer *writer, FILE *stream, const struct hd_json_layout *layout)
{
    *writer = (struct hd_json_writer){.stream = stream, .layout = *layout};
    hd_buffer_init(&writer->open, &hd_allocator_libc, SIZE_MAX / 2);
}

void hd_json_writer_fini(struct hd_json_writer *writer)
{
    if (writer)
        hd_buffer_fini(&writer->open);
}

static void put(const struct hd_json_writer *writer, const void *text, size_t count)
{
    fwrite_unlocked(text, 1, count, writer->stream);
}

static void put_line(const struct hd_json_writer *writer)
{
    static const char spaces[64] = "                                                               ";
    putc_unlocked('\n', writer->stream);
    for (size_t left = hd_json_writer_depth(writer) * writer->layout.indent; left;) {
        size_t some = left < sizeof spaces - 1 ? left : sizeof spaces - 1;
        put(writer, spaces, some);
        left -= some;
    }
}

/* What stands between the last item and the next one, key or value. */
static void put_separator(struct hd_json_writer *writer)
{
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    if (!hd_json_writer_depth(writer))
        return;
    uint8_t *top = writer->open.data + writer->open.end - 1;
    if (*top == 'l' || *top == 'd') {
        putc_unlocked(',', writer->stream);
        if (!writer->layout.indent && !writer->layout.compact)
            putc_unlocked(' ', writer->stream);
    } else {
        *top = *top == '[' ? 'l' : 'd';
    }
    if (writer->layout.indent)
        put_line(writer);
}

static int begin(struct hd_json_writer *writer, char bracket)
{
    uint8_t *room;
    int error = hd_buffer_reserve(&writer->open, 1, &room);
    if (error)
        return HD_ENOMEM;
    put_separator(writer);
    putc_unlocked(bracket, writer->stream);
    writer->open.data[writer->open.end] = (uint8_t)bracket;
    hd_buffer_commit(&writer->open, 1);
    return 0;
}

int hd_json_writer_begin_array(struct hd_json_writer *writer)
{
    return begin(writer, '[');
}

int hd_json_writer_begin_object(struct hd_json_writer *writer)
{
    return begin(writer, '{');
}

void hd_json_writer_end(struct hd_json_writer *writer)
{
    uint8_t top = writer->open.data[--writer->open.end];
    bool has_items = top == 'l' || top == 'd';
    if (has_items && writer->layout.indent)
        put_line(writer);
    putc_unlocked(top == '[' || top == 'l' ? ']' : '}', writer->stream);
}

/* Reads one character beyond ASCII from valid UTF-8 and steps over it. */
static uint32_t next_code_point(const uint8_t **at)
{
    const uint8_t *p = *at;
    if (p[0] < 0xe0) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (p[0] < 0xf0) {
        *at += 3;
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    }
    *at += 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

static void put_code_point(const struct hd_json_writer *writer, uint32_t code_point)
{
    if (code_point < 0x10000) {
        fprintf(writer->stream, "\\u%04" PRIx32, code_point);
    } else {
        code_point -= 0x10000;
        fprintf(writer->stream, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (code_point >> 10),
                0xdc00 + (code_point & 0x3ff));
    }
}

static void put_string(const struct hd_json_writer *writer, const void *text, size_t count)
{
    const uint8_t *at = text, *end = at + count;
    /* Escapes above this are not written as they are. */
    char plain = writer->layout.ascii ? 0 : 1;

    putc_unlocked('"', writer->stream);
    while (at < end) {
        const uint8_t *run = at;
        while (at < end && escapes[*at] <= plain)
            at++;
        if (at > run)
            put(writer, run, (size_t)(at - run));
        if (at == end)
            break;
        char escape = escapes[*at];
        if (escape == 1) {
            put_code_point(writer, next_code_point(&at));
        } else if (escape == 'u') {
            put_code_point(writer, *at++);
        } else {
            putc_unlocked('\\', writer->stream);
            putc_unlocked(escape, writer->stream);
            at++;
        }
    }
    putc_unlocked('"', writer->stream);
}

void hd_json_writer_key(struct hd_json_writer *writer, const void *text, size_t count)
{
    put_separator(writer);
    put_string(writer, text, count);
    putc_unlocked(':', writer->stream);
    if (!writer->layout.compact)
        putc_unlocked(' ', writer->stream);
    writer->after_key = true;
}

void hd_json_writer_string(struct hd_json_writer *writer, const void *text, size_t count)
{
    put_separator(writer);
    put_string(writer, text, count);
}

void hd_json_writer_raw(struct hd_json_writer *writer, const char *text, size_t count)
{
    put_separator(writer);
    put(writer, text, count);
}

void hd_json_writer_int(struct hd_json_writer *writer, int64_t value)
{
    char text[HD_NUMBER_TEXT_BYTES];
    hd_json_writer_raw(writer, text, hd_number_format_int(value, text));
}

void hd_json_writer_uint(struct hd_json_writer *writer, uint64_t value)
{
    char text[HD_NUMBER_TEXT_BYTES];
    hd_json_writer_raw(writer, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

void hd_json_writer_real(struct hd_json_writer *writer, double value)
{
    char text[HD_NUMBER_TEXT_BYTES];
    hd_json_writer_raw(writer, text, hd_number_format_real(value, text));
}

void hd_json_writer_bool(struct hd_json_writer *writer, bool value)
{
    hd_json_writer_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void hd_json_writer_null(struct hd_json_writer *writer)
{
    hd_json_writer_raw(writer, "null", 4);
}
