#include "client/heapctl/object.h"

#include <errno.h>
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
