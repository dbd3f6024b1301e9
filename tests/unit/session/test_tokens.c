/* Tokens, and sessions that are copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "session/session.h"
#include "session/tokens.h"

struct world {
    struct hd_heap *heap;
    struct hd_tokens tokens;
    unsigned fail_at; /* the allocation that fails, counted from 1; 0: none */
    unsigned asked;
};

static bool fault(void *context)
{
    struct world *world = context;
    return world->fail_at && ++world->asked == world->fail_at;
}

static int set_up(void **state)
{
    static struct world world;
    struct hd_heap_config config;
    memset(&world, 0, sizeof world);
    hd_heap_config_default(&config);
    config.fault = fault;
    config.fault_context = &world;
    assert_int_equal(hd_heap_new(hd_os_linux(), &config, &world.heap), 0);
    hd_tokens_init(&world.tokens, world.heap);
    *state = &world;
    return 0;
}

static void check(struct world *world)
{
    const char *broken = hd_tokens_check(&world->tokens);
    if (!broken)
        broken = hd_heap_check(world->heap, &hd_allocator_libc);
    if (broken)
        fail_msg("%s", broken);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    world->fail_at = 0;
    check(world);
    hd_tokens_fini(&world->tokens);
    struct hd_collection ignored;
    assert_int_equal(hd_heap_collect(world->heap, 2, &ignored), 0);
    assert_null(hd_heap_check(world->heap, &hd_allocator_libc));
    hd_heap_free(world->heap);
    return 0;
}

static hd_value new_list(struct world *world)
{
    hd_value value;
    assert_int_equal(hd_list_new(&world->heap->objects, 0, &value), 0);
    return value;
}

static uint64_t references(struct world *world, hd_value value)
{
    struct hd_object_info info;
    hd_heap_inspect(world->heap, value, &info);
    return info.reference_count;
}

static void secret_of(unsigned number, uint8_t out[HD_TOKEN_BYTES])
{
    memset(out, 0, HD_TOKEN_BYTES);
    uint32_t mixed = number * 2654435761u;
    memcpy(out, &mixed, sizeof mixed);
    memcpy(out + 8, &number, sizeof number);
}

static int make(struct world *world, unsigned number, hd_value value, uint64_t expires_ns, uint32_t uses)
{
    uint8_t secret[HD_TOKEN_BYTES];
    secret_of(number, secret);
    struct hd_token_wish wish = {.value = value, .expires_ns = expires_ns, .maker = 1 + number % 3, .uses = uses};
    return hd_tokens_make(&world->tokens, secret, &wish);
}

static int redeem(struct world *world, unsigned number, uint64_t now_ns, hd_value *out)
{
    uint8_t secret[HD_TOKEN_BYTES];
    secret_of(number, secret);
    return hd_tokens_redeem(&world->tokens, secret, sizeof secret, now_ns, out);
}

static void uses_and_time(void **state)
{
    struct world *world = *state;
    hd_value list = new_list(world), out;
    assert_int_equal(make(world, 1, list, 100, 2), 0);
    assert_int_equal(make(world, 1, list, 100, 2), HD_EEXISTS);
    assert_int_equal(make(world, 2, list, 100, 0), 0);
    assert_int_equal(references(world, list), 3);
    assert_int_equal(hd_tokens_next_ns(&world->tokens), 100);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redeem(world, 1, 99, &out), 0);
        assert_int_equal(out, list);
        hd_gc_release(&world->heap->gc, out);
    }
    assert_int_equal(redeem(world, 1, 99, &out), HD_ETOKEN);
    assert_int_equal(references(world, list), 2);
    assert_int_equal(redeem(world, 2, 100, &out), HD_ETOKEN);
    assert_int_equal(redeem(world, 3, 0, &out), HD_ETOKEN);
    assert_int_equal(hd_tokens_redeem(&world->tokens, (const uint8_t *)"short", 5, 0, &out), HD_ETOKEN);
    assert_false(hd_tokens_expire(&world->tokens, 99, 10));
    assert_int_equal(world->tokens.count, 1);
    assert_false(hd_tokens_expire(&world->tokens, 100, 10));
    assert_int_equal(world->tokens.count, 0);
    assert_int_equal(hd_tokens_next_ns(&world->tokens), UINT64_MAX);
    assert_int_equal(references(world, list), 1);
    hd_gc_release(&world->heap->gc, list);
}

/* Only tokens hold the lists, while the collector marks in slices; many, in every order of time. */
static void many(void **state)
{
    struct world *world = *state;
    enum { COUNT = 600 };
    for (unsigned i = 0; i < COUNT; i++) {
        hd_value list = new_list(world);
        assert_int_equal(make(world, i, list, 1 + i * 7919u % COUNT, 0), 0);
        hd_gc_release(&world->heap->gc, list);
        if (i % 100 == 50)
            hd_heap_collect_start(world->heap);
        hd_heap_step(world->heap, 10);
        if (i % 50 == 0)
            check(world);
    }
    hd_heap_collect_start(world->heap);
    for (uint64_t now_ns = 1; now_ns <= COUNT; now_ns++) {
        assert_int_equal(hd_tokens_next_ns(&world->tokens), now_ns);
        assert_false(hd_tokens_expire(&world->tokens, now_ns, 10));
        assert_int_equal(world->tokens.count, COUNT - now_ns);
        hd_heap_step(world->heap, 10);
        if (now_ns % 50 == 0)
            check(world);
    }
}

