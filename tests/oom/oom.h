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

/* scenarios.c */
struct hd_key oom_key_of(const char *text);
int oom_new_str(struct oom *oom, const char *text, hd_value *out) HD_MUST_USE;
/* An empty list in a root. */
bool oom_make_list(struct oom *oom, size_t at) HD_MUST_USE;

/* The scenarios by file. */

/* values.c */
void oom_scalars(struct oom *oom);
void oom_lists(struct oom *oom);
void oom_dicts(struct oom *oom);
void oom_large_objects(struct oom *oom);
void oom_sets(struct oom *oom);
void oom_deep_keys(struct oom *oom);
void oom_classes(struct oom *oom);
void oom_names(struct oom *oom);
/* literals.c */
void oom_literals(struct oom *oom);
void oom_extending_a_dict(struct oom *oom);
void oom_walks(struct oom *oom);
/* sequences.c */
void oom_sequences(struct oom *oom);
void oom_set_algebra(struct oom *oom);
void oom_references(struct oom *oom);
/* collections.c */
void oom_young_collections(struct oom *oom);
void oom_full_collections(struct oom *oom);
/* coordination.c */
void oom_coordination(struct oom *oom);
void oom_names_that_end(struct oom *oom);
/* inspection.c */
void oom_inspection(struct oom *oom);
/* buffers.c */
void oom_buffers(struct oom *oom);

#endif
