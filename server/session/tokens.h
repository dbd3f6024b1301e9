/*
 * Tokens: how a reference travels outside all sessions, in a pickle, say.
 *
 * A token is 16 random bytes that name one value and hold one reference to it.
 * Whoever shows the bytes gets a reference of his own, as often as the token
 * may be used and until its time is over. A token outlives the session that made
 * it, so that what is in transit stays alive; its time bounds what is lost when
 * nobody ever comes for it.
 *
 *     tokens are roots of the collector: each holds one reference
 *     by_time is a binary heap: no token runs out before its parent
 *     each token is in one chain of `buckets`, that of its first bytes
 *     bucket_count is 0 or a power of two, and >= count
 *     a maker is a session, which may have ended, that has tokens; theirs sum up to count
 *
 * The secret is the permission: it must come from the system's randomness. Bytes
 * are compared in constant time. No I/O, no clock: the caller says what time it is.
 */
#ifndef HEAPD_SESSION_TOKENS_H
#define HEAPD_SESSION_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "heap/heap.h"

#define HD_TOKEN_BYTES 16
#define HD_TOKEN_MAKER_BUCKETS 256

struct hd_token;
struct hd_token_maker;

struct hd_tokens {
    struct hd_heap *heap; /* borrow */
    struct hd_root_source roots;
    struct hd_token **by_time;                             /* own; accounted, as all of it */
    struct hd_token **buckets;                             /* own */
    struct hd_token_maker *makers[HD_TOKEN_MAKER_BUCKETS]; /* own */
    uint32_t count;
    uint32_t capacity; /* of by_time */
    uint32_t bucket_count;
    uint64_t made_count; /* ever */
    uint64_t redeemed_count;
    uint64_t expired_count; /* their time was over before their uses were */
};

/* Cannot fail: memory comes with the first token. Must not move. */
void hd_tokens_init(struct hd_tokens *tokens, struct hd_heap *heap);
/* Releases what the tokens hold. Takes one that was never initialised. O(count). */
void hd_tokens_fini(struct hd_tokens *tokens);

/* What a token is to be. */
struct hd_token_wish {
    hd_value value; /* borrow: the token takes a reference of its own */
    uint64_t expires_ns;
    uint64_t maker; /* the session's id */
    uint32_t uses;  /* how often it may be redeemed; 0: as often as anyone likes */
};

/*
 * Makes a token with these bytes. HD_ENOMEM, HD_EEXISTS (the same bytes again: whoever asked has no randomness).
 * O(log count).
 */
int hd_tokens_make(struct hd_tokens *tokens, const uint8_t secret[HD_TOKEN_BYTES],
                   const struct hd_token_wish *wish) HD_MUST_USE;

/* The tokens that this session has made and that are still good. */
uint32_t hd_tokens_made_by(const struct hd_tokens *tokens, uint64_t maker);

/*
 * A new reference to what the token names; the last use takes the token away.
 * HD_ETOKEN: no such token, or it has run out: which of these is not told.
 */
int hd_tokens_redeem(struct hd_tokens *tokens, const uint8_t *secret, size_t size, uint64_t now_ns,
                     hd_value *out) HD_MUST_USE;

/* Takes away what has run out, at most `max` tokens. True if there is more. */
bool hd_tokens_expire(struct hd_tokens *tokens, uint64_t now_ns, uint32_t max);
/* When the next one runs out; UINT64_MAX: there is none. */
uint64_t hd_tokens_next_ns(const struct hd_tokens *tokens);

/* NULL, or the name of a broken invariant. O(count). */
const char *hd_tokens_check(const struct hd_tokens *tokens);

#endif
