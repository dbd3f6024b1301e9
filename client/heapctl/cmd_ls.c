/* What there is: global names, or what lies in an object. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/number.h"
#include "client/heapctl/target.h"

/* One line of a listing. */
struct entry {
    const struct heapd_value *key; /* NULL: position counts */
    uint64_t position;
    const char *type;
    bool has_length, has_identity;
    uint64_t length, identity;
};

struct listing {
    struct hd_ctl *ctl;
    bool as_json;
    struct hd_json_writer json;
    uint64_t count;
};

static int begin_listing(struct listing *listing, struct hd_ctl *ctl)
{
    *listing = (struct listing){.ctl = ctl, .as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)};
    return listing->as_json ? hd_ctl_json_begin(ctl, &listing->json, true) : 0;
}

static void end_listing(struct listing *listing)
{
    if (listing->as_json)
        hd_ctl_json_end(&listing->json);
}

static void print_key(const struct entry *entry)
{
    char text[HD_NUMBER_TEXT_BYTES];
    if (!entry->key) {
        printf("[%" PRIu64 "]", entry->position);
        return;
    }
    switch (entry->key->kind) {
    case HEAPD_VALUE_STR:
        hd_ctl_print_name(entry->key->as.bytes);
        break;
    case HEAPD_VALUE_INT:
        hd_number_format_int(entry->key->as.integer, text);
        printf("[%s]", text);
        break;
    case HEAPD_VALUE_FLOAT:
        printf("[%g]", entry->key->as.real);
        break;
    case HEAPD_VALUE_BOOL:
        fputs(entry->key->as.boolean ? "[true]" : "[false]", stdout);
        break;
    case HEAPD_VALUE_NONE:
        fputs("[none]", stdout);
        break;
    case HEAPD_VALUE_BYTES:
        printf("[bytes of length %zu]", entry->key->as.bytes.size);
        break;
    default:
        fputs("[?]", stdout);
        break;
    }
}

static void json_key(struct hd_json_writer *json, const struct entry *entry)
{
    hd_json_writer_key(json, "key", 3);
    if (!entry->key)
        hd_json_writer_uint(json, entry->position);
    else if (entry->key->kind == HEAPD_VALUE_STR)
        hd_json_writer_string(json, entry->key->as.bytes.data, entry->key->as.bytes.size);
    else if (entry->key->kind == HEAPD_VALUE_INT)
        hd_json_writer_int(json, entry->key->as.integer);
    else if (entry->key->kind == HEAPD_VALUE_BOOL)
        hd_json_writer_bool(json, entry->key->as.boolean);
    else
        hd_json_writer_null(json);
}

static int add_entry(struct listing *listing, const struct entry *entry)
{
    if (listing->as_json) {
        if (hd_json_writer_begin_object(&listing->json))
            return hd_problem_no_memory(&listing->ctl->problem);
        json_key(&listing->json, entry);
        hd_ctl_json_string(&listing->json, "type", entry->type);
        if (entry->has_length)
            hd_ctl_json_uint(&listing->json, "length", entry->length);
        if (entry->has_identity)
            hd_ctl_json_uint(&listing->json, "identity", entry->identity);
        hd_json_writer_end(&listing->json);
        return 0;
    }
    char length[24] = "-", identity[24] = "-";
    if (!listing->count++)
        printf("%-10s %12s %18s  %s\n", "TYPE", "LENGTH", "IDENTITY", "NAME");
    if (entry->has_length)
        snprintf(length, sizeof length, "%" PRIu64, entry->length);
    if (entry->has_identity && entry->identity)
        snprintf(identity, sizeof identity, "0x%" PRIx64, entry->identity);
    printf("%-10s %12s %18s  ", entry->type, length, identity);
    print_key(entry);
    putchar('\n');
    return 0;
}

static bool has_length(enum heapd_type type)
{
    return type >= HEAPD_TYPE_STR && type != HEAPD_TYPE_CLASS;
}

static int list_names(struct hd_ctl *ctl, struct listing *listing)
{
    const char *prefix = ctl->operand_count ? ctl->operands[0] : "";
    uint64_t next = 0;
    do {
        struct heapd_result result;
        struct heapd_error error;
        int failed = 0;
        if (heapd_list_names(ctl->connection, HEAPD_GLOBAL, heapd_text(prefix), next, 0, &result, &error))
            return hd_ctl_fail(ctl, &error);
        for (size_t i = 0; !failed && i < result.as.names.count; i++) {
            const struct heapd_name *name = &result.as.names.items[i];
            struct heapd_value key = heapd_str_of(name->name.data, name->name.size);
            struct entry entry = {
                .key = &key,
                .type = heapd_type_name(name->type),
                .has_length = has_length(name->type),
                .length = name->length,
                .has_identity = true,
                .identity = name->identity,
            };
            failed = add_entry(listing, &entry);
        }
        next = result.as.names.next;
        heapd_result_clear(&result);
        if (failed)
            return failed;
    } while (next);
    return 0;
}

