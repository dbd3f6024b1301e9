/*
 * The main of a fuzz target that is built without libFuzzer: runs the files and
 * the directories of files that it is given, and random variants of them.
 *
 *     fuzz_NAME [--mutations N] [--seed S] PATH...
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fuzz.h"

#define MAX_BYTES ((size_t)1 << 20)

struct replay {
    uint64_t random;
    unsigned long mutations;
    unsigned long files;
    unsigned long runs;
    const char *crash_path; /* where a variant is put before it runs, so that a crash can be repeated */
};

static uint64_t next_random(struct replay *replay)
{
    uint64_t z = (replay->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(struct replay *replay, size_t limit)
{
    return (size_t)(next_random(replay) % limit);
}

/* Copies into memory of just this size, so that a sanitizer sees a read past the end. */
static void run(struct replay *replay, const uint8_t *bytes, size_t count)
{
    uint8_t *exact = malloc(count ? count : 1);
    FUZZ_CHECK(exact);
    if (count)
        memcpy(exact, bytes, count);
    LLVMFuzzerTestOneInput(exact, count);
    free(exact);
    replay->runs++;
}

/* One small change of the kinds that find most: a bit, a byte, an edge value, a cut, a repetition. */
static size_t mutate_once(struct replay *replay, uint8_t *bytes, size_t count)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    if (count == 0) {
        bytes[0] = (uint8_t)next_random(replay);
        return 1;
    }
    size_t at = below(replay, count);
    size_t span = 1 + below(replay, count - at);
    switch (below(replay, 6)) {
    case 0:
        bytes[at] = (uint8_t)(bytes[at] ^ 1u << below(replay, 8));
        return count;
    case 1:
        bytes[at] = (uint8_t)next_random(replay);
        return count;
    case 2:
        memset(bytes + at, edges[below(replay, sizeof edges)], span < 10 ? span : 10);
        return count;
    case 3:
        return at;
    case 4:
        memmove(bytes + at, bytes + at + span, count - at - span);
        return count - span;
    default:
        if (count + span > MAX_BYTES)
            return count;
        memmove(bytes + at + span, bytes + at, count - at);
        return count + span;
    }
}

static void keep(const struct replay *replay, const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(replay->crash_path, "wb");
    if (!file)
        return;
    fwrite(bytes, 1, count, file);
    fclose(file);
}

static void run_with_variants(struct replay *replay, const uint8_t *original, size_t count)
{
    static uint8_t variant[MAX_BYTES];
    run(replay, original, count);
    for (unsigned long i = 0; i < replay->mutations; i++) {
        size_t size = count;
        memcpy(variant, original, count);
        for (size_t steps = 1 + below(replay, 4); steps > 0; steps--)
            size = mutate_once(replay, variant, size);
        if (replay->crash_path)
            keep(replay, variant, size);
        run(replay, variant, size);
    }
}

static bool run_file(struct replay *replay, const char *path)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t count = fread(bytes, 1, sizeof bytes, file);
    bool complete = !ferror(file) && fgetc(file) == EOF;
    fclose(file);
    if (!complete) {
        fprintf(stderr, "%s: cannot be read, or has more than %zu bytes\n", path, MAX_BYTES);
        return false;
    }
    replay->files++;
    run_with_variants(replay, bytes, count);
    return true;
}

static bool run_directory(struct replay *replay, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = true;
    for (int i = 0; i < count; i++) {
        char name[4096];
        if (entries[i]->d_name[0] != '.') {
            int length = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
            good = length > 0 && (size_t)length < sizeof name && run_file(replay, name) && good;
        }
        free(entries[i]);
    }
    free(entries);
    return good;
}

int main(int argc, char **argv)
{
    struct replay replay = {.random = (uint64_t)time(NULL), .crash_path = getenv("HEAPD_FUZZ_KEEP")};
    bool good = true;
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "--mutations") == 0)
            replay.mutations = strtoul(argv[at + 1], NULL, 0);
        else if (strcmp(argv[at], "--seed") == 0)
            replay.random = strtoull(argv[at + 1], NULL, 0);
        else
            break;
    }
    if (at >= argc || argv[at][0] == '-') {
        fprintf(stderr, "usage: %s [--mutations N] [--seed S] PATH...\n", argv[0]);
        return 2;
    }
    printf("--mutations %lu --seed %llu\n", replay.mutations, (unsigned long long)replay.random);
    fflush(stdout);
    for (; at < argc; at++) {
        struct stat info;
        bool is_directory = stat(argv[at], &info) == 0 && S_ISDIR(info.st_mode);
        good = (is_directory ? run_directory(&replay, argv[at]) : run_file(&replay, argv[at])) && good;
    }
    printf("%lu files, %lu runs\n", replay.files, replay.runs);
    if (replay.files == 0)
        fprintf(stderr, "no file to replay\n");
    return good && replay.files > 0 ? 0 : 1;
}
