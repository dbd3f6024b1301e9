/* An object, and all that it reaches, as a JSON document in a file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/export.h"
#include "client/heapctl/target.h"

#define ATTEMPTS 5
#define STREAM_BUFFER_BYTES (256u << 10)

/*
 * A file that appears, whole, under its name only in the end: it is written
 * under another name beside it. What is no regular file (a pipe, a device) is
 * written as it is.
 */
struct target_file {
    char *path;      /* own: where it goes in the end, links followed */
    char *temporary; /* own; NULL: written in place */
    FILE *stream;    /* own */
};

static int file_problem(struct hd_problem *problem, const char *path)
{
    return hd_problem_set(problem, HD_ESYSTEM, "%s: %s", path, strerror(errno));
}

static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Fills in what there is; the caller closes it in any case. */
static int open_file(struct target_file *file, const char *name, struct hd_problem *problem)
{
    struct stat status;
    bool exists = !stat(name, &status);
    *file = (struct target_file){.path = exists ? realpath(name, NULL) : strdup(name)};
    if (!file->path)
        return file_problem(problem, name);
    if (exists && !S_ISREG(status.st_mode)) {
        file->stream = fopen(file->path, "we");
        return file->stream ? 0 : file_problem(problem, name);
    }
    if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
        file->temporary = NULL;
        return hd_problem_no_memory(problem);
    }
    int fd = mkstemp(file->temporary);
    if (fd < 0) {
        free(file->temporary);
        file->temporary = NULL;
        return file_problem(problem, name);
    }
    file->stream = fdopen(fd, "w");
    if (!file->stream) {
        close(fd);
        return hd_problem_no_memory(problem);
    }
    if (fchmod(fd, exists ? status.st_mode & 07777 : usual_mode()))
        return file_problem(problem, name);
    return 0;
}

/* Empties a temporary file for another attempt. False: what was written cannot be taken back. */
static bool rewind_file(struct target_file *file)
{
    return file->temporary && !fseek(file->stream, 0, SEEK_SET) && !ftruncate(fileno(file->stream), 0);
}

static int finish_file(struct target_file *file, const char *name, struct hd_problem *problem)
{
    bool written = !fflush(file->stream) && !ferror(file->stream);
    if (written && file->temporary)
        written = !fsync(fileno(file->stream)) && !rename(file->temporary, file->path);
    if (!written)
        return file_problem(problem, name);
    free(file->temporary);
    file->temporary = NULL;
    return 0;
}

static void close_file(struct target_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->temporary)
        unlink(file->temporary);
    free(file->temporary);
    free(file->path);
}

static int write_document(struct hd_ctl *ctl, const struct hd_path *path, FILE *stream)
{
    const struct hd_document_options options = hd_ctl_document_options(ctl, 2);
    struct heapd_value value;
    int error = hd_target_get(ctl->connection, path, HEAPD_ANY, &value, &ctl->problem);
    if (error)
        return error;
    error = hd_export_write(ctl->connection, &value, &options, ctl->operands[0], stream, &ctl->problem);
    if (!error)
        putc('\n', stream);
    if (value.kind == HEAPD_VALUE_REF)
        heapd_release(ctl->connection, value.as.ref);
    heapd_value_clear(&value);
    return error;
}

static int export_to_stdout(struct hd_ctl *ctl, const struct hd_path *path)
{
    static char buffer[STREAM_BUFFER_BYTES];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    return write_document(ctl, path, stdout);
}

static int report(struct hd_ctl *ctl, const char *name, uint64_t bytes)
{
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        struct hd_json_writer json;
        int error = hd_ctl_json_begin(ctl, &json, false);
        if (error)
            return error;
        hd_ctl_json_string(&json, "path", ctl->operands[0]);
        hd_ctl_json_string(&json, "file", name);
        hd_ctl_json_uint(&json, "bytes", bytes);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        printf("%s: %" PRIu64 " bytes of JSON written to %s\n", ctl->operands[0], bytes, name);
    }
    return 0;
}

static int export_to_file(struct hd_ctl *ctl, const struct hd_path *path, const char *name)
{
    struct target_file file;
    int error = open_file(&file, name, &ctl->problem);
    if (!error)
        setvbuf(file.stream, NULL, _IOFBF, STREAM_BUFFER_BYTES);
    for (int attempt = 1; !error; attempt++) {
        error = write_document(ctl, path, file.stream);
        if (error != HD_ECHANGED || attempt == ATTEMPTS || !rewind_file(&file))
            break;
        error = 0;
    }
    off_t bytes = error ? 0 : ftello(file.stream);
    if (!error)
        error = finish_file(&file, name, &ctl->problem);
    close_file(&file);
    return error ? error : report(ctl, name, bytes > 0 ? (uint64_t)bytes : 0);
}

int hd_cmd_export(struct hd_ctl *ctl)
{
    struct hd_path path;
    int error = hd_path_parse(ctl->operands[0], &path, &ctl->problem);
    if (error)
        return error;
    if (ctl->operand_count < 2 || !strcmp(ctl->operands[1], "-"))
        error = export_to_stdout(ctl, &path);
    else
        error = export_to_file(ctl, &path, ctl->operands[1]);
    hd_path_fini(&path);
    return error;
}
