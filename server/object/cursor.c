/* Cursors as objects. */
#include "object/cursor.h"

#include "object/payload.h"

static struct hd_cursor *cursor_of(const struct hd_objects *objects, hd_value cursor)
{
    return hd_gc_payload(objects->gc, cursor);
}

static struct hd_span cursor_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    return (struct hd_span){&((struct hd_cursor *)payload)->container, 1};
}

static void cursor_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    out->spans[out->span_count++] = cursor_span(gc, payload);
}

static void cursor_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    (void)payload;
    hd_objects_of(gc)->type_count[HD_TYPE_CURSOR]--;
}

const struct hd_type_ops hd_cursor_ops = {.name = "cursor",
                                          .inner = true,
                                          .tracked = true,
                                          .traverse = cursor_traverse,
                                          .span = cursor_span,
                                          .dispose = cursor_dispose};

int hd_cursor_new(struct hd_objects *objects, hd_value container, enum hd_view view, bool reversed, hd_value *out)
{
    struct hd_source source;
    hd_value value;
    int error = hd_source_begin(objects, container, view, reversed, &source);
    if (!error)
        error = hd_object_new(objects, HD_TYPE_CURSOR, sizeof(struct hd_cursor), &value);
    if (error)
        return error;
    struct hd_cursor *cursor = cursor_of(objects, value);
    cursor->view = (uint8_t)view;
    cursor->reversed = reversed;
    cursor->from = source.from;
    cursor->version = hd_source_version(objects, container);
    hd_gc_put_new(&cursor->container, hd_gc_retain(objects->gc, container));
    *out = value;
    return 0;
}

enum hd_view hd_cursor_view(const struct hd_objects *objects, hd_value cursor)
{
    return (enum hd_view)cursor_of(objects, cursor)->view;
}

hd_value hd_cursor_container(const struct hd_objects *objects, hd_value cursor)
{
    return cursor_of(objects, cursor)->container;
}

int hd_cursor_source(const struct hd_objects *objects, hd_value value, struct hd_source *out)
{
    const struct hd_cursor *cursor = cursor_of(objects, value);
    if (cursor->container == HD_ABSENT)
        return 0;
    if (hd_source_version(objects, cursor->container) != cursor->version)
        return HD_EITERATION;
    *out = (struct hd_source){.container = cursor->container,
                              .reversed = cursor->reversed,
                              .position = cursor->position,
                              .from = cursor->from};
    return 1;
}

void hd_cursor_move_to(struct hd_objects *objects, hd_value value, const struct hd_source *source, bool at_end)
{
    struct hd_cursor *cursor = cursor_of(objects, value);
    cursor->position = source->position;
    if (at_end)
        hd_gc_store(objects->gc, hd_value_index(value), &cursor->container, HD_ABSENT);
}
