/*
 * One thread for what takes the kernel long and needs no object: closing and sealing shared memory. The engine's thread
 * gives jobs and takes them back when they are done; what they are about is the giver's.
 *
 * The thread is started with the first job. Where it cannot be, jobs are done at once by whoever gives them.
 */
#ifndef HEAPD_OS_HELPER_H
#define HEAPD_OS_HELPER_H

#include <stdbool.h>

#include "common/allocator.h"
#include "os/os.h"

enum hd_helper_task {
    HD_HELPER_CLOSE,
    HD_HELPER_SEAL,
};

struct hd_helper_job {
    struct hd_helper_job *next;
    enum hd_helper_task task;
    int fd;
    int result; /* once done: of sealing */
};

struct hd_helper;

/* os and allocator are borrowed until free. HD_ENOMEM. */
int hd_helper_new(const struct hd_os *os, const struct hd_allocator *allocator, struct hd_helper **out) HD_MUST_USE;
/* Does what was given, and ends the thread. Jobs that were not taken back are forgotten. Takes NULL. */
void hd_helper_free(struct hd_helper *helper);

/* The job is the helper's until hd_helper_take gives it back. Cannot fail. */
void hd_helper_give(struct hd_helper *helper, struct hd_helper_job *job);
/* The jobs that are done, oldest first, as a list; NULL: none. Cheap when there is none. */
struct hd_helper_job *hd_helper_take(struct hd_helper *helper);
/* Called from the helper's thread, after each job; to be set while there is none. NULL: nobody wants to know. */
void hd_helper_on_done(struct hd_helper *helper, void (*on_done)(void *context), void *context);

#endif
