/*
 * What the files of the extension share.
 *
 * A Connection is a libheapd connection and what its objects become in Python; a Proxy is one handle of it. Every
 * operation has the same three steps: encode the arguments (encode.c), begin the request, and answer (answer.c):
 * wait without the GIL, or, in a pipeline, give a Result at once. So each operation works in all modes.
 */
#ifndef HEAPD_PYTHON_PRIVATE_H
#define HEAPD_PYTHON_PRIVATE_H

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <heapd/heapd.h>
#include <stdbool.h>

#define HP_TYPES 32
/* How often a thread that waits looks for signals. */
#define HP_LOOK_MS 250

struct hp_connection {
    PyObject_HEAD struct heapd_connection *connection; /* own; NULL: closed */
    struct heapd_connection *clone;                    /* own: between the two halves of a fork */
    PyObject *types[HP_TYPES]; /* own: the class of proxies to objects of a type; NULL: wrap is asked */
    PyObject *wrap;            /* own: callable(proxy) -> what the program gets */
    PyObject *encode;          /* own: callable(connection, object) -> what can be encoded, or raises */
    PyObject *dict;            /* own: attributes of subclasses */
    PyObject *weak;
    PyObject *results;             /* own: list of Results of the pipeline; NULL: none is open */
    unsigned long pipeline_thread; /* whose pipeline it is */
    unsigned users;                /* threads that wait without the GIL */
    unsigned forks;                /* how often it went on in a child: what was begun before is not this session's */
    bool close_wanted;             /* the last of them closes */
    bool copies;                   /* plain containers inside others are values, as multiprocessing has it */
    bool batched;                  /* writes are not waited for */
    bool unreported;               /* a write was not waited for since the last finish */
};

struct hp_proxy {
    PyObject_HEAD struct hp_connection *owner; /* own */
    heapd_handle handle;                       /* own: one reference */
    PyObject *weak;
    int type; /* enum heapd_type */
};

#define HP_PROXY(self) ((struct hp_proxy *)(self))

/* How an answer becomes a Python object. */
enum hp_form {
    HP_VALUE,    /* the value */
    HP_NOTHING,  /* None */
    HP_PRESENCE, /* None, or KeyError if the answer is false */
    HP_DEFAULT,  /* the value, or `extra` after KeyError */
};

extern PyTypeObject *hp_connection_type;
extern PyTypeObject *hp_proxy_type;
extern PyTypeObject *hp_result_type;
/* callable(code, message, request, failed_request) -> exception; set by the Python side. */
extern PyObject *hp_make_error;

int hp_connection_ready(PyObject *module);
int hp_proxy_ready(PyObject *module);
int hp_result_ready(PyObject *module);

/* ---- connection.c */

/* The library's connection; NULL with an exception: closed. */
struct heapd_connection *hp_open(struct hp_connection *owner);
/* Around every wait without the GIL, so that close does not pull the connection away. */
void hp_enter(struct hp_connection *owner);
void hp_leave(struct hp_connection *owner);
/* Is this thread in the connection's pipeline? */
bool hp_in_pipeline(const struct hp_connection *owner);

/* ---- scalar.c */

/* The answer of what finds that only `encode` of the connection knows what to do. */
#define HP_NEEDS_HELP 1

/* A scalar as a value. 0, -1, or HP_NEEDS_HELP: it is none. *held, if set, is what the value borrows from. */
int hp_scalar(PyObject *object, struct heapd_value *out, PyObject **held);
/* A str argument as bytes, lent until the object dies. */
int hp_name(PyObject *object, struct heapd_bytes *out);
/* Without taking the value's memory. */
PyObject *hp_decode_scalar(const struct heapd_value *value);
/* Steals the memory of the value and the handle that it may be. */
PyObject *hp_decode(struct hp_connection *owner, struct heapd_value *value);
/* A proxy, or what the program gets in its place. Steals the handle. */
PyObject *hp_wrap(struct hp_connection *owner, heapd_handle handle, int type);
/* A proxy of the class for its type, or a bare one. Steals the handle. */
PyObject *hp_proxy_new(struct hp_connection *owner, heapd_handle handle, int type);
PyObject *hp_big_int(const struct heapd_bytes *bytes);

