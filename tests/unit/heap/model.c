#include "model.h"

enum { ATTRIBUTES = 12 };

static bool fault(void *context)
{
    struct model *model = context;
    model->allocation_count++;
    if (model->fail_every == 0 || model->allocation_count % model->fail_every != 0)
        return false;
    model->failed_count++;
    return true;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct model *model = (const void *)((const char *)source - offsetof(struct model, source));
    if (from == 0)
        visitor->visit(visitor, model->class_value);
    size_t i = from;
    for (; i < model->count && i - from < max; i++)
        visitor->visit(visitor, model->values[i]);
    return i < model->count ? i : 0;
}

static struct hd_key attribute_key(uint32_t i)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    return hd_key_of(hd_value_short(HD_TAG_STR, &letters[i], 1));
}

void model_begin(struct model *model, const char *name, uint32_t count, uint64_t limit_bytes)
{
    memset(model, 0, sizeof *model);
    hd_os_fault_init(&model->os);
    model->random = hd_test_seed(name);
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    config.limit_bytes = limit_bytes;
    config.fault = fault;
    config.fault_context = model;
    config.hash_key[0] = hd_test_random(&model->random);
    assert_int_equal(hd_heap_new(&model->os.os, &config, &model->heap), 0);
    model->objects = &model->heap->objects;
    model->live_before = model->heap->table.live_count;
    model->count = count;
    model->values = calloc(count, sizeof *model->values);
    model->things = calloc(count, sizeof *model->things);
    assert_true(model->values && model->things);
    assert_int_equal(
        hd_class_new(model->objects, hd_value_short(HD_TAG_STR, "Thing", 5), HD_ABSENT, &model->class_value), 0);
    for (uint32_t i = 0; i < ATTRIBUTES; i++) {
        struct hd_key key = attribute_key(i);
        assert_int_equal(hd_class_add_attribute(model->objects, model->class_value, &key), 0);
    }
    model->source.scan = scan;
    hd_gc_add_roots(&model->heap->gc, &model->source);
}

void model_end(struct model *model)
{
    model->fail_every = 0;
    model_check(model);
    model_verify_all(model);
    for (uint32_t i = 0; i < model->count; i++)
        model_free(model, i);
    hd_value class_value = model->class_value;
    model->class_value = HD_ABSENT;
    hd_gc_release(&model->heap->gc, class_value);
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(model->heap, 2, &found), 0);
    model_check(model);
    assert_int_equal(model->heap->table.live_count, model->live_before);
    hd_gc_remove_roots(&model->heap->gc, &model->source);
    hd_heap_free(model->heap);
    free(model->values);
    free(model->things);
    assert_int_equal(model->os.mapped_bytes, 0);
}

void model_check(struct model *model)
{
    const char *broken = hd_heap_check(model->heap, &hd_allocator_libc);
    if (broken)
        fail_msg("broken invariant: %s", broken);
}

/* ---- contents ------------------------------------------------------------- */

static uint8_t byte_of(uint32_t seed, uint32_t i)
{
    return (uint8_t)((seed + i) * 2654435761u >> 24);
}

static int new_bytes(struct model *model, uint32_t seed, uint32_t size, hd_value *out)
{
    static uint8_t raw[1 << 21];
    for (uint32_t i = 0; i < size; i++)
        raw[i] = byte_of(seed, i);
    return hd_bytes_new(model->objects, raw, size, out);
}

static void assert_bytes(struct model *model, hd_value value, uint32_t seed, uint32_t expected_size)
{
    size_t size;
    const uint8_t *bytes = hd_bytes_view(model->objects, &value, &size);
    assert_int_equal(size, expected_size);
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != byte_of(seed, i))
            fail_msg("byte %u of %zu is not what it was", (unsigned)i, size);
}

/* What stands for number i: itself, or every fourth a bytes object. */
static int new_number(struct model *model, uint32_t seed, uint32_t i, hd_value *out)
{
    if (i % 4 == 3)
        return new_bytes(model, seed + i, 8 + i % 50, out);
    *out = hd_value_int((int64_t)seed + i);
    return 0;
}

