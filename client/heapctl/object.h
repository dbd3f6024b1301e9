/* An object that a command is about: by path, or by identity (0x...). */
#ifndef HEAPD_HEAPCTL_OBJECT_H
#define HEAPD_HEAPCTL_OBJECT_H

#include <heapd/inspect.h>

#include "client/heapctl/ctl.h"

/* Of a path the handle is the caller's to release. A plain value is HD_ETYPE. */
int hd_ctl_object(struct hd_ctl *ctl, const char *text, struct heapd_object_ref *out) HD_MUST_USE;

/* The identity of an object; nothing is held afterwards. */
int hd_ctl_identity(struct hd_ctl *ctl, const char *text, uint64_t *out) HD_MUST_USE;

/* A root in words, for people; and its kind in one word. */
void hd_ctl_print_root(const struct heapd_root *root);
const char *hd_ctl_root_name(enum heapd_root_kind kind);

#endif
