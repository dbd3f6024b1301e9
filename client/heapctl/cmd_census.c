/* What there is, by type, class, session, name and tag; and how that changed between two times. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

/* A census in the form that is written and read again: a row is known by group and name. */
struct row {
    char *name; /* own */
    uint64_t count;
    uint64_t bytes;
    uint64_t retained;
};
enum { GROUP_TYPES, GROUP_CLASSES, GROUP_SOURCES, GROUP_NAMES, GROUP_TAGS, GROUPS };
static const char *const group_names[GROUPS] = {"types", "classes", "sources", "names", "tags"};

struct table {
    uint64_t heap, created, count, bytes, reachable_count, reachable_bytes;
    struct row *rows[GROUPS]; /* own */
    size_t row_count[GROUPS];
};

static void table_fini(struct table *table)
{
    for (unsigned g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < table->row_count[g]; i++)
            free(table->rows[g][i].name);
        free(table->rows[g]);
    }
    *table = (struct table){0};
}

static struct row *add_row(struct table *table, unsigned group, const char *name, size_t bytes)
{
    struct row *rows = realloc(table->rows[group], (table->row_count[group] + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    table->rows[group] = rows;
    struct row *row = &rows[table->row_count[group]];
    *row = (struct row){.name = strndup(name, bytes)};
    if (!row->name)
        return NULL;
    table->row_count[group]++;
    return row;
}

/* ---- from the daemon ---- */

static bool name_of(unsigned group, const struct heapd_sum *sum, char *out, size_t room)
{
    if (group == GROUP_TYPES) {
        (void)snprintf(out, room, "%s", heapd_type_name(sum->type));
    } else if (group == GROUP_SOURCES) {
        if (sum->root.kind == HEAPD_ROOT_SESSION)
            (void)snprintf(out, room, "session %" PRIu64 " %s", sum->root.session, sum->root.client_name);
        else
            (void)snprintf(out, room, "%s", hd_ctl_root_name(sum->root.kind));
    } else {
        (void)snprintf(out, room, "%.*s", (int)sum->name.size, sum->name.data ? sum->name.data : "");
    }
    return true;
}

static bool add_group(struct table *table, unsigned group, const struct heapd_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++) {
        char name[256];
        const struct heapd_sum *sum = &sums->rows[i];
        name_of(group, sum, name, sizeof name);
        struct row *row = add_row(table, group, name, strlen(name));
        if (!row)
            return false;
        row->count = sum->count;
        row->bytes = sum->shallow_bytes;
        row->retained = sum->retained_bytes;
    }
    return true;
}

static int fetch(struct hd_ctl *ctl, struct table *out)
{
    struct heapd_report report;
    struct heapd_error error;
    if (heapd_census(ctl->connection, ctl->options.count ? ctl->options.count : 256, &report, &error))
        return hd_ctl_fail(ctl, &error);
    const struct heapd_count *from = &report.as.census;
    *out = (struct table){.heap = from->heap,
                          .created = from->created,
                          .count = from->count,
                          .bytes = from->bytes,
                          .reachable_count = from->reachable_count,
                          .reachable_bytes = from->reachable_bytes};
    bool got = add_group(out, GROUP_TYPES, &from->types) && add_group(out, GROUP_CLASSES, &from->classes) &&
               add_group(out, GROUP_SOURCES, &from->sources) && add_group(out, GROUP_NAMES, &from->names) &&
               add_group(out, GROUP_TAGS, &from->tags);
    heapd_report_clear(&report);
    if (got)
        return 0;
    table_fini(out);
    return hd_problem_no_memory(&ctl->problem);
}

/* ---- from a file ---- */

static uint64_t number_at(yajl_val tree, const char *key)
{
    const char *path[] = {key, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_number);
    return value && YAJL_IS_INTEGER(value) && YAJL_GET_INTEGER(value) > 0 ? (uint64_t)YAJL_GET_INTEGER(value) : 0;
}

static bool read_group(struct table *table, unsigned group, yajl_val tree)
{
    const char *path[] = {group_names[group], NULL}, *name_path[] = {"name", NULL};
    yajl_val rows = yajl_tree_get(tree, path, yajl_t_array);
    for (size_t i = 0; rows && i < YAJL_GET_ARRAY(rows)->len; i++) {
        yajl_val from = YAJL_GET_ARRAY(rows)->values[i];
        yajl_val name = yajl_tree_get(from, name_path, yajl_t_string);
        struct row *row = name ? add_row(table, group, name->u.string, strlen(name->u.string)) : NULL;
        if (!row)
            return false;
        row->count = number_at(from, "count");
        row->bytes = number_at(from, "shallow_bytes");
        row->retained = number_at(from, "retained_bytes");
    }
    return true;
}

static int read_file(struct hd_ctl *ctl, const char *name, struct table *out)
{
    char reason[256] = "";
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = fopen(name, "r");
    if (!file)
        return hd_problem_set(&ctl->problem, errno == ENOENT ? HD_EKEY : HD_ESYSTEM, "%s: %s", name, strerror(errno));
    ssize_t got = getdelim(&text, &bytes, '\0', file);
    fclose(file);
    yajl_val tree = got > 0 ? yajl_tree_parse(text, reason, sizeof reason) : NULL;
    free(text);
    *out = (struct table){.heap = tree ? number_at(tree, "heap") : 0};
    bool good = tree && out->heap;
    if (good) {
        out->created = number_at(tree, "created");
        out->count = number_at(tree, "count");
        out->bytes = number_at(tree, "bytes");
        out->reachable_count = number_at(tree, "reachable_count");
        out->reachable_bytes = number_at(tree, "reachable_bytes");
    }
    for (unsigned g = 0; good && g < GROUPS; g++)
        good = read_group(out, g, tree);
    if (tree)
        yajl_tree_free(tree);
    if (good)
        return 0;
    table_fini(out);
    return hd_problem_set(&ctl->problem, HD_ESYNTAX, "%s is no census; heapctl census --json writes one", name);
}

/* ---- census ---- */

static int print_json(struct hd_ctl *ctl, const struct table *table)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, "heap", table->heap);
    hd_ctl_json_uint(&json, "created", table->created);
    hd_ctl_json_uint(&json, "count", table->count);
    hd_ctl_json_uint(&json, "bytes", table->bytes);
    hd_ctl_json_uint(&json, "reachable_count", table->reachable_count);
    hd_ctl_json_uint(&json, "reachable_bytes", table->reachable_bytes);
    for (unsigned g = 0; !error && g < GROUPS; g++) {
        hd_json_writer_key(&json, group_names[g], strlen(group_names[g]));
        error = hd_json_writer_begin_array(&json);
        for (size_t i = 0; !error && i < table->row_count[g]; i++) {
            const struct row *row = &table->rows[g][i];
            error = hd_json_writer_begin_object(&json);
            if (error)
                break;
            hd_ctl_json_string(&json, "name", row->name);
            hd_ctl_json_uint(&json, "count", row->count);
            hd_ctl_json_uint(&json, "shallow_bytes", row->bytes);
            hd_ctl_json_uint(&json, "retained_bytes", row->retained);
            hd_json_writer_end(&json);
        }
        if (!error)
            hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

/* Of a session: the words before the client's own name are ours. */
static void print_row_name(unsigned group, const char *name)
{
    int own = 0;
    if (group == GROUP_SOURCES && sscanf(name, "session %*u %n", &own) == 0 && own > 0)
        printf("%.*s", own, name);
    hd_ctl_print_name(heapd_text(name + own));
    putchar('\n');
}

static void print_table(const struct table *table)
{
    printf("%" PRIu64 " objects, %" PRIu64 " bytes; roots lead to %" PRIu64 " of them, %" PRIu64 " bytes\n",
           table->count, table->bytes, table->reachable_count, table->reachable_bytes);
    for (unsigned g = 0; g < GROUPS; g++) {
        if (!table->row_count[g])
            continue;
        printf("\n%-10s %14s %14s %14s\n", group_names[g], "OBJECTS", "SHALLOW", "RETAINED");
        for (size_t i = 0; i < table->row_count[g]; i++) {
            const struct row *row = &table->rows[g][i];
            printf("%25" PRIu64 " %14" PRIu64 " %14" PRIu64 "  ", row->count, row->bytes, row->retained);
            print_row_name(g, row->name);
        }
    }
}

int hd_cmd_census(struct hd_ctl *ctl)
{
    struct table table;
    int error = fetch(ctl, &table);
    if (error)
        return error;
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        error = print_json(ctl, &table);
    else
        print_table(&table);
    table_fini(&table);
    return error;
}

/* ---- diff ---- */

struct change {
    unsigned group;
    const char *name;
    int64_t count, bytes, retained;
};

static const struct row *find_row(const struct table *table, unsigned group, const char *name)
{
    for (size_t i = 0; i < table->row_count[group]; i++)
        if (!strcmp(table->rows[group][i].name, name))
            return &table->rows[group][i];
    return NULL;
}

static int64_t size_of(const struct change *change)
{
    int64_t bytes = change->group == GROUP_TYPES || change->group == GROUP_CLASSES ? change->bytes : change->retained;
    return bytes < 0 ? -bytes : bytes;
}

static int by_size(const void *a, const void *b)
{
    const struct change *left = a, *right = b;
    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    int64_t difference = size_of(right) - size_of(left);
    return difference < 0 ? -1 : difference > 0;
}

static void add_change(struct change *changes, size_t *count, unsigned group, const struct row *from,
                       const struct row *to)
{
    static const struct row nothing = {.name = NULL};
    const char *name = to ? to->name : from->name;
    from = from ? from : &nothing;
    to = to ? to : &nothing;
    struct change change = {group, name, (int64_t)(to->count - from->count), (int64_t)(to->bytes - from->bytes),
                            (int64_t)(to->retained - from->retained)};
    if (change.count || change.bytes || change.retained)
        changes[(*count)++] = change;
}

static size_t compare(const struct table *from, const struct table *to, struct change *changes)
{
    size_t count = 0;
    for (unsigned g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < to->row_count[g]; i++)
            add_change(changes, &count, g, find_row(from, g, to->rows[g][i].name), &to->rows[g][i]);
        for (size_t i = 0; i < from->row_count[g]; i++)
            if (!find_row(to, g, from->rows[g][i].name))
                add_change(changes, &count, g, &from->rows[g][i], NULL);
    }
    qsort(changes, count, sizeof *changes, by_size);
    return count;
}

