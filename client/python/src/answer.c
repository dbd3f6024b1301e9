/* From a request that was begun to what the program gets: waiting, failures, and Results of pipelines. */
#include "private.h"

#include <structmember.h>

PyObject *hp_make_error;

/* ---- failures */

bool hp_exiting;

bool hp_ends_quietly(void)
{
    if (!hp_exiting)
        return false;
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *thread = threading ? PyObject_CallMethod(threading, "current_thread", NULL) : NULL;
    PyObject *is_daemon = thread ? PyObject_GetAttrString(thread, "daemon") : NULL;
    bool quiet = is_daemon == Py_True;
    Py_XDECREF(is_daemon);
    Py_XDECREF(thread);
    Py_XDECREF(threading);
    PyErr_Clear();
    if (quiet)
        PyErr_SetNone(PyExc_SystemExit);
    return quiet;
}

PyObject *hp_raise(const struct heapd_error *error, PyObject *key)
{
    /* Those that ordinary programs meet all the time, without a call into Python. */
    switch (error->code) {
    case HEAPD_EKEY:
        if (key) {
            /* In a tuple, since a key that is a tuple would become several arguments. */
            PyObject *arguments = PyTuple_Pack(1, key);
            if (arguments)
                PyErr_SetObject(PyExc_KeyError, arguments);
            Py_XDECREF(arguments);
        } else {
            PyErr_SetString(PyExc_KeyError, error->message);
        }
        return NULL;
    case HEAPD_EINDEX:
        PyErr_SetString(PyExc_IndexError, error->message);
        return NULL;
    case HEAPD_ETYPE:
    case HEAPD_EUNHASHABLE:
        PyErr_SetString(PyExc_TypeError, error->message);
        return NULL;
    case HEAPD_ECLOSED:
        if (hp_ends_quietly())
            return NULL;
        break;
    default:
        break;
    }
    if (!hp_make_error) {
        PyErr_SetString(PyExc_RuntimeError, error->message);
        return NULL;
    }
    PyObject *exception =
        PyObject_CallFunction(hp_make_error, "isKK", error->code, error->message, (unsigned long long)error->request,
                              (unsigned long long)error->failed_request);
    if (exception) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
    return NULL;
}

PyObject *hp_raise_code(int code)
{
    struct heapd_error error = {.code = code};
    PyOS_snprintf(error.message, sizeof error.message, "%s", heapd_code_text(code));
    return hp_raise(&error, NULL);
}

/* ---- waiting */

heapd_ticket *hp_ticket(struct hp_connection *owner, bool is_write, heapd_ticket *storage)
{
    *storage = 0;
    if (!is_write || (!owner->batched && !hp_in_pipeline(owner)))
        return storage;
    owner->unreported = true;
    return NULL;
}

/* How long a cancelled request may take to answer before its ticket is given up. */
#define CANCEL_TIMEOUT_MS 2000

/* Gives back what an interrupted request took. A connection that takes no request any more holds nothing either. */
static void give_back(struct hp_connection *owner, struct heapd_result *result, const struct hp_undo *undo)
{
    struct heapd_error error;
    int code = 0;
    if (undo && undo->is_item)
        code = heapd_begin_put_back(owner->connection, undo->handle, result->value, NULL, &error);
    else if (undo && result->value.as.integer & HEAPD_ACQUIRED)
        code = heapd_begin_unlock(owner->connection, undo->handle, undo->thread, 1, NULL, &error);
    if (result->value.kind == HEAPD_VALUE_REF)
        (void)heapd_release(owner->connection, result->value.as.ref);
    if (!code)
        (void)heapd_flush(owner->connection, &error);
    heapd_result_clear(result);
}

/* A signal's handler raised: the request is stopped, and what it may have taken is given back. */
static void abandon(struct hp_connection *owner, heapd_ticket ticket, const struct hp_undo *undo)
{
    struct heapd_result result = {0};
    struct heapd_error error;
    if (heapd_cancel(owner->connection, ticket, &error))
        return;
    int code;
    Py_BEGIN_ALLOW_THREADS code = heapd_wait(owner->connection, ticket, CANCEL_TIMEOUT_MS, &result, &error);
    Py_END_ALLOW_THREADS if (code == HEAPD_PENDING) heapd_forget(owner->connection, ticket);
    if (!code)
        give_back(owner, &result, undo);
}

