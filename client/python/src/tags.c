/* Tags, interned strs, and sums of what there is. */
#include "private.h"

#include <heapd/inspect.h>
#include <heapd/tags.h>

#define CONNECTION(self) ((struct hp_connection *)(self))

static PyObject *tag_text(const struct heapd_tag *tag)
{
    return PyUnicode_DecodeUTF8(tag->text, (Py_ssize_t)tag->size, "strict");
}

/* _set_tag(tag or None: only ask) -> the one that there was */
PyObject *hp_tags_set(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    struct heapd_tag before;
    const char *text = NULL;
    Py_ssize_t size = 0;
    int code;
    if (!connection || !PyArg_ParseTuple(arguments, "z#", &text, &size))
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = text ? heapd_set_tag(connection, heapd_slice(text, (size_t)size), &before, &error)
                                       : heapd_get_tag(connection, &before, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    return code ? hp_raise(&error, NULL) : tag_text(&before);
}

/* _tag_object(proxy, tag or None: only ask) -> the one that it had */
PyObject *hp_tags_object(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    struct heapd_tag before;
    PyObject *object;
    const char *text = NULL;
    Py_ssize_t size = 0;
    int code;
    if (!connection || !PyArg_ParseTuple(arguments, "O!z#", hp_proxy_type, &object, &text, &size))
        return NULL;
    heapd_handle handle = ((struct hp_proxy *)object)->handle;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code =
        text ? heapd_tag_object(connection, handle, heapd_slice(text, (size_t)size), &before, &error)
             : heapd_get_object_tag(connection, handle, &before, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    return code ? hp_raise(&error, NULL) : tag_text(&before);
}

/* _intern(text, hold) -> a proxy of the str */
PyObject *hp_tags_intern(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    heapd_handle handle;
    PyObject *what;
    const char *text;
    Py_ssize_t size;
    int hold, code;
    if (!connection || !PyArg_ParseTuple(arguments, "Up", &what, &hold) ||
        !(text = PyUnicode_AsUTF8AndSize(what, &size)))
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code =
        heapd_intern(connection, heapd_str_of(text, (size_t)size), hold != 0, &handle, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    return code ? hp_raise(&error, NULL) : hp_proxy_new(owner, handle, HEAPD_TYPE_STR);
}

/* _let_go(text) -> was it held? */
PyObject *hp_tags_let_go(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    PyObject *what;
    const char *text;
    Py_ssize_t size;
    bool was_held = false;
    int code;
    if (!connection || !PyArg_ParseTuple(arguments, "U", &what) || !(text = PyUnicode_AsUTF8AndSize(what, &size)))
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_intern_let_go(connection, heapd_str_of(text, (size_t)size), &was_held, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    return code ? hp_raise(&error, NULL) : PyBool_FromLong(was_held);
}

/* ((name, count, shallow bytes, retained bytes), ...) */
static PyObject *sums_tuple(const struct heapd_sums *sums, bool types)
{
    PyObject *out = PyTuple_New((Py_ssize_t)sums->count);
    for (size_t i = 0; out && i < sums->count; i++) {
        const struct heapd_sum *sum = &sums->rows[i];
        const char *name = types ? heapd_type_name(sum->type) : sum->name.data ? sum->name.data : "";
        PyObject *row = Py_BuildValue("s#KKK", name, (Py_ssize_t)(types ? strlen(name) : sum->name.size),
                                      (unsigned long long)sum->count, (unsigned long long)sum->shallow_bytes,
                                      (unsigned long long)sum->retained_bytes);
        if (row)
            PyTuple_SetItem(out, (Py_ssize_t)i, row);
        else
            Py_CLEAR(out);
    }
    return out;
}

/* Of sessions alone: ((session, name, count, retained bytes), ...) */
static PyObject *sessions_list(const struct heapd_sums *sums)
{
    PyObject *out = PyList_New(0);
    for (size_t i = 0; out && i < sums->count; i++) {
        const struct heapd_sum *sum = &sums->rows[i];
        if (sum->root.kind != HEAPD_ROOT_SESSION)
            continue;
        PyObject *row = Py_BuildValue("KsKK", (unsigned long long)sum->root.session,
                                      sum->root.client_name ? sum->root.client_name : "",
                                      (unsigned long long)sum->count, (unsigned long long)sum->retained_bytes);
        if (!row || PyList_Append(out, row))
            Py_CLEAR(out);
        Py_XDECREF(row);
    }
    return out;
}

/* _census(count) -> heap, created, count, bytes, reachable count, reachable bytes, types, classes, names, tags,
 * sessions */
PyObject *hp_inspect_census(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_report report = {0};
    struct heapd_error error;
    unsigned count;
    int code;
    if (!connection || !PyArg_ParseTuple(arguments, "I", &count))
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_census(connection, count, &report, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    if (code)
        return hp_raise(&error, NULL);
    const struct heapd_count *from = &report.as.census;
    PyObject *types = sums_tuple(&from->types, true), *classes = sums_tuple(&from->classes, false);
    PyObject *names = sums_tuple(&from->names, false), *tags = sums_tuple(&from->tags, false);
    PyObject *sessions = sessions_list(&from->sources), *out = NULL;
    if (types && classes && names && tags && sessions)
        out = Py_BuildValue("KKKKKKOOOOO", (unsigned long long)from->heap, (unsigned long long)from->created,
                            (unsigned long long)from->count, (unsigned long long)from->bytes,
                            (unsigned long long)from->reachable_count, (unsigned long long)from->reachable_bytes, types,
                            classes, names, tags, sessions);
    Py_XDECREF(types);
    Py_XDECREF(classes);
    Py_XDECREF(names);
    Py_XDECREF(tags);
    Py_XDECREF(sessions);
    heapd_report_clear(&report);
    return out;
}
