/*
 * Paths into the heap: countries["3166-1"][0].name
 *
 *     path    = name *( "." name | "[" key "]" )
 *     name    = word | string
 *     word    = one or more characters other than . [ ] " \ and white space
 *     key     = string | integer
 *     string  = a JSON string
 *     integer = [ "-" ] digits
 *
 * The first name is a global one. ".name" is an attribute of an instance or a
 * key of a dict, "[...]" an index of a list or tuple (negative: from the end)
 * or a key of a dict.
 */
#ifndef HEAPD_HEAPCTL_PATH_H
#define HEAPD_HEAPCTL_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "client/heapctl/problem.h"
#include "common/buffer.h"

enum hd_path_step_kind {
    HD_PATH_MEMBER, /* .name */
    HD_PATH_KEY,    /* ["key"] */
    HD_PATH_INDEX,  /* [-1] */
};

struct hd_path_step {
    enum hd_path_step_kind kind;
    int64_t index;
    size_t text_offset; /* of a member or key, into the path's text */
    size_t text_bytes;
};

struct hd_path {
    struct hd_path_step *steps; /* own; the first is the name, a member */
    size_t step_count;          /* >= 1 */
    struct hd_buffer text;      /* all names and keys, decoded */
};

static inline const uint8_t *hd_path_text(const struct hd_path *path, const struct hd_path_step *step)
{
    return hd_buffer_head(&path->text) + step->text_offset;
}

/*
 * HD_ESYNTAX with the column (in characters, from 1), HD_EOVERFLOW for an
 * index beyond 64 bits, HD_ENOMEM. A failed parse leaves nothing to free.
 */
int hd_path_parse(const char *text, struct hd_path *out, struct hd_problem *problem) HD_MUST_USE;
void hd_path_fini(struct hd_path *path);

/*
 * Appends one step as it would be written: for messages that say where in a
 * document something is. The first step of a path is written without a dot.
 */
int hd_path_append_member(struct hd_buffer *out, const void *name, size_t count) HD_MUST_USE;
int hd_path_append_index(struct hd_buffer *out, uint64_t index) HD_MUST_USE;

#endif
