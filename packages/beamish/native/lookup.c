/* The look-ups of a registry by its name, and of a key in it.
 *
 * Follows `find_table`, `Registry.lookup` and `Registry.whereis`. */
#include "core.h"

/* Return the table of a unique registry by its name, as a new reference.
 *
 * NULL without an exception: not the plain case. */
static PyObject *
find_table(PyObject *registry)
{
    PyObject *runtime = PyDict_GetItemWithError(object.runtime_dict, string._latest);
    if (runtime == NULL || runtime == Py_None || !PyUnicode_CheckExact(registry) ||
        is_running(SLOT(runtime, Runtime_loop)) <= 0) {
        return NULL;
    }
    PyObject *pid = PyDict_GetItemWithError(SLOT(runtime, Runtime_names), registry);
    if (pid == NULL || Py_TYPE(pid) != class.Pid) {
        return NULL;
    }
    PyObject *process = SLOT(pid, Pid__process);
    if (process == NULL || Py_TYPE(process) != class.ServerProcess) {
        return NULL;
    }
    PyObject *server = SLOT(process, ServerProcess_server);
    if (server == NULL || Py_TYPE(server) != class.Registry) {
        return NULL; /* not a registry: the reference says so */
    }
    PyObject *table = SLOT(server, Registry__table);
    if (table == NULL || Py_TYPE(table) != class.RegistryTable ||
        SLOT(table, RegistryTable_unique) != Py_True) {
        return NULL;
    }
    return Py_NewRef(table);
}

/* Return whether a server holds this entry under its own name; see `RegistryEntry`. */
static inline int
is_pid(PyObject *entry)
{
    return Py_TYPE(entry) == class.Pid;
}

/* Return the pid of an entry, as a borrowed reference. */
static inline PyObject *
pid_in(PyObject *entry)
{
    return is_pid(entry) ? entry : SLOT(entry, RegistryEntry_pid);
}

/* Return the entry of a key as a new reference; NULL without an exception if there is none. */
static PyObject *
entry_of(PyObject *table, PyObject *key)
{
    PyObject *entries = Py_NewRef(SLOT(table, RegistryTable_entries));
    PyObject *entry = PyDict_GetItemWithError(entries, key); /* can run the key's code */
    Py_XINCREF(entry);
    Py_DECREF(entries);
    return entry;
}

/* ``Registry.lookup(registry, key)`` */
PyObject *
lookup(PyObject *Py_UNUSED(class), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *table = nargs == 2 && kwnames == NULL ? find_table(args[0]) : NULL;
    if (table == NULL) {
        return PyErr_Occurred() ? NULL : PyObject_Vectorcall(object.lookup, args, nargs, kwnames);
    }
    PyObject *entry = entry_of(table, args[1]);
    Py_DECREF(table);
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : PyList_New(0);
    }
    PyObject *found = PyList_New(1);
    PyObject *value = is_pid(entry) ? Py_None : SLOT(entry, RegistryEntry_value);
    PyObject *pair = PyTuple_Pack(2, pid_in(entry), value);
    Py_DECREF(entry);
    if (found == NULL || pair == NULL) {
        Py_XDECREF(found);
        Py_XDECREF(pair);
        return NULL;
    }
    PyList_SET_ITEM(found, 0, pair);
    return found;
}

/* ``Registry.whereis(registry, key)`` */
PyObject *
whereis(PyObject *Py_UNUSED(class), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *table = nargs == 2 && kwnames == NULL ? find_table(args[0]) : NULL;
    if (table == NULL) {
        return PyErr_Occurred() ? NULL : PyObject_Vectorcall(object.whereis, args, nargs, kwnames);
    }
    PyObject *entry = entry_of(table, args[1]);
    Py_DECREF(table);
    if (entry == NULL) {
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    PyObject *pid = Py_NewRef(pid_in(entry));
    Py_DECREF(entry);
    return pid;
}
