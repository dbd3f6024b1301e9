/* An object that a command is about: by path, or by identity (0x...). */
#ifndef HEAPD_HEAPCTL_OBJECT_H
#define HEAPD_HEAPCTL_OBJECT_H

#include <heapd/inspect.h>

#include "client/heapctl/ctl.h"

/* Of a path the handle is the caller's to release. A plain value is HD_ETYPE. */
int hd_ctl_object(struct hd_ctl *ctl, const char *text, struct heapd_object_ref *out) HD_MUST_USE;

#endif
