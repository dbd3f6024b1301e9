/* Redis, memcached and an echo: the operations that are nearest to ours, in their own words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bench/protocol.h"

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

static uint8_t *put_decimal(uint8_t *to, uint64_t number)
{
    uint8_t digits[20];
    size_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        *to++ = digits[--count];
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t count)
{
    memcpy(to, bytes, count);
    return to + count;
}

static uint8_t *put_key(uint8_t *to, const char *prefix, uint64_t number)
{
    to = put_text(to, prefix);
    hd_bench_key(to, number);
    return to + HD_BENCH_KEY_BYTES;
}

/* ---- Redis ---------------------------------------------------------------- */

static uint8_t *put_count(uint8_t *to, char kind, uint64_t count)
{
    *to++ = (uint8_t)kind;
    to = put_decimal(to, count);
    return put_text(to, "\r\n");
}

static uint8_t *put_bulk(uint8_t *to, const void *bytes, size_t count)
{
    to = put_count(to, '$', count);
    return put_text(put_bytes(to, bytes, count), "\r\n");
}

static uint8_t *put_word(uint8_t *to, const char *word)
{
    return put_bulk(to, word, strlen(word));
}

static uint8_t *put_redis_key(uint8_t *to, const char *prefix, uint64_t number)
{
    uint8_t key[64];
    return put_bulk(to, key, (size_t)(put_key(key, prefix, number) - key));
}

static uint8_t *redis_ping(struct hd_bench_stream *stream, uint8_t *to)
{
    (void)stream;
    return put_word(put_count(to, '*', 1), "PING");
}

static uint8_t *redis_get(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_redis_key(put_word(put_count(to, '*', 2), "GET"), "", hd_bench_keys_next(&stream->keys));
}

static uint8_t *redis_set(struct hd_bench_stream *stream, uint8_t *to)
{
    to = put_redis_key(put_word(put_count(to, '*', 3), "SET"), "", hd_bench_keys_next(&stream->keys));
    return put_bulk(to, stream->value, stream->value_bytes);
}

static uint8_t *redis_exists(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_redis_key(put_word(put_count(to, '*', 2), "EXISTS"), "", hd_bench_keys_next(&stream->keys));
}

/* Always the first: in the middle of a list of Redis's an index is looked for, node by node. */
static uint8_t *redis_lindex(struct hd_bench_stream *stream, uint8_t *to)
{
    (void)stream;
    to = put_word(put_count(to, '*', 3), "LINDEX");
    return put_word(put_word(to, "heapd-bench:list"), "0");
}

static uint8_t *redis_lset(struct hd_bench_stream *stream, uint8_t *to)
{
    to = put_word(put_count(to, '*', 4), "LSET");
    return put_bulk(put_word(put_word(to, "heapd-bench:list"), "0"), stream->value, stream->value_bytes);
}

static uint8_t *redis_rpush(struct hd_bench_stream *stream, uint8_t *to)
{
    to = put_word(put_count(to, '*', 3), "RPUSH");
    return put_bulk(put_word(to, "heapd-bench:growing"), stream->value, stream->value_bytes);
}

static uint8_t *redis_incr(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_redis_key(put_word(put_count(to, '*', 2), "INCR"), "count:", hd_bench_keys_next(&stream->keys));
}

static uint8_t *redis_length(struct hd_bench_stream *stream, uint8_t *to)
{
    (void)stream;
    return put_word(put_word(put_count(to, '*', 2), "LLEN"), "heapd-bench:list");
}

static uint8_t *redis_fill(struct hd_bench_stream *stream, uint64_t number, uint8_t *to, unsigned *replies)
{
    to = put_redis_key(put_word(put_count(to, '*', 3), "SET"), "", number);
    to = put_bulk(to, stream->value, stream->value_bytes);
    to = put_redis_key(put_word(put_count(to, '*', 3), "SET"), "count:", number);
    to = put_word(to, "0");
    to = put_word(put_word(put_count(to, '*', 3), "RPUSH"), "heapd-bench:list");
    *replies += 3;
    return put_bulk(to, stream->value, stream->value_bytes);
}

/* Of a line that is all there. */
static size_t read_decimal(const uint8_t *from)
{
    size_t number = 0;
    while (*from >= '0' && *from <= '9')
        number = number * 10 + (size_t)(*from++ - '0');
    return number;
}

static int redis_reply(struct hd_bench_stream *stream, const uint8_t *bytes, size_t count, struct hd_bench_reply *out)
{
    (void)stream;
    const uint8_t *end = memchr(bytes, '\n', count);
    if (!end)
        return 0;
    size_t line = (size_t)(end - bytes) + 1;
    switch (bytes[0]) {
    case '-':
        out->failure = (const char *)bytes + 1;
        out->failure_bytes = line - 3;
        break;
    case '$':
        if (bytes[1] != '-')
            line += read_decimal(bytes + 1) + 2;
        break;
    case '+':
    case ':':
        break;
    default:
        return -1;
    }
    if (line <= count)
        out->bytes = line;
    return 0;
}

