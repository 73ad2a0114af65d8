/* Whether an event loop is the running one of this thread. */
#include "core.h"

/* Ask asyncio. */
static int
asks_asyncio(PyObject *loop)
{
    PyObject *running = PyObject_CallNoArgs(object.get_running_loop);
    if (running == NULL) {
        return -1;
    }
    Py_DECREF(running); /* only compared */
    return running == loop;
}

#if PY_VERSION_HEX < 0x030C0000 && defined(HAVE_FORK)

/* Up to CPython 3.11, asking costs a system call: asyncio compares the process id, so that no loop
 * runs in a forked child. asyncio keeps an object of its own in the dict of the thread for each
 * start and stop of a loop. While the object is the one that was there when asyncio was asked, the
 * answer is still the same; a child forgets it. */
#include <pthread.h>

static PyObject *known; /* the object of asyncio; a reference, so that no other takes its address */
static PyObject *known_loop; /* the loop that runs as long as it is there; `known` holds it */

static void
forget_in_child(void)
{
    known = known_loop = NULL; /* not freed: nothing of Python can be called here */
}

int
prepare_is_running(void)
{
    int error = pthread_atfork(NULL, NULL, forget_in_child);
    if (error) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

int
is_running(PyObject *loop)
{
    PyObject *dict = PyThreadState_GetDict(), *found = NULL;
    if (dict != NULL) {
        found = PyDict_GetItemWithError(dict, string.__asyncio_running_event_loop__);
    }
    if (found != NULL && found == known) {
        return loop == known_loop;
    }
    int running = asks_asyncio(loop);
    if (running > 0 && found != NULL) {
        known_loop = loop;
        set_slot(&known, Py_NewRef(found));
    }
    return running;
}

#else

int
prepare_is_running(void)
{
    return 0;
}

int
is_running(PyObject *loop)
{
    return asks_asyncio(loop);
}

#endif
