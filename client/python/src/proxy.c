/*
 * Proxy: one handle, and the operations that are one request each. The Python classes (List, Dict, ...) inherit these
 * under the names that Python's own types have; what takes several requests is written in Python on top.
 */
#include "private.h"

#include <string.h>
#include <structmember.h>

PyTypeObject *hp_proxy_type;

static void proxy_dealloc(PyObject *self)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (proxy->weak)
        PyObject_ClearWeakRefs(self);
    /* Gathered, and sent in front of the next request. In a forked child it does nothing. */
    if (proxy->owner && proxy->owner->connection)
        (void)heapd_release(proxy->owner->connection, proxy->handle);
    Py_XDECREF((PyObject *)proxy->owner);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int proxy_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)HP_PROXY(self)->owner);
    return 0;
}

/* ---- slots */

static PyObject *get_item(PyObject *self, PyObject *key, enum hp_form form, PyObject *extra)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!connection || hp_encode(proxy->owner, key, &sent))
        return NULL;
    int code = heapd_begin_get_item(connection, proxy->handle, sent.value, HEAPD_ANY, NULL,
                                    hp_ticket(proxy->owner, false, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, form, key, extra);
}

static bool is_sequence(PyObject *self)
{
    return HP_PROXY(self)->type == HEAPD_TYPE_LIST || HP_PROXY(self)->type == HEAPD_TYPE_TUPLE;
}

/* The int of what stands for an index. New. */
static PyObject *index_for(PyObject *self, PyObject *key)
{
    if (PyIndex_Check(key))
        return PyNumber_Index(key);
    PyObject *name = PyType_GetName(Py_TYPE(key));
    if (name)
        PyErr_Format(PyExc_TypeError, "%s indices must be integers or slices, not %U",
                     heapd_type_name((enum heapd_type)HP_PROXY(self)->type), name);
    Py_XDECREF(name);
    return NULL;
}

static PyObject *proxy_subscript(PyObject *self, PyObject *key)
{
    if (PySlice_Check(key))
        return PyObject_CallMethod(self, "_get_slice", "O", key);
    if (!is_sequence(self) || PyLong_CheckExact(key))
        return get_item(self, key, HP_VALUE, NULL);
    PyObject *index = index_for(self, key);
    PyObject *result = index ? get_item(self, index, HP_VALUE, NULL) : NULL;
    Py_XDECREF(index);
    return result;
}

static PyObject *set_item(PyObject *self, PyObject *key, PyObject *value)
{
    return value ? hp_call_pair(self, key, value, heapd_begin_set_item, true, HP_NOTHING)
                 : hp_call_value(self, key, heapd_begin_del_item, true, HP_NOTHING);
}

static int proxy_ass_subscript(PyObject *self, PyObject *key, PyObject *value)
{
    PyObject *done;
    if (PySlice_Check(key)) {
        done = value ? PyObject_CallMethod(self, "_set_slice", "OO", key, value)
                     : PyObject_CallMethod(self, "_del_slice", "O", key);
    } else if (!is_sequence(self) || PyLong_CheckExact(key)) {
        done = set_item(self, key, value);
    } else {
        PyObject *index = index_for(self, key);
        done = index ? set_item(self, index, value) : NULL;
        Py_XDECREF(index);
    }
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static Py_ssize_t proxy_length(PyObject *self)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket = 0;
    if (!connection)
        return -1;
    int code = heapd_begin_length(connection, proxy->handle, &ticket, &error);
    if (hp_wait_here(proxy->owner, code, ticket, &error, &result))
        return -1;
    return (Py_ssize_t)result.value.as.integer;
}

static int proxy_contains(PyObject *self, PyObject *key)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    struct hp_value sent;
    heapd_ticket ticket = 0;
    if (!connection || hp_encode(proxy->owner, key, &sent))
        return -1;
    int code = heapd_begin_contains(connection, proxy->handle, sent.value, &ticket, &error);
    hp_value_done(&sent);
    if (hp_wait_here(proxy->owner, code, ticket, &error, &result))
        return -1;
    return result.value.as.boolean;
}