/* ---- encode.c */

/* A value to be sent, and what it borrows from. */
struct hp_value {
    struct heapd_value value;
    struct heapd_literal *literal; /* own */
    PyObject *held;                /* own */
};

int hp_encode(struct hp_connection *owner, PyObject *object, struct hp_value *out);
void hp_value_done(struct hp_value *value);
/*
 * The contents of an iterable, or of a mapping or pairs if `pairs`, as the top-level nodes of a literal, or inside one
 * container of open_type.
 */
int hp_encode_contents(struct hp_connection *owner, PyObject *iterable, bool pairs, int open_type,
                       struct hp_value *out);
/* Is it a tuple that stands for the copy of a container inside? */
bool hp_is_marked(PyObject *object);

/* ---- graph.c */

/* All that an object reaches, as plain Python objects. */
PyObject *hp_export(struct hp_connection *owner, heapd_handle handle, PyObject *instance);
/* The same, of a container that holds values alone; None if it holds containers that come as proxies. */
PyObject *hp_read_shallow(struct hp_connection *owner, heapd_handle handle);

/* ---- answer.c */

/* Where a begin function is to put the ticket; NULL: nobody waits for this write. */
heapd_ticket *hp_ticket(struct hp_connection *owner, bool is_write, heapd_ticket *storage);
/*
 * What the program gets for a request that was begun with `code`. `key` is for KeyError, `extra` as the form says;
 * both borrow, may be NULL. ticket 0: none was asked for.
 */
PyObject *hp_answer(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                    enum hp_form form, PyObject *key, PyObject *extra);
/* Waits without the GIL; signals are looked at. 0, or -1 with an exception. */
int hp_wait(struct hp_connection *owner, heapd_ticket ticket, struct heapd_result *result, PyObject *key);
/* What a request that is interrupted may have taken all the same, and is to give back: a lock, or a queue's item. */
struct hp_undo {
    heapd_handle handle;
    uint64_t thread;
    bool is_item;
};
int hp_wait_undo(struct hp_connection *owner, heapd_ticket ticket, struct heapd_result *result, PyObject *key,
                 const struct hp_undo *undo);
/* Sets the exception for an error. Gives NULL. */
PyObject *hp_raise(const struct heapd_error *error, PyObject *key);
PyObject *hp_raise_code(int code);
/* The Python object of an answered request. Steals the result. */
PyObject *hp_form_result(struct hp_connection *owner, struct heapd_result *result, enum hp_form form, PyObject *key);
/* A Result of a pipeline gets its value or its failure; waits if it has to. -1: a signal, with its exception. */
int hp_result_fetch(PyObject *result);
/* Waits for all that was begun and raises the first failure; or what a signal's handler raises. */
int hp_finish(struct hp_connection *owner);

/*
 * At the interpreter's end connections close under daemon threads, which Python's own libraries would let end without a
 * word: true, with a SystemExit that ends the thread, in such a thread at such a time.
 */
bool hp_ends_quietly(void);
extern bool hp_exiting;

/* ---- cancel.c: calls that another thread may cancel */

/* By which number locks know who calls: the call's, or the thread's. */
uint64_t hp_caller(void);
/* Around a wait. If the call was cancelled before, so is the request. */
void hp_call_waits(struct hp_connection *owner, heapd_ticket ticket);
void hp_call_waited(void);
int hp_call_ready(PyObject *module);

/* ---- call.c: the shapes that most methods of proxies have */

typedef int hp_begin(struct heapd_connection *, heapd_handle, heapd_ticket *, struct heapd_error *);
typedef int hp_begin_value(struct heapd_connection *, heapd_handle, struct heapd_value, heapd_ticket *,
                           struct heapd_error *);
