/* Findings, each with its evidence and what to do. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

/* From where on something is worth a word. */
#define FRAGMENTED_PERMILLE 400u
#define FRAGMENTED_MIN_BYTES (UINT64_C(16) << 20)
#define NEAR_LIMIT_PERMILLE 900u
#define GARBAGE_PERMILLE 250u
#define GARBAGE_MIN_BYTES (UINT64_C(1) << 20)
#define HOARD_PERMILLE 300u
#define HOARD_MIN_BYTES (UINT64_C(1) << 20)
#define HANDLES_MANY 100000u
#define UNREAD_MANY_BYTES (UINT64_C(1) << 20)
#define PAUSE_LONG_NS UINT64_C(5000000)
#define YOUNG_SURVIVE_PERMILLE 10u
#define COLLECTIONS_MANY 1000u

struct doctor {
    struct hd_ctl *ctl;
    struct hd_json_writer json;
    bool as_json;
    bool broken; /* no memory for JSON */
    unsigned count;
};

__attribute__((format(printf, 4, 5))) static void find(struct doctor *doctor, const char *what, const char *advice,
                                                       const char *evidence, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, evidence);
    (void)vsnprintf(text, sizeof text, evidence, arguments);
    va_end(arguments);
    doctor->count++;
    if (!doctor->as_json) {
        printf("%u. %s\n   evidence: ", doctor->count, what);
        for (const char *at = text; *at; at++)
            putchar((unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
        printf("\n   advice:   %s\n", advice);
        return;
    }
    if (hd_json_writer_begin_object(&doctor->json)) {
        doctor->broken = true;
        return;
    }
    hd_ctl_json_string(&doctor->json, "finding", what);
    hd_ctl_json_string(&doctor->json, "evidence", text);
    hd_ctl_json_string(&doctor->json, "advice", advice);
    hd_json_writer_end(&doctor->json);
}

static void look_at_memory(struct doctor *doctor, const struct heapd_memory_info *memory)
{
    if (memory->fragmentation_permille >= FRAGMENTED_PERMILLE && memory->arena_bytes >= FRAGMENTED_MIN_BYTES)
        find(doctor, "the heap is fragmented", "heapctl gc compact moves objects together and gives the rest back",
             "%.1f%% of %" PRIu64 " bytes of arenas are in no living block", memory->fragmentation_permille / 10.0,
             memory->arena_bytes);
    if (memory->limit_bytes != UINT64_MAX && memory->used_bytes >= memory->limit_bytes / 1000 * NEAR_LIMIT_PERMILLE)
        find(doctor, "the memory limit is near", "see heapctl census for what keeps memory, or raise memory_limit",
             "%" PRIu64 " of %" PRIu64 " bytes are used, and %" PRIu64 " requests for more were refused",
             memory->used_bytes, memory->limit_bytes, memory->refused_count);
    if (!memory->gc_enabled)
        find(doctor, "collections do not happen by themselves", "heapctl gc enable, unless somebody wants it so",
             "automatic collection is disabled; cycles stay until somebody collects");
}

static void look_at_collector(struct doctor *doctor, const struct heapd_memory_info *memory)
{
    const struct heapd_memory_generation *young = &memory->generation[0];
    uint64_t found = young->collected;
    if (memory->gc_enabled && young->collections >= COLLECTIONS_MANY && young->threshold < 10000 &&
        found / (young->collections ? young->collections : 1) <=
            young->threshold * (uint64_t)YOUNG_SURVIVE_PERMILLE / 1000)
        find(doctor, "the threshold of the youngest generation is low",
             "raise it: heapctl gc threshold 10000, so that collections that find nothing are fewer",
             "%" PRIu64 " collections of generation 0, at a threshold of %" PRIu32 ", found %" PRIu64 " objects in all",
             young->collections, young->threshold, found);
    for (size_t i = 0; i < memory->histogram_count; i++) {
        const struct heapd_histogram *histogram = &memory->histograms[i];
        if (histogram->max_ns >= PAUSE_LONG_NS)
            find(doctor, "others waited long",
                 "see heapctl memory for the histogram, and heapctl slowlog for requests; large requests are best sent "
                 "in parts",
                 "the longest slice of \"%s\" took %.1f ms (99.9%%: %.1f ms)", histogram->name,
                 (double)histogram->max_ns / 1e6, (double)histogram->p999_ns / 1e6);
    }
}

static void look_at_sessions(struct doctor *doctor, const struct heapd_session_list *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        const struct heapd_session *session = &sessions->items[i];
        if (session->handles >= HANDLES_MANY)
            find(doctor, "a session holds very many handles",
                 "let it release what it does not use; each keeps an object",
                 "session %" PRIu64 " (%s, pid %" PRIu64 ") holds %" PRIu64 " handles", session->id,
                 session->client_name, session->pid, session->handles);
        if (session->output_bytes >= UNREAD_MANY_BYTES)
            find(doctor, "a session does not read its replies", "see what that process waits for",
                 "%" PRIu64 " bytes wait for session %" PRIu64 " (%s, pid %" PRIu64 ")", session->output_bytes,
                 session->id, session->client_name, session->pid);
    }
}

