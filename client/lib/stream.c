#include "client/lib/stream.h"

#include <stdlib.h>
#include <string.h>

int hd_stream_push(struct hd_stream *stream, const uint8_t *body, size_t bytes)
{
    struct hd_stream_part *part = malloc(sizeof *part + bytes);
    if (!part)
        return HD_ENOMEM;
    part->next = NULL;
    part->bytes = bytes;
    if (bytes)
        memcpy(part->data, body, bytes);
    if (stream->last)
        stream->last->next = part;
    else
        stream->first = part;
    stream->last = part;
    return 0;
}

struct hd_stream_part *hd_stream_pop(struct hd_stream *stream)
{
    struct hd_stream_part *part = stream->first;
    if (!part)
        return NULL;
    stream->first = part->next;
    if (!stream->first)
        stream->last = NULL;
    part->next = NULL;
    return part;
}

void hd_stream_fini(struct hd_stream *stream)
{
    struct hd_stream_part *part;
    while ((part = hd_stream_pop(stream)))
        free(part);
}
