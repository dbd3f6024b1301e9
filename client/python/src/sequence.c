/* What lists and tuples do on the daemon, in one step each: slices, searching, sorting, copying; and get-or-create. */
#include "private.h"

/* A part of a slice: None is left out, what is beyond 64 bits is cut there, as Python does. */
static int part_of(PyObject *slice, const char *name, struct heapd_value *out)
{
    PyObject *part = PyObject_GetAttrString(slice, name);
    if (!part)
        return -1;
    int failed = 0;
    if (part == Py_None) {
        *out = heapd_none();
    } else if (!PyIndex_Check(part)) {
        PyErr_SetString(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
        failed = -1;
    } else {
        Py_ssize_t number = PyNumber_AsSsize_t(part, NULL);
        failed = number == -1 && PyErr_Occurred() ? -1 : 0;
        *out = heapd_int(number);
    }
    Py_DECREF(part);
    return failed;
}

static int range_of(PyObject *slice, struct heapd_range *out)
{
    if (part_of(slice, "start", &out->start) || part_of(slice, "stop", &out->stop) ||
        part_of(slice, "step", &out->step))
        return -1;
    if (out->step.kind == HEAPD_VALUE_INT && out->step.as.integer == 0) {
        PyErr_SetString(PyExc_ValueError, "slice step cannot be zero");
        return -1;
    }
    return 0;
}

static PyObject *read_shallow(struct hp_connection *owner, heapd_handle handle, PyObject *unused)
{
    (void)unused;
    return hp_read_shallow(owner, handle);
}

/* What is in the slice; where it has containers, the slice as a new object of the heap, which nobody else changes. */
PyObject *hp_sequence_read_slice(PyObject *self, PyObject *slice)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_range range;
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    if (range_of(slice, &range))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = heapd_begin_get_slice(connection, proxy->handle, range, HEAPD_OBJECT, &handle, &ticket, &error);
    return hp_made_and_read(proxy->owner, code, ticket, &error, handle, proxy->type, read_shallow, NULL);
}

PyObject *hp_sequence_set_slice(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyObject *slice, *values;
    struct heapd_range range;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "OO", &slice, &values) || range_of(slice, &range))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode_contents(proxy->owner, values, false, HEAPD_TYPE_LIST, &sent))
        return NULL;
    int code = heapd_begin_set_slice(connection, proxy->handle, range, sent.value,
                                     hp_ticket(proxy->owner, true, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

PyObject *hp_sequence_del_slice(PyObject *self, PyObject *slice)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_range range;
    struct heapd_error error;
    heapd_ticket ticket;
    if (range_of(slice, &range))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = heapd_begin_del_slice(connection, proxy->handle, range, hp_ticket(proxy->owner, true, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

PyObject *hp_sequence_extend_from(PyObject *self, PyObject *value)
{
    return hp_call_value(self, value, heapd_begin_extend_from, true, HP_NOTHING);
}

PyObject *hp_sequence_repeat(PyObject *self, PyObject *times)
{
    return hp_call_value(self, times, heapd_begin_repeat, true, HP_NOTHING);
}

PyObject *hp_sequence_reverse(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_call(self, heapd_begin_reverse, true, HP_NOTHING);
}

PyObject *hp_sequence_sort(PyObject *self, PyObject *reverse)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_ticket ticket;
    int descending = PyObject_IsTrue(reverse);
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || descending < 0)
        return NULL;
    int code = heapd_begin_sort(connection, proxy->handle, descending, hp_ticket(proxy->owner, true, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, HP_NOTHING, NULL, NULL);
}

/* search(mode, value, slice) */
PyObject *hp_sequence_search(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    int mode;
    PyObject *value, *slice;
    struct heapd_range range;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!PyArg_ParseTuple(arguments, "iOO", &mode, &value, &slice) || range_of(slice, &range))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || hp_encode(proxy->owner, value, &sent))
        return NULL;
    int code = heapd_begin_search(connection, proxy->handle, (enum heapd_search_mode)mode, sent.value, range,
                                  hp_ticket(proxy->owner, false, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, HP_VALUE, NULL, NULL);
}

/* copy(deep) */
PyObject *hp_sequence_copy(PyObject *self, PyObject *deep)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    int is_deep = PyObject_IsTrue(deep);
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection || is_deep < 0)
        return NULL;
    int code = heapd_begin_copy(connection, proxy->handle, is_deep, &handle, &ticket, &error);
    return hp_made(proxy->owner, code, ticket, &error, handle, proxy->type);
}

static int begin_set_default(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                             struct heapd_value value, heapd_ticket *ticket, struct heapd_error *error)
{
    return heapd_begin_dict_set_default(connection, dict, key, value, HEAPD_ANY, NULL, ticket, error);
}

/* setdefault(key[, default]) */
PyObject *hp_sequence_set_default(PyObject *self, PyObject *arguments)
{
    PyObject *key, *value = Py_None;
    if (!PyArg_ParseTuple(arguments, "O|O:setdefault", &key, &value))
        return NULL;
    return hp_call_pair(self, key, value, begin_set_default, false, HP_VALUE);
}

/* gather(view, reversed): keys, values or items as a new list of the heap. */
PyObject *hp_sequence_gather(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    int view, reversed;
    if (!PyArg_ParseTuple(arguments, "ip", &view, &reversed))
        return NULL;
    struct heapd_connection *connection = hp_open(proxy->owner);
    if (!connection)
        return NULL;
    int code = heapd_begin_gather(connection, heapd_ref(proxy->handle), (enum heapd_view)view, reversed,
                                  HEAPD_TYPE_LIST, &handle, &ticket, &error);
    return hp_made(proxy->owner, code, ticket, &error, handle, HEAPD_TYPE_LIST);
}

PyObject *hp_sequence_pop_item(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_dict_pop_item(connection, proxy->handle, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(proxy->owner, ticket, &result, NULL))
        return NULL;
    struct heapd_value pair[2] = {result.as.pair.key, result.as.pair.value};
    /* What they point to is the result's. */
    pair[0].memory = NULL;
    pair[1].memory = NULL;
    PyObject *key = hp_decode(proxy->owner, &pair[0]);
    PyObject *value = hp_decode(proxy->owner, &pair[1]);
    heapd_result_clear(&result);
    PyObject *out = key && value ? PyTuple_Pack(2, key, value) : NULL;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return out;
}
