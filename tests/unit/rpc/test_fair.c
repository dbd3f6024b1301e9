/* What is long is done in slices, others are answered in between, and whoever waits for it can still call it off. */
#include "test.h"

#include "common/varint.h"

#define LISTS 20000u
#define HANDLES 50000u

/* A world with large frames and many slots. */
static int set_up_large(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    rpc_world_init(&fixture.world);
    fixture.world.rpc_config.max_slots = 1u << 17;
    fixture.world.rpc_config.max_frame_bytes = 4u << 20;
    rpc_world_start(&fixture.world);
    rpc_client_open(&fixture.a, &fixture.world, true);
    rpc_client_open(&fixture.b, &fixture.world, false);
    *state = &fixture;
    return 0;
}
#define LARGE(name) cmocka_unit_test_setup_teardown(name, set_up_large, tear_down_large)

static int tear_down_large(void **state)
{
    struct fixture *fixture = *state;
    rpc_client_close(&fixture->a);
    rpc_client_close(&fixture->b);
    rpc_world_fini(&fixture->world);
    return 0;
}

/* A list of empty lists. */
static Heapd__V1__Literal many_lists(struct builder *builder)
{
    builder_init(builder);
    add_node(builder, HD_KIND_LIST, LISTS);
    for (unsigned i = 0; i < LISTS; i++)
        add_node(builder, HD_KIND_LIST, 0);
    return built(builder);
}

static void new_list(struct rpc_client *client, hd_handle into)
{
    expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, into), into, HEAPD__V1__TYPE__TYPE_LIST);
}

/* ---- cancelling what others wait for ---- */

static void what_holds_the_session_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    Heapd__V1__Literal literal = many_lists(&builder);
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    uint64_t captures[2] = {1, 7}, before = rpc_world_stat(&fixture->world, "objects_live_count");
    request.literal = &literal;
    request.into = HANDLE(1, 1);
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(5, 1);
    uint64_t create = rpc_send(a, METHOD(CREATE), &request);
    uint64_t length = send_length(a, HANDLE(1, 1));
    expect_nothing(a, create);
    rpc_cancel(a, create);
    expect_error(a, create, HD_ECANCELLED, "");
    expect_aborted(a, length, create);
    /* So are the slots of what was to be captured, which are free for another generation. */
    expect_aborted(a, send_length(a, HANDLE(5, 1)), create);
    expect_aborted(a, send_length(a, HANDLE(6, 1)), create);
    new_list(a, HANDLE(5, 2));
    expect_empty(a, send_release(a, HANDLE(5, 2)));
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    builder_fini(&builder);
}

static void a_cancel_of_what_waits_behind_does_nothing_early(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t create = send_create(a, many_lists(&builder), HANDLE(1, 1));
    uint64_t lookup = send_lookup(a, 0, "nobody", HANDLE(2, 1), false, 100000);
    rpc_cancel(a, lookup);
    expect_nothing(a, create);
    rpc_world_run(&fixture->world);
    expect_object(a, create, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, lookup, HD_ECANCELLED, "");
    builder_fini(&builder);
}

/* ---- releasing very many ---- */

/* Slots 1 to HANDLES are filled with one list. */
static void fill_slots(struct rpc_client *client)
{
    new_list(client, HANDLE(1, 1));
    for (uint32_t i = 2; i <= HANDLES; i++) {
        struct rpc_reply reply;
        uint64_t id = send_duplicate(client, HANDLE(1, 1), HANDLE(i, 1));
        assert_true(rpc_take(client, id, &reply));
    }
}

static uint64_t send_release_range(struct rpc_client *client, uint32_t last, hd_handle and_then)
{
    Heapd__V1__ReleaseRequest request = HEAPD__V1__RELEASE_REQUEST__INIT;
    uint64_t *handles = malloc((last + 1) * sizeof *handles);
    assert_non_null(handles);
    for (uint32_t i = 0; i < last; i++)
        handles[i] = HANDLE(i + 1, 1);
    handles[last] = and_then;
    request.handles = handles;
    request.n_handles = and_then ? last + 1 : last;
    uint64_t id = rpc_send(client, METHOD(RELEASE), &request);
    free(handles);
    return id;
}

