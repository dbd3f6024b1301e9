/* A simple model of coordination objects: who waits where, who is woken with what, by ids in lists. */
#ifndef HEAPD_TESTS_UNIT_OBJECT_SYNC_MODEL_H
#define HEAPD_TESTS_UNIT_OBJECT_SYNC_MODEL_H

#include "fixture.h"
#include "object/sync.h"

#define PARTIES 5
#define THREADS 2
#define WAITERS 24

enum { LOCK, RLOCK, OBJECTS_OF_LOCKS, SEMAPHORE = OBJECTS_OF_LOCKS, CONDITION, EVENT, BARRIER, QUEUE, OBJECTS };

struct list {
    int ids[4096];
    int count;
};

struct model_waiter {
    bool used;
    enum { NONE, IN_LINE, WOKEN, TAKEN } state;
    enum hd_sync_act act;
    int object, party, thread;
    int item; /* to be put, or given */
    int count;
    bool relocking, notified, abandoned;
    int error;
};

struct model_lock {
    int count, party, thread, untold;
    bool abandoned;
    struct list line;
};

struct model {
    struct model_waiter waiters[WAITERS];
    struct list outbox;
    struct model_lock locks[OBJECTS_OF_LOCKS];
    struct {
        int value, initial;
        bool abandoned;
        struct list holders; /* oldest first */
        int units[PARTIES];
        struct list line;
    } semaphore;
    struct list condition;
    bool event;
    struct list event_line;
    int parties;
    bool broken;
    struct list barrier_line;
    int maximum, unfinished;
    struct list items, getters, putters, joiners;
};
extern struct model model;

void model_push(struct list *list, int id);
bool model_take_out(struct list *list, int id);
int model_pop(struct list *list);
void model_wake(int id, int error);
void model_let_go(struct model_lock *lock);
void model_units_free(int count);
void model_forget_units(int party, int count);
int model_notify(int count);
void model_break_barrier(void);
void model_admit(void);
void model_item_comes_back(int item);
struct list *model_line_of(const struct model_waiter *waiter);
/* What the engine's hd_sync_waiter_fini does to one that was not told. */
void model_end(int id);
void model_time_over(int id, int error);

#endif