static int proxy_bool(PyObject *self)
{
    switch (HP_PROXY(self)->type) {
    case HEAPD_TYPE_LIST:
    case HEAPD_TYPE_TUPLE:
    case HEAPD_TYPE_DICT:
    case HEAPD_TYPE_SET:
    case HEAPD_TYPE_FROZENSET:
        break;
    default:
        return 1;
    }
    Py_ssize_t length = proxy_length(self);
    return length < 0 ? -1 : length > 0;
}

/* ---- methods */

static PyObject *proxy_get(PyObject *self, PyObject *arguments)
{
    PyObject *key, *otherwise = Py_None;
    if (!PyArg_ParseTuple(arguments, "O|O:get", &key, &otherwise))
        return NULL;
    return get_item(self, key, HP_DEFAULT, otherwise);
}

static PyObject *proxy_export(PyObject *self, PyObject *arguments)
{
    PyObject *instance = Py_None;
    if (!PyArg_ParseTuple(arguments, "|O", &instance))
        return NULL;
    return hp_export(HP_PROXY(self)->owner, HP_PROXY(self)->handle, instance);
}

static PyObject *proxy_duplicate(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    heapd_handle handle;
    (void)unused;
    if (!connection)
        return NULL;
    int code = heapd_begin_duplicate(connection, proxy->handle, &handle, NULL, &error);
    return code ? hp_raise(&error, NULL) : hp_proxy_new(proxy->owner, handle, proxy->type);
}

static PyObject *proxy_inspect(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket = 0;
    (void)unused;
    if (!connection)
        return NULL;
    int code = heapd_begin_inspect(connection, proxy->handle, &ticket, &error);
    if (hp_wait_here(proxy->owner, code, ticket, &error, &result))
        return NULL;
    const struct heapd_object_info *info = &result.as.info;
    PyObject *out =
        Py_BuildValue("{s:s,s:s#,s:K,s:K,s:K,s:K,s:O,s:I,s:O}", "type", heapd_type_name(info->type), "class_name",
                      info->class_name.data ? info->class_name.data : "", (Py_ssize_t)info->class_name.size, "identity",
                      (unsigned long long)info->identity, "reference_count", (unsigned long long)info->reference_count,
                      "shallow_bytes", (unsigned long long)info->shallow_bytes, "length",
                      (unsigned long long)info->length, "tracked", info->tracked ? Py_True : Py_False, "generation",
                      info->generation, "shared", info->shared ? Py_True : Py_False);
    heapd_result_clear(&result);
    return out;
}

/* make_token(ttl_ms, uses) -> the bytes, and for how many milliseconds they are good. */
static PyObject *proxy_make_token(PyObject *self, PyObject *arguments)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_ticket ticket = 0;
    unsigned long long ttl_ms;
    unsigned uses;
    if (!connection || !PyArg_ParseTuple(arguments, "KI", &ttl_ms, &uses))
        return NULL;
    int code = heapd_begin_make_token(connection, proxy->handle, ttl_ms, uses, &ticket, &error);
    if (hp_wait_here(proxy->owner, code, ticket, &error, &result))
        return NULL;
    PyObject *out = Py_BuildValue("y#K", result.as.token.secret.data, (Py_ssize_t)result.as.token.secret.size,
                                  (unsigned long long)result.as.token.ttl_ms);
    heapd_result_clear(&result);
    return out;
}

static PyObject *proxy_owner(PyObject *self, void *unused)
{
    (void)unused;
    Py_INCREF((PyObject *)HP_PROXY(self)->owner);
    return (PyObject *)HP_PROXY(self)->owner;
}

static PyObject *proxy_handle(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(HP_PROXY(self)->handle);
}

static PyObject *proxy_type(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(HP_PROXY(self)->type);
}

