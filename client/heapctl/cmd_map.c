/* A map of arenas and pools; and the tags that there are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/heapctl/ctl.h"

/* Characters of an arena's row; each stands for some granules side by side. */
#define WIDTH 64
#define ROWS_USUAL 32
#define PAGE 64

/* ---- what a character says ---- */

struct cell {
    char letter;
    unsigned fill; /* of 255 */
};

static unsigned bits_of(uint32_t bytes)
{
    unsigned bits = 4;
    while (bits < 31 && (UINT32_C(1) << bits) < bytes)
        bits++;
    return bits;
}

/* A letter for each doubling of the block size: a up to 16 bytes, b up to 32, ... */
static char letter_of(const struct heapd_arenas *arenas, unsigned use)
{
    size_t number = use - HEAPD_MAP_CLASS;
    if (use == HEAPD_MAP_FREE)
        return '.';
    if (use == HEAPD_MAP_RECORDS)
        return '#';
    if (number >= arenas->class_count || arenas->class_bytes[number] == 0)
        return '=';
    return (char)('a' + (bits_of(arenas->class_bytes[number]) - 4));
}

/* What most of the granules of a cell are; where some are used, free ones do not hide them. */
static struct cell cell_of(const struct heapd_arenas *arenas, const struct heapd_arena_row *row, size_t from, size_t to)
{
    struct cell best = {'.', 0};
    size_t most = 0;
    for (size_t i = from; i < to; i++) {
        char letter = letter_of(arenas, row->uses[i]);
        size_t same = 0;
        unsigned fill = 0;
        for (size_t j = from; j < to; j++) {
            if (letter_of(arenas, row->uses[j]) != letter)
                continue;
            same++;
            fill += row->fills[j];
        }
        if (letter != '.' && same > most) {
            most = same;
            best = (struct cell){letter, fill / (unsigned)same};
        }
    }
    return best;
}

static const char *colour_of(const struct cell *cell)
{
    if (cell->letter == '.' || cell->letter == '#')
        return "\033[2m";
    if (cell->letter == '=')
        return "\033[36m";
    return cell->fill >= 192 ? "\033[32m" : cell->fill >= 96 ? "\033[33m" : "\033[31m";
}

static void print_row(const struct heapd_arenas *arenas, const struct heapd_arena_row *row, uint64_t number,
                      bool coloured)
{
    size_t count = row->granule_count, width = count < WIDTH ? count : WIDTH;
    const char *before = "";
    printf("%6" PRIu64 "  ", number);
    for (size_t i = 0; i < width; i++) {
        struct cell cell = cell_of(arenas, row, i * count / width, (i + 1) * count / width);
        const char *colour = coloured ? colour_of(&cell) : "";
        if (strcmp(colour, before) != 0)
            printf("\033[0m%s", colour);
        before = colour;
        /* Without colours, a capital says that three quarters are used. */
        putchar(!coloured && cell.fill >= 192 && cell.letter >= 'a' ? cell.letter - 'a' + 'A' : cell.letter);
    }
    uint64_t live = arenas->arena_bytes ? row->live_bytes * 100 / arenas->arena_bytes : 0;
    printf("%s %3" PRIu64 "%%%s\n", *before ? "\033[0m" : "", live, row->leaving ? " leaving" : "");
}

static void print_legend(const struct heapd_arenas *arenas, bool coloured)
{
    printf("\n%" PRIu64 " arenas of %" PRIu64 " KiB; and %" PRIu64 " large objects of %" PRIu64
           " bytes, mapped by themselves\n",
           arenas->arena_count, arenas->arena_bytes >> 10, arenas->large_count, arenas->large_bytes);
    printf("blocks of a: 16 bytes, b: to 32, c: to 64, and so on; =: one block of whole pages, #: records, .: free\n");
    printf("%s\n", coloured ? "green: three quarters used, or more; yellow: three eighths; red: less"
                            : "capital: three quarters used, or more");
}

/* ---- JSON ---- */

static int row_json(struct hd_json_writer *json, const struct heapd_arenas *arenas, const struct heapd_arena_row *row)
{
    int error = hd_json_writer_begin_object(json);
    if (error)
        return error;
    hd_ctl_json_uint(json, "pools", row->pools);
    hd_ctl_json_uint(json, "free_granules", row->free_granules);
    hd_ctl_json_uint(json, "live_bytes", row->live_bytes);
    hd_ctl_json_bool(json, "leaving", row->leaving);
    /* Granules side by side of one pool, or of the same use and fill. */
    hd_json_writer_key(json, "granules", 8);
    error = hd_json_writer_begin_array(json);
    for (size_t i = 0; !error && i < row->granule_count;) {
        size_t end = i + 1;
        while (end < row->granule_count && row->uses[end] == row->uses[i] && row->fills[end] == row->fills[i])
            end++;
        error = hd_json_writer_begin_object(json);
        if (error)
            break;
        unsigned use = row->uses[i];
        hd_ctl_json_uint(json, "count", end - i);
        hd_ctl_json_string(json, "use", use == HEAPD_MAP_FREE ? "free" : use == HEAPD_MAP_RECORDS ? "records" : "pool");
        if (use >= HEAPD_MAP_CLASS) {
            size_t number = use - HEAPD_MAP_CLASS;
            hd_ctl_json_uint(json, "block_bytes", number < arenas->class_count ? arenas->class_bytes[number] : 0);
            hd_ctl_json_uint(json, "fill_permille", row->fills[i] * 1000u / 255u);
        }
        hd_json_writer_end(json);
        i = end;
    }
    if (!error)
        hd_json_writer_end(json);
    hd_json_writer_end(json);
    return error;
}