static void at_most(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(make(world, i, hd_value_int(5), 1, 0), 0);
    assert_int_equal(hd_tokens_made_by(&world->tokens, 1), 4);
    assert_int_equal(hd_tokens_made_by(&world->tokens, 2), 3);
    assert_int_equal(hd_tokens_made_by(&world->tokens, 4), 0);
    assert_true(hd_tokens_expire(&world->tokens, 1, 4));
    assert_int_equal(world->tokens.count, 6);
    assert_false(hd_tokens_expire(&world->tokens, 1, 100));
    assert_int_equal(hd_tokens_made_by(&world->tokens, 1), 0);
}

static void no_memory(void **state)
{
    struct world *world = *state;
    hd_value list = new_list(world), out;
    unsigned made = 0;
    for (unsigned i = 0; made < 40; i++) {
        world->asked = 0;
        world->fail_at = i % 5; /* 0: none fails */
        int error = make(world, made, list, 1, 0);
        world->fail_at = 0;
        assert_null(hd_tokens_check(&world->tokens)); /* the heap's check would miss the reference of this test */
        assert_true(error == 0 || error == HD_ENOMEM);
        made += error == 0;
        assert_int_equal(world->tokens.count, made);
        assert_int_equal(references(world, list), 1 + made);
    }
    assert_int_equal(redeem(world, 39, 0, &out), 0);
    hd_gc_release(&world->heap->gc, out);
    hd_gc_release(&world->heap->gc, list);
}

/* ---- copies of sessions ---- */

static void end(struct hd_session *session)
{
    assert_null(hd_session_check(session));
    hd_session_close(session);
    while (hd_session_close_step(session, 3))
        ;
    hd_session_fini(session);
}

static void clone_session(void **state)
{
    struct world *world = *state;
    struct hd_session source, target;
    uint64_t failed;
    hd_value out;
    hd_session_init(&source, world->heap, 1, 200);
    hd_session_init(&target, world->heap, 2, 200);
    hd_value list = new_list(world);
    for (uint32_t slot = 1; slot <= 150; slot++) {
        assert_int_equal(hd_session_prepare(&source, hd_handle_make(slot, 5)), 0);
        hd_session_fill(&source, hd_handle_make(slot, 5), hd_gc_retain(&world->heap->gc, list));
    }
    assert_int_equal(hd_session_release(&source, hd_handle_make(9, 5), &failed), 0);
    assert_int_equal(hd_session_prepare(&source, hd_handle_make(160, 3)), 0);
    hd_session_pend(&source, hd_handle_make(160, 3), 77);
    const hd_handle except[] = {hd_handle_make(3, 5), hd_handle_make(100, 5), hd_handle_make(160, 3)};
    world->asked = 0;
    world->fail_at = 1;
    assert_int_equal(hd_session_clone_begin(&target, &source), HD_ENOMEM);
    world->fail_at = 0;
    assert_int_equal(hd_session_clone_begin(&source, &source), HD_EINVALID);
    assert_int_equal(hd_session_clone_begin(&target, &source), 0);
    uint32_t position = 0;
    size_t except_position = 0;
    hd_heap_collect_start(world->heap);
    while (hd_session_clone_step(&target, &source, except, 3, &position, &except_position, 7)) {
        assert_null(hd_session_check(&target));
        hd_heap_step(world->heap, 10);
    }
    assert_int_equal(source.handle_count, 149);
    assert_int_equal(target.handle_count, 147);
    assert_int_equal(references(world, list), 1 + 149 + 147);
    assert_int_equal(hd_session_get(&target, hd_handle_make(150, 5), &out, &failed), 0);
    assert_int_equal(out, list);
    assert_int_equal(hd_session_get(&target, hd_handle_make(3, 5), &out, &failed), HD_EHANDLE_STALE);
    assert_int_equal(hd_session_prepare(&target, hd_handle_make(3, 5)), HD_ESLOT_GENERATION);
    assert_int_equal(hd_session_prepare(&target, hd_handle_make(3, 6)), 0);
    assert_int_equal(hd_session_prepare(&target, hd_handle_make(9, 6)), 0);
    assert_int_equal(hd_session_prepare(&target, hd_handle_make(160, 4)), 0);
    assert_int_equal(hd_session_clone_begin(&target, &source), HD_EINVALID);
    hd_gc_release(&world->heap->gc, list);
    end(&source);
    assert_int_equal(references(world, list), 147);
    end(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(uses_and_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clone_session, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
