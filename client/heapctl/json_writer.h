/*
 * JSON text, written as it comes: commas, indentation and escapes.
 *
 * The caller says what comes next, in order; inside an object each value
 * follows its key. Nothing is recursive: the open containers are a stack of
 * one byte each. Write errors are the stream's: ask ferror at the end.
 */
#ifndef HEAPD_HEAPCTL_JSON_WRITER_H
#define HEAPD_HEAPCTL_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buffer.h"

struct hd_json_layout {
    unsigned indent; /* spaces a level; 0: all in one line */
    bool compact;    /* no space after , and : */
    bool ascii;      /* escape everything beyond ASCII */
};

struct hd_json_writer {
    FILE *stream; /* borrow */
    struct hd_json_layout layout;
    struct hd_buffer open; /* what was opened and not closed: '[', '{', or with items in it 'l', 'd' */
    bool after_key;
};

/* Cannot fail. The stream is borrowed until fini. */
void hd_json_writer_init(struct hd_json_writer *writer, FILE *stream, const struct hd_json_layout *layout);
void hd_json_writer_fini(struct hd_json_writer *writer);

static inline size_t hd_json_writer_depth(const struct hd_json_writer *writer)
{
    return hd_buffer_readable(&writer->open);
}

/* HD_ENOMEM. */
int hd_json_writer_begin_array(struct hd_json_writer *writer) HD_MUST_USE;
int hd_json_writer_begin_object(struct hd_json_writer *writer) HD_MUST_USE;
/* Closes the innermost container. */
void hd_json_writer_end(struct hd_json_writer *writer);

/* `text` is UTF-8 and may hold NUL. */
void hd_json_writer_key(struct hd_json_writer *writer, const void *text, size_t count);
void hd_json_writer_string(struct hd_json_writer *writer, const void *text, size_t count);
/* Characters that are JSON already: numbers, true, false, null. */
void hd_json_writer_raw(struct hd_json_writer *writer, const char *text, size_t count);
void hd_json_writer_int(struct hd_json_writer *writer, int64_t value);
void hd_json_writer_uint(struct hd_json_writer *writer, uint64_t value);
/* `value` is finite. */
void hd_json_writer_real(struct hd_json_writer *writer, double value);
void hd_json_writer_bool(struct hd_json_writer *writer, bool value);
void hd_json_writer_null(struct hd_json_writer *writer);

#endif
