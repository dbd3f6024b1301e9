/*
 * Several processes, one dict.
 *
 *     example_share_dict [ADDRESS]
 *
 * The parent puts a dict of counters under a name. Four children, each with a
 * connection of its own, find it by that name and count in it, all at once. The
 * daemon runs one request at a time, so no addition is lost and nobody locks.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4
#define ROUNDS 1000
#define NAME "example:votes"

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static struct heapd_connection *connect_to(const char *address)
{
    struct heapd_connection *heap;
    struct heapd_error error;
    check(heapd_connect(address, NULL, &heap, &error), &error, "connect");
    return heap;
}

static heapd_handle find_votes(struct heapd_connection *heap)
{
    struct heapd_value votes;
    struct heapd_error error;
    check(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text(NAME), HEAPD_OBJECT, 0, &votes, &error), &error, "lookup");
    return votes.as.ref;
}

/* A connection must not be taken along through fork: each worker makes its own. */
static void work(const char *address, int number)
{
    static const char *const parties[] = {"red", "green", "blue"};
    struct heapd_connection *heap = connect_to(address);
    heapd_handle votes = find_votes(heap);
    struct heapd_error error;
    for (int i = 0; i < ROUNDS; i++) {
        const char *party = parties[(i + number) % 3];
        check(heapd_add_item(heap, votes, heapd_str(party), heapd_int(1), NULL, &error), &error, "add");
    }
    heapd_close(heap); /* gives the reference back, too */
}

static void create_votes(struct heapd_connection *heap)
{
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("red"));
    heapd_literal_add(literal, heapd_int(0));
    heapd_literal_add(literal, heapd_str("green"));
    heapd_literal_add(literal, heapd_int(0));
    heapd_literal_add(literal, heapd_str("blue"));
    heapd_literal_add(literal, heapd_int(0));
    heapd_literal_close(literal);
    struct heapd_error error;
    /* A literal can be bound at once; no handle is needed. */
    check(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_new(literal), &error), &error, "bind");
    heapd_literal_free(literal);
}

int main(int count, char **arguments)
{
    const char *address = count > 1 ? arguments[1] : NULL;
    struct heapd_connection *heap = connect_to(address);
    struct heapd_error error;
    create_votes(heap);
    fflush(stdout);
    for (int i = 0; i < WORKERS; i++) {
        pid_t child = fork();
        if (child == 0) {
            work(address, i);
            _exit(0);
        }
        if (child < 0) {
            perror("fork");
            return 1;
        }
    }
    int failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        int status;
        wait(&status);
        failed |= status != 0;
    }
    heapd_handle votes = find_votes(heap);
    int64_t total = 0;
    static const char *const parties[] = {"red", "green", "blue"};
    for (int i = 0; i < 3; i++) {
        struct heapd_value value;
        check(heapd_get_item(heap, votes, heapd_str(parties[i]), HEAPD_PLAIN, &value, &error), &error, "get");
        printf("%-6s %lld\n", parties[i], (long long)value.as.integer);
        total += value.as.integer;
    }
    printf("%d processes voted %d times each: %lld votes\n", WORKERS, ROUNDS, (long long)total);
    check(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text(NAME), &error), &error, "unbind");
    heapd_close(heap);
    return failed || total != WORKERS * ROUNDS;
}
