/* What scenarios see of the test: a heap, roots, and how to look at an error. */
#ifndef HEAPD_TESTS_OOM_OOM_H
#define HEAPD_TESTS_OOM_OOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap/heap.h"
#include "support/os_fault.h"

enum { OOM_ROOTS = 16 };

struct oom {
    const char *name;
    struct hd_os_fault os;
    struct hd_heap *heap;
    struct hd_objects *objects;
    struct hd_gc *gc;
    struct hd_root_source source;
    hd_value roots[OOM_ROOTS]; /* own; released in the end */
    uint64_t fail_at;          /* the allocation that fails, counted from 1; 0: none */
    bool fail_from;            /* and all later ones */
    uint64_t calls;
    uint64_t failures;
    uint64_t before; /* what the heap looked like at oom_begin */
};

struct oom_scenario {
    const char *name;
    void (*run)(struct oom *oom);
    uint32_t threshold; /* of generation 0 */
};

extern const struct oom_scenario oom_scenarios[];
extern const size_t oom_scenario_count;

/* True for success; else it must be for want of memory, and all checks hold. */
bool oom_ok(struct oom *oom, int error) HD_MUST_USE;
/* Remembers what there is; and as oom_ok, but nothing of that may have changed. */
void oom_begin(struct oom *oom);
bool oom_unchanged(struct oom *oom, int error) HD_MUST_USE;
void oom_check(struct oom *oom);
/* Puts a value (steal) into a root. */
void oom_root(struct oom *oom, size_t at, hd_value value);

/* inspection.c */
void oom_inspection(struct oom *oom);
/* buffers.c */
void oom_buffers(struct oom *oom);

#endif
