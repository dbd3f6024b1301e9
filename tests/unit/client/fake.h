/*
 * A daemon played by the test: the other end of a socket pair, in a thread that
 * reads requests and answers them as its script says.
 */
#ifndef HEAPD_TESTS_CLIENT_FAKE_H
#define HEAPD_TESTS_CLIENT_FAKE_H

#include <heapd/heapd.h>
#include <protobuf-c/protobuf-c.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the ones above in front of it. */
#include <setjmp.h>

#include <cmocka.h>

#include "client/lib/request.h"
#include "common/frame.h"
#include "common/handle.h"
#include "heapd/v1/admin.pb-c.h"
#include "heapd/v1/names.pb-c.h"
#include "heapd/v1/object.pb-c.h"
#include "heapd/v1/session.pb-c.h"

struct fake;
typedef void fake_script(struct fake *fake);

struct fake {
    int fd;
    pthread_t thread;
    fake_script *script;
    void *context;
    int failures; /* of FAKE_CHECK; fake_stop asserts that there are none */
    struct heapd_connection *client;
};

struct fake_request {
    struct hd_frame frame;
    uint8_t *body; /* own */
};

/* In the script's thread, where cmocka's assertions cannot be used. */
#define FAKE_CHECK(fake, condition) fake_check((fake), (condition), __FILE__, __LINE__, #condition)
void fake_check(struct fake *fake, int condition, const char *file, int line, const char *text);

/* Starts the script and connects to it; the greeting is done when this returns. */
void fake_start(struct fake *fake, fake_script *script, void *context);
void fake_start_with(struct fake *fake, fake_script *script, void *context, const struct heapd_options *options);
/* Closes the client, waits for the script's end. */
void fake_stop(struct fake *fake);

/* For scripts. 0, or -1 at the end of the stream. */
int fake_read(struct fake *fake, struct fake_request *out);
/* Reads a request that must be of this method. */
int fake_expect(struct fake *fake, uint16_t method, struct fake_request *out);
void fake_request_fini(struct fake_request *request);
void fake_write(struct fake *fake, const void *bytes, size_t count);
void fake_send(struct fake *fake, const struct fake_request *to, uint8_t flags, const ProtobufCMessage *message);
void fake_reply_empty(struct fake *fake, const struct fake_request *to);
void fake_reply_int(struct fake *fake, const struct fake_request *to, int64_t value);
void fake_reply_handle(struct fake *fake, const struct fake_request *to, uint64_t handle, int type);
void fake_reply_error(struct fake *fake, const struct fake_request *to, int code, const char *text,
                      uint64_t failed_request);
/* Answers goodbye and everything else with Empty until the end of the stream. */
void fake_serve_end(struct fake *fake);

#endif
