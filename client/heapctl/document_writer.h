/*
 * The nodes of an export, written as JSON text.
 *
 * Lists, tuples and sets become arrays, dicts and instances objects. A key that
 * is a number, a bool or none becomes text, as Python's json has it. What JSON
 * cannot hold is refused, with the path to it: cycles, bytes (unless base64 is
 * asked for), NaN and infinities, and keys that are tuples.
 *
 * JSON has no way to say "once more", so a shared part is written out again.
 * For that every node is kept, packed, until the end: about as much memory as
 * the text takes. Nothing recurses: replaying a part within a part is a stack.
 */
#ifndef HEAPD_HEAPCTL_DOCUMENT_WRITER_H
#define HEAPD_HEAPCTL_DOCUMENT_WRITER_H

#include <heapd/heapd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/heapctl/json_writer.h"
#include "client/heapctl/problem.h"
#include "common/buffer.h"

struct hd_document_options {
    struct hd_json_layout layout;
    bool bytes_as_base64;
};

struct hd_document_writer {
    struct hd_json_writer json;
    struct hd_buffer root;       /* the path of the whole, for messages */
    struct hd_buffer log;        /* the nodes so far, packed */
    struct hd_buffer containers; /* uint64_t each: where in the log it begins; OPEN_BIT while it is open */
    struct hd_buffer levels;     /* struct level each: the containers open in the text */
    struct hd_buffer replays;    /* struct replay each: shared parts that are being written again */
    struct hd_buffer scratch;    /* digits and base64 */
    bool bytes_as_base64;
};

/* root_path: what the whole is called in messages, NUL-terminated, copied. HD_ENOMEM. */
int hd_document_writer_init(struct hd_document_writer *writer, FILE *stream, const struct hd_document_options *options,
                            const char *root_path) HD_MUST_USE;
/* Takes a writer that was initialised once, in whatever state. */
void hd_document_writer_fini(struct hd_document_writer *writer);

/* Writes the next node, and all that it stands for. After an error only fini is allowed. */
int hd_document_writer_node(struct hd_document_writer *writer, const struct heapd_node *node,
                            struct hd_problem *problem) HD_MUST_USE;

#endif
