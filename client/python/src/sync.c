/* Coordination objects: queues, locks, semaphores, conditions, events, barriers. Methods that a Proxy of each has. */
#include "private.h"

#include <string.h>

/* How long the daemon may let a request wait, out of a timeout in seconds. None: without end. */
static int wait_of(PyObject *timeout, int64_t *out)
{
    if (timeout == Py_None) {
        *out = HEAPD_FOREVER;
        return 0;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (seconds != seconds) {
        PyErr_SetString(PyExc_ValueError, "a timeout that is not a number");
        return -1;
    }
    /* Upwards, so that who waits for a millisecond's part does wait. */
    double milliseconds = seconds * 1000;
    *out = milliseconds <= 0 ? 0 : milliseconds > 9e15 ? (int64_t)9e15 : (int64_t)(milliseconds + 0.999);
    return 0;
}

/* acquire(timeout) -> bits of heapd_acquired */
PyObject *hp_sync_acquire(PyObject *self, PyObject *timeout)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket;
    int64_t wait_ms;
    if (wait_of(timeout, &wait_ms))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    if (heapd_begin_acquire(connection, proxy->handle, hp_caller(), wait_ms, &ticket, &error))
        return hp_raise(&error, NULL);
    struct hp_undo undo = {.handle = proxy->handle, .thread = hp_caller()};
    if (hp_wait_undo(proxy->owner, ticket, &result, NULL, &undo))
        return NULL;
    return PyLong_FromLongLong(result.value.as.integer);
}

PyObject *hp_sync_release(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_ticket ticket;
    unsigned long long count = 1;
    if (!PyArg_ParseTuple(arguments, "|K", &count))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = heapd_begin_unlock(connection, proxy->handle, hp_caller(), count, hp_ticket(proxy->owner, true, &ticket),
                                  &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

/* put(value, timeout) */
PyObject *hp_sync_put(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyObject *value, *timeout;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    int64_t wait_ms;
    if (!PyArg_ParseTuple(arguments, "OO", &value, &timeout) || wait_of(timeout, &wait_ms))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, value, &sent))
        return NULL;
    int code =
        heapd_begin_put(connection, proxy->handle, sent.value, wait_ms, hp_ticket(proxy->owner, true, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

PyObject *hp_sync_get(PyObject *self, PyObject *timeout)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_ticket ticket;
    int64_t wait_ms;
    if (wait_of(timeout, &wait_ms))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = heapd_begin_get(connection, proxy->handle, HEAPD_ANY, wait_ms, NULL,
                               hp_ticket(proxy->owner, false, &ticket), &error);
    if (code || hp_in_pipeline(proxy->owner))
        return hp_answer(proxy->owner, code, ticket, &error, HP_VALUE, NULL, NULL);
    struct heapd_result result = {0};
    struct hp_undo undo = {.handle = proxy->handle, .is_item = true};
    if (hp_wait_undo(proxy->owner, ticket, &result, NULL, &undo))
        return NULL;
    return hp_form_result(proxy->owner, &result, HP_VALUE, NULL);
}

/* An item that was taken goes to the front again. */
PyObject *hp_sync_put_back(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_put_back, true, HP_NOTHING);
}

typedef int begin_timed(struct heapd_connection *, heapd_handle, int64_t, heapd_ticket *, struct heapd_error *);

static PyObject *timed(PyObject *self, PyObject *timeout, begin_timed *begin)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_ticket ticket;
    int64_t wait_ms;
    if (wait_of(timeout, &wait_ms))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = begin(connection, proxy->handle, wait_ms, hp_ticket(proxy->owner, false, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_VALUE, NULL, NULL);
}

PyObject *hp_sync_task_done(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_task_done, true, HP_NOTHING);
}

PyObject *hp_sync_join(PyObject *self, PyObject *timeout)
{
    return timed(self, timeout, heapd_begin_join);
}

PyObject *hp_sync_set(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_event_set, true, HP_NOTHING);
}

PyObject *hp_sync_clear(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_event_clear, true, HP_NOTHING);
}

PyObject *hp_sync_wait_event(PyObject *self, PyObject *timeout)
{
    return timed(self, timeout, heapd_begin_event_wait);
}

PyObject *hp_sync_wait_barrier(PyObject *self, PyObject *timeout)
{
    return timed(self, timeout, heapd_begin_barrier_wait);
}

PyObject *hp_sync_reset(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_barrier_reset, true, HP_NOTHING);
}

PyObject *hp_sync_abort(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_barrier_abort, true, HP_NOTHING);
}

PyObject *hp_sync_wait_condition(PyObject *self, PyObject *timeout)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket;
    int64_t wait_ms;
    if (wait_of(timeout, &wait_ms))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    if (heapd_begin_condition_wait(connection, proxy->handle, hp_caller(), wait_ms, &ticket, &error))
        return hp_raise(&error, NULL);
    /* Interrupted, it has the lock all the same, as in Python. */
    if (hp_wait(proxy->owner, ticket, &result, NULL))
        return NULL;
    return PyLong_FromLongLong(result.value.as.integer);
}

/* notify(count); negative: all */
PyObject *hp_sync_notify(PyObject *self, PyObject *number)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_ticket ticket;
    long long count = PyLong_AsLongLong(number);
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || (count == -1 && PyErr_Occurred()))
        return NULL;
    int code = heapd_begin_notify(connection, proxy->handle, hp_caller(), count < 0 ? UINT64_MAX : (uint64_t)count,
                                  hp_ticket(proxy->owner, true, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

PyObject *hp_sync_state(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_sync_state(connection, proxy->handle, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(proxy->owner, ticket, &result, NULL))
        return NULL;
    const struct heapd_sync_info *state = result.as.sync_state;
    PyObject *out =
        Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:O,s:O}", "value", (unsigned long long)state->value, "maximum",
                      (unsigned long long)state->maximum, "waiting", (unsigned long long)state->waiting, "putting",
                      (unsigned long long)state->putting, "unfinished", (unsigned long long)state->unfinished, "holder",
                      (unsigned long long)state->holder, "thread", (unsigned long long)state->thread, "is_set",
                      state->is_set ? Py_True : Py_False, "abandoned", state->abandoned ? Py_True : Py_False);
    heapd_result_clear(&result);
    return out;
}

/* create_sync(type, value, bounded, lock) */
PyObject *hp_sync_create(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = (struct hp_connection *)self;
    struct heapd_sync_options options = {0};
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    int type, bounded = 0;
    long long value = 0;
    PyObject *lock = Py_None;
    if (!PyArg_ParseTuple(arguments, "i|LpO", &type, &value, &bounded, &lock))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    options.type = (enum heapd_type)type;
    options.value = value;
    options.bounded = bounded;
    if (lock != Py_None) {
        if (!PyObject_TypeCheck(lock, hp_proxy_type) || HP_PROXY(lock)->owner != owner) {
            PyErr_SetString(PyExc_TypeError, "the condition's lock must be a lock of the same heap");
            return NULL;
        }
        options.lock = HP_PROXY(lock)->handle;
    }
    int code = heapd_begin_create_sync(connection, &options, &handle, &ticket, &error);
    return hp_made(owner, code, ticket, &error, handle, type);
}
