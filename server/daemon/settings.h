/*
 * What a daemon can be told, with the defaults, and the file that tells it:
 *
 *     # comment
 *     key = value
 *
 * A key that may be given more than once (listen) adds; any other key may be
 * given once. The keys and their meaning are in README.md and, with every
 * default, in deploy/heapd.conf.
 */
#ifndef HEAPD_DAEMON_SETTINGS_H
#define HEAPD_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "daemon/log.h"
#include "net/address.h"
#include "net/reason.h"

#define HD_LISTEN_MAX 16
#define HD_SETTINGS_FILE_MAX_BYTES ((size_t)64 << 10)

struct hd_settings {
    struct hd_address listen[HD_LISTEN_MAX];
    size_t listen_count;         /* 0: the default address */
    uint64_t memory_limit_bytes; /* UINT64_MAX: none */
    uint32_t max_connections;
    uint32_t max_slots;          /* handles of a session, plus one */
    uint32_t max_frame_bytes;    /* of a body */
    uint32_t max_rings;          /* connections that may use shared memory at once; 0: none */
    uint32_t max_parked;         /* requests of a session that wait or go on in slices */
    uint64_t max_unsealed_bytes; /* of a session's buffers */
    uint32_t max_tokens;         /* of a session, that are still good */
    enum hd_log_level log_level;
    uint32_t gc_threshold[3]; /* the first 0: no collection by itself */
    uint32_t gc_interval_s;   /* 0: no collection by the clock */
    bool gc_on_session_end;
    bool huge_pages;
    bool until_eof;             /* ends when standard input does: a daemon that belongs to another process */
    uint64_t preallocate_bytes; /* below memory_limit_bytes */
    bool has_seed;
    uint64_t seed; /* of the hash; for tests, whose results are then the same each time */
};

void hd_settings_default(struct hd_settings *out);

/* One key. HD_EINVALID with a reason (without the place); nothing has changed then. */
int hd_settings_set(struct hd_settings *settings, const char *key, const char *value,
                    struct hd_reason *reason) HD_MUST_USE;

/* The text of a file. HD_EINVALID, and the reason begins with "name:line: ". */
int hd_settings_parse(struct hd_settings *settings, const char *name, const char *text, size_t bytes,
                      struct hd_reason *reason) HD_MUST_USE;
/* The file itself; HD_ESYSTEM too. */
int hd_settings_load(struct hd_settings *settings, const char *path, struct hd_reason *reason) HD_MUST_USE;

/* Do they go together, whatever they came from? HD_EINVALID with a reason. */
int hd_settings_check(const struct hd_settings *settings, struct hd_reason *reason) HD_MUST_USE;

/*
 * Where a daemon of this user listens when nobody says otherwise:
 * $XDG_RUNTIME_DIR/heapd.sock, else /run/heapd/heapd.sock for root, else
 * /tmp/heapd-UID/heapd.sock. Makes the directory, with mode 0700, if it is
 * missing, and refuses one that others own or may write to. HD_ESYSTEM or
 * HD_EINVALID with a reason.
 */
int hd_settings_default_address(struct hd_address *out, struct hd_reason *reason) HD_MUST_USE;

#endif
