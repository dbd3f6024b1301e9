#include "session/tokens.h"

#include <string.h>

#define CAPACITY_MIN 16u

struct hd_token_maker {
    struct hd_token_maker *next; /* of its bucket */
    uint64_t id;
    uint32_t count; /* > 0 */
};

struct hd_token {
    struct hd_token *next; /* of its bucket */
    struct hd_token_maker *maker;
    hd_value value;
    uint64_t expires_ns;
    uint32_t position;  /* in by_time */
    uint32_t uses_left; /* 0: no limit */
    uint8_t secret[HD_TOKEN_BYTES];
};

static const struct hd_allocator *allocator_of(const struct hd_tokens *tokens)
{
    return &tokens->heap->account.allocator;
}

/* ---- makers ---- */

static struct hd_token_maker **maker_link(const struct hd_tokens *tokens, uint64_t id)
{
    struct hd_token_maker *const *link = &tokens->makers[id % HD_TOKEN_MAKER_BUCKETS];
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return (struct hd_token_maker **)(uintptr_t)link;
}

uint32_t hd_tokens_made_by(const struct hd_tokens *tokens, uint64_t maker)
{
    const struct hd_token_maker *found = *maker_link(tokens, maker);
    return found ? found->count : 0;
}

/* NULL: no memory. */
static struct hd_token_maker *join_maker(struct hd_tokens *tokens, uint64_t id)
{
    struct hd_token_maker **link = maker_link(tokens, id);
    if (!*link) {
        struct hd_token_maker *maker = hd_allocator_new(allocator_of(tokens), sizeof *maker);
        if (!maker)
            return NULL;
        *maker = (struct hd_token_maker){.id = id};
        *link = maker;
    }
    (*link)->count++;
    return *link;
}

static void leave_maker(struct hd_tokens *tokens, struct hd_token_maker *maker)
{
    if (--maker->count)
        return;
    *maker_link(tokens, maker->id) = maker->next;
    hd_allocator_free(allocator_of(tokens), maker, sizeof *maker);
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_tokens *tokens =
        (const struct hd_tokens *)((const char *)source - offsetof(struct hd_tokens, roots));
    size_t left = tokens->count > from ? tokens->count - from : 0;
    size_t end = from + (left < max ? left : max);
    for (size_t i = from; i < end; i++)
        visitor->visit(visitor, tokens->by_time[i]->value);
    return end < tokens->count ? end : 0;
}

void hd_tokens_init(struct hd_tokens *tokens, struct hd_heap *heap)
{
    *tokens = (struct hd_tokens){.heap = heap, .roots = {.scan = scan, .kind = HD_ROOT_TOKEN}};
    hd_gc_add_roots(&heap->gc, &tokens->roots);
}

void hd_tokens_fini(struct hd_tokens *tokens)
{
    if (!tokens || !tokens->heap)
        return;
    for (uint32_t i = 0; i < tokens->count; i++) {
        hd_gc_release(&tokens->heap->gc, tokens->by_time[i]->value);
        leave_maker(tokens, tokens->by_time[i]->maker);
        hd_allocator_free(allocator_of(tokens), tokens->by_time[i], sizeof(struct hd_token));
    }
    hd_gc_remove_roots(&tokens->heap->gc, &tokens->roots);
    hd_allocator_free(allocator_of(tokens), tokens->by_time, tokens->capacity * sizeof *tokens->by_time);
    hd_allocator_free(allocator_of(tokens), tokens->buckets, tokens->bucket_count * sizeof *tokens->buckets);
    *tokens = (struct hd_tokens){.heap = NULL};
}

/* ---- by time ---- */

/*
 * One that moves may leave a place in front of the scan of the roots for one
 * behind it, so what it holds is shaded.
 */
static void place(struct hd_tokens *tokens, struct hd_token *token, uint32_t position)
{
    hd_gc_shade(&tokens->heap->gc, token->value);
    tokens->by_time[position] = token;
    token->position = position;
}

static void sift_up(struct hd_tokens *tokens, struct hd_token *token, uint32_t position)
{
    while (position > 0) {
        struct hd_token *parent = tokens->by_time[(position - 1) / 2];
        if (parent->expires_ns <= token->expires_ns)
            break;
        place(tokens, parent, position);
        position = (position - 1) / 2;
    }
    place(tokens, token, position);
}

static void sift_down(struct hd_tokens *tokens, struct hd_token *token, uint32_t position)
{
    for (;;) {
        uint32_t child = 2 * position + 1;
        if (child >= tokens->count)
            break;
        if (child + 1 < tokens->count && tokens->by_time[child + 1]->expires_ns < tokens->by_time[child]->expires_ns)
            child++;
        if (tokens->by_time[child]->expires_ns >= token->expires_ns)
            break;
        place(tokens, tokens->by_time[child], position);
        position = child;
    }
    place(tokens, token, position);
}

/* ---- by secret ---- */

/* The bytes are random, so they are their own hash. */
static uint64_t hash_of(const uint8_t *secret)
{
    uint64_t hash;
    memcpy(&hash, secret, sizeof hash);
    return hash;
}

static struct hd_token **chain_of(const struct hd_tokens *tokens, const uint8_t *secret)
{
    return &tokens->buckets[hash_of(secret) & (tokens->bucket_count - 1)];
}

