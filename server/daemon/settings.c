#include "daemon/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/frame.h"

#define LINE_BYTES 1024
/* A string that travels plain fits twice, whatever its reply says besides. */
#define FRAME_LEAST_BYTES ((uint32_t)128 << 10)
/* The least memory_limit, and what of it must be left beside what is preallocated. */
#define MEMORY_LEAST_BYTES ((uint64_t)1 << 20)
/* A month: more is never. */
#define GC_INTERVAL_MOST_S 2678400u

void hd_settings_default(struct hd_settings *out)
{
    *out = (struct hd_settings){
        .memory_limit_bytes = UINT64_MAX,
        .max_connections = 10240,
        .max_slots = 1u << 20,
        .max_frame_bytes = HD_FRAME_MAX_BODY_BYTES,
        .max_parked = 1024,
        .max_rings = 128,
        .max_unsealed_bytes = (uint64_t)4 << 30,
        .max_tokens = 65536,
        .log_level = HD_LOG_INFO,
        .gc_threshold = {700, 10, 10},
        .huge_pages = false,
    };
}

/* --- values --- */

/* Digits, and with `units` one of K, M, G behind them. No sign, no blanks, no overflow. */
static bool parse_number(const char *text, bool units, uint64_t *out)
{
    if (!isdigit((unsigned char)*text))
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno)
        return false;
    unsigned shift = 0;
    if (units && *end && !end[1]) {
        const char *unit = strchr("KMG", toupper((unsigned char)*end));
        if (!unit)
            return false;
        shift = 10 * (unsigned)(unit - "KMG" + 1);
        end++;
    }
    if (*end || number > UINT64_MAX >> shift)
        return false;
    *out = number << shift;
    return true;
}

static int set_listen(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    if (settings->listen_count == HD_LISTEN_MAX) {
        hd_reason_set(reason, "more than %d addresses to listen on; drop some", HD_LISTEN_MAX);
        return HD_EINVALID;
    }
    int error = hd_address_parse(value, &settings->listen[settings->listen_count], reason);
    if (!error)
        settings->listen_count++;
    return error;
}

static int set_memory_limit(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    uint64_t bytes;
    if (strcmp(value, "none") == 0) {
        bytes = UINT64_MAX;
    } else if (!parse_number(value, true, &bytes) || bytes < MEMORY_LEAST_BYTES) {
        hd_reason_set(reason,
                      "\"%s\" is not a memory limit; write a number of bytes with K, M or G behind it "
                      "(512M, at least 1M), or none",
                      value);
        return HD_EINVALID;
    }
    settings->memory_limit_bytes = bytes;
    return 0;
}

static int set_bounded(uint32_t *field, const char *key, const char *value, uint32_t least, uint32_t most,
                       struct hd_reason *reason)
{
    uint64_t number;
    if (!parse_number(value, true, &number) || number < least || number > most) {
        hd_reason_set(reason, "\"%s\" is not a value of %s; write a number from %u to %u", value, key, least, most);
        return HD_EINVALID;
    }
    *field = (uint32_t)number;
    return 0;
}

static int set_max_connections(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_connections, "max_connections", value, 1, 1000000, reason);
}

static int set_max_slots(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_slots, "max_slots", value, 2, 1u << 28, reason);
}

static int set_max_frame(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_frame_bytes, "max_frame", value, FRAME_LEAST_BYTES, HD_FRAME_MAX_BODY_BYTES,
                       reason);
}

static int set_max_parked(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_parked, "max_parked", value, 1, 1000000, reason);
}

static int set_max_unsealed(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    uint64_t bytes;
    if (!parse_number(value, true, &bytes) || bytes == 0) {
        hd_reason_set(reason, "\"%s\" is not a size of max_unsealed; write a number of bytes with K, M or G behind it",
                      value);
        return HD_EINVALID;
    }
    settings->max_unsealed_bytes = bytes;
    return 0;
}

static int set_max_rings(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_rings, "max_rings", value, 0, 10000, reason);
}

static int set_max_tokens(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bounded(&settings->max_tokens, "max_tokens", value, 1, 1u << 28, reason);
}

