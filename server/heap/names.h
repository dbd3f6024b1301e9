/* What the files of this folder share about names. Nobody else includes this. */
#ifndef HEAPD_HEAP_NAMES_H
#define HEAPD_HEAP_NAMES_H

#include "heap/heap.h"

/* Is it a name, and the scope open? HD_EINVALID, HD_EUTF8, HD_ETYPE. */
int hd_names_check(const struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size) HD_MUST_USE;
/* Is it bound in this scope itself? */
int hd_names_has(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, bool *out) HD_MUST_USE;

/* The name has no deadline any more. Takes one that has none. (expiry.c) */
void hd_expiry_forget(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size);
void hd_expiries_fini(struct hd_heap *heap);
const char *hd_expiries_check(const struct hd_heap *heap);

#endif
