/* From literals to objects and back: every error, shared parts, cycles, what changes during the walk. */
#include "fixture.h"

#include "common/literal.h"

struct literal {
    struct hd_literal_writer writer;
    struct hd_columns columns;
};

static void literal_begin(struct literal *literal)
{
    hd_literal_writer_init(&literal->writer, &hd_allocator_libc, 1 << 24);
}

static void literal_end(struct literal *literal)
{
    hd_literal_writer_fini(&literal->writer);
}

static void add(struct literal *literal, struct hd_node node)
{
    assert_int_equal(hd_literal_writer_add(&literal->writer, &node), 0);
}

static void add_count(struct literal *literal, enum hd_kind kind, uint64_t count)
{
    add(literal, (struct hd_node){.kind = kind, .count = count});
}

static void add_int(struct literal *literal, int64_t number)
{
    add(literal, (struct hd_node){.kind = HD_KIND_INT, .integer = number});
}

static void add_bytes(struct literal *literal, enum hd_kind kind, const char *text, size_t size)
{
    struct hd_node node = {.kind = kind};
    node.bytes.data = (const uint8_t *)text;
    node.bytes.size = size;
    add(literal, node);
}

static void add_str(struct literal *literal, const char *text)
{
    add_bytes(literal, HD_KIND_STR, text, strlen(text));
}

static int resolve(void *context, uint64_t handle, hd_value *out)
{
    struct fixture *f = context;
    if (handle >= f->root_count)
        return HD_EHANDLE_UNKNOWN;
    *out = f->roots[handle];
    return 0;
}

static int build(struct fixture *f, struct literal *literal, hd_value *out)
{
    hd_literal_writer_columns(&literal->writer, &literal->columns);
    struct hd_build how = {.columns = &literal->columns, .resolver = {resolve, f}};
    return hd_build_value(f->objects, &how, out);
}

/* The literal that `root` comes out as, in parts of `units` nodes; the result of the last step. */
static int walk(struct fixture *f, hd_value root, uint64_t units, struct literal *out)
{
    struct hd_walk *w;
    int result = hd_walk_new(f->objects, root, &w);
    while (result == 0)
        result = hd_walk_step(w, &out->writer, SIZE_MAX, units);
    hd_walk_free(w);
    hd_literal_writer_columns(&out->writer, &out->columns);
    return result;
}

static void assert_same_columns(const struct hd_columns *a, const struct hd_columns *b)
{
    assert_int_equal(a->kind_count, b->kind_count);
    assert_memory_equal(a->kinds, b->kinds, a->kind_count);
    assert_int_equal(a->integer_count, b->integer_count);
    assert_memory_equal(a->integers, b->integers, a->integer_count * sizeof *a->integers);
    assert_int_equal(a->real_count, b->real_count);
    assert_memory_equal(a->reals, b->reals, a->real_count * sizeof *a->reals);
    assert_int_equal(a->size_count, b->size_count);
    assert_memory_equal(a->sizes, b->sizes, a->size_count * sizeof *a->sizes);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_memory_equal(a->data, b->data, a->data_bytes);
    assert_int_equal(a->count_count, b->count_count);
    assert_memory_equal(a->counts, b->counts, a->count_count * sizeof *a->counts);
    assert_int_equal(a->shared_count, b->shared_count);
    assert_memory_equal(a->shared, b->shared, a->shared_count * sizeof *a->shared);
}

/* All kinds, nested, with a part that is shared. */
static void write_everything(struct literal *literal)
{
    literal_begin(literal);
    add_count(literal, HD_KIND_LIST, 9);
    add(literal, (struct hd_node){.kind = HD_KIND_NONE});
    add(literal, (struct hd_node){.kind = HD_KIND_TRUE});
    add_count(literal, HD_KIND_TUPLE, 3);
    add_int(literal, INT64_MIN);
    add_bytes(literal, HD_KIND_BIG_INT, "\1\2\3\4\5\6\7\10\11\12", 10);
    add(literal, (struct hd_node){.kind = HD_KIND_FLOAT, .real = -1e300});
    add_count(literal, HD_KIND_DICT, 3);
    add_str(literal, "a key that is longer than a word");
    add_count(literal, HD_KIND_LIST, 0);
    add_int(literal, 5);
    add(literal, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 1}); /* the tuple; 0, the list, is still open */
    add_str(literal, "");
    add_bytes(literal, HD_KIND_BYTES, "\0\1\377 some bytes", 14);
    add_count(literal, HD_KIND_SET, 2);
    add_str(literal, "x");
    add_count(literal, HD_KIND_TUPLE, 0);
    add(literal, (struct hd_node){.kind = HD_KIND_FALSE});
    add_str(literal, "a string with a NUL \0 in it");
    add_count(literal, HD_KIND_DICT, 0);
    add(literal, (struct hd_node){.kind = HD_KIND_FLOAT, .real = 0.5});
}

