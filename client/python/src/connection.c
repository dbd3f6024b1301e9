/* Connection: a session of a daemon. Heap, its Python subclass, is what programs see. */
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <sys/socket.h>

PyTypeObject *hp_connection_type;

#define CONNECTION(self) ((struct hp_connection *)(self))

struct heapd_connection *hp_open(struct hp_connection *owner)
{
    if (owner->connection && !owner->close_wanted)
        return owner->connection;
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

/* ---- objects and names */

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
static PyObject *connection_create(PyObject *self, PyObject *arguments)
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
    if (waits && hp_wait(owner, ticket, NULL, NULL))
        return NULL;
    return hp_proxy_new(owner, handle, type);
}

static PyObject *connection_create_class(PyObject *self, PyObject *arguments)
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
    if (code)
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, NULL, NULL))
        return NULL;
    return hp_proxy_new(owner, handle, HEAPD_TYPE_CLASS);
}

/* instance(class, attributes): a new instance, in one request. */
static PyObject *connection_instance(PyObject *self, PyObject *arguments)
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
    if (code)
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, NULL, NULL))
        return NULL;
    return hp_proxy_new(owner, handle, HEAPD_TYPE_INSTANCE);
}

static PyObject *connection_bind(PyObject *self, PyObject *arguments)
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

static PyObject *connection_lookup(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    PyObject *name;
    struct heapd_bytes text;
    struct heapd_error error;
    heapd_ticket ticket;
    double timeout = 0;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "O|d", &name, &timeout) || hp_name(name, &text))
        return NULL;
    uint64_t wait_ms = timeout <= 0 ? 0 : timeout > 1e12 ? UINT64_MAX / 2 : (uint64_t)(timeout * 1000);
    int code = heapd_begin_lookup(connection, HEAPD_GLOBAL, text, HEAPD_ANY, wait_ms, NULL,
                                  hp_ticket(owner, false, &ticket), &error);
    return hp_answer(owner, code, ticket, &error, HP_VALUE, name, NULL);
}

static PyObject *connection_unbind(PyObject *self, PyObject *name)
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

static PyObject *connection_names(PyObject *self, PyObject *arguments)
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

static PyObject *connection_increase(PyObject *self, PyObject *arguments)
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

static PyObject *connection_redeem(PyObject *self, PyObject *secret)
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

/* ---- what the daemon tells */

typedef int begin_plain(struct heapd_connection *, heapd_ticket *, struct heapd_error *);

static int ask(struct hp_connection *owner, begin_plain *begin, struct heapd_result *result)
{
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_error error;
    heapd_ticket ticket;
    if (!connection)
        return -1;
    if (begin(connection, &ticket, &error)) {
        hp_raise(&error, NULL);
        return -1;
    }
    return hp_wait(owner, ticket, result, NULL);
}

static PyObject *connection_stats(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_stats, &result))
        return NULL;
    PyObject *stats = PyDict_New();
    for (size_t i = 0; stats && i < result.as.stats.count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(result.as.stats.items[i].value);
        if (!number || PyDict_SetItemString(stats, result.as.stats.items[i].name, number))
            Py_CLEAR(stats);
        Py_XDECREF(number);
    }
    heapd_result_clear(&result);
    return stats;
}

static PyObject *connection_sessions(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_list_sessions, &result))
        return NULL;
    PyObject *sessions = PyList_New(0);
    for (size_t i = 0; sessions && i < result.as.sessions.count; i++) {
        const struct heapd_session *session = &result.as.sessions.items[i];
        PyObject *one = Py_BuildValue(
            "{s:K,s:s,s:K,s:K,s:K,s:K,s:O}", "id", (unsigned long long)session->id, "name",
            session->client_name ? session->client_name : "", "pid", (unsigned long long)session->pid, "uid",
            (unsigned long long)session->uid, "handles", (unsigned long long)session->handles, "requests",
            (unsigned long long)session->requests, "self", session->self ? Py_True : Py_False);
        if (!one || PyList_Append(sessions, one))
            Py_CLEAR(sessions);
        Py_XDECREF(one);
    }
    heapd_result_clear(&result);
    return sessions;
}

static PyObject *connection_ping(PyObject *self, PyObject *unused)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_connection *connection = hp_open(owner);
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    (void)unused;
    if (!connection)
        return NULL;
    if (heapd_begin_ping(connection, heapd_slice("", 0), &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    heapd_result_clear(&result);
    Py_RETURN_NONE;
}

static PyObject *connection_collect(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    unsigned generation = 2;
    int dry = 0;
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "|Ip", &generation, &dry))
        return NULL;
    int code = dry ? heapd_begin_gc_dry_run(connection, &ticket, &error)
                   : heapd_begin_gc_collect(connection, generation, &ticket, &error);
    if (code)
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    return Py_BuildValue("KK", (unsigned long long)result.as.collection.unreachable,
                         (unsigned long long)result.as.collection.unreachable_bytes);
}

static PyObject *connection_get_threshold(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_get_threshold, &result))
        return NULL;
    const uint32_t *threshold = result.as.thresholds.threshold;
    return Py_BuildValue("III", threshold[0], threshold[1], threshold[2]);
}

