#include "object/bulk.h"

#include <string.h>

#include "object/payload.h"

#define PAGE_BYTES 4096u

struct hd_bulk {
    struct hd_helper_job job; /* first, so that a job leads here */
    struct hd_bulk_store *store;
    struct hd_bulk *next; /* of the store */
    struct hd_bulk *previous;
    uint64_t bytes;
    uint64_t serial;
    uint64_t writer; /* while it is not sealed */
    void *waiter;    /* borrow; while it is being sealed */
    int fd;          /* own; -1: closed, or the helper's */
    enum hd_bulk_state state;
    bool dead;    /* the object is gone: once the helper is through, so is this */
    bool working; /* the helper has it */
};

struct payload {
    struct hd_bulk *bulk; /* own */
};

static struct hd_bulk *bulk_of(const struct hd_objects *objects, hd_value buffer)
{
    return ((const struct payload *)hd_gc_payload(objects->gc, buffer))->bulk;
}

static uint64_t charge_of(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* ---- the store ---- */

int hd_bulk_store_init(struct hd_bulk_store *store, const struct hd_os *os, struct hd_account *account,
                       uint32_t max_count)
{
    *store = (struct hd_bulk_store){.os = os, .account = account, .max_count = max_count};
    return hd_helper_new(os, &account->allocator, &store->helper);
}

static void link_in(struct hd_bulk_store *store, struct hd_bulk *bulk)
{
    bulk->next = store->first;
    if (store->first)
        store->first->previous = bulk;
    store->first = bulk;
}

static void free_bulk(struct hd_bulk *bulk)
{
    struct hd_bulk_store *store = bulk->store;
    if (bulk->previous)
        bulk->previous->next = bulk->next;
    else
        store->first = bulk->next;
    if (bulk->next)
        bulk->next->previous = bulk->previous;
    hd_allocator_free(&store->account->allocator, bulk, sizeof *bulk);
}

/* It counts no more, and costs no more. */
static void uncount_unsealed(struct hd_bulk *bulk)
{
    bulk->store->unsealed_count--;
    bulk->store->unsealed_bytes -= bulk->bytes;
}

static void uncount(struct hd_bulk *bulk)
{
    struct hd_bulk_store *store = bulk->store;
    store->count--;
    store->bytes -= bulk->bytes;
    hd_account_uncharge(store->account, charge_of(bulk->bytes));
}

static void give(struct hd_bulk *bulk, enum hd_helper_task task)
{
    bulk->job = (struct hd_helper_job){.task = task, .fd = bulk->fd};
    bulk->working = true;
    hd_helper_give(bulk->store->helper, &bulk->job);
}

static void close_file(struct hd_bulk *bulk)
{
    give(bulk, HD_HELPER_CLOSE);
    bulk->fd = -1;
}

void hd_bulk_store_fini(struct hd_bulk_store *store)
{
    if (!store || !store->account)
        return;
    hd_helper_free(store->helper);
    while (store->first) {
        struct hd_bulk *bulk = store->first;
        if (bulk->fd >= 0)
            store->os->shared_close(store->os->context, bulk->fd);
        if (!bulk->dead && bulk->state != HD_BULK_ABANDONED)
            uncount(bulk);
        free_bulk(bulk);
    }
    *store = (struct hd_bulk_store){.os = NULL};
}

/* ---- objects ---- */

/* Of a buffer that is not sealed and never will be. */
static void drop_unsealed(struct hd_bulk *bulk)
{
    uncount_unsealed(bulk);
    uncount(bulk);
    bulk->writer = 0;
    bulk->waiter = NULL;
    bulk->state = HD_BULK_ABANDONED;
    if (!bulk->working)
        close_file(bulk);
}

static void bulk_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    struct hd_bulk *bulk = ((struct payload *)payload)->bulk;
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
    if (!bulk)
        return;
    bulk->dead = true;
    if (bulk->state == HD_BULK_UNSEALED || bulk->state == HD_BULK_SEALING) {
        drop_unsealed(bulk);
    } else if (bulk->state == HD_BULK_SEALED) {
        uncount(bulk);
        close_file(bulk);
    } else if (!bulk->working) {
        free_bulk(bulk);
    }
}