/* Pumps until there is the reply; how many turns others had meanwhile. */
static unsigned turns_until_over(struct fixture *fixture, struct rpc_client *client)
{
    unsigned turns = 0;
    while (hd_buffer_readable(&client->input)) {
        (void)hd_rpc_run(fixture->world.server, 1000);
        expect_int(&fixture->b, send_length(&fixture->b, HANDLE(1, 1)), 0);
        rpc_pump(client);
        turns++;
    }
    return turns;
}

static void many_handles_are_released_in_turns(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_list(&fixture->b, HANDLE(1, 1));
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    fill_slots(a);
    uint64_t release = send_release_range(a, HANDLES, 0);
    uint64_t behind = send_length(a, HANDLE(1, 1));
    expect_nothing(a, behind);
    send_collect(&fixture->b, 2);
    assert_true(turns_until_over(fixture, a) > 10);
    expect_empty(a, release);
    expect_error(a, behind, HD_EHANDLE_STALE, "");
    rpc_world_run(&fixture->world);
    rpc_world_check(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
}

static void one_that_will_not_do_keeps_them_all(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_list(&fixture->b, HANDLE(1, 1));
    fill_slots(a);
    uint64_t twice = send_release_range(a, HANDLES, HANDLE(17, 1));
    (void)turns_until_over(fixture, a);
    expect_error(a, twice, HD_EHANDLE_STALE, "slot 17");
    uint64_t unknown = send_release_range(a, HANDLES, HANDLE(HANDLES + 5, 1));
    (void)turns_until_over(fixture, a);
    expect_error(a, unknown, HD_EHANDLE_UNKNOWN, "");
    for (uint32_t i = 1; i <= HANDLES; i += 999)
        expect_int(a, send_length(a, HANDLE(i, 1)), 0);
    uint64_t all = send_release_range(a, HANDLES, 0);
    (void)turns_until_over(fixture, a);
    expect_empty(a, all);
}

static void who_leaves_in_the_middle_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_list(&fixture->b, HANDLE(1, 1));
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    for (unsigned pumps = 1; pumps < 60; pumps += 20) {
        if (pumps > 1)
            rpc_client_open(a, &fixture->world, true);
        fill_slots(a);
        (void)send_release_range(a, HANDLES, 0);
        for (unsigned i = 0; i < pumps; i++)
            rpc_pump(a);
        rpc_world_check(&fixture->world);
        rpc_client_close(a);
        rpc_world_run(&fixture->world);
        assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    }
    rpc_client_open(a, &fixture->world, true);
}

/* What is no handle counts as one does: fields that are not known, columns without anything in them. */
static void what_is_no_handle_is_passed_in_turns(void **state)
{
    static const uint8_t parts[][2] = {{HD_WIRE_TAG(9, HD_WIRE_VARINT), 1}, {HD_WIRE_TAG(1, HD_WIRE_BYTES), 0}};
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    const size_t count = (size_t)1 << 19;
    new_list(a, HANDLE(1, 1));
    new_list(&fixture->b, HANDLE(1, 1));
    uint8_t *body = malloc(2 * count + 12);
    assert_non_null(body);
    for (size_t i = 0; i < count; i++)
        memcpy(body + 2 * i, parts[i / 3 % 2], 2);
    uint8_t *end = body + 2 * count;
    *end++ = HD_WIRE_TAG(1, HD_WIRE_VARINT);
    end = hd_varint_put(end, HANDLE(1, 1));
    struct hd_frame frame = {.method = METHOD(RELEASE), .request_id = ++a->last_id};
    frame.body_bytes = (uint32_t)(end - body);
    rpc_send_frame(a, &frame, body);
    /* Each turn of the test pumps more than once. */
    assert_true(turns_until_over(fixture, a) > 30);
    expect_empty(a, frame.request_id);
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_EHANDLE_STALE, "");
    free(body);
}

