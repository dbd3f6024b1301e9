/*
 * heapd in a program with an event loop of its own.
 *
 *     example_event_loop [ADDRESS]
 *
 * The loop here is poll with a timer beside it; epoll, libuv and the like take
 * the same three calls: heapd_fd, heapd_wants_write, heapd_step. A parked lookup
 * waits for a name that the timer binds half a second later, and nothing blocks
 * meanwhile.
 */
#include <heapd/heapd.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NAME "example:news"

struct program {
    struct heapd_connection *heap;
    int timer;
    int pings_answered;
    int ticks;
    int done;
};

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static void ping_answered(struct heapd_connection *heap, heapd_ticket ticket, int code, struct heapd_result *result,
                          const struct heapd_error *error, void *context)
{
    (void)heap;
    (void)ticket;
    struct program *program = context;
    check(code, error, "ping");
    heapd_result_clear(result);
    program->pings_answered++;
}

static void news_came(struct heapd_connection *heap, heapd_ticket ticket, int code, struct heapd_result *result,
                      const struct heapd_error *error, void *context)
{
    (void)heap;
    (void)ticket;
    struct program *program = context;
    check(code, error, "lookup");
    printf("the name was bound to \"%s\"; meanwhile %d pings were answered\n", result->value.as.bytes.data,
           program->pings_answered);
    heapd_result_clear(result);
    program->done = 1;
}

static void tick(struct program *program)
{
    uint64_t expirations;
    if (read(program->timer, &expirations, sizeof expirations) != sizeof expirations)
        return;
    struct heapd_error error;
    heapd_ticket ticket;
    check(heapd_begin_ping(program->heap, heapd_text("tick"), &ticket, &error), &error, "ping");
    heapd_on_done(program->heap, ticket, ping_answered, program);
    if (++program->ticks == 10)
        check(heapd_begin_bind(program->heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_str("news"), NULL, &error), &error,
              "bind");
}

static void turn(struct program *program)
{
    struct pollfd polls[2] = {
        {.fd = heapd_fd(program->heap), .events = POLLIN},
        {.fd = program->timer, .events = POLLIN},
    };
    if (heapd_wants_write(program->heap))
        polls[0].events |= POLLOUT;
    poll(polls, 2, heapd_wants_step(program->heap) ? 0 : -1);
    if (polls[1].revents)
        tick(program);
    struct heapd_error error;
    check(heapd_step(program->heap, &error), &error, "step");
}

int main(int count, char **arguments)
{
    struct program program = {0};
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_error error;
    options.never_wait = true;
    check(heapd_connect(count > 1 ? arguments[1] : NULL, &options, &program.heap, &error), &error, "connect");
    program.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec every = {.it_value.tv_nsec = 50000000, .it_interval.tv_nsec = 50000000};
    timerfd_settime(program.timer, 0, &every, NULL);

    heapd_ticket ticket;
    check(heapd_begin_lookup(program.heap, HEAPD_GLOBAL, heapd_text(NAME), HEAPD_PLAIN, 10000, NULL, &ticket, &error),
          &error, "lookup");
    heapd_on_done(program.heap, ticket, news_came, &program);
    while (!program.done)
        turn(&program);
    check(heapd_unbind(program.heap, HEAPD_GLOBAL, heapd_text(NAME), &error), &error, "unbind");
    close(program.timer);
    heapd_close(program.heap);
    return 0;
}
