/*
 * The place that a path names in the heap: to read it, to put something there,
 * to take it away.
 */
#ifndef HEAPD_HEAPCTL_TARGET_H
#define HEAPD_HEAPCTL_TARGET_H

#include <heapd/heapd.h>

#include "client/heapctl/path.h"
#include "client/heapctl/problem.h"

/* What lies there. A ref is the caller's to release, the value to clear. */
int hd_target_get(struct heapd_connection *connection, const struct hd_path *path, enum heapd_want want,
                  struct heapd_value *out, struct hd_problem *problem) HD_MUST_USE;
/* Binds the name, or sets the item or attribute. All but the last step must exist. */
int hd_target_set(struct heapd_connection *connection, const struct hd_path *path, struct heapd_value value,
                  struct hd_problem *problem) HD_MUST_USE;
/* Unbinds the name, or deletes the item or attribute. */
int hd_target_delete(struct heapd_connection *connection, const struct hd_path *path,
                     struct hd_problem *problem) HD_MUST_USE;

#endif
