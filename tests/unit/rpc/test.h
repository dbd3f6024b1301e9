/* What the tests of server/rpc share: short ways to ask, and to say what must come back. */
#ifndef HEAPD_TESTS_UNIT_RPC_TEST_H
#define HEAPD_TESTS_UNIT_RPC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/literal.h"
#include "support/rpc_client.h"

#define METHOD(name) HEAPD__V1__METHOD__##name
#define HANDLE(slot, generation) hd_handle_make(slot, generation)

/* A started world with two clients: a is an admin, b is not. */
struct fixture {
    struct rpc_world world;
    struct rpc_client a;
    struct rpc_client b;
};
int set_up(void **state);
int tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- to ask: each sends one request and returns its id ---- */

uint64_t send_create(struct rpc_client *client, Heapd__V1__Literal literal, hd_handle into);
/* An empty container. */
uint64_t send_new(struct rpc_client *client, enum _Heapd__V1__Kind kind, hd_handle into);
uint64_t send_class(struct rpc_client *client, const char *name, hd_handle superclass, const char *attribute,
                    hd_handle into);
uint64_t send_release(struct rpc_client *client, hd_handle handle);
uint64_t send_duplicate(struct rpc_client *client, hd_handle object, hd_handle into);
uint64_t send_inspect(struct rpc_client *client, hd_handle object);
uint64_t send_length(struct rpc_client *client, hd_handle object);
uint64_t send_get(struct rpc_client *client, hd_handle object, Heapd__V1__Value key, hd_handle into, bool as_object);
uint64_t send_set(struct rpc_client *client, hd_handle object, Heapd__V1__Value key, Heapd__V1__Value value);
uint64_t send_del(struct rpc_client *client, hd_handle object, Heapd__V1__Value key);
uint64_t send_contains(struct rpc_client *client, hd_handle object, Heapd__V1__Value key);
uint64_t send_append(struct rpc_client *client, hd_handle object, Heapd__V1__Value value);
uint64_t send_insert(struct rpc_client *client, hd_handle object, int64_t index, Heapd__V1__Value value);
/* key may be NULL. */
uint64_t send_pop(struct rpc_client *client, hd_handle object, Heapd__V1__Value *key, hd_handle into);
uint64_t send_clear(struct rpc_client *client, hd_handle object);
uint64_t send_set_add(struct rpc_client *client, hd_handle object, Heapd__V1__Value value);
uint64_t send_set_discard(struct rpc_client *client, hd_handle object, Heapd__V1__Value value);
uint64_t send_get_attr(struct rpc_client *client, hd_handle object, const char *name, hd_handle into, bool as_object);
uint64_t send_set_attr(struct rpc_client *client, hd_handle object, const char *name, Heapd__V1__Value value);
uint64_t send_del_attr(struct rpc_client *client, hd_handle object, const char *name);
/* key or name (or both, wrongly). */
uint64_t send_add(struct rpc_client *client, hd_handle object, Heapd__V1__Value *key, const char *name,
                  Heapd__V1__Value delta);
uint64_t send_open_scope(struct rpc_client *client, hd_handle parent, hd_handle into);
uint64_t send_close_scope(struct rpc_client *client, hd_handle scope);
uint64_t send_bind(struct rpc_client *client, hd_handle scope, const char *name, Heapd__V1__Value value);
uint64_t send_lookup(struct rpc_client *client, hd_handle scope, const char *name, hd_handle into, bool as_object,
                     uint64_t wait_ms);
uint64_t send_unbind(struct rpc_client *client, hd_handle scope, const char *name);
uint64_t send_export(struct rpc_client *client, hd_handle object, uint32_t part_bytes);
uint64_t send_collect(struct rpc_client *client, uint32_t generation);

/* ---- what comes back ---- */

void expect_empty(struct rpc_client *client, uint64_t id);
void expect_int(struct rpc_client *client, uint64_t id, int64_t wanted);
void expect_bool(struct rpc_client *client, uint64_t id, bool wanted);
void expect_str(struct rpc_client *client, uint64_t id, const char *wanted);
void expect_kind(struct rpc_client *client, uint64_t id, Heapd__V1__Value__KindCase kind);
/* The slot was filled with an object of that type. */
void expect_object(struct rpc_client *client, uint64_t id, hd_handle handle, Heapd__V1__Type type);
/* An error whose message has `needle` in it. */
void expect_error(struct rpc_client *client, uint64_t id, int error, const char *needle);
void expect_aborted(struct rpc_client *client, uint64_t id, uint64_t failed_request);
void expect_nothing(struct rpc_client *client, uint64_t id);
/* The body of a successful reply; to be freed by free_message. */
void *expect_message(struct rpc_client *client, uint64_t id, const ProtobufCMessageDescriptor *descriptor);
void free_message(void *message);

/* ---- literals ---- */

struct builder {
    struct hd_literal_writer writer;
    Heapd__V1__Literal literal;
};
void builder_init(struct builder *builder);
void builder_fini(struct builder *builder);
void add_node(struct builder *builder, enum hd_kind kind, uint64_t number);
void add_text(struct builder *builder, enum hd_kind kind, const char *text);
/* The literal so far; lent until the next node. */
Heapd__V1__Literal built(struct builder *builder);
/* The list [0, 1, ... count - 1]. */
void add_numbers(struct builder *builder, uint64_t count);

#endif
