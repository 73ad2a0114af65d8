/* The direct call: a call to an idle server, which runs on its caller's stack.
 *
 * Follows the fast path in `clients._CALL`. */
#include "core.h"

#define MAX_SMALL 8 /* arguments that need no memory of their own */

typedef enum { WITHOUT_FROM, FROM_POSITIONAL, FROM_KEYWORD } FromKind;

/* A direct call. All are new references; `from` is NULL if the callback takes none. */
typedef struct {
    PyObject *process, *function, *from, *context;
    PyObject *rest; /* what `unfinished` fills in; allocated before the callback runs */
} Entered;

/* An object for `Entered.rest`, left over from a call that was complete; or NULL. */
static PyObject *spare;

/* Take the spare object, or allocate one; NULL without memory. */
static PyObject *
take_spare(void)
{
    PyObject *rest = spare;
    spare = NULL;
    return rest != NULL ? rest : class.Unfinished->tp_alloc(class.Unfinished, 0);
}

/* Keep an object that was not needed for the next call; steals `rest`, which can be NULL. */
static void
keep_spare(PyObject *rest)
{
    if (rest != NULL) {
        set_slot(&spare, rest);
    }
}

/* Return whether the call can be direct although the budget is used up; -1 with an exception. */
static int
allows_direct_call(PyObject *runtime, PyObject *process, PyObject *name, PyObject *const *args,
                   Py_ssize_t count, PyObject *kwnames)
{
    PyObject *positional = PyTuple_New(count), *keywords = NULL, *allowed = NULL;
    if (positional == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    }
    if (kwnames == NULL) {
        keywords = Py_NewRef(Py_None);
    }
    else if ((keywords = PyDict_New()) != NULL) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
            if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), args[count + i]) < 0) {
                Py_CLEAR(keywords);
                break;
            }
        }
    }
    if (keywords != NULL) {
        allowed = PyObject_CallMethodObjArgs(runtime, string.allows_direct_call, process, name,
                                             positional, keywords, NULL);
    }
    Py_DECREF(positional);
    Py_XDECREF(keywords);
    if (allowed == NULL) {
        return -1;
    }
    int result = PyObject_IsTrue(allowed);
    Py_DECREF(allowed);
    return result;
}

/* Return a new `From`, with the slots that its __init__ sets. */
static PyObject *
new_from(PyObject *process, PyObject *dest)
{
    PyObject *caller = NULL;
    if (PyContextVar_Get(object.current_pid, Py_None, &caller) < 0) {
        return NULL;
    }
    PyObject *from = class.From->tp_alloc(class.From, 0);
    if (from == NULL) {
        Py_XDECREF(caller);
        return NULL;
    }
    SLOT(from, From_pid) = caller;
    SLOT(from, From__server) = Py_NewRef(process);
    SLOT(from, From__dest) = Py_NewRef(dest);
    SLOT(from, From__value) = Py_NewRef(object.open_value);
    SLOT(from, From__error) = Py_NewRef(Py_None);
    SLOT(from, From_future) = Py_NewRef(Py_None);
    return from;
}

/* Return the function of the call, as a new reference, if the server is idle and all is plain.
 *
 * NULL without an exception: not the plain case. */
static PyObject *
direct_function(PyObject *process, PyObject *name, FromKind kind, PyObject *const *args,
                Py_ssize_t count, PyObject *kwnames)
{
    PyObject *table = SLOT(process, ServerProcess_table);
    PyObject *runtime = SLOT(process, ServerProcess_runtime);
    if (SLOT(process, ServerProcess_direct) != Py_True) {
        return NULL;
    }
    PyObject *functions = kind == WITHOUT_FROM ? SLOT(table, CallbackTable_plain)
                                               : SLOT(table, CallbackTable_with_from);
    PyObject *function = PyDict_GetItemWithError(functions, name);
    if (function == NULL || is_running(SLOT(runtime, Runtime_loop)) <= 0) {
        return NULL;
    }
    Py_INCREF(function);
    if (number_in(SLOT(runtime, Runtime_budget)) <= 0 &&
        allows_direct_call(runtime, process, name, args, count, kwnames) <= 0) {
        Py_CLEAR(function);
    }
    return function;
}