/* One element as the daemon describes it, without its value. */
static int add_child(struct listing *listing, const struct heapd_description *what, const struct heapd_value *key,
                     uint64_t position)
{
    /* A key that is an object itself is shown by its type. */
    char text[48];
    struct heapd_value shown = *key;
    if (key->kind == HEAPD_VALUE_NONE && what->key_type != HEAPD_TYPE_NONE) {
        (void)snprintf(text, sizeof text, "(%s)", heapd_type_name(what->key_type));
        shown = heapd_str(text);
    }
    struct entry entry = {
        .key = what->key_type == HEAPD_TYPE_UNKNOWN ? NULL : &shown,
        .position = position,
        .type = heapd_type_name(what->type),
        .has_length = has_length(what->type),
        .length = what->length,
    };
    return add_entry(listing, &entry);
}

static int list_chunk(struct listing *listing, const struct heapd_chunk *chunk, uint64_t *position)
{
    for (size_t i = 0; i < chunk->description_count; i++) {
        int failed = add_child(listing, &chunk->descriptions[i], &chunk->items[i], (*position)++);
        if (failed)
            return failed;
    }
    return 0;
}

/* By a cursor, in chunks that tell what the values are: nothing that they reach is read. */
static int list_children_of(struct hd_ctl *ctl, struct listing *listing, heapd_handle object)
{
    heapd_handle cursor;
    struct heapd_error error;
    uint64_t position = 0;
    int failed = 0;
    if (heapd_open_cursor(ctl->connection, object, HEAPD_VIEW_KEYS, false, &cursor, &error))
        return hd_ctl_fail(ctl, &error);
    for (bool done = false; !done && !failed;) {
        struct heapd_result result;
        failed = heapd_describe_cursor(ctl->connection, cursor, 0, &result, &error) ? hd_ctl_fail(ctl, &error) : 0;
        if (failed)
            break;
        failed = list_chunk(listing, &result.as.chunk, &position);
        done = result.as.chunk.done;
        heapd_result_clear(&result);
    }
    heapd_release(ctl->connection, cursor);
    return failed;
}

static bool is_listed(enum heapd_type type)
{
    return (type >= HEAPD_TYPE_LIST && type <= HEAPD_TYPE_SCOPE) || type == HEAPD_TYPE_FROZENSET;
}

static int list_children(struct hd_ctl *ctl, struct listing *listing, const struct hd_path *path)
{
    struct heapd_value object;
    int failed = hd_target_get(ctl->connection, path, HEAPD_OBJECT, &object, &ctl->problem);
    if (failed)
        return failed;
    if (is_listed(object.type))
        failed = list_children_of(ctl, listing, object.as.ref);
    else
        failed = hd_problem_set(&ctl->problem, HD_ETYPE, "%s: there is nothing in a value of type %s", ctl->operands[0],
                                heapd_type_name(object.type));
    heapd_release(ctl->connection, object.as.ref);
    return failed;
}

/* True, and a path to be freed, if the operand means an object. A lone word is the beginning of names. */
static bool operand_is_path(struct hd_ctl *ctl, struct hd_path *path)
{
    bool is_forced = hd_ctl_options_has(&ctl->options, HD_OPTION_CHILDREN);
    struct hd_problem problem;
    if (!ctl->operand_count)
        return false;
    if (hd_path_parse(ctl->operands[0], path, &problem)) {
        if (is_forced)
            ctl->problem = problem;
        return false;
    }
    if (is_forced || path->step_count > 1)
        return true;
    hd_path_fini(path);
    return false;
}

int hd_cmd_ls(struct hd_ctl *ctl)
{
    struct listing listing;
    struct hd_path path;
    bool is_path = operand_is_path(ctl, &path);
    int failed = ctl->problem.error;
    if (failed)
        return failed;
    failed = begin_listing(&listing, ctl);
    if (!failed)
        failed = is_path ? list_children(ctl, &listing, &path) : list_names(ctl, &listing);
    if (is_path)
        hd_path_fini(&path);
    end_listing(&listing);
    return failed;
}
