/* A little that goes into a large table. For combine.c. */
#ifndef HEAPD_OBJECT_COMBINE_SMALL_H
#define HEAPD_OBJECT_COMBINE_SMALL_H

#include "object/combine.h"

/*
 * Combines in place if what comes has few elements: all that can fail first, then the
 * change. 1: done; 0: there is too much of it, and nothing was done; or an error.
 */
int hd_combine_small(struct hd_combine *combine) HD_MUST_USE;

#endif
