/* Who holds what, who waits for what. */
#include <inttypes.h>
#include <stdio.h>

#include "client/heapctl/ctl.h"

static void print_plain(const struct heapd_sync_list *list)
{
    if (list->hold_count + list->wait_count == 0)
        puts("nobody holds a lock or waits for anything");
    for (size_t i = 0; i < list->hold_count; i++) {
        const struct heapd_hold *hold = &list->holds[i];
        printf("%s 0x%" PRIx64 " held by session %" PRIu64 " thread %" PRIu64 " (%" PRIu64 ")\n",
               heapd_type_name(hold->type), hold->object, hold->session, hold->thread, hold->count);
    }
    for (size_t i = 0; i < list->wait_count; i++) {
        const struct heapd_wait_info *wait = &list->waits[i];
        printf("%s 0x%" PRIx64 " waited for by session %" PRIu64 " thread %" PRIu64 ": %s%s%s\n",
               heapd_type_name(wait->type), wait->object, wait->session, wait->thread, wait->act,
               wait->relocking ? ", for its lock again" : "", wait->given ? ", served and not told yet" : "");
    }
    if (list->more)
        printf("and more\n");
}

static int print_json(struct hd_ctl *ctl, const struct heapd_sync_list *list)
{
    struct hd_json_writer json;
    int failed = hd_ctl_json_begin(ctl, &json, true);
    for (size_t i = 0; !failed && i < list->hold_count + list->wait_count; i++) {
        bool is_hold = i < list->hold_count;
        const struct heapd_hold *hold = is_hold ? &list->holds[i] : NULL;
        const struct heapd_wait_info *wait = is_hold ? NULL : &list->waits[i - list->hold_count];
        if (hd_json_writer_begin_object(&json)) {
            failed = hd_problem_no_memory(&ctl->problem);
            break;
        }
        hd_ctl_json_string(&json, "what", is_hold ? "holds" : wait->act);
        hd_ctl_json_string(&json, "type", heapd_type_name(is_hold ? hold->type : wait->type));
        hd_ctl_json_uint(&json, "object", is_hold ? hold->object : wait->object);
        hd_ctl_json_uint(&json, "session", is_hold ? hold->session : wait->session);
        hd_ctl_json_uint(&json, "thread", is_hold ? hold->thread : wait->thread);
        hd_json_writer_end(&json);
    }
    if (!failed)
        hd_ctl_json_end(&json);
    return failed;
}

int hd_cmd_locks(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_result result;
    int failed = 0;
    if (heapd_list_sync(ctl->connection, &result, &error))
        return hd_ctl_fail(ctl, &error);
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        failed = print_json(ctl, result.as.sync_list);
    else
        print_plain(result.as.sync_list);
    heapd_result_clear(&result);
    return failed;
}
