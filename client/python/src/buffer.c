/* Buffers: bytes in shared memory, through Python's buffer protocol, without a copy. */
#include "private.h"

/* ---- reading: a sealed buffer, mapped */

struct mapping {
    PyObject_HEAD struct heapd_buffer *buffer; /* own: mapped as long as a memoryview is on it */
};

static PyTypeObject *mapping_type;

static void mapping_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    heapd_buffer_release(((struct mapping *)self)->buffer);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int mapping_get(PyObject *self, Py_buffer *view, int flags)
{
    const struct heapd_buffer *buffer = ((struct mapping *)self)->buffer;
    /* PyBuffer_FillInfo refuses who wants to write. */
    return PyBuffer_FillInfo(view, self, (void *)(uintptr_t)heapd_buffer_data(buffer),
                             (Py_ssize_t)heapd_buffer_bytes(buffer), 1, flags);
}

static PyType_Slot mapping_slots[] = {
    {Py_tp_dealloc, mapping_dealloc},
    {Py_bf_getbuffer, mapping_get},
    {Py_tp_doc, (void *)(uintptr_t) "The bytes of a sealed buffer, mapped read only."},
    {0, NULL},
};
static PyType_Spec mapping_spec = {"heapd._heapd.Mapping", sizeof(struct mapping), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, mapping_slots};

