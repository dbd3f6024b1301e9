#include "object/undo.h"

#include "object/hash_table.h"
#include "object/payload.h"

void hd_undo_open(struct hd_objects *objects, struct hd_undo *undo)
{
    assert(!objects->undo);
    *undo = (struct hd_undo){.notes = NULL};
    objects->undo = undo;
}

int hd_undo_make_room(struct hd_objects *objects)
{
    struct hd_undo *undo = objects->undo;
    if (undo->count < undo->capacity)
        return 0;
    uint32_t capacity = undo->capacity ? undo->capacity * 2 : 64;
    struct hd_undo_note *notes =
        hd_allocator_resize(objects->allocator, undo->notes, undo->capacity * sizeof *notes, capacity * sizeof *notes);
    if (!notes)
        return HD_ENOMEM;
    undo->notes = notes;
    undo->capacity = capacity;
    return 0;
}

void hd_undo_add(struct hd_objects *objects, const struct hd_undo_note *note)
{
    struct hd_undo *undo = objects->undo;
    if (undo->rolling_back)
        return;
    assert(undo->count < undo->capacity);
    struct hd_undo_note *kept = &undo->notes[undo->count++];
    *kept = *note;
    (void)hd_gc_retain(objects->gc, kept->owner);
    (void)hd_gc_retain(objects->gc, kept->key);
    (void)hd_gc_retain(objects->gc, kept->value);
}

static void close_log(struct hd_objects *objects)
{
    struct hd_undo *undo = objects->undo;
    objects->undo = NULL;
    /* What was taken out goes only now: nothing that a note names may go before it. */
    for (uint32_t i = 0; i < undo->count; i++) {
        hd_gc_release(objects->gc, undo->notes[i].key);
        hd_gc_release(objects->gc, undo->notes[i].value);
        hd_gc_release(objects->gc, undo->notes[i].owner);
    }
    hd_allocator_free(objects->allocator, undo->notes, undo->capacity * sizeof *undo->notes);
    *undo = (struct hd_undo){.notes = NULL};
}

static bool is_table(const struct hd_objects *objects, hd_value value)
{
    return hd_is_type(objects, value, HD_TYPE_DICT) || hd_is_type(objects, value, HD_TYPE_SET);
}

/* What was put off: holes at the end, room that is too large. */
static void tidy(struct hd_objects *objects, hd_value owner)
{
    if (is_table(objects, owner))
        hd_hash_table_tidy(objects, owner, hd_stride_of((enum hd_type)hd_gc_type(objects->gc, owner)));
    else if (hd_is_type(objects, owner, HD_TYPE_LIST))
        hd_list_settle(objects, owner);
}

void hd_undo_commit(struct hd_objects *objects)
{
    struct hd_undo *undo = objects->undo;
    objects->undo = NULL;
    for (uint32_t i = 0; i < undo->count; i++)
        if (undo->notes[i].kind == HD_UNDO_TAKEN || undo->notes[i].kind == HD_UNDO_POPPED)
            tidy(objects, undo->notes[i].owner);
    objects->undo = undo;
    close_log(objects);
}

static hd_value *word_at(struct hd_objects *objects, const struct hd_undo_note *note)
{
    void *payload = hd_gc_payload(objects->gc, note->owner);
    if (hd_is_type(objects, note->owner, HD_TYPE_LIST)) {
        struct hd_list *list = payload;
        return &list->items[list->head + note->position];
    }
    if (hd_is_type(objects, note->owner, HD_TYPE_INSTANCE))
        return &((struct hd_instance *)payload)->slots[note->position];
    return &((struct hd_hash_table *)payload)->entries[(size_t)note->position * 2 + 1];
}

static void undo_one(struct hd_objects *objects, const struct hd_undo_note *note)
{
    struct hd_gc *gc = objects->gc;
    hd_value key, value = hd_gc_retain(gc, note->value);
    unsigned stride;
    switch ((enum hd_undo_kind)note->kind) {
    case HD_UNDO_WORD:
        hd_gc_store(gc, hd_value_index(note->owner), word_at(objects, note), value);
        return;
    case HD_UNDO_ADDED:
        stride = hd_stride_of((enum hd_type)hd_gc_type(gc, note->owner));
        hd_hash_table_take_back(objects, note->owner, stride, note->hash, &key, &value);
        hd_gc_release(gc, key);
        hd_gc_release(gc, value);
        return;
    case HD_UNDO_TAKEN:
        stride = hd_stride_of((enum hd_type)hd_gc_type(gc, note->owner));
        hd_hash_table_put_back(objects, note->owner, stride, note->hash, note->position, hd_gc_retain(gc, note->key),
                               value);
        return;
    case HD_UNDO_INSERTED:
        hd_gc_release(gc, hd_list_take_back(objects, note->owner, note->position));
        return;
    case HD_UNDO_POPPED:
        hd_list_put_back(objects, note->owner, note->position, value);
        return;
    case HD_UNDO_CLEARED:
        hd_table_exchange(objects, note->owner, value);
        hd_gc_release(gc, value);
        return;
    }
}

void hd_undo_roll_back(struct hd_objects *objects)
{
    struct hd_undo *undo = objects->undo;
    undo->rolling_back = true;
    for (uint32_t i = undo->count; i > 0; i--)
        undo_one(objects, &undo->notes[i - 1]);
    close_log(objects);
}
