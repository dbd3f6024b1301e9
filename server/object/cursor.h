/*
 * Cursors: iterators as objects.
 *
 * A cursor keeps its container until it came to the end, where it stays. Over a list
 * it goes by index, so that what is appended meanwhile is seen, as Python's list
 * iterator does; of a dict, set, scope, class or instance in which an entry came or
 * went, it gives HD_EITERATION, and goes on only if it is opened anew. To put another
 * value under a key that is there changes nothing for it.
 */
#ifndef HEAPD_OBJECT_CURSOR_H
#define HEAPD_OBJECT_CURSOR_H

#include "object/source.h"

/* Errors of hd_source_begin, HD_ENOMEM. */
int hd_cursor_new(struct hd_objects *objects, hd_value container, enum hd_view view, bool reversed,
                  hd_value *out) HD_MUST_USE;
enum hd_view hd_cursor_view(const struct hd_objects *objects, hd_value cursor);
/* Borrowed; HD_ABSENT at the end. */
hd_value hd_cursor_container(const struct hd_objects *objects, hd_value cursor);
/*
 * Where it stands: 1 and a source to go on with; 0: at the end; HD_EITERATION.
 * The cursor itself moves with hd_cursor_move_to.
 */
int hd_cursor_source(const struct hd_objects *objects, hd_value cursor, struct hd_source *out) HD_MUST_USE;
/* `source` came from it, and the container did not change since; at_end: there are no more. */
void hd_cursor_move_to(struct hd_objects *objects, hd_value cursor, const struct hd_source *source, bool at_end);

#endif
