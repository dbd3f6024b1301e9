#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "os/os.h"

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)

static const struct hd_os *os;

static int setup(void **state)
{
    (void)state;
    os = hd_os_linux();
    return 0;
}

static void assert_all(const uint8_t *bytes, size_t count, uint8_t expected)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != expected)
            fail_msg("byte %zu is %u, not %u", i, bytes[i], expected);
    }
}

static void maps_zeroed_pages_at_the_alignment_asked_for(void **state)
{
    (void)state;
    for (size_t align = PAGE; align <= 4 * MIB; align *= 4) {
        for (size_t bytes = PAGE; bytes <= MIB; bytes = bytes * 5 / PAGE * PAGE) {
            uint8_t *pages = os->map(os->context, bytes, align);
            assert_non_null(pages);
            assert_int_equal((uintptr_t)pages % align, 0);
            assert_all(pages, bytes, 0);
            memset(pages, 0xab, bytes);
            os->unmap(os->context, pages, bytes);
        }
    }
}

static void equal_mappings_share_no_byte(void **state)
{
    (void)state;
    uint8_t *arenas[16];
    for (int i = 0; i < 16; i++) {
        arenas[i] = os->map(os->context, MIB, MIB);
        assert_non_null(arenas[i]);
        memset(arenas[i], i + 1, MIB);
    }
    for (int i = 0; i < 16; i++) {
        assert_all(arenas[i], MIB, (uint8_t)(i + 1));
        os->unmap(os->context, arenas[i], MIB);
    }
}

static void a_part_of_a_mapping_can_go_back(void **state)
{
    (void)state;
    uint8_t *pages = os->map(os->context, 4 * MIB, 2 * MIB);
    assert_non_null(pages);
    memset(pages, 1, 4 * MIB);
    os->unmap(os->context, pages + MIB, MIB);
    assert_all(pages, MIB, 1);
    assert_all(pages + 2 * MIB, 2 * MIB, 1);
    os->unmap(os->context, pages, MIB);
    os->unmap(os->context, pages + 2 * MIB, 2 * MIB);
}

static unsigned long address_space_pages(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages;
}

static void what_is_trimmed_or_moved_is_given_back(void **state)
{
    (void)state;
    unsigned long before = address_space_pages();
    for (int i = 0; i < 50; i++) {
        /* The first is no multiple of the alignment, so it puts the second out of step. */
        uint8_t *odd = os->map(os->context, 5 * PAGE, PAGE);
        uint8_t *pages = os->map(os->context, MIB, 16 * MIB);
        assert_non_null(odd);
        assert_non_null(pages);
        pages = os->remap(os->context, pages, MIB, 3 * MIB, 16 * MIB);
        assert_non_null(pages);
        os->unmap(os->context, pages, 3 * MIB);
        os->unmap(os->context, odd, 5 * PAGE);
    }
    /* A buffer of the C library may come in between; a leak would be fifty times as large as this. */
    assert_true(address_space_pages() < before + 4 * MIB / PAGE);
}

static void refuses_what_no_system_has(void **state)
{
    (void)state;
    assert_null(os->map(os->context, (size_t)1 << 50, MIB));
    assert_null(os->map(os->context, SIZE_MAX & ~(PAGE - 1), MIB));
    assert_null(os->map(os->context, 0, MIB));
}

static void remap_grows_in_place_or_moves_and_keeps_contents(void **state)
{
    (void)state;
    enum { ALIGN = 8 << 20 };
    uint8_t *pages = os->map(os->context, MIB, ALIGN);
    assert_non_null(pages);
    memset(pages, 7, MIB);
    /* Every further mapping of this size is in the way of one or the other. */
    uint8_t *neighbour = os->map(os->context, MIB, ALIGN);
    assert_non_null(neighbour);
    memset(neighbour, 9, MIB);
    size_t bytes = MIB;
    for (size_t grown = 2 * MIB; grown <= 32 * MIB; grown *= 2) {
        uint8_t *moved = os->remap(os->context, pages, bytes, grown, ALIGN);
        assert_non_null(moved);
        assert_int_equal((uintptr_t)moved % ALIGN, 0);
        assert_all(moved, bytes, 7);
        assert_all(moved + bytes, grown - bytes, 0);
        memset(moved + bytes, 7, grown - bytes);
        pages = moved;
        bytes = grown;
    }
    assert_all(neighbour, MIB, 9);
    uint8_t *shrunk = os->remap(os->context, pages, bytes, PAGE, ALIGN);
    assert_ptr_equal(shrunk, pages);
    assert_all(shrunk, PAGE, 7);
    os->unmap(os->context, shrunk, PAGE);
    os->unmap(os->context, neighbour, MIB);
}

static void remap_refused_leaves_the_mapping(void **state)
{
    (void)state;
    uint8_t *pages = os->map(os->context, MIB, MIB);
    assert_non_null(pages);
    memset(pages, 5, MIB);
    assert_null(os->remap(os->context, pages, MIB, (size_t)1 << 50, MIB));
    assert_null(os->remap(os->context, pages, MIB, 0, MIB));
    assert_all(pages, MIB, 5);
    memset(pages, 6, MIB);
    os->unmap(os->context, pages, MIB);
}

static void discarded_pages_read_as_zero(void **state)
{
    (void)state;
    uint8_t *pages = os->map(os->context, MIB, MIB);
    assert_non_null(pages);
    os->advise_huge(os->context, pages, MIB);
    memset(pages, 3, MIB);
    os->discard(os->context, pages + PAGE, 2 * PAGE);
    assert_all(pages, PAGE, 3);
    assert_all(pages + PAGE, 2 * PAGE, 0);
    assert_all(pages + 3 * PAGE, MIB - 3 * PAGE, 3);
    os->unmap(os->context, pages, MIB);
}

static void clocks_go_forward(void **state)
{
    (void)state;
    uint64_t now = os->now_ns(os->context);
    uint64_t cpu = os->cpu_ns(os->context);
    assert_true(now > 0);
    volatile uint64_t work = 0;
    while (os->cpu_ns(os->context) == cpu)
        work++;
    assert_true(os->cpu_ns(os->context) > cpu);
    assert_true(os->now_ns(os->context) > now);
}

static void random_fills_every_byte(void **state)
{
    (void)state;
    uint8_t seen[1000] = {0};
    for (int round = 0; round < 20; round++) {
        uint8_t drawn[1000] = {0};
        assert_int_equal(os->random(os->context, drawn, sizeof drawn), 0);
        for (size_t i = 0; i < sizeof drawn; i++)
            seen[i] |= drawn[i];
    }
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_not_equal(seen[i], 0);
    assert_int_equal(os->random(os->context, seen, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_zeroed_pages_at_the_alignment_asked_for),
        cmocka_unit_test(equal_mappings_share_no_byte),
        cmocka_unit_test(a_part_of_a_mapping_can_go_back),
        cmocka_unit_test(what_is_trimmed_or_moved_is_given_back),
        cmocka_unit_test(refuses_what_no_system_has),
        cmocka_unit_test(remap_grows_in_place_or_moves_and_keeps_contents),
        cmocka_unit_test(remap_refused_leaves_the_mapping),
        cmocka_unit_test(discarded_pages_read_as_zero),
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(random_fills_every_byte),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