/* ---- memcached ------------------------------------------------------------ */

static uint8_t *put_store(struct hd_bench_stream *stream, const char *prefix, uint64_t number, const void *value,
                          size_t count, uint8_t *to)
{
    (void)stream;
    to = put_text(put_key(put_text(to, "set "), prefix, number), " 0 0 ");
    to = put_text(put_decimal(to, count), "\r\n");
    return put_text(put_bytes(to, value, count), "\r\n");
}

static uint8_t *memcached_ping(struct hd_bench_stream *stream, uint8_t *to)
{
    (void)stream;
    return put_text(to, "mn\r\n");
}

static uint8_t *memcached_get(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_text(put_key(put_text(to, "get "), "", hd_bench_keys_next(&stream->keys)), "\r\n");
}

static uint8_t *memcached_set(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_store(stream, "", hd_bench_keys_next(&stream->keys), stream->value, stream->value_bytes, to);
}

static uint8_t *memcached_incr(struct hd_bench_stream *stream, uint8_t *to)
{
    return put_text(put_key(put_text(to, "incr "), "count:", hd_bench_keys_next(&stream->keys)), " 1\r\n");
}

static uint8_t *memcached_fill(struct hd_bench_stream *stream, uint64_t number, uint8_t *to, unsigned *replies)
{
    *replies += 2;
    to = put_store(stream, "", number, stream->value, stream->value_bytes, to);
    return put_store(stream, "count:", number, "0", 1, to);
}

static int memcached_reply(struct hd_bench_stream *stream, const uint8_t *bytes, size_t count,
                           struct hd_bench_reply *out)
{
    (void)stream;
    const uint8_t *end = memchr(bytes, '\n', count);
    if (!end)
        return 0;
    size_t line = (size_t)(end - bytes) + 1;
    if (line > 6 && memcmp(bytes, "VALUE ", 6) == 0) {
        const uint8_t *size = end;
        while (size > bytes && size[-1] != ' ')
            size--;
        line += read_decimal(size) + 2 + 5; /* and END */
    } else if (memcmp(bytes, "ERROR", 5) == 0 || (line > 12 && memcmp(bytes + 6, "_ERROR", 6) == 0)) {
        out->failure = (const char *)bytes;
        out->failure_bytes = line - 2;
    }
    if (line <= count)
        out->bytes = line;
    return 0;
}

/* ---- echo ----------------------------------------------------------------- */

/* As long as a small request of ours. */
#define ECHO_BYTES 32

static uint8_t *echo_any(struct hd_bench_stream *stream, uint8_t *to)
{
    (void)stream;
    memset(to, 'e', ECHO_BYTES);
    return to + ECHO_BYTES;
}

static int echo_reply(struct hd_bench_stream *stream, const uint8_t *bytes, size_t count, struct hd_bench_reply *out)
{
    (void)stream;
    (void)bytes;
    if (count >= ECHO_BYTES)
        out->bytes = ECHO_BYTES;
    return 0;
}

/* ---- who has what --------------------------------------------------------- */

typedef uint8_t *(*composer)(struct hd_bench_stream *stream, uint8_t *to);

static const struct {
    const char *operation;
    composer redis;
    composer memcached;
} rows[] = {
    {"ping", redis_ping, memcached_ping},   {"get_item", redis_get, memcached_get},
    {"set_item", redis_set, memcached_set}, {"contains", redis_exists, NULL},
    {"list_get", redis_lindex, NULL},       {"list_set", redis_lset, NULL},
    {"append", redis_rpush, NULL},          {"add", redis_incr, memcached_incr},
    {"length", redis_length, NULL},
};

static composer find(const struct hd_bench_operation *operation, bool is_redis)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].operation, operation->name) == 0)
            return is_redis ? rows[i].redis : rows[i].memcached;
    return NULL;
}

static composer compose_redis(const struct hd_bench_operation *operation)
{
    return find(operation, true);
}

static composer compose_memcached(const struct hd_bench_operation *operation)
{
    return find(operation, false);
}

static composer compose_echo(const struct hd_bench_operation *operation)
{
    return operation->replies == 1 ? echo_any : NULL;
}

static const struct hd_bench_protocol peers[] = {
    {.name = "redis", .compose = compose_redis, .read_reply = redis_reply, .fill = redis_fill},
    {.name = "memcached", .compose = compose_memcached, .read_reply = memcached_reply, .fill = memcached_fill},
    {.name = "echo", .compose = compose_echo, .read_reply = echo_reply},
};

const struct hd_bench_protocol *hd_bench_protocol_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
        if (strlen(peers[i].name) == length && memcmp(peers[i].name, name, length) == 0)
            return &peers[i];
    return NULL;
}