/* 1: a signal's handler raised. Whatever the request did is undone then. */
static int interrupted(struct hp_connection *owner, heapd_ticket ticket, struct heapd_result *answered,
                       const struct hp_undo *undo)
{
    PyObject *type, *value, *traceback;
    if (!PyErr_CheckSignals())
        return 0;
    PyErr_Fetch(&type, &value, &traceback);
    if (answered)
        give_back(owner, answered, undo);
    else
        abandon(owner, ticket, undo);
    PyErr_Restore(type, value, traceback);
    return 1;
}

int hp_wait(struct hp_connection *owner, heapd_ticket ticket, struct heapd_result *result, PyObject *key)
{
    return hp_wait_undo(owner, ticket, result, key, NULL);
}

int hp_wait_undo(struct hp_connection *owner, heapd_ticket ticket, struct heapd_result *result, PyObject *key,
                 const struct hp_undo *undo)
{
    struct heapd_error error;
    int code;
    int stopped;
    hp_enter(owner);
    hp_call_waits(owner, ticket);
    do {
        Py_BEGIN_ALLOW_THREADS code = heapd_wait(owner->connection, ticket, HP_LOOK_MS, result, &error);
        Py_END_ALLOW_THREADS stopped = code == HEAPD_PENDING && interrupted(owner, ticket, NULL, undo);
    } while (code == HEAPD_PENDING && !stopped);
    hp_call_waited();
    /* A signal that came with the answer would be raised before anyone has seen it. */
    if (!code && undo)
        stopped = interrupted(owner, ticket, result, undo);
    hp_leave(owner);
    if (stopped)
        return -1;
    if (code) {
        hp_raise(&error, key);
        return -1;
    }
    return 0;
}

int hp_finish(struct hp_connection *owner)
{
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    int code;
    if (!connection)
        return -1;
    hp_enter(owner);
    do {
        Py_BEGIN_ALLOW_THREADS code = heapd_finish_within(connection, HP_LOOK_MS, &error);
        Py_END_ALLOW_THREADS
    } while (code == HEAPD_PENDING && !PyErr_CheckSignals());
    hp_leave(owner);
    if (code == HEAPD_PENDING)
        return -1;
    owner->unreported = false;
    if (code)
        hp_raise(&error, NULL);
    return code ? -1 : 0;
}

PyObject *hp_form_result(struct hp_connection *owner, struct heapd_result *result, enum hp_form form, PyObject *key)
{
    switch (form) {
    case HP_NOTHING:
        heapd_result_clear(result);
        Py_RETURN_NONE;
    case HP_PRESENCE:
        if (!result->value.as.boolean) {
            struct heapd_error error = {.code = HEAPD_EKEY};
            return hp_raise(&error, key);
        }
        Py_RETURN_NONE;
    case HP_VALUE:
    case HP_DEFAULT:
        break;
    }
    return hp_decode(owner, &result->value);
}

/* ---- results of pipelines */

struct hp_result {
    PyObject_HEAD struct hp_connection *owner; /* own */
    heapd_ticket ticket;                       /* 0: it is here */
    PyObject *key;                             /* own; for KeyError, or NULL */
    PyObject *extra;                           /* own; or NULL */
    PyObject *value;                           /* own; NULL: it failed, or is not here */
    PyObject *error;                           /* own; an exception, or NULL */
    enum hp_form form;
    unsigned forks; /* of the connection, when the request was begun: a child has other tickets */
};

PyTypeObject *hp_result_type;

static PyObject *result_new(struct hp_connection *owner, heapd_ticket ticket, enum hp_form form, PyObject *key,
                            PyObject *extra)
{
    struct hp_result *result = PyObject_New(struct hp_result, hp_result_type);
    if (!result)
        return NULL;
    result->owner = owner;
    Py_INCREF((PyObject *)owner);
    result->ticket = ticket;
    result->key = key;
    Py_XINCREF(key);
    result->extra = extra;
    Py_XINCREF(extra);
    result->value = NULL;
    result->error = NULL;
    result->form = form;
    result->forks = owner->forks;
    return (PyObject *)result;
}

