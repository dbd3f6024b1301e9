/* Items, elements, attributes, and adding to numbers. */
#include "test.h"

#define LIST HANDLE(1, 1)
#define DICT HANDLE(2, 1)
#define SET HANDLE(3, 1)
#define TUPLE HANDLE(4, 1)
#define CLASS HANDLE(5, 1)
#define INSTANCE HANDLE(6, 1)

/* One of each in a. */
static struct rpc_client *make_all(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, LIST), LIST, HEAPD__V1__TYPE__TYPE_LIST);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_DICT, DICT), DICT, HEAPD__V1__TYPE__TYPE_DICT);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_SET, SET), SET, HEAPD__V1__TYPE__TYPE_SET);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_TUPLE, TUPLE), TUPLE, HEAPD__V1__TYPE__TYPE_TUPLE);
    expect_object(a, send_class(a, "Point", 0, "x", CLASS), CLASS, HEAPD__V1__TYPE__TYPE_CLASS);
    builder_init(&builder);
    add_node(&builder, HD_KIND_INSTANCE, 1);
    add_node(&builder, HD_KIND_HANDLE, CLASS);
    add_text(&builder, HD_KIND_STR, "x");
    add_node(&builder, HD_KIND_INT, 10);
    expect_object(a, send_create(a, built(&builder), INSTANCE), INSTANCE, HEAPD__V1__TYPE__TYPE_INSTANCE);
    builder_fini(&builder);
    return a;
}

static void lists(void **state)
{
    struct rpc_client *a = make_all(state);
    expect_empty(a, send_append(a, LIST, rpc_int(1)));
    expect_empty(a, send_append(a, LIST, rpc_str("two")));
    expect_empty(a, send_insert(a, LIST, 0, rpc_none()));
    expect_int(a, send_length(a, LIST), 3);
    expect_kind(a, send_get(a, LIST, rpc_int(0), 0, false), HEAPD__V1__VALUE__KIND_NONE);
    expect_str(a, send_get(a, LIST, rpc_int(-1), 0, false), "two");
    expect_empty(a, send_set(a, LIST, rpc_int(0), rpc_real(2.5)));
    expect_kind(a, send_get(a, LIST, rpc_int(0), 0, false), HEAPD__V1__VALUE__KIND_REAL);
    expect_bool(a, send_contains(a, LIST, rpc_str("two")), true);
    expect_bool(a, send_contains(a, LIST, rpc_int(7)), false);
    expect_error(a, send_get(a, LIST, rpc_int(3), 0, false), HD_EINDEX, "index 3 of a list of length 3");
    expect_error(a, send_set(a, LIST, rpc_int(-4), rpc_int(0)), HD_EINDEX, "index -4 of a list of length 3");
    expect_error(a, send_get(a, LIST, rpc_str("x"), 0, false), HD_ETYPE, "an index of a list is an int, not a str");
    expect_error(a, send_get_attr(a, LIST, "x", 0, false), HD_ETYPE, "list has no attributes");
    expect_error(a, send_set_add(a, LIST, rpc_int(1)), HD_ETYPE, "list has no add");
    expect_str(a, send_pop(a, LIST, NULL, 0), "two");
    Heapd__V1__Value first = rpc_int(0);
    expect_kind(a, send_pop(a, LIST, &first, 0), HEAPD__V1__VALUE__KIND_REAL);
    expect_empty(a, send_del(a, LIST, rpc_int(0)));
    expect_error(a, send_pop(a, LIST, NULL, 0), HD_EINDEX, "index -1 of a list of length 0");
    expect_error(a, send_del(a, LIST, rpc_int(0)), HD_EINDEX, "of length 0");
}