static void everything_goes_there_and_back(void **state)
{
    (void)state;
    for (uint64_t units = 1; units < 40; units += 6) {
        struct fixture f;
        begin(&f);
        struct literal source, back;
        hd_value value = HD_ABSENT;
        write_everything(&source);
        assert_int_equal(build(&f, &source, &value), 0);
        keep(&f, value);
        check(&f);
        literal_begin(&back);
        assert_int_equal(walk(&f, value, units, &back), 1);
        assert_same_columns(&source.columns, &back.columns);
        literal_end(&source);
        literal_end(&back);
        end(&f);
    }
}

static void shared_parts_are_one_object(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct literal literal;
    literal_begin(&literal);
    add_count(&literal, HD_KIND_LIST, 3);
    add_count(&literal, HD_KIND_LIST, 1);
    add_int(&literal, 1);
    add(&literal, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 1});
    add(&literal, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 1});
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    uint64_t captures[] = {0, 1};
    hd_value captured[2], value;
    struct hd_build how = {.columns = &literal.columns, .captures = captures, .capture_count = 2, .captured = captured};
    assert_int_equal(hd_build_value(f.objects, &how, &value), 0);
    keep(&f, value);
    assert_int_equal(captured[0], value);
    keep(&f, captured[0]);
    keep(&f, captured[1]);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(hd_list_at(f.objects, value, i), captured[1]);
    check(&f);
    literal_end(&literal);
    end(&f);
}

/* A cycle cannot come out of a literal, but goes into one: as a share of what is still open. */
static void cycles_can_be_walked(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), d = dict(&f);
    put(&f, d, str(&f, "up"), hd_gc_retain(f.gc, l));
    put(&f, d, str(&f, "self"), hd_gc_retain(f.gc, d));
    append(&f, l, d);
    append(&f, l, hd_gc_retain(f.gc, l));
    struct literal back;
    literal_begin(&back);
    assert_int_equal(walk(&f, l, 2, &back), 1);
    assert_int_equal(back.columns.kind_count, 7);
    assert_int_equal(back.columns.shared_count, 3);
    assert_int_equal(back.columns.shared[0], 0);
    assert_int_equal(back.columns.shared[1], 1);
    assert_int_equal(back.columns.shared[2], 0);
    hd_value again = 77;
    assert_int_equal(build(&f, &back, &again), HD_ECYCLE);
    assert_int_equal(again, 77);
    literal_end(&back);
    end(&f);
}

