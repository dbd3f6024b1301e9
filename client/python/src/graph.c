/*
 * From the heap to Python, whole: an object with all that it reaches. The library's export gives its nodes one after
 * the other; nothing recurses, so depth has no limit but memory.
 */
#include "private.h"

#include <stdlib.h>

struct level {
    enum heapd_node_kind kind;
    PyObject *object; /* own: a list, which becomes a tuple in the end, a dict or a set */
    PyObject *key;    /* own: of a dict, while its value comes */
    PyObject *name;   /* own: the class's name of an instance */
    uint64_t container;
    Py_ssize_t count; /* of a list or tuple: how many elements are there already */
    bool grows;       /* its list has no more than these: what follows is appended; else it has its places already */
};

struct reader {
    struct level *levels; /* own */
    size_t depth;
    size_t capacity;
    PyObject *containers; /* own: a dict of number to object; NULL until something is shared */
    PyObject *instance;   /* borrow: callable(class name, attributes) */
    PyObject *list;       /* own: finished objects by container number */
    PyObject *result;     /* own */
    bool shallow;         /* stops at a container that comes as a proxy */
    bool copies;
};

static int push(struct reader *reader, const struct heapd_node *node)
{
    if (reader->depth == reader->capacity) {
        size_t capacity = reader->capacity ? reader->capacity * 2 : 16;
        struct level *levels = realloc(reader->levels, capacity * sizeof *levels);
        if (!levels) {
            PyErr_NoMemory();
            return -1;
        }
        reader->levels = levels;
        reader->capacity = capacity;
    }
    struct level *level = &reader->levels[reader->depth];
    *level = (struct level){.kind = node->kind, .container = node->container};
    switch (node->kind) {
    case HEAPD_NODE_DICT:
    case HEAPD_NODE_INSTANCE:
        level->object = PyDict_New();
        break;
    case HEAPD_NODE_SET:
    case HEAPD_NODE_FROZENSET:
        level->object = PySet_New(NULL);
        break;
    default:
        level->object = node->count > PY_SSIZE_T_MAX ? PyErr_NoMemory() : PyList_New((Py_ssize_t)node->count);
        break;
    }
    if (level->object && node->kind == HEAPD_NODE_INSTANCE)
        level->name = hp_decode_scalar(&node->value);
    if (!level->object || (node->kind == HEAPD_NODE_INSTANCE && !level->name)) {
        Py_XDECREF(level->object);
        return -1;
    }
    reader->depth++;
    /* By number, so that a shared one is found; a tuple only when it is whole. */
    bool is_late =
        node->kind == HEAPD_NODE_TUPLE || node->kind == HEAPD_NODE_INSTANCE || node->kind == HEAPD_NODE_FROZENSET;
    PyObject *known = is_late ? Py_None : level->object;
    return PyList_Append(reader->list, known);
}

/* Steals the object. */
static int give(struct reader *reader, PyObject *object)
{
    int failed = -1;
    if (!object)
        return -1;
    if (reader->depth == 0) {
        Py_XDECREF(reader->result);
        reader->result = object;
        return 0;
    }
    struct level *level = &reader->levels[reader->depth - 1];
    switch (level->kind) {
    case HEAPD_NODE_DICT:
    case HEAPD_NODE_INSTANCE:
        if (!level->key) {
            level->key = object;
            return 0;
        }
        failed = PyDict_SetItem(level->object, level->key, object);
        Py_DECREF(level->key);
        level->key = NULL;
        break;
    case HEAPD_NODE_SET:
    case HEAPD_NODE_FROZENSET:
        failed = PySet_Add(level->object, object);
        break;
    default:
        if (!level->grows)
            return PyList_SetItem(level->object, level->count++, object);
        failed = PyList_Append(level->object, object);
        level->count++;
        break;
    }
    Py_DECREF(object);
    return failed;
}

static int pop(struct reader *reader)
{
    struct level *level = &reader->levels[--reader->depth];
    PyObject *object = level->object;
    if (level->kind == HEAPD_NODE_TUPLE) {
        object = PyList_AsTuple(level->object);
        Py_DECREF(level->object);
        /* A copy stands for what is in it. */
        if (object && reader->shallow && reader->copies && reader->depth == 1 && hp_is_marked(object)) {
            PyObject *inside = PyTuple_GetItem(object, 1);
            Py_INCREF(inside);
            Py_DECREF(object);
            object = inside;
        }
    } else if (level->kind == HEAPD_NODE_FROZENSET) {
        object = PyFrozenSet_New(level->object);
        Py_DECREF(level->object);
    } else if (level->kind == HEAPD_NODE_INSTANCE && reader->instance && reader->instance != Py_None) {
        object = PyObject_CallFunctionObjArgs(reader->instance, level->name, level->object, NULL);
        Py_DECREF(level->object);
    }
    Py_XDECREF(level->name);
    Py_XDECREF(level->key);
    if (object && object != level->object) {
        Py_INCREF(object);
        if (PyList_SetItem(reader->list, (Py_ssize_t)level->container, object)) {
            Py_DECREF(object);
            return -1;
        }
    }
    return give(reader, object);
}

static int take_node(struct reader *reader, const struct heapd_node *node)
{
    switch (node->kind) {
    case HEAPD_NODE_VALUE:
        return give(reader, hp_decode_scalar(&node->value));
    case HEAPD_NODE_END:
        return pop(reader);
    case HEAPD_NODE_SHARED: {
        PyObject *known = PyList_GetItem(reader->list, (Py_ssize_t)node->container);
        if (!known)
            return -1;
        if (known == Py_None) {
            PyErr_SetString(PyExc_ValueError, "a tuple or an instance that contains itself has no plain form");
            return -1;
        }
        Py_INCREF(known);
        return give(reader, known);
    }
    default:
        return push(reader, node);
    }
}

