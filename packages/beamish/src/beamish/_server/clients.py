"""The client functions of calls and casts, generated from one text for each kind."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from beamish import _checks, telemetry
from beamish._diagnostics import watchdog
from beamish._native import core
from beamish._runtime.context import current_pid
from beamish._server import requests
from beamish._server.signature import compiled, copy_metadata
from beamish.pid import Pid

F = TypeVar("F", bound=Callable[..., Any])

CALL_TIMEOUT = 5.0
"""The default timeout of calls in seconds, as in Elixir's ``GenServer``."""

# The client function of a call: of each ``@call`` method, and of ``handle_call``. All but the last
# line is the fast path: an idle server runs the callback here, on the caller's stack, without the
# event loop. It is `ServerProcess.request`, `dispatch` and `finish` for a call whose result is just
# a reply, written out: calling them would take twice the time. Any other outcome goes to
# `finish_direct`. The last line is the reference, which does all of it with plain functions;
# ``test_client_and_dispatch`` compares the two.
_CALL = """
def _b_enter(_b_process, _b_function{names}):
    _b_become(_b_process.pid)
    return _b_function(_b_process.server{passed})

def make(_b_timeout):
    async def client({declaration}):
        {guard}
        {check}
        if not _b_telemetry.observes:
            _b_process = {dest}._process if {dest}.__class__ is _b_pid else _b_find({dest})
            if _b_process is not None and _b_process.direct:
                _b_function = _b_process.table.{functions}.get({name!r})
                _b_runtime = _b_process.runtime
                if (
                    _b_function is not None
                    and _b_running_loop() is _b_runtime.loop
                    and (
                        _b_runtime.budget > 0
                        or _b_runtime.allows_direct_call(
                            _b_process, {name!r}, {positional}, {keywords})
                    )
                ):
                    _b_runtime.budget -= 1
                    _b_process.direct = False
                    _b_process.callback = {name!r}
                    {new_from}
                    _b_context = _b_copy_context()
                    try:
                        _b_result = _b_context.run(_b_enter, _b_process, _b_function{names})
                    except BaseException as _b_error:
                        _b_result = _b_process.finish_direct(
                            {dest}, {name!r}, {positional}, {keywords}, _b_from, _b_context,
                            error=_b_error)
                    else:
                        if (
                            _b_result.__class__ not in _b_special
                            and _b_process.mailbox is None
                            and _b_process.exit_pending is None{unanswered}
                        ):
                            {close}
                            _b_process.handled += 1
                            _b_process.callback = None
                            _b_process.direct = True
                            return _b_result
                        try:
                            _b_result = _b_process.finish_direct(
                                {dest}, {name!r}, {positional}, {keywords}, _b_from, _b_context,
                                _b_result)
                        except BaseException:
                            del _b_result  # a `Fail`, whose error has this frame in its traceback
                            raise
                    return await _b_answer(_b_result, {name!r}, {positional}, {timeout})
        return await _b_call({dest}, {name!r}, {positional}, {keywords}, {timeout})
    return client
"""

# `From.__init__`, written out: calling a class with a constructor in Python takes 1.6 times as long
# in CPython 3.11, and 1.9 times in 3.13. The two are compared in
# ``test_standard_call_makes_the_same_from_as_its_constructor``.
_NEW_FROM = """
                    _b_from = _b_new(_b_from_class)
                    _b_from.pid = _b_caller()
                    _b_from._server = _b_process
                    _b_from._dest = {dest}
                    _b_from._value = _b_open
                    _b_from._error = None
                    _b_from.future = None
"""

# The parts of it that make and close the `From`, which only some callbacks take.
_WITHOUT_FROM = {
    "functions": "plain",
    "new_from": "_b_from = None",
    "unanswered": "",
    "close": "pass",
}
_WITH_FROM = {
    "functions": "with_from",
    "new_from": _NEW_FROM.strip(),
    "unanswered": " and _b_from._server is not None",
    "close": "_b_from._server = None",
}

