/* Connection: a session of a daemon. Heap, its Python subclass, is what programs see. */
#include "private.h"

#include <stdlib.h>
#include <structmember.h>
#include <sys/socket.h>

PyTypeObject *hp_connection_type;

#define CONNECTION(self) ((struct hp_connection *)(self))

struct heapd_connection *hp_open(struct hp_connection *owner)
{
    if (owner->connection && !owner->close_wanted)
        return owner->connection;
    if (!hp_ends_quietly())
        PyErr_SetString(PyExc_ValueError, "the connection is closed");
    return NULL;
}

void hp_enter(struct hp_connection *owner)
{
    Py_INCREF((PyObject *)owner);
    owner->users++;
}

static void close_now(struct hp_connection *owner)
{
    struct heapd_connection *connection = owner->connection;
    owner->connection = NULL;
    if (!connection)
        return;
    Py_BEGIN_ALLOW_THREADS heapd_close(connection);
    Py_END_ALLOW_THREADS
}

void hp_leave(struct hp_connection *owner)
{
    /* None in a child that was forked while it waited, out of a signal's handler. */
    if (owner->users > 0)
        owner->users--;
    if (owner->users == 0 && owner->close_wanted)
        close_now(owner);
    Py_DECREF((PyObject *)owner);
}

bool hp_in_pipeline(const struct hp_connection *owner)
{
    return owner->results && owner->pipeline_thread == PyThread_get_thread_ident();
}

/* ---- life */

static PyObject *connection_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    (void)arguments;
    (void)keywords;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct hp_connection *self = (struct hp_connection *)allocate(type, 0);
    if (!self)
        return NULL;
    self->wrap = Py_None;
    Py_INCREF(Py_None);
    self->encode = Py_None;
    Py_INCREF(Py_None);
    return (PyObject *)self;
}

static int connection_init(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"address", "name", "timeout", NULL};
    const char *address = NULL, *name = NULL;
    double timeout = 5.0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|zzd", names, &address, &name, &timeout))
        return -1;
    if (CONNECTION(self)->connection) {
        PyErr_SetString(PyExc_RuntimeError, "it is connected already");
        return -1;
    }
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_connection *connection;
    struct heapd_error error;
    options.client_name = name ? name : "python";
    options.ring = getenv("HEAPD_RING") ? HEAPD_RING_AUTO : HEAPD_RING_ALWAYS;
    options.connect_timeout_ms = timeout <= 0 ? 1 : timeout > 4e6 ? 4000000000u : (unsigned)(timeout * 1000);
    int code;
    Py_BEGIN_ALLOW_THREADS code = heapd_connect(address, &options, &connection, &error);
    Py_END_ALLOW_THREADS if (code)
    {
        hp_raise(&error, NULL);
        return -1;
    }
    CONNECTION(self)->connection = connection;
    return 0;
}

static int connection_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct hp_connection *owner = CONNECTION(self);
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < HP_TYPES; i++)
        Py_VISIT(owner->types[i]);
    Py_VISIT(owner->wrap);
    Py_VISIT(owner->encode);
    Py_VISIT(owner->results);
    return 0;
}

static int connection_clear(PyObject *self)
{
    struct hp_connection *owner = CONNECTION(self);
    for (int i = 0; i < HP_TYPES; i++)
        Py_CLEAR(owner->types[i]);
    Py_CLEAR(owner->wrap);
    Py_CLEAR(owner->encode);
    Py_CLEAR(owner->results);
    return 0;
}

static void connection_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (CONNECTION(self)->weak)
        PyObject_ClearWeakRefs(self);
    close_now(CONNECTION(self));
    (void)connection_clear(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *connection_close(PyObject *self, PyObject *unused)
{
    struct hp_connection *owner = CONNECTION(self);
    (void)unused;
    if (!owner->connection || owner->close_wanted)
        Py_RETURN_NONE;
    if (owner->users) {
        /* Threads wait for replies: they hear that the connection is lost, and the last one frees it. */
        owner->close_wanted = true;
        (void)shutdown(heapd_fd(owner->connection), SHUT_RDWR);
    } else {
        close_now(owner);
    }
    Py_RETURN_NONE;
}

/* ---- what the Python side sets */

static PyObject *connection_configure(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"types", "wrap", "encode", "copies", "batched", NULL};
    struct hp_connection *owner = CONNECTION(self);
    PyObject *types = NULL, *wrap = NULL, *encode = NULL;
    int copies = -1, batched = -1;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|$O!OOpp", names, &PyDict_Type, &types, &wrap, &encode,
                                     &copies, &batched))
        return NULL;
    Py_ssize_t position = 0;
    PyObject *key, *class;
    while (types && PyDict_Next(types, &position, &key, &class)) {
        long number = PyLong_AsLong(key);
        if (number < 0 || number >= HP_TYPES || !PyType_Check(class) ||
            !PyType_IsSubtype((PyTypeObject *)class, hp_proxy_type)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "types are classes of proxies by type number");
            return NULL;
        }
        PyObject *old = owner->types[number];
        Py_INCREF(class);
        owner->types[number] = class;
        Py_XDECREF(old);
    }
    if (wrap) {
        PyObject *old = owner->wrap;
        Py_INCREF(wrap);
        owner->wrap = wrap;
        Py_DECREF(old);
    }
    if (encode) {
        PyObject *old = owner->encode;
        Py_INCREF(encode);
        owner->encode = encode;
        Py_DECREF(old);
    }
    if (copies >= 0)
        owner->copies = copies;
    if (batched >= 0)
        owner->batched = batched;
    Py_RETURN_NONE;
}

