/* New objects: containers, classes, instances, and references by token. Methods of connections. */
#include "private.h"

#include <string.h>

#define CONNECTION(self) ((struct hp_connection *)(self))

static int kind_of(const char *name)
{
    static const struct {
        const char *name;
        int type;
    } kinds[] = {{"list", HEAPD_TYPE_LIST},
                 {"tuple", HEAPD_TYPE_TUPLE},
                 {"dict", HEAPD_TYPE_DICT},
                 {"set", HEAPD_TYPE_SET},
                 {"frozenset", HEAPD_TYPE_FROZENSET}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].type;
    PyErr_Format(PyExc_ValueError, "no kind of container: %s", name);
    return -1;
}

/* new(kind, contents): the request is begun and the proxy is there at once, but waited for, so that failures show. */
PyObject *hp_create_container(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    const char *name;
    PyObject *contents;
    struct hp_value sent;
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket = 0;
    if (!PyArg_ParseTuple(arguments, "sO", &name, &contents))
        return NULL;
    int type = kind_of(name);
    struct heapd_connection *connection = hp_open(owner);
    if (type < 0 || !connection)
        return NULL;
    if (hp_encode_contents(owner, contents, type == HEAPD_TYPE_DICT, type, &sent))
        return NULL;
    bool waits = !hp_in_pipeline(owner);
    int code = heapd_begin_create(connection, sent.literal, NULL, 0, NULL, &handle, waits ? &ticket : NULL, &error);
    hp_value_done(&sent);
    if (code)
        return hp_raise(&error, NULL);
    owner->unreported |= !waits;
    return waits ? hp_made(owner, 0, ticket, NULL, handle, type) : hp_proxy_new(owner, handle, type);
}

PyObject *hp_create_class(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *name, *fields;
    struct heapd_bytes text;
    struct heapd_bytes attributes[256];
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "OO!", &name, &PyTuple_Type, &fields) || hp_name(name, &text))
        return NULL;
    Py_ssize_t count = PyTuple_Size(fields);
    if (count > 256) {
        PyErr_SetString(PyExc_ValueError, "a class of more than 256 attributes");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (hp_name(PyTuple_GetItem(fields, i), &attributes[i]))
            return NULL;
    int code = heapd_begin_create_class(connection, text, 0, attributes, (size_t)count, &handle, &ticket, &error);
    return hp_made(owner, code, ticket, &error, handle, HEAPD_TYPE_CLASS);
}

/* instance(class, attributes): a new instance, in one request. */
PyObject *hp_create_instance(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *class, *attributes, *key, *value;
    struct hp_value sent[256];
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket = 0;
    Py_ssize_t position = 0;
    size_t count = 0;
    if (!PyArg_ParseTuple(arguments, "O!O!", hp_proxy_type, &class, &PyDict_Type, &attributes))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    /* The instance is made empty and its attributes are set behind it: one write, and one reply that is waited for. */
    struct heapd_literal *literal = heapd_literal_new();
    if (!literal)
        return PyErr_NoMemory();
    (void)heapd_literal_open_instance(literal, ((struct hp_proxy *)class)->handle);
    int failed = 0;
    while (!failed && PyDict_Next(attributes, &position, &key, &value)) {
        struct heapd_bytes text;
        if (count == 256) {
            PyErr_SetString(PyExc_ValueError, "an instance of more than 256 attributes");
            failed = -1;
        } else if (!(failed = hp_name(key, &text)) && !(failed = hp_encode(owner, value, &sent[count]))) {
            count++;
            if (sent[count - 1].value.kind != HEAPD_VALUE_LITERAL) {
                (void)heapd_literal_add(literal, heapd_str_of(text.data, text.size));
                (void)heapd_literal_add(literal, sent[count - 1].value);
            }
        }
    }
    (void)heapd_literal_close(literal);
    int code = 0;
    if (!failed)
        code = heapd_begin_create(connection, literal, NULL, 0, NULL, &handle, &ticket, &error);
    heapd_literal_free(literal);
    position = 0;
    for (size_t i = 0; !failed && !code && i < count && PyDict_Next(attributes, &position, &key, &value); i++) {
        struct heapd_bytes text;
        if (sent[i].value.kind != HEAPD_VALUE_LITERAL || hp_name(key, &text))
            continue;
        heapd_forget(connection, ticket);
        code = heapd_begin_set_attr(connection, handle, text, sent[i].value, &ticket, &error);
    }
    for (size_t i = 0; i < count; i++)
        hp_value_done(&sent[i]);
    if (failed)
        return NULL;
    return hp_made(owner, code, ticket, &error, handle, HEAPD_TYPE_INSTANCE);
}

PyObject *hp_create_redeem(PyObject *self, PyObject *secret)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    char *data;
    Py_ssize_t size;
    if (!connection || PyBytes_AsStringAndSize(secret, &data, &size))
        return NULL;
    if (heapd_begin_redeem_token(connection, heapd_slice(data, (size_t)size), NULL, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    return hp_decode(owner, &result.value);
}
