/*
 * Columns of a literal as the bytes of a heapd.v1.Literal, and back: what protobuf-c does, without its table of fields,
 * for literals of many numbers, where it would be most of the work.
 */
#ifndef HEAPD_COMMON_LITERAL_WIRE_H
#define HEAPD_COMMON_LITERAL_WIRE_H

#include "common/literal.h"

/*
 * Writes the message, as protobuf-c would. `to` has room for hd_literal_writer_size_bytes of what the columns are from.
 * Gives how many bytes it has.
 */
size_t hd_literal_pack(const struct hd_columns *columns, uint8_t *to);

/* Memory for the columns of numbers; NULL: none. The bytes themselves are borrowed. */
typedef void *hd_literal_alloc(void *context, size_t bytes);

/*
 * Reads a message: 0 or HD_ENOMEM. 1: it has something that only protobuf-c knows how to read (a field that came twice,
 * say), or is none at all; *out was not changed.
 */
int hd_literal_unpack(const uint8_t *bytes, size_t size, hd_literal_alloc *alloc, void *context,
                      struct hd_columns *out) HD_MUST_USE;

#endif
