#include "client/lib/mapping.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define HD_MAPPING_BUCKETS 256

/* How one connection knows a mapping; at most one of a kind. */
struct alias {
    struct alias *chain;
    struct alias *next; /* of the mapping */
    struct heapd_buffer *buffer;
    uint64_t connection_number;
    uint64_t number;
    enum hd_mapping_key key;
};

struct heapd_buffer {
    struct heapd_buffer *chain; /* of files */
    struct alias *aliases;      /* own */
    void *data;                 /* own */
    uint64_t bytes;
    size_t references;
    dev_t device;
    ino_t inode;
    bool is_file;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct heapd_buffer *files[HD_MAPPING_BUCKETS];
static struct alias *aliases[HD_MAPPING_BUCKETS];
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* A child inherits mappings and table as they are; it must not inherit them locked. */
static void take_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void leave_lock(void)
{
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(take_lock, leave_lock, leave_lock);
}

static struct alias **alias_bucket(uint64_t connection_number, uint64_t number)
{
    /* Of a handle, slot and generation. */
    return &aliases[(connection_number * 31 + number + (number >> 32) * 7) % HD_MAPPING_BUCKETS];
}

static struct heapd_buffer **file_bucket(ino_t inode)
{
    return &files[(uint64_t)inode % HD_MAPPING_BUCKETS];
}

/* With the lock held. */
static void link_alias(struct alias *alias)
{
    struct alias **bucket = alias_bucket(alias->connection_number, alias->number);
    alias->chain = *bucket;
    *bucket = alias;
}

static void unlink_alias(const struct alias *alias)
{
    struct alias **link = alias_bucket(alias->connection_number, alias->number);
    while (*link != alias)
        link = &(*link)->chain;
    *link = alias->chain;
}

void hd_mapping_remember(struct heapd_buffer *buffer, uint64_t connection_number, enum hd_mapping_key key,
                         uint64_t number)
{
    pthread_mutex_lock(&lock);
    struct alias *alias = buffer->aliases;
    while (alias && (alias->connection_number != connection_number || alias->key != key))
        alias = alias->next;
    if (alias) {
        unlink_alias(alias);
    } else {
        alias = malloc(sizeof *alias);
        if (alias) {
            *alias = (struct alias){
                .next = buffer->aliases, .buffer = buffer, .connection_number = connection_number, .key = key};
            buffer->aliases = alias;
        }
    }
    if (alias) {
        alias->number = number;
        link_alias(alias);
    }
    pthread_mutex_unlock(&lock);
}

struct heapd_buffer *hd_mapping_find(uint64_t connection_number, enum hd_mapping_key key, uint64_t number)
{
    pthread_mutex_lock(&lock);
    struct alias *alias = *alias_bucket(connection_number, number);
    while (alias && (alias->connection_number != connection_number || alias->key != key || alias->number != number))
        alias = alias->chain;
    struct heapd_buffer *buffer = alias ? alias->buffer : NULL;
    if (buffer)
        buffer->references++;
    pthread_mutex_unlock(&lock);
    return buffer;
}

/* With the lock held. */
static struct heapd_buffer *find_file(const struct stat *file)
{
    struct heapd_buffer *buffer = *file_bucket(file->st_ino);
    while (buffer && (buffer->inode != file->st_ino || buffer->device != file->st_dev))
        buffer = buffer->chain;
    return buffer;
}

/* With the lock held. */
static int map_file(int fd, const struct stat *file, struct heapd_buffer **out)
{
    struct heapd_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return HD_ENOMEM;
    buffer->bytes = (uint64_t)file->st_size;
    buffer->data = mmap(NULL, (size_t)file->st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (buffer->data == MAP_FAILED) {
        free(buffer);
        return HD_ENOMEM;
    }
    buffer->device = file->st_dev;
    buffer->inode = file->st_ino;
    buffer->is_file = true;
    struct heapd_buffer **bucket = file_bucket(file->st_ino);
    buffer->chain = *bucket;
    *bucket = buffer;
    *out = buffer;
    return 0;
}

bool hd_mapping_is_safe(int fd, uint64_t bytes, int seals)
{
    struct stat file;
    int found = fcntl(fd, F_GET_SEALS);
    return found >= 0 && (found & seals) == seals && fstat(fd, &file) == 0 && (uint64_t)file.st_size == bytes;
}

int hd_mapping_of_file(int fd, uint64_t bytes, struct heapd_buffer **out)
{
    struct stat file;
    if (!hd_mapping_is_safe(fd, bytes, F_SEAL_SHRINK | F_SEAL_WRITE) || bytes == 0 || bytes > SIZE_MAX ||
        fstat(fd, &file) < 0)
        return HD_EPROTOCOL;
    pthread_once(&fork_once, watch_forks);
    pthread_mutex_lock(&lock);
    struct heapd_buffer *buffer = find_file(&file);
    int code = buffer ? 0 : map_file(fd, &file, &buffer);
    if (!code) {
        buffer->references++;
        *out = buffer;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

int hd_mapping_private(uint64_t bytes, struct heapd_buffer **out, void **data)
{
    if (bytes > SIZE_MAX)
        return HD_ENOMEM;
    pthread_once(&fork_once, watch_forks);
    struct heapd_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return HD_ENOMEM;
    buffer->data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer->data == MAP_FAILED) {
        free(buffer);
        return HD_ENOMEM;
    }
    buffer->bytes = bytes;
    buffer->references = 1;
    *data = buffer->data;
    *out = buffer;
    return 0;
}

void hd_mapping_protect(struct heapd_buffer *buffer)
{
    (void)mprotect(buffer->data, (size_t)buffer->bytes, PROT_READ);
}

static void forget(struct heapd_buffer *buffer)
{
    while (buffer->aliases) {
        struct alias *alias = buffer->aliases;
        unlink_alias(alias);
        buffer->aliases = alias->next;
        free(alias);
    }
    if (!buffer->is_file)
        return;
    struct heapd_buffer **link = file_bucket(buffer->inode);
    while (*link != buffer)
        link = &(*link)->chain;
    *link = buffer->chain;
}

void heapd_buffer_release(struct heapd_buffer *buffer)
{
    if (!buffer)
        return;
    pthread_mutex_lock(&lock);
    bool last = --buffer->references == 0;
    if (last)
        forget(buffer);
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    (void)munmap(buffer->data, (size_t)buffer->bytes);
    free(buffer);
}

const void *heapd_buffer_data(const struct heapd_buffer *buffer)
{
    return buffer->data;
}

uint64_t heapd_buffer_bytes(const struct heapd_buffer *buffer)
{
    return buffer->bytes;
}
