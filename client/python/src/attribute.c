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
