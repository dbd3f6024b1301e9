/*
 * Why something that a person configured did not work, in a sentence for that
 * person: what is wrong, and what to do. Error codes cannot carry a path.
 */
#ifndef HEAPD_NET_REASON_H
#define HEAPD_NET_REASON_H

#include <stdio.h>

struct hd_reason {
    char text[512]; /* always terminated; longer texts are cut */
};

#define hd_reason_set(reason, ...) ((void)snprintf((reason)->text, sizeof(reason)->text, __VA_ARGS__))

#endif
