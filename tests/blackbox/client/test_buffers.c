/* Buffers against the real daemon: over the socket, beside a ring, over TCP; and what goes wrong with them. */
#include <dirent.h>
#include <fcntl.h>
#include <heapd/heapd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/method.h"
#include "fixture.h"
#include "heapd/v1/buffer.pb-c.h"
#include "test.h"

#define MIB ((uint64_t)1 << 20)

static struct bb_daemon bb;
static char tcp_address[64];

static int start(void **state)
{
    (void)state;
    static char config[64] = "/tmp/heapd-buffers-XXXXXX";
    static const char text[] = "max_unsealed = 64M\nmemory_limit = 256M\n";
    int fd = mkstemp(config);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    static const char *given[] = {"--config", config, "--listen", "tcp:127.0.0.1:0", NULL};
    bb_daemon_start(&bb, given);
    unlink(config);
    bb_daemon_address(&bb, "tcp:127.0.0.1:", tcp_address, sizeof tcp_address);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bb_daemon_stop(&bb);
    return 0;
}

enum way { SOCKET, RING, TCP };

static struct heapd_connection *join(enum way way)
{
    struct heapd_connection *heap = NULL;
    struct heapd_error error;
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    char address[128];
    (void)snprintf(address, sizeof address, "unix:%s", bb.path);
    options.ring = way == RING ? HEAPD_RING_ALWAYS : HEAPD_RING_NEVER;
    if (heapd_connect(way == TCP ? tcp_address : address, &options, &heap, &error))
        fail_msg("%s", error.message);
    assert_true(heapd_uses_ring(heap) == (way == RING));
    return heap;
}

