/*
 * Between Python's objects and the heap's: scalars as values, containers as literals.
 *
 * A connection with `copies` keeps multiprocessing's semantics: a plain container that is put into another one is a
 * value, which comes back as a fresh copy, while a proxy stays a reference. A list in such a place is stored as the
 * tuple (HP_COPY_MARK, list), since nothing can change what is inside a tuple that nobody else holds, and since two
 * such tuples compare as the lists do. Tuples of plain values stand for themselves.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#define HP_COPY_MARK "heapd.copy"
/* hp_put's answer: only `encode` of the connection knows what to do. */
#define NEEDS_HELP 1

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

/* 0: done. NEEDS_HELP: no scalar. *held is what the value borrows from, if it is not the object itself. */
static int scalar(PyObject *object, struct heapd_value *out, PyObject **held)
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
        return NEEDS_HELP;
    }
    return 0;
}

/* ---- literals */

/* Which container a Python object has in the literal, so that what is shared stays shared. Open addressing. */
struct memo {
    struct memo_entry {
        const PyObject *object;
        uint64_t number;
    } * entries;     /* own */
    size_t capacity; /* 0, or a power of two */
    size_t count;
};

struct builder {
    struct hp_connection *owner;
    struct heapd_literal *literal;
    struct memo memo;
    PyObject *helped; /* own; what `encode` gave, kept until the literal was sent */
    bool in_copy;     /* inside a copy of a connection with `copies`: all is plain */
};

static size_t memo_hash(const PyObject *object)
{
    return (size_t)(((uintptr_t)object >> 4) * 0x9e3779b97f4a7c15u >> 16);
}

static struct memo_entry *memo_find(const struct memo *memo, const PyObject *object)
{
    for (size_t i = memo_hash(object) & (memo->capacity - 1);; i = (i + 1) & (memo->capacity - 1)) {
        struct memo_entry *entry = &memo->entries[i];
        if (!entry->object || entry->object == object)
            return entry;
    }
}

static int memo_add(struct memo *memo, const PyObject *object, uint64_t number)
{
    if (memo->count * 2 >= memo->capacity) {
        struct memo old = *memo;
        size_t capacity = old.capacity ? old.capacity * 2 : 32;
        memo->entries = calloc(capacity, sizeof *memo->entries);
        if (!memo->entries) {
            *memo = old;
            PyErr_NoMemory();
            return -1;
        }
        memo->capacity = capacity;
        for (size_t i = 0; i < old.capacity; i++)
            if (old.entries[i].object)
                *memo_find(memo, old.entries[i].object) = old.entries[i];
        free(old.entries);
    }
    *memo_find(memo, object) = (struct memo_entry){object, number};
    memo->count++;
    return 0;
}

static int put(struct builder *builder, PyObject *object);
static int keep(struct builder *builder, PyObject *object);

static int checked(int code)
{
    if (!code)
        return 0;
    hp_raise_code(code);
    return -1;
}

/* Ints that follow each other, handed over many at once. */
struct run {
    size_t count;
    int64_t integers[64];
};

static int flush(struct builder *builder, struct run *run)
{
    size_t count = run->count;
    run->count = 0;
    return count ? checked(heapd_literal_add_ints(builder->literal, run->integers, count)) : 0;
}

/* Adds to the run if it is a usual int, or puts it behind the run. */
static int put_in_run(struct builder *builder, struct run *run, PyObject *object)
{
    if (PyLong_CheckExact(object)) {
        int overflow;
        long number = PyLong_AsLongAndOverflow(object, &overflow);
        if (!overflow) {
            run->integers[run->count++] = number;
            return run->count == sizeof run->integers / sizeof *run->integers ? flush(builder, run) : 0;
        }
    }
    int failed = flush(builder, run);
    return failed ? failed : put(builder, object);
}

/* By index, since `encode` may run the program's code, which may change the list. */
static int put_all_of_list(struct builder *builder, PyObject *list)
{
    struct run run;
    int failed = 0;
    run.count = 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_Size(list); i++) {
        PyObject *item = PyList_GetItem(list, i);
        Py_INCREF(item);
        failed = put_in_run(builder, &run, item);
        Py_DECREF(item);
    }
    return failed ? failed : flush(builder, &run);
}

