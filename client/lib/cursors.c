/* The Containers service: cursors. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/containers.pb-c.h"

static void fill_open(Heapd__V1__OpenCursorRequest *message, heapd_handle container, enum heapd_view view,
                      bool reversed, struct hd_call *call)
{
    heapd__v1__open_cursor_request__init(message);
    message->object = container;
    message->view = (Heapd__V1__View)view;
    message->reversed = reversed;
    *call = (struct hd_call){.method = HEAPD_METHOD_OPEN_CURSOR, .message = &message->base, .into = &message->into};
}

int heapd_open_cursor(struct heapd_connection *connection, heapd_handle container, enum heapd_view view, bool reversed,
                      heapd_handle *out, struct heapd_error *error)
{
    Heapd__V1__OpenCursorRequest message;
    struct hd_call call;
    fill_open(&message, container, view, reversed, &call);
    return hd_sync_handle(connection, &call, 0, out, error);
}

int heapd_begin_open_cursor(struct heapd_connection *connection, heapd_handle container, enum heapd_view view,
                            bool reversed, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__OpenCursorRequest message;
    struct hd_call call;
    fill_open(&message, container, view, reversed, &call);
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

static void fill_read(Heapd__V1__ReadCursorRequest *message, heapd_handle cursor, uint32_t count, uint32_t slots,
                      struct hd_call *call)
{
    heapd__v1__read_cursor_request__init(message);
    message->cursor = cursor;
    message->count = count;
    message->slots = slots;
    *call = (struct hd_call){.method = HEAPD_METHOD_READ_CURSOR,
                             .message = &message->base,
                             .captures_into = slots ? &message->into : NULL,
                             .capture_count = slots};
}

int heapd_read_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count, uint32_t slots,
                      struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__ReadCursorRequest message;
    struct hd_call call;
    fill_read(&message, cursor, count, slots, &call);
    return hd_call_sync(connection, &call, 0, result, error);
}

int heapd_begin_read_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count, uint32_t slots,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__ReadCursorRequest message;
    struct hd_call call;
    fill_read(&message, cursor, count, slots, &call);
    return hd_call_begin(connection, &call, 0, ticket, error);
}

int heapd_describe_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count,
                          struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__ReadCursorRequest message;
    struct hd_call call;
    fill_read(&message, cursor, count, 0, &call);
    message.describe = true;
    return hd_call_sync(connection, &call, 0, result, error);
}