#define DO(call) \
    do { \
        int do_code = (call); \
        if (do_code) \
            fail_msg("%s: %d, %s", #call, do_code, error.message); \
    } while (0)

#define FAILS(code, call) \
    do { \
        int fails_code = (call); \
        if (fails_code != (code)) \
            fail_msg("%s: %d, %s", #call, fails_code, error.message); \
    } while (0)

/* ---- counting ---- */

static unsigned descriptors_of(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    unsigned count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Mappings of shared memory. */
static unsigned mappings_of(pid_t pid)
{
    char path[64];
    char line[512];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, "memfd:heapd") != NULL;
    (void)fclose(file);
    return count;
}

static uint64_t stat_of(struct heapd_connection *heap, const char *name)
{
    struct heapd_result stats;
    struct heapd_error error;
    DO(heapd_stats(heap, &stats, &error));
    uint64_t value = heapd_result_stat(&stats, name, UINT64_MAX);
    heapd_result_clear(&stats);
    assert_true(value != UINT64_MAX);
    return value;
}

/* A helper's thread closes, and slices take the dead apart: waits until the daemon is as it was. */
#define EVENTUALLY(condition) \
    do { \
        unsigned tries = 0; \
        while (!(condition)) { \
            if (++tries > 5000) \
                fail_msg("waited in vain for: %s", #condition); \
            usleep(1000); \
        } \
    } while (0)

/* ---- what is meant ---- */

static void fill(uint8_t *to, uint64_t bytes, uint8_t salt)
{
    for (uint64_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(i * 7 + (i >> 12) + salt);
}

static void expect_bytes(const struct heapd_buffer *buffer, uint64_t bytes, uint8_t salt)
{
    uint8_t *wanted = malloc(bytes);
    fill(wanted, bytes, salt);
    assert_int_equal(heapd_buffer_bytes(buffer), bytes);
    assert_memory_equal(heapd_buffer_data(buffer), wanted, bytes);
    free(wanted);
}

static void one_writes_and_another_reads(enum way writes, enum way reads)
{
    struct heapd_connection *writer = join(writes), *reader = join(reads);
    struct heapd_error error;
    struct heapd_buffer_writer *w;
    struct heapd_buffer *b;
    struct heapd_value value;
    heapd_handle handle;
    const uint64_t bytes = MIB + 12345;
    DO(heapd_buffer_create(writer, bytes, &w, &error));
    fill(heapd_buffer_writer_data(w), bytes, 3);
    DO(heapd_buffer_seal(w, &handle, &error));
    DO(heapd_bind(writer, HEAPD_GLOBAL, heapd_text("buffer"), heapd_ref(handle), &error));
    (void)heapd_release(writer, handle);
    heapd_close(writer);

    DO(heapd_lookup(reader, HEAPD_GLOBAL, heapd_text("buffer"), HEAPD_OBJECT, 0, &value, &error));
    assert_int_equal(value.type, HEAPD_TYPE_BUFFER);
    struct heapd_buffer_info info;
    DO(heapd_buffer_look(reader, value.as.ref, &info, &error));
    assert_true(info.sealed && info.bytes == bytes);
    DO(heapd_buffer_get(reader, value.as.ref, &b, &error));
    expect_bytes(b, bytes, 3);
    uint64_t length;
    DO(heapd_length(reader, value.as.ref, &length, &error));
    assert_int_equal(length, bytes);
    /* What is mapped stays, whatever becomes of the object. */
    DO(heapd_unbind(reader, HEAPD_GLOBAL, heapd_text("buffer"), &error));
    (void)heapd_release(reader, value.as.ref);
    heapd_close(reader);
    expect_bytes(b, bytes, 3);
    heapd_buffer_release(b);
}

static void bytes_arrive_whatever_the_way(void **state)
{
    (void)state;
    for (int writes = SOCKET; writes <= TCP; writes++)
        for (int reads = SOCKET; reads <= TCP; reads++)
            one_writes_and_another_reads((enum way)writes, (enum way)reads);
    struct heapd_connection *heap = join(SOCKET);
    EVENTUALLY(stat_of(heap, "buffers_count") == 0);
    heapd_close(heap);
}

static void put_and_parts(void **state)
{
    (void)state;
    struct heapd_error error;
    const uint64_t sizes[] = {1, 7, 4096, 4097, 256 * 1024, 3 * MIB + 1};
    for (int way = SOCKET; way <= TCP; way++) {
        struct heapd_connection *heap = join((enum way)way);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            uint8_t *bytes = malloc(sizes[i]);
            heapd_handle handle;
            struct heapd_buffer *b;
            struct heapd_result part;
            fill(bytes, sizes[i], (uint8_t)i);
            DO(heapd_buffer_put(heap, bytes, sizes[i], &handle, &error));
            DO(heapd_buffer_get(heap, handle, &b, &error));
            expect_bytes(b, sizes[i], (uint8_t)i);
            heapd_buffer_release(b);
            DO(heapd_read(heap, handle, sizes[i] / 2, 100, &part, &error));
            assert_int_equal(part.as.part.total_bytes, sizes[i]);
            assert_int_equal(part.as.part.type, HEAPD_TYPE_BUFFER);
            assert_memory_equal(part.as.part.data.data, bytes + sizes[i] / 2, part.as.part.data.size);
            heapd_result_clear(&part);
            (void)heapd_release(heap, handle);
            free(bytes);
        }
        heapd_close(heap);
    }
}

static void one_mapping_in_a_process(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *first = join(SOCKET), *second = join(RING), *third = join(SOCKET);
    unsigned before = mappings_of(getpid());
    heapd_handle handle;
    struct heapd_value value;
    struct heapd_buffer *got[4];
    DO(heapd_buffer_put(first, "abc", 3, &handle, &error));
    DO(heapd_bind(first, HEAPD_GLOBAL, heapd_text("one"), heapd_ref(handle), &error));
    DO(heapd_buffer_get(first, handle, &got[0], &error));
    DO(heapd_buffer_get(first, handle, &got[1], &error));
    DO(heapd_lookup(second, HEAPD_GLOBAL, heapd_text("one"), HEAPD_OBJECT, 0, &value, &error));
    DO(heapd_buffer_get(second, value.as.ref, &got[2], &error));
    DO(heapd_lookup(third, HEAPD_GLOBAL, heapd_text("one"), HEAPD_OBJECT, 0, &value, &error));
    DO(heapd_buffer_get(third, value.as.ref, &got[3], &error));
    assert_int_equal(mappings_of(getpid()), before + 1);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(heapd_buffer_data(got[i]), heapd_buffer_data(got[0]));
        if (i)
            heapd_buffer_release(got[i]);
    }
    assert_memory_equal(heapd_buffer_data(got[0]), "abc", 3);
    heapd_buffer_release(got[0]);
    assert_int_equal(mappings_of(getpid()), before);
    DO(heapd_unbind(first, HEAPD_GLOBAL, heapd_text("one"), &error));
    heapd_close(first);
    heapd_close(second);
    heapd_close(third);
}

/* By the handle that it was got by, the daemon need not be asked: here it could not answer. */
static void a_second_get_is_this_process_alone(void **state)
{
    (void)state;
    struct heapd_error error;
    for (int way = SOCKET; way <= TCP; way++) {
        struct heapd_connection *heap = join((enum way)way);
        struct heapd_buffer *first, *second, *third;
        struct heapd_value value;
        heapd_handle handle;
        DO(heapd_buffer_put(heap, "mapped once", 11, &handle, &error));
        DO(heapd_buffer_get(heap, handle, &first, &error));
        assert_int_equal(kill(bb.pid, SIGSTOP), 0);
        int code = heapd_buffer_get(heap, handle, &second, &error);
        assert_int_equal(kill(bb.pid, SIGCONT), 0);
        assert_int_equal(code, 0);
        assert_ptr_equal(first, second);
        /* By another handle it is found, too, and then by that one. */
        DO(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("again"), heapd_ref(handle), &error));
        DO(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text("again"), HEAPD_OBJECT, 0, &value, &error));
        DO(heapd_buffer_get(heap, value.as.ref, &third, &error));
        assert_ptr_equal(first, third);
        /* A handle that was given back names nothing, whatever is mapped. */
        (void)heapd_release(heap, value.as.ref);
        FAILS(HEAPD_EHANDLE_STALE, heapd_buffer_get(heap, value.as.ref, &third, &error));
        heapd_buffer_release(first);
        heapd_buffer_release(second);
        assert_memory_equal(heapd_buffer_data(third), "mapped once", 11);
        heapd_buffer_release(third);
        DO(heapd_buffer_get(heap, handle, &first, &error));
        heapd_buffer_release(first);
        DO(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text("again"), &error));
        heapd_close(heap);
    }
}

