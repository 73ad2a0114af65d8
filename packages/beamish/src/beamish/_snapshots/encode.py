"""Snapshots as JSON, and values as short text."""

import dataclasses
import json
from typing import Any

from beamish._diagnostics.brief import brief
from beamish._runtime import one_or_many
from beamish.pid import Pid
from beamish.shell.table import shown

MAX_VALUE_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 20_000


def encoded(snapshot: Any) -> bytes:
    """Return a snapshot as JSON; a pid becomes its number, the 104 in ``#PID<0.104.0>``."""
    return json.dumps(snapshot, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Pid):
        return value.serial
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def short(value: Any) -> str:
    """Return the ``repr`` of a value, shortened, or a placeholder if it raises."""
    return brief(value, MAX_VALUE_CHARACTERS)


def cut(long: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return a text, without its middle if it is longer than ``limit``."""
    if len(long) <= limit:
        return long
    half = (limit - 1) // 2
    return f"{long[:half]}…{long[-half:]}"


def text(value: Any) -> str:
    """Return a name, key or label in full: strings unchanged, anything else as ``repr``."""
    return value if isinstance(value, str) else brief(value)


def named(process: Any) -> str:
    """Return the first name of a process, or its label, shortened; empty if it has neither."""
    held = one_or_many.items(process.held)
    if held:
        return shown(held[0].shown(process))
    return "" if process.label is None else shown(process.label)
