/* The module _heapd. */
#include "private.h"

static PyObject *set_make_error(PyObject *module, PyObject *callable)
{
    PyObject *old = hp_make_error;
    (void)module;
    Py_INCREF(callable);
    hp_make_error = callable;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *code_text(PyObject *module, PyObject *number)
{
    long code = PyLong_AsLong(number);
    (void)module;
    if (code == -1 && PyErr_Occurred())
        return NULL;
    return Py_BuildValue("ss", heapd_code_name((int)code), heapd_code_text((int)code));
}

static PyObject *default_address(PyObject *module, PyObject *unused)
{
    char address[256];
    (void)module;
    (void)unused;
    int code = heapd_default_address(address, sizeof address);
    return code ? hp_raise_code(code) : PyUnicode_FromString(address);
}

static PyObject *set_exiting(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    hp_exiting = true;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"_set_make_error", set_make_error, METH_O, NULL},
    {"_set_exiting", set_exiting, METH_NOARGS, "The interpreter ends: daemon threads that use the heap end quietly."},
    {"code_text", code_text, METH_O, "Name and text of an error code."},
    {"default_address", default_address, METH_NOARGS, "Where a daemon listens if nothing else is said."},
    {0},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_heapd", .m_doc = "libheapd for Python.",
                                        .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__heapd(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    if (hp_connection_ready(module) || hp_proxy_ready(module) || hp_result_ready(module) || hp_buffer_ready(module) ||
        hp_inspect_ready(module) || hp_attribute_ready(module) || hp_call_ready(module)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