/* Made, sealed, bound and got by requests that nobody waits for one by one. */
static void without_waiting(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    struct heapd_error error;
    unsigned own = descriptors_of(getpid()), maps = mappings_of(getpid());
    for (int way = SOCKET; way <= TCP; way++) {
        struct heapd_connection *heap = join((enum way)way);
        heapd_ticket tickets[COUNT];
        heapd_handle handles[COUNT];
        struct heapd_result result;
        for (int i = 0; i < COUNT; i++)
            DO(heapd_begin_buffer_create(heap, 5000 + (uint64_t)i, &tickets[i], &error));
        for (int i = 0; i < COUNT; i++) {
            struct heapd_buffer_writer *w;
            DO(heapd_wait(heap, tickets[i], -1, &result, &error));
            DO(heapd_buffer_writer_take(heap, &result, &w, &error));
            heapd_result_clear(&result);
            DO(heapd_buffer_write(w, 4990, &i, sizeof i, &error));
            DO(heapd_begin_buffer_seal(w, &handles[i], &tickets[i], &error));
        }
        for (int i = 0; i < COUNT; i++) {
            DO(heapd_wait(heap, tickets[i], -1, &result, &error));
            assert_true(result.as.buffer.sealed);
            heapd_result_clear(&result);
            DO(heapd_begin_buffer_get(heap, handles[i], &tickets[i], &error));
        }
        for (int i = 0; i < COUNT; i++) {
            struct heapd_buffer *b;
            DO(heapd_wait(heap, tickets[i], -1, &result, &error));
            DO(heapd_buffer_take(heap, handles[i], &result, &b, &error));
            heapd_result_clear(&result);
            assert_int_equal(heapd_buffer_bytes(b), 5000 + i);
            assert_memory_equal((const uint8_t *)heapd_buffer_data(b) + 4990, &i, sizeof i);
            heapd_buffer_release(b);
        }
        /* What nobody fetches is closed. */
        DO(heapd_begin_buffer_get(heap, handles[0], &tickets[0], &error));
        DO(heapd_begin_buffer_get(heap, handles[1], &tickets[1], &error));
        DO(heapd_begin_buffer_look(heap, handles[2], &tickets[2], &error));
        DO(heapd_wait(heap, tickets[0], -1, &result, &error));
        FAILS(HEAPD_EINVALID, heapd_buffer_writer_take(heap, &result, &(struct heapd_buffer_writer *){NULL}, &error));
        heapd_result_clear(&result);
        heapd_forget(heap, tickets[1]);
        DO(heapd_wait(heap, tickets[2], -1, &result, &error));
        FAILS(HEAPD_EINVALID, heapd_buffer_writer_take(heap, &result, &(struct heapd_buffer_writer *){NULL}, &error));
        assert_int_equal(result.as.buffer.bytes, 5002);
        heapd_result_clear(&result);
        /* In a batch nothing can be waited for. */
        struct heapd_buffer_writer *w;
        struct heapd_buffer *b;
        DO(heapd_open_batch(heap, 0, &error));
        FAILS(HEAPD_EBATCH, heapd_buffer_create(heap, 100, &w, &error));
        FAILS(HEAPD_EBATCH, heapd_buffer_get(heap, handles[3], &b, &error));
        DO(heapd_discard_batch(heap, &error));
        heapd_close(heap);
        assert_int_equal(descriptors_of(getpid()), own);
        assert_int_equal(mappings_of(getpid()), maps);
    }
}

