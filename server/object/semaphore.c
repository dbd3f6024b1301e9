/*
 * Semaphores, bounded or not.
 *
 * Who holds units is noted, so that those of a dead one can be given back. As in
 * Python anybody may release, whether he acquired or not; a unit then is the
 * oldest holder's. So one side may acquire and another release, as producers and
 * consumers do, and still no more units are noted than are out.
 */
#include <string.h>

#include "object/sync_internal.h"

static struct hd_semaphore *semaphore_of(const struct hd_objects *objects, hd_value semaphore)
{
    return hd_sync_payload(objects, semaphore);
}

static void semaphore_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    struct hd_objects *objects = hd_objects_of(gc);
    struct hd_semaphore *semaphore = payload;
    while (semaphore->first) {
        struct hd_hold *hold = semaphore->first;
        semaphore->first = hold->next_holder;
        hd_hold_detach(hold);
        hd_hold_free(objects, hold);
    }
    objects->type_count[hd_table_type(gc->table, index)]--;
}

const struct hd_type_ops hd_semaphore_ops = {.name = "semaphore", .dispose = semaphore_dispose};

int hd_semaphore_new(struct hd_objects *objects, int64_t value, bool bounded, hd_value *out)
{
    hd_value made;
    if (value < 0)
        return HD_EINVALID;
    int error = hd_object_new(objects, HD_TYPE_SEMAPHORE, sizeof(struct hd_semaphore), &made);
    if (error)
        return error;
    struct hd_semaphore *semaphore = semaphore_of(objects, made);
    memset(semaphore, 0, sizeof *semaphore);
    semaphore->bounded = bounded;
    semaphore->value = semaphore->initial = (uint64_t)value;
    *out = made;
    return 0;
}

/* ---- holders ---- */

/* Those who came last are those who most often ask. */
static struct hd_hold *find(struct hd_objects *objects, const struct hd_semaphore *semaphore,
                            const struct hd_party *party)
{
    struct hd_hold *hold = semaphore->last;
    uint64_t looked = 0;
    while (hold && hold->party != party) {
        hold = hold->previous_holder;
        looked++;
    }
    objects->work_units += looked / 4;
    return hold;
}

/* One unit more; takes *spare if it needs it. */
static void note(struct hd_objects *objects, struct hd_semaphore *semaphore, uint32_t index, struct hd_party *party,
                 struct hd_hold **spare)
{
    struct hd_hold *hold = find(objects, semaphore, party);
    if (!hold) {
        hold = *spare;
        *spare = NULL;
        hold->object = index;
        hold->previous_holder = semaphore->last;
        if (semaphore->last)
            semaphore->last->next_holder = hold;
        else
            semaphore->first = hold;
        semaphore->last = hold;
        hd_hold_attach(hold, party);
    }
    hold->count++;
}

static void drop(struct hd_objects *objects, struct hd_semaphore *semaphore, struct hd_hold *hold)
{
    if (hold->previous_holder)
        hold->previous_holder->next_holder = hold->next_holder;
    else
        semaphore->first = hold->next_holder;
    if (hold->next_holder)
        hold->next_holder->previous_holder = hold->previous_holder;
    else
        semaphore->last = hold->previous_holder;
    hd_hold_detach(hold);
    hd_hold_free(objects, hold);
}

/* So many units are not held any more: those of the party first, then those of the oldest holders. */
static void forget(struct hd_objects *objects, struct hd_semaphore *semaphore, const struct hd_party *party,
                   uint64_t count)
{
    struct hd_hold *hold = find(objects, semaphore, party);
    while (count) {
        if (!hold)
            hold = semaphore->first;
        if (!hold)
            return;
        uint64_t taken = hold->count < count ? hold->count : count;
        hold->count -= taken;
        count -= taken;
        if (!hold->count)
            drop(objects, semaphore, hold);
        hold = NULL;
    }
}

/* ---- units ---- */

static bool take_abandoned(struct hd_semaphore *semaphore)
{
    bool abandoned = semaphore->abandoned;
    semaphore->abandoned = 0;
    return abandoned;
}

static void give(struct hd_objects *objects, hd_value value, struct hd_sync_waiter *waiter)
{
    struct hd_semaphore *semaphore = semaphore_of(objects, value);
    hd_line_wake(&semaphore->line, waiter, 0);
    waiter->abandoned = take_abandoned(semaphore);
    note(objects, semaphore, hd_value_index(value), waiter->party, &waiter->spare);
}

/* Units that are free again. */
static void hand_out(struct hd_objects *objects, hd_value value, uint64_t count)
{
    struct hd_semaphore *semaphore = semaphore_of(objects, value);
    for (; count && semaphore->line.first; count--)
        give(objects, value, semaphore->line.first);
    semaphore->value += count;
}

int hd_semaphore_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result)
{
    struct hd_semaphore *semaphore = semaphore_of(objects, request->object);
    if (!semaphore->value)
        return HD_SYNC_BUSY;
    struct hd_hold *spare = hd_hold_new(objects);
    if (!spare)
        return HD_ENOMEM;
    semaphore->value--;
    result->abandoned = take_abandoned(semaphore);
    note(objects, semaphore, hd_value_index(request->object), request->party, &spare);
    hd_hold_free(objects, spare);
    return 0;
}

int hd_semaphore_release(struct hd_objects *objects, hd_value value, struct hd_party *party, uint64_t count)
{
    struct hd_semaphore *semaphore = semaphore_of(objects, value);
    uint64_t most = semaphore->bounded ? semaphore->initial : (uint64_t)INT64_MAX;
    if (count == 0)
        return HD_EINVALID;
    if (count > most - semaphore->value)
        return HD_EOVER_RELEASE;
    forget(objects, semaphore, party, count);
    hand_out(objects, value, count);
    return 0;
}

void hd_semaphore_undo(struct hd_objects *objects, hd_value value, const struct hd_sync_waiter *waiter)
{
    struct hd_semaphore *semaphore = semaphore_of(objects, value);
    /* Another may have released it meanwhile. */
    if (!find(objects, semaphore, waiter->party))
        return;
    semaphore->abandoned |= waiter->abandoned;
    forget(objects, semaphore, waiter->party, 1);
    hand_out(objects, value, 1);
}

void hd_semaphore_party_ends(struct hd_objects *objects, struct hd_hold *hold, bool orderly)
{
    hd_value value = hd_value_ref(hold->object, true);
    struct hd_semaphore *semaphore = semaphore_of(objects, value);
    uint64_t count = hold->count;
    drop(objects, semaphore, hold);
    if (orderly) {
        objects->sync->left_count += count;
        return;
    }
    objects->sync->abandoned_count += count;
    semaphore->abandoned = 1;
    hand_out(objects, value, count);
}
