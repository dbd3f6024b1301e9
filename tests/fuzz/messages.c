/*
 * Any bytes, taken for any message of any service: unpacking with an allocator
 * that gives a multiple of the input neither crashes nor leaks, and fails
 * cleanly when that is not enough; what was unpacked packs to a message of the
 * size that was told, and that one unpacks again within its own multiple.
 *
 * The limit is not idle. A message field that stands there twice is merged:
 * each time its repeated fields are copied into new memory, so a few kilobytes
 * of them ask for megabytes, by the square of the input, before anything is
 * freed. No encoder writes that, and the limit refuses it.
 *
 * Fields that the schema does not know are kept by the decoder. One thing is
 * odd about them: field number 0 is refused when its tag is one byte and taken
 * when it is written longer, so what is packed again may be refused. Nobody
 * here packs what was unpacked with unknown fields, so such messages are only
 * measured.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "heapd/v1/admin.pb-c.h"
#include "heapd/v1/gc.pb-c.h"
#include "heapd/v1/inspect.pb-c.h"
#include "heapd/v1/names.pb-c.h"
#include "heapd/v1/object.pb-c.h"
#include "heapd/v1/session.pb-c.h"
#include "heapd/v1/tags.pb-c.h"
#include "heapd/v1/value.pb-c.h"

/*
 * What unpacking asks for in all, freed or not, of a message as an encoder
 * writes it. The worst is a field of two bytes that makes a message.
 * FUZZ_WORST=1 prints what each input took.
 */
#define BYTES_PER_INPUT_BYTE 96
#define BYTES_BESIDE 4096

static const ProtobufCServiceDescriptor *const services[] = {
    &heapd__v1__session__descriptor, &heapd__v1__objects__descriptor, &heapd__v1__names__descriptor,
    &heapd__v1__gc__descriptor,      &heapd__v1__admin__descriptor,   &heapd__v1__inspect__descriptor,
    &heapd__v1__tags__descriptor,
};

struct arena {
    size_t asked_bytes; /* ever */
    size_t limit_bytes;
    size_t live_count;
    bool refused;
};

/* Enough for whatever merging asks of the inputs here; a sanitizer's own allocator bears it. */
#define GENEROUS_BYTES ((size_t)256 << 20)

static void *arena_get(void *context, size_t bytes)
{
    struct arena *arena = context;
    if (bytes > arena->limit_bytes - arena->asked_bytes) {
        arena->refused = true;
        return NULL;
    }
    void *block = malloc(bytes ? bytes : 1);
    FUZZ_CHECK(block);
    arena->asked_bytes += bytes;
    arena->live_count++;
    return block;
}

static void arena_put(void *context, void *block)
{
    struct arena *arena = context;
    if (!block)
        return;
    FUZZ_CHECK(arena->live_count > 0);
    arena->live_count--;
    free(block);
}

static size_t limit_of(size_t size)
{
    return size * BYTES_PER_INPUT_BYTE + BYTES_BESIDE;
}

/* Unpacks and frees, and tells what became of it: memory asked for, refused, and whether there was a message. */
static struct arena try_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                               size_t limit_bytes, bool *fits)
{
    struct arena arena = {.limit_bytes = limit_bytes};
    ProtobufCAllocator allocator = {arena_get, arena_put, &arena};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, data);
    *fits = message != NULL;
    if (message)
        protobuf_c_message_free_unpacked(message, &allocator);
    FUZZ_CHECK(arena.live_count == 0);
    FUZZ_CHECK(!arena.refused || !*fits);
    return arena;
}

/* The message or messages of a field; NULL if it is of another type, or is not set. */
static ProtobufCMessage *const *submessages(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                            size_t *count)
{
    const uint8_t *base = (const uint8_t *)message;
    *count = 0;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return NULL;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(count, base + field->quantifier_offset, sizeof *count);
        return *(ProtobufCMessage *const *const *)(const void *)(base + field->offset);
    }
    uint32_t which = field->id;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        memcpy(&which, base + field->quantifier_offset, sizeof which);
    ProtobufCMessage *const *one = (ProtobufCMessage *const *)(const void *)(base + field->offset);
    *count = which == field->id && *one;
    return one;
}

/* Recurses as deep as the schema nests messages: a few levels, since no message is recursive. */
static bool has_unknown_fields(const ProtobufCMessage *message)
{
    if (message->n_unknown_fields)
        return true;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        size_t count;
        ProtobufCMessage *const *children = submessages(message, &message->descriptor->fields[i], &count);
        for (size_t j = 0; j < count; j++)
            if (has_unknown_fields(children[j]))
                return true;
    }
    return false;
}

/* Packs what the bytes hold, own, as an encoder would; NULL if they are no message after all. */
static uint8_t *pack_again(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                           size_t *packed_bytes, bool *unknown)
{
    struct arena arena = {.limit_bytes = GENEROUS_BYTES};
    ProtobufCAllocator allocator = {arena_get, arena_put, &arena};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, data);
    if (!message)
        return NULL;
    *unknown = has_unknown_fields(message);
    *packed_bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(*packed_bytes ? *packed_bytes : 1);
    FUZZ_CHECK(packed);
    FUZZ_CHECK(protobuf_c_message_pack(message, packed) == *packed_bytes);
    protobuf_c_message_free_unpacked(message, &allocator);
    return packed;
}

static void check_packed(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    size_t packed_bytes;
    bool unknown, fits;
    uint8_t *packed = pack_again(type, data, size, &packed_bytes, &unknown);
    if (!packed)
        return;
    struct arena arena = try_unpack(type, packed, packed_bytes, limit_of(packed_bytes), &fits);
    FUZZ_CHECK(!arena.refused);
    FUZZ_CHECK(fits || unknown);
    if (fits) {
        size_t again_bytes;
        uint8_t *again = pack_again(type, packed, packed_bytes, &again_bytes, &unknown);
        FUZZ_CHECK(again && again_bytes == packed_bytes && memcmp(again, packed, packed_bytes) == 0);
        free(again);
    }
    free(packed);
}

static void run_message(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    bool fits;
    struct arena arena = try_unpack(type, data, size, limit_of(size), &fits);
    if (getenv("FUZZ_WORST"))
        fprintf(stderr, "%s: %zu bytes of input, %zu bytes of memory%s\n", type->name, size, arena.asked_bytes,
                arena.refused ? ", and more was refused" : "");
    if (fits || arena.refused)
        check_packed(type, data, size);
    /* With half of what it took it must fail, and clean up behind itself. */
    if (fits) {
        try_unpack(type, data, size, arena.asked_bytes / 2, &fits);
        FUZZ_CHECK(!fits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        for (unsigned j = 0; j < services[i]->n_methods; j++) {
            run_message(services[i]->methods[j].input, data, size);
            run_message(services[i]->methods[j].output, data, size);
        }
    }
    run_message(&heapd__v1__error__descriptor, data, size);
    return 0;
}