static void assert_number(struct model *model, hd_value value, uint32_t seed, uint32_t i)
{
    if (i % 4 == 3)
        assert_bytes(model, value, seed + i, 8 + i % 50);
    else
        assert_true(value == hd_value_int((int64_t)seed + i));
}

/* ---- making --------------------------------------------------------------- */

static int add_one(struct model *model, hd_value object, struct thing *thing)
{
    struct hd_objects *objects = model->objects;
    struct hd_key key = hd_key_of(hd_value_int(thing->high));
    hd_value number = HD_ABSENT;
    bool was_new = true;
    int error = thing->kind == SET ? 0 : new_number(model, thing->seed, thing->high, &number);
    if (error)
        return error;
    if (thing->kind == LIST) {
        error = hd_list_append(objects, object, number);
    } else if (thing->kind == DICT) {
        error = hd_dict_set(objects, object, &key, number);
    } else if (thing->kind == SET) {
        error = hd_set_add(objects, object, &key, &was_new);
    } else {
        key = attribute_key(thing->high);
        error = hd_attribute_set(objects, object, &key, number);
    }
    if (error)
        hd_gc_release(&model->heap->gc, number);
    else
        thing->high++;
    assert_true(was_new);
    return error;
}

static int new_cycle(struct model *model, const struct thing *thing, hd_value *out)
{
    hd_value list, bytes;
    int error = hd_list_new(model->objects, 2, &list);
    if (error)
        return error;
    error = new_bytes(model, thing->seed, thing->high, &bytes);
    if (error) {
        hd_gc_release(&model->heap->gc, list);
        return error;
    }
    assert_int_equal(hd_list_append(model->objects, list, bytes), 0);
    assert_int_equal(hd_list_append(model->objects, list, hd_gc_retain(&model->heap->gc, list)), 0);
    *out = list;
    return 0;
}

static int new_thing(struct model *model, struct thing *thing, uint32_t size, hd_value *out)
{
    hd_value value;
    int error;
    if (thing->kind == BYTES || thing->kind == CYCLE) {
        thing->high = size;
        return thing->kind == BYTES ? new_bytes(model, thing->seed, size, out) : new_cycle(model, thing, out);
    }
    if (thing->kind == LIST)
        error = hd_list_new(model->objects, 0, &value);
    else if (thing->kind == DICT)
        error = hd_dict_new(model->objects, 0, &value);
    else if (thing->kind == SET)
        error = hd_set_new(model->objects, 0, &value);
    else
        error = hd_instance_new(model->objects, model->class_value, &value);
    while (!error && thing->high < size) {
        error = add_one(model, value, thing);
        if (error)
            hd_gc_release(&model->heap->gc, value);
    }
    if (!error)
        *out = value;
    return error;
}

/* Mostly small, some large: up to blocks that are mapped by themselves. */
static uint32_t random_size(struct model *model, enum thing_kind kind)
{
    uint32_t dice = model_below(model, 1000);
    if (kind == INSTANCE)
        return model_below(model, ATTRIBUTES);
    uint32_t most = dice < 900 ? 40 : dice < 990 ? 600 : kind == BYTES ? 600000 : 12000;
    return (kind == BYTES || kind == CYCLE ? 8 : 0) + model_below(model, most);
}

void model_create(struct model *model, uint32_t place)
{
    assert_int_equal(model->things[place].kind, NOTHING);
    struct thing thing = {.kind = 1 + model_below(model, THING_KINDS - 1), .seed = model_below(model, 1u << 30)};
    hd_value value;
    int error = new_thing(model, &thing, random_size(model, thing.kind), &value);
    if (error) {
        assert_int_equal(error, HD_ENOMEM);
        return;
    }
    model->things[place] = thing;
    model->values[place] = value;
}

void model_free(struct model *model, uint32_t place)
{
    hd_value value = model->values[place];
    model->values[place] = HD_ABSENT;
    model->things[place] = (struct thing){0};
    hd_gc_release(&model->heap->gc, value);
}

/* ---- changing and looking ------------------------------------------------- */