typedef int hp_begin_pair(struct heapd_connection *, heapd_handle, struct heapd_value, struct heapd_value,
                          heapd_ticket *, struct heapd_error *);

PyObject *hp_call(PyObject *self, hp_begin *begin, bool is_write, enum hp_form form);
/* A KeyError names the value. */
PyObject *hp_call_value(PyObject *self, PyObject *value, hp_begin_value *begin, bool is_write, enum hp_form form);
PyObject *hp_call_pair(PyObject *self, PyObject *key, PyObject *value, hp_begin_pair *begin, bool is_write,
                       enum hp_form form);
/* The proxy of what a request that was begun with `code` makes; waits, so that failures show. */
PyObject *hp_made(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                  heapd_handle handle, int type);
/*
 * What is read of an object that a request was begun to make, in the same round trip; a proxy of it where `read` gives
 * None. The request's own failure goes before what reading says of it.
 */
typedef PyObject *hp_read(struct hp_connection *owner, heapd_handle handle, PyObject *extra);
PyObject *hp_made_and_read(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                           heapd_handle handle, int type, hp_read *read, PyObject *extra);
/* What Python wants at once even inside a pipeline. 0, or -1 with an exception. */
int hp_wait_here(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                 struct heapd_result *result);

/* ---- set.c: methods of proxies */

PyObject *hp_set_combine(PyObject *self, PyObject *arguments);
PyObject *hp_set_update(PyObject *self, PyObject *arguments);
PyObject *hp_set_compare(PyObject *self, PyObject *arguments);

/* ---- container.c: methods of proxies */

PyObject *hp_container_append(PyObject *self, PyObject *value);
PyObject *hp_container_add(PyObject *self, PyObject *value);
PyObject *hp_container_discard(PyObject *self, PyObject *value);
PyObject *hp_container_discard_known(PyObject *self, PyObject *value);
PyObject *hp_container_insert(PyObject *self, PyObject *arguments);
PyObject *hp_container_pop_last(PyObject *self, PyObject *arguments);
PyObject *hp_container_pop_key(PyObject *self, PyObject *arguments);
PyObject *hp_container_clear(PyObject *self, PyObject *unused);
PyObject *hp_container_extend(PyObject *self, PyObject *iterable);
PyObject *hp_container_update(PyObject *self, PyObject *iterable);
PyObject *hp_container_increase(PyObject *self, PyObject *arguments);

/* ---- attribute.c: methods of proxies */

PyObject *hp_attribute_get(PyObject *self, PyObject *name);
PyObject *hp_attribute_set(PyObject *self, PyObject *arguments);
PyObject *hp_attribute_del(PyObject *self, PyObject *name);
PyObject *hp_attribute_increase(PyObject *self, PyObject *arguments);

/* Attributes, the class whose public attributes are the heap's. */
int hp_attribute_ready(PyObject *module);

/* ---- create.c: methods of connections */

PyObject *hp_create_container(PyObject *self, PyObject *arguments);
PyObject *hp_create_class(PyObject *self, PyObject *arguments);
PyObject *hp_create_instance(PyObject *self, PyObject *arguments);
PyObject *hp_create_redeem(PyObject *self, PyObject *secret);

/* ---- names.c: methods of connections */

PyObject *hp_names_bind(PyObject *self, PyObject *arguments);
PyObject *hp_names_lookup(PyObject *self, PyObject *arguments);
PyObject *hp_names_unbind(PyObject *self, PyObject *name);
PyObject *hp_names_list(PyObject *self, PyObject *arguments);
PyObject *hp_names_increase(PyObject *self, PyObject *arguments);

/* ---- admin.c: methods of connections */