static void result_dealloc(PyObject *self)
{
    struct hp_result *result = (struct hp_result *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (result->ticket && result->owner->connection && result->forks == result->owner->forks)
        heapd_forget(result->owner->connection, result->ticket);
    Py_XDECREF(result->key);
    Py_XDECREF(result->extra);
    Py_XDECREF(result->value);
    Py_XDECREF(result->error);
    Py_DECREF((PyObject *)result->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* What is kept of a failure: the exception itself, which result() raises each time. */
static void keep_failure(struct hp_result *result)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    result->error = value;
    Py_XDECREF(type);
    Py_XDECREF(traceback);
}

int hp_result_fetch(PyObject *self)
{
    struct hp_result *result = (struct hp_result *)self;
    struct heapd_result answer = {0};
    struct heapd_error error;
    heapd_ticket ticket = result->ticket;
    if (!ticket)
        return 0;
    result->ticket = 0;
    if (result->forks != result->owner->forks)
        return 0; /* it has neither a value nor an error: given up */
    if (!hp_open(result->owner)) {
        keep_failure(result);
        return 0;
    }
    int code = heapd_wait(result->owner->connection, ticket, 0, &answer, &error);
    if (code == HEAPD_PENDING) {
        code = hp_wait(result->owner, ticket, &answer, result->key);
        if (code && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
            return -1;
    } else if (code) {
        hp_raise(&error, result->key);
    }
    if (code && result->form == HP_DEFAULT && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        result->value = result->extra;
        Py_INCREF(result->value);
        return 0;
    }
    if (!code)
        result->value = hp_form_result(result->owner, &answer, result->form, result->key);
    if (!result->value)
        keep_failure(result);
    return 0;
}

static PyObject *result_result(PyObject *self, PyObject *unused)
{
    struct hp_result *result = (struct hp_result *)self;
    (void)unused;
    if (hp_result_fetch(self))
        return NULL;
    if (result->value) {
        Py_INCREF(result->value);
        return result->value;
    }
    if (!result->error) {
        PyErr_SetString(PyExc_RuntimeError, "the request was given up");
        return NULL;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(result->error), result->error);
    return NULL;
}

static PyObject *result_exception(PyObject *self, PyObject *unused)
{
    struct hp_result *result = (struct hp_result *)self;
    (void)unused;
    if (hp_result_fetch(self))
        return NULL;
    PyObject *error = result->error ? result->error : Py_None;
    Py_INCREF(error);
    return error;
}

static PyObject *result_done(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct hp_result *)self)->ticket == 0);
}

static PyObject *result_repr(PyObject *self)
{
    struct hp_result *result = (struct hp_result *)self;
    if (result->ticket)
        return PyUnicode_FromString("<heapd.Result: not fetched yet>");
    if (result->value)
        return PyUnicode_FromFormat("<heapd.Result: %R>", result->value);
    return PyUnicode_FromFormat("<heapd.Result: %R>", result->error ? result->error : Py_None);
}

static PyMethodDef result_methods[] = {
    {"result", result_result, METH_NOARGS, "The value, or its exception; waits if it has to."},
    {"exception", result_exception, METH_NOARGS, "The exception of a request that failed, else None."},
    {"done", result_done, METH_NOARGS, "Is it here? True as soon as the pipeline has ended."},
    {0},
};
static PyType_Slot result_slots[] = {
    {Py_tp_dealloc, result_dealloc},
    {Py_tp_repr, result_repr},
    {Py_tp_methods, result_methods},
    {Py_tp_doc, (void *)(uintptr_t) "What a request in a pipeline will answer."},
    {0, NULL},
};
static PyType_Spec result_spec = {"heapd.Result", sizeof(struct hp_result), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, result_slots};

int hp_result_ready(PyObject *module)
{
    hp_result_type = (PyTypeObject *)PyType_FromSpec(&result_spec);
    return hp_result_type ? PyModule_AddObjectRef(module, "Result", (PyObject *)hp_result_type) : -1;
}

PyObject *hp_answer(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                    enum hp_form form, PyObject *key, PyObject *extra)
{
    if (code)
        return hp_raise(error, key);
    if (!ticket)
        Py_RETURN_NONE;
    if (hp_in_pipeline(owner)) {
        PyObject *result = result_new(owner, ticket, form, key, extra);
        if (result && PyList_Append(owner->results, result)) {
            Py_DECREF(result);
            return NULL;
        }
        return result;
    }
    struct heapd_result answer = {0};
    if (hp_wait(owner, ticket, &answer, key)) {
        if (form != HP_DEFAULT || !PyErr_ExceptionMatches(PyExc_KeyError))
            return NULL;
        PyErr_Clear();
        Py_INCREF(extra);
        return extra;
    }
    return hp_form_result(owner, &answer, form, key);
}