/* Each broken literal has its error, and leaves nothing behind. */
static void every_error(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), held = keep(&f, dict(&f)), out = 77;
    static const int wanted[] = {HD_EPROTOCOL,   HD_EPROTOCOL,   HD_EUTF8,           HD_EUTF8, HD_ECYCLE, HD_EINVALID,
                                 HD_EUNHASHABLE, HD_EUNHASHABLE, HD_EHANDLE_UNKNOWN, HD_ETYPE, HD_EDEPTH, HD_EINVALID};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct literal literal;
        literal_begin(&literal);
        switch (i) {
        case 0: /* nothing at all */
            break;
        case 1: /* two at the top */
            add_int(&literal, 1);
            add_int(&literal, 2);
            break;
        case 2:
            add_count(&literal, HD_KIND_LIST, 2);
            add_str(&literal, "a string that is boxed");
            add_bytes(&literal, HD_KIND_STR, "broken \377 text", 13);
            break;
        case 3: /* in a key */
            add_count(&literal, HD_KIND_DICT, 1);
            add_bytes(&literal, HD_KIND_STR, "broken \377 key", 12);
            add_int(&literal, 1);
            break;
        case 4:
            add_count(&literal, HD_KIND_LIST, 1);
            add(&literal, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 0});
            break;
        case 5: /* a share of what never comes */
            add_count(&literal, HD_KIND_LIST, 2);
            add_count(&literal, HD_KIND_LIST, 0);
            add(&literal, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 9});
            break;
        case 6:
            add_count(&literal, HD_KIND_DICT, 1);
            add_count(&literal, HD_KIND_TUPLE, 1);
            add_count(&literal, HD_KIND_LIST, 0);
            add_int(&literal, 1);
            break;
        case 7:
            add_count(&literal, HD_KIND_SET, 1);
            add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 1});
            break;
        case 8:
            add_count(&literal, HD_KIND_TUPLE, 2);
            add_str(&literal, "a string that is boxed");
            add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 1000});
            break;
        case 9: /* an instance of a list */
            add_count(&literal, HD_KIND_INSTANCE, 0);
            add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 0});
            break;
        case 10:
            for (uint32_t k = 0; k <= HD_LITERAL_MAX_DEPTH; k++)
                add_count(&literal, HD_KIND_LIST, 1);
            add_int(&literal, 1);
            break;
        default: /* a big int without bytes */
            add_count(&literal, HD_KIND_LIST, 1);
            add_bytes(&literal, HD_KIND_BIG_INT, "", 0);
            break;
        }
        uint32_t live = f.heap->table.live_count;
        assert_int_equal(build(&f, &literal, &out), wanted[i]);
        assert_int_equal(out, 77);
        /* Into a container, too: it stays as it was. */
        struct hd_build how = {.columns = &literal.columns, .resolver = {resolve, &f}};
        if (i > 1)
            assert_int_equal(hd_build_extend(f.objects, &how, l), wanted[i]);
        while (hd_gc_reap(f.gc, 1000))
            ;
        check(&f);
        assert_int_equal(f.heap->table.live_count, live);
        assert_int_equal(hd_list_length(f.objects, l), 0);
        literal_end(&literal);
    }
    assert_int_equal(hd_dict_length(f.objects, held), 0);
    end(&f);
}

static void bad_captures(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const uint64_t captures[][2] = {{0, 2}, {1, 1}, {1, 0}, {7, 8}};
    for (size_t i = 0; i < sizeof captures / sizeof captures[0]; i++) {
        struct literal literal;
        literal_begin(&literal);
        add_count(&literal, HD_KIND_LIST, 1);
        add_count(&literal, HD_KIND_LIST, 0);
        hd_literal_writer_columns(&literal.writer, &literal.columns);
        hd_value captured[2] = {77, 77}, out = 77;
        struct hd_build how = {
            .columns = &literal.columns, .captures = captures[i], .capture_count = 2, .captured = captured};
        assert_int_equal(hd_build_value(f.objects, &how, &out), HD_EINVALID);
        assert_true(out == 77 && captured[0] == 77 && captured[1] == 77);
        literal_end(&literal);
        while (hd_gc_reap(f.gc, 100))
            ;
        assert_int_equal(f.heap->table.live_count, f.live_before);
    }
    end(&f);
}

static void containers_are_extended(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), d = keep(&f, dict(&f)), s = keep(&f, set(&f)), t = keep(&f, tuple(&f, 0));
    struct literal literal;
    literal_begin(&literal);
    add_int(&literal, 1);
    add_str(&literal, "a string that is boxed");
    add_int(&literal, 1);
    add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 3});
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    struct hd_build how = {.columns = &literal.columns, .resolver = {resolve, &f}};
    assert_int_equal(hd_build_extend(f.objects, &how, l), 0);
    assert_int_equal(hd_build_extend(f.objects, &how, d), 0);
    assert_int_equal(hd_build_extend(f.objects, &how, s), 0);
    assert_int_equal(hd_build_extend(f.objects, &how, t), HD_ETYPE);
    assert_int_equal(hd_list_length(f.objects, l), 4);
    assert_int_equal(hd_dict_length(f.objects, d), 1);
    assert_int_equal(hd_dict_length(f.objects, s), 3);
    hd_value under_one = look_up(&f, d, hd_value_int(1));
    assert_int_equal(under_one, t);
    release(&f, under_one);
    check(&f);
    add_int(&literal, 9); /* a key without a value */
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    assert_int_equal(hd_build_extend(f.objects, &how, d), HD_EPROTOCOL);
    assert_int_equal(hd_dict_length(f.objects, d), 1);
    literal_end(&literal);
    end(&f);
}

