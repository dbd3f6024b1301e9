/* What the fuzz targets share: the entry point, and a check that holds in every build. */
#ifndef HEAPD_TESTS_FUZZ_FUZZ_H
#define HEAPD_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Runs one input, lent for the call. Returns 0, or -1 for an input that is not
 * worth keeping in a corpus. Must not keep state from one call to the next.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As assert, but not switched off by NDEBUG: a release build replays the corpora too. */
#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#endif
