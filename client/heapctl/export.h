/* What an object reaches, as JSON text on a stream. */
#ifndef HEAPD_HEAPCTL_EXPORT_H
#define HEAPD_HEAPCTL_EXPORT_H

#include <heapd/heapd.h>
#include <stdio.h>

#include "client/heapctl/document_writer.h"
#include "client/heapctl/problem.h"

/*
 * Writes a plain value, or all that a ref reaches; root_path is what messages
 * call it. HD_ECHANGED if someone changed it meanwhile: the text is cut short
 * then, as after any other error. Errors of the stream are left to ferror.
 */
int hd_export_write(struct heapd_connection *connection, const struct heapd_value *value,
                    const struct hd_document_options *options, const char *root_path, FILE *stream,
                    struct hd_problem *problem) HD_MUST_USE;

#endif