static void a_fresh_buffer_is_zero(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *heap = join(SOCKET);
    static const uint8_t zeros[65536];
    for (int i = 0; i < 4; i++) {
        struct heapd_buffer_writer *w;
        DO(heapd_buffer_create(heap, sizeof zeros, &w, &error));
        assert_memory_equal(heapd_buffer_writer_data(w), zeros, sizeof zeros);
        memset(heapd_buffer_writer_data(w), 0xee, sizeof zeros); /* which nobody is to see again */
        heapd_buffer_abandon(w);
    }
    heapd_close(heap);
}

/* ---- what goes wrong ---- */

/* The request by itself, of whatever handle. */
static int seal(struct heapd_connection *heap, heapd_handle handle, struct heapd_error *error)
{
    Heapd__V1__SealBufferRequest message = HEAPD__V1__SEAL_BUFFER_REQUEST__INIT;
    struct heapd_result result = {0};
    message.object = handle;
    int code = hd_sync(heap, HEAPD_METHOD_SEAL_BUFFER, &message.base, 0, &result, error);
    heapd_result_clear(&result);
    return code;
}

static int write_part(struct heapd_connection *heap, heapd_handle handle, uint64_t offset, size_t size,
                      struct heapd_error *error)
{
    static uint8_t bytes[512 * 1024];
    Heapd__V1__WriteBufferRequest message = HEAPD__V1__WRITE_BUFFER_REQUEST__INIT;
    struct heapd_result result = {0};
    message.object = handle;
    message.offset = offset;
    message.data = (ProtobufCBinaryData){size, bytes};
    int code = hd_sync(heap, HEAPD_METHOD_WRITE_BUFFER, &message.base, 0, &result, error);
    heapd_result_clear(&result);
    return code;
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *heap = join(RING);
    struct heapd_buffer_writer *w, *second;
    FAILS(HEAPD_EINVALID, heapd_buffer_create(heap, 0, &w, &error));
    FAILS(HEAPD_ELIMIT, heapd_buffer_create(heap, 65 * MIB, &w, &error)); /* max_unsealed */
    FAILS(HEAPD_ELIMIT, heapd_buffer_create(heap, UINT64_MAX, &w, &error));
    DO(heapd_buffer_create(heap, 60 * MIB, &w, &error));
    FAILS(HEAPD_ELIMIT, heapd_buffer_create(heap, 5 * MIB, &second, &error));
    /* Sealed, it is the heap's: 256 MiB for all. */
    heapd_handle handles[8];
    DO(heapd_buffer_seal(w, &handles[0], &error));
    int count = 1;
    for (; count < 8; count++) {
        int code = heapd_buffer_create(heap, 60 * MIB, &w, &error);
        if (code) {
            assert_int_equal(code, HEAPD_ENOMEM);
            break;
        }
        DO(heapd_buffer_seal(w, &handles[count], &error));
    }
    assert_in_range(count, 3, 4);
    assert_true(stat_of(heap, "memory_used_bytes") <= 256 * MIB);
    (void)heapd_release(heap, handles[0]);
    DO(heapd_buffer_create(heap, 60 * MIB, &w, &error)); /* and what is released can be had again */
    heapd_buffer_abandon(w);
    heapd_close(heap);
}

