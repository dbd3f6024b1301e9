/*
 * What the tests of listeners and connections share: a net on a loop of its own,
 * with an echo behind it (fake_rpc.h), and a client. One thread: the test is the
 * client and turns the server's loop by hand, so what happens between two turns
 * is known.
 */
#ifndef HEAPD_TESTS_UNIT_NET_HARNESS_H
#define HEAPD_TESTS_UNIT_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/frame.h"
#include "fake_rpc.h"
#include "net/net.h"
#include "os/os.h"

#define PATIENCE_NS (UINT64_C(10) * 1000000000)
#define MAX_FRAME_BYTES (4u << 20)

struct fixture {
    uv_loop_t loop;
    struct hd_rpc_server *server;
    struct hd_net *net;
    struct hd_address address; /* of its Unix socket */
    char directory[64];
    bool stopped;
};

/* cmocka's set-up and tear-down, with an ordinary configuration; or by hand, with another one. */
int setup(void **state);
int teardown(void **state);
struct fixture *begin(const struct fake_config *config);
/* The same on another system; `os` is borrowed until the end. */
struct fixture *begin_on(const struct fake_config *config, const struct hd_os *os);
/* Fails the test unless all handles, bytes and files are given back. */
void end(struct fixture *f);
/* For hd_net_stop: sets f->stopped. `data` is the fixture. */
void on_stopped(struct hd_net *net, void *data);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

uint64_t now(void);
struct hd_net_stats stats(const struct fixture *f);
/* One turn of the loop, without sleeping. */
void turn(struct fixture *f);
/* Turns the loop until the condition holds. */
#define AWAIT(f, condition) \
    do { \
        uint64_t until_ns_ = now() + PATIENCE_NS; \
        while (!(condition)) { \
            turn(f); \
            if (now() > until_ns_) \
                fail_msg("waited in vain for: %s", #condition); \
        } \
    } while (0)

/* --- a client; whatever blocks turns the loop meanwhile --- */

int dial(struct fixture *f);
/* Writes a frame to `to`; body NULL: it is there already. The size. */
size_t put_frame(uint8_t *to, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes);
void push(struct fixture *f, int fd, const uint8_t *bytes, size_t count);
void ask(struct fixture *f, int fd, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes);
void pull(struct fixture *f, int fd, uint8_t *to, size_t count);
/* The next reply; its body, of at most `room`, into `body`. */
struct hd_frame answer(struct fixture *f, int fd, void *body, size_t room);
void expect_echo(struct fixture *f, int fd, uint64_t id);
/* True once the other side has closed; what still comes is thrown away. */
bool is_closed(int fd);

/* --- random streams --- */

/* HEAPD_TEST_SEED, or the time; printed. */
uint64_t seed(void);
uint64_t next_random(uint64_t *state);
/* Echo requests of random sizes, as many as fit; the size of them all, and their number. */
size_t make_stream(uint8_t *stream, size_t room, uint64_t *random, uint64_t *frames);

#endif