static bool is_equal(const uint8_t *a, const uint8_t *b)
{
    uint8_t differs = 0;
    for (size_t i = 0; i < HD_TOKEN_BYTES; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

static struct hd_token *find(const struct hd_tokens *tokens, const uint8_t *secret)
{
    if (tokens->bucket_count == 0)
        return NULL;
    for (struct hd_token *token = *chain_of(tokens, secret); token; token = token->next)
        if (is_equal(token->secret, secret))
            return token;
    return NULL;
}

/* ---- making and taking away ---- */

static int grow(struct hd_tokens *tokens)
{
    if (tokens->count < tokens->capacity)
        return 0;
    uint32_t capacity = tokens->capacity ? tokens->capacity * 2 : CAPACITY_MIN;
    if (capacity < tokens->capacity)
        return HD_ELIMIT;
    struct hd_token **buckets = hd_allocator_new_zeroed(allocator_of(tokens), capacity * sizeof *buckets);
    if (!buckets)
        return HD_ENOMEM;
    struct hd_token **by_time = hd_allocator_resize(allocator_of(tokens), tokens->by_time,
                                                    tokens->capacity * sizeof *by_time, capacity * sizeof *by_time);
    if (!by_time) {
        hd_allocator_free(allocator_of(tokens), buckets, capacity * sizeof *buckets);
        return HD_ENOMEM;
    }
    hd_allocator_free(allocator_of(tokens), tokens->buckets, tokens->bucket_count * sizeof *tokens->buckets);
    tokens->by_time = by_time;
    tokens->capacity = capacity;
    tokens->buckets = buckets;
    tokens->bucket_count = capacity;
    for (uint32_t i = 0; i < tokens->count; i++) {
        struct hd_token **chain = chain_of(tokens, by_time[i]->secret);
        by_time[i]->next = *chain;
        *chain = by_time[i];
    }
    return 0;
}

int hd_tokens_make(struct hd_tokens *tokens, const uint8_t secret[HD_TOKEN_BYTES], const struct hd_token_wish *wish)
{
    if (find(tokens, secret))
        return HD_EEXISTS;
    int error = grow(tokens);
    if (error)
        return error;
    struct hd_token *token = hd_allocator_new(allocator_of(tokens), sizeof *token);
    if (!token)
        return HD_ENOMEM;
    *token = (struct hd_token){.expires_ns = wish->expires_ns, .uses_left = wish->uses};
    token->maker = join_maker(tokens, wish->maker);
    if (!token->maker) {
        hd_allocator_free(allocator_of(tokens), token, sizeof *token);
        return HD_ENOMEM;
    }
    memcpy(token->secret, secret, HD_TOKEN_BYTES);
    token->value = hd_gc_retain(&tokens->heap->gc, wish->value);
    struct hd_token **chain = chain_of(tokens, secret);
    token->next = *chain;
    *chain = token;
    sift_up(tokens, token, tokens->count++);
    tokens->made_count++;
    return 0;
}

/* Gives the reference to the caller. */
static hd_value take_away(struct hd_tokens *tokens, struct hd_token *token)
{
    struct hd_token **link = chain_of(tokens, token->secret);
    while (*link != token)
        link = &(*link)->next;
    *link = token->next;
    struct hd_token *last = tokens->by_time[--tokens->count];
    if (last != token) {
        sift_up(tokens, last, token->position);
        sift_down(tokens, last, last->position);
    }
    hd_value value = token->value;
    leave_maker(tokens, token->maker);
    hd_allocator_free(allocator_of(tokens), token, sizeof *token);
    return value;
}

int hd_tokens_redeem(struct hd_tokens *tokens, const uint8_t *secret, size_t size, uint64_t now_ns, hd_value *out)
{
    struct hd_token *token = size == HD_TOKEN_BYTES ? find(tokens, secret) : NULL;
    if (!token || token->expires_ns <= now_ns)
        return HD_ETOKEN;
    tokens->redeemed_count++;
    if (token->uses_left == 1) {
        hd_gc_shade(&tokens->heap->gc, token->value); /* it leaves a root for another */
        *out = take_away(tokens, token);
        return 0;
    }
    if (token->uses_left)
        token->uses_left--;
    *out = hd_gc_retain(&tokens->heap->gc, token->value);
    return 0;
}

bool hd_tokens_expire(struct hd_tokens *tokens, uint64_t now_ns, uint32_t max)
{
    while (tokens->count && tokens->by_time[0]->expires_ns <= now_ns) {
        if (max-- == 0)
            return true;
        tokens->expired_count++;
        hd_gc_release(&tokens->heap->gc, take_away(tokens, tokens->by_time[0]));
    }
    return false;
}

uint64_t hd_tokens_next_ns(const struct hd_tokens *tokens)
{
    return tokens->count ? tokens->by_time[0]->expires_ns : UINT64_MAX;
}

const char *hd_tokens_check(const struct hd_tokens *tokens)
{
    uint32_t chained = 0;
    for (uint32_t i = 0; i < tokens->bucket_count; i++)
        for (const struct hd_token *token = tokens->buckets[i]; token; token = token->next)
            chained++;
    if (chained != tokens->count)
        return "tokens: each is in one chain";
    uint64_t made = 0;
    for (uint32_t i = 0; i < HD_TOKEN_MAKER_BUCKETS; i++)
        for (const struct hd_token_maker *maker = tokens->makers[i]; maker; maker = maker->next)
            made += maker->count;
    if (made != tokens->count)
        return "tokens: those of all makers are all";
    if (tokens->count > tokens->capacity || tokens->bucket_count != tokens->capacity)
        return "tokens: bucket_count";
    for (uint32_t i = 0; i < tokens->count; i++) {
        const struct hd_token *token = tokens->by_time[i];
        if (token->position != i)
            return "tokens: position";
        if (i > 0 && tokens->by_time[(i - 1) / 2]->expires_ns > token->expires_ns)
            return "tokens: by_time is a heap";
        if (find(tokens, token->secret) != token)
            return "tokens: found by its secret";
    }
    return NULL;
}
