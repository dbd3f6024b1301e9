/* Attributes of instances. Methods of proxies. */
#include "private.h"

PyObject *hp_attribute_get(PyObject *self, PyObject *name)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_bytes text;
    struct heapd_error error;
    heapd_ticket ticket;
    if (!connection || hp_name(name, &text))
        return NULL;
    int code = heapd_begin_get_attr(connection, proxy->handle, text, HEAPD_ANY, NULL,
                                    hp_ticket(proxy->owner, false, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_VALUE, name, NULL);
}

PyObject *hp_attribute_set(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyObject *name, *value;
    struct heapd_bytes text;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "OO", &name, &value) || hp_name(name, &text))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, value, &sent))
        return NULL;
    int code = heapd_begin_set_attr(connection, proxy->handle, text, sent.value, hp_ticket(proxy->owner, true, &ticket),
                                    &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, name, NULL);
}

PyObject *hp_attribute_del(PyObject *self, PyObject *name)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_bytes text;
    struct heapd_error error;
    heapd_ticket ticket;
    if (!connection || hp_name(name, &text))
        return NULL;
    int code = heapd_begin_del_attr(connection, proxy->handle, text, hp_ticket(proxy->owner, true, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, name, NULL);
}

PyObject *hp_attribute_increase(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyObject *name, *delta;
    struct heapd_bytes text;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "OO", &name, &delta) || hp_name(name, &text))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, delta, &sent))
        return NULL;
    int code = heapd_begin_add_attr(connection, proxy->handle, text, sent.value,
                                    hp_ticket(proxy->owner, false, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_VALUE, name, NULL);
}

/* ---- a class whose public attributes are the heap's ------------------------ */

static bool is_private(PyObject *name)
{
    return PyUnicode_GetLength(name) == 0 || PyUnicode_ReadChar(name, 0) == '_';
}

static PyObject *namespace_get(PyObject *self, PyObject *name)
{
    return is_private(name) ? PyObject_GenericGetAttr(self, name) : hp_attribute_get(self, name);
}

static int namespace_set(PyObject *self, PyObject *name, PyObject *value)
{
    if (is_private(name))
        return PyObject_GenericSetAttr(self, name, value);
    PyObject *arguments = value ? PyTuple_Pack(2, name, value) : NULL;
    PyObject *done = arguments ? hp_attribute_set(self, arguments) : value ? NULL : hp_attribute_del(self, name);
    Py_XDECREF(arguments);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static PyType_Slot namespace_slots[] = {
    {Py_tp_getattro, namespace_get},
    {Py_tp_setattro, namespace_set},
    {Py_tp_doc, (void *)(uintptr_t) "An instance whose attributes are read and set without a look at its class."},
    {0, NULL},
};
static PyType_Spec namespace_spec = {"heapd._heapd.Attributes", 0, 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     namespace_slots};

int hp_attribute_ready(PyObject *module)
{
    PyObject *class = PyType_FromSpecWithBases(&namespace_spec, (PyObject *)hp_proxy_type);
    int failed = class ? PyModule_AddObjectRef(module, "Attributes", class) : -1;
    Py_XDECREF(class);
    return failed;
}
