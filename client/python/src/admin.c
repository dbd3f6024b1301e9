/* What the daemon tells of itself, and its collector. Methods of connections. */
#include "private.h"

#define CONNECTION(self) ((struct hp_connection *)(self))

typedef int begin_plain(struct heapd_connection *, heapd_ticket *, struct heapd_error *);

static int ask(struct hp_connection *owner, begin_plain *begin, struct heapd_result *result)
{
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    heapd_ticket ticket;
    if (!connection)
        return -1;
    if (begin(connection, &ticket, &error)) {
        hp_raise(&error, NULL);
        return -1;
    }
    return hp_wait(owner, ticket, result, NULL);
}

PyObject *hp_admin_stats(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_stats, &result))
        return NULL;
    PyObject *stats = PyDict_New();
    for (size_t i = 0; stats && i < result.as.stats.count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(result.as.stats.items[i].value);
        if (!number || PyDict_SetItemString(stats, result.as.stats.items[i].name, number))
            Py_CLEAR(stats);
        Py_XDECREF(number);
    }
    heapd_result_clear(&result);
    return stats;
}

PyObject *hp_admin_sessions(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_list_sessions, &result))
        return NULL;
    PyObject *sessions = PyList_New(0);
    for (size_t i = 0; sessions && i < result.as.sessions.count; i++) {
        const struct heapd_session *session = &result.as.sessions.items[i];
        PyObject *one = Py_BuildValue(
            "{s:K,s:s,s:K,s:K,s:K,s:K,s:O}", "id", (unsigned long long)session->id, "name",
            session->client_name ? session->client_name : "", "pid", (unsigned long long)session->pid, "uid",
            (unsigned long long)session->uid, "handles", (unsigned long long)session->handles, "requests",
            (unsigned long long)session->requests, "self", session->self ? Py_True : Py_False);
        if (!one || PyList_Append(sessions, one))
            Py_CLEAR(sessions);
        Py_XDECREF(one);
    }
    heapd_result_clear(&result);
    return sessions;
}

PyObject *hp_admin_ping(PyObject *self, PyObject *unused)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_ping(connection, heapd_slice("", 0), &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    heapd_result_clear(&result);
    Py_RETURN_NONE;
}

PyObject *hp_admin_collect(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    unsigned generation = 2;
    int dry = 0;
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "|Ip", &generation, &dry))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    int code = dry ? heapd_begin_gc_dry_run(connection, &ticket, &error)
                   : heapd_begin_gc_collect(connection, generation, &ticket, &error);
    if (code)
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    return Py_BuildValue("KK", (unsigned long long)result.as.collection.unreachable,
                         (unsigned long long)result.as.collection.unreachable_bytes);
}

PyObject *hp_admin_get_threshold(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_get_threshold, &result))
        return NULL;
    const uint32_t *threshold = result.as.thresholds.threshold;
    return Py_BuildValue("III", threshold[0], threshold[1], threshold[2]);
}

PyObject *hp_admin_set_threshold(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_thresholds thresholds;
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "III", &thresholds.threshold[0], &thresholds.threshold[1],
                          &thresholds.threshold[2]))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    if (heapd_begin_gc_set_threshold(connection, thresholds, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *hp_admin_get_count(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_get_count, &result))
        return NULL;
    const uint64_t *count = result.as.counts.count;
    return Py_BuildValue("KKK", (unsigned long long)count[0], (unsigned long long)count[1],
                         (unsigned long long)count[2]);
}

PyObject *hp_admin_gc_stats(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_stats, &result))
        return NULL;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < HEAPD_GENERATIONS; i++) {
        const struct heapd_generation *generation = &result.as.gc_stats.generation[i];
        PyObject *one = Py_BuildValue("{s:K,s:K,s:K,s:K}", "collections", (unsigned long long)generation->collections,
                                      "collected", (unsigned long long)generation->collected, "uncollectable",
                                      (unsigned long long)generation->uncollectable, "objects",
                                      (unsigned long long)generation->objects);
        if (!one || PyList_Append(list, one))
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list ? Py_BuildValue("NO", list, result.as.gc_stats.enabled ? Py_True : Py_False) : NULL;
}

PyObject *hp_admin_set_enabled(PyObject *self, PyObject *enabled)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    int truth = PyObject_IsTrue(enabled);
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || truth < 0)
        return NULL;
    if (heapd_begin_gc_set_enabled(connection, truth, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *hp_admin_freeze(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_freeze, NULL))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *hp_admin_unfreeze(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_unfreeze, NULL))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *hp_admin_freeze_count(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_freeze_count, &result))
        return NULL;
    return PyLong_FromLongLong(result.value.as.integer);
}

PyObject *hp_admin_compact(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_compact, &result))
        return NULL;
    return Py_BuildValue("KKK", (unsigned long long)result.as.compaction.moved_count,
                         (unsigned long long)result.as.compaction.moved_bytes,
                         (unsigned long long)result.as.compaction.released_bytes);
}

PyObject *hp_admin_shutdown_daemon(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_shutdown, NULL))
        return NULL;
    Py_RETURN_NONE;
}
