/*
 * Literals: a graph of values as flat columns (heapd.v1.Literal), written and
 * read without recursion and without protobuf.
 *
 * The reader trusts nothing: every count is checked against what the columns
 * can still hold before anyone allocates by it. The writer grows its columns
 * within the limit that it was given.
 */
#ifndef HEAPD_COMMON_LITERAL_H
#define HEAPD_COMMON_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/buffer.h"
#include "common/error.h"

/* heapd.v1.Kind, by the same numbers. */
enum hd_kind {
    HD_KIND_NONE = 1,
    HD_KIND_FALSE = 2,
    HD_KIND_TRUE = 3,
    HD_KIND_INT = 4,
    HD_KIND_BIG_INT = 5,
    HD_KIND_FLOAT = 6,
    HD_KIND_STR = 7,
    HD_KIND_BYTES = 8,
    HD_KIND_LIST = 9,
    HD_KIND_TUPLE = 10,
    HD_KIND_DICT = 11,
    HD_KIND_SET = 12,
    HD_KIND_HANDLE = 13,
    HD_KIND_SHARED = 14,
    HD_KIND_INSTANCE = 15,
    HD_KIND_FROZENSET = 16,
};

/* True for the kinds that are followed by children of their own. */
static inline bool hd_kind_is_container(enum hd_kind kind)
{
    return (kind >= HD_KIND_LIST && kind <= HD_KIND_SET) || kind == HD_KIND_INSTANCE || kind == HD_KIND_FROZENSET;
}

/* One node. Which member holds depends on the kind, as the schema says. */
struct hd_node {
    enum hd_kind kind;
    union {
        int64_t integer;
        double real;
        struct {
            const uint8_t *data; /* lend: as long as the columns */
            size_t size;
        } bytes;        /* big int, str, bytes */
        uint64_t count; /* list, tuple, set, frozenset: nodes; dict, instance: pairs */
        uint64_t handle;
        uint64_t shared; /* the number of an earlier container */
    };
};

/* The columns of a literal; the arrays are lent for as long as it is read. */
struct hd_columns {
    const uint8_t *kinds;
    const int64_t *integers;
    const double *reals;
    const uint64_t *sizes;
    const uint8_t *data;
    const uint64_t *counts;
    const uint64_t *handles;
    const uint64_t *shared;
    size_t kind_count;
    size_t integer_count;
    size_t real_count;
    size_t size_count;
    size_t data_bytes;
    size_t count_count;
    size_t handle_count;
    size_t shared_count;
};

struct hd_literal_reader {
    struct hd_columns left; /* what was not read yet */
    size_t promised;        /* nodes that counts have promised and that were not read yet; <= left.kind_count */
    bool part;              /* promised is not kept */
};

/* For a whole literal. The columns' arrays are borrowed for as long as it is read. */
void hd_literal_reader_init(struct hd_literal_reader *reader, const struct hd_columns *columns);
/*
 * For one part of a literal that comes in several (an export): the children of
 * its containers may lie in later parts, so counts are not checked and must not
 * be allocated by.
 */
void hd_literal_reader_init_part(struct hd_literal_reader *reader, const struct hd_columns *columns);

static inline size_t hd_literal_reader_left(const struct hd_literal_reader *reader)
{
    return reader->left.kind_count;
}

/*
 * Reads the next node. HD_EPROTOCOL for an unknown kind, a column that has run
 * out, or a count that promises more nodes than are left when those that
 * earlier counts have promised are taken off. So counts are safe to allocate by
 * even when containers nest: all of them together promise no more nodes than
 * the literal has, one byte each.
 */
int hd_literal_reader_next(struct hd_literal_reader *reader, struct hd_node *out) HD_MUST_USE;

/* 0 when every column was used up, else HD_EPROTOCOL. */
int hd_literal_reader_end(const struct hd_literal_reader *reader) HD_MUST_USE;

struct hd_literal_writer {
    struct hd_buffer kinds;
    struct hd_buffer integers;
    struct hd_buffer reals;
    struct hd_buffer sizes;
    struct hd_buffer data;
    struct hd_buffer counts;
    struct hd_buffer handles;
    struct hd_buffer shared;
    uint64_t container_count; /* containers begun since init or reset */
    size_t varint_bytes;      /* what the columns of integers, sizes, counts, handles and shared take when packed */
};

/* limit_bytes bounds each column. Cannot fail. */
void hd_literal_writer_init(struct hd_literal_writer *writer, const struct hd_allocator *allocator, size_t limit_bytes);
void hd_literal_writer_fini(struct hd_literal_writer *writer);
/* Empties the columns, whose memory is kept for reuse, and numbers containers from 0 again. */
void hd_literal_writer_reset(struct hd_literal_writer *writer);
/* Empties the columns and keeps the numbering: the next part of the same literal. */
void hd_literal_writer_next_part(struct hd_literal_writer *writer);

/*
 * Appends a node. The children of a container follow by further calls; a count
 * that is not known yet can be put right with hd_literal_writer_set_count.
 * HD_ENOMEM, HD_ETOO_LARGE, or HD_EINVALID for an unknown kind; after an error
 * only reset and fini are allowed.
 */
int hd_literal_writer_add(struct hd_literal_writer *writer, const struct hd_node *node) HD_MUST_USE;

/* As that many int nodes, one by one, and much faster. */
int hd_literal_writer_add_ints(struct hd_literal_writer *writer, const int64_t *integers, size_t count) HD_MUST_USE;

/* The position of the next count, to be remembered before a container is added. */
size_t hd_literal_writer_count_position(const struct hd_literal_writer *writer);
void hd_literal_writer_set_count(struct hd_literal_writer *writer, size_t position, uint64_t count);

/* The columns as they are now; lent until the next call that writes. */
void hd_literal_writer_columns(const struct hd_literal_writer *writer, struct hd_columns *out);
/* How many bytes the message takes at most: fewer than 100 too many, never too few. O(1), so fit for asking at each
 * node. */
size_t hd_literal_writer_size_bytes(const struct hd_literal_writer *writer);

#endif
