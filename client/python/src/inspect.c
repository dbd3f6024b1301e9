/* Looking at the heap: why an object lives, what it keeps; weak references, and being told of a death. */
#include "private.h"

#include <heapd/containers.h>
#include <heapd/inspect.h>

#define CONNECTION(self) ((struct hp_connection *)(self))
#define PROXY(self) ((struct hp_proxy *)(self))

/* How long a wait goes without a look at signals and at what closes it. */
#define LOOK_MS 250

static const char *const root_names[] = {"request", "globals", "session", "waiter",
                                         "frozen",  "token",   "garbage", "interned"};
static const char *const edge_names[] = {"unknown", "index", "key",   "is_key", "member", "attribute",
                                         "class",   "name",  "names", "parent", "part"};

static const char *name_in(const char *const *names, size_t count, unsigned number)
{
    return number < count ? names[number] : "unknown";
}

/* A proxy, an identity, or None for no object in particular. */
static int object_of(PyObject *object, struct heapd_object_ref *out)
{
    *out = (struct heapd_object_ref){0};
    if (object == Py_None)
        return 0;
    if (PyObject_TypeCheck(object, hp_proxy_type)) {
        out->object = PROXY(object)->handle;
        return 0;
    }
    out->identity = PyLong_AsUnsignedLongLong(object);
    return PyErr_Occurred() ? -1 : 0;
}

static int append(PyObject *list, PyObject *item)
{
    int failed = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return failed;
}

/* (kind, session, name, pid), of the same form everywhere */
static PyObject *root_tuple(const struct heapd_root *root)
{
    return Py_BuildValue("sKsK", name_in(root_names, sizeof root_names / sizeof *root_names, root->kind),
                         (unsigned long long)root->session, root->client_name ? root->client_name : "",
                         (unsigned long long)root->pid);
}

static PyObject *path_tuple(const struct heapd_why_path *path)
{
    PyObject *steps = PyList_New(0);
    for (size_t i = 0; steps && i < path->step_count; i++) {
        const struct heapd_why_step *step = &path->steps[i];
        PyObject *one = Py_BuildValue("KssKs#s#KO", (unsigned long long)step->identity, heapd_type_name(step->type),
                                      name_in(edge_names, sizeof edge_names / sizeof *edge_names, step->edge),
                                      (unsigned long long)step->number, step->text.data ? step->text.data : "",
                                      (Py_ssize_t)step->text.size, step->class_name.data ? step->class_name.data : "",
                                      (Py_ssize_t)step->class_name.size, (unsigned long long)step->shallow_bytes,
                                      step->gone ? Py_True : Py_False);
        if (append(steps, one))
            Py_CLEAR(steps);
    }
    return steps ? Py_BuildValue("NNKn", root_tuple(&path->root), steps, (unsigned long long)path->elided,
                                 (Py_ssize_t)path->elided_before)
                 : NULL;
}

/* _why(object, max_paths, max_steps, others) -> identity, type, references, holders, [(root, steps, elided, where)] */
PyObject *hp_inspect_why(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_why_options options = {0};
    struct heapd_object_ref object;
    struct heapd_report report = {0};
    struct heapd_error error;
    PyObject *what;
    int others, code;
    if (!PyArg_ParseTuple(arguments, "OIIp", &what, &options.max_paths, &options.max_steps, &others) ||
        object_of(what, &object))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    options.others = others;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_why(connection, object, &options, &report, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    if (code)
        return hp_raise(&error, what);
    const struct heapd_reasons *why = &report.as.why;
    PyObject *paths = PyList_New(0);
    for (size_t i = 0; paths && i < why->path_count; i++)
        if (append(paths, path_tuple(&why->paths[i])))
            Py_CLEAR(paths);
    PyObject *out =
        paths ? Py_BuildValue("KsKKN", (unsigned long long)why->identity, heapd_type_name(why->type),
                              (unsigned long long)why->reference_count, (unsigned long long)why->holders, paths)
              : NULL;
    heapd_report_clear(&report);
    return out;
}

/* (root or None, identity, type, class, shallow bytes, retained bytes, retained count) */
static PyObject *keeper_tuple(const struct heapd_keeper *keeper)
{
    PyObject *root = keeper->is_root ? root_tuple(&keeper->root) : Py_NewRef(Py_None);
    return root ? Py_BuildValue("NKss#KKK", root, (unsigned long long)keeper->identity,
                                keeper->is_root ? "root" : heapd_type_name(keeper->type),
                                keeper->class_name.data ? keeper->class_name.data : "",
                                (Py_ssize_t)keeper->class_name.size, (unsigned long long)keeper->shallow_bytes,
                                (unsigned long long)keeper->retained_bytes, (unsigned long long)keeper->retained_count)
                : NULL;
}

static PyObject *keepers_list(const struct heapd_keeper *keepers, size_t count)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++)
        if (append(list, keeper_tuple(&keepers[i])))
            Py_CLEAR(list);
    return list;
}