static void parts_are_checked(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *heap = join(TCP);
    struct heapd_buffer_writer *w;
    struct heapd_result part;
    heapd_handle handle;
    DO(heapd_buffer_create(heap, 1000, &w, &error));
    FAILS(HEAPD_EINDEX, heapd_buffer_write(w, 999, "xy", 2, &error));
    FAILS(HEAPD_EINDEX, heapd_buffer_write(w, UINT64_MAX, "xy", 2, &error));
    DO(heapd_buffer_write(w, 998, "xy", 2, &error));
    DO(heapd_buffer_write(w, 1000, "", 0, &error));
    handle = heapd_buffer_writer_handle(w);
    FAILS(HEAPD_EINDEX, write_part(heap, handle, 1001, 0, &error));
    FAILS(HEAPD_EINDEX, write_part(heap, handle, 1, 1000, &error));
    FAILS(HEAPD_EINDEX, write_part(heap, handle, UINT64_MAX, 1, &error));
    FAILS(HEAPD_ETOO_LARGE, write_part(heap, handle, 0, 256 * 1024 + 1, &error));
    DO(heapd_buffer_seal(w, &handle, &error));
    FAILS(HEAPD_EINDEX, heapd_read(heap, handle, 1001, 1, &part, &error));
    DO(heapd_read(heap, handle, 990, 100, &part, &error));
    assert_int_equal(part.as.part.data.size, 10);
    assert_memory_equal(part.as.part.data.data + 8, "xy", 2);
    heapd_result_clear(&part);
    FAILS(HEAPD_ESEALED, seal(heap, handle, &error)); /* twice */
    FAILS(HEAPD_ESEALED, write_part(heap, handle, 0, 1, &error));
    heapd_close(heap);
}

static void others_wait_until_it_is_sealed(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *heap = join(SOCKET), *other = join(RING);
    struct heapd_buffer_writer *w;
    struct heapd_buffer *b;
    struct heapd_value value;
    struct heapd_result part;
    heapd_handle list;
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("waits"), heapd_ref(list), &error));
    DO(heapd_buffer_create(heap, 100, &w, &error));
    DO(heapd_append(heap, list, heapd_ref(heapd_buffer_writer_handle(w)), &error));
    DO(heapd_resolve(other, 0, HEAPD_GLOBAL, heapd_text("waits"), &(struct heapd_path_step){.item = heapd_int(0)}, 1,
                     HEAPD_OBJECT, &value, &error));
    FAILS(HEAPD_ENOT_SEALED, heapd_buffer_get(other, value.as.ref, &b, &error));
    FAILS(HEAPD_ENOT_SEALED, heapd_read(other, value.as.ref, 0, 10, &part, &error));
    FAILS(HEAPD_EINVALID, seal(other, value.as.ref, &error)); /* it is not its own */
    FAILS(HEAPD_ETYPE, heapd_buffer_get(heap, list, &b, &error));
    FAILS(HEAPD_ETYPE, seal(heap, list, &error));
    /* The writer dies: the bytes are gone, and whoever has it is told so. */
    heapd_buffer_abandon(w);
    heapd_close(heap);
    EVENTUALLY(stat_of(other, "buffers_count") == 0);
    assert_true(stat_of(other, "buffers_abandoned_ever_count") > 0);
    FAILS(HEAPD_ENOT_SEALED, heapd_buffer_get(other, value.as.ref, &b, &error));
    assert_non_null(strstr(error.message, "ended without sealing"));
    FAILS(HEAPD_ENOT_SEALED, seal(other, value.as.ref, &error));
    DO(heapd_unbind(other, HEAPD_GLOBAL, heapd_text("waits"), &error));
    heapd_close(other);
}

