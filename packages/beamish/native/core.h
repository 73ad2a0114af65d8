/* The native core of beamish: what its files share.
 *
 * The core runs the innermost paths in C: the direct call, the cast, the turn over a mailbox, the
 * look-up. It defines no type. The classes stay in Python, with __slots__; the core reads and
 * writes these slots at the offsets that the member descriptors of the classes name. Whatever is
 * not the plain case is left to the Python code, which is the reference: each function here names
 * the one that it follows.
 *
 * Invariants:
 *
 * 1. An exception before the callback of a call has started leaves the server idle: all memory is
 *    allocated before its slots are changed.
 * 2. A reference is borrowed only as long as no Python code can run. A function that takes a
 *    process, a server or a mailbox over a call of Python code owns a reference to it.
 * 3. Only the thread that holds the global interpreter lock is here. The core is not compiled for
 *    a free-threaded interpreter.
 */
#ifndef BEAMISH_CORE_H
#define BEAMISH_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* The classes and their slots: X(class, attribute). `module.c` resolves all of them in `setup`. */
#define BEAMISH_SLOTS(X)         \
    X(Pid, _process)             \
    X(ServerProcess, callback)   \
    X(ServerProcess, debugging)  \
    X(ServerProcess, direct)     \
    X(ServerProcess, exit_pending) \
    X(ServerProcess, handled)    \
    X(ServerProcess, idle_timer) \
    X(ServerProcess, mailbox)    \
    X(ServerProcess, phase)      \
    X(ServerProcess, pid)        \
    X(ServerProcess, runtime)    \
    X(ServerProcess, server)     \
    X(ServerProcess, suspended)  \
    X(ServerProcess, table)      \
    X(Runtime, _drain_scheduled) \
    X(Runtime, _run_queue)       \
    X(Runtime, budget)           \
    X(Runtime, context)          \
    X(Runtime, direct_dispatch)  \
    X(Runtime, loop)             \
    X(Runtime, names)            \
    X(CallbackTable, casts)      \
    X(CallbackTable, handle_cast) \
    X(CallbackTable, plain)      \
    X(CallbackTable, with_from)  \
    X(Callback, bare)            \
    X(Callback, function)        \
    X(Callback, name)            \
    X(Callback, plain)           \
    X(From, _dest)               \
    X(From, _error)              \
    X(From, _server)             \
    X(From, _value)              \
    X(From, future)              \
    X(From, pid)                 \
    X(Runtime, suspects)         \
    X(Unfinished, context)       \
    X(Unfinished, error)         \
    X(Unfinished, from_)         \
    X(Unfinished, process)       \
    X(Unfinished, result)        \
    X(Registry, _table)          \
    X(RegistryTable, entries)    \
    X(RegistryTable, unique)     \
    X(RegistryEntry, pid)        \
    X(RegistryEntry, value)

/* Objects of the Python modules that the core uses, and strings. */
#define BEAMISH_CLASSES(X) \
    X(Pid) X(ServerProcess) X(Runtime) X(CallbackTable) X(Callback) X(From) X(Unfinished) \
    X(Registry) X(RegistryTable) X(RegistryEntry)
#define BEAMISH_OBJECTS(X) \
    X(telemetry_dict) X(runtime_dict) X(current_pid) X(get_running_loop) X(open_value) \
    X(not_direct) X(find) X(lookup) X(whereis) X(turn) X(enqueue) X(cast) X(cast_bare) X(deque) \
    X(append) X(popleft) X(running) X(special)
#define BEAMISH_STRINGS(X) \
    X(observes) X(_latest) X(from_) X(allows_direct_call) X(schedule) X(dispatch) \
    X(finish) X(failed) X(_with_context) X(after_callback) X(enqueue) X(handle_cast) \
    X(__class__) X(__asyncio_running_event_loop__)

typedef struct {
#define X(class, attribute) Py_ssize_t class##_##attribute;
    BEAMISH_SLOTS(X)
#undef X
} Offsets;

typedef struct {
#define X(name) PyTypeObject *name;
    BEAMISH_CLASSES(X)
#undef X
} Classes;

typedef struct {
#define X(name) PyObject *name;
    BEAMISH_OBJECTS(X)
#undef X
} Objects;

typedef struct {
#define X(name) PyObject *name;
    BEAMISH_STRINGS(X)
#undef X
} Strings;

extern Offsets offset;
extern Classes class;
extern Objects object;
extern Strings string;

/* A slot, as a borrowed reference; NULL if the attribute is not set. */
#define SLOT(instance, slot) (*(PyObject **)((char *)(instance) + offset.slot))

/* Set a slot to a new reference of a borrowed value. */
#define SET(instance, slot, value) set_slot(&SLOT(instance, slot), Py_NewRef(value))
/* Set a slot to a value whose reference it takes. */
#define SET_STOLEN(instance, slot, value) set_slot(&SLOT(instance, slot), value)

static inline void
set_slot(PyObject **slot, PyObject *stolen)
{
    PyObject *old = *slot;
    *slot = stolen;
    Py_XDECREF(old); /* last: it can run any code */
}

/* Return a slot that holds an int as a C number; 0 if it holds something else. */
static inline long
number_in(PyObject *value)
{
    if (value == NULL || !PyLong_CheckExact(value)) {
        return 0;
    }
    int overflow;
    long number = PyLong_AsLongAndOverflow(value, &overflow);
    return overflow ? 0 : number;
}

/* Add to the int in a slot; -1 with an exception if there is no memory. */
static inline int
add_to_slot(PyObject **slot, long difference)
{
    PyObject *sum = PyLong_FromLong(number_in(*slot) + difference);
    if (sum == NULL) {
        return -1;
    }
    set_slot(slot, sum);
    return 0;
}

/* Return whether a call without a result has succeeded: 0, or -1 with an exception. */
static inline int
done(PyObject *result)
{
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static inline PyObject *
call_one(PyObject *function, PyObject *argument)
{
    PyObject *arguments[2] = {NULL, argument};
    return PyObject_Vectorcall(function, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

static inline PyObject *
call_two(PyObject *function, PyObject *first, PyObject *second)
{
    PyObject *arguments[3] = {NULL, first, second};
    return PyObject_Vectorcall(function, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* Return whether calls and callbacks take the observed path; true also if that is unknown. */
static inline int
is_observed(void)
{
    return PyDict_GetItemWithError(object.telemetry_dict, string.observes) != Py_False;
}

/* Return whether `loop` is the running event loop of this thread; -1 with an exception. */
int is_running(PyObject *loop);
/* Prepare `is_running`; -1 with an exception. */
int prepare_is_running(void);

/* Return the exception that is set, with its traceback, as a new reference, and clear it. */
static inline PyObject *
take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return error;
#endif
}

/* entered.c: which process runs a callback in the core, for the watchdog. */
typedef enum { DIRECT_CALL, TURN } EntryKind;
Py_ssize_t enter(PyObject *process, EntryKind kind);
void leave(Py_ssize_t place);

/* The functions that Python code calls; `module.c` lists them. */
#define BEAMISH_FUNCTIONS(X) \
    X(call_plain) X(call_with_from) X(call_with_from_keyword) X(cast) X(lookup) X(whereis)
#define X(name) PyObject *name(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
BEAMISH_FUNCTIONS(X)
#undef X
PyObject *entered(PyObject *, PyObject *);
PyObject *turn(PyObject *, PyObject *);
PyObject *enqueue(PyObject *, PyObject *);
PyObject *cast_bare(PyObject *, PyObject *);

#endif
