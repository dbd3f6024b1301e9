#include "client/heapctl/options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INDENT 32
#define MAX_COUNT 1000000

const struct hd_ctl_option_info hd_ctl_option_table[] = {
    {HD_OPTION_ADDRESS, 'a', "address", "ADDRESS", "unix:/path or tcp:127.0.0.1:PORT of the daemon"},
    {HD_OPTION_JSON, 'j', "json", NULL, "answer in JSON, for scripts"},
    {HD_OPTION_HELP, 'h', "help", NULL, "explain the command"},
    {HD_OPTION_VERSION, 'V', "version", NULL, "print the version"},
    {HD_OPTION_QUIET, 'q', "quiet", NULL, "no progress and no summary"},
    {HD_OPTION_INDENT, 'i', "indent", "N", "indent by N spaces a level; 0: all in one line"},
    {HD_OPTION_COMPACT, 'c', "compact", NULL, "one line, no spaces"},
    {HD_OPTION_ASCII, 0, "ascii", NULL, "escape characters beyond ASCII"},
    {HD_OPTION_BYTES, 0, "bytes", "base64", "write bytes as base64 text instead of refusing them"},
    {HD_OPTION_RAW, 'r', "raw", NULL, "print a str as it is, without quotes"},
    {HD_OPTION_CHILDREN, 'l', "children", NULL, "take the operand as a path, and list what lies in it"},
    {HD_OPTION_DRY_RUN, 'n', "dry-run", NULL, "only count what would be freed"},
    {HD_OPTION_COUNT, 'N', "count", "N", "show so many"},
};
const size_t hd_ctl_option_count = sizeof hd_ctl_option_table / sizeof *hd_ctl_option_table;

static const struct hd_ctl_option_info *find_long(const char *name, size_t count)
{
    for (size_t i = 0; i < hd_ctl_option_count; i++) {
        if (strlen(hd_ctl_option_table[i].name) == count && !memcmp(hd_ctl_option_table[i].name, name, count))
            return &hd_ctl_option_table[i];
    }
    return NULL;
}

static const struct hd_ctl_option_info *find_short(char letter)
{
    for (size_t i = 0; i < hd_ctl_option_count; i++) {
        if (hd_ctl_option_table[i].letter && hd_ctl_option_table[i].letter == letter)
            return &hd_ctl_option_table[i];
    }
    return NULL;
}

static int take_number(const struct hd_ctl_option_info *info, const char *argument, unsigned long min,
                       unsigned long max, unsigned *out, struct hd_problem *problem)
{
    char *end;
    unsigned long number = strtoul(argument, &end, 10);
    if (!isdigit((unsigned char)*argument) || *end || number < min || number > max)
        return hd_problem_set(problem, HD_EINVALID, "--%s wants a number from %lu to %lu", info->name, min, max);
    *out = (unsigned)number;
    return 0;
}

static int take(struct hd_ctl_options *options, const struct hd_ctl_option_info *info, const char *argument,
                struct hd_problem *problem)
{
    options->given |= (unsigned)info->option;
    if (info->option == HD_OPTION_ADDRESS) {
        options->address = argument;
    } else if (info->option == HD_OPTION_INDENT) {
        return take_number(info, argument, 0, MAX_INDENT, &options->indent, problem);
    } else if (info->option == HD_OPTION_COUNT) {
        return take_number(info, argument, 1, MAX_COUNT, &options->count, problem);
    } else if (info->option == HD_OPTION_BYTES) {
        if (strcmp(argument, "base64"))
            return hd_problem_set(problem, HD_EINVALID, "--bytes knows only base64");
        options->bytes_as_base64 = true;
    }
    return 0;
}

struct arguments {
    char *const *at;
    int left;
};

static int take_with_argument(struct hd_ctl_options *options, const struct hd_ctl_option_info *info,
                              const char *attached, struct arguments *arguments, struct hd_problem *problem)
{
    if (info->argument && !attached) {
        if (!arguments->left)
            return hd_problem_set(problem, HD_EINVALID, "--%s wants an argument: %s", info->name, info->argument);
        attached = *arguments->at++;
        arguments->left--;
    }
    return take(options, info, attached, problem);
}

static int parse_long(struct hd_ctl_options *options, const char *text, struct arguments *arguments,
                      struct hd_problem *problem)
{
    size_t count = strcspn(text, "=");
    const struct hd_ctl_option_info *info = find_long(text, count);
    if (!info)
        return hd_problem_set(problem, HD_EINVALID, "unknown option --%.*s", (int)count, text);
    if (text[count] && !info->argument)
        return hd_problem_set(problem, HD_EINVALID, "--%s takes no argument", info->name);
    return take_with_argument(options, info, text[count] ? text + count + 1 : NULL, arguments, problem);
}

/* A cluster such as -jq; the rest of it is the argument of the first that takes one. */
static int parse_short(struct hd_ctl_options *options, const char *text, struct arguments *arguments,
                       struct hd_problem *problem)
{
    while (*text) {
        const struct hd_ctl_option_info *info = find_short(*text);
        if (!info)
            return hd_problem_set(problem, HD_EINVALID, "unknown option -%c", *text);
        text++;
        int error = take_with_argument(options, info, info->argument && *text ? text : NULL, arguments, problem);
        if (error || info->argument)
            return error;
    }
    return 0;
}

int hd_ctl_options_parse(int count, char *const *arguments, struct hd_ctl_options *out, struct hd_problem *problem)
{
    struct hd_ctl_options options = {.operands = calloc((size_t)count + 1, sizeof *options.operands)};
    struct arguments rest = {arguments, count};
    bool options_end = false;
    int error = 0;
    if (!options.operands)
        return hd_problem_no_memory(problem);
    while (!error && rest.left) {
        const char *text = *rest.at++;
        rest.left--;
        if (options_end || text[0] != '-' || !text[1] || isdigit((unsigned char)text[1]))
            options.operands[options.operand_count++] = text;
        else if (!strcmp(text, "--"))
            options_end = true;
        else if (text[1] == '-')
            error = parse_long(&options, text + 2, &rest, problem);
        else
            error = parse_short(&options, text + 1, &rest, problem);
    }
    if (error)
        hd_ctl_options_fini(&options);
    else
        *out = options;
    return error;
}

void hd_ctl_options_fini(struct hd_ctl_options *options)
{
    if (!options)
        return;
    free(options->operands);
    options->operands = NULL;
    options->operand_count = 0;
}
