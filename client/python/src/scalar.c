/* Between Python's scalars and the heap's values, and what becomes of an answer. */
#include "private.h"

/* ---- numbers and names */

PyObject *hp_big_int(const struct heapd_bytes *bytes)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyLong_Type, "from_bytes");
    PyObject *arguments = Py_BuildValue("(y#s)", bytes->data, (Py_ssize_t)bytes->size, "little");
    PyObject *keywords = Py_BuildValue("{s:O}", "signed", Py_True);
    PyObject *result = NULL;
    if (method && arguments && keywords)
        result = PyObject_Call(method, arguments, keywords);
    Py_XDECREF(method);
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    return result;
}

/* The two's complement of an int that does not fit 64 bits. New. */
static PyObject *int_bytes(PyObject *number)
{
    PyObject *bits = PyObject_CallMethod(number, "bit_length", NULL);
    if (!bits)
        return NULL;
    size_t bit_count = PyLong_AsSize_t(bits);
    Py_DECREF(bits);
    if (bit_count == (size_t)-1 && PyErr_Occurred())
        return NULL;
    PyObject *method = PyObject_GetAttrString(number, "to_bytes");
    PyObject *arguments = Py_BuildValue("(ns)", (Py_ssize_t)(bit_count / 8 + 1), "little");
    PyObject *keywords = Py_BuildValue("{s:O}", "signed", Py_True);
    PyObject *result = NULL;
    if (method && arguments && keywords)
        result = PyObject_Call(method, arguments, keywords);
    Py_XDECREF(method);
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    return result;
}

int hp_name(PyObject *object, struct heapd_bytes *out)
{
    Py_ssize_t size;
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a name must be a str, not %R", Py_TYPE(object));
        return -1;
    }
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text)
        return -1;
    *out = heapd_slice(text, (size_t)size);
    return 0;
}

/* ---- scalars */

int hp_scalar(PyObject *object, struct heapd_value *out, PyObject **held)
{
    if (PyLong_CheckExact(object)) {
        int overflow;
        long number = PyLong_AsLongAndOverflow(object, &overflow);
        if (number == -1 && !overflow && PyErr_Occurred())
            return -1;
        if (overflow) {
            char *data;
            Py_ssize_t size;
            *held = int_bytes(object);
            if (!*held || PyBytes_AsStringAndSize(*held, &data, &size))
                return -1;
            *out = heapd_big_int(data, (size_t)size);
        } else {
            *out = heapd_int(number);
        }
    } else if (PyUnicode_CheckExact(object)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(object, &size);
        if (!text)
            return -1;
        *out = heapd_str_of(text, (size_t)size);
    } else if (object == Py_None) {
        *out = heapd_none();
    } else if (PyBool_Check(object)) {
        *out = heapd_bool(object == Py_True);
    } else if (PyFloat_CheckExact(object)) {
        *out = heapd_float(PyFloat_AsDouble(object));
    } else if (PyBytes_CheckExact(object)) {
        char *data;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(object, &data, &size))
            return -1;
        *out = heapd_bytes_of(data, (size_t)size);
    } else {
        return HP_NEEDS_HELP;
    }
    return 0;
}

/* ---- from the heap */

PyObject *hp_proxy_new(struct hp_connection *owner, heapd_handle handle, int type)
{
    PyTypeObject *class = hp_proxy_type;
    if (type > 0 && type < HP_TYPES && owner->types[type])
        class = (PyTypeObject *)owner->types[type];
    static allocfunc allocate;
    if (!allocate)
        allocate = (allocfunc)PyType_GetSlot(hp_proxy_type, Py_tp_alloc);
    struct hp_proxy *proxy = (struct hp_proxy *)allocate(class, 0);
    if (!proxy) {
        (void)heapd_release(owner->connection, handle);
        return NULL;
    }
    proxy->owner = owner;
    Py_INCREF((PyObject *)owner);
    proxy->handle = handle;
    proxy->type = type;
    return (PyObject *)proxy;
}

/* A scalar that is too long to come with the reply. */
static PyObject *read_all(struct hp_connection *owner, heapd_handle handle)
{
    struct heapd_value value = {0};
    struct heapd_error error;
    int code;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_read_all(owner->connection, handle, &value, &error);
    Py_END_ALLOW_THREADS(void) heapd_release(owner->connection, handle);
    hp_leave(owner);
    return code ? hp_raise(&error, NULL) : hp_decode(owner, &value);
}

static PyObject *read_int(struct hp_connection *owner, heapd_handle handle)
{
    PyObject *number = hp_export(owner, handle, NULL);
    (void)heapd_release(owner->connection, handle);
    return number;
}

PyObject *hp_wrap(struct hp_connection *owner, heapd_handle handle, int type)
{
    switch (type) {
    case HEAPD_TYPE_STR:
    case HEAPD_TYPE_BYTES:
        return read_all(owner, handle);
    case HEAPD_TYPE_NONE:
    case HEAPD_TYPE_BOOL:
    case HEAPD_TYPE_FLOAT:
    case HEAPD_TYPE_INT:
        return read_int(owner, handle);
    default:
        break;
    }
    PyObject *proxy = hp_proxy_new(owner, handle, type);
    if (!proxy || (type > 0 && type < HP_TYPES && owner->types[type]) || owner->wrap == Py_None)
        return proxy;
    PyObject *wrapped = PyObject_CallFunctionObjArgs(owner->wrap, proxy, NULL);
    Py_DECREF(proxy);
    return wrapped;
}

PyObject *hp_decode_scalar(const struct heapd_value *value)
{
    switch (value->kind) {
    case HEAPD_VALUE_BOOL:
        return PyBool_FromLong(value->as.boolean);
    case HEAPD_VALUE_INT:
        return PyLong_FromLong(value->as.integer);
    case HEAPD_VALUE_BIG_INT:
        return hp_big_int(&value->as.bytes);
    case HEAPD_VALUE_FLOAT:
        return PyFloat_FromDouble(value->as.real);
    case HEAPD_VALUE_STR:
        return PyUnicode_FromStringAndSize(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size);
    case HEAPD_VALUE_BYTES:
        return PyBytes_FromStringAndSize(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size);
    default:
        Py_RETURN_NONE;
    }
}

PyObject *hp_decode(struct hp_connection *owner, struct heapd_value *value)
{
    if (value->kind == HEAPD_VALUE_REF)
        return hp_wrap(owner, value->as.ref, (int)value->type);
    PyObject *object = hp_decode_scalar(value);
    heapd_value_clear(value);
    return object;
}
