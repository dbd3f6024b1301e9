/* Subscriptions, names that end: events.c. */
#ifndef HEAPD_RPC_EVENTS_H
#define HEAPD_RPC_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct hd_rpc_connection;
struct hd_rpc_server;

/* At a safe point: tells what changed, of `count` subscriptions at most. True if more changed. */
bool hd_events_tell(struct hd_rpc_server *server, uint64_t count);
/* After a request: tells some; hd_rpc_run the rest. */
void hd_events_after(struct hd_rpc_server *server);
/* Its output has drained. */
void hd_events_drained(struct hd_rpc_connection *connection);
/* All its subscriptions end. */
void hd_events_end(struct hd_rpc_connection *connection);
/* The moment at which a name that now gets a time to live ends; what is left until one, -1: no end. */
uint64_t hd_names_moment(const struct hd_rpc_server *server, uint64_t ttl_ms);
int64_t hd_names_left_ms(const struct hd_rpc_server *server, uint64_t at);
/* Names whose moment has come are unbound, some at a time. True if there are more. */
bool hd_names_expire(struct hd_rpc_server *server);

#endif
