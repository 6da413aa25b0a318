// A module of Python with errors.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject* null_write(PyObject* self, PyObject* unused) {
  (void)self, (void)unused;
  volatile int* volatile at = NULL;
  *at = 1;  // at: null_write
  Py_RETURN_NONE;
}

static PyObject* fatal(PyObject* self, PyObject* unused) {
  (void)self, (void)unused;
  Py_FatalError("the module lost its state");  // at: fatal
}

static PyObject* bad_item(PyObject* self, PyObject* list) {
  (void)self;
  PyObject* const item = PyList_GetItem(list, 99);
  return Py_NewRef(PyObject_Type(item));  // at: bad_item
}

static PyObject* raises(PyObject* self, PyObject* unused) {
  (void)self, (void)unused;
  PyErr_SetString(PyExc_ValueError, "row 7 has no key");
  return NULL;
}

static PyMethodDef methods[] = {{"null_write", null_write, METH_NOARGS, ""},
                                {"fatal", fatal, METH_NOARGS, ""},
                                {"bad_item", bad_item, METH_O, ""},
                                {"raises", raises, METH_NOARGS, ""},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "extension", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_extension(void) { return PyModule_Create(&module); }
