/* Casts: queueing them, and the turn that handles those in a mailbox.
 *
 * Follows `ServerProcess.enqueue`, `cast_bare`, `turn`, `dispatch` and `after_callback`, and
 * `callbacks.run_many`. */
#include "core.h"

static inline int
is_deque(PyObject *mailbox)
{
    return mailbox != NULL && (PyObject *)Py_TYPE(mailbox) == object.deque;
}

static inline int
append(PyObject *queue, PyObject *value)
{
    PyObject *none = call_two(object.append, queue, value);
    Py_XDECREF(none);
    return none == NULL ? -1 : 0;
}

static inline int
has_messages(PyObject *mailbox)
{
    return is_deque(mailbox) && PyObject_Size(mailbox) > 0;
}

/* -- Queueing */

/* Append an idle server to the run queue; see `Runtime.schedule`. */
static int
schedule(PyObject *process)
{
    PyObject *runtime = SLOT(process, ServerProcess_runtime);
    if (Py_TYPE(runtime) == class.Runtime && SLOT(runtime, Runtime__drain_scheduled) == Py_True) {
        return append(SLOT(runtime, Runtime__run_queue), process);
    }
    return done(PyObject_CallMethodOneArg(runtime, string.schedule, process));
}

/* Append something to the mailbox of a server; see `ServerProcess.enqueue`. */
static int
put(PyObject *process, PyObject *queued)
{
    PyObject *mailbox = SLOT(process, ServerProcess_mailbox);
    if (is_deque(mailbox)) {
        return append(mailbox, queued);
    }
    if (mailbox != Py_None || SLOT(process, ServerProcess_idle_timer) != Py_None) {
        return done(call_two(object.enqueue, process, queued));
    }
    mailbox = PyObject_CallNoArgs(object.deque);
    if (mailbox == NULL || append(mailbox, queued) < 0) {
        Py_XDECREF(mailbox);
        return -1;
    }
    if (SLOT(process, ServerProcess_callback) == Py_None &&
        SLOT(process, ServerProcess_suspended) == Py_False && schedule(process) < 0) {
        Py_DECREF(mailbox);
        return -1;
    }
    SET_STOLEN(process, ServerProcess_mailbox, mailbox);
    SET(process, ServerProcess_direct, Py_False);
    return 0;
}

/* ``ServerProcess.enqueue(queued)`` */
PyObject *
enqueue(PyObject *process, PyObject *queued)
{
    if (put(process, queued) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ``ServerProcess.cast_bare(request)`` */
PyObject *
cast_bare(PyObject *process, PyObject *request)
{
    if (is_observed() || PyTuple_Check(request)) {
        return call_two(object.cast_bare, process, request);
    }
    return enqueue(process, request);
}

/* ``GenServer.cast(dest, request)`` */
PyObject *
cast(PyObject *Py_UNUSED(class), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs == 2 && kwnames == NULL && Py_TYPE(args[0]) == class.Pid) {
        PyObject *process = SLOT(args[0], Pid__process);
        if (process != NULL && Py_TYPE(process) == class.ServerProcess) {
            Py_INCREF(process);
            PyObject *none = cast_bare(process, args[1]);
            Py_DECREF(process);
            return none;
        }
    }
    return PyObject_Vectorcall(object.cast, args, nargs, kwnames);
}

/* -- Handling */

/* A turn. All are new references. */
typedef struct {
    PyObject *process, *server, *handle_cast;
    PyObject *context;   /* in which the last message was handled */
    PyObject *unchanged; /* a copy of it from before; NULL if only one message was there */
    PyObject *queued;    /* the last message */
    PyObject *result;    /* of its callback; NULL if that has raised an exception */
    long handled, limit;
} Turn;

/* What comes after a callback. FAILED: an exception that the reference would raise as well. */
typedef enum { FAILED = -1, COMPLETE, HAS_RESULT, GOES_ON, IS_OVER } State;

static inline int
is_bare(PyObject *queued)
{
    return !PyTuple_CheckExact(queued) || PyTuple_GET_SIZE(queued) == 1;
}

/* Return whether `queued` is a cast or message without a context; see `items.shares_context`. */
static int
shares_context(PyObject *queued)
{
    if (is_bare(queued)) {
        return 1;
    }
    PyObject *callback = PyTuple_GET_ITEM(queued, 0);
    return PyTuple_GET_SIZE(queued) == 5 && PyTuple_GET_ITEM(queued, 4) == Py_None &&
           Py_TYPE(callback) == class.Callback && SLOT(callback, Callback_plain) == Py_True;
}

/* Call `function(server, *args, **keywords)`. */
static PyObject *
call_with(PyObject *function, PyObject *server, PyObject *args, PyObject *keywords)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (keywords == Py_None && count == 0) {
        return call_one(function, server);
    }
    if (keywords == Py_None && count == 1) {
        return call_two(function, server, PyTuple_GET_ITEM(args, 0));
    }
    PyObject *all = PyTuple_New(count + 1);
    if (all == NULL) {
        return NULL;
    }
    PyTuple_SET_ITEM(all, 0, Py_NewRef(server));
    for (Py_ssize_t i = 0; i < count; i++) {
        PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
    }
    PyObject *result = PyObject_Call(function, all, keywords == Py_None ? NULL : keywords);
    Py_DECREF(all);
    return result;
}