const struct hd_type_ops hd_bulk_ops = {.name = "buffer", .dispose = bulk_dispose};

static int make_bulk(struct hd_bulk_store *store, uint64_t bytes, uint64_t writer, struct hd_bulk **out)
{
    struct hd_bulk *bulk = hd_allocator_new_zeroed(&store->account->allocator, sizeof *bulk);
    if (!bulk)
        return HD_ENOMEM;
    int error = hd_account_charge(store->account, charge_of(bytes)) ? 0 : HD_ENOMEM;
    if (!error) {
        error = store->os->shared_new(store->os->context, bytes, false, &bulk->fd);
        if (error)
            hd_account_uncharge(store->account, charge_of(bytes));
    }
    if (error) {
        hd_allocator_free(&store->account->allocator, bulk, sizeof *bulk);
        return error;
    }
    bulk->store = store;
    bulk->bytes = bytes;
    bulk->serial = ++store->last_serial;
    bulk->writer = writer;
    link_in(store, bulk);
    store->count++;
    store->bytes += bytes;
    store->unsealed_count++;
    store->unsealed_bytes += bytes;
    *out = bulk;
    return 0;
}

int hd_bulk_new(struct hd_objects *objects, uint64_t bytes, uint64_t writer, hd_value *out)
{
    struct hd_bulk_store *store = objects->bulk_store;
    struct hd_bulk *bulk;
    if (bytes == 0)
        return HD_EINVALID;
    if (!store)
        return HD_ESYSTEM;
    if (bytes > UINT64_MAX / 2)
        return HD_ENOMEM;
    if (store->max_count && store->count >= store->max_count)
        return HD_EDESCRIPTORS;
    int error = hd_object_new(objects, HD_TYPE_BUFFER, sizeof(struct payload), out);
    if (error)
        return error;
    struct payload *payload = hd_gc_payload(objects->gc, *out);
    payload->bulk = NULL;
    error = make_bulk(store, bytes, writer, &bulk);
    if (error) {
        hd_gc_release(objects->gc, *out);
        return error;
    }
    payload->bulk = bulk;
    return 0;
}

uint64_t hd_bulk_bytes(const struct hd_objects *objects, hd_value buffer)
{
    return bulk_of(objects, buffer)->bytes;
}

uint64_t hd_bulk_serial(const struct hd_objects *objects, hd_value buffer)
{
    return bulk_of(objects, buffer)->serial;
}

enum hd_bulk_state hd_bulk_state(const struct hd_objects *objects, hd_value buffer)
{
    return bulk_of(objects, buffer)->state;
}

uint64_t hd_bulk_unsealed_bytes(const struct hd_objects *objects, uint64_t writer)
{
    uint64_t bytes = 0;
    if (objects->bulk_store->unsealed_count == 0)
        return 0;
    for (const struct hd_bulk *bulk = objects->bulk_store->first; bulk; bulk = bulk->next)
        if (bulk->writer == writer && bulk->state <= HD_BULK_SEALING)
            bytes += bulk->bytes;
    return bytes;
}

/* ---- bytes ---- */

/* May this session write to it now? */
static int check_writer(const struct hd_bulk *bulk, uint64_t writer)
{
    if (bulk->state == HD_BULK_ABANDONED)
        return HD_ENOT_SEALED;
    if (bulk->state != HD_BULK_UNSEALED)
        return HD_ESEALED;
    return bulk->writer == writer ? 0 : HD_EPERMISSION;
}

static int check_part(const struct hd_bulk *bulk, uint64_t offset, size_t count)
{
    if (count > HD_BULK_PART_BYTES)
        return HD_ETOO_LARGE;
    return offset <= bulk->bytes && count <= bulk->bytes - offset ? 0 : HD_EINDEX;
}

int hd_bulk_write(struct hd_objects *objects, hd_value buffer, uint64_t writer, uint64_t offset, const uint8_t *bytes,
                  size_t count)
{
    const struct hd_bulk *bulk = bulk_of(objects, buffer);
    const struct hd_os *os = bulk->store->os;
    int error = check_writer(bulk, writer);
    if (!error)
        error = check_part(bulk, offset, count);
    if (error)
        return error;
    objects->work_units += count / HD_BYTES_PER_UNIT;
    return os->shared_write(os->context, bulk->fd, offset, bytes, count);
}

