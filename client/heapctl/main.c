#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"

#define COMMON_OPTIONS (HD_OPTION_ADDRESS | HD_OPTION_JSON | HD_OPTION_HELP | HD_OPTION_VERSION)

static int exit_status(int error)
{
    switch (error) {
    case 0:
        return HD_EXIT_OK;
    case HD_EUNAVAILABLE:
    case HD_ECLOSED:
    case HD_EHELLO:
        return HD_EXIT_NO_DAEMON;
    case HD_EKEY:
    case HD_EINDEX:
    case HD_ENAME:
    case HD_EATTRIBUTE:
        return HD_EXIT_NOT_FOUND;
    case HD_EPERMISSION:
        return HD_EXIT_PERMISSION;
    case HD_ECHANGED:
        return HD_EXIT_CHANGED;
    default:
        return HD_EXIT_FAILED;
    }
}

/* "heapctl: NOT_FOUND: message"; control characters of whatever origin do not reach the terminal. */
static void print_problem(const struct hd_problem *problem)
{
    fprintf(stderr, "heapctl: %s: ", hd_status_name(hd_error_status(problem->error)));
    for (const char *at = problem->text; *at; at++)
        fputc((unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at, stderr);
    fputc('\n', stderr);
}

static int usage_error(const struct hd_problem *problem, const struct hd_command *command)
{
    print_problem(problem);
    if (command)
        fprintf(stderr, "Usage: heapctl %s%s%s [OPTIONS]; see heapctl %s --help\n", command->words,
                *command->operands ? " " : "", command->operands, command->words);
    else
        fputs("See heapctl --help\n", stderr);
    return HD_EXIT_USAGE;
}

static void print_options(unsigned mask)
{
    puts("\nOptions:");
    for (size_t i = 0; i < hd_ctl_option_count; i++) {
        const struct hd_ctl_option_info *info = &hd_ctl_option_table[i];
        char letter[8] = "   ", name[40];
        if (!(mask & (unsigned)info->option))
            continue;
        if (info->letter)
            snprintf(letter, sizeof letter, "-%c,", info->letter);
        snprintf(name, sizeof name, "--%s%s%s", info->name, info->argument ? " " : "",
                 info->argument ? info->argument : "");
        printf("  %s %-20s %s\n", letter, name, info->help);
    }
}

static void print_overview(void)
{
    puts("Usage: heapctl [OPTIONS] COMMAND ...\n\nReads, changes and watches the heap that heapd keeps.\n\nCommands:");
    for (size_t i = 0; i < hd_command_count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", hd_commands[i].words, hd_commands[i].operands);
        printf("  %-30s %s\n", left, hd_commands[i].summary);
    }
    print_options(COMMON_OPTIONS);
    puts("\nWithout --address, $HEAPD_ADDRESS, or else the daemon's usual place, is used.\n"
         "heapctl COMMAND --help tells more of a command.\n\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon, 4 not found,\n"
         "5 not allowed, 6 changed meanwhile (try again).");
}

static void print_command_help(const struct hd_command *command)
{
    printf("Usage: heapctl %s%s%s [OPTIONS]\n\n%s\n", command->words, *command->operands ? " " : "", command->operands,
           command->summary);
    if (*command->details)
        printf("\n%s", command->details);
    print_options(COMMON_OPTIONS | command->options);
}

/* How many operands make up the command's words; 0: it is another command. */
static size_t match(const struct hd_command *command, const struct hd_ctl_options *options)
{
    const char *words = command->words;
    size_t i = 0;
    for (; *words; i++) {
        size_t count = strcspn(words, " ");
        if (i == options->operand_count || strlen(options->operands[i]) != count ||
            memcmp(options->operands[i], words, count))
            return 0;
        words += count;
        words += *words == ' ';
    }
    return i;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < hd_command_count; i++) {
        size_t count = strcspn(hd_commands[i].words, " ");
        if (hd_commands[i].words[count] && strlen(word) == count && !memcmp(word, hd_commands[i].words, count))
            return true;
    }
    return false;
}

