#include "fixture.h"

static bool fault(void *context)
{
    struct fixture *f = context;
    f->allocations++;
    if (f->fault_at == 0 || --f->fault_at != 0)
        return false;
    f->faults++;
    return true;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)max;
    const struct fixture *f = (const void *)((const char *)source - offsetof(struct fixture, source));
    for (size_t i = from; i < f->root_count; i++)
        visitor->visit(visitor, f->roots[i]);
    return 0;
}

void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    hd_os_fault_init(&f->os);
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    config.hash_key[0] = 0x0123456789abcdef;
    config.hash_key[1] = 0xfedcba9876543210;
    config.fault = fault;
    config.fault_context = f;
    assert_int_equal(hd_heap_new(&f->os.os, &config, &f->heap), 0);
    f->objects = &f->heap->objects;
    f->gc = &f->heap->gc;
    f->source.scan = scan;
    hd_gc_add_roots(f->gc, &f->source);
    f->live_before = f->heap->table.live_count;
}

void check(struct fixture *f)
{
    const char *broken = hd_heap_check(f->heap, &hd_allocator_libc);
    if (broken)
        fail_msg("broken invariant: %s", broken);
}

void end(struct fixture *f)
{
    arm(f, 0);
    check(f);
    for (size_t i = 0; i < f->root_count; i++) {
        hd_value old = f->roots[i];
        f->roots[i] = HD_ABSENT;
        hd_gc_release(f->gc, old);
    }
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f->heap, 2, &found), 0);
    check(f);
    assert_int_equal(f->heap->table.live_count, f->live_before);
    hd_gc_remove_roots(f->gc, &f->source);
    hd_heap_free(f->heap);
    assert_int_equal(f->os.mapped_bytes, 0);
}

void arm(struct fixture *f, uint64_t n)
{
    f->fault_at = n;
    f->allocations = 0;
    f->faults = 0;
}

hd_value keep(struct fixture *f, hd_value value)
{
    assert_true(f->root_count < FIXTURE_ROOTS);
    f->roots[f->root_count++] = value;
    return value;
}

void release(struct fixture *f, hd_value value)
{
    hd_gc_release(f->gc, value);
}

hd_value str(struct fixture *f, const char *text)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_str_new(f->objects, (const uint8_t *)text, strlen(text), &value), 0);
    return value;
}

hd_value bytes(struct fixture *f, const char *text)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_bytes_new(f->objects, (const uint8_t *)text, strlen(text), &value), 0);
    return value;
}

hd_value integer(struct fixture *f, int64_t number)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_int_new(f->objects, number, &value), 0);
    return value;
}

hd_value real(struct fixture *f, double number)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_float_new(f->objects, number, &value), 0);
    return value;
}

hd_value power_of_two(struct fixture *f, unsigned power, bool negative)
{
    uint8_t raw[512] = {0};
    size_t size = power / 8 + 2;
    assert_true(size <= sizeof raw);
    raw[power / 8] = (uint8_t)(1u << power % 8);
    if (negative) /* -2^n: all ones above */
        for (size_t i = power / 8; i < size; i++)
            raw[i] = (uint8_t)(i == power / 8 ? 0xffu << power % 8 : 0xff);
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_int_from_bytes(f->objects, raw, size, &value), 0);
    return value;
}

hd_value list(struct fixture *f)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_list_new(f->objects, 0, &value), 0);
    return value;
}

hd_value dict(struct fixture *f)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_dict_new(f->objects, 0, &value), 0);
    return value;
}

hd_value set(struct fixture *f)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_set_new(f->objects, 0, &value), 0);
    return value;
}

hd_value tuple(struct fixture *f, size_t count, ...)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_tuple_new(f->objects, (uint32_t)count, &value), 0);
    va_list arguments;
    va_start(arguments, count);
    for (uint32_t i = 0; i < count; i++)
        hd_tuple_init_at(f->objects, value, i, va_arg(arguments, hd_value));
    va_end(arguments);
    return value;
}

void append(struct fixture *f, hd_value list_value, hd_value element)
{
    assert_int_equal(hd_list_append(f->objects, list_value, element), 0);
}

void put(struct fixture *f, hd_value dict_value, hd_value key, hd_value value)
{
    struct hd_key k = hd_key_of(key);
    assert_int_equal(hd_dict_set(f->objects, dict_value, &k, value), 0);
    hd_gc_release(f->gc, key);
}

hd_value look_up(struct fixture *f, hd_value dict_value, hd_value key)
{
    struct hd_key k = hd_key_of(key);
    hd_value out = HD_ABSENT;
    int error = hd_dict_get(f->objects, dict_value, &k, &out);
    assert_true(error == 0 || error == HD_EKEY);
    hd_gc_release(f->gc, key);
    return out;
}

bool same_key(struct fixture *f, hd_value left, hd_value right)
{
    struct hd_key a = hd_key_of(left), b = hd_key_of(right);
    bool equal = false, back = true;
    assert_int_equal(hd_key_equal(f->objects, &a, right, &equal), 0);
    assert_int_equal(hd_key_equal(f->objects, &b, left, &back), 0);
    assert_int_equal(equal, back);
    assert_int_equal(hd_key_hash(f->objects, &a), 0);
    assert_int_equal(hd_key_hash(f->objects, &b), 0);
    if (equal)
        assert_int_equal(a.hash, b.hash);
    hd_gc_release(f->gc, left);
    hd_gc_release(f->gc, right);
    return equal;
}
