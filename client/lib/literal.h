/*
 * A literal under construction: common/literal.h's columns, and the containers
 * that are open.
 *
 * Attached to a connection (upload.c), a literal is sent in parts. A container
 * that is open at the end of a part is captured: its handle becomes the target
 * of an Extend with what follows in it. So the open containers are always
 *
 *     [ captured ... captured (the base) | in this part ... in this part ]
 *
 * and the top-level nodes of the part go into the base.
 */
#ifndef HEAPD_CLIENT_LITERAL_H
#define HEAPD_CLIENT_LITERAL_H

#include <heapd/heapd.h>

#include "common/handle.h"
#include "common/literal.h"

struct hd_open {
    enum hd_kind kind;
    bool captured;         /* sent already: `handle` is where its further children go */
    size_t count_position; /* of its count in this part's column */
    uint64_t count;        /* children so far, in this part; a key or attribute name counts as one, its value, too */
    uint64_t number;       /* as a container of this part */
    hd_handle handle;
};

#define HD_UPLOAD_WINDOW 16

struct hd_upload {
    struct heapd_connection *connection; /* borrow; NULL: not attached */
    size_t part_bytes;
    uint32_t max_depth;
    hd_handle root;                         /* 0: nothing was sent yet */
    heapd_ticket tickets[HD_UPLOAD_WINDOW]; /* of parts that are not known to have succeeded, oldest first */
    size_t ticket_count;
    uint64_t sent_bytes;
    struct heapd_error failure; /* of the part that failed first */
};

struct heapd_literal {
    struct hd_literal_writer writer;
    struct hd_open *open; /* own */
    size_t open_count;
    size_t open_capacity;
    uint64_t top_count; /* nodes outside of all containers of this part */
    int error;          /* sticks */
    struct hd_upload upload;
};

/* After each node of an attached literal: sends a part if enough has gathered. */
int hd_upload_after_node(struct heapd_literal *literal) HD_MUST_USE;
/* A captured container ends: sends what goes into it, and gives its handle back. */
int hd_upload_close(struct heapd_literal *literal, const struct hd_open *closed) HD_MUST_USE;
/* Forgets what is under way and gives back what is held; detached afterwards. */
void hd_upload_abandon(struct heapd_literal *literal);

#endif