static void remove_one(struct model *model, hd_value object, struct thing *thing)
{
    struct hd_objects *objects = model->objects;
    if (thing->low == thing->high)
        return;
    hd_value out;
    bool was_there = true;
    bool first = model_below(model, 2);
    struct hd_key key = hd_key_of(hd_value_int(first ? thing->low : thing->high - 1));
    if (thing->kind == LIST) {
        assert_int_equal(hd_list_pop(objects, object, first ? 0 : -1, &out), 0);
        hd_gc_release(&model->heap->gc, out);
    } else if (thing->kind == DICT) {
        assert_int_equal(hd_dict_pop(objects, object, &key, NULL), 0);
    } else if (thing->kind == SET) {
        assert_int_equal(hd_set_discard(objects, object, &key, &was_there), 0);
    } else {
        key = attribute_key(thing->high - 1);
        assert_int_equal(hd_attribute_delete(objects, object, &key), 0);
        first = false;
    }
    assert_true(was_there);
    if (first)
        thing->low++;
    else
        thing->high--;
}

void model_change(struct model *model, uint32_t place)
{
    struct thing *thing = &model->things[place];
    hd_value object = model->values[place];
    if (thing->kind == BYTES || thing->kind == CYCLE || thing->kind == NOTHING)
        return;
    for (uint32_t times = 1 + model_below(model, 30); times; times--) {
        uint32_t most = thing->kind == INSTANCE ? ATTRIBUTES : 1u << 20;
        if (model_below(model, 100) < 45 || thing->high >= most) {
            remove_one(model, object, thing);
        } else {
            int error = add_one(model, object, thing);
            assert_true(error == 0 || error == HD_ENOMEM);
        }
    }
}

static void verify_table(struct model *model, hd_value object, const struct thing *thing)
{
    assert_int_equal(hd_dict_length(model->objects, object), thing->high - thing->low);
    uint32_t position = 0;
    hd_value key, value;
    for (uint32_t i = thing->low; i < thing->high; i++) {
        assert_true(hd_dict_next(model->objects, object, &position, &key, &value));
        assert_true(key == hd_value_int(i));
        if (thing->kind == DICT)
            assert_number(model, value, thing->seed, i);
    }
    assert_false(hd_dict_next(model->objects, object, &position, &key, &value));
    bool there;
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t number = model_below(model, thing->high + 3);
        struct hd_key wanted = hd_key_of(hd_value_int(number));
        assert_int_equal(hd_dict_contains(model->objects, object, &wanted, &there), 0);
        assert_int_equal(there, number >= thing->low && number < thing->high);
    }
}

void model_verify(struct model *model, uint32_t place)
{
    const struct thing *thing = &model->things[place];
    hd_value object = model->values[place], out;
    switch (thing->kind) {
    case BYTES:
        assert_bytes(model, object, thing->seed, thing->high);
        break;
    case CYCLE:
        assert_int_equal(hd_list_length(model->objects, object), 2);
        assert_bytes(model, hd_list_at(model->objects, object, 0), thing->seed, thing->high);
        assert_true(hd_list_at(model->objects, object, 1) == object);
        break;
    case LIST:
        assert_int_equal(hd_list_length(model->objects, object), thing->high - thing->low);
        for (uint32_t i = thing->low; i < thing->high; i++)
            assert_number(model, hd_list_at(model->objects, object, i - thing->low), thing->seed, i);
        break;
    case DICT:
    case SET:
        verify_table(model, object, thing);
        break;
    case INSTANCE:
        assert_int_equal(hd_instance_length(model->objects, object), thing->high);
        for (uint32_t i = 0; i < thing->high; i++) {
            struct hd_key key = attribute_key(i);
            assert_int_equal(hd_attribute_get(model->objects, object, &key, &out), 0);
            assert_number(model, out, thing->seed, i);
            hd_gc_release(&model->heap->gc, out);
        }
        break;
    default:
        break;
    }
}

void model_verify_all(struct model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_verify(model, i);
}

void model_act(struct model *model, unsigned dense)
{
    uint32_t place = model_below(model, model->count);
    bool wanted = model_below(model, 100) < dense;
    bool there = model->things[place].kind != NOTHING;
    if (!there && wanted)
        model_create(model, place);
    else if (there && !wanted && model_below(model, 2))
        model_free(model, place);
    else if (there && model_below(model, 2))
        model_change(model, place);
    else
        model_verify(model, place);
}
