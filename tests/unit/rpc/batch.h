/* What the tests of batches send. */
#ifndef HEAPD_TESTS_UNIT_RPC_BATCH_H
#define HEAPD_TESTS_UNIT_RPC_BATCH_H

#include "test.h"

#include <heapd/v1/batch.pb-c.h>
#include <heapd/v1/containers.pb-c.h>
#include <heapd/v1/sequence.pb-c.h>

static inline uint64_t send_begin(struct rpc_client *client, uint64_t wait_ms)
{
    Heapd__V1__BeginRequest request = HEAPD__V1__BEGIN_REQUEST__INIT;
    request.wait_ms = wait_ms;
    return rpc_send(client, METHOD(BEGIN), &request);
}

static inline uint64_t send_commit(struct rpc_client *client)
{
    return rpc_send(client, METHOD(COMMIT), NULL);
}

static inline uint64_t send_check(struct rpc_client *client, hd_handle object, uint64_t version)
{
    Heapd__V1__CheckRequest request = HEAPD__V1__CHECK_REQUEST__INIT;
    request.object = object;
    request.version = version;
    return rpc_send(client, METHOD(CHECK), &request);
}

static inline uint64_t send_check_name(struct rpc_client *client, const char *name, uint64_t identity)
{
    Heapd__V1__CheckRequest request = HEAPD__V1__CHECK_REQUEST__INIT;
    request.name = rpc_bytes(name);
    request.identity = identity;
    return rpc_send(client, METHOD(CHECK), &request);
}

static inline uint64_t version_of(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__VersionRequest request = HEAPD__V1__VERSION_REQUEST__INIT;
    request.object = object;
    Heapd__V1__Value *value =
        expect_message(client, rpc_send(client, METHOD(VERSION), &request), &heapd__v1__value__descriptor);
    uint64_t version = (uint64_t)value->integer;
    free_message(value);
    return version;
}

static inline uint64_t identity_of(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__ObjectInfo *info =
        expect_message(client, send_inspect(client, object), &heapd__v1__object_info__descriptor);
    uint64_t identity = info->identity;
    free_message(info);
    return identity;
}

static inline void new_object(struct rpc_client *client, enum _Heapd__V1__Kind kind, uint32_t slot)
{
    uint64_t id = send_new(client, kind, HANDLE(slot, 1));
    struct rpc_reply reply;
    rpc_pump(client);
    assert_true(rpc_take(client, id, &reply));
    assert_false(reply.frame.flags & HD_FRAME_ERROR);
}

static inline uint64_t send_extend(struct rpc_client *client, hd_handle object, int64_t from, int count,
                                   hd_handle captures_into)
{
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    uint64_t capture = 0;
    builder_init(&builder);
    for (int i = 0; i < count; i++)
        add_node(&builder, HD_KIND_INT, (uint64_t)(from + i));
    if (captures_into) {
        add_node(&builder, HD_KIND_LIST, 0);
        request.captures = &capture;
        request.n_captures = 1;
        request.captures_into = captures_into;
    }
    Heapd__V1__Literal literal = built(&builder);
    request.object = object;
    request.literal = &literal;
    uint64_t id = rpc_send(client, METHOD(EXTEND), &request);
    builder_fini(&builder);
    return id;
}

static inline uint64_t send_others(struct rpc_client *client, int method, hd_handle object, Heapd__V1__Value other,
                                   Heapd__V1__SetOperation operation)
{
    Heapd__V1__Value *others[] = {&other};
    Heapd__V1__SetUpdateRequest set = HEAPD__V1__SET_UPDATE_REQUEST__INIT;
    Heapd__V1__DictUpdateRequest dict = HEAPD__V1__DICT_UPDATE_REQUEST__INIT;
    set.object = dict.object = object;
    set.others = dict.others = others;
    set.n_others = dict.n_others = 1;
    set.operation = operation;
    return method == METHOD(SET_UPDATE) ? rpc_send(client, method, &set) : rpc_send(client, method, &dict);
}

static inline uint64_t send_pop_item(struct rpc_client *client, hd_handle dict)
{
    Heapd__V1__DictPopItemRequest request = HEAPD__V1__DICT_POP_ITEM_REQUEST__INIT;
    request.object = dict;
    return rpc_send(client, METHOD(DICT_POP_ITEM), &request);
}

static inline uint64_t send_compare_and_set(struct rpc_client *client, hd_handle object, int64_t key, int64_t expected,
                                            int64_t value)
{
    Heapd__V1__UpdateRequest request = HEAPD__V1__UPDATE_REQUEST__INIT;
    Heapd__V1__Value at = rpc_int(key), before = rpc_int(expected), after = rpc_int(value);
    request.object = object;
    request.update = HEAPD__V1__UPDATE__UPDATE_COMPARE_AND_SET;
    request.key = &at;
    request.expected = &before;
    request.operand = &after;
    return rpc_send(client, METHOD(UPDATE), &request);
}

#endif
