/* Filling in struct heapd_error, which may be NULL everywhere. */
#ifndef HEAPD_CLIENT_ERROR_H
#define HEAPD_CLIENT_ERROR_H

#include <heapd/heapd.h>

#include "common/error.h"

/* Each returns `code`. The message is the code's own text, the caller's, or "what: errno's text". */
int hd_fail(struct heapd_error *error, int code);
int hd_fail_with(struct heapd_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int hd_fail_errno(struct heapd_error *error, int code, const char *what);
void hd_succeed(struct heapd_error *error);

#endif