static int print_changes_json(struct hd_ctl *ctl, const struct table *from, const struct table *to,
                              const struct change *changes, size_t count)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_json_writer_key(&json, "count", 5);
    hd_json_writer_int(&json, (int64_t)(to->count - from->count));
    hd_json_writer_key(&json, "bytes", 5);
    hd_json_writer_int(&json, (int64_t)(to->bytes - from->bytes));
    size_t at = 0;
    for (unsigned g = 0; !error && g < GROUPS; g++) {
        hd_json_writer_key(&json, group_names[g], strlen(group_names[g]));
        error = hd_json_writer_begin_array(&json);
        for (; !error && at < count && changes[at].group == g; at++) {
            error = hd_json_writer_begin_object(&json);
            if (error)
                break;
            hd_ctl_json_string(&json, "name", changes[at].name);
            hd_json_writer_key(&json, "count", 5);
            hd_json_writer_int(&json, changes[at].count);
            hd_json_writer_key(&json, "shallow_bytes", 13);
            hd_json_writer_int(&json, changes[at].bytes);
            hd_json_writer_key(&json, "retained_bytes", 14);
            hd_json_writer_int(&json, changes[at].retained);
            hd_json_writer_end(&json);
        }
        if (!error)
            hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

static void print_changes(const struct table *from, const struct table *to, const struct change *changes, size_t count,
                          unsigned most)
{
    unsigned shown = 0;
    printf("%+" PRId64 " objects, %+" PRId64 " bytes, after %" PRIu64 " more were made\n",
           (int64_t)(to->count - from->count), (int64_t)(to->bytes - from->bytes), to->created - from->created);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || changes[i].group != changes[i - 1].group) {
            shown = 0;
            printf("\n%-10s %14s %14s %14s\n", group_names[changes[i].group], "OBJECTS", "SHALLOW", "RETAINED");
        }
        if (shown++ >= most)
            continue;
        printf("%+25" PRId64 " %+14" PRId64 " %+14" PRId64 "  ", changes[i].count, changes[i].bytes,
               changes[i].retained);
        print_row_name(changes[i].group, changes[i].name);
    }
}