int hd_bulk_read(struct hd_objects *objects, hd_value buffer, uint64_t offset, uint8_t *to, size_t count)
{
    const struct hd_bulk *bulk = bulk_of(objects, buffer);
    const struct hd_os *os = bulk->store->os;
    if (bulk->state != HD_BULK_SEALED)
        return HD_ENOT_SEALED;
    int error = check_part(bulk, offset, count);
    if (error)
        return error;
    objects->work_units += count / HD_BYTES_PER_UNIT;
    return os->shared_read(os->context, bulk->fd, offset, to, count);
}

int hd_bulk_open_writer(struct hd_objects *objects, hd_value buffer, uint64_t writer, int *out)
{
    const struct hd_bulk *bulk = bulk_of(objects, buffer);
    const struct hd_os *os = bulk->store->os;
    int error = check_writer(bulk, writer);
    return error ? error : os->shared_writer(os->context, bulk->fd, out);
}

int hd_bulk_open_reader(struct hd_objects *objects, hd_value buffer, int *out)
{
    const struct hd_bulk *bulk = bulk_of(objects, buffer);
    const struct hd_os *os = bulk->store->os;
    return bulk->state == HD_BULK_SEALED ? os->shared_reader(os->context, bulk->fd, out) : HD_ENOT_SEALED;
}

/* ---- sealing ---- */

int hd_bulk_seal(struct hd_objects *objects, hd_value buffer, uint64_t writer, void *waiter)
{
    struct hd_bulk *bulk = bulk_of(objects, buffer);
    int error = bulk->state == HD_BULK_SEALING ? HD_ENOT_SEALED : check_writer(bulk, writer);
    if (error)
        return error;
    bulk->state = HD_BULK_SEALING;
    bulk->waiter = waiter;
    give(bulk, HD_HELPER_SEAL);
    return 0;
}

void hd_bulk_forget(struct hd_objects *objects, void *waiter)
{
    for (struct hd_bulk *bulk = objects->bulk_store->first; bulk; bulk = bulk->next)
        if (bulk->waiter == waiter)
            bulk->waiter = NULL;
}

static void sealed(struct hd_bulk *bulk, int result)
{
    if (result) {
        bulk->state = HD_BULK_UNSEALED;
        return;
    }
    uncount_unsealed(bulk);
    bulk->writer = 0;
    bulk->state = HD_BULK_SEALED;
    bulk->store->sealed_ever_count++;
}

/* The helper is through with it. True: somebody waits for that. */
static bool finish(struct hd_bulk *bulk, void **waiter, int *result)
{
    bulk->working = false;
    if (bulk->job.task == HD_HELPER_CLOSE) {
        if (bulk->dead)
            free_bulk(bulk);
        return false;
    }
    if (bulk->state == HD_BULK_ABANDONED) {
        close_file(bulk);
        return false;
    }
    sealed(bulk, bulk->job.result);
    *waiter = bulk->waiter;
    *result = bulk->job.result;
    bulk->waiter = NULL;
    return *waiter != NULL;
}

bool hd_bulk_next_sealed(struct hd_bulk_store *store, void **waiter, int *result)
{
    for (;;) {
        if (!store->taken)
            store->taken = hd_helper_take(store->helper);
        struct hd_helper_job *job = store->taken;
        if (!job)
            return false;
        store->taken = job->next;
        if (finish((struct hd_bulk *)job, waiter, result))
            return true;
    }
}

void hd_bulk_abandon(struct hd_objects *objects, uint64_t writer)
{
    struct hd_bulk_store *store = objects->bulk_store;
    if (!store || store->unsealed_count == 0)
        return;
    for (struct hd_bulk *bulk = store->first; bulk; bulk = bulk->next) {
        if (bulk->writer != writer || bulk->state > HD_BULK_SEALING)
            continue;
        store->abandoned_ever_count++;
        drop_unsealed(bulk);
    }
}
