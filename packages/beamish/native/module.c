/* The module: its set-up, and the functions that it offers. */
#include "core.h"

Offsets offset;
Classes class;
Objects object;
Strings string;

/* ``claim()``: reserve the core for the library that is being imported.
 *
 * Its variables are static, so a second copy of the library in the same process, such as that of
 * a second interpreter, has to do without. */
static PyObject *
claim(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    static int claimed;
    if (claimed) {
        PyErr_SetString(PyExc_ImportError, "another copy of beamish uses the native core");
        return NULL;
    }
    claimed = 1;
    Py_RETURN_NONE;
}

/* Return the offset of a slot of a Python class; -1 with an exception if there is none. */
static Py_ssize_t
offset_of(PyTypeObject *type, const char *attribute)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, attribute);
    if (found == NULL) {
        return -1;
    }
    Py_ssize_t result = -1;
    if (Py_TYPE(found) == &PyMemberDescr_Type) {
        result = ((PyMemberDescrObject *)found)->d_member->offset;
    }
    else {
        PyErr_Format(PyExc_TypeError, "%R has no slot %s", type, attribute);
    }
    Py_DECREF(found);
    return result;
}

/* Return the object called `name` in a dict, as a new reference. */
static PyObject *
object_in(PyObject *names, const char *name)
{
    PyObject *key = PyUnicode_FromString(name);
    PyObject *found = key == NULL ? NULL : PyObject_GetItem(names, key);
    Py_XDECREF(key);
    return found;
}

/* ``setup(names)``: take over the classes and objects of the library. */
static PyObject *
setup(PyObject *Py_UNUSED(module), PyObject *names)
{
#define X(name)                                                           \
    if ((class.name = (PyTypeObject *)object_in(names, #name)) == NULL) { \
        return NULL;                                                      \
    }
    BEAMISH_CLASSES(X)
#undef X
#define X(name)                                           \
    if ((object.name = object_in(names, #name)) == NULL) { \
        return NULL;                                      \
    }
    BEAMISH_OBJECTS(X)
#undef X
#define X(of, attribute)                                                   \
    if ((offset.of##_##attribute = offset_of(class.of, #attribute)) < 0) { \
        return NULL;                                                       \
    }
    BEAMISH_SLOTS(X)
#undef X
    if (prepare_is_running() < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

#define KEYWORDS(name) \
    {#name, (PyCFunction)(void *)name, METH_FASTCALL | METH_KEYWORDS, NULL}

/* The functions that take the place of those that users call. Their text is set by `replace`. */
static PyMethodDef replacements[] = {
    KEYWORDS(cast),
    KEYWORDS(lookup),
    KEYWORDS(whereis),
    {"turn", turn, METH_NOARGS, NULL},
    {"enqueue", enqueue, METH_O, NULL},
    {"cast_bare", cast_bare, METH_O, NULL},
};

/* ``replacement(cls, name, text)``: the core's own `cls.name`, a method of its instances.
 *
 * With `text`, it is a static method with this signature and documentation, which a call on the
 * class, and `pickle`, find by the name of the class. */
static PyObject *
replacement(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *cls, *text;
    const char *name;
    if (!PyArg_ParseTuple(args, "O!sO", &PyType_Type, &cls, &name, &text)) {
        return NULL;
    }
    for (size_t i = 0; i < Py_ARRAY_LENGTH(replacements); i++) {
        PyMethodDef *method = &replacements[i];
        if (strcmp(method->ml_name, name) != 0) {
            continue;
        }
        if (text == Py_None) {
            return PyDescr_NewMethod((PyTypeObject *)cls, method);
        }
        method->ml_doc = PyUnicode_AsUTF8(text);
        if (method->ml_doc == NULL) {
            return NULL;
        }
        Py_INCREF(text); /* the function points into it, and is never freed */
        PyObject *module = PyObject_GetAttrString(cls, "__module__");
        PyObject *function = module == NULL ? NULL : PyCFunction_NewEx(method, cls, module);
        Py_XDECREF(module);
        return function;
    }
    return PyErr_Format(PyExc_LookupError, "the native core has no %s", name);
}

static PyMethodDef functions[] = {
    {"claim", claim, METH_NOARGS, NULL},
    {"setup", setup, METH_O, NULL},
    {"replacement", replacement, METH_VARARGS, NULL},
    {"entered", entered, METH_O, NULL},
    KEYWORDS(call_plain),
    KEYWORDS(call_with_from),
    KEYWORDS(call_with_from_keyword),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "beamish._native._core",
    .m_size = -1, /* static variables: see `claim` */
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__core(void)
{
#define X(name)                                                      \
    if ((string.name = PyUnicode_InternFromString(#name)) == NULL) { \
        return NULL;                                                 \
    }
    BEAMISH_STRINGS(X)
#undef X
    return PyModule_Create(&definition);
}