/* Run the callback of what was queued. */
static PyObject *
run_callback(Turn *turn)
{
    PyObject *queued = turn->queued;
    if (is_bare(queued)) {
        SET(turn->process, ServerProcess_callback, string.handle_cast);
        PyObject *request = PyTuple_CheckExact(queued) ? PyTuple_GET_ITEM(queued, 0) : queued;
        return call_two(turn->handle_cast, turn->server, request);
    }
    PyObject *callback = PyTuple_GET_ITEM(queued, 0);
    PyObject *function = Py_NewRef(SLOT(callback, Callback_function));
    SET(turn->process, ServerProcess_callback, SLOT(callback, Callback_name));
    PyObject *result = call_with(function, turn->server, PyTuple_GET_ITEM(queued, 1),
                                 PyTuple_GET_ITEM(queued, 2));
    Py_DECREF(function);
    return result;
}

/* Return whether the next of `mailbox` can be handled in the context of the last. */
static int
next_shares_context(Turn *turn, PyObject *mailbox)
{
    if (turn->unchanged == NULL || !has_messages(mailbox)) {
        return 0;
    }
    int same = PyObject_RichCompareBool(turn->context, turn->unchanged, Py_EQ);
    if (same < 0) {
        PyErr_Clear(); /* a value of the context cannot be compared: a new context is right, too */
    }
    /* After the comparison, which can run any code. */
    if (same <= 0 || SLOT(turn->process, ServerProcess_mailbox) != mailbox ||
        !has_messages(mailbox)) {
        return 0;
    }
    PyObject *next = PySequence_GetItem(mailbox, 0);
    if (next == NULL) {
        PyErr_Clear();
        return 0;
    }
    int shares = shares_context(next);
    Py_DECREF(next);
    return shares;
}

/* Take the next message out of the mailbox; -1 with an exception. */
static int
take_next(Turn *turn, PyObject *mailbox)
{
    PyObject *next = call_one(object.popleft, mailbox);
    if (next == NULL) {
        return -1;
    }
    set_slot(&turn->queued, next);
    return 0;
}

/* Run callbacks in the current context, until one leaves more to do than to take the next. */
static State
run_many(Turn *turn, PyObject *mailbox)
{
    PyObject *process = turn->process;
    do {
        /* An allocation can collect garbage, and a finalizer can have killed the server. */
        if (SLOT(process, ServerProcess_mailbox) != mailbox || !has_messages(mailbox)) {
            return COMPLETE;
        }
        if (take_next(turn, mailbox) < 0) {
            return FAILED;
        }
        turn->handled++;
        turn->result = run_callback(turn);
        if (turn->result != Py_None || SLOT(process, ServerProcess_exit_pending) != Py_None) {
            return HAS_RESULT;
        }
        Py_CLEAR(turn->result);
        if (add_to_slot(&SLOT(process, ServerProcess_handled), 1) < 0) {
            PyErr_Clear(); /* a number for `process.info` */
        }
    } while (turn->handled < turn->limit && next_shares_context(turn, mailbox));
    SET(process, ServerProcess_callback, Py_None);
    return COMPLETE;
}