/* Gives the reference to a new proxy of another class; this one holds nothing any more. */
static PyObject *proxy_become(PyObject *self, PyObject *class)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    if (!PyType_Check(class) || !PyType_IsSubtype((PyTypeObject *)class, hp_proxy_type)) {
        PyErr_SetString(PyExc_TypeError, "a class of proxies is needed");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot((PyTypeObject *)class, Py_tp_alloc);
    struct hp_proxy *other = (struct hp_proxy *)allocate((PyTypeObject *)class, 0);
    if (!other)
        return NULL;
    other->owner = proxy->owner;
    Py_INCREF((PyObject *)other->owner);
    other->handle = proxy->handle;
    other->type = proxy->type;
    proxy->handle = 0;
    return (PyObject *)other;
}

static PyObject *proxy_read_shallow(PyObject *self, PyObject *unused)
{
    (void)unused;
    return hp_read_shallow(HP_PROXY(self)->owner, HP_PROXY(self)->handle);
}

static PyMethodDef proxy_methods[] = {
    {"_map", hp_buffer_map, METH_NOARGS, "The bytes of a buffer."},
    {"_read_shallow", proxy_read_shallow, METH_NOARGS, "Its contents, or None if there are containers among them."},
    {"_gather", hp_sequence_gather, METH_VARARGS, "Keys, values or items as a new list."},
    {"_pop_item", hp_sequence_pop_item, METH_NOARGS, "Take out the pair that was put in last."},
    {"_read_slice", hp_sequence_read_slice, METH_O,
     "What a slice has, or a proxy of it if there are containers in it."},
    {"_set_combine", hp_set_combine, METH_VARARGS, "Set algebra; gives a plain set."},
    {"_set_update", hp_set_update, METH_VARARGS, "Set algebra in place."},
    {"_set_compare", hp_set_compare, METH_VARARGS, "How two sets compare."},
    {"_set_slice", hp_sequence_set_slice, METH_VARARGS, "Replace a slice."},
    {"_del_slice", hp_sequence_del_slice, METH_O, "Delete a slice."},
    {"_extend_from", hp_sequence_extend_from, METH_O, "Append the elements of an object of the heap."},
    {"_repeat", hp_sequence_repeat, METH_O, "Repeat in place."},
    {"_reverse", hp_sequence_reverse, METH_NOARGS, "Reverse in place."},
    {"_sort", hp_sequence_sort, METH_O, "Sort by value, in place."},
    {"_search", hp_sequence_search, METH_VARARGS, "Look for an element."},
    {"_copy", hp_sequence_copy, METH_O, "A shallow or deep copy."},
    {"_set_default", hp_sequence_set_default, METH_VARARGS, "The value of a key, which is set if it is not there."},
    {"_become", proxy_become, METH_O, "The same reference as a proxy of another class."},
    {"_acquire", hp_sync_acquire, METH_O, "Wait for a lock or a unit."},
    {"_release", hp_sync_release, METH_VARARGS, "Release a lock or units."},
    {"_put", hp_sync_put, METH_VARARGS, "Put an item into a queue."},
    {"_get_first", hp_sync_get, METH_O, "Take the first item of a queue."},
    {"_put_back", hp_sync_put_back, METH_O, "An item that was taken goes to the front again."},
    {"_task_done", hp_sync_task_done, METH_NOARGS, "One item is done."},
    {"_join", hp_sync_join, METH_O, "Wait until every item is done."},
    {"_event_set", hp_sync_set, METH_NOARGS, "Set an event."},
    {"_event_clear", hp_sync_clear, METH_NOARGS, "Clear an event."},
    {"_event_wait", hp_sync_wait_event, METH_O, "Wait for an event."},
    {"_barrier_wait", hp_sync_wait_barrier, METH_O, "Wait at a barrier."},
    {"_barrier_reset", hp_sync_reset, METH_NOARGS, "Reset a barrier."},
    {"_barrier_abort", hp_sync_abort, METH_NOARGS, "Break a barrier."},
    {"_condition_wait", hp_sync_wait_condition, METH_O, "Wait for a notification."},
    {"_notify", hp_sync_notify, METH_O, "Wake those who wait."},
    {"_sync_state", hp_sync_state, METH_NOARGS, "A coordination object as it is now."},
    {"_append", hp_container_append, METH_O, "Add to the end."},
    {"_add", hp_container_add, METH_O, "Add an element."},
    {"_discard", hp_container_discard, METH_O, "Remove an element if it is there."},
    {"_discard_known", hp_container_discard_known, METH_O, "Remove an element; KeyError if it is not there."},
    {"_get", proxy_get, METH_VARARGS, "The value of a key, or a default."},
    {"_insert", hp_container_insert, METH_VARARGS, "Insert before an index."},
    {"_pop_last", hp_container_pop_last, METH_VARARGS, "Take out the item at an index, the last by default."},
    {"_pop_key", hp_container_pop_key, METH_VARARGS, "Take out the value of a key."},
    {"_clear", hp_container_clear, METH_NOARGS, "Remove everything."},
    {"_extend", hp_container_extend, METH_O, "Add all of an iterable, in one request."},
    {"_update", hp_container_update, METH_O, "Set all items of a mapping or of pairs, in one request."},
    {"_get_attribute", hp_attribute_get, METH_O, "An attribute in the heap."},
    {"_set_attribute", hp_attribute_set, METH_VARARGS, "Set an attribute in the heap."},
    {"_del_attribute", hp_attribute_del, METH_O, "Delete an attribute in the heap."},
    {"_increase_item", hp_container_increase, METH_VARARGS, "Add to the number in an item, atomically."},
    {"_increase_attribute", hp_attribute_increase, METH_VARARGS, "Add to the number in an attribute, atomically."},
    {"_export", proxy_export, METH_VARARGS, "All that it reaches, as plain Python objects."},
    {"_duplicate", proxy_duplicate, METH_NOARGS, "A second reference to the same object."},
    {"_make_token", proxy_make_token, METH_VARARGS, "Bytes by which another session gets a reference."},
    {"_make_weak", hp_inspect_make_weak, METH_NOARGS, "A weak reference to the object."},
    {"_referent", hp_inspect_referent, METH_NOARGS, "What a weak reference leads to, or None."},
    {"_follow", hp_inspect_follow, METH_NOARGS, "Being told when the object dies."},
    {"_inspect", proxy_inspect, METH_NOARGS, "Type, identity, reference count and size."},
    {0},
};
static PyGetSetDef proxy_getset[] = {
    {"_heap", proxy_owner, NULL, "The connection that it belongs to.", NULL},
    {"_handle", proxy_handle, NULL, "The number of its handle.", NULL},
    {"_type", proxy_type, NULL, "The number of its type.", NULL},
    {0},
};
static PyMemberDef proxy_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct hp_proxy, weak), READONLY, NULL},
    {0},
};
static PyType_Slot proxy_slots[] = {
    {Py_tp_dealloc, proxy_dealloc},
    {Py_tp_traverse, proxy_traverse},
    {Py_mp_subscript, proxy_subscript},
    {Py_mp_ass_subscript, proxy_ass_subscript},
    {Py_mp_length, proxy_length},
    {Py_sq_contains, proxy_contains},
    {Py_nb_bool, proxy_bool},
    {Py_tp_methods, proxy_methods},
    {Py_tp_getset, proxy_getset},
    {Py_tp_members, proxy_members},
    {Py_tp_doc, (void *)(uintptr_t) "One reference to an object of a heap."},
    {0, NULL},
};
static PyType_Spec proxy_spec = {
    "heapd._heapd.Proxy", sizeof(struct hp_proxy), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, proxy_slots};

int hp_proxy_ready(PyObject *module)
{
    hp_proxy_type = (PyTypeObject *)PyType_FromSpec(&proxy_spec);
    return hp_proxy_type ? PyModule_AddObjectRef(module, "Proxy", (PyObject *)hp_proxy_type) : -1;
}
