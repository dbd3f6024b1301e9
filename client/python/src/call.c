/* The shapes that most methods of proxies have: encode, begin, answer. */
#include "private.h"

PyObject *hp_call(PyObject *self, hp_begin *begin, bool is_write, enum hp_form form)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    heapd_ticket ticket;
    if (!connection)
        return NULL;
    int code = begin(connection, proxy->handle, hp_ticket(proxy->owner, is_write, &ticket), &error);
    return hp_answer(proxy->owner, code, ticket, &error, form, NULL, NULL);
}

PyObject *hp_call_value(PyObject *self, PyObject *value, hp_begin_value *begin, bool is_write, enum hp_form form)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct hp_value sent;
    heapd_ticket ticket;
    if (!connection || hp_encode(proxy->owner, value, &sent))
        return NULL;
    int code = begin(connection, proxy->handle, sent.value, hp_ticket(proxy->owner, is_write, &ticket), &error);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, form, value, NULL);
}

PyObject *hp_call_pair(PyObject *self, PyObject *key, PyObject *value, hp_begin_pair *begin, bool is_write,
                       enum hp_form form)
{
    struct hp_proxy *proxy = HP_PROXY(self);
    struct heapd_connection *connection = hp_open(proxy->owner);
    struct heapd_error error;
    struct hp_value sent_key, sent;
    heapd_ticket ticket;
    if (!connection || hp_encode(proxy->owner, key, &sent_key))
        return NULL;
    if (hp_encode(proxy->owner, value, &sent)) {
        hp_value_done(&sent_key);
        return NULL;
    }
    int code = begin(connection, proxy->handle, sent_key.value, sent.value, hp_ticket(proxy->owner, is_write, &ticket),
                     &error);
    hp_value_done(&sent_key);
    hp_value_done(&sent);
    return hp_answer(proxy->owner, code, ticket, &error, form, key, NULL);
}

/* An interrupted request may fill its handle all the same. Of one that failed there is nothing to release. */
static void give_back(struct hp_connection *owner, heapd_handle handle)
{
    if (owner->connection)
        (void)heapd_release(owner->connection, handle);
}

PyObject *hp_made(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                  heapd_handle handle, int type)
{
    if (code)
        return hp_raise(error, NULL);
    if (hp_wait(owner, ticket, NULL, NULL)) {
        give_back(owner, handle);
        return NULL;
    }
    return hp_proxy_new(owner, handle, type);
}

PyObject *hp_made_and_read(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                           heapd_handle handle, int type, hp_read *read, PyObject *extra)
{
    PyObject *kind, *value, *traceback;
    if (code)
        return hp_raise(error, NULL);
    /* Reading may run the program's code, which may close the connection: not before this is done. */
    hp_enter(owner);
    PyObject *found = read(owner, handle, extra);
    PyErr_Fetch(&kind, &value, &traceback);
    int failed = hp_wait(owner, ticket, NULL, NULL);
    hp_leave(owner);
    if (failed) {
        Py_XDECREF(kind);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        Py_XDECREF(found);
        give_back(owner, handle);
        return NULL;
    }
    PyErr_Restore(kind, value, traceback);
    if (found == Py_None) {
        Py_DECREF(found);
        return hp_open(owner) ? hp_proxy_new(owner, handle, type) : NULL;
    }
    give_back(owner, handle);
    return found;
}

int hp_wait_here(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                 struct heapd_result *result)
{
    if (code) {
        hp_raise(error, NULL);
        return -1;
    }
    return hp_wait(owner, ticket, result, NULL);
}