static void totals_json(struct hd_json_writer *json, const struct heapd_arenas *arenas)
{
    hd_ctl_json_uint(json, "arena_count", arenas->arena_count);
    hd_ctl_json_uint(json, "arena_bytes", arenas->arena_bytes);
    hd_ctl_json_uint(json, "granule_bytes", arenas->granule_bytes);
    hd_ctl_json_uint(json, "large_count", arenas->large_count);
    hd_ctl_json_uint(json, "large_bytes", arenas->large_bytes);
    hd_json_writer_key(json, "arenas", 6);
}

/* ---- the command ---- */

struct map {
    struct hd_json_writer json;
    bool is_json;
    bool coloured;
    bool begun;
    uint64_t shown;
};

static int show_page(struct map *map, const struct heapd_arenas *arenas)
{
    int error = 0;
    if (map->is_json && !map->begun) {
        totals_json(&map->json, arenas);
        error = hd_json_writer_begin_array(&map->json);
    }
    map->begun = true;
    for (size_t i = 0; !error && i < arenas->count; i++, map->shown++) {
        if (map->is_json)
            error = row_json(&map->json, arenas, &arenas->items[i]);
        else
            print_row(arenas, &arenas->items[i], map->shown, map->coloured);
    }
    return error;
}

int hd_cmd_map(struct hd_ctl *ctl)
{
    struct map map = {.is_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON),
                      .coloured = isatty(STDOUT_FILENO) != 0};
    uint64_t most = ctl->options.count ? ctl->options.count : ROWS_USUAL;
    struct heapd_error error;
    uint64_t next = 0;
    int failed = map.is_json ? hd_ctl_json_begin(ctl, &map.json, false) : 0;
    if (failed)
        return failed;
    do {
        struct heapd_report report;
        uint32_t count = most - map.shown < PAGE ? (uint32_t)(most - map.shown) : PAGE;
        if (heapd_map(ctl->connection, next, count, &report, &error)) {
            failed = hd_ctl_fail(ctl, &error);
            break;
        }
        next = report.as.map.next;
        if (show_page(&map, &report.as.map))
            failed = hd_problem_no_memory(&ctl->problem);
        bool last = !next || map.shown >= most;
        if (!failed && last && !map.is_json) {
            if (next)
                printf("        ... and %" PRIu64 " more; --count shows them\n", report.as.map.arena_count - map.shown);
            print_legend(&report.as.map, map.coloured);
        }
        heapd_report_clear(&report);
    } while (!failed && next && map.shown < most);
    if (map.is_json) {
        if (map.begun && !failed)
            hd_json_writer_end(&map.json);
        hd_ctl_json_end(&map.json);
    }
    return failed;
}

int hd_cmd_tags(struct hd_ctl *ctl)
{
    struct heapd_report report;
    struct heapd_error error;
    struct hd_json_writer json;
    if (heapd_list_tags(ctl->connection, &report, &error))
        return hd_ctl_fail(ctl, &error);
    const struct heapd_tag_rows *tags = &report.as.tags;
    int failed = 0;
    if (!hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        printf("%14s %9s  %s\n", "OBJECTS", "SESSIONS", "TAG");
        for (size_t i = 0; i < tags->count; i++) {
            printf("%14" PRIu64 " %9" PRIu64 "  ", tags->items[i].count, tags->items[i].sessions);
            hd_ctl_print_name(tags->items[i].tag);
            putchar('\n');
        }
    } else {
        failed = hd_ctl_json_begin(ctl, &json, true);
        bool begun = !failed;
        for (size_t i = 0; !failed && i < tags->count; i++) {
            failed = hd_json_writer_begin_object(&json);
            if (failed)
                break;
            hd_ctl_json_text(&json, "tag", tags->items[i].tag);
            hd_ctl_json_uint(&json, "count", tags->items[i].count);
            hd_ctl_json_uint(&json, "sessions", tags->items[i].sessions);
            hd_json_writer_end(&json);
        }
        if (begun)
            hd_ctl_json_end(&json);
        failed = failed ? hd_problem_no_memory(&ctl->problem) : 0;
    }
    heapd_report_clear(&report);
    return failed;
}