/* Pairs that go straight into a dict: over what is there, twice in a row, and not at all if one of them has no hash. */
static void dicts_are_extended(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), l = keep(&f, list(&f));
    struct literal literal;
    literal_begin(&literal);
    for (int i = 0; i < 100; i++) {
        add_int(&literal, i);
        add_str(&literal, "the first string");
        add(&literal, (struct hd_node){.kind = HD_KIND_FLOAT, .real = i});
        add_int(&literal, -i);
    }
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    struct hd_build how = {.columns = &literal.columns, .resolver = {resolve, &f}};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(hd_build_extend(f.objects, &how, d), 0);
        assert_int_equal(hd_dict_length(f.objects, d), 100);
        assert_int_equal(look_up(&f, d, hd_value_int(7)), hd_value_int(-7));
        check(&f);
    }
    literal_end(&literal);
    literal_begin(&literal);
    add_int(&literal, 7);
    add_int(&literal, 0);
    add_count(&literal, HD_KIND_TUPLE, 1);
    add_str(&literal, "a tuple is a key");
    add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 1});
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    assert_int_equal(hd_build_extend(f.objects, &how, d), 0);
    assert_int_equal(hd_dict_length(f.objects, d), 101);
    assert_int_equal(look_up(&f, d, hd_value_int(7)), hd_value_int(0));
    add_int(&literal, 7);
    add_int(&literal, 1);
    add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 1}); /* a list is none */
    add_int(&literal, 1);
    hd_literal_writer_columns(&literal.writer, &literal.columns);
    assert_int_equal(hd_build_extend(f.objects, &how, d), HD_EUNHASHABLE);
    assert_int_equal(look_up(&f, d, hd_value_int(7)), hd_value_int(0));
    assert_int_equal(hd_list_length(f.objects, l), 0);
    check(&f);
    literal_end(&literal);
    end(&f);
}

static void instances_are_built(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value class_value, value;
    assert_int_equal(hd_class_new(f.objects, hd_value_short(HD_TAG_STR, "Point", 5), HD_ABSENT, &class_value), 0);
    keep(&f, class_value);
    struct literal literal, back;
    literal_begin(&literal);
    add_count(&literal, HD_KIND_INSTANCE, 2);
    add(&literal, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = 0});
    add_str(&literal, "x");
    add_int(&literal, 1);
    add_str(&literal, "an attribute with a long name");
    add_int(&literal, 2);
    assert_int_equal(build(&f, &literal, &value), 0);
    keep(&f, value);
    assert_int_equal(hd_instance_class(f.objects, value), class_value);
    assert_int_equal(hd_instance_length(f.objects, value), 2);
    check(&f);
    literal_begin(&back);
    assert_int_equal(walk(&f, value, 1, &back), 1);
    assert_int_equal(back.columns.kind_count, 6);
    literal_end(&back);
    literal_begin(&back);
    assert_int_equal(walk(&f, class_value, 1, &back), HD_ETYPE);
    literal_end(&back);
    literal_end(&literal);
    end(&f);
}