static int set_log_level(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    if (hd_log_level_parse(value, &settings->log_level))
        return 0;
    hd_reason_set(reason, "\"%s\" is not a log level; write error, warning, info or debug", value);
    return HD_EINVALID;
}

static int set_gc_threshold(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    uint32_t numbers[3];
    int used = 0;
    /* %u would take a sign, and wrap: look at the characters first. */
    if (strspn(value, "0123456789 \t,") != strlen(value) || strlen(value) > 32 ||
        sscanf(value, "%9u%*[ \t,]%9u%*[ \t,]%9u%n", &numbers[0], &numbers[1], &numbers[2], &used) != 3 ||
        value[used]) {
        hd_reason_set(reason,
                      "\"%s\" is not a collector threshold; write three numbers (700 10 10), "
                      "the first 0 to collect on request only",
                      value);
        return HD_EINVALID;
    }
    memcpy(settings->gc_threshold, numbers, sizeof numbers);
    return 0;
}

static int set_gc_interval(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    uint64_t seconds;
    if (!parse_number(value, false, &seconds) || seconds > GC_INTERVAL_MOST_S) {
        hd_reason_set(reason, "\"%s\" is not an interval of collections; write seconds from 1 to %u, or 0 for never",
                      value, GC_INTERVAL_MOST_S);
        return HD_EINVALID;
    }
    settings->gc_interval_s = (uint32_t)seconds;
    return 0;
}

static int set_bool(bool *field, const char *key, const char *value, struct hd_reason *reason)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        hd_reason_set(reason, "\"%s\" is not a value of %s; write yes or no", value, key);
        return HD_EINVALID;
    }
    *field = value[0] == 'y';
    return 0;
}

static int set_gc_on_session_end(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bool(&settings->gc_on_session_end, "gc_on_session_end", value, reason);
}

static int set_huge_pages(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    return set_bool(&settings->huge_pages, "huge_pages", value, reason);
}

static int set_preallocate(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    uint64_t bytes;
    if (!parse_number(value, true, &bytes) || bytes > SIZE_MAX / 2) {
        hd_reason_set(reason,
                      "\"%s\" is not a size to preallocate; write a number of bytes with K, M or G behind it, or 0",
                      value);
        return HD_EINVALID;
    }
    settings->preallocate_bytes = bytes;
    return 0;
}

static int set_seed(struct hd_settings *settings, const char *value, struct hd_reason *reason)
{
    if (!parse_number(value, false, &settings->seed)) {
        hd_reason_set(reason, "\"%s\" is not a seed; write a number below 2^64", value);
        return HD_EINVALID;
    }
    settings->has_seed = true;
    return 0;
}

/* --- keys --- */

static const struct key {
    const char *name;
    int (*set)(struct hd_settings *settings, const char *value, struct hd_reason *reason);
    bool repeatable;
} keys[] = {
    {"listen", set_listen, true},
    {"memory_limit", set_memory_limit, false},
    {"max_connections", set_max_connections, false},
    {"max_slots", set_max_slots, false},
    {"max_frame", set_max_frame, false},
    {"max_parked", set_max_parked, false},
    {"max_rings", set_max_rings, false},
    {"max_unsealed", set_max_unsealed, false},
    {"max_tokens", set_max_tokens, false},
    {"log_level", set_log_level, false},
    {"gc_threshold", set_gc_threshold, false},
    {"gc_interval", set_gc_interval, false},
    {"gc_on_session_end", set_gc_on_session_end, false},
    {"huge_pages", set_huge_pages, false},
    {"preallocate", set_preallocate, false},
    {"seed", set_seed, false},
};
#define KEY_COUNT (sizeof keys / sizeof *keys)

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

int hd_settings_set(struct hd_settings *settings, const char *key, const char *value, struct hd_reason *reason)
{
    const struct key *found = find_key(key);
    if (found)
        return found->set(settings, value, reason);
    char known[320] = "";
    for (size_t i = 0; i < KEY_COUNT; i++)
        (void)snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", keys[i].name);
    hd_reason_set(reason, "there is no key \"%s\"; the keys are %s", key, known);
    return HD_EINVALID;
}