/* Enter a new context and run callbacks in it; on FAILED the message is still in the mailbox. */
static State
run_in_context(Turn *turn, PyObject *mailbox)
{
    PyObject *process = turn->process;
    PyObject *empty = SLOT(SLOT(process, ServerProcess_runtime), Runtime_context);
    Py_CLEAR(turn->unchanged);
    Py_XSETREF(turn->context, PyContext_Copy(empty));
    if (turn->context == NULL || PyContext_Enter(turn->context) < 0) {
        return FAILED;
    }
    State state = FAILED;
    PyObject *token = PyContextVar_Set(object.current_pid, SLOT(process, ServerProcess_pid));
    if (token != NULL) {
        Py_DECREF(token);
        if (PyObject_Size(mailbox) > 1) {
            turn->unchanged = PyContext_CopyCurrent();
            PyErr_Clear(); /* without it, each message gets a context of its own */
        }
        state = run_many(turn, mailbox);
    }
    if (PyContext_Exit(turn->context) < 0) { /* the callback has left another one entered */
        Py_CLEAR(turn->result);
        state = state == FAILED ? FAILED : HAS_RESULT;
    }
    return state;
}

/* Have the reference apply the result of a callback, or its exception. */
static State
apply(Turn *turn)
{
    PyObject *process = turn->process, *method = string.finish;
    PyObject *result = turn->result, *none = NULL;
    turn->result = NULL;
    if (result == NULL) {
        method = string.failed;
        result = take_exception();
    }
    PyObject *item = PyObject_CallMethodObjArgs(process, string._with_context, turn->queued,
                                                turn->context, NULL);
    if (item != NULL) {
        none = PyObject_CallMethodObjArgs(process, method, item, result, NULL);
        Py_DECREF(item);
    }
    Py_DECREF(result);
    if (done(none) < 0) {
        return FAILED;
    }
    int idle = SLOT(process, ServerProcess_callback) == Py_None &&
               SLOT(process, ServerProcess_suspended) == Py_False &&
               SLOT(process, ServerProcess_phase) == object.running;
    return method == string.finish && idle ? GOES_ON : IS_OVER;
}

/* Have the reference handle the next message, and those behind it. */
static State
dispatch(Turn *turn, PyObject *mailbox)
{
    PyObject *limit = PyLong_FromLong(turn->limit - turn->handled), *handled = NULL;
    if (limit != NULL && take_next(turn, mailbox) == 0) {
        handled = PyObject_CallMethodObjArgs(turn->process, string.dispatch, turn->queued, limit,
                                             NULL);
    }
    Py_XDECREF(limit);
    if (handled == NULL) {
        return FAILED;
    }
    turn->handled += number_in(handled);
    Py_DECREF(handled);
    return IS_OVER;
}

/* Handle the next message, and those that can follow it in its context. */
static State
handle_next(Turn *turn, PyObject *mailbox)
{
    PyObject *next = PySequence_GetItem(mailbox, 0);
    if (next == NULL) {
        return FAILED;
    }
    int plain = shares_context(next) &&
                SLOT(turn->process, ServerProcess_debugging) == Py_None;
    Py_DECREF(next);
    if (!plain) {
        return dispatch(turn, mailbox);
    }
    State state = run_in_context(turn, mailbox);
    return state == HAS_RESULT ? apply(turn) : state;
}

