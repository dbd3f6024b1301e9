/* Descriptors that travel with replies: they wait beside the output until the layer above has sent them. */
#include <assert.h>
#include <unistd.h>

#include "rpc/private.h"

struct hd_passing {
    struct hd_passing *next;
    uint64_t position; /* of its frame, in bytes of output since the beginning of the connection */
    int fd;            /* own */
};

/* Where a frame's header says how many descriptors come with it. */
#define DESCRIPTORS_OFFSET 7

int hd_reply_passing(struct hd_call *call, const ProtobufCMessage *message, int fd)
{
    struct hd_rpc_connection *connection = call->connection;
    struct hd_buffer *output = &connection->output;
    struct hd_passing_list *list = &connection->passing;
    size_t before = hd_buffer_readable(output);
    struct hd_passing *passing = hd_allocator_new(call->server->allocator, sizeof *passing);
    if (!passing)
        return HD_ENOMEM;
    int error = hd_reply_message(call, message, 0);
    if (error) {
        hd_allocator_free(call->server->allocator, passing, sizeof *passing);
        return error;
    }
    hd_buffer_head(output)[before + DESCRIPTORS_OFFSET] = 1;
    *passing = (struct hd_passing){.position = list->sent_bytes + before, .fd = fd};
    if (list->last)
        list->last->next = passing;
    else
        list->first = passing;
    list->last = passing;
    list->count++;
    return 0;
}

int hd_rpc_next_descriptor(const struct hd_rpc_connection *connection, size_t *before)
{
    const struct hd_passing *first = connection->passing.first;
    if (!first)
        return -1;
    assert(first->position >= connection->passing.sent_bytes);
    *before = (size_t)(first->position - connection->passing.sent_bytes);
    return first->fd;
}

size_t hd_rpc_descriptor_reach(const struct hd_rpc_connection *connection, size_t count)
{
    const struct hd_passing *first = connection->passing.first;
    if (!first || !first->next)
        return count;
    uint64_t reach = first->next->position - connection->passing.sent_bytes;
    return reach < count ? (size_t)reach : count;
}

void hd_rpc_descriptor_sent(struct hd_rpc_connection *connection)
{
    struct hd_passing_list *list = &connection->passing;
    struct hd_passing *first = list->first;
    list->first = first->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    close(first->fd);
    hd_allocator_free(connection->server->allocator, first, sizeof *first);
}

void hd_passing_fini(struct hd_rpc_connection *connection)
{
    while (connection->passing.first)
        hd_rpc_descriptor_sent(connection);
}
