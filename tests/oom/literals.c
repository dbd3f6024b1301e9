/* Literals into the heap, and out of it. */
#include "oom.h"

#include "common/literal.h"

static void add_node(struct hd_literal_writer *writer, struct hd_node node)
{
    assert_int_equal(hd_literal_writer_add(writer, &node), 0);
}

static void add_str(struct hd_literal_writer *writer, const char *text)
{
    struct hd_node node = {.kind = HD_KIND_STR};
    node.bytes.data = (const uint8_t *)text;
    node.bytes.size = strlen(text);
    add_node(writer, node);
}

/* Records in a list, with containers of all kinds, shared parts, captures. */
static void write_literal(struct hd_literal_writer *writer, uint64_t records)
{
    hd_literal_writer_init(writer, &hd_allocator_libc, 1 << 20);
    add_node(writer, (struct hd_node){.kind = HD_KIND_LIST, .count = records});
    for (uint64_t i = 0; i < records; i++) {
        add_node(writer, (struct hd_node){.kind = HD_KIND_DICT, .count = 4});
        add_str(writer, "a member with a long name");
        add_node(writer, (struct hd_node){.kind = HD_KIND_TUPLE, .count = 2});
        add_node(writer, (struct hd_node){.kind = HD_KIND_INT, .integer = INT64_MIN});
        add_node(writer, (struct hd_node){.kind = HD_KIND_FLOAT, .real = 1e-300});
        add_str(writer, "set");
        add_node(writer, (struct hd_node){.kind = HD_KIND_SET, .count = 2});
        add_str(writer, "an element of a set");
        add_node(writer, (struct hd_node){.kind = HD_KIND_NONE});
        add_str(writer, "shared");
        add_node(writer, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 2});
        add_node(writer, (struct hd_node){.kind = HD_KIND_INT, .integer = (int64_t)i});
        add_node(writer, (struct hd_node){.kind = HD_KIND_LIST, .count = 0});
    }
}

void oom_literals(struct oom *oom)
{
    struct hd_literal_writer writer;
    struct hd_columns columns;
    write_literal(&writer, 20);
    hd_literal_writer_columns(&writer, &columns);
    const uint64_t captures[] = {0, 2, 5};
    hd_value captured[3], value;
    struct hd_build build = {.columns = &columns, .captures = captures, .capture_count = 3, .captured = captured};
    oom_begin(oom);
    if (oom_unchanged(oom, hd_build_value(oom->objects, &build, &value))) {
        oom_root(oom, 0, value);
        for (size_t i = 0; i < 3; i++)
            oom_root(oom, 1 + i, captured[i]);
    }
    build.capture_count = 0;
    hd_value list;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_list_new(oom->objects, 0, &list))) {
        oom_root(oom, 5, list);
        for (int i = 0; i < 3; i++) {
            oom_begin(oom);
            if (oom_unchanged(oom, hd_build_extend(oom->objects, &build, list)))
                assert_true(hd_list_length(oom->objects, list) > 0);
        }
    }
    hd_literal_writer_fini(&writer);
}

/* All or nothing, in the middle of the index's growth too. */
void oom_extending_a_dict(struct oom *oom)
{
    enum { PAIRS = 1200 };
    hd_value dict;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &dict)))
        return;
    oom_root(oom, 0, dict);
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 1 << 20);
    for (int i = 0; i < PAIRS; i++) {
        add_node(&writer, (struct hd_node){.kind = HD_KIND_INT, .integer = 1000000 + i});
        add_node(&writer, (struct hd_node){.kind = HD_KIND_NONE});
    }
    struct hd_columns columns;
    hd_literal_writer_columns(&writer, &columns);
    struct hd_build build = {.columns = &columns};
    uint32_t length = 0;
    for (int64_t i = 0; i < 1600; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        if (oom_ok(oom, hd_dict_set(oom->objects, dict, &key, HD_NONE)))
            length++;
        else if (oom->fail_from)
            break;
    }
    if (oom_ok(oom, hd_build_extend(oom->objects, &build, dict)))
        length += PAIRS;
    assert_int_equal(hd_dict_length(oom->objects, dict), length);
    hd_literal_writer_fini(&writer);
}

/* A walk that fails says so; the graph is untouched. */
void oom_walks(struct oom *oom)
{
    struct hd_literal_writer source, writer;
    struct hd_columns columns;
    write_literal(&source, 5);
    hd_literal_writer_columns(&source, &columns);
    struct hd_build build = {.columns = &columns};
    hd_value value;
    int error = hd_build_value(oom->objects, &build, &value);
    hd_literal_writer_fini(&source);
    if (!oom_ok(oom, error))
        return;
    oom_root(oom, 0, value);
    struct hd_walk *walk;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_walk_new(oom->objects, value, &walk)))
        return;
    hd_literal_writer_init(&writer, &oom->heap->account.allocator, 1 << 20);
    do {
        error = hd_walk_step(walk, &writer, 1 << 16, 3);
    } while (error == 0);
    hd_walk_free(walk);
    hd_literal_writer_fini(&writer);
    if (error < 0)
        assert_false(oom_unchanged(oom, error));
}