# The client function with the native core, in which ``_b_begin`` is the fast path: it completes the
# call, or returns what is left of it as an `Unfinished`.
_NATIVE_CALL = """
def make(_b_timeout):
    async def client({declaration}):
        {guard}
        {check}
        _b_reply = _b_begin({dest}, {name!r}{arguments})
        if _b_reply.__class__ is not _b_unfinished:
            return _b_reply
        if _b_reply is not _b_not_direct:
            _b_reply = _b_reply.finish({dest}, {name!r}, {positional}, {keywords})
            return await _b_answer(_b_reply, {name!r}, {positional}, {timeout})
        return await _b_call({dest}, {name!r}, {positional}, {keywords}, {timeout})
    return client
"""

_CAST = """
def client({declaration}):
    {guard}
    if {dest}.__class__ is _b_pid:
        _b_process = {dest}._process
        if _b_process is not None:
            _b_process.cast({name!r}, {positional}, {keywords})
    else:
        _b_cast({dest}, {name!r}, {positional}, {keywords})
"""


def call_maker(
    fields: dict[str, str], namespace: dict[str, Any], like: Callable[..., Any], *, with_from: bool
) -> Any:
    """Return the function that makes the client function of a call with a given timeout.

    Args:
        fields: The fields of `_CALL`.
        namespace: The names that they use.
        like: The function whose metadata it gets.
        with_from: Whether the callback takes the `From` of the call.
    """
    of_from = _WITH_FROM if with_from else _WITHOUT_FROM
    fields = {**fields, **{name: text.format(**fields) for name, text in of_from.items()}}
    namespace = {
        **namespace,
        "_b_answer": requests.answer,
        "_b_become": current_pid.set,
        "_b_call": requests.call,
        "_b_caller": current_pid.get,
        "_b_copy_context": copy_context,
        "_b_find": requests.find,
        "_b_from_class": requests.From,
        "_b_new": object.__new__,
        "_b_open": requests.OPEN,
        "_b_pid": Pid,
        "_b_running_loop": asyncio._get_running_loop,
        "_b_special": requests.SPECIAL,
        "_b_telemetry": telemetry,
    }
    if core is None:
        make = compiled(_CALL.format(**fields), "make", namespace, like)
        watchdog.mark(make.__globals__["_b_enter"])
        return make
    namespace |= {
        "_b_begin": getattr(core, fields["begin"]),
        "_b_not_direct": requests.NOT_DIRECT,
        "_b_unfinished": requests.Unfinished,
    }
    make = compiled(_NATIVE_CALL.format(**fields), "make", namespace, like)
    watchdog.mark_client(make)
    return make


def cast_client(fields: dict[str, str], namespace: dict[str, Any], like: Callable[..., Any]) -> Any:
    """Return the client function of a cast; see `call_maker` for the arguments."""
    namespace = {**namespace, "_b_cast": requests.cast, "_b_pid": Pid}
    return compiled(_CAST.format(**fields), "client", namespace, like)


def standard_call(function: F) -> F:
    """Generate the client function of ``handle_call``, with the signature of ``function``.

    Args:
        function: ``dest, request, timeout`` are its parameters; it is never called.
    """
    fields = {
        "name": "handle_call",
        "declaration": "dest, request, timeout=_b_default",
        "dest": "dest",
        "guard": "pass",
        "check": "if timeout is not _b_default: _b_check_timeout(timeout)",
        "names": ", request, _b_from",
        "passed": ", request, _b_from",
        "begin": "call_with_from",
        "arguments": ", request",
        "positional": "(request,)",
        "keywords": "None",
        "timeout": "timeout",
    }
    namespace = {"_b_default": CALL_TIMEOUT, "_b_check_timeout": _checks.timeout}
    client = call_maker(fields, namespace, function, with_from=True)(None)
    client.__annotations__ = function.__annotations__
    generated: F = copy_metadata(client, function)
    return generated
