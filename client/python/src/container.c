/* What lists, dicts and sets do, an element or many at a time. Methods of proxies. */
#include "private.h"

PyObject *hp_container_append(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_append, true, HP_NOTHING);
}

PyObject *hp_container_add(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_set_add, true, HP_NOTHING);
}

PyObject *hp_container_discard(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_set_discard, true, HP_NOTHING);
}

PyObject *hp_container_discard_known(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_set_discard, false, HP_PRESENCE);
}

/* An index as list methods take it: beyond 64 bits is beyond every list. */
static int index_of(PyObject *object, int64_t *out)
{
    Py_ssize_t index = PyNumber_AsSsize_t(object, NULL);
    if (index == -1 && PyErr_Occurred())
        return -1;
    *out = index;
    return 0;
}

PyObject *hp_container_insert(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyObject *position, *value;
    int64_t index;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "OO:insert", &position, &value) || index_of(position, &index))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, value, &sent))
        return NULL;
    int code = heapd_begin_insert(connection, proxy->handle, index, sent.value, hp_ticket(proxy->owner, true, &ticket),
                                  &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

static PyObject *pop(PyObject *self, PyObject *key, enum hp_form form, PyObject *extra)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct hp_value sent = {.value = heapd_value_make(HEAPD_VALUE_ABSENT)};
    heapd_ticket ticket;
    if (!connection || (key && hp_encode(proxy->owner, key, &sent)))
        return NULL;
    int code = heapd_begin_pop(connection, proxy->handle, sent.value, HEAPD_ANY, NULL,
                               hp_ticket(proxy->owner, false, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, form, key, extra);
}

/* pop(), pop(index), of a list or a set. */
PyObject *hp_container_pop_last(PyObject *self, PyObject *arguments)
{
    PyObject *index = NULL;
    if (!PyArg_ParseTuple(arguments, "|O:pop", &index))
        return NULL;
    if (!index)
        return pop(self, NULL, HP_VALUE, NULL);
    PyObject *number = PyNumber_Index(index);
    PyObject *result = number ? pop(self, number, HP_VALUE, NULL) : NULL;
    Py_XDECREF(number);
    return result;
}

/* pop(key[, default]) of a dict. */
PyObject *hp_container_pop_key(PyObject *self, PyObject *arguments)
{
    PyObject *key, *otherwise = NULL;
    if (!PyArg_ParseTuple(arguments, "O|O:pop", &key, &otherwise))
        return NULL;
    return pop(self, key, otherwise ? HP_DEFAULT : HP_VALUE, otherwise);
}

PyObject *hp_container_clear(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_clear, true, HP_NOTHING);
}

static PyObject *extend(PyObject *self, PyObject *iterable, bool pairs)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!connection || hp_encode_contents(proxy->owner, iterable, pairs, 0, &sent))
        return NULL;
    if (heapd_literal_top_count(sent.literal) == 0) {
        hp_value_done(&sent);
        Py_RETURN_NONE;
    }
    int code = heapd_begin_extend(connection, proxy->handle, sent.literal, NULL, 0, NULL,
                                  hp_ticket(proxy->owner, true, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

PyObject *hp_container_extend(PyObject *self, PyObject *iterable)
{
    return extend(self, iterable, false);
}

PyObject *hp_container_update(PyObject *self, PyObject *iterable)
{
    return extend(self, iterable, true);
}

PyObject *hp_container_increase(PyObject *self, PyObject *arguments)
{
    PyObject *key, *delta;
    if (!PyArg_ParseTuple(arguments, "OO", &key, &delta))
        return NULL;
    return hp_call_pair(self, key, delta, heapd_begin_add_item, false, HP_VALUE);
}