static int put_all(struct builder *builder, PyObject *iterable)
{
    if (PyList_CheckExact(iterable))
        return put_all_of_list(builder, iterable);
    int failed = 0;
    if (PyList_CheckExact(iterable)) {
        /* `encode` may run the program's code, which may change the list: the size is looked at each time. */
        for (Py_ssize_t i = 0; !failed && i < PyList_Size(iterable); i++) {
            PyObject *item = PyList_GetItem(iterable, i);
            Py_INCREF(item);
            failed = put(builder, item);
            Py_DECREF(item);
        }
        return failed;
    }
    PyObject *iterator = PyObject_GetIter(iterable);
    PyObject *item;
    if (!iterator)
        return -1;
    while (!failed && (item = PyIter_Next(iterator))) {
        failed = put(builder, item);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    return failed ? failed : PyErr_Occurred() ? -1 : 0;
}

static bool runs_no_code(PyObject *object)
{
    return PyLong_CheckExact(object) || PyUnicode_CheckExact(object) || PyFloat_CheckExact(object) ||
           PyBytes_CheckExact(object) || object == Py_None || PyBool_Check(object);
}

static int put_pairs_of_dict(struct builder *builder, PyObject *dict)
{
    struct run run;
    Py_ssize_t position = 0, done = 0;
    PyObject *key, *value;
    int failed = 0;
    run.count = 0;
    while (!failed && PyDict_Next(dict, &position, &key, &value)) {
        if (!runs_no_code(key) || !runs_no_code(value))
            break;
        failed = put_in_run(builder, &run, key);
        if (!failed)
            failed = put_in_run(builder, &run, value);
        done++;
    }
    if (failed || done == PyDict_Size(dict))
        return failed ? failed : flush(builder, &run);
    /* A copy of the references, since `encode` may run the program's code. */
    PyObject *items = PyDict_Items(dict);
    failed = items ? 0 : -1;
    for (Py_ssize_t i = done; !failed && i < PyList_Size(items); i++) {
        PyObject *pair = PyList_GetItem(items, i);
        failed = put_in_run(builder, &run, PyTuple_GetItem(pair, 0));
        if (!failed)
            failed = put_in_run(builder, &run, PyTuple_GetItem(pair, 1));
    }
    Py_XDECREF(items);
    return failed ? failed : flush(builder, &run);
}

static int open_container(struct builder *builder, int type)
{
    switch (type) {
    case HEAPD_TYPE_LIST:
        return checked(heapd_literal_open_list(builder->literal));
    case HEAPD_TYPE_TUPLE:
        return checked(heapd_literal_open_tuple(builder->literal));
    case HEAPD_TYPE_DICT:
        return checked(heapd_literal_open_dict(builder->literal));
    case HEAPD_TYPE_SET:
        return checked(heapd_literal_open_set(builder->literal));
    case HEAPD_TYPE_FROZENSET:
        return checked(heapd_literal_open_frozenset(builder->literal));
    default:
        break;
    }
    return NEEDS_HELP;
}

static int type_of_plain(PyObject *object)
{
    if (PyList_CheckExact(object))
        return HEAPD_TYPE_LIST;
    if (PyDict_CheckExact(object))
        return HEAPD_TYPE_DICT;
    if (PyTuple_CheckExact(object))
        return HEAPD_TYPE_TUPLE;
    if (Py_TYPE(object) == &PySet_Type)
        return HEAPD_TYPE_SET;
    if (Py_TYPE(object) == &PyFrozenSet_Type)
        return HEAPD_TYPE_FROZENSET;
    return HEAPD_TYPE_UNKNOWN;
}

static bool is_marked(PyObject *object)
{
    if (!PyTuple_CheckExact(object) || PyTuple_Size(object) != 2)
        return false;
    PyObject *first = PyTuple_GetItem(object, 0);
    return PyUnicode_CheckExact(first) && PyUnicode_CompareWithASCIIString(first, HP_COPY_MARK) == 0;
}

static int put_container(struct builder *builder, PyObject *object, int type)
{
    bool in_copy = builder->in_copy;
    bool wrapped = false;
    int failed = 0;
    /* What only its container refers to cannot come twice. A copy is made each time. */
    if (Py_REFCNT(object) > 2 && builder->memo.count && (in_copy || !builder->owner->copies)) {
        const struct memo_entry *known = memo_find(&builder->memo, object);
        if (known->object) {
            int code = heapd_literal_add_shared(builder->literal, known->number);
            if (code == HEAPD_ECYCLE)
                PyErr_SetString(PyExc_ValueError, "the object contains itself; make the cycle with proxies");
            else if (code)
                hp_raise_code(code);
            return code ? -1 : 0;
        }
    }
    if (Py_EnterRecursiveCall(" while storing an object in a heap"))
        return -1;
    if (builder->owner->copies && !in_copy && (type != HEAPD_TYPE_TUPLE || is_marked(object))) {
        wrapped = true;
        failed = checked(heapd_literal_open_tuple(builder->literal));
        if (!failed)
            failed = checked(heapd_literal_add(builder->literal, heapd_str(HP_COPY_MARK)));
    }
    builder->in_copy = true;
    if (!failed)
        failed = open_container(builder, type);
    if (!failed && Py_REFCNT(object) > 2)
        failed = memo_add(&builder->memo, object, heapd_literal_last_container(builder->literal));
    if (!failed)
        failed = type == HEAPD_TYPE_DICT ? put_pairs_of_dict(builder, object) : put_all(builder, object);
    if (!failed)
        failed = checked(heapd_literal_close(builder->literal));
    if (!failed && wrapped)
        failed = checked(heapd_literal_close(builder->literal));
    builder->in_copy = in_copy;
    Py_LeaveRecursiveCall();
    return failed;
}

/* Keeps what the literal refers to alive until it was sent. */
static int keep(struct builder *builder, PyObject *object)
{
    if (!builder->helped && !(builder->helped = PyList_New(0)))
        return -1;
    return PyList_Append(builder->helped, object);
}

/* Kept, since its release would go out in front of the request that names it. */
static int put_proxy(struct builder *builder, PyObject *proxy)
{
    if (keep(builder, proxy))
        return -1;
    return checked(heapd_literal_add(builder->literal, heapd_ref(((struct hp_proxy *)proxy)->handle)));
}

static int put_with_help(struct builder *builder, PyObject *object)
{
    PyObject *known = PyObject_CallFunctionObjArgs(builder->owner->encode, (PyObject *)builder->owner, object, NULL);
    if (!known)
        return -1;
    int failed = keep(builder, known);
    if (!failed && known != object)
        failed = put(builder, known);
    else if (!failed)
        PyErr_Format(PyExc_TypeError, "cannot store %R in a heap", Py_TYPE(object));
    Py_DECREF(known);
    return failed ? failed : PyErr_Occurred() ? -1 : 0;
}

/* Built aside first, since whether it is all plain is known only at the end. */
static int put_copy(struct builder *builder, PyObject *object, int type)
{
    struct hp_value whole;
    if (hp_encode(builder->owner, object, &whole))
        return -1;
    int result;
    if (whole.value.kind == HEAPD_VALUE_LITERAL) {
        result = put_container(builder, object, type);
    } else {
        result = whole.held ? keep(builder, whole.held) : 0;
        if (!result)
            result = checked(heapd_literal_add(builder->literal, whole.value));
    }
    hp_value_done(&whole);
    return result;
}

static int put(struct builder *builder, PyObject *object)
{
    struct heapd_value value;
    PyObject *held = NULL;
    int result = scalar(object, &value, &held);
    if (result == 0)
        result = checked(heapd_literal_add(builder->literal, value));
    Py_XDECREF(held);
    if (result != NEEDS_HELP)
        return result;
    bool plain_only = builder->owner->copies && builder->in_copy;
    if (PyObject_TypeCheck(object, hp_proxy_type) && ((struct hp_proxy *)object)->owner == builder->owner)
        return plain_only ? NEEDS_HELP : put_proxy(builder, object);
    int type = type_of_plain(object);
    if (type && (builder->in_copy || !builder->owner->copies))
        return put_container(builder, object, type);
    if (type)
        return put_copy(builder, object, type);
    return plain_only ? NEEDS_HELP : put_with_help(builder, object);
}

static void builder_fini(struct builder *builder)
{
    free(builder->memo.entries);
    heapd_literal_free(builder->literal);
    Py_XDECREF(builder->helped);
}

static int builder_init(struct builder *builder, struct hp_connection *owner)
{
    *builder = (struct builder){.owner = owner, .literal = heapd_literal_new()};
    if (builder->literal)
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* Gives what the builder made to a value. */
static void hand_over(struct builder *builder, struct hp_value *out)
{
    out->literal = builder->literal;
    out->held = builder->helped;
    builder->literal = NULL;
    builder->helped = NULL;
}

static int encode_with_help(struct hp_connection *owner, PyObject *object, struct hp_value *out)
{
    PyObject *known = PyObject_CallFunctionObjArgs(owner->encode, (PyObject *)owner, object, NULL);
    if (!known)
        return -1;
    if (known == object) {
        Py_DECREF(known);
        PyErr_Format(PyExc_TypeError, "cannot store %R in a heap", Py_TYPE(object));
        return -1;
    }
    int failed = hp_encode(owner, known, out);
    if (failed || out->held)
        Py_DECREF(known); /* what the value borrows from is another object, which it holds */
    else
        out->held = known;
    return failed;
}

int hp_encode(struct hp_connection *owner, PyObject *object, struct hp_value *out)
{
    out->literal = NULL;
    out->held = NULL;
    int result = scalar(object, &out->value, &out->held);
    if (result < 0)
        hp_value_done(out);
    if (result != NEEDS_HELP)
        return result;
    if (PyObject_TypeCheck(object, hp_proxy_type) && ((struct hp_proxy *)object)->owner == owner) {
        out->value = heapd_ref(((struct hp_proxy *)object)->handle);
        Py_INCREF(object);
        out->held = object;
        return 0;
    }
    int type = type_of_plain(object);
    if (!type)
        return encode_with_help(owner, object, out);
    struct builder builder;
    if (builder_init(&builder, owner))
        return -1;
    result = put_container(&builder, object, type);
    if (result == 0) {
        hand_over(&builder, out);
        out->value = heapd_new(out->literal);
    }
    builder_fini(&builder);
    return result == NEEDS_HELP ? encode_with_help(owner, object, out) : result;
}

void hp_value_done(struct hp_value *value)
{
    heapd_literal_free(value->literal);
    Py_XDECREF(value->held);
    value->literal = NULL;
    value->held = NULL;
}

static int put_pair(struct builder *builder, PyObject *pair, Py_ssize_t position)
{
    PyObject *fast = PySequence_Tuple(pair);
    if (!fast) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "cannot convert dictionary update sequence element #%zd to a sequence",
                         position);
        return -1;
    }
    int failed = -1;
    if (PyTuple_Size(fast) != 2)
        PyErr_Format(PyExc_ValueError, "dictionary update sequence element #%zd has length %zd; 2 is required",
                     position, PyTuple_Size(fast));
    else
        failed = put(builder, PyTuple_GetItem(fast, 0));
    if (!failed)
        failed = put(builder, PyTuple_GetItem(fast, 1));
    if (!failed)
        failed = keep(builder, fast);
    Py_DECREF(fast);
    return failed;
}

