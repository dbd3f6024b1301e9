#include "client/bench/cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The scheduler's own account, in nanoseconds. */
static double from_schedstat(long pid, const char *thread)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%.20s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    unsigned long long run_ns = 0;
    int fields = fscanf(file, "%llu", &run_ns);
    (void)fclose(file);
    return fields == 1 ? (double)run_ns / 1e9 : -1;
}

/* In ticks, of which there are a hundred a second: for kernels without schedstat. */
static double from_stat(long pid)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t count = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[count] = '\0';
    /* The name may hold anything, so count the fields from its end. */
    const char *fields = strrchr(text, ')');
    unsigned long long user, system;
    if (!fields || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double hd_bench_cpu_of(long pid)
{
    if (pid <= 0)
        return -1;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    double sum = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder)) && sum >= 0) {
        if (entry->d_name[0] == '.')
            continue;
        double seconds = from_schedstat(pid, entry->d_name);
        sum = seconds < 0 ? -1 : sum + seconds;
    }
    (void)closedir(folder);
    return sum > 0 ? sum : from_stat(pid);
}

double hd_bench_cpu_own(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