static void a_popped_object_needs_a_slot_or_stays(void **state)
{
    struct rpc_client *a = make_all(state);
    expect_empty(a, send_append(a, LIST, rpc_handle(DICT)));
    expect_error(a, send_pop(a, LIST, NULL, 0), HD_ENOT_PLAIN, "the result is a dict");
    expect_int(a, send_length(a, LIST), 1);
    expect_object(a, send_pop(a, LIST, NULL, HANDLE(9, 1)), HANDLE(9, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_int(a, send_length(a, LIST), 0);
    /* The same of a dict's last. */
    expect_empty(a, send_set(a, DICT, rpc_int(1), rpc_int(10)));
    expect_empty(a, send_set(a, DICT, rpc_int(2), rpc_handle(LIST)));
    expect_error(a, send_pop(a, DICT, NULL, 0), HD_ENOT_PLAIN, "the result is a list");
    expect_int(a, send_length(a, DICT), 2);
    expect_object(a, send_pop(a, DICT, NULL, HANDLE(10, 1)), HANDLE(10, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_pop(a, DICT, NULL, 0), 10);
    expect_error(a, send_pop(a, DICT, NULL, 0), HD_EKEY, "the dict is empty");
    /* And of a set's. */
    expect_bool(a, send_set_add(a, SET, rpc_handle(TUPLE)), true);
    expect_error(a, send_pop(a, SET, NULL, 0), HD_ENOT_PLAIN, "the result is a tuple");
    expect_bool(a, send_contains(a, SET, rpc_handle(TUPLE)), true);
    expect_object(a, send_pop(a, SET, NULL, HANDLE(11, 1)), HANDLE(11, 1), HEAPD__V1__TYPE__TYPE_TUPLE);
}

static void dicts(void **state)
{
    struct rpc_client *a = make_all(state);
    Heapd__V1__Value key = rpc_str("a longer key of a dict");
    expect_empty(a, send_set(a, DICT, key, rpc_int(1)));
    expect_empty(a, send_set(a, DICT, rpc_int(5), rpc_str("five")));
    expect_int(a, send_get(a, DICT, key, 0, false), 1);
    expect_str(a, send_get(a, DICT, rpc_real(5.0), 0, false), "five");
    expect_bool(a, send_contains(a, DICT, key), true);
    expect_int(a, send_length(a, DICT), 2);
    expect_error(a, send_get(a, DICT, rpc_str("no"), 0, false), HD_EKEY, "key \"no\"");
    expect_error(a, send_get(a, DICT, rpc_str("q\"\n"), 0, false), HD_EKEY, "key \"q\\x22\\x0a\"");
    expect_error(a, send_get(a, DICT, rpc_int(77), 0, false), HD_EKEY, "key 77");
    expect_error(a, send_del(a, DICT, rpc_str("no")), HD_EKEY, "key \"no\"");
    expect_error(a, send_set(a, DICT, rpc_handle(LIST), rpc_int(1)), HD_EUNHASHABLE, "a list");
    expect_error(a, send_append(a, DICT, rpc_int(1)), HD_ETYPE, "dict has no append");
    expect_error(a, send_set(a, DICT, rpc_str("\xff"), rpc_int(1)), HD_EUTF8, "the key");
    expect_error(a, send_set(a, DICT, rpc_str("k"), rpc_str("\xed\xa0\x80")), HD_EUTF8, "the value");
    expect_int(a, send_pop(a, DICT, &key, 0), 1);
    expect_empty(a, send_del(a, DICT, rpc_int(5)));
    expect_int(a, send_length(a, DICT), 0);
    expect_empty(a, send_set(a, DICT, key, rpc_int(1)));
    expect_empty(a, send_clear(a, DICT));
    expect_int(a, send_length(a, DICT), 0);
}

static void sets(void **state)
{
    struct rpc_client *a = make_all(state);
    expect_bool(a, send_set_add(a, SET, rpc_int(1)), true);
    expect_bool(a, send_set_add(a, SET, rpc_real(1.0)), false);
    expect_bool(a, send_set_add(a, SET, rpc_handle(TUPLE)), true);
    expect_error(a, send_set_add(a, SET, rpc_handle(LIST)), HD_EUNHASHABLE, "a list");
    expect_bool(a, send_contains(a, SET, rpc_int(1)), true);
    expect_bool(a, send_set_discard(a, SET, rpc_int(1)), true);
    expect_bool(a, send_set_discard(a, SET, rpc_int(1)), false);
    Heapd__V1__Value key = rpc_int(1);
    expect_error(a, send_pop(a, SET, &key, 0), HD_ETYPE, "use discard");
    expect_error(a, send_get(a, SET, rpc_int(1), 0, false), HD_ETYPE, "set has no items");
    expect_empty(a, send_clear(a, SET));
    expect_error(a, send_pop(a, SET, NULL, 0), HD_EKEY, "the set is empty");
}

static void tuples_do_not_change(void **state)
{
    struct rpc_client *a = make_all(state);
    expect_int(a, send_length(a, TUPLE), 0);
    expect_error(a, send_get(a, TUPLE, rpc_int(0), 0, false), HD_EINDEX, "index 0 of a tuple of length 0");
    expect_error(a, send_set(a, TUPLE, rpc_int(0), rpc_int(1)), HD_ETYPE, "tuple has no items that can be set");
    expect_error(a, send_pop(a, TUPLE, NULL, 0), HD_ETYPE, "tuple has no items that can be taken out");
    expect_error(a, send_del(a, TUPLE, rpc_int(0)), HD_ETYPE, "");
    expect_error(a, send_clear(a, TUPLE), HD_ETYPE, "tuple has no clear");
    expect_error(a, send_append(a, TUPLE, rpc_int(0)), HD_ETYPE, "tuple has no append");
    expect_error(a, send_insert(a, TUPLE, 0, rpc_int(0)), HD_ETYPE, "tuple has no insert");
}

static void attributes(void **state)
{
    struct rpc_client *a = make_all(state);
    expect_int(a, send_get_attr(a, INSTANCE, "x", 0, false), 10);
    expect_empty(a, send_set_attr(a, INSTANCE, "y", rpc_handle(LIST)));
    expect_object(a, send_get_attr(a, INSTANCE, "y", HANDLE(7, 1), false), HANDLE(7, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_del_attr(a, INSTANCE, "y"));
    expect_error(a, send_get_attr(a, INSTANCE, "y", 0, false), HD_EATTRIBUTE,
                 "instance \"Point\" has no attribute \"y\"");
    expect_error(a, send_del_attr(a, INSTANCE, "y"), HD_EATTRIBUTE, "\"y\"");
    expect_empty(a, send_set_attr(a, CLASS, "shared", rpc_str("by all")));
    expect_str(a, send_get_attr(a, INSTANCE, "shared", 0, false), "by all");
    expect_error(a, send_get_attr(a, INSTANCE, "", 0, false), HD_EINVALID, "name of 0 bytes");
    expect_error(a, send_get_attr(a, INSTANCE, "\xc0", 0, false), HD_EUTF8, "\"\\xc0\"");
    expect_error(a, send_get(a, INSTANCE, rpc_str("x"), 0, false), HD_ETYPE, "instance has no items");
    expect_error(a, send_set_attr(a, DICT, "x", rpc_int(1)), HD_ETYPE, "dict has no attributes");
    expect_error(a, send_del_attr(a, LIST, "x"), HD_ETYPE, "list has no attributes");
}

static void values_of_every_kind_come_back(void **state)
{
    struct rpc_client *a = make_all(state);
    uint8_t big[20] = {1};
    big[19] = 0x40;
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = HEAPD__V1__VALUE__KIND_BIG_INTEGER;
    value.big_integer = (ProtobufCBinaryData){sizeof big, big};
    expect_empty(a, send_append(a, LIST, value));
    expect_kind(a, send_get(a, LIST, rpc_int(0), 0, false), HEAPD__V1__VALUE__KIND_BIG_INTEGER);
    value.big_integer.len = 1;
    expect_empty(a, send_append(a, LIST, value));
    expect_int(a, send_get(a, LIST, rpc_int(1), 0, false), 1);
    value.big_integer.len = 0;
    expect_error(a, send_append(a, LIST, value), HD_EINVALID, "an int of no bytes");
    expect_empty(a, send_append(a, LIST, rpc_int(INT64_MIN)));
    expect_int(a, send_get(a, LIST, rpc_int(-1), 0, false), INT64_MIN);
    value = rpc_str("bytes");
    value.kind_case = HEAPD__V1__VALUE__KIND_BYTES;
    expect_empty(a, send_append(a, LIST, value));
    expect_kind(a, send_get(a, LIST, rpc_int(-1), 0, false), HEAPD__V1__VALUE__KIND_BYTES);
    expect_empty(a, send_append(a, LIST, rpc_bool(true)));
    expect_bool(a, send_get(a, LIST, rpc_int(-1), 0, false), true);
    value.kind_case = HEAPD__V1__VALUE__KIND__NOT_SET;
    expect_error(a, send_append(a, LIST, value), HD_EINVALID, "the value has no kind");
    Heapd__V1__AppendRequest request = HEAPD__V1__APPEND_REQUEST__INIT;
    request.object = LIST;
    expect_error(a, rpc_send(a, METHOD(APPEND), &request), HD_EINVALID, "the value is missing");
    Heapd__V1__Literal dict = rpc_empty(HEAPD__V1__KIND__KIND_DICT);
    expect_empty(a, send_append(a, LIST, rpc_literal(&dict)));
    expect_object(a, send_get(a, LIST, rpc_int(-1), HANDLE(9, 1), false), HANDLE(9, 1), HEAPD__V1__TYPE__TYPE_DICT);
}

static void plain_or_into_a_slot(void **state)
{
    struct rpc_client *a = make_all(state);
    static char text[70001];
    memset(text, 'y', sizeof text - 1);
    expect_empty(a, send_append(a, LIST, rpc_str(text)));
    expect_empty(a, send_append(a, LIST, rpc_int(4)));
    expect_error(a, send_get(a, LIST, rpc_int(0), 0, false), HD_ENOT_PLAIN, "the result is a str");
    expect_object(a, send_get(a, LIST, rpc_int(0), HANDLE(9, 1), false), HANDLE(9, 1), HEAPD__V1__TYPE__TYPE_STR);
    /* A plain value leaves the slot free, so the same handle does again. */
    expect_int(a, send_get(a, LIST, rpc_int(1), HANDLE(10, 1), false), 4);
    expect_object(a, send_get(a, LIST, rpc_int(1), HANDLE(10, 1), true), HANDLE(10, 1), HEAPD__V1__TYPE__TYPE_INT);
    expect_error(a, send_get(a, LIST, rpc_int(1), 0, true), HD_ENOT_PLAIN, "no slot");
    expect_error(a, send_get(a, LIST, rpc_int(1), HANDLE(10, 2), false), HD_ESLOT_OCCUPIED, "slot 10, generation 2");
    expect_error(a, send_get(a, LIST, rpc_int(1), HANDLE(4096, 1), false), HD_EHANDLE_UNKNOWN, "1 to 4095");
    expect_empty(a, send_release(a, HANDLE(10, 1)));
    expect_error(a, send_get(a, LIST, rpc_int(1), HANDLE(10, 1), true), HD_ESLOT_GENERATION,
                 "generation 1 was used already");
}

static void strings_up_to_the_limit_are_plain(void **state)
{
    struct rpc_client *a = make_all(state);
    static char text[65537];
    memset(text, 'z', sizeof text - 1);
    expect_empty(a, send_append(a, LIST, rpc_str(text)));
    expect_str(a, send_get(a, LIST, rpc_int(0), 0, false), text);
    expect_str(a, send_pop(a, LIST, NULL, 0), text);
}

static void adds_to_numbers_where_they_are(void **state)
{
    struct rpc_client *a = make_all(state);
    Heapd__V1__Value key = rpc_str("n"), other = rpc_str("text");
    expect_empty(a, send_set(a, DICT, key, rpc_int(40)));
    expect_empty(a, send_set(a, DICT, other, rpc_str("x")));
    expect_int(a, send_add(a, DICT, &key, NULL, rpc_int(2)), 42);
    expect_int(a, send_get(a, DICT, key, 0, false), 42);
    expect_int(a, send_add(a, INSTANCE, NULL, "x", rpc_int(-3)), 7);
    expect_empty(a, send_bind(a, 0, "counter", rpc_int(0)));
    for (int i = 1; i <= 5; i++)
        expect_int(a, send_add(a, 0, NULL, "counter", rpc_int(1)), i);
    expect_kind(a, send_add(a, DICT, &key, NULL, rpc_real(0.5)), HEAPD__V1__VALUE__KIND_REAL);
    expect_error(a, send_add(a, DICT, &other, NULL, rpc_int(1)), HD_ETYPE, "a str is there, not a number");
    expect_error(a, send_add(a, DICT, &key, NULL, rpc_str("1")), HD_ETYPE, "the delta is a str");
    Heapd__V1__Value missing = rpc_str("missing");
    expect_error(a, send_add(a, DICT, &missing, NULL, rpc_int(1)), HD_EKEY, "\"missing\"");
    expect_error(a, send_add(a, INSTANCE, NULL, "z", rpc_int(1)), HD_EATTRIBUTE, "\"z\"");
    expect_error(a, send_add(a, 0, NULL, "nobody", rpc_int(1)), HD_ENAME, "\"nobody\"");
    expect_error(a, send_add(a, DICT, &key, "x", rpc_int(1)), HD_EINVALID, "say where");
    expect_error(a, send_add(a, 0, &key, NULL, rpc_int(1)), HD_EINVALID, "without an object");
    Heapd__V1__Value zero = rpc_int(0);
    expect_error(a, send_add(a, TUPLE, &zero, NULL, rpc_int(1)), HD_EINDEX, "tuple");
}

/* Sums beyond what fits the small room, up to the largest that may be added. */
static void adds_large_numbers(void **state)
{
    struct rpc_client *a = make_all(state);
    Heapd__V1__Value key = rpc_int(0), value = HEAPD__V1__VALUE__INIT;
    static uint8_t big[70000];
    memset(big, 0xff, sizeof big);
    big[65535] = 0x7f;
    big[69999] = 0x7f;
    value.kind_case = HEAPD__V1__VALUE__KIND_BIG_INTEGER;
    value.big_integer = (ProtobufCBinaryData){65536, big};
    expect_empty(a, send_append(a, LIST, value));
    uint64_t id = send_add(a, LIST, &key, NULL, rpc_int(1));
    Heapd__V1__Value *sum = expect_message(a, id, &heapd__v1__value__descriptor);
    assert_int_equal(sum->kind_case, HEAPD__V1__VALUE__KIND_BIG_INTEGER);
    assert_int_equal(sum->big_integer.len, 65537);
    assert_int_equal(sum->big_integer.data[0], 0);
    assert_int_equal(sum->big_integer.data[65535], 0x80);
    free_message(sum);
    value.big_integer.len = sizeof big;
    expect_empty(a, send_set(a, LIST, key, value));
    expect_error(a, send_add(a, LIST, &key, NULL, rpc_int(1)), HD_ETOO_LARGE, "more than 65536 bytes");
    /* Numbers that cannot be added to do not come plain either. */
    expect_error(a, send_get(a, LIST, key, 0, false), HD_ENOT_PLAIN, "the result is an int");
}

static void paths(void **state)
{
    struct rpc_client *a = make_all(state);
    Heapd__V1__ResolveRequest request = HEAPD__V1__RESOLVE_REQUEST__INIT;
    Heapd__V1__Step steps[3] = {HEAPD__V1__STEP__INIT, HEAPD__V1__STEP__INIT, HEAPD__V1__STEP__INIT};
    Heapd__V1__Step *pointers[3] = {&steps[0], &steps[1], &steps[2]};
    Heapd__V1__Value items[2] = {rpc_str("3166-1"), rpc_int(0)};
    expect_empty(a, send_set(a, DICT, items[0], rpc_handle(LIST)));
    expect_empty(a, send_append(a, LIST, rpc_handle(INSTANCE)));
    expect_empty(a, send_bind(a, 0, "countries", rpc_handle(DICT)));
    for (int i = 0; i < 2; i++) {
        steps[i].kind_case = HEAPD__V1__STEP__KIND_ITEM;
        steps[i].item = &items[i];
    }
    steps[2].kind_case = HEAPD__V1__STEP__KIND_MEMBER;
    steps[2].member = rpc_bytes("x");
    request.name = rpc_bytes("countries");
    request.steps = pointers;
    request.n_steps = 3;
    expect_int(a, rpc_send(a, METHOD(RESOLVE), &request), 10);
    request.n_steps = 2;
    request.into = HANDLE(20, 1);
    expect_object(a, rpc_send(a, METHOD(RESOLVE), &request), HANDLE(20, 1), HEAPD__V1__TYPE__TYPE_INSTANCE);
    request.into = 0;
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_ENOT_PLAIN, "instance");
    request.n_steps = 3;
    items[1].integer = 5;
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_EINDEX, "step 2 of 3, index 5 of a list of length 1");
    items[1].integer = 0;
    steps[2].member = rpc_bytes("nope");
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_EATTRIBUTE, "step 3 of 3, instance \"Point\"");
    steps[1] = steps[2];
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_ETYPE, "step 2 of 3, list has no members");
    steps[0].kind_case = HEAPD__V1__STEP__KIND__NOT_SET;
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_EINVALID, "step 1 of 3, a step of no kind");
    request.object = DICT;
    steps[0].kind_case = HEAPD__V1__STEP__KIND_MEMBER;
    steps[0].member = rpc_bytes("3166-1");
    request.n_steps = 1;
    request.into = HANDLE(21, 1);
    expect_object(a, rpc_send(a, METHOD(RESOLVE), &request), HANDLE(21, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = 0;
    request.into = 0;
    request.name = rpc_bytes("cities");
    expect_error(a, rpc_send(a, METHOD(RESOLVE), &request), HD_ENAME, "name \"cities\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists),
        TEST(a_popped_object_needs_a_slot_or_stays),
        TEST(dicts),
        TEST(sets),
        TEST(tuples_do_not_change),
        TEST(attributes),
        TEST(values_of_every_kind_come_back),
        TEST(plain_or_into_a_slot),
        TEST(strings_up_to_the_limit_are_plain),
        TEST(adds_to_numbers_where_they_are),
        TEST(adds_large_numbers),
        TEST(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
