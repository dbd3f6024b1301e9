/* In what way one object refers to another: under which index, key, attribute or name. */
#ifndef HEAPD_INSPECT_LABEL_H
#define HEAPD_INSPECT_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/heap.h"

#define HD_LABEL_BYTES 72

/* Numbers of heapd.v1.EdgeKind. */
enum hd_edge_kind {
    HD_EDGE_UNKNOWN = 0,   /* it changed since, or its type does not tell */
    HD_EDGE_INDEX = 1,     /* element `number` */
    HD_EDGE_KEY = 2,       /* the value under the key `text` */
    HD_EDGE_IS_KEY = 3,    /* itself a key */
    HD_EDGE_MEMBER = 4,    /* of a set */
    HD_EDGE_ATTRIBUTE = 5, /* `text` */
    HD_EDGE_CLASS = 6,     /* an instance's */
    HD_EDGE_NAME = 7,      /* `text` in a scope */
    HD_EDGE_NAMES = 8,     /* a scope's dict of names */
    HD_EDGE_PARENT = 9,    /* a scope's */
    HD_EDGE_PART = 10,     /* part `text` of a class, or the number-th reference of some other type */
};

struct hd_edge {
    enum hd_edge_kind kind;
    uint64_t number;
    uint8_t text[HD_LABEL_BYTES]; /* UTF-8, cut short; a str key in quotes */
    uint32_t text_bytes;
};

/* A value as a short text: numbers as they are, str in double quotes, else its type. */
uint32_t hd_label_value(const struct hd_heap *heap, hd_value value, uint8_t out[HD_LABEL_BYTES]);
/* The same without quotes: for names. */
uint32_t hd_label_name(const struct hd_heap *heap, hd_value value, uint8_t out[HD_LABEL_BYTES]);

/* Looks for one reference to `to` among those of `from`, in slices; position is 0 to begin. */
struct hd_edge_search {
    uint32_t from;
    uint32_t to;
    uint64_t position;
};

/*
 * Both are living entries. True: *out says it (HD_EDGE_UNKNOWN: there is none); false: call again. Only for as long as
 * `from` is the same object. *used is the work done, about `units` at most.
 */
bool hd_edge_find(const struct hd_heap *heap, struct hd_edge_search *search, uint64_t units, uint64_t *used,
                  struct hd_edge *out);

#endif
