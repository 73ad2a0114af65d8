"""Snapshots as JSON, and values as short text."""

import dataclasses
import json
import reprlib
from typing import Any

from beamish._runtime import one_or_many
from beamish._server.requests import safe_repr
from beamish.pid import Pid
from beamish.shell.table import shown

MAX_VALUE_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 20_000

# Its limits apply inside of containers: the repr of a dict of a million entries would block the
# event loop before it could be cut.
_short = reprlib.Repr()
_short.maxlevel = 4
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = 20
_short.maxdeque = _short.maxarray = 20
_short.maxstring = _short.maxlong = _short.maxother = MAX_VALUE_CHARACTERS


def encoded(snapshot: Any) -> bytes:
    """Return a snapshot as JSON; a pid becomes its number, the 104 in ``#PID<0.104.0>``."""
    return json.dumps(snapshot, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Pid):
        return value.serial
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def short(value: Any) -> str:
    """Return the ``repr`` of a value, shortened, or a placeholder if it raises."""
    try:
        whole = _short.repr(value)
    except Exception as error:  # an error of a user's __repr__ must not break the page
        return f"<{type(value).__qualname__} that cannot be shown: {type(error).__qualname__}>"
    return cut(whole, MAX_VALUE_CHARACTERS)


def cut(long: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return a text, without its middle if it is longer than ``limit``."""
    if len(long) <= limit:
        return long
    half = (limit - 1) // 2
    return f"{long[:half]}…{long[-half:]}"


def text(value: Any) -> str:
    """Return a name, key or label in full: strings unchanged, anything else as ``repr``."""
    return value if isinstance(value, str) else safe_repr(value)


def named(process: Any) -> str:
    """Return the first name of a process, or its label, shortened; empty if it has neither."""
    held = one_or_many.items(process.held)
    if held:
        return shown(held[0].shown())
    return "" if process.label is None else shown(process.label)
