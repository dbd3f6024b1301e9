/* Reports: public structs whose memory is an arena that the daemon's message was unpacked in. */
#ifndef HEAPD_CLIENT_REPORT_H
#define HEAPD_CLIENT_REPORT_H

#include "client/lib/parts.h"
#include "heapd/v1/inspect.pb-c.h"

/*
 * Asks, and unpacks the answer in a new arena, which becomes report->memory only
 * by hd_report_done; else hd_report_drop frees it.
 */
struct hd_report {
    struct hd_arena *arena; /* own */
    void *message;
};
int hd_report_ask(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *reply, struct hd_report *out,
                  struct heapd_error *error) HD_MUST_USE;
void hd_report_drop(struct hd_report *report);
/* Zeroed memory of the report; NULL: none. */
void *hd_report_alloc(struct hd_report *report, size_t count, size_t size);

void hd_report_root(const Heapd__V1__Root *from, struct heapd_root *to);

#endif