/* The picture is whole, or the walk says that it is not. */
static void changes_during_a_walk(void **state)
{
    (void)state;
    for (int change = 0; change < 8; change++) {
        struct fixture f;
        begin(&f);
        hd_value l = keep(&f, list(&f)), d = dict(&f), seen = list(&f), later = list(&f);
        append(&f, l, seen);
        append(&f, l, d);
        for (int i = 0; i < 50; i++)
            put(&f, d, hd_value_int(i), list(&f));
        append(&f, l, later);
        struct literal back;
        literal_begin(&back);
        struct hd_walk *w;
        assert_int_equal(hd_walk_new(f.objects, l, &w), 0);
        assert_int_equal(hd_walk_step(w, &back.writer, SIZE_MAX, 40), 0); /* in the middle of the dict */
        struct hd_key key = hd_key_of(hd_value_int(3));
        bool changed = true;
        if (change == 0) {
            append(&f, seen, HD_NONE);
        } else if (change == 1) {
            put(&f, d, hd_value_int(100), HD_NONE);
        } else if (change == 2) {
            assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
        } else if (change == 3) {
            assert_int_equal(hd_clear(f.objects, l), 0);
        } else if (change == 4) { /* not looked at yet */
            append(&f, later, HD_NONE);
            changed = false;
        } else if (change == 5) { /* only read */
            release(&f, look_up(&f, d, hd_value_int(7)));
            struct hd_collection found;
            assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
            changed = false;
        } else if (change == 6) { /* an insertion that fails moves nothing, or says so */
            for (int i = 0; i < 20; i++) {
                key = hd_key_of(hd_value_int(i));
                assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
            }
        } else { /* its holder lets go of the root; the walk holds it */
            f.roots[0] = HD_NONE;
            release(&f, l);
            changed = false;
        }
        int result;
        do {
            result = hd_walk_step(w, &back.writer, SIZE_MAX, 3);
        } while (result == 0);
        assert_int_equal(result, changed ? HD_ECHANGED : 1);
        hd_walk_free(w);
        literal_end(&back);
        end(&f);
    }
}

/* Entries that move without a change in what is seen, in an insertion that then fails, are a change for the walk. */
static void a_failed_insertion_during_a_walk(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 8; n++) {
        struct fixture f;
        begin(&f);
        hd_value d = keep(&f, dict(&f));
        for (int i = 0; i < 700; i++)
            put(&f, d, hd_value_int(i), list(&f));
        for (int i = 0; i < 300; i++) {
            struct hd_key key = hd_key_of(hd_value_int(i));
            assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
        }
        struct literal back;
        literal_begin(&back);
        struct hd_walk *w;
        assert_int_equal(hd_walk_new(f.objects, d, &w), 0);
        assert_int_equal(hd_walk_step(w, &back.writer, SIZE_MAX, 400), 0);
        arm(&f, n);
        uint32_t length = hd_dict_length(f.objects, d);
        int error = hd_dict_reserve(f.objects, d, 100000);
        arm(&f, 0);
        assert_true(error == 0 || error == HD_ENOMEM);
        assert_int_equal(hd_dict_length(f.objects, d), length);
        int result;
        do {
            result = hd_walk_step(w, &back.writer, SIZE_MAX, 50);
        } while (result == 0);
        hd_literal_writer_columns(&back.writer, &back.columns);
        if (result == 1)
            assert_int_equal(back.columns.kind_count, 1 + 2 * 400);
        else
            assert_int_equal(result, HD_ECHANGED);
        hd_walk_free(w);
        literal_end(&back);
        check(&f);
        end(&f);
    }
}

static void depth_and_breadth(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct literal literal, back;
    hd_value value;
    literal_begin(&literal);
    for (uint32_t k = 1; k < HD_LITERAL_MAX_DEPTH; k++)
        add_count(&literal, k % 2 ? HD_KIND_LIST : HD_KIND_TUPLE, 1);
    add_count(&literal, HD_KIND_LIST, 50000);
    for (int i = 0; i < 50000; i++)
        add_int(&literal, i);
    assert_int_equal(build(&f, &literal, &value), 0);
    keep(&f, value);
    literal_begin(&back);
    assert_int_equal(walk(&f, value, 1000, &back), 1);
    assert_same_columns(&literal.columns, &back.columns);
    literal_end(&literal);
    literal_end(&back);
    /* Deeper than a literal may be, objects can still be walked. */
    for (int i = 0; i < 100000; i++) {
        hd_value outer = list(&f);
        append(&f, outer, f.roots[0]);
        f.roots[0] = outer;
    }
    literal_begin(&back);
    assert_int_equal(walk(&f, f.roots[0], 1000, &back), 1);
    literal_end(&back);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_goes_there_and_back),
        cmocka_unit_test(shared_parts_are_one_object),
        cmocka_unit_test(cycles_can_be_walked),
        cmocka_unit_test(every_error),
        cmocka_unit_test(bad_captures),
        cmocka_unit_test(containers_are_extended),
        cmocka_unit_test(dicts_are_extended),
        cmocka_unit_test(instances_are_built),
        cmocka_unit_test(changes_during_a_walk),
        cmocka_unit_test(a_failed_insertion_during_a_walk),
        cmocka_unit_test(depth_and_breadth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
