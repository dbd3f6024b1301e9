/*
 * Are the reference counts right? Counts every reference again, in slices, while the
 * heap is in use.
 *
 * References are those of a snapshot, counts are read right behind it, so what changes
 * in between looks like a miscount. Those that do not agree are therefore suspects: a
 * second pass, and a third, must find the same difference at an object of the same
 * identity and count before it is reported. Saturated counts say nothing.
 */
#ifndef HEAPD_INSPECT_AUDIT_H
#define HEAPD_INSPECT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/snapshot.h"

#define HD_AUDIT_SUSPECTS 1024u
/* With three, an object that is busy all the time was now and then at the same counts again by chance. */
#define HD_AUDIT_PASSES 6u

struct hd_suspect {
    uint64_t identity;
    uint32_t count; /* what the table says */
    uint32_t found; /* references that there are */
};

struct hd_audit {
    struct hd_snapshot snapshot;
    struct hd_heap *heap; /* borrow */
    int phase;
    int error;
    unsigned pass;
    uint32_t at;
    uint32_t cursor;
    uint32_t *found; /* by node */
    uint64_t checked_count;
    uint32_t suspect_count;
    uint64_t too_many; /* suspects that there was no room for */
    struct hd_suspect suspects[HD_AUDIT_SUSPECTS];
    uint32_t before_count;
    struct hd_suspect before[HD_AUDIT_SUSPECTS]; /* of the last pass, by identity */
};

void hd_audit_init(struct hd_audit *audit, struct hd_heap *heap);
/* 1: suspects are miscounts; 0: there is more; else as hd_snapshot_step. */
int hd_audit_step(struct hd_audit *audit, uint64_t units, uint64_t *used) HD_MUST_USE;
bool hd_audit_release(struct hd_audit *audit, uint64_t bytes);

#endif