static int put_pairs(struct builder *builder, PyObject *iterable)
{
    if (PyDict_CheckExact(iterable))
        return put_pairs_of_dict(builder, iterable);
    PyObject *pairs;
    if (PyObject_HasAttrString(iterable, "keys")) {
        PyObject *plain = PyDict_New();
        if (!plain || PyDict_Update(plain, iterable)) {
            Py_XDECREF(plain);
            return -1;
        }
        int failed = put_pairs_of_dict(builder, plain);
        if (!failed)
            failed = keep(builder, plain);
        Py_DECREF(plain);
        return failed;
    }
    pairs = PyObject_GetIter(iterable);
    PyObject *pair;
    int failed = pairs ? 0 : -1;
    for (Py_ssize_t i = 0; !failed && (pair = PyIter_Next(pairs)); i++) {
        failed = put_pair(builder, pair, i);
        Py_DECREF(pair);
    }
    Py_XDECREF(pairs);
    return failed ? failed : PyErr_Occurred() ? -1 : 0;
}

int hp_encode_contents(struct hp_connection *owner, PyObject *iterable, bool pairs, int open_type, struct hp_value *out)
{
    struct builder builder;
    *out = (struct hp_value){.literal = NULL};
    if (builder_init(&builder, owner))
        return -1;
    int failed = open_type ? open_container(&builder, open_type) : 0;
    if (!failed)
        failed = pairs ? put_pairs(&builder, iterable) : put_all(&builder, iterable);
    if (!failed && open_type)
        failed = checked(heapd_literal_close(builder.literal));
    if (!failed) {
        hand_over(&builder, out);
        out->value = heapd_new(out->literal);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "cannot store this in a heap");
    }
    builder_fini(&builder);
    return failed ? -1 : 0;
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

/* Without taking the value's memory. */
static PyObject *decode_scalar(const struct heapd_value *value)
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
    PyObject *object = decode_scalar(value);
    heapd_value_clear(value);
    return object;
}

/* ---- whole graphs */

struct level {
    enum heapd_node_kind kind;
    PyObject *object; /* own: a list, which becomes a tuple in the end, a dict or a set */
    PyObject *key;    /* own: of a dict, while its value comes */
    PyObject *name;   /* own: the class's name of an instance */
    uint64_t container;
    Py_ssize_t count; /* of a list or tuple: how many elements are there already */
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
        level->name = decode_scalar(&node->value);
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
        return PyList_SetItem(level->object, level->count++, object);
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
        if (object && reader->shallow && reader->copies && reader->depth == 1 && is_marked(object)) {
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
        return give(reader, decode_scalar(&node->value));
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
    for (size_t i = 0; i < count; i++) {
        PyObject *number = PyLong_FromLong(values[i]);
        if (!number || PyList_SetItem(level->object, level->count++, number))
            return -1;
    }
    return 0;
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