int hd_settings_check(const struct hd_settings *settings, struct hd_reason *reason)
{
    uint64_t limit_bytes = settings->memory_limit_bytes, ahead_bytes = settings->preallocate_bytes;
    if (ahead_bytes == 0 || (limit_bytes > ahead_bytes && limit_bytes - ahead_bytes >= MEMORY_LEAST_BYTES))
        return 0;
    hd_reason_set(
        reason,
        "memory_limit = %llu leaves nothing beside preallocate = %llu; raise the one by at least %lluK above the "
        "other, or lower the other",
        (unsigned long long)limit_bytes, (unsigned long long)ahead_bytes,
        (unsigned long long)(MEMORY_LEAST_BYTES >> 10));
    return HD_EINVALID;
}

/* --- the file --- */

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* A '#' begins a comment where a word could begin: a path may hold one. */
static void cut_comment(char *line)
{
    for (char *at = line; *at; at++) {
        if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
            *at = '\0';
            return;
        }
    }
}

static int parse_line(struct hd_settings *settings, char *line, bool seen[KEY_COUNT], struct hd_reason *reason)
{
    cut_comment(line);
    char *key = trim(line);
    if (!*key)
        return 0;
    char *equals = strchr(key, '=');
    if (!equals) {
        hd_reason_set(reason, "\"%s\" is not a setting; write key = value", key);
        return HD_EINVALID;
    }
    *equals = '\0';
    key = trim(key);
    const struct key *found = find_key(key);
    if (found && !found->repeatable && seen[found - keys]) {
        hd_reason_set(reason, "%s was given before; drop one of the two", key);
        return HD_EINVALID;
    }
    if (found)
        seen[found - keys] = true;
    return hd_settings_set(settings, key, trim(equals + 1), reason);
}

/* Copies the next line, without its end, from *text on; false when it is no line of text. */
static bool take_line(const char **text, const char *end, char line[LINE_BYTES])
{
    const char *newline = memchr(*text, '\n', (size_t)(end - *text));
    size_t length = (size_t)((newline ? newline : end) - *text);
    if (length >= LINE_BYTES || memchr(*text, '\0', length))
        return false;
    memcpy(line, *text, length);
    line[length] = '\0';
    *text += length + (newline ? 1 : 0);
    return true;
}

int hd_settings_parse(struct hd_settings *settings, const char *name, const char *text, size_t bytes,
                      struct hd_reason *reason)
{
    struct hd_settings made = *settings;
    bool seen[KEY_COUNT] = {false};
    const char *end = text + bytes;
    for (unsigned number = 1; text < end; number++) {
        char line[LINE_BYTES];
        struct hd_reason inner;
        int error = HD_EINVALID;
        if (take_line(&text, end, line))
            error = parse_line(&made, line, seen, &inner);
        else
            hd_reason_set(&inner, "the line has a NUL or more than %d bytes; is this a configuration file?",
                          LINE_BYTES - 1);
        if (error) {
            hd_reason_set(reason, "%.150s:%u: %.320s", name, number, inner.text);
            return error;
        }
    }
    *settings = made;
    return 0;
}

int hd_settings_load(struct hd_settings *settings, const char *path, struct hd_reason *reason)
{
    char text[HD_SETTINGS_FILE_MAX_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t bytes = 0;
    ssize_t got = -1;
    if (fd >= 0) {
        while (bytes < sizeof text && (got = read(fd, text + bytes, sizeof text - bytes)) > 0)
            bytes += (size_t)got;
        int number = errno;
        close(fd);
        errno = number;
    }
    if (got < 0) {
        hd_reason_set(reason, "cannot read the configuration file %.150s: %s", path, strerror(errno));
        return HD_ESYSTEM;
    }
    if (bytes == sizeof text) {
        hd_reason_set(reason, "%.150s is larger than %zu bytes; is this a configuration file?", path, sizeof text - 1);
        return HD_EINVALID;
    }
    return hd_settings_parse(settings, path, text, bytes, reason);
}