PyObject *hp_admin_stats(PyObject *self, PyObject *unused);
PyObject *hp_admin_sessions(PyObject *self, PyObject *unused);
PyObject *hp_admin_ping(PyObject *self, PyObject *unused);
PyObject *hp_admin_collect(PyObject *self, PyObject *arguments);
PyObject *hp_admin_get_threshold(PyObject *self, PyObject *unused);
PyObject *hp_admin_set_threshold(PyObject *self, PyObject *arguments);
PyObject *hp_admin_get_count(PyObject *self, PyObject *unused);
PyObject *hp_admin_gc_stats(PyObject *self, PyObject *unused);
PyObject *hp_admin_set_enabled(PyObject *self, PyObject *enabled);
PyObject *hp_admin_freeze(PyObject *self, PyObject *unused);
PyObject *hp_admin_unfreeze(PyObject *self, PyObject *unused);
PyObject *hp_admin_freeze_count(PyObject *self, PyObject *unused);
PyObject *hp_admin_compact(PyObject *self, PyObject *unused);
PyObject *hp_admin_shutdown_daemon(PyObject *self, PyObject *unused);

/* ---- sync.c: methods of proxies, and the last of connections */

PyObject *hp_sync_acquire(PyObject *self, PyObject *timeout);
PyObject *hp_sync_release(PyObject *self, PyObject *arguments);
PyObject *hp_sync_put(PyObject *self, PyObject *arguments);
PyObject *hp_sync_get(PyObject *self, PyObject *timeout);
PyObject *hp_sync_put_back(PyObject *self, PyObject *value);
PyObject *hp_sync_task_done(PyObject *self, PyObject *unused);
PyObject *hp_sync_join(PyObject *self, PyObject *timeout);
PyObject *hp_sync_set(PyObject *self, PyObject *unused);
PyObject *hp_sync_clear(PyObject *self, PyObject *unused);
PyObject *hp_sync_wait_event(PyObject *self, PyObject *timeout);
PyObject *hp_sync_wait_barrier(PyObject *self, PyObject *timeout);
PyObject *hp_sync_reset(PyObject *self, PyObject *unused);
PyObject *hp_sync_abort(PyObject *self, PyObject *unused);
PyObject *hp_sync_wait_condition(PyObject *self, PyObject *timeout);
PyObject *hp_sync_notify(PyObject *self, PyObject *number);
PyObject *hp_sync_state(PyObject *self, PyObject *unused);
PyObject *hp_sync_create(PyObject *self, PyObject *arguments);

/* ---- sequence.c: methods of proxies */

PyObject *hp_sequence_read_slice(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_set_slice(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_del_slice(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_extend_from(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_repeat(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_reverse(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_sort(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_search(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_copy(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_set_default(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_gather(PyObject *self, PyObject *arguments);
PyObject *hp_sequence_pop_item(PyObject *self, PyObject *unused);

/* ---- buffer.c: a method of proxies, two of connections */

PyObject *hp_buffer_map(PyObject *self, PyObject *unused);
PyObject *hp_buffer_put(PyObject *self, PyObject *object);
PyObject *hp_buffer_create(PyObject *self, PyObject *size);
int hp_buffer_ready(PyObject *module);

/* ---- inspect.c: two methods of connections, three of proxies */

PyObject *hp_inspect_why(PyObject *self, PyObject *arguments);
PyObject *hp_inspect_retained(PyObject *self, PyObject *arguments);
PyObject *hp_inspect_make_weak(PyObject *self, PyObject *unused);
PyObject *hp_inspect_referent(PyObject *self, PyObject *unused);
PyObject *hp_inspect_follow(PyObject *self, PyObject *unused);
PyObject *hp_inspect_census(PyObject *self, PyObject *arguments);
PyObject *hp_tags_set(PyObject *self, PyObject *arguments);
PyObject *hp_tags_object(PyObject *self, PyObject *arguments);
PyObject *hp_tags_intern(PyObject *self, PyObject *arguments);
PyObject *hp_tags_let_go(PyObject *self, PyObject *arguments);
int hp_inspect_ready(PyObject *module);

#endif
