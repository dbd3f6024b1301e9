/* Looking at what parties hold, one after the other. */
#ifndef HEAPD_OBJECT_SYNC_LIST_H
#define HEAPD_OBJECT_SYNC_LIST_H

#include "object/sync.h"

struct hd_hold_info {
    uint64_t party;
    hd_value object; /* borrow */
    uint64_t thread;
    uint64_t count; /* how often, or units */
};

/* The next of what the party holds, *at being NULL to begin; false: there is no more. Nothing may change in between. */
bool hd_party_next_hold(const struct hd_objects *objects, const struct hd_party *party, const struct hd_hold **at,
                        struct hd_hold_info *out);

#endif
