/*
 * A JSON document becomes objects in the daemon's heap while it is read.
 *
 * A container sends itself in parts and is held by a handle alone until the
 * caller puts it somewhere: so a document that fails half-way changes nothing.
 * A scalar stays in a literal, since it needs no request of its own.
 */
#ifndef HEAPD_HEAPCTL_BUILDER_H
#define HEAPD_HEAPCTL_BUILDER_H

#include <heapd/heapd.h>
#include <stdbool.h>

#include "client/heapctl/json_reader.h"
#include "client/heapctl/problem.h"

struct hd_builder {
    struct heapd_connection *connection; /* borrow */
    struct heapd_literal *literal;       /* own */
    heapd_handle handle;                 /* of the finished container; 0: none */
    bool begun;
    bool attached; /* the document is a container, and travels in parts */
};

/* HD_ENOMEM. The connection is borrowed until fini. */
int hd_builder_init(struct hd_builder *builder, struct heapd_connection *connection) HD_MUST_USE;
/* Releases what was built, too; where it was put, it stays. Takes a builder that was initialised once. */
void hd_builder_fini(struct hd_builder *builder);

/* What a reader must refuse, since the daemon would. */
struct hd_json_limits hd_builder_limits(const struct hd_builder *builder);
/* Where a reader puts the document. */
struct hd_json_sink hd_builder_sink(struct hd_builder *builder);

/* The whole document as a value that requests take; lent until fini. Waits until the daemon has built it. */
int hd_builder_finish(struct hd_builder *builder, struct heapd_value *out, struct hd_problem *problem) HD_MUST_USE;

#endif
