/* Call: a function that runs in a thread, and what it waits for there, which another thread may cancel. */
#include "private.h"

struct hp_call {
    PyObject_HEAD struct hp_connection *owner; /* borrow: of the ticket */
    heapd_ticket ticket;                       /* 0: it waits for nothing */
    uint64_t caller;
    bool cancelled;
};

/* Of this thread. Lent by run, which is inside it. */
static _Thread_local struct hp_call *current;

uint64_t hp_caller(void)
{
    return current ? current->caller : (uint64_t)PyThread_get_thread_ident();
}

/* The request answers in any case, so what becomes of asking does not matter: a lost connection ends the wait, too. */
static void cancel(struct hp_connection *owner, heapd_ticket ticket)
{
    struct heapd_connection *connection = owner->connection;
    if (!connection)
        return;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS(void) heapd_cancel(connection, ticket, NULL);
    Py_END_ALLOW_THREADS hp_leave(owner);
}

void hp_call_waits(struct hp_connection *owner, heapd_ticket ticket)
{
    if (!current)
        return;
    current->owner = owner;
    current->ticket = ticket;
    if (current->cancelled)
        cancel(owner, ticket);
}

void hp_call_waited(void)
{
    if (current)
        current->ticket = 0;
}

/* Call(caller) */
static PyObject *call_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    unsigned long long caller;
    (void)keywords;
    if (!PyArg_ParseTuple(arguments, "K", &caller))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct hp_call *call = (struct hp_call *)allocate(type, 0);
    if (call)
        call->caller = caller;
    return (PyObject *)call;
}

static void call_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *call_run(PyObject *self, PyObject *function)
{
    struct hp_call *call = (struct hp_call *)self, *outer = current;
    if (call->cancelled)
        return hp_raise_code(HEAPD_ECANCELLED);
    current = call;
    PyObject *result = PyObject_CallNoArgs(function);
    current = outer;
    return result;
}

static PyObject *call_cancel(PyObject *self, PyObject *unused)
{
    struct hp_call *call = (struct hp_call *)self;
    (void)unused;
    /* Once: a condition's wait that is cancelled again gives up its lock. */
    if (!call->cancelled) {
        call->cancelled = true;
        if (call->ticket)
            cancel(call->owner, call->ticket);
    }
    Py_RETURN_NONE;
}

static PyMethodDef call_methods[] = {
    {"run", call_run, METH_O, "What the function returns; inside, requests are those of this call."},
    {"cancel", call_cancel, METH_NOARGS, "What the function waits for, or will wait for, is cancelled."},
    {0},
};
static PyType_Slot call_slots[] = {
    {Py_tp_new, call_new},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_methods, call_methods},
    {Py_tp_doc, (void *)(uintptr_t) "A function that runs in a thread, and that another one may cancel."},
    {0, NULL},
};
static PyType_Spec call_spec = {"heapd._heapd.Call", sizeof(struct hp_call), 0, Py_TPFLAGS_DEFAULT, call_slots};

int hp_call_ready(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&call_spec);
    int failed = type ? PyModule_AddObjectRef(module, "Call", type) : -1;
    Py_XDECREF(type);
    return failed;
}
