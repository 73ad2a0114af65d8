"""Puts the native core in the place of the Python code that it follows.

The generated clients use the core by themselves (see `clients`); here it gets the classes whose
slots it reads, and replaces the methods of `ServerProcess` and the static methods of `GenServer`
and `Registry`. The replaced functions remain its reference: it calls them for whatever is not the
plain case.
"""

import asyncio
import inspect
from collections import deque
from typing import Any, TypeAlias

from beamish import telemetry
from beamish._native import core
from beamish._registry.table import RegistryEntry, RegistryTable
from beamish._runtime import runtime
from beamish._runtime.context import current_pid
from beamish._server import requests
from beamish._server.process import ServerProcess
from beamish._server.table import Callback, CallbackTable
from beamish.gen_server import GenServer
from beamish.pid import Pid
from beamish.registry import Registry

_Named: TypeAlias = tuple[type, str]

_METHODS: tuple[_Named, ...] = (
    (ServerProcess, "turn"),
    (ServerProcess, "enqueue"),
    (ServerProcess, "cast_bare"),
)
_STATIC_METHODS: tuple[_Named, ...] = (
    (GenServer, "cast"),
    (Registry, "lookup"),
    (Registry, "whereis"),
)


def install() -> None:
    """Use the native core, if there is one.

    Raises:
        ImportError: It was compiled from other sources than those of this version.
    """
    if core is None:
        return
    try:
        core.setup(_classes() | _objects() | _references())
    except (AttributeError, LookupError, TypeError) as error:
        raise ImportError(
            f"the compiled core of beamish does not match its Python code: {error}; install "
            "beamish again, or set BEAMISH_PURE=1 to do without the core"
        ) from error
    for cls, name in _METHODS:
        setattr(cls, name, core.replacement(cls, name, None))
    for cls, name in _STATIC_METHODS:
        text = _text(name, getattr(cls, name))
        setattr(cls, name, staticmethod(core.replacement(cls, name, text)))


def _classes() -> dict[str, Any]:
    classes = (
        Callback,
        CallbackTable,
        Pid,
        Registry,
        RegistryEntry,
        RegistryTable,
        ServerProcess,
        requests.From,
        requests.Unfinished,
        runtime.Runtime,
    )
    return {cls.__name__: cls for cls in classes}


def _objects() -> dict[str, Any]:
    return {
        "append": deque.append,
        "current_pid": current_pid,
        "deque": deque,
        "find": requests.find,
        "get_running_loop": asyncio._get_running_loop,
        "not_direct": requests.NOT_DIRECT,
        "open_value": requests.OPEN,
        "popleft": deque.popleft,
        "running": "running",  # the phase of a server
        "runtime_dict": vars(runtime),
        "special": requests.SPECIAL,
        "telemetry_dict": vars(telemetry),
    }


def _references() -> dict[str, Any]:
    return {name: getattr(cls, name) for cls, name in (*_METHODS, *_STATIC_METHODS)}


def _text(name: str, function: Any) -> str:
    """Return the signature and documentation of a function, as functions in C have them."""
    parameters = ", ".join(inspect.signature(function).parameters)
    return f"{name}({parameters})\n--\n\n{inspect.getdoc(function)}"