PyObject *hp_buffer_map(PyObject *self, PyObject *unused)
{
    struct hp_proxy *proxy = (struct hp_proxy *)self;
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_buffer *buffer;
    struct heapd_error error;
    int code;
    (void)unused;
    if (!connection)
        return NULL;
    hp_enter(proxy->owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_buffer_get(connection, proxy->handle, &buffer, &error);
    Py_END_ALLOW_THREADS hp_leave(proxy->owner);
    if (code)
        return hp_raise(&error, NULL);
    struct mapping *mapping = PyObject_New(struct mapping, mapping_type);
    if (!mapping) {
        heapd_buffer_release(buffer);
        return NULL;
    }
    mapping->buffer = buffer;
    return (PyObject *)mapping;
}

/* ---- writing */

/* A contiguous object's bytes as a sealed buffer: one copy, and no second one however many processes read it. */
PyObject *hp_buffer_put(PyObject *self, PyObject *object)
{
    struct hp_connection *owner = (struct hp_connection *)self;
    struct heapd_error error;
    heapd_handle handle;
    Py_buffer view;
    int code;
    if (PyObject_GetBuffer(object, &view, PyBUF_C_CONTIGUOUS))
        return NULL;
    struct heapd_connection *connection = hp_open(owner);
    if (!connection) {
        PyBuffer_Release(&view);
        return NULL;
    }
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_buffer_put(connection, view.buf, (uint64_t)view.len, &handle, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    PyBuffer_Release(&view);
    return code ? hp_raise(&error, NULL) : hp_proxy_new(owner, handle, HEAPD_TYPE_BUFFER);
}

struct writer {
    PyObject_HEAD struct hp_connection *owner; /* own */
    struct heapd_buffer_writer *writer;        /* own; NULL: sealed */
    Py_ssize_t bytes;
    Py_ssize_t views; /* of the memory that are still in use */
    unsigned forks;   /* of the connection, when it was made */
};

static PyTypeObject *writer_type;

static void writer_dealloc(PyObject *self)
{
    struct writer *writer = (struct writer *)self;
    PyTypeObject *type = Py_TYPE(self);
    /* In a child it is the parent's, whose connection is no more. */
    if (writer->writer && writer->owner->connection && writer->forks == writer->owner->forks)
        heapd_buffer_abandon(writer->writer);
    Py_DECREF((PyObject *)writer->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int writer_get(PyObject *self, Py_buffer *view, int flags)
{
    struct writer *writer = (struct writer *)self;
    bool is_ours = writer->writer && writer->forks == writer->owner->forks;
    void *data = is_ours && hp_open(writer->owner) ? heapd_buffer_writer_data(writer->writer) : NULL;
    if (!data) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_BufferError, "the buffer is sealed: it cannot be written to any more");
        return -1;
    }
    if (PyBuffer_FillInfo(view, self, data, writer->bytes, 0, flags))
        return -1;
    writer->views++;
    return 0;
}

static void writer_release(PyObject *self, Py_buffer *view)
{
    (void)view;
    ((struct writer *)self)->views--;
}

static PyObject *writer_seal(PyObject *self, PyObject *unused)
{
    struct writer *writer = (struct writer *)self;
    struct heapd_buffer_writer *sealed = writer->writer;
    struct heapd_error error;
    heapd_handle handle;
    int code;
    (void)unused;
    if (!hp_open(writer->owner))
        return NULL;
    if (!sealed || writer->views || writer->forks != writer->owner->forks) {
        PyErr_SetString(PyExc_BufferError, !sealed ? "the buffer is sealed already"
                                           : writer->views
                                               ? "memoryviews or arrays on the buffer are still in use: release them"
                                               : "the buffer is of the process from which this one was forked");
        return NULL;
    }
    /* Nobody seals it a second time, or gets a view of it, meanwhile. */
    writer->writer = NULL;
    hp_enter(writer->owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_buffer_seal(sealed, &handle, &error);
    Py_END_ALLOW_THREADS if (code) writer->writer = sealed;
    hp_leave(writer->owner);
    return code ? hp_raise(&error, NULL) : hp_proxy_new(writer->owner, handle, HEAPD_TYPE_BUFFER);
}

static PyMethodDef writer_methods[] = {
    {"seal", writer_seal, METH_NOARGS, "Make it a buffer that nobody can change any more, and give that."},
    {0},
};
static PyType_Slot writer_slots[] = {
    {Py_tp_dealloc, writer_dealloc},
    {Py_bf_getbuffer, writer_get},
    {Py_bf_releasebuffer, writer_release},
    {Py_tp_methods, writer_methods},
    {Py_tp_doc, (void *)(uintptr_t) "A buffer that is being written, through the buffer protocol."},
    {0, NULL},
};
static PyType_Spec writer_spec = {"heapd._heapd.Writer", sizeof(struct writer), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, writer_slots};

PyObject *hp_buffer_create(PyObject *self, PyObject *size)
{
    struct hp_connection *owner = (struct hp_connection *)self;
    struct heapd_buffer_writer *made;
    struct heapd_error error;
    Py_ssize_t bytes = PyNumber_AsSsize_t(size, PyExc_OverflowError);
    struct heapd_connection *connection = hp_open(owner);
    int code;
    if (!connection || (bytes == -1 && PyErr_Occurred()))
        return NULL;
    if (bytes < 1) {
        PyErr_SetString(PyExc_ValueError, "a buffer has at least one byte");
        return NULL;
    }
    hp_enter(owner);
    Py_BEGIN_ALLOW_THREADS code = heapd_buffer_create(connection, (uint64_t)bytes, &made, &error);
    Py_END_ALLOW_THREADS hp_leave(owner);
    if (code)
        return hp_raise(&error, NULL);
    struct writer *writer = PyObject_New(struct writer, writer_type);
    if (!writer) {
        heapd_buffer_abandon(made);
        return NULL;
    }
    writer->owner = owner;
    Py_INCREF((PyObject *)owner);
    writer->writer = made;
    writer->bytes = bytes;
    writer->views = 0;
    writer->forks = owner->forks;
    return (PyObject *)writer;
}

int hp_buffer_ready(PyObject *module)
{
    mapping_type = (PyTypeObject *)PyType_FromSpec(&mapping_spec);
    writer_type = (PyTypeObject *)PyType_FromSpec(&writer_spec);
    if (!mapping_type || !writer_type || PyModule_AddObjectRef(module, "Mapping", (PyObject *)mapping_type))
        return -1;
    return PyModule_AddObjectRef(module, "Writer", (PyObject *)writer_type);
}