/* _retained(object, count) -> keeper or None, reachable, above, largest, objects, bytes */
PyObject *hp_inspect_retained(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_object_ref object;
    struct heapd_report report = {0};
    struct heapd_error error;
    PyObject *what;
    unsigned count;
    int code;
    if (!PyArg_ParseTuple(arguments, "OI", &what, &count) || object_of(what, &object))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection)
        return NULL;
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_retained(connection, object, count, &report, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    if (code)
        return hp_raise(&error, what);
    const struct heapd_keeping *keeping = &report.as.retained;
    PyObject *self_row = keeping->has_object ? keeper_tuple(&keeping->object) : Py_NewRef(Py_None);
    PyObject *above = keepers_list(keeping->above, keeping->above_count);
    PyObject *largest = keepers_list(keeping->largest, keeping->largest_count);
    PyObject *out = NULL;
    if (self_row && above && largest)
        out = Py_BuildValue("OOOOKK", self_row, keeping->reachable ? Py_True : Py_False, above, largest,
                            (unsigned long long)keeping->reachable_count, (unsigned long long)keeping->reachable_bytes);
    Py_XDECREF(self_row);
    Py_XDECREF(above);
    Py_XDECREF(largest);
    heapd_report_clear(&report);
    return out;
}

/* ---- methods of proxies */

/* A weak reference to the object, as a proxy. */
PyObject *hp_inspect_make_weak(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    heapd_handle handle;
    heapd_ticket ticket = 0;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_make_weak(connection, proxy->handle, &handle, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(proxy->owner, ticket, NULL, NULL))
        return NULL;
    return hp_proxy_new(proxy->owner, handle, HEAPD_TYPE_WEAK_REFERENCE);
}

/* What a weak reference leads to; None: it is gone. */
PyObject *hp_inspect_referent(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct heapd_result result = {0};
    heapd_handle into;
    heapd_ticket ticket = 0;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_get_referent(connection, proxy->handle, HEAPD_ANY, &into, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(proxy->owner, ticket, &result, NULL))
        return NULL;
    return hp_decode(proxy->owner, &result.value);
}

/* ---- being told of deaths */

struct hp_follow {
    PyObject_HEAD struct hp_connection *owner; /* own; the connection is open while there is a follow */
    struct heapd_follow *follow;               /* own; NULL: over */
    unsigned forks;                            /* of the connection, when it began */
    bool waits;                                /* a thread is in _next, without the GIL */
    bool close_wanted;                         /* it closes when it comes back */
};

static PyTypeObject *follow_type;
#define FOLLOW(self) ((struct hp_follow *)(self))

/* In a child it is the parent's, whose connection is no more: nothing is done about it. */
static bool is_inherited(const struct hp_follow *follow)
{
    return follow->forks != follow->owner->forks;
}

static void end_follow(struct hp_follow *follow)
{
    struct heapd_follow *ended = follow->follow;
    follow->close_wanted = follow->waits;
    if (follow->waits)
        return;
    follow->follow = NULL;
    if (!ended || is_inherited(follow))
        return;
    Py_BEGIN_ALLOW_THREADS heapd_follow_close(ended);
    Py_END_ALLOW_THREADS hp_leave(follow->owner);
}

static void follow_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    end_follow(FOLLOW(self));
    Py_XDECREF((PyObject *)FOLLOW(self)->owner);
    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

/* next(timeout_ms): has the object died? */
static PyObject *follow_next(PyObject *self, PyObject *unused)
{
    struct hp_follow *follow = FOLLOW(self);
    struct heapd_follow_event event;
    struct heapd_error error;
    int code;
    (void)unused;
    if (!follow->follow || follow->waits || is_inherited(follow)) {
        PyErr_SetString(PyExc_ValueError, follow->waits ? "another thread waits for it" : "it is over");
        return NULL;
    }
    follow->waits = true;
    Py_BEGIN_ALLOW_THREADS code = heapd_follow_next(follow->follow, LOOK_MS, &event, &error);
    Py_END_ALLOW_THREADS follow->waits = false;
    if (follow->close_wanted)
        end_follow(follow);
    return code < 0 ? hp_raise(&error, NULL) : PyBool_FromLong(code == 1);
}

static PyObject *follow_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    end_follow(FOLLOW(self));
    Py_RETURN_NONE;
}

/* A Follow of the object's death. The proxy may go then. */
PyObject *hp_inspect_follow(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = PROXY(self);
    struct hp_connection *owner = proxy->owner;
    struct heapd_connection *connection = hp_open(owner);
    const struct heapd_follow_options options = {.objects = &proxy->handle, .object_count = 1};
    struct heapd_follow *opened = NULL;
    struct heapd_error error;
    int code;
    (void)unused;
    if (!connection)
        return NULL;
    struct hp_follow *follow = PyObject_New(struct hp_follow, follow_type);
    if (!follow)
        return NULL;
    follow->follow = NULL;
    follow->waits = follow->close_wanted = false;
    follow->forks = owner->forks;
    follow->owner = owner;
    Py_INCREF((PyObject *)owner);
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_follow_open(connection, &options, &opened, &error);
    Py_END_ALLOW_THREADS if (code)
    {
        hp_leave(owner);
        Py_DECREF((PyObject *)follow);
        return hp_raise(&error, NULL);
    }
    follow->follow = opened;
    return (PyObject *)follow;
}

static PyMethodDef follow_methods[] = {
    {"_next", follow_next, METH_NOARGS, "Has it died? Waits for a quarter of a second."},
    {"close", follow_close, METH_NOARGS, NULL},
    {0},
};
static PyType_Slot follow_slots[] = {
    {Py_tp_dealloc, follow_dealloc},
    {Py_tp_methods, follow_methods},
    {0, NULL},
};
static PyType_Spec follow_spec = {"heapd._heapd.Follow", sizeof(struct hp_follow), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, follow_slots};

int hp_inspect_ready(PyObject *module)
{
    follow_type = (PyTypeObject *)PyType_FromSpec(&follow_spec);
    return follow_type ? PyModule_AddObjectRef(module, "Follow", (PyObject *)follow_type) : -1;
}