/* Call the server's function: the server, the arguments, and the `From` where it takes one. */
static PyObject *
call_function(Entered *entered, FromKind kind, PyObject *server, PyObject *const *args,
              Py_ssize_t count, PyObject *kwnames)
{
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    PyObject *small[MAX_SMALL + 3], **all = small, *names = NULL;
    if (count + keywords > MAX_SMALL) {
        all = PyMem_New(PyObject *, count + keywords + 3);
        if (all == NULL) {
            return PyErr_NoMemory();
        }
    }
    PyObject **next = all + 1, *result = NULL; /* the first place is for the called function */
    *next++ = server;
    for (Py_ssize_t i = 0; i < count; i++) {
        *next++ = args[i];
    }
    if (kind == FROM_POSITIONAL) {
        *next++ = entered->from;
    }
    size_t positional = next - (all + 1);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        *next++ = args[count + i];
    }
    if (kind == FROM_KEYWORD) {
        *next++ = entered->from;
        names = PyTuple_New(keywords + 1);
        if (names == NULL) {
            goto done;
        }
        for (Py_ssize_t i = 0; i < keywords; i++) {
            PyTuple_SET_ITEM(names, i, Py_NewRef(PyTuple_GET_ITEM(kwnames, i)));
        }
        PyTuple_SET_ITEM(names, keywords, Py_NewRef(string.from_));
    }
    result = PyObject_Vectorcall(entered->function, all + 1,
                                 positional | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                 names != NULL ? names : kwnames);
done:
    Py_XDECREF(names);
    if (all != small) {
        PyMem_Free(all);
    }
    return result;
}