/* Handle messages of the mailbox, within the limit; -1 with an exception. */
static int
handle(Turn *turn)
{
    PyObject *process = turn->process;
    State state = GOES_ON;
    SET(process, ServerProcess_direct, Py_False);
    while ((state == GOES_ON || state == COMPLETE) && turn->handled < turn->limit &&
           has_messages(SLOT(process, ServerProcess_mailbox))) {
        PyObject *mailbox = Py_NewRef(SLOT(process, ServerProcess_mailbox));
        state = handle_next(turn, mailbox);
        Py_DECREF(mailbox);
    }
    return state == FAILED ? -1 : 0;
}

/* Become idle, or schedule the next turn; see `ServerProcess.after_callback`. */
static int
after_turn(PyObject *process)
{
    PyObject *mailbox = SLOT(process, ServerProcess_mailbox);
    if (SLOT(process, ServerProcess_phase) != object.running ||
        SLOT(process, ServerProcess_suspended) != Py_False ||
        SLOT(process, ServerProcess_debugging) != Py_None ||
        SLOT(process, ServerProcess_idle_timer) != Py_None ||
        SLOT(process, ServerProcess_callback) != Py_None || !is_deque(mailbox)) {
        return done(PyObject_CallMethodNoArgs(process, string.after_callback));
    }
    if (has_messages(mailbox)) {
        return schedule(process);
    }
    PyObject *direct = SLOT(SLOT(process, ServerProcess_runtime), Runtime_direct_dispatch);
    SET(process, ServerProcess_direct, direct);
    SET(process, ServerProcess_mailbox, Py_None);
    return 0;
}

/* Count what a turn has handled, and note a server whose mailbox can grow; see `mailboxes`. */
static int
count(Turn *turn)
{
    PyObject *process = turn->process, *runtime = SLOT(process, ServerProcess_runtime);
    if (add_to_slot(&SLOT(runtime, Runtime_budget), -turn->handled) < 0) {
        return -1;
    }
    if (turn->handled < turn->limit || !has_messages(SLOT(process, ServerProcess_mailbox))) {
        return 0;
    }
    PyObject *suspects = SLOT(runtime, Runtime_suspects);
    PyObject *known = PyDict_SetDefault(suspects, SLOT(process, ServerProcess_pid), Py_False);
    return known == NULL ? -1 : 0;
}

/* Leave the server, after an exception, so that it handles its other messages. */
static void
recover(PyObject *process)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (after_turn(process) < 0) {
        PyErr_WriteUnraisable(process);
    }
    PyErr_Restore(type, error, traceback);
}

static int
take_turn(Turn *turn)
{
    long budget = number_in(SLOT(SLOT(turn->process, ServerProcess_runtime), Runtime_budget));
    turn->limit = budget > 0 ? budget : 1;
    Py_ssize_t place = enter(turn->process, TURN);
    int failed = handle(turn) < 0 || count(turn) < 0;
    leave(place);
    if (failed) {
        recover(turn->process);
        return -1;
    }
    return after_turn(turn->process);
}

/* ``ServerProcess.turn()`` */
PyObject *
turn(PyObject *process, PyObject *Py_UNUSED(none))
{
    PyObject *callback = SLOT(process, ServerProcess_callback);
    if (Py_TYPE(process) != class.ServerProcess || callback != Py_None ||
        SLOT(process, ServerProcess_suspended) != Py_False ||
        SLOT(process, ServerProcess_phase) != object.running ||
        !has_messages(SLOT(process, ServerProcess_mailbox))) {
        return call_one(object.turn, process);
    }
    callback = SLOT(SLOT(process, ServerProcess_table), CallbackTable_handle_cast);
    Turn turn = {
        .process = Py_NewRef(process),
        .server = Py_NewRef(SLOT(process, ServerProcess_server)),
        .handle_cast = Py_NewRef(SLOT(callback, Callback_function)),
    };
    int state = take_turn(&turn);
    Py_DECREF(turn.process);
    Py_DECREF(turn.server);
    Py_DECREF(turn.handle_cast);
    Py_XDECREF(turn.context);
    Py_XDECREF(turn.unchanged);
    Py_XDECREF(turn.queued);
    Py_XDECREF(turn.result);
    if (state < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}
