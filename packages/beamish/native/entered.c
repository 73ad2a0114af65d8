/* Which processes run a callback in the core, for the watchdog, which runs in another thread.
 *
 * The callbacks that Python code enters it finds on the stack; the functions of the core have no
 * frame there. The entries are not kept on the stack of C: a library such as greenlet moves that.
 */
#include "core.h"

typedef struct {
    PyObject *process; /* borrowed: the caller of enter owns a reference; NULL if it has left */
    unsigned long thread;
    EntryKind kind;
} Entry;

static Entry *entries;
static Py_ssize_t used, size;

/* Note that this thread runs a callback of `process`; return the place, for `leave`.
 *
 * Without memory it is not noted: only the watchdog misses it. */
Py_ssize_t
enter(PyObject *process, EntryKind kind)
{
    if (used == size) {
        Entry *more = PyMem_Resize(entries, Entry, size + 64);
        if (more == NULL) {
            return -1;
        }
        entries = more;
        size += 64;
    }
    entries[used] = (Entry){process, PyThread_get_thread_ident(), kind};
    return used++;
}

/* Forget what `enter` has noted. Threads, and greenlets, leave in any order. */
void
leave(Py_ssize_t place)
{
    if (place >= 0) {
        entries[place].process = NULL;
        while (used > 0 && entries[used - 1].process == NULL) {
            used--;
        }
    }
}

/* ``entered(thread)``: return the processes of its innermost direct call and of its turn. */
PyObject *
entered(PyObject *Py_UNUSED(module), PyObject *thread)
{
    unsigned long wanted = PyLong_AsUnsignedLong(thread);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *found[2] = {Py_None, Py_None};
    for (Py_ssize_t place = 0; place < used; place++) {
        Entry *entry = &entries[place];
        if (entry->process != NULL && entry->thread == wanted) {
            found[entry->kind] = entry->process;
        }
    }
    return PyTuple_Pack(2, found[DIRECT_CALL], found[TURN]);
}