/* ---- fork */

/* A session for the child that is about to be forked, with the same handles. */
static PyObject *connection_before_fork(PyObject *self, PyObject *address)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_error error;
    struct heapd_connection *clone;
    const char *text = PyUnicode_AsUTF8AndSize(address, NULL);
    struct heapd_connection *connection = text ? hp_open(owner) : NULL;
    if (!connection)
        return NULL;
    options.client_name = "python (forked)";
    options.ring = getenv("HEAPD_RING") ? HEAPD_RING_AUTO : HEAPD_RING_ALWAYS;
    int code;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_clone(connection, text, &options, &clone, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    if (code)
        return hp_raise(&error, NULL);
    owner->clone = clone;
    Py_RETURN_NONE;
}

static PyObject *connection_after_fork(PyObject *self, PyObject *in_child)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *clone = owner->clone;
    owner->clone = NULL;
    if (!PyObject_IsTrue(in_child)) {
        heapd_disown(clone);
        Py_RETURN_NONE;
    }
    /* The threads that waited are the parent's, and so is what they waited for. */
    owner->users = 0;
    Py_CLEAR(owner->results);
    if (clone) {
        heapd_close(owner->connection);
        heapd_adopt(clone);
        owner->connection = clone;
    }
    owner->forks++;
    Py_RETURN_NONE;
}

/* ---- pipelines */

static PyObject *connection_open_pipeline(PyObject *self, PyObject *unused)
{
    struct hp_connection *owner = CONNECTION(self);
    (void)unused;
    if (!hp_open(owner))
        return NULL;
    if (owner->results) {
        PyErr_SetString(PyExc_RuntimeError, "a pipeline is open already; one at a time in a connection");
        return NULL;
    }
    owner->results = PyList_New(0);
    owner->pipeline_thread = PyThread_get_thread_ident();
    Py_XINCREF(owner->results);
    return owner->results;
}

/* Waits for everything; every Result is fetched. Raises the first failure of a write. */
static PyObject *connection_close_pipeline(PyObject *self, PyObject *unused)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *results = owner->results;
    (void)unused;
    owner->results = NULL;
    if (!results)
        Py_RETURN_NONE;
    int failed = hp_finish(owner);
    if (failed && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        /* What is still to come stays to be fetched, by each Result. */
        Py_DECREF(results);
        return NULL;
    }
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    if (failed)
        PyErr_Fetch(&type, &value, &traceback);
    int broken = 0;
    for (Py_ssize_t i = 0; !broken && i < PyList_Size(results); i++) {
        broken = hp_result_fetch(PyList_GetItem(results, i));
    }
    Py_DECREF(results);
    if (failed && !broken)
        PyErr_Restore(type, value, traceback);
    return failed || broken ? NULL : (Py_INCREF(Py_None), Py_None);
}

static PyObject *connection_finish(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (hp_finish(CONNECTION(self)))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *connection_flush(PyObject *self, PyObject *unused)
{
    struct heapd_connection *connection = hp_open(CONNECTION(self));
    struct heapd_error error;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_flush(connection, &error))
        return hp_raise(&error, NULL);
    Py_RETURN_NONE;
}

/* ---- attributes */

static PyObject *connection_closed(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!CONNECTION(self)->connection || CONNECTION(self)->close_wanted);
}

static PyObject *connection_held(PyObject *self, void *unused)
{
    struct heapd_connection *connection = hp_open(CONNECTION(self));
    (void)unused;
    return connection ? PyLong_FromSize_t(heapd_held_count(connection)) : NULL;
}

static PyObject *connection_session(PyObject *self, void *unused)
{
    struct heapd_connection *connection = hp_open(CONNECTION(self));
    struct heapd_server_info info;
    (void)unused;
    if (!connection)
        return NULL;
    heapd_get_server_info(connection, &info);
    return PyLong_FromUnsignedLongLong(info.session_id);
}

static PyObject *connection_fd(PyObject *self, void *unused)
{
    struct heapd_connection *connection = hp_open(CONNECTION(self));
    (void)unused;
    return connection ? PyLong_FromLong(heapd_fd(connection)) : NULL;
}

