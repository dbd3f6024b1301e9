#include "client/heapctl/texts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PRIME ((UINT64_C(1) << 61) - 1)
#define SLOTS_MIN 1024u

void hd_texts_init(struct hd_texts *texts)
{
    *texts = (struct hd_texts){.base = 0x0123456789abcdef % PRIME};
    uint64_t random;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) == (ssize_t)sizeof random)
        texts->base = random % (PRIME - 257) + 256;
}

void hd_texts_fini(struct hd_texts *texts)
{
    free(texts->bytes);
    free(texts->places);
    free(texts->slots);
    *texts = (struct hd_texts){.bytes = NULL};
}

/* A polynomial at a random place, modulo a prime: nobody can choose texts that all have one hash. */
static uint64_t hash_of(const struct hd_texts *texts, const char *text, size_t size)
{
    uint64_t hash = size % PRIME;
    for (size_t i = 0; i < size; i++) {
        unsigned __int128 product = (unsigned __int128)hash * texts->base + (unsigned char)text[i] + 1;
        hash = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);
        hash = hash >= PRIME ? hash - PRIME : hash;
    }
    return hash;
}

static bool grow(void **memory, size_t *capacity, size_t needed, size_t each)
{
    size_t more = *capacity ? *capacity : SLOTS_MIN;
    if (needed <= *capacity)
        return true;
    while (more < needed)
        more *= 2;
    void *grown = more > SIZE_MAX / each ? NULL : realloc(*memory, more * each);
    if (!grown)
        return false;
    *memory = grown;
    *capacity = more;
    return true;
}

static bool grow_slots(struct hd_texts *texts)
{
    if ((texts->count + 1) * 4 <= texts->slot_count * 3)
        return true;
    size_t count = texts->slot_count ? texts->slot_count * 2 : SLOTS_MIN;
    size_t *slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < texts->count; i++) {
        size_t at = (size_t)texts->places[i].hash & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = i + 1;
    }
    free(texts->slots);
    texts->slots = slots;
    texts->slot_count = count;
    return true;
}

uint64_t hd_texts_add(struct hd_texts *texts, const char *text, size_t size)
{
    if (texts->failed || !grow_slots(texts)) {
        texts->failed = true;
        return 0;
    }
    uint64_t hash = hash_of(texts, text, size);
    size_t at = (size_t)hash & (texts->slot_count - 1);
    for (; texts->slots[at]; at = (at + 1) & (texts->slot_count - 1)) {
        const struct hd_text_place *place = &texts->places[texts->slots[at] - 1];
        if (place->hash == hash && place->size == size &&
            (size == 0 || memcmp(texts->bytes + place->offset, text, size) == 0))
            return texts->slots[at] - 1;
    }
    if (!grow((void **)&texts->places, &texts->capacity, texts->count + 1, sizeof *texts->places) ||
        !grow((void **)&texts->bytes, &texts->byte_capacity, texts->byte_count + size + 1, 1)) {
        texts->failed = true;
        return 0;
    }
    texts->places[texts->count] = (struct hd_text_place){hash, texts->byte_count, size};
    if (size)
        memcpy(texts->bytes + texts->byte_count, text, size);
    texts->byte_count += size;
    texts->slots[at] = ++texts->count;
    return texts->count - 1;
}
