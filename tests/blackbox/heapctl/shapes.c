/*
 * Puts what JSON cannot make into the heap, for roundtrip.py to look at with
 * heapctl: shared parts, cycles, bytes, tuples, sets, instances, odd keys.
 *
 * Usage: heapctl_shapes ADDRESS [churn PATH-NAME]
 *
 * With "churn" it keeps changing the list of that name until its input ends.
 */
#include <heapd/heapd.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct heapd_connection *heap;
static struct heapd_error error;

static void must(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, heapd_code_name(code), error.message);
    exit(1);
}

static void bind_literal(const char *name, struct heapd_literal *literal)
{
    must(heapd_literal_state(literal), name);
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(name), heapd_new(literal), &error), name);
    heapd_literal_reset(literal);
}

static void make_scalars(struct heapd_literal *literal)
{
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("shape_bytes"), heapd_bytes_of("\0\xff\x10", 3), &error), "bytes");
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("shape_nan"), heapd_float(NAN), &error), "nan");
    heapd_literal_open_list(literal);
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("in"));
    heapd_literal_add(literal, heapd_bytes_of("longer than an inline value", 27));
    heapd_literal_close(literal);
    heapd_literal_close(literal);
    bind_literal("shape_bytes_inside", literal);
    heapd_literal_open_tuple(literal);
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_open_set(literal);
    heapd_literal_add(literal, heapd_str("only"));
    heapd_literal_close(literal);
    heapd_literal_add(literal, heapd_float(-INFINITY));
    heapd_literal_close(literal);
    bind_literal("shape_infinity", literal);
}

static void make_containers(struct heapd_literal *literal)
{
    heapd_literal_open_tuple(literal);
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_open_set(literal);
    heapd_literal_add(literal, heapd_str("only"));
    heapd_literal_close(literal);
    heapd_literal_open_tuple(literal);
    heapd_literal_close(literal);
    heapd_literal_close(literal);
    bind_literal("shape_tuple", literal);

    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_int(-3));
    heapd_literal_add(literal, heapd_str("int"));
    heapd_literal_add(literal, heapd_none());
    heapd_literal_add(literal, heapd_str("none"));
    heapd_literal_add(literal, heapd_float(2.5));
    heapd_literal_add(literal, heapd_str("float"));
    heapd_literal_close(literal);
    bind_literal("shape_keys", literal);

    heapd_literal_open_dict(literal);
    heapd_literal_open_tuple(literal);
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_close(literal);
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_close(literal);
    bind_literal("shape_tuple_key", literal);
}

static void make_instance(struct heapd_literal *literal)
{
    heapd_handle class_handle;
    must(heapd_create_class(heap, heapd_text("Point"), 0, NULL, 0, &class_handle, &error), "class");
    heapd_literal_open_instance(literal, class_handle);
    heapd_literal_add(literal, heapd_str("x"));
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_add(literal, heapd_str("tags"));
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    heapd_literal_close(literal);
    bind_literal("shape_instance", literal);
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("shape_class"), heapd_ref(class_handle), &error), "class");
    heapd_release(heap, class_handle);
}

/* [[1], [[1], [1]], ...]: the same list at each place of a level, and levels that share the one before. */
static void make_shared(struct heapd_literal *literal)
{
    heapd_literal_open_list(literal);
    heapd_literal_open_list(literal);
    heapd_literal_add(literal, heapd_int(1));
    heapd_literal_close(literal);
    for (uint64_t level = 1; level <= 5; level++) {
        heapd_literal_open_list(literal);
        heapd_literal_add_shared(literal, level);
        heapd_literal_add_shared(literal, level);
        heapd_literal_close(literal);
    }
    heapd_literal_close(literal);
    bind_literal("shape_shared", literal);
}

static void make_cycles(void)
{
    heapd_handle list, dict;
    must(heapd_new_list(heap, &list, &error), "list");
    must(heapd_new_dict(heap, &dict, &error), "dict");
    must(heapd_append(heap, list, heapd_int(0), &error), "append");
    must(heapd_append(heap, list, heapd_ref(dict), &error), "append");
    must(heapd_set_item(heap, dict, heapd_str("up there"), heapd_ref(list), &error), "set");
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("shape_cycle"), heapd_ref(list), &error), "bind");
    heapd_release(heap, list);
    heapd_release(heap, dict);
    /* 100 pairs of lists that hold each other, and that nobody else holds. */
    for (int i = 0; i < 100; i++) {
        heapd_handle one, other;
        must(heapd_new_list(heap, &one, &error), "list");
        must(heapd_new_list(heap, &other, &error), "list");
        must(heapd_append(heap, one, heapd_ref(other), &error), "append");
        must(heapd_append(heap, other, heapd_ref(one), &error), "append");
        heapd_release(heap, one);
        heapd_release(heap, other);
    }
    must(heapd_finish(heap, &error), "finish");
}

static void churn(const char *name)
{
    struct heapd_value list;
    must(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text(name), HEAPD_OBJECT, 0, &list, &error), name);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    puts("ready");
    fflush(stdout);
    for (int64_t i = 0; poll(&input, 1, 0) == 0; i++)
        must(heapd_set_item(heap, list.as.ref, heapd_int(-1), heapd_int(i), &error), "set");
}

int main(int count, char **arguments)
{
    if (count != 2 && !(count == 4 && !strcmp(arguments[2], "churn")))
        return 2;
    must(heapd_connect(arguments[1], NULL, &heap, &error), "connect");
    if (count == 4) {
        churn(arguments[3]);
    } else {
        struct heapd_literal *literal = heapd_literal_new();
        if (!literal)
            return 1;
        make_scalars(literal);
        make_containers(literal);
        make_instance(literal);
        make_shared(literal);
        make_cycles();
        heapd_literal_free(literal);
    }
    heapd_close(heap);
    return 0;
}
