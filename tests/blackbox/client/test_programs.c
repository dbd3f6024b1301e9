/* The example programs and heapd-bench, run as a user would, against the real daemon. */
#include <heapd/heapd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "test.h"

static struct bb_daemon bb;
static char address[128];

static int start(void **state)
{
    (void)state;
    bb_daemon_start(&bb, NULL);
    (void)snprintf(address, sizeof address, "unix:%s", bb.path);
    return setenv("HEAPD_ADDRESS", address, 1);
}

static int stop(void **state)
{
    (void)state;
    bb_daemon_stop(&bb);
    return 0;
}

extern char **environ;

/* Starts a program with its output in a pipe. */
static pid_t launch(const char *name, const char *const *arguments, int *output)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", HEAPD_PROGRAMS, name);
    const char *argv[16] = {path};
    for (int i = 0; arguments && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, path, &actions, NULL, (char **)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *output = ends[0];
    return pid;
}

/* Everything that it prints, and 0 as its exit status. */
static void run(const char *name, const char *const *arguments, char *out, size_t room)
{
    int output;
    pid_t pid = launch(name, arguments, &output);
    size_t have = 0;
    ssize_t count;
    while (have < room - 1 && (count = read(output, out + have, room - 1 - have)) > 0)
        have += (size_t)count;
    out[have] = '\0';
    close(output);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s ended with status %d and printed: %s", name, status, out);
}

static void the_examples_do_what_they_say(void **state)
{
    (void)state;
    static char out[8192];
    run("example_share_dict", NULL, out, sizeof out);
    assert_non_null(strstr(out, "4 processes voted 1000 times each: 4000 votes"));
    run("example_work_list", NULL, out, sizeof out);
    assert_non_null(strstr(out, "3 workers did 300 jobs; the squares add up to 9045050"));
    run("example_document", NULL, out, sizeof out);
    assert_non_null(strstr(out, "\"Antony Hosking\""));
    run("example_pipeline", NULL, out, sizeof out);
    assert_non_null(strstr(out, "a list of 3 elements was made, bound and released in one write"));
    assert_non_null(strstr(out, "the append was not run"));
    run("example_event_loop", NULL, out, sizeof out);
    assert_non_null(strstr(out, "the name was bound to \"news\""));
    static const char *const cycles[] = {"500", NULL};
    run("example_cycles", cycles, out, sizeof out);
    assert_non_null(strstr(out, "counting alone does not free a cycle"));
}

static uint64_t live_objects(struct heapd_connection *heap)
{
    struct heapd_result stats;
    assert_int_equal(heapd_stats(heap, &stats, NULL), 0);
    uint64_t count = heapd_result_stat(&stats, "objects_live_count", 0);
    heapd_result_clear(&stats);
    return count;
}

static void a_killed_holder_lets_go(void **state)
{
    (void)state;
    struct heapd_connection *heap;
    assert_int_equal(heapd_connect(NULL, NULL, &heap, NULL), 0);
    uint64_t before = live_objects(heap);
    static const char *const arguments[] = {"10000", NULL};
    int output;
    pid_t pid = launch("example_holder", arguments, &output);
    char line[64] = "";
    assert_true(read(output, line, sizeof line - 1) > 0);
    assert_string_equal(line, "holding 10000\n");
    assert_true(live_objects(heap) >= before + 10000);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(output);
    /* Text that it shared with others may stay, interned. */
    BB_AWAIT(live_objects(heap) < before + 100);
    heapd_close(heap);
}

static void check_bench(const char *const *arguments, const char *const *wanted)
{
    static char out[65536];
    run("heapd-bench", arguments, out, sizeof out);
    for (; *wanted; wanted++)
        if (!strstr(out, *wanted))
            fail_msg("no %s in %s", *wanted, out);
    const char *failures = out;
    while ((failures = strstr(failures, "\"failures\": "))) {
        failures += strlen("\"failures\": ");
        if (*failures != '0')
            fail_msg("%s", out);
    }
}

static void the_benchmark_measures(void **state)
{
    (void)state;
    static const char *const arguments[] = {"-tall", "-d0.05", "-c3", "-P4", "-r1000", "--json", NULL};
    static const char *const wanted[] = {"\"operation\": \"ping\"", "\"operation\": \"create\"",
                                         "\"server_cpu_ns_per_op\": ", "\"p999\": ", NULL};
    check_bench(arguments, wanted);
}

/* All that it does over sockets: batches larger than the ring, several clients, a rate, a mix. */
static void the_benchmark_measures_over_rings(void **state)
{
    (void)state;
    static const char *const all[] = {"--ring", "-tall", "-d0.05", "-c3", "-P4", "-r1000", "--json", NULL};
    static const char *const large[] = {"--ring", "-tset_item", "-d0.1",  "-c1", "-P2000",
                                        "-s300",  "-r1000",     "--json", NULL};
    static const char *const rate[] = {
        "--ring", "-mget_item=3,create=1", "-d0.1", "-c2", "-P16", "--rate=5000", "-r1000", "--idle=3", "--json", NULL};
    static const char *const of_all[] = {"\"ring\": true", "\"operation\": \"create\"", NULL};
    static const char *const of_large[] = {"\"operation\": \"set_item\"", NULL};
    static const char *const of_rate[] = {"\"rate\": 5000", "\"p999\": ", NULL};
    check_bench(all, of_all);
    check_bench(large, of_large);
    check_bench(rate, of_rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_do_what_they_say),
        cmocka_unit_test(a_killed_holder_lets_go),
        cmocka_unit_test(the_benchmark_measures),
        cmocka_unit_test(the_benchmark_measures_over_rings),
    };
    return cmocka_run_group_tests_name("programs", tests, start, stop);
}
