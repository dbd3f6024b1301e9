/*
 * A document: built with a literal, changed in place, read back by path and as
 * a whole.
 *
 *     example_document [ADDRESS]
 *
 * The literal is attached to the connection, so it would send itself in parts
 * however large it became.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME "example:library"

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static void add_book(struct heapd_literal *literal, const char *title, int64_t year, const char *author)
{
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("title"));
    heapd_literal_add(literal, heapd_str(title));
    heapd_literal_add(literal, heapd_str("year"));
    heapd_literal_add(literal, heapd_int(year));
    heapd_literal_add(literal, heapd_str("authors"));
    heapd_literal_open_list(literal);
    heapd_literal_add(literal, heapd_str(author));
    heapd_literal_close(literal);
    heapd_literal_close(literal);
}

static heapd_handle build(struct heapd_connection *heap)
{
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_error error;
    if (!literal || heapd_literal_attach(literal, heap, 0)) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("open"));
    heapd_literal_add(literal, heapd_bool(true));
    heapd_literal_add(literal, heapd_str("books"));
    heapd_literal_open_list(literal);
    add_book(literal, "The Garbage Collection Handbook", 2012, "Richard Jones");
    add_book(literal, "Smalltalk-80: The Language", 1989, "Adele Goldberg");
    heapd_literal_close(literal);
    heapd_literal_close(literal);
    heapd_handle document;
    /* A mistake in any of the calls above is told here. */
    check(heapd_literal_finish(literal, &document, &error), &error, "build");
    heapd_literal_free(literal);
    return document;
}

static void print_value(const struct heapd_value *value)
{
    switch (value->kind) {
    case HEAPD_VALUE_NONE:
        printf("none");
        break;
    case HEAPD_VALUE_BOOL:
        printf(value->as.boolean ? "true" : "false");
        break;
    case HEAPD_VALUE_INT:
        printf("%lld", (long long)value->as.integer);
        break;
    case HEAPD_VALUE_FLOAT:
        printf("%g", value->as.real);
        break;
    case HEAPD_VALUE_STR:
        printf("\"%.*s\"", (int)value->as.bytes.size, value->as.bytes.data);
        break;
    default:
        printf("...");
    }
}

/* One line for each node, indented by its depth; no recursion, since the walk is a stream. */
static void print(struct heapd_connection *heap, heapd_handle document)
{
    struct heapd_export *reader;
    struct heapd_error error;
    struct heapd_node node;
    int more;
    bool after_key = false;
    check(heapd_export_open(heap, document, 0, &reader, &error), &error, "export");
    while ((more = heapd_export_next(reader, &node, &error)) == 1) {
        if (node.kind == HEAPD_NODE_END)
            continue;
        if (!after_key)
            printf("%*s", (int)node.depth * 4, "");
        after_key = node.is_key;
        if (node.kind == HEAPD_NODE_VALUE)
            print_value(&node.value);
        else if (node.kind == HEAPD_NODE_SHARED)
            printf("<container %llu again>", (unsigned long long)node.container);
        else
            printf("<%s of %llu>", node.kind == HEAPD_NODE_DICT ? "dict" : "list", (unsigned long long)node.count);
        printf(node.is_key ? ": " : "\n");
    }
    check(more, &error, "export");
    heapd_export_close(reader);
}

int main(int count, char **arguments)
{
    struct heapd_connection *heap;
    struct heapd_error error;
    check(heapd_connect(count > 1 ? arguments[1] : NULL, NULL, &heap, &error), &error, "connect");
    heapd_handle document = build(heap);
    check(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_ref(document), &error), &error, "bind");

    /* books[0].authors, in one request; then one author more. */
    struct heapd_path_step steps[] = {heapd_step_member("books"), heapd_step_item(heapd_int(0)),
                                      heapd_step_member("authors")};
    struct heapd_value authors;
    check(heapd_resolve(heap, 0, HEAPD_GLOBAL, heapd_text(NAME), steps, 3, HEAPD_OBJECT, &authors, &error), &error,
          "resolve");
    check(heapd_append(heap, authors.as.ref, heapd_str("Antony Hosking"), &error), &error, "append");
    heapd_release(heap, authors.as.ref);

    struct heapd_value title;
    steps[2] = heapd_step_member("title");
    check(heapd_resolve(heap, document, 0, heapd_text(""), steps, 3, HEAPD_ANY, &title, &error), &error, "resolve");
    if (title.kind == HEAPD_VALUE_REF) {
        /* A str that the daemon keeps as an object: read it by its handle. */
        heapd_handle handle = title.as.ref;
        check(heapd_read_all(heap, handle, &title, &error), &error, "read");
        heapd_release(heap, handle);
    }
    printf("the first book is \"%s\"\n", title.as.bytes.data);
    heapd_value_clear(&title);

    print(heap, document);
    check(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text(NAME), &error), &error, "unbind");
    heapd_close(heap);
    return 0;
}
