#include "common/allocator.h"

#include <stdlib.h>
#include <string.h>

static void *libc_resize(void *context, void *pointer, size_t old_bytes, size_t new_bytes)
{
    (void)context;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_bytes);
}

const struct hd_allocator hd_allocator_libc = {libc_resize, NULL};

void *hd_allocator_new_zeroed(const struct hd_allocator *allocator, size_t bytes)
{
    void *pointer = hd_allocator_new(allocator, bytes);
    if (pointer)
        memset(pointer, 0, bytes);
    return pointer;
}
