#include "client/heapctl/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/target.h"

/* An identity is written as inspect shows it; a name like that must be quoted. */
static bool read_identity(const char *text, uint64_t *out)
{
    if (strncmp(text, "0x", 2) || strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text + 2) || !text[2] ||
        strlen(text) > 18)
        return false;
    *out = strtoull(text + 2, NULL, 16);
    return true;
}

int hd_ctl_object(struct hd_ctl *ctl, const char *text, struct heapd_object_ref *out)
{
    struct hd_path path;
    struct heapd_value value;
    uint64_t identity;
    if (read_identity(text, &identity)) {
        *out = (struct heapd_object_ref){.identity = identity};
        return 0;
    }
    int error = hd_path_parse(text, &path, &ctl->problem);
    if (error) {
        ctl->is_usage_problem = true;
        return error;
    }
    error = hd_target_get(ctl->connection, &path, HEAPD_OBJECT, &value, &ctl->problem);
    hd_path_fini(&path);
    if (!error)
        *out = (struct heapd_object_ref){.object = value.as.ref};
    return error;
}

int hd_ctl_identity(struct hd_ctl *ctl, const char *text, uint64_t *out)
{
    struct heapd_object_ref object;
    struct heapd_result info;
    struct heapd_error error;
    int failed = hd_ctl_object(ctl, text, &object);
    if (failed)
        return failed;
    if (!object.object) {
        *out = object.identity;
        return 0;
    }
    int code = heapd_inspect(ctl->connection, object.object, &info, &error);
    heapd_release(ctl->connection, object.object);
    if (code)
        return hd_ctl_fail(ctl, &error);
    *out = info.as.info.identity;
    heapd_result_clear(&info);
    return 0;
}

void hd_ctl_print_root(const struct heapd_root *root)
{
    switch (root->kind) {
    case HEAPD_ROOT_GLOBALS:
        fputs("the global names", stdout);
        break;
    case HEAPD_ROOT_SESSION:
        printf("session %" PRIu64, root->session);
        if (*root->client_name || root->pid) {
            fputs(" (", stdout);
            hd_ctl_print_name(heapd_text(root->client_name));
            printf("%spid %" PRIu64 ")", *root->client_name ? ", " : "", root->pid);
        }
        if (root->handle)
            printf(", handle 0x%" PRIx64, root->handle);
        break;
    case HEAPD_ROOT_WAITER:
        fputs("a parked request", stdout);
        break;
    case HEAPD_ROOT_FROZEN:
        fputs("frozen: no root leads to it, but gc freeze keeps it", stdout);
        break;
    case HEAPD_ROOT_TOKEN:
        fputs("a token on its way to another session", stdout);
        break;
    case HEAPD_ROOT_GARBAGE:
        fputs("garbage that a collection was told to keep (gc debug saveall)", stdout);
        break;
    case HEAPD_ROOT_INTERNED:
        fputs("interned strings", stdout);
        break;
    case HEAPD_ROOT_REQUEST:
        fputs("a request that was under way", stdout);
        break;
    }
}

const char *hd_ctl_root_name(enum heapd_root_kind kind)
{
    static const char *const names[] = {"request", "globals", "session", "waiter",
                                        "frozen",  "token",   "garbage", "interned"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}
