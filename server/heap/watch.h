/*
 * Subscriptions: who wants to know that a container or a name changed.
 *
 * A container is marked in the collector's state byte (gc.h, "Watching"), which
 * the one function that stores references looks at; nothing else is paid for
 * objects that nobody watches. What was marked and changed comes here, and the
 * subscription gets in line to be told; it stays one in line however often it
 * changes again. At a safe point hd_watch_next takes the first out and marks its
 * object anew.
 *
 * Names are found by a hash of scope and name, when one is bound, unbound or expires.
 */
#ifndef HEAPD_HEAP_WATCH_H
#define HEAPD_HEAP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "gc/gc.h"

struct hd_heap;

/* In memory of the watch's own, from hd_watch_add to hd_watch_remove. */
struct hd_subscription {
    /* For the owner's use. */
    void *owner;
    uint64_t owner_id;
    struct hd_subscription *owner_next;
    struct hd_subscription *owner_previous;
    uint64_t untold_count; /* changes that the owner was not told of; raised by hd_watch_next */
    bool waiting;          /* for the owner to be able to hear */

    uint64_t target;              /* identity of what was subscribed to: the container; of a name: its scope */
    uint64_t identity;            /* of the object that is marked: the container, a scope's names, or a name's scope */
    struct hd_subscription *next; /* of the bucket */
    struct hd_subscription *previous;
    struct hd_subscription *changed_next; /* in line */
    struct hd_subscription *changed_previous;
    bool changed; /* in line */
    uint32_t hash;
    uint32_t name_size; /* 0: no name, a container */
    uint8_t name[];
};

#define HD_WATCH_BUCKETS 1024

struct hd_watch {
    struct hd_watcher watcher;
    struct hd_subscription *buckets[HD_WATCH_BUCKETS];
    struct hd_subscription *changed_first;
    struct hd_subscription *changed_last;
    uint64_t count;
    uint64_t name_count; /* of these, to names */
};

/*
 * For changes that may be undone, in one go: the last in line before them; and, once they were undone, those behind
 * it have not changed.
 */
struct hd_subscription *hd_watch_last(const struct hd_heap *heap);
void hd_watch_forget_behind(struct hd_heap *heap, const struct hd_subscription *last);

/* HD_ENOMEM. */
int hd_watch_init(struct hd_heap *heap) HD_MUST_USE;
void hd_watch_fini(struct hd_heap *heap);

/*
 * Subscribes to a list, dict, set, instance, class, queue, or to the names of a
 * scope (HD_ABSENT: the global one). HD_ETYPE: nothing that changes; HD_ENOMEM.
 */
int hd_watch_add(struct hd_heap *heap, hd_value object, struct hd_subscription **out) HD_MUST_USE;
/* Subscribes to a name of a scope, bound or not. HD_EINVALID, HD_EUTF8, HD_ETYPE, HD_ENOMEM. */
int hd_watch_add_name(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size,
                      struct hd_subscription **out) HD_MUST_USE;
/* Frees it. */
void hd_watch_remove(struct hd_heap *heap, struct hd_subscription *subscription);

/* At a safe point: the first that changed, out of the line; NULL: none. */
struct hd_subscription *hd_watch_next(struct hd_heap *heap);
/* Is one in line? */
bool hd_watch_has_changed(const struct hd_heap *heap);

/* Is what was subscribed to gone: freed, or a scope that was closed? */
bool hd_watch_is_gone(const struct hd_heap *heap, const struct hd_subscription *subscription);
/* The identity to be told: of the container; of a name: of what is bound, 0 if that is nothing or an inline value. */
uint64_t hd_watch_identity(struct hd_heap *heap, const struct hd_subscription *subscription, bool *bound);

/* For names.c: the name was bound, unbound, added to, or expired. */
void hd_watch_name_changed(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size);

#endif
