#include "client/lib/request.h"

#include <stdlib.h>
#include <unistd.h>

#define HD_REQUEST_MIN_BUCKETS 64

void hd_request_table_init(struct hd_request_table *table)
{
    *table = (struct hd_request_table){0};
}

static void request_free(struct hd_request *request)
{
    heapd_result_clear(&request->result);
    if (request->descriptor >= 0)
        close(request->descriptor);
    free(request->detail);
    free(request);
}

void hd_request_table_fini(struct hd_request_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hd_request *request = table->buckets[i];
        while (request) {
            struct hd_request *next = request->chain;
            request_free(request);
            request = next;
        }
    }
    free(table->buckets);
    hd_request_table_init(table);
}

/* Ids count up, so their low bits spread them evenly. */
static struct hd_request **bucket_of(const struct hd_request_table *table, uint64_t id)
{
    return &table->buckets[id & (table->bucket_count - 1)];
}

static int grow(struct hd_request_table *table)
{
    struct hd_request_table grown = *table;
    grown.bucket_count = table->bucket_count ? table->bucket_count * 2 : HD_REQUEST_MIN_BUCKETS;
    grown.buckets = calloc(grown.bucket_count, sizeof(struct hd_request *));
    if (!grown.buckets)
        return HD_ENOMEM;
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hd_request *request = table->buckets[i];
        while (request) {
            struct hd_request *next = request->chain;
            struct hd_request **bucket = bucket_of(&grown, request->id);
            request->chain = *bucket;
            *bucket = request;
            request = next;
        }
    }
    free(table->buckets);
    *table = grown;
    return 0;
}

int hd_request_table_add(struct hd_request_table *table, uint64_t id, struct hd_request **out)
{
    if (table->count >= table->bucket_count) {
        int error = grow(table);
        if (error)
            return error;
    }
    struct hd_request *request = calloc(1, sizeof *request);
    if (!request)
        return HD_ENOMEM;
    request->id = id;
    request->descriptor = -1;
    struct hd_request **bucket = bucket_of(table, id);
    request->chain = *bucket;
    *bucket = request;
    request->older = table->newest;
    if (table->newest)
        table->newest->newer = request;
    else
        table->oldest = request;
    table->newest = request;
    table->count++;
    table->unanswered_count++;
    *out = request;
    return 0;
}

struct hd_request *hd_request_table_find(const struct hd_request_table *table, uint64_t id)
{
    if (table->bucket_count == 0)
        return NULL;
    struct hd_request *request = *bucket_of(table, id);
    while (request && request->id != id)
        request = request->chain;
    return request;
}

void hd_request_table_answered(struct hd_request_table *table, struct hd_request *request)
{
    if (request->answered)
        return;
    request->answered = true;
    if (request->older)
        request->older->newer = request->newer;
    else
        table->oldest = request->newer;
    if (request->newer)
        request->newer->older = request->older;
    else
        table->newest = request->older;
    request->older = request->newer = NULL;
    table->unanswered_count--;
}

void hd_request_table_remove(struct hd_request_table *table, struct hd_request *request)
{
    hd_request_table_answered(table, request);
    struct hd_request **link = bucket_of(table, request->id);
    while (*link != request)
        link = &(*link)->chain;
    *link = request->chain;
    table->count--;
    request_free(request);
}