/* A client that keeps its mapping, and the descriptor, and tries everything afterwards. */
static void nobody_writes_after_sealing(void **state)
{
    (void)state;
    struct heapd_error error;
    struct heapd_connection *heap = join(SOCKET);
    struct heapd_buffer_writer *w;
    struct heapd_buffer *b;
    heapd_handle handle;
    DO(heapd_buffer_create(heap, 8192, &w, &error));
    strcpy(heapd_buffer_writer_data(w), "honest");
    int fd = dup(heapd_buffer_writer_fd(w));
    assert_true(fd >= 0);
    char *kept = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(kept != MAP_FAILED);
    FAILS(HEAPD_EMAPPED, heapd_buffer_seal(w, &handle, &error));
    strcpy(kept + 100, "still");
    munmap(kept, 8192);
    assert_true(ftruncate(fd, 0) < 0 && ftruncate(fd, 100000) < 0); /* nobody gets a SIGBUS */
    DO(heapd_buffer_seal(w, &handle, &error));
    assert_true(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    assert_true(pwrite(fd, "x", 1, 0) < 0);
    assert_true(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0);
    DO(heapd_buffer_get(heap, handle, &b, &error));
    assert_string_equal(heapd_buffer_data(b), "honest");
    assert_string_equal((const char *)heapd_buffer_data(b) + 100, "still");
    assert_true(mprotect((void *)(uintptr_t)heapd_buffer_data(b), 4096, PROT_READ | PROT_WRITE) < 0);
    heapd_buffer_release(b);
    close(fd);
    heapd_close(heap);
}

static void a_writer_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    struct heapd_connection *heap = join(SOCKET);
    uint64_t before = stat_of(heap, "buffers_bytes");
    unsigned descriptors = descriptors_of(bb.pid);
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct heapd_error error;
        struct heapd_connection *own = join(RING);
        struct heapd_buffer_writer *w;
        heapd_handle handle;
        for (int i = 0; i < 5; i++)
            if (heapd_buffer_create(own, MIB, &w, &error) || !memset(heapd_buffer_writer_data(w), 1, MIB))
                _exit(1);
        if (heapd_buffer_put(own, "sealed, and held by this session alone", 38, &handle, &error))
            _exit(1);
        (void)!write(told[1], "x", 1);
        pause();
    }
    char byte;
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(stat_of(heap, "buffers_count"), 6);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    EVENTUALLY(stat_of(heap, "buffers_bytes") == before);
    EVENTUALLY(descriptors_of(bb.pid) <= descriptors);
    EVENTUALLY(mappings_of(bb.pid) == 0);
    close(told[0]);
    close(told[1]);
    heapd_close(heap);
}

static void many_buffers_leave_nothing(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static heapd_handle handles[COUNT];
    struct heapd_error error;
    for (int way = SOCKET; way <= RING; way++) {
        struct heapd_connection *heap = join((enum way)way);
        unsigned own = descriptors_of(getpid()), maps = mappings_of(getpid());
        for (int i = 0; i < COUNT; i++) {
            DO(heapd_buffer_put(heap, &i, sizeof i, &handles[i], &error));
        }
        assert_true(descriptors_of(bb.pid) > COUNT);
        for (int i = 0; i < COUNT; i += 100) {
            struct heapd_buffer *b;
            DO(heapd_buffer_get(heap, handles[i], &b, &error));
            assert_memory_equal(heapd_buffer_data(b), &i, sizeof i);
            heapd_buffer_release(b);
        }
        for (int i = 0; i < COUNT; i++)
            (void)heapd_release(heap, handles[i]);
        EVENTUALLY(stat_of(heap, "buffers_count") == 0);
        EVENTUALLY(descriptors_of(bb.pid) < 100);
        assert_int_equal(descriptors_of(getpid()), own);
        assert_int_equal(mappings_of(getpid()), maps);
        heapd_close(heap);
    }
}

/* This process has no descriptor to take one by: that call fails, and the next ones work. */
static void a_client_without_descriptors_is_told(void **state)
{
    (void)state;
    struct heapd_error error;
    for (int way = SOCKET; way <= RING; way++) {
        struct heapd_connection *heap = join((enum way)way);
        struct heapd_buffer_writer *w;
        struct rlimit before, none;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        int code = heapd_buffer_create(heap, 100, &w, &error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(code, HEAPD_EDESCRIPTORS);
        DO(heapd_buffer_create(heap, 100, &w, &error));
        assert_non_null(heapd_buffer_writer_data(w));
        heapd_buffer_abandon(w);
        heapd_close(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_whatever_the_way),
        cmocka_unit_test(put_and_parts),
        cmocka_unit_test(one_mapping_in_a_process),
        cmocka_unit_test(a_second_get_is_this_process_alone),
        cmocka_unit_test(without_waiting),
        cmocka_unit_test(a_fresh_buffer_is_zero),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(parts_are_checked),
        cmocka_unit_test(others_wait_until_it_is_sealed),
        cmocka_unit_test(nobody_writes_after_sealing),
        cmocka_unit_test(a_writer_that_is_killed_leaves_nothing),
        cmocka_unit_test(many_buffers_leave_nothing),
        cmocka_unit_test(a_client_without_descriptors_is_told),
    };
    return cmocka_run_group_tests_name("buffers", tests, start, stop);
}