static void look_at_census(struct doctor *doctor, const struct heapd_count *census)
{
    uint64_t garbage = census->bytes - census->reachable_bytes;
    if (garbage >= GARBAGE_MIN_BYTES && garbage / 1000 >= census->bytes / 1000 * GARBAGE_PERMILLE / 1000)
        find(doctor, "much is garbage that waits for a collection", "heapctl gc collect frees it",
             "no root leads to %" PRIu64 " objects, %" PRIu64 " of %" PRIu64 " bytes",
             census->count - census->reachable_count, garbage, census->bytes);
    for (size_t i = 0; i < census->sources.count; i++) {
        const struct heapd_sum *source = &census->sources.rows[i];
        if (source->root.kind != HEAPD_ROOT_SESSION || source->retained_bytes < HOARD_MIN_BYTES ||
            source->retained_bytes / 1000 < census->reachable_bytes / 1000 * HOARD_PERMILLE / 1000)
            continue;
        find(doctor, "a session hoards",
             "heapctl session kill ID releases it, if that process may go; else see its handles",
             "session %" PRIu64 " (%s, pid %" PRIu64 ") alone keeps %" PRIu64 " objects, %" PRIu64 " bytes",
             source->root.session, source->root.client_name, source->root.pid, source->count, source->retained_bytes);
    }
    for (size_t i = 0; i < census->names.count; i++) {
        const struct heapd_sum *name = &census->names.rows[i];
        if (!name->alone || name->retained_bytes < HOARD_MIN_BYTES ||
            name->retained_bytes / 1000 < census->reachable_bytes / 1000 * HOARD_PERMILLE / 1000)
            continue;
        find(doctor, "one name keeps much of the heap: a leak, if it grows",
             "heapctl census --json > FILE, and later heapctl diff FILE shows whether it grows",
             "the name %.*s alone keeps %" PRIu64 " objects, %" PRIu64 " of %" PRIu64 " bytes", (int)name->name.size,
             name->name.data, name->count, name->retained_bytes, census->reachable_bytes);
    }
}

static int examine(struct doctor *doctor)
{
    struct heapd_connection *connection = doctor->ctl->connection;
    struct heapd_result result;
    struct heapd_report report;
    struct heapd_error error;
    if (heapd_memory(connection, &result, &error))
        return hd_ctl_fail(doctor->ctl, &error);
    look_at_memory(doctor, result.as.memory);
    look_at_collector(doctor, result.as.memory);
    heapd_result_clear(&result);
    if (heapd_list_sessions(connection, &result, &error))
        return hd_ctl_fail(doctor->ctl, &error);
    look_at_sessions(doctor, &result.as.sessions);
    heapd_result_clear(&result);
    if (heapd_census(connection, 0, &report, &error))
        return hd_ctl_fail(doctor->ctl, &error);
    look_at_census(doctor, &report.as.census);
    heapd_report_clear(&report);
    return 0;
}

int hd_cmd_doctor(struct hd_ctl *ctl)
{
    struct doctor doctor = {.ctl = ctl, .as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)};
    if (doctor.as_json) {
        int error = hd_ctl_json_begin(ctl, &doctor.json, true);
        if (error)
            return error;
    }
    int failed = examine(&doctor);
    if (doctor.as_json)
        hd_ctl_json_end(&doctor.json);
    if (!failed && doctor.broken)
        failed = hd_problem_no_memory(&ctl->problem);
    if (!failed && !doctor.as_json && doctor.count == 0)
        puts("nothing is wrong that a look at memory, collector, sessions and census would show");
    return failed;
}
