/* Texts, each once: what a snapshot's nodes and edges are called, by number. */
#ifndef HEAPD_HEAPCTL_TEXTS_H
#define HEAPD_HEAPCTL_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hd_text_place {
    uint64_t hash;
    size_t offset;
    size_t size;
};

/*
 *     slots[..] are 0 or the number of a text + 1; fewer than three quarters of them are not 0
 *     bytes holds the texts, one behind the other, in the order of their numbers
 */
struct hd_texts {
    char *bytes; /* own, as what follows */
    size_t byte_count;
    size_t byte_capacity;
    struct hd_text_place *places;
    size_t count;
    size_t capacity;
    size_t *slots;
    size_t slot_count; /* a power of two, or 0 */
    uint64_t base;     /* of the hash: random, since the texts are somebody else's choice */
    bool failed;       /* no memory: all that follows is number 0 */
};

void hd_texts_init(struct hd_texts *texts);
void hd_texts_fini(struct hd_texts *texts);
/* Its number: that of an equal one, or the next. */
uint64_t hd_texts_add(struct hd_texts *texts, const char *text, size_t size);

#endif
