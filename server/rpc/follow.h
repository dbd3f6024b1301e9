/*
 * Follow: a request that stays open and tells of what happens: objects that die,
 * collections, requests. Each event has a number; the frames of its reply are its
 * events, so it is bound by the room of the output as any other.
 *
 * Room is made when it begins: each object has its own place, which is all that its
 * death needs. Collections and requests go into a ring; what finds no place there is
 * counted as lost, and that is told.
 */
#ifndef HEAPD_RPC_FOLLOW_H
#define HEAPD_RPC_FOLLOW_H

#include "rpc/private.h"

#define HD_FOLLOW_OBJECTS_MAX 65536u
#define HD_FOLLOW_BUCKETS 4096u

struct hd_follow;

/* One object that somebody wants to know the end of. */
struct hd_obituary {
    struct hd_obituary *next; /* of its bucket; once it died: of the follow, in the order of deaths */
    struct hd_follow *follow;
    uint64_t identity;
    uint64_t sequence; /* 0: it lives */
};

struct hd_followers {
    struct hd_follow *first;
    uint32_t request_count;    /* that want to know of requests */
    uint32_t collection_count; /* of collections */
    uint64_t collections[HD_GENERATIONS];
    uint64_t collected[HD_GENERATIONS];
    bool full_under_way;
    struct hd_obituary *buckets[HD_FOLLOW_BUCKETS];
};

/* Looks what the collector has done since. Only while collection_count is not 0. */
void hd_follow_collections(struct hd_rpc_server *server);
/* A request was run. Only while request_count is not 0. */
void hd_follow_request(struct hd_rpc_connection *connection, uint16_t method, uint32_t body_bytes, bool failed);
void hd_followers_free(struct hd_rpc_server *server);

#endif
