/* The names of the heap. Methods of connections. */
#include "private.h"

#define CONNECTION(self) ((struct hp_connection *)(self))

PyObject *hp_names_bind(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *name, *value;
    struct heapd_bytes text;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "OO", &name, &value) || hp_name(name, &text) ||
        hp_encode(owner, value, &sent))
        return NULL;
    int code = heapd_begin_bind(connection, HEAPD_GLOBAL, text, sent.value, hp_ticket(owner, true, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(owner, code, ticket, &error, HP_NOTHING, name, NULL);
}

PyObject *hp_names_lookup(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *name;
    struct heapd_bytes text;
    struct heapd_error error;
    heapd_ticket ticket;
    double timeout = 0;
    if (!PyArg_ParseTuple(arguments, "O|d", &name, &timeout) || hp_name(name, &text))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    uint64_t wait_ms = timeout <= 0 ? 0 : timeout > 1e12 ? UINT64_MAX / 2 : (uint64_t)(timeout * 1000);
    int code = heapd_begin_lookup(connection, HEAPD_GLOBAL, text, HEAPD_ANY, wait_ms, NULL,
                                  hp_ticket(owner, false, &ticket), &error);
    return hp_answer(owner, code, ticket, &error, HP_VALUE, name, NULL);
}

PyObject *hp_names_unbind(PyObject *self, PyObject *name)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_bytes text;
    struct heapd_error error;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || hp_name(name, &text))
        return NULL;
    int code = heapd_begin_unbind(connection, HEAPD_GLOBAL, text, hp_ticket(owner, true, &ticket), &error);
    return hp_answer(owner, code, ticket, &error, HP_NOTHING, name, NULL);
}

static int append_names(PyObject *list, const struct heapd_name_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        PyObject *name = PyUnicode_FromStringAndSize(names->items[i].name.data, (Py_ssize_t)names->items[i].name.size);
        int failed = name ? PyList_Append(list, name) : -1;
        Py_XDECREF(name);
        if (failed)
            return -1;
    }
    return 0;
}

PyObject *hp_names_list(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    const char *prefix = "";
    Py_ssize_t prefix_size = 0;
    struct heapd_error error;
    uint64_t start = 0;
    if (!PyArg_ParseTuple(arguments, "|s#", &prefix, &prefix_size))
        return NULL;
    PyObject *list = PyList_New(0);
    while (list) {
        struct heapd_result result = {0};
        heapd_ticket ticket;
        struct heapd_connection *connection = hp_open(owner);
        int code = connection
                       ? heapd_begin_list_names(connection, HEAPD_GLOBAL, heapd_slice(prefix, (size_t)prefix_size),
                                                start, 0, &ticket, &error)
                       : -1;
        if (code) {
            if (connection)
                hp_raise(&error, NULL);
            Py_CLEAR(list);
            break;
        }
        if (hp_wait(owner, ticket, &result, NULL)) {
            Py_CLEAR(list);
            break;
        }
        int failed = append_names(list, &result.as.names);
        start = result.as.names.next;
        heapd_result_clear(&result);
        if (failed)
            Py_CLEAR(list);
        if (failed || start == 0)
            break;
    }
    return list;
}

PyObject *hp_names_increase(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *name, *delta;
    struct heapd_bytes text;
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "OO", &name, &delta) || hp_name(name, &text) ||
        hp_encode(owner, delta, &sent))
        return NULL;
    int code =
        heapd_begin_add_name(connection, HEAPD_GLOBAL, text, sent.value, hp_ticket(owner, false, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(owner, code, ticket, &error, HP_VALUE, name, NULL);
}