static void reader_fini(struct reader *reader)
{
    for (size_t i = 0; i < reader->depth; i++) {
        Py_XDECREF(reader->levels[i].object);
        Py_XDECREF(reader->levels[i].key);
        Py_XDECREF(reader->levels[i].name);
    }
    free(reader->levels);
    Py_XDECREF(reader->containers);
    Py_XDECREF(reader->list);
    Py_XDECREF(reader->result);
}

/* In a shallow read: is this a container that the program gets as a proxy? Keys and copies are values. */
static bool is_proxy(const struct reader *reader, const struct heapd_node *node)
{
    if (reader->depth != 1 || node->is_key)
        return false;
    switch (node->kind) {
    case HEAPD_NODE_LIST:
    case HEAPD_NODE_DICT:
    case HEAPD_NODE_INSTANCE:
    case HEAPD_NODE_SHARED:
        return true;
    case HEAPD_NODE_TUPLE:
    case HEAPD_NODE_SET:
    case HEAPD_NODE_FROZENSET:
        return !reader->copies;
    case HEAPD_NODE_VALUE:
    case HEAPD_NODE_END:
        return false;
    default:
        return true;
    }
}

static int put_ints(struct level *level, const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PyObject *number = PyLong_FromLong(values[i]);
        if (!number)
            return -1;
        if (level->grows) {
            int failed = PyList_Append(level->object, number);
            Py_DECREF(number);
            if (failed)
                return -1;
            level->count++;
        } else if (PyList_SetItem(level->object, level->count++, number)) {
            return -1;
        }
    }
    return 0;
}

/* From here on a list that the interpreter makes of an array is faster than an element at a time over the stable ABI.
 */
#define MANY_INTS 64

static int put_many_ints(struct level *level, const int64_t *values, size_t count)
{
    PyObject *bytes =
        PyMemoryView_FromMemory((char *)(uintptr_t)values, (Py_ssize_t)(count * sizeof *values), PyBUF_READ);
    PyObject *array = bytes ? PyObject_CallMethod(bytes, "cast", "s", "q") : NULL;
    PyObject *list = array ? PyObject_CallMethod(array, "tolist", NULL) : NULL;
    int failed = list ? 0 : -1;
    /* At a list's end they cost a third of what they cost in the place of others. */
    if (!failed && level->count == 0 && !level->grows) {
        failed = PyList_SetSlice(level->object, 0, PyList_Size(level->object), NULL);
        level->grows = true;
    }
    if (!failed)
        failed = PyList_SetSlice(level->object, level->count, level->count + (Py_ssize_t)count, list);
    level->count += (Py_ssize_t)count;
    Py_XDECREF(list);
    Py_XDECREF(array);
    Py_XDECREF(bytes);
    return failed;
}

/* The ints that come next in a list or tuple, which is what long containers mostly hold. */
static int read_ints(struct heapd_export *export, struct reader *reader)
{
    struct heapd_error error;
    const int64_t *values;
    size_t count;
    if (reader->depth == 0)
        return 0;
    struct level *level = &reader->levels[reader->depth - 1];
    if (level->kind != HEAPD_NODE_LIST && level->kind != HEAPD_NODE_TUPLE)
        return 0;
    if (heapd_export_ints(export, &values, &count, &error)) {
        hp_raise(&error, NULL);
        return -1;
    }
    return count < MANY_INTS ? put_ints(level, values, count) : put_many_ints(level, values, count);
}

/* Until there is a node to read. -1: a signal's handler raised. */
static int await_part(struct heapd_export *export)
{
    while (heapd_export_wait(export, 0)) {
        int code;
        Py_BEGIN_ALLOW_THREADS code = heapd_export_wait(export, HP_LOOK_MS);
        Py_END_ALLOW_THREADS if (code && PyErr_CheckSignals()) return -1;
    }
    return 0;
}

static int read_graph(struct heapd_export *export, struct reader *reader)
{
    struct heapd_error error;
    struct heapd_node node;
    int code;
    for (;;) {
        /* Most nodes are in memory, and only who waits for a part gives up the GIL. */
        if (await_part(export) || read_ints(export, reader))
            return -1;
        if (await_part(export))
            return -1;
        code = heapd_export_next(export, &node, &error);
        if (code <= 0)
            break;
        if (reader->shallow && is_proxy(reader, &node)) {
            Py_CLEAR(reader->result);
            Py_INCREF(Py_None);
            reader->result = Py_None;
            return 0;
        }
        if (take_node(reader, &node))
            return -1;
    }
    if (code < 0)
        hp_raise(&error, NULL);
    return code;
}

static PyObject *export_with(struct hp_connection *owner, heapd_handle handle, struct reader reader)
{
    struct heapd_export *export;
    struct heapd_error error;
    int code;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    reader.list = PyList_New(0);
    if (!reader.list)
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_export_open(connection, handle, 0, &export, &error);
    Py_END_ALLOW_THREADS if (code)
    {
        hp_leave(owner);
        reader_fini(&reader);
        return hp_raise(&error, NULL);
    }
    code = read_graph(export, &reader);
    heapd_export_close(export);
    hp_leave(owner);
    PyObject *result = NULL;
    if (!code) {
        result = reader.result;
        reader.result = NULL;
    }
    reader_fini(&reader);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the daemon sent an empty object");
    return result;
}

PyObject *hp_export(struct hp_connection *owner, heapd_handle handle, PyObject *instance)
{
    return export_with(owner, handle, (struct reader){.instance = instance});
}

PyObject *hp_read_shallow(struct hp_connection *owner, heapd_handle handle)
{
    return export_with(owner, handle, (struct reader){.shallow = true, .copies = owner->copies});
}