/* Run the callback in its context, as the server's process. */
static PyObject *
run(Entered *entered, FromKind kind, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    PyObject *process = entered->process;
    if (PyContext_Enter(entered->context) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *token = PyContextVar_Set(object.current_pid, SLOT(process, ServerProcess_pid));
    if (token != NULL) {
        Py_DECREF(token);
        PyObject *server = Py_NewRef(SLOT(process, ServerProcess_server));
        result = call_function(entered, kind, server, args, count, kwnames);
        Py_DECREF(server);
    }
    if (PyContext_Exit(entered->context) < 0) { /* the callback has left another one entered */
        Py_CLEAR(result);
    }
    return result;
}

/* Return whether a result is just a reply; if its class is not known, it is not. */
static int
is_plain(PyObject *result)
{
    PyTypeObject *type = Py_TYPE(result);
    if (type == &PyLong_Type || type == &PyUnicode_Type || result == Py_None ||
        type == &PyBool_Type || type == &PyTuple_Type || type == &PyDict_Type ||
        type == &PyList_Type) {
        return 1;
    }
    PyObject *found = PyObject_GetAttr(result, string.__class__); /* a proxy's is another */
    int special = found == NULL ? -1 : PySet_Contains(object.special, found);
    Py_XDECREF(found);
    if (special < 0) {
        PyErr_Clear();
    }
    return special == 0;
}

/* Return whether the callback has left the server as idle as it was. */
static int
is_complete(Entered *entered, PyObject *result)
{
    PyObject *process = entered->process;
    return result != NULL && is_plain(result) && /* first, because it can run any code */
           SLOT(process, ServerProcess_mailbox) == Py_None &&
           SLOT(process, ServerProcess_exit_pending) == Py_None &&
           (entered->from == NULL || SLOT(entered->from, From__server) == process);
}

/* Return what the client must still do, as an `Unfinished`. Steals `result`, which can be NULL. */
static PyObject *
unfinished(Entered *entered, PyObject *result)
{
    PyObject *rest = entered->rest;
    entered->rest = NULL;
    SLOT(rest, Unfinished_error) = result == NULL ? take_exception() : Py_NewRef(Py_None);
    SLOT(rest, Unfinished_result) = result == NULL ? Py_NewRef(Py_None) : result;
    SLOT(rest, Unfinished_process) = Py_NewRef(entered->process);
    SLOT(rest, Unfinished_from_) = Py_NewRef(entered->from == NULL ? Py_None : entered->from);
    SLOT(rest, Unfinished_context) = Py_NewRef(entered->context);
    return rest;
}

/* Close a call whose result is its reply, and make the server idle again. Steals `result`. */
static PyObject *
complete(Entered *entered, PyObject *result)
{
    PyObject *process = entered->process;
    if (entered->from != NULL) {
        SET(entered->from, From__server, Py_None);
    }
    if (add_to_slot(&SLOT(process, ServerProcess_handled), 1) < 0) {
        PyErr_Clear(); /* a number for `process.info`; the reply matters more */
    }
    SET(process, ServerProcess_callback, Py_None);
    SET(process, ServerProcess_direct, Py_True);
    return result;
}

/* Allocate what a call needs, before anything of the server is changed; -1 without memory. */
static int
prepare(Entered *entered, PyObject *dest, FromKind kind)
{
    entered->context = PyContext_CopyCurrent();
    if (entered->context == NULL) {
        return -1;
    }
    if (kind != WITHOUT_FROM && (entered->from = new_from(entered->process, dest)) == NULL) {
        return -1;
    }
    entered->rest = take_spare();
    return entered->rest == NULL ? -1 : 0;
}

/* Make a direct call of a server whose function is known. */
static PyObject *
call_directly(Entered *entered, PyObject *dest, PyObject *name, FromKind kind,
              PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    PyObject *process = entered->process;
    if (prepare(entered, dest, kind) < 0 ||
        add_to_slot(&SLOT(SLOT(process, ServerProcess_runtime), Runtime_budget), -1) < 0) {
        return NULL;
    }
    /* An allocation can collect garbage, and a finalizer can have killed the server. */
    if (SLOT(process, ServerProcess_direct) != Py_True) {
        return Py_NewRef(object.not_direct);
    }
    SET(process, ServerProcess_direct, Py_False);
    SET(process, ServerProcess_callback, name);
    Py_ssize_t place = enter(process, DIRECT_CALL);
    PyObject *result = run(entered, kind, args, count, kwnames);
    leave(place);
    return is_complete(entered, result) ? complete(entered, result) : unfinished(entered, result);
}

/* The fast path of a client: ``(dest, name, *args, **kwargs)``.
 *
 * Returns the reply, or an `Unfinished` if the client must do the rest, or `not_direct` if nothing
 * has happened and the client must take the reference path. */
static PyObject *
begin(FromKind kind, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *dest = args[0], *name = args[1], *result = NULL;
    if (is_observed()) {
        return Py_NewRef(object.not_direct);
    }
    PyObject *process = Py_TYPE(dest) == class.Pid ? Py_XNewRef(SLOT(dest, Pid__process))
                                                   : call_one(object.find, dest);
    if (process == NULL && PyErr_Occurred()) {
        return NULL;
    }
    if (process == NULL || Py_TYPE(process) != class.ServerProcess) {
        Py_XDECREF(process);
        return Py_NewRef(object.not_direct);
    }
    Entered entered = {.process = process};
    entered.function = direct_function(process, name, kind, args + 2, nargs - 2, kwnames);
    if (entered.function != NULL) {
        result = call_directly(&entered, dest, name, kind, args + 2, nargs - 2, kwnames);
    }
    else if (!PyErr_Occurred()) {
        result = Py_NewRef(object.not_direct);
    }
    Py_DECREF(process);
    Py_XDECREF(entered.function);
    Py_XDECREF(entered.from);
    Py_XDECREF(entered.context);
    keep_spare(entered.rest);
    return result;
}

PyObject *
call_plain(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return begin(WITHOUT_FROM, args, nargs, kwnames);
}

PyObject *
call_with_from(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs,
               PyObject *kwnames)
{
    return begin(FROM_POSITIONAL, args, nargs, kwnames);
}

PyObject *
call_with_from_keyword(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames)
{
    return begin(FROM_KEYWORD, args, nargs, kwnames);
}
