/*
 * Large values through libheapd's buffers, and as strings through redis-server on the same machine.
 *
 *     buffer_bench -a HEAPD_ADDRESS [-r REDIS_SOCKET] [-n BYTES] [-i ROUNDS]
 *
 * For each side the best and the median of the rounds: put (SET), get with every byte read (GET), and of heapd the
 * second get in the same process.
 */
#include <getopt.h>
#include <heapd/heapd.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 1000

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void report(const char *what, uint64_t *times, unsigned count, uint64_t bytes)
{
    qsort(times, count, sizeof *times, compare);
    uint64_t best = times[0], median = times[count / 2];
    (void)printf("%-24s best %10.1f us %7.2f GiB/s   median %10.1f us %7.2f GiB/s\n", what, (double)best / 1e3,
                 (double)bytes / (double)best * 1e9 / (1 << 30), (double)median / 1e3,
                 (double)bytes / (double)median * 1e9 / (1 << 30));
}

/* Every byte, as words. */
static uint64_t sum(const void *data, uint64_t bytes)
{
    const uint64_t *words = data;
    uint64_t sums[4] = {0};
    for (uint64_t i = 0; i + 4 <= bytes / 8; i += 4)
        for (int j = 0; j < 4; j++)
            sums[j] += words[i + (uint64_t)j];
    return sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
}

static void must(int code, const struct heapd_error *error)
{
    if (!code)
        return;
    (void)fprintf(stderr, "buffer_bench: %s\n", error->message);
    exit(1);
}

static void measure_heapd(const char *address, const uint8_t *data, uint64_t bytes, unsigned rounds, uint64_t wanted)
{
    static uint64_t put[ROUNDS_MAX], write_in_place[ROUNDS_MAX], get[ROUNDS_MAX], again[ROUNDS_MAX];
    struct heapd_connection *heap;
    struct heapd_error error;
    must(heapd_connect(address, NULL, &heap, &error), &error);
    for (unsigned i = 0; i < rounds; i++) {
        heapd_handle handle, other;
        struct heapd_buffer *buffer, *same;
        struct heapd_buffer_writer *writer;
        uint64_t begin = now_ns();
        must(heapd_buffer_put(heap, data, bytes, &handle, &error), &error);
        put[i] = now_ns() - begin;
        begin = now_ns();
        must(heapd_buffer_create(heap, bytes, &writer, &error), &error);
        memcpy(heapd_buffer_writer_data(writer), data, bytes);
        must(heapd_buffer_seal(writer, &other, &error), &error);
        write_in_place[i] = now_ns() - begin;
        begin = now_ns();
        must(heapd_buffer_get(heap, handle, &buffer, &error), &error);
        if (sum(heapd_buffer_data(buffer), bytes) != wanted)
            (void)fprintf(stderr, "buffer_bench: other bytes came\n");
        get[i] = now_ns() - begin;
        begin = now_ns();
        must(heapd_buffer_get(heap, handle, &same, &error), &error);
        again[i] = now_ns() - begin;
        heapd_buffer_release(same);
        heapd_buffer_release(buffer);
        (void)heapd_release(heap, handle);
        (void)heapd_release(heap, other);
        must(heapd_ping(heap, &error), &error);
    }
    report("heapd put", put, rounds, bytes);
    report("heapd write in place", write_in_place, rounds, bytes);
    report("heapd get and read", get, rounds, bytes);
    report("heapd get again", again, rounds, bytes);
    heapd_close(heap);
}

static void send_all(int fd, const void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t sent = send(fd, (const uint8_t *)bytes + done, count - done, 0);
        if (sent <= 0)
            exit(1);
        done += (size_t)sent;
    }
}

static void receive_until(int fd, uint8_t *to, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t got = recv(fd, to + done, count - done, 0);
        if (got <= 0)
            exit(1);
        done += (size_t)got;
    }
}

static void measure_redis(const char *path, const uint8_t *data, uint64_t bytes, unsigned rounds, uint64_t wanted)
{
    static uint64_t put[ROUNDS_MAX], get[ROUNDS_MAX];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("buffer_bench: redis");
        exit(1);
    }
    char head[96];
    int head_bytes = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$%" PRIu64 "\r\n", bytes);
    static const char get_text[] = "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n";
    char reply[64];
    int reply_bytes = snprintf(reply, sizeof reply, "$%" PRIu64 "\r\n", bytes);
    uint8_t *to = aligned_alloc(64, (bytes + 4096) / 64 * 64);
    memset(to, 1, bytes);
    for (unsigned i = 0; i < rounds; i++) {
        uint8_t scrap[64];
        uint64_t begin = now_ns();
        send_all(fd, head, (size_t)head_bytes);
        send_all(fd, data, bytes);
        send_all(fd, "\r\n", 2);
        receive_until(fd, scrap, 5);
        put[i] = now_ns() - begin;
        begin = now_ns();
        send_all(fd, get_text, sizeof get_text - 1);
        receive_until(fd, scrap, (size_t)reply_bytes);
        receive_until(fd, to, bytes);
        receive_until(fd, scrap, 2);
        if (sum(to, bytes) != wanted)
            (void)fprintf(stderr, "buffer_bench: redis sent other bytes\n");
        get[i] = now_ns() - begin;
    }
    report("redis SET", put, rounds, bytes);
    report("redis GET and read", get, rounds, bytes);
    free(to);
    close(fd);
}

int main(int count, char **arguments)
{
    const char *address = NULL, *redis = NULL;
    uint64_t bytes = (uint64_t)64 << 20;
    unsigned rounds = 10;
    int option;
    while ((option = getopt(count, arguments, "a:r:n:i:")) != -1) {
        switch (option) {
        case 'a':
            address = optarg;
            break;
        case 'r':
            redis = optarg;
            break;
        case 'n':
            bytes = strtoull(optarg, NULL, 10);
            break;
        case 'i':
            rounds = (unsigned)atoi(optarg);
            break;
        default:
            return 2;
        }
    }
    if (rounds == 0 || rounds > ROUNDS_MAX || bytes < 64)
        return 2;
    uint8_t *data = aligned_alloc(64, (bytes + 4096) / 64 * 64);
    for (uint64_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    uint64_t wanted = sum(data, bytes);
    measure_heapd(address, data, bytes, rounds, wanted);
    if (redis)
        measure_redis(redis, data, bytes, rounds, wanted);
    free(data);
    return 0;
}
