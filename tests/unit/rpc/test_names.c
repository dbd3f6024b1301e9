/* Names, scopes, and waiting for names. */
#include "test.h"

#define SCOPE HANDLE(1, 1)
#define INNER HANDLE(2, 1)

static void names_keep_values(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_empty(a, send_bind(a, 0, "answer", rpc_int(42)));
    expect_int(b, send_lookup(b, 0, "answer", 0, false, 0), 42);
    expect_object(b, send_lookup(b, 0, "answer", HANDLE(5, 1), true, 0), HANDLE(5, 1), HEAPD__V1__TYPE__TYPE_INT);
    expect_empty(a, send_bind(a, 0, "answer", rpc_str("other")));
    expect_str(b, send_lookup(b, 0, "answer", 0, false, 0), "other");
    expect_empty(b, send_unbind(b, 0, "answer"));
    expect_error(a, send_lookup(a, 0, "answer", 0, false, 0), HD_ENAME, "name \"answer\"");
    expect_error(a, send_unbind(a, 0, "answer"), HD_ENAME, "name \"answer\"");
}

static void bad_names_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[4098];
    memset(text, 'n', sizeof text - 1);
    expect_error(a, send_bind(a, 0, "", rpc_int(1)), HD_EINVALID, "a name of 0 bytes; names have 1 to 4096");
    expect_error(a, send_bind(a, 0, text, rpc_int(1)), HD_EINVALID, "a name of 4097 bytes");
    expect_error(a, send_bind(a, 0, "\xc3", rpc_int(1)), HD_EUTF8, "name \"\\xc3\"");
    expect_error(a, send_lookup(a, 0, "", 0, false, 10), HD_EINVALID, "a name of 0 bytes");
    expect_empty(a, send_bind(a, 0, text + 1, rpc_int(1)));
    text[60] = '\0';
    expect_error(a, send_bind(a, HANDLE(9, 1), text, rpc_int(1)), HD_EHANDLE_UNKNOWN, "slot 9");
}

static void scopes_have_parents(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_object(a, send_open_scope(a, 0, SCOPE), SCOPE, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_object(a, send_open_scope(a, SCOPE, INNER), INNER, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(1)));
    expect_empty(a, send_bind(a, SCOPE, "y", rpc_int(2)));
    expect_empty(a, send_bind(a, INNER, "z", rpc_int(3)));
    expect_int(a, send_lookup(a, INNER, "x", 0, false, 0), 1);
    expect_int(a, send_lookup(a, INNER, "y", 0, false, 0), 2);
    expect_int(a, send_lookup(a, INNER, "z", 0, false, 0), 3);
    expect_error(a, send_lookup(a, SCOPE, "z", 0, false, 0), HD_ENAME, "\"z\"");
    expect_error(a, send_unbind(a, INNER, "y"), HD_ENAME, "\"y\"");
    expect_empty(a, send_close_scope(a, INNER));
    expect_error(a, send_lookup(a, INNER, "x", 0, false, 0), HD_EINVALID, "the scope is closed");
    expect_error(a, send_close_scope(a, INNER), HD_EINVALID, "closed");
    expect_error(a, send_close_scope(a, 0), HD_EINVALID, "global scope");
    expect_error(a, send_open_scope(a, 0, 0), HD_ENOT_PLAIN, "no slot");
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(3, 1)), HANDLE(3, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_bind(a, HANDLE(3, 1), "x", rpc_int(1)), HD_ETYPE, "a list was given as the scope");
}

static Heapd__V1__ListNamesReply *list(struct rpc_client *client, const char *prefix, uint64_t start, uint32_t limit)
{
    Heapd__V1__ListNamesRequest request = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    request.prefix = rpc_bytes(prefix);
    request.start = start;
    request.limit = limit;
    uint64_t id = rpc_send(client, METHOD(LIST_NAMES), &request);
    return expect_message(client, id, &heapd__v1__list_names_reply__descriptor);
}

static void names_are_listed_in_pages(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    char name[32];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "%s%d", i % 2 ? "odd" : "even", i);
        expect_empty(a, send_bind(a, 0, name, rpc_int(i)));
    }
    Heapd__V1__ListNamesReply *reply = list(a, "", 0, 0);
    assert_int_equal(reply->n_names, 50);
    assert_int_equal(reply->next, 0);
    assert_memory_equal(reply->names[49]->name.data, "odd49", 5);
    assert_int_equal(reply->names[49]->type, HEAPD__V1__TYPE__TYPE_INT);
    free_message(reply);
    uint64_t start = 0;
    size_t found = 0, pages = 0;
    do {
        reply = list(a, "odd", start, 10);
        found += reply->n_names;
        start = reply->next;
        pages++;
        free_message(reply);
    } while (start);
    assert_int_equal(found, 25);
    assert_true(pages >= 3);
    reply = list(a, "none", 0, 0);
    assert_int_equal(reply->n_names, 0);
    free_message(reply);
    reply = list(a, "", 1000, 0);
    assert_int_equal(reply->n_names + reply->next, 0);
    free_message(reply);
}

/* ---- waiting ---- */

static uint64_t next_deadline_ms(struct fixture *fixture)
{
    uint64_t deadline_ns = hd_rpc_next_deadline_ns(fixture->world.server);
    return deadline_ns == UINT64_MAX ? UINT64_MAX : (deadline_ns - fixture->world.now_ns) / 1000000;
}

static void a_wait_ends_when_the_name_is_bound(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t waits = send_lookup(a, 0, "later", HANDLE(1, 1), false, 500);
    expect_nothing(a, waits);
    assert_int_equal(next_deadline_ms(fixture), 500);
    /* Later requests run; the slot is pending. */
    expect_int(a, send_add(a, 0, NULL, "x", rpc_int(1)) ? send_length(a, HANDLE(9, 9)) * 0 + send_bind(a, 0, "x", rpc_int(1)) * 0 + send_lookup(a, 0, "x", 0, false, 0) : 0, 1);
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_ESLOT_PENDING, "slot 1");
    expect_error(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 2)), HD_ESLOT_PENDING, "slot 1");
    expect_empty(b, send_bind(b, 0, "other", rpc_int(6)));
    expect_nothing(a, waits);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    /* Even if the name is taken away at once. */
    uint64_t bound = send_bind(b, 0, "later", rpc_handle(HANDLE(1, 1)));
    expect_empty(b, send_unbind(b, 0, "later"));
    expect_empty(b, bound);
    assert_ptr_equal(hd_rpc_next_ready(fixture->world.server), a->connection);
    assert_null(hd_rpc_next_ready(fixture->world.server));
    expect_object(a, waits, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    assert_int_equal(next_deadline_ms(fixture), UINT64_MAX);
}

static void a_plain_result_leaves_the_slot_free(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t waits = send_lookup(a, 0, "later", HANDLE(1, 0), false, 500);
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "later", rpc_int(6)));
    expect_int(a, waits, 6);
    expect_error(a, send_length(a, HANDLE(1, 0)), HD_EHANDLE_UNKNOWN, "slot 1");
    waits = send_lookup(a, 0, "never", 0, false, 500);
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "never", rpc_handle(0)).x);
}

int main(void)
{
    return 0;
}
