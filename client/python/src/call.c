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

PyObject *hp_made(struct hp_connection *owner, int code, heapd_ticket ticket, const struct heapd_error *error,
                  heapd_handle handle, int type)
{
    if (code)
        return hp_raise(error, NULL);
    if (hp_wait(owner, ticket, NULL, NULL))
        return NULL;
    return hp_proxy_new(owner, handle, type);
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
