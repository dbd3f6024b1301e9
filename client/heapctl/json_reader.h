/*
 * JSON text to nodes, as it arrives, in pieces of any size.
 *
 * libyajl finds the tokens and keeps the grammar; this adds what it does not
 * do: exact numbers, limits, refusal of lone surrogates (yajl would
 * put a question mark) and of malformed UTF-8 that it lets pass, and positions
 * as line and column. Names of members come as they stand; a name given twice
 * is the sink's business.
 */
#ifndef HEAPD_HEAPCTL_JSON_READER_H
#define HEAPD_HEAPCTL_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/heapctl/problem.h"
#include "common/buffer.h"
#include "common/literal.h"

/* Takes what is read. Each returns 0, or the error that it put into the problem; then reading ends. */
struct hd_json_sink {
    /*
     * A scalar, or the begin of a list or dict (whose count is not known: 0).
     * The node's bytes are lent until the call returns.
     */
    int (*value)(void *context, const struct hd_node *node, struct hd_problem *problem);
    int (*key)(void *context, const uint8_t *text, size_t count, struct hd_problem *problem);
    /* The innermost container ends. */
    int (*end)(void *context, struct hd_problem *problem);
    void *context; /* borrow */
};

/* What the daemon will not take; so it can be refused with its place in the text. */
struct hd_json_limits {
    uint32_t depth;    /* of containers */
    size_t text_bytes; /* of one string, key or not */
};

struct hd_json_position {
    uint64_t line, column;
};

struct hd_json_reader {
    void *yajl; /* own: yajl_handle */
    struct hd_json_sink sink;
    struct hd_buffer scratch;   /* of big numbers */
    struct hd_problem *problem; /* borrow, during a call */
    int sink_error;             /* what a callback ended with */
    struct hd_json_limits limits;
    uint32_t depth;
    /* Where the current piece began: lines and columns count from 0 in here, columns in characters. */
    struct hd_json_position position;
    /* The last token of the piece that was given to the sink: was there one, and where in the piece it ended. */
    bool given;
    size_t given_end;
    /* A token that an earlier piece began, if `token_begun`: where. */
    struct hd_json_position token;
    bool token_begun;
    /* Escapes can be cut by the end of a piece; so this is a state, see json_reader.c. */
    struct {
        unsigned state, unit;
        size_t start; /* of the escape, in the piece */
        int high;     /* the first half of a surrogate pair was read */
    } escape;
};

/* HD_ENOMEM. */
int hd_json_reader_init(struct hd_json_reader *reader, const struct hd_json_sink *sink,
                        struct hd_json_limits limits) HD_MUST_USE;
/* Takes a reader that was initialised once, in whatever state. */
void hd_json_reader_fini(struct hd_json_reader *reader);

/* Reads the next piece. After an error only fini is allowed. */
int hd_json_reader_feed(struct hd_json_reader *reader, const uint8_t *text, size_t count,
                        struct hd_problem *problem) HD_MUST_USE;
/* The text has ended: it must have been one whole value. */
int hd_json_reader_finish(struct hd_json_reader *reader, struct hd_problem *problem) HD_MUST_USE;

#endif