static PyObject *connection_set_threshold(PyObject *self, PyObject *arguments)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_thresholds thresholds;
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || !PyArg_ParseTuple(arguments, "III", &thresholds.threshold[0], &thresholds.threshold[1],
                                         &thresholds.threshold[2]))
        return NULL;
    if (heapd_begin_gc_set_threshold(connection, thresholds, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *connection_get_count(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_get_count, &result))
        return NULL;
    const uint64_t *count = result.as.counts.count;
    return Py_BuildValue("KKK", (unsigned long long)count[0], (unsigned long long)count[1],
                         (unsigned long long)count[2]);
}

static PyObject *connection_gc_stats(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_stats, &result))
        return NULL;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < HEAPD_GENERATIONS; i++) {
        const struct heapd_generation *generation = &result.as.gc_stats.generation[i];
        PyObject *one = Py_BuildValue("{s:K,s:K,s:K,s:K}", "collections", (unsigned long long)generation->collections,
                                      "collected", (unsigned long long)generation->collected, "uncollectable",
                                      (unsigned long long)generation->uncollectable, "objects",
                                      (unsigned long long)generation->objects);
        if (!one || PyList_Append(list, one))
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list ? Py_BuildValue("NO", list, result.as.gc_stats.enabled ? Py_True : Py_False) : NULL;
}

static PyObject *connection_set_enabled(PyObject *self, PyObject *enabled)
{
    struct hp_connection *owner = CONNECTION(self);
    struct heapd_result result = {0};
    struct heapd_error error;
    heapd_ticket ticket;
    int truth = PyObject_IsTrue(enabled);
    struct heapd_connection *connection = hp_open(owner);
    if (!connection || truth < 0)
        return NULL;
    if (heapd_begin_gc_set_enabled(connection, truth, &ticket, &error))
        return hp_raise(&error, NULL);
    if (hp_wait(owner, ticket, &result, NULL))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *connection_freeze(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_freeze, NULL))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *connection_unfreeze(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_unfreeze, NULL))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *connection_freeze_count(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_gc_freeze_count, &result))
        return NULL;
    return PyLong_FromLongLong(result.value.as.integer);
}

static PyObject *connection_compact(PyObject *self, PyObject *unused)
{
    struct heapd_result result = {0};
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_compact, &result))
        return NULL;
    return Py_BuildValue("KKK", (unsigned long long)result.as.compaction.moved_count,
                         (unsigned long long)result.as.compaction.moved_bytes,
                         (unsigned long long)result.as.compaction.released_bytes);
}

static PyObject *connection_shutdown_daemon(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ask(CONNECTION(self), heapd_begin_shutdown, NULL))
        return NULL;
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
    {"_create", connection_create, METH_VARARGS, NULL},
    {"_create_class", connection_create_class, METH_VARARGS, NULL},
    {"_instance", connection_instance, METH_VARARGS, NULL},
    {"_bind", connection_bind, METH_VARARGS, NULL},
    {"_lookup", connection_lookup, METH_VARARGS, NULL},
    {"_unbind", connection_unbind, METH_O, NULL},
    {"_names", connection_names, METH_VARARGS, NULL},
    {"_increase", connection_increase, METH_VARARGS, NULL},
    {"_create_sync", hp_sync_create, METH_VARARGS, NULL},
    {"_buffer_put", hp_buffer_put, METH_O, NULL},
    {"_buffer_create", hp_buffer_create, METH_O, NULL},
    {"_redeem", connection_redeem, METH_O, NULL},
    {"_before_fork", connection_before_fork, METH_O, NULL},
    {"_after_fork", connection_after_fork, METH_O, NULL},
    {"_open_pipeline", connection_open_pipeline, METH_NOARGS, NULL},
    {"_close_pipeline", connection_close_pipeline, METH_NOARGS, NULL},
    {"_finish", connection_finish, METH_NOARGS, NULL},
    {"_flush", connection_flush, METH_NOARGS, NULL},
    {"_sessions", connection_sessions, METH_NOARGS, NULL},
    {"stats", connection_stats, METH_NOARGS, "Every number that the daemon keeps, by name."},
    {"ping", connection_ping, METH_NOARGS, "There and back."},
    {"_collect", connection_collect, METH_VARARGS, NULL},
    {"_get_threshold", connection_get_threshold, METH_NOARGS, NULL},
    {"_set_threshold", connection_set_threshold, METH_VARARGS, NULL},
    {"_get_count", connection_get_count, METH_NOARGS, NULL},
    {"_gc_stats", connection_gc_stats, METH_NOARGS, NULL},
    {"_set_enabled", connection_set_enabled, METH_O, NULL},
    {"_freeze", connection_freeze, METH_NOARGS, NULL},
    {"_unfreeze", connection_unfreeze, METH_NOARGS, NULL},
    {"_freeze_count", connection_freeze_count, METH_NOARGS, NULL},
    {"_compact", connection_compact, METH_NOARGS, NULL},
    {"_why", hp_inspect_why, METH_VARARGS, NULL},
    {"_retained", hp_inspect_retained, METH_VARARGS, NULL},
    {"_shutdown_daemon", connection_shutdown_daemon, METH_NOARGS, NULL},
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
