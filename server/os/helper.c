#include "os/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct job_list {
    struct hd_helper_job *first;
    struct hd_helper_job *last;
};

struct hd_helper {
    const struct hd_os *os;               /* borrow */
    const struct hd_allocator *allocator; /* borrow */
    void (*on_done)(void *context);
    void *on_done_context;
    pthread_t thread;
    bool started;
    bool synchronous; /* there is no thread to be had */
    pthread_mutex_t lock;
    pthread_cond_t given_some;
    /* Guarded by the lock. */
    struct job_list given;
    struct job_list done;
    bool ending;
    atomic_bool any_done; /* done.first != NULL */
};

static void append(struct job_list *list, struct hd_helper_job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static void run_job(const struct hd_helper *helper, struct hd_helper_job *job)
{
    const struct hd_os *os = helper->os;
    if (job->task == HD_HELPER_CLOSE)
        os->shared_close(os->context, job->fd);
    else
        job->result = os->shared_seal(os->context, job->fd);
}

static void *run(void *context)
{
    struct hd_helper *helper = context;
    pthread_mutex_lock(&helper->lock);
    for (;;) {
        struct hd_helper_job *job = helper->given.first;
        if (!job) {
            if (helper->ending)
                break;
            pthread_cond_wait(&helper->given_some, &helper->lock);
            continue;
        }
        helper->given.first = job->next;
        if (!helper->given.first)
            helper->given.last = NULL;
        pthread_mutex_unlock(&helper->lock);
        run_job(helper, job);
        pthread_mutex_lock(&helper->lock);
        append(&helper->done, job);
        atomic_store_explicit(&helper->any_done, true, memory_order_release);
        if (helper->on_done)
            helper->on_done(helper->on_done_context);
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

/* Signals are the main thread's. */
static void start(struct hd_helper *helper)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    helper->started = pthread_create(&helper->thread, NULL, run, helper) == 0;
    helper->synchronous = !helper->started;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int hd_helper_new(const struct hd_os *os, const struct hd_allocator *allocator, struct hd_helper **out)
{
    struct hd_helper *helper = hd_allocator_new_zeroed(allocator, sizeof *helper);
    if (!helper)
        return HD_ENOMEM;
    helper->os = os;
    helper->allocator = allocator;
    (void)pthread_mutex_init(&helper->lock, NULL);
    (void)pthread_cond_init(&helper->given_some, NULL);
    *out = helper;
    return 0;
}

void hd_helper_free(struct hd_helper *helper)
{
    if (!helper)
        return;
    pthread_mutex_lock(&helper->lock);
    helper->ending = true;
    pthread_cond_signal(&helper->given_some);
    pthread_mutex_unlock(&helper->lock);
    if (helper->started)
        pthread_join(helper->thread, NULL);
    pthread_cond_destroy(&helper->given_some);
    pthread_mutex_destroy(&helper->lock);
    hd_allocator_free(helper->allocator, helper, sizeof *helper);
}

void hd_helper_give(struct hd_helper *helper, struct hd_helper_job *job)
{
    if (!helper->started && !helper->synchronous)
        start(helper);
    if (helper->synchronous)
        run_job(helper, job);
    pthread_mutex_lock(&helper->lock);
    append(helper->synchronous ? &helper->done : &helper->given, job);
    if (helper->synchronous)
        atomic_store_explicit(&helper->any_done, true, memory_order_release);
    else
        pthread_cond_signal(&helper->given_some);
    if (helper->synchronous && helper->on_done)
        helper->on_done(helper->on_done_context);
    pthread_mutex_unlock(&helper->lock);
}

struct hd_helper_job *hd_helper_take(struct hd_helper *helper)
{
    if (!atomic_load_explicit(&helper->any_done, memory_order_acquire))
        return NULL;
    pthread_mutex_lock(&helper->lock);
    struct hd_helper_job *done = helper->done.first;
    helper->done = (struct job_list){NULL, NULL};
    atomic_store_explicit(&helper->any_done, false, memory_order_relaxed);
    pthread_mutex_unlock(&helper->lock);
    return done;
}

void hd_helper_on_done(struct hd_helper *helper, void (*on_done)(void *context), void *context)
{
    pthread_mutex_lock(&helper->lock);
    helper->on_done = on_done;
    helper->on_done_context = context;
    pthread_mutex_unlock(&helper->lock);
}
