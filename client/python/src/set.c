/* Set algebra on the daemon. Methods of proxies. */
#include "private.h"

/* The other operands, of which proxies stay references. */
struct operands {
    struct hp_value sent[HEAPD_OTHERS_MAX];
    struct heapd_value values[HEAPD_OTHERS_MAX];
    size_t count;
};

static void operands_done(struct operands *operands)
{
    for (size_t i = 0; i < operands->count; i++)
        hp_value_done(&operands->sent[i]);
    operands->count = 0;
}

static int operands_of(struct hp_connection *owner, PyObject *others, struct operands *out)
{
    out->count = 0;
    if (PyTuple_Size(others) > HEAPD_OTHERS_MAX) {
        PyErr_Format(PyExc_ValueError, "more than %d sets at once", HEAPD_OTHERS_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_Size(others); i++) {
        if (hp_encode(owner, PyTuple_GetItem(others, i), &out->sent[i])) {
            operands_done(out);
            return -1;
        }
        out->values[i] = out->sent[i].value;
        out->count++;
    }
    return 0;
}

/* combine(operation, others, instance): what comes out, as a plain set. */
PyObject *hp_set_combine(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct operands operands;
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    int operation;
    PyObject *others, *instance;
    if (!PyArg_ParseTuple(arguments, "iO!O", &operation, &PyTuple_Type, &others, &instance))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || operands_of(proxy->owner, others, &operands))
        return NULL;
    int code = heapd_begin_set_combine(connection, proxy->handle, (enum heapd_set_operation)operation, operands.values,
                                       operands.count, false, &handle, &ticket, &error);
    operands_done(&operands);
    return hp_made_and_read(proxy->owner, code, ticket, &error, handle, proxy->type, hp_export, instance);
}

/* update(operation, others): in place, in one step. */
PyObject *hp_set_update(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct operands operands;
    struct heapd_error error;
    heapd_ticket ticket;
    int operation;
    PyObject *others;
    if (!PyArg_ParseTuple(arguments, "iO!", &operation, &PyTuple_Type, &others))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || operands_of(proxy->owner, others, &operands))
        return NULL;
    int code = heapd_begin_set_update(connection, proxy->handle, (enum heapd_set_operation)operation, operands.values,
                                      operands.count, false, hp_ticket(proxy->owner, true, &ticket), &error);
    operands_done(&operands);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

/* compare(relation, other) -> bool, also inside a pipeline. */
PyObject *hp_set_compare(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    struct heapd_result result = {0};
    struct hp_value sent;
    heapd_ticket ticket = 0;
    int relation;
    PyObject *other;
    if (!PyArg_ParseTuple(arguments, "iO", &relation, &other))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, other, &sent))
        return NULL;
    int code = heapd_begin_set_compare(connection, proxy->handle, (enum heapd_set_relation)relation, sent.value, false,
                                       &ticket, &error);
    hp_value_done(&sent);
    if (hp_wait_here(proxy->owner, code, ticket, &error, &result))
        return NULL;
    return PyBool_FromLong(result.value.as.boolean);
}