static PyObject *connection_in_pipeline(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(hp_in_pipeline(CONNECTION(self)));
}

static PyMethodDef connection_methods[] = {
    {"close", connection_close, METH_NOARGS, "End the session; all that it held is released."},
    {"_configure", (PyCFunction)(void (*)(void))connection_configure, METH_VARARGS | METH_KEYWORDS, NULL},
    {"_create", hp_create_container, METH_VARARGS, NULL},
    {"_create_class", hp_create_class, METH_VARARGS, NULL},
    {"_instance", hp_create_instance, METH_VARARGS, NULL},
    {"_bind", hp_names_bind, METH_VARARGS, NULL},
    {"_lookup", hp_names_lookup, METH_VARARGS, NULL},
    {"_unbind", hp_names_unbind, METH_O, NULL},
    {"_names", hp_names_list, METH_VARARGS, NULL},
    {"_increase", hp_names_increase, METH_VARARGS, NULL},
    {"_create_sync", hp_sync_create, METH_VARARGS, NULL},
    {"_buffer_put", hp_buffer_put, METH_O, NULL},
    {"_buffer_create", hp_buffer_create, METH_O, NULL},
    {"_redeem", hp_create_redeem, METH_O, NULL},
    {"_before_fork", connection_before_fork, METH_O, NULL},
    {"_after_fork", connection_after_fork, METH_O, NULL},
    {"_open_pipeline", connection_open_pipeline, METH_NOARGS, NULL},
    {"_close_pipeline", connection_close_pipeline, METH_NOARGS, NULL},
    {"_finish", connection_finish, METH_NOARGS, NULL},
    {"_flush", connection_flush, METH_NOARGS, NULL},
    {"_sessions", hp_admin_sessions, METH_NOARGS, NULL},
    {"stats", hp_admin_stats, METH_NOARGS, "Every number that the daemon keeps, by name."},
    {"ping", hp_admin_ping, METH_NOARGS, "There and back."},
    {"_collect", hp_admin_collect, METH_VARARGS, NULL},
    {"_get_threshold", hp_admin_get_threshold, METH_NOARGS, NULL},
    {"_set_threshold", hp_admin_set_threshold, METH_VARARGS, NULL},
    {"_get_count", hp_admin_get_count, METH_NOARGS, NULL},
    {"_gc_stats", hp_admin_gc_stats, METH_NOARGS, NULL},
    {"_set_enabled", hp_admin_set_enabled, METH_O, NULL},
    {"_freeze", hp_admin_freeze, METH_NOARGS, NULL},
    {"_unfreeze", hp_admin_unfreeze, METH_NOARGS, NULL},
    {"_freeze_count", hp_admin_freeze_count, METH_NOARGS, NULL},
    {"_compact", hp_admin_compact, METH_NOARGS, NULL},
    {"_why", hp_inspect_why, METH_VARARGS, NULL},
    {"_census", hp_inspect_census, METH_VARARGS, NULL},
    {"_set_tag", hp_tags_set, METH_VARARGS, NULL},
    {"_tag_object", hp_tags_object, METH_VARARGS, NULL},
    {"_intern", hp_tags_intern, METH_VARARGS, NULL},
    {"_let_go", hp_tags_let_go, METH_VARARGS, NULL},
    {"_retained", hp_inspect_retained, METH_VARARGS, NULL},
    {"_shutdown_daemon", hp_admin_shutdown_daemon, METH_NOARGS, NULL},
    {0},
};
static PyGetSetDef connection_getset[] = {
    {"closed", connection_closed, NULL, "Was it closed?", NULL},
    {"held", connection_held, NULL, "How many handles it holds.", NULL},
    {"session_id", connection_session, NULL, "The number of the session.", NULL},
    {"_fd", connection_fd, NULL, NULL, NULL},
    {"_in_pipeline", connection_in_pipeline, NULL, NULL, NULL},
    {0},
};
static PyMemberDef connection_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct hp_connection, weak), READONLY, NULL},
    {0},
};
static PyType_Slot connection_slots[] = {
    {Py_tp_new, connection_new},
    {Py_tp_init, connection_init},
    {Py_tp_dealloc, connection_dealloc},
    {Py_tp_traverse, connection_traverse},
    {Py_tp_clear, connection_clear},
    {Py_tp_methods, connection_methods},
    {Py_tp_getset, connection_getset},
    {Py_tp_members, connection_members},
    {Py_tp_doc, (void *)(uintptr_t) "A session of a heapd daemon."},
    {0, NULL},
};
static PyType_Spec connection_spec = {"heapd._heapd.Connection", sizeof(struct hp_connection), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, connection_slots};

int hp_connection_ready(PyObject *module)
{
    hp_connection_type = (PyTypeObject *)PyType_FromSpec(&connection_spec);
    return hp_connection_type ? PyModule_AddObjectRef(module, "Connection", (PyObject *)hp_connection_type) : -1;
}