/* One by one, as an older encoder writes them, with a field that is not known, and cut off. */
static void other_encodings_of_many_are_read(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    new_list(&fixture->b, HANDLE(1, 1));
    fill_slots(a);
    uint8_t *body = malloc(HANDLES * 12), *at = body;
    assert_non_null(body);
    *at++ = HD_WIRE_TAG(9, HD_WIRE_BYTES);
    *at++ = 3;
    at = (uint8_t *)memcpy(at, "abc", 3) + 3;
    for (uint32_t i = 1; i <= HANDLES; i++) {
        *at++ = HD_WIRE_TAG(1, HD_WIRE_VARINT);
        at = hd_varint_put(at, HANDLE(i, 1));
    }
    struct hd_frame frame = {.method = METHOD(RELEASE), .request_id = ++a->last_id};
    frame.body_bytes = (uint32_t)(at - body) - 1;
    rpc_send_frame(a, &frame, body);
    (void)turns_until_over(fixture, a);
    expect_error(a, frame.request_id, HD_EPROTOCOL, "ReleaseRequest");
    expect_int(a, send_length(a, HANDLE(HANDLES, 1)), 0);
    frame.request_id = ++a->last_id;
    frame.body_bytes++;
    rpc_send_frame(a, &frame, body);
    (void)turns_until_over(fixture, a);
    expect_empty(a, frame.request_id);
    free(body);
}

/* ---- counting many characters ---- */

static void a_long_str_is_counted_in_slices(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    const size_t characters = (size_t)1 << 20;
    char *text = malloc(2 * characters + 1);
    assert_non_null(text);
    for (size_t i = 0; i < characters; i++)
        memcpy(text + 2 * i, "\xc3\xa4", 2);
    text[2 * characters] = '\0';
    struct builder builder;
    builder_init(&builder);
    add_text(&builder, HD_KIND_STR, text);
    expect_object(a, send_create(a, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_STR);
    uint64_t length = send_length(a, HANDLE(1, 1));
    expect_nothing(a, length);
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "x", rpc_int(1)));
    unsigned slices = 1;
    while (hd_rpc_run(fixture->world.server, 8192))
        slices++;
    assert_true(slices > 3);
    expect_int(a, length, (int64_t)characters);
    builder_fini(&builder);
    free(text);
}

/* ---- parts of exports ---- */

static void what_fits_a_frame_alone_has_a_part_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    const size_t large = fixture->world.rpc_config.max_frame_bytes - 300;
    char *text = malloc(large + 1);
    assert_non_null(text);
    memset(text, 'x', large);
    text[large] = '\0';
    struct builder builder;
    new_list(a, HANDLE(1, 1));
    for (int i = 0; i < 3; i++) {
        builder_init(&builder);
        for (int j = 0; j < 100; j++)
            add_text(&builder, HD_KIND_STR, "some text before the large one");
        Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
        Heapd__V1__Literal literal = built(&builder);
        request.object = HANDLE(1, 1);
        request.literal = &literal;
        expect_empty(a, rpc_send(a, METHOD(EXTEND), &request));
        builder_fini(&builder);
        builder_init(&builder);
        add_text(&builder, HD_KIND_STR, text);
        expect_object(a, send_create(a, built(&builder), HANDLE(2, (uint32_t)i + 1)), HANDLE(2, (uint32_t)i + 1),
                      HEAPD__V1__TYPE__TYPE_STR);
        expect_empty(a, send_append(a, HANDLE(1, 1), rpc_handle(HANDLE(2, (uint32_t)i + 1))));
        expect_empty(a, send_release(a, HANDLE(2, (uint32_t)i + 1)));
        builder_fini(&builder);
    }
    uint64_t id = send_export(a, HANDLE(1, 1), UINT32_MAX);
    size_t kinds = 0, data_bytes = 0;
    for (bool more = true; more;) {
        struct rpc_reply reply;
        rpc_world_run(&fixture->world);
        if (!rpc_take(a, id, &reply))
            continue;
        assert_false(reply.frame.flags & HD_FRAME_ERROR);
        Heapd__V1__Literal *literal = rpc_unpack(&reply, &heapd__v1__literal__descriptor);
        kinds += literal->kinds.len;
        data_bytes += literal->data.len;
        free_message(literal);
        more = reply.frame.flags & HD_FRAME_MORE;
    }
    assert_int_equal(kinds, 1 + 3 * 101);
    assert_int_equal(data_bytes, 3 * (large + 100 * strlen("some text before the large one")));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LARGE(what_holds_the_session_can_be_cancelled),
        LARGE(a_cancel_of_what_waits_behind_does_nothing_early),
        LARGE(many_handles_are_released_in_turns),
        LARGE(one_that_will_not_do_keeps_them_all),
        LARGE(who_leaves_in_the_middle_leaves_nothing),
        LARGE(what_is_no_handle_is_passed_in_turns),
        LARGE(other_encodings_of_many_are_read),
        LARGE(a_long_str_is_counted_in_slices),
        LARGE(what_fits_a_frame_alone_has_a_part_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
