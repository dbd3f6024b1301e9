/*
 * From Python's objects to the heap's: scalars as values, containers as literals.
 *
 * A connection with `copies` keeps multiprocessing's semantics: a plain container that is put into another one is a
 * value, which comes back as a fresh copy, while a proxy stays a reference. A list in such a place is stored as the
 * tuple (HP_COPY_MARK, list), since nothing can change what is inside a tuple that nobody else holds, and since two
 * such tuples compare as the lists do. Tuples of plain values stand for themselves.
 */
#include "private.h"

#include <stdlib.h>

#define HP_COPY_MARK "heapd.copy"

/*
 * Which container a Python object has in the literal, so that what is shared stays shared. Open addressing. Objects are
 * held: an iterator may drop what it gave, and the next object could be where that was.
 */
struct memo {
    struct memo_entry {
        PyObject *object; /* own */
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

static int memo_add(struct memo *memo, PyObject *object, uint64_t number)
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
    Py_INCREF(object);
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
    return HP_NEEDS_HELP;
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

bool hp_is_marked(PyObject *object)
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
    if (builder->owner->copies && !in_copy && (type != HEAPD_TYPE_TUPLE || hp_is_marked(object))) {
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
    int result = hp_scalar(object, &value, &held);
    if (result == 0)
        result = checked(heapd_literal_add(builder->literal, value));
    Py_XDECREF(held);
    if (result != HP_NEEDS_HELP)
        return result;
    bool plain_only = builder->owner->copies && builder->in_copy;
    if (PyObject_TypeCheck(object, hp_proxy_type) && ((struct hp_proxy *)object)->owner == builder->owner)
        return plain_only ? HP_NEEDS_HELP : put_proxy(builder, object);
    int type = type_of_plain(object);
    if (type && (builder->in_copy || !builder->owner->copies))
        return put_container(builder, object, type);
    if (type)
        return put_copy(builder, object, type);
    return plain_only ? HP_NEEDS_HELP : put_with_help(builder, object);
}

static void builder_fini(struct builder *builder)
{
    for (size_t i = 0; i < builder->memo.capacity; i++)
        Py_XDECREF(builder->memo.entries[i].object);
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

/* What was encoded may have run the program's code, or another thread, which may have closed the connection. */
static int check_open(struct hp_connection *owner, struct hp_value *out)
{
    if (hp_open(owner))
        return 0;
    hp_value_done(out);
    return -1;
}

int hp_encode(struct hp_connection *owner, PyObject *object, struct hp_value *out)
{
    out->literal = NULL;
    out->held = NULL;
    int result = hp_scalar(object, &out->value, &out->held);
    if (result < 0)
        hp_value_done(out);
    if (result != HP_NEEDS_HELP)
        return result;
    if (PyObject_TypeCheck(object, hp_proxy_type) && ((struct hp_proxy *)object)->owner == owner) {
        out->value = heapd_ref(((struct hp_proxy *)object)->handle);
        Py_INCREF(object);
        out->held = object;
        return 0;
    }
    int type = type_of_plain(object);
    if (!type) {
        result = encode_with_help(owner, object, out);
        return result ? result : check_open(owner, out);
    }
    struct builder builder;
    if (builder_init(&builder, owner))
        return -1;
    result = put_container(&builder, object, type);
    if (result == 0) {
        hand_over(&builder, out);
        out->value = heapd_new(out->literal);
    }
    builder_fini(&builder);
    if (result == HP_NEEDS_HELP)
        result = encode_with_help(owner, object, out);
    return result ? result : check_open(owner, out);
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
    return failed ? -1 : check_open(owner, out);
}