static int diff(struct hd_ctl *ctl, const struct table *from, const struct table *to)
{
    size_t most = 1;
    if (from->heap != to->heap)
        return hd_problem_set(&ctl->problem, HD_EINVALID,
                              "the two are of different heaps: the daemon was started anew in between, or is another");
    if (from->created > to->created)
        return hd_problem_set(&ctl->problem, HD_EINVALID, "the second is older than the first; give them in order");
    for (unsigned g = 0; g < GROUPS; g++)
        most += from->row_count[g] + to->row_count[g];
    struct change *changes = malloc(most * sizeof *changes);
    if (!changes)
        return hd_problem_no_memory(&ctl->problem);
    size_t count = compare(from, to, changes);
    int error = 0;
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        error = print_changes_json(ctl, from, to, changes, count);
    else
        print_changes(from, to, changes, count, ctl->options.count ? ctl->options.count : 20);
    free(changes);
    return error;
}

int hd_cmd_diff(struct hd_ctl *ctl)
{
    struct table from, to;
    int error = read_file(ctl, ctl->operands[0], &from);
    if (error)
        return error;
    error = ctl->operand_count > 1 ? read_file(ctl, ctl->operands[1], &to) : fetch(ctl, &to);
    if (!error) {
        error = diff(ctl, &from, &to);
        table_fini(&to);
    }
    table_fini(&from);
    return error;
}
