/* A JSON document, from a file, into the heap. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/heapctl/builder.h"
#include "client/heapctl/ctl.h"
#include "client/heapctl/target.h"

#define PIECE_BYTES (256u << 10)
#define PROGRESS_INTERVAL_NS 100000000u

/* A line on a terminal that tells how far it is. */
struct progress {
    bool shown;
    const char *name;
    uint64_t total_bytes; /* 0: not known */
    uint64_t next_ns;
};

struct input {
    int fd;
    const char *name; /* for messages */
    uint64_t bytes;   /* read so far */
    struct progress progress;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void show_progress(struct input *input)
{
    struct progress *progress = &input->progress;
    if (!progress->shown || now_ns() < progress->next_ns)
        return;
    progress->next_ns = now_ns() + PROGRESS_INTERVAL_NS;
    if (progress->total_bytes)
        fprintf(stderr, "\r%s: %.1f of %.1f MB, %3.0f %%\033[K", progress->name, (double)input->bytes / 1e6,
                (double)progress->total_bytes / 1e6, 100 * (double)input->bytes / (double)progress->total_bytes);
    else
        fprintf(stderr, "\r%s: %.1f MB\033[K", progress->name, (double)input->bytes / 1e6);
    fflush(stderr);
}

static void end_progress(const struct input *input)
{
    if (input->progress.shown)
        fputs("\r\033[K", stderr);
}

static int system_problem(struct hd_problem *problem, const char *name)
{
    return hd_problem_set(problem, errno == ENOENT ? HD_ENAME : HD_ESYSTEM, "%s: %s", name, strerror(errno));
}

static int open_input(struct hd_ctl *ctl, struct input *input)
{
    struct stat status;
    bool is_stdin = !strcmp(ctl->operands[1], "-");
    *input = (struct input){.fd = STDIN_FILENO, .name = is_stdin ? "standard input" : ctl->operands[1]};
    if (!is_stdin)
        input->fd = open(input->name, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0)
        return system_problem(&ctl->problem, input->name);
    input->progress = (struct progress){
        .shown = isatty(STDERR_FILENO) && !hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET),
        .name = ctl->operands[0],
        .total_bytes = !fstat(input->fd, &status) && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0,
        .next_ns = now_ns() + PROGRESS_INTERVAL_NS,
    };
    return 0;
}

static void close_input(struct input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
}

/* The name of the file in front of what the reader found wrong with the text. */
static int in_file(const struct input *input, struct hd_problem *problem)
{
    char text[sizeof problem->text];
    memcpy(text, problem->text, sizeof text);
    return hd_problem_set(problem, problem->error, "%s: %s", input->name, text);
}

static int read_document(struct input *input, struct hd_json_reader *reader, struct hd_problem *problem)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    int error = piece ? 0 : hd_problem_no_memory(problem);
    while (!error) {
        ssize_t count = read(input->fd, piece, PIECE_BYTES);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            error = system_problem(problem, input->name);
            break;
        }
        error =
            count ? hd_json_reader_feed(reader, piece, (size_t)count, problem) : hd_json_reader_finish(reader, problem);
        if (error && !reader->sink_error)
            error = in_file(input, problem);
        if (!count)
            break;
        input->bytes += (uint64_t)count;
        show_progress(input);
    }
    free(piece);
    return error;
}

static int import_document(struct hd_ctl *ctl, struct input *input, struct hd_builder *builder,
                           const struct hd_path *path)
{
    struct hd_json_reader reader;
    const struct hd_json_sink sink = hd_builder_sink(builder);
    int error = hd_json_reader_init(&reader, &sink, hd_builder_limits(builder));
    if (error)
        hd_problem_no_memory(&ctl->problem);
    else
        error = read_document(input, &reader, &ctl->problem);
    hd_json_reader_fini(&reader);

    struct heapd_value value;
    if (!error)
        error = hd_builder_finish(builder, &value, &ctl->problem);
    if (!error)
        error = hd_target_set(ctl->connection, path, value, &ctl->problem);
    return error;
}

static int report(struct hd_ctl *ctl, const struct input *input, uint64_t taken_ns)
{
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        struct hd_json_writer json;
        int error = hd_ctl_json_begin(ctl, &json, false);
        if (error)
            return error;
        hd_ctl_json_string(&json, "path", ctl->operands[0]);
        hd_ctl_json_uint(&json, "bytes", input->bytes);
        hd_ctl_json_uint(&json, "taken_ns", taken_ns);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        printf("%s: %" PRIu64 " bytes of JSON imported in %.3f s\n", ctl->operands[0], input->bytes,
               (double)taken_ns / 1e9);
    }
    return 0;
}

int hd_cmd_import(struct hd_ctl *ctl)
{
    struct hd_path path;
    struct input input;
    struct hd_builder builder;
    uint64_t begin_ns = now_ns();
    int error = hd_path_parse(ctl->operands[0], &path, &ctl->problem);
    if (error)
        return error;
    error = open_input(ctl, &input);
    if (!error) {
        error = hd_builder_init(&builder, ctl->connection) ? hd_problem_no_memory(&ctl->problem)
                                                           : import_document(ctl, &input, &builder, &path);
        hd_builder_fini(&builder);
        end_progress(&input);
        close_input(&input);
    }
    hd_path_fini(&path);
    return error ? error : report(ctl, &input, now_ns() - begin_ns);
}
