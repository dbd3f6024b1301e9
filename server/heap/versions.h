/*
 * Versions of objects: has it changed since it was asked about?
 *
 * A side table: objects that nobody asks about pay nothing. An entry is armed by
 * asking, and its number is raised at the first change after that, through the bit
 * that watchers share (HD_STATE_WATCHED). The table has a fixed number of
 * entries, in sets of HD_VERSION_WAYS; the one that was asked for longest ago makes
 * room, and what was forgotten counts as changed.
 */
#ifndef HEAPD_HEAP_VERSIONS_H
#define HEAPD_HEAP_VERSIONS_H

#include "heap/heap.h"

#define HD_VERSION_SETS 2048u
#define HD_VERSION_WAYS 8u

struct hd_version {
    uint64_t identity; /* 0: none */
    uint64_t number;
    uint64_t before; /* number > mark > 0: what it was at the mark */
    uint64_t asked;  /* when it was asked for last, by hd_versions.clock */
};

struct hd_versions {
    struct hd_watcher watcher;
    struct hd_gc *gc; /* borrow */
    uint64_t clock;
    uint64_t mark; /* the clock when what may be put back began; 0: nothing may */
    struct hd_version entries[HD_VERSION_SETS * HD_VERSION_WAYS];
};

/* HD_ENOMEM. */
int hd_versions_new(struct hd_heap *heap, struct hd_versions **out) HD_MUST_USE;
/* Takes NULL. */
void hd_versions_free(struct hd_heap *heap, struct hd_versions *versions);
/* Of a reference. Never 0. */
uint64_t hd_versions_ask(struct hd_versions *versions, hd_value object);
/*
 * Around changes that may all be undone: then each object has the version again that it had. Nobody asks meanwhile.
 * Both take NULL. Closing looks through the table if something that was asked about has changed.
 */
void hd_versions_open(struct hd_versions *versions);
void hd_versions_close(struct hd_versions *versions, bool put_back);
/* Has it still this version? */
bool hd_versions_hold(const struct hd_versions *versions, hd_value object, uint64_t number);

#endif