static const struct hd_command *find_command(struct hd_ctl *ctl)
{
    const struct hd_ctl_options *options = &ctl->options;
    for (size_t i = 0; i < hd_command_count; i++) {
        size_t words = match(&hd_commands[i], options);
        if (!words)
            continue;
        ctl->operands = options->operands + words;
        ctl->operand_count = options->operand_count - words;
        return &hd_commands[i];
    }
    if (!options->operand_count)
        hd_problem_set(&ctl->problem, HD_EINVALID, "a command is missing");
    else if (is_group(options->operands[0]) && options->operand_count == 1)
        hd_problem_set(&ctl->problem, HD_EINVALID, "\"%s\" needs another word; heapctl --help lists them",
                       options->operands[0]);
    else
        hd_problem_set(&ctl->problem, HD_EINVALID, "there is no command \"%s%s%s\"", options->operands[0],
                       is_group(options->operands[0]) ? " " : "",
                       is_group(options->operands[0]) ? options->operands[1] : "");
    return NULL;
}

static int check_usage(struct hd_ctl *ctl, const struct hd_command *command)
{
    unsigned excess = ctl->options.given & ~(COMMON_OPTIONS | command->options);
    for (size_t i = 0; i < hd_ctl_option_count; i++) {
        if (excess & (unsigned)hd_ctl_option_table[i].option)
            return hd_problem_set(&ctl->problem, HD_EINVALID, "%s does not take --%s", command->words,
                                  hd_ctl_option_table[i].name);
    }
    if (ctl->operand_count < command->min_operands)
        return hd_problem_set(&ctl->problem, HD_EINVALID, "%s wants more: %s", command->words, command->operands);
    if (ctl->operand_count > command->max_operands)
        return hd_problem_set(&ctl->problem, HD_EINVALID, "%s does not know what to do with \"%s\"", command->words,
                              ctl->operands[command->max_operands]);
    return 0;
}

static int connect_and_run(struct hd_ctl *ctl, const struct hd_command *command)
{
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_error error;
    options.client_name = "heapctl";
    if (heapd_connect(ctl->options.address, &options, &ctl->connection, &error)) {
        hd_ctl_fail(ctl, &error);
        /* An address that is no address is a matter of the command line. */
        return error.code == HEAPD_ESYNTAX ? usage_error(&ctl->problem, command) : -1;
    }
    int failed = command->run(ctl);
    heapd_close(ctl->connection);
    if (!failed && (fflush(stdout) || ferror(stdout)))
        failed = hd_problem_set(&ctl->problem, HD_ESYSTEM, "standard output: %s", strerror(errno));
    if (failed && ctl->is_usage_problem)
        return usage_error(&ctl->problem, command);
    return failed ? -1 : HD_EXIT_OK;
}

/* A path is checked before anyone is asked to connect, so that a bad one is a matter of usage. */
static int check_path(struct hd_ctl *ctl, const struct hd_command *command)
{
    struct hd_path path;
    if (strncmp(command->operands, "PATH", 4) &&
        !(ctl->operand_count && hd_ctl_options_has(&ctl->options, HD_OPTION_CHILDREN)))
        return 0;
    int error = hd_path_parse(ctl->operands[0], &path, &ctl->problem);
    if (!error)
        hd_path_fini(&path);
    return error;
}

static int run(struct hd_ctl *ctl)
{
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_VERSION)) {
        puts("heapctl " HEAPD_VERSION);
        return HD_EXIT_OK;
    }
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_HELP) && !ctl->options.operand_count) {
        print_overview();
        return HD_EXIT_OK;
    }
    const struct hd_command *command = find_command(ctl);
    if (!command)
        return usage_error(&ctl->problem, NULL);
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_HELP)) {
        print_command_help(command);
        return HD_EXIT_OK;
    }
    if (check_usage(ctl, command) || check_path(ctl, command))
        return usage_error(&ctl->problem, command);
    int status = connect_and_run(ctl, command);
    if (status >= 0)
        return status;
    print_problem(&ctl->problem);
    return exit_status(ctl->problem.error);
}

int main(int count, char **arguments)
{
    struct hd_ctl ctl = {0};
    if (hd_ctl_options_parse(count - 1, arguments + 1, &ctl.options, &ctl.problem))
        return usage_error(&ctl.problem, NULL);
    int status = run(&ctl);
    hd_ctl_options_fini(&ctl.options);
    return status;
}
