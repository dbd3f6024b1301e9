/*
 * The command line: options anywhere, then operands.
 *
 * "--name value", "--name=value" and one-letter forms; "--" ends options; "-"
 * is an operand, and so is a negative number, since values are given as JSON.
 */
#ifndef HEAPD_HEAPCTL_OPTIONS_H
#define HEAPD_HEAPCTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "client/heapctl/problem.h"

/* Each option is a bit, so that a command can say which of them it takes. */
enum hd_ctl_option {
    HD_OPTION_ADDRESS = 1 << 0,
    HD_OPTION_JSON = 1 << 1,
    HD_OPTION_HELP = 1 << 2,
    HD_OPTION_VERSION = 1 << 3,
    HD_OPTION_QUIET = 1 << 4,
    HD_OPTION_INDENT = 1 << 5,
    HD_OPTION_COMPACT = 1 << 6,
    HD_OPTION_ASCII = 1 << 7,
    HD_OPTION_BYTES = 1 << 8,
    HD_OPTION_RAW = 1 << 9,
    HD_OPTION_CHILDREN = 1 << 10,
    HD_OPTION_DRY_RUN = 1 << 11,
    HD_OPTION_COUNT = 1 << 12,
};

struct hd_ctl_option_info {
    enum hd_ctl_option option;
    char letter; /* 0: only the long form */
    const char *name;
    const char *argument; /* what help calls it; NULL: takes none */
    const char *help;
};
extern const struct hd_ctl_option_info hd_ctl_option_table[];
extern const size_t hd_ctl_option_count;

struct hd_ctl_options {
    unsigned given;      /* bits of enum hd_ctl_option */
    const char *address; /* borrow: NULL unless given */
    unsigned indent;
    unsigned count; /* 0 unless given */
    bool bytes_as_base64;
    const char **operands; /* own: the array; borrow: what it points to */
    size_t operand_count;
};

static inline bool hd_ctl_options_has(const struct hd_ctl_options *options, enum hd_ctl_option option)
{
    return (options->given & (unsigned)option) != 0;
}

/*
 * Reads what follows the program's name; the strings must outlive the result.
 * HD_EINVALID for an unknown option, a missing or bad argument; HD_ENOMEM.
 * A failed parse leaves nothing to free.
 */
int hd_ctl_options_parse(int count, char *const *arguments, struct hd_ctl_options *out,
                         struct hd_problem *problem) HD_MUST_USE;
void hd_ctl_options_fini(struct hd_ctl_options *options);

#endif
