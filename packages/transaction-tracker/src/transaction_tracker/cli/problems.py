"""What the service refuses, in the words of the command line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

# The service's own way out names requests. For people who type commands, it is a command.
WAYS_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not-tracked": "track it with txtrack add",
        "unknown-endpoint": "txtrack webhook ls lists the endpoints",
        "unknown-provider": "txtrack provider ls lists the providers",
        "unknown-token": "txtrack token ls lists the tokens",
    }
)


def message(status: int, problem: Mapping[str, Any]) -> str:
    """Write a problem report for the person who typed the command.

    Args:
        status: The HTTP status.
        problem: As RFC 9457 has it; empty where none came.
    """
    said = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
    kind = str(problem.get("type", "")).rpartition(":")[2]
    if (way_out := WAYS_OUT.get(kind)) is not None:
        # An id can hold a semicolon; the way out that the service names does not.
        return f"{said.rpartition('; ')[0] or said}; {way_out}"
    faults = [_described(fault) for fault in problem.get("errors") or () if isinstance(fault, dict)]
    text = "\n  ".join([f"the service refuses: {said}", *_others(said, faults)])
    if status == 401:
        text += "; set TXTRACK_TOKEN (txtrack token create makes one)"
    return text


def _others(said: str, faults: list[str]) -> list[str]:
    """Leave out a single fault that repeats what is said already."""
    return [] if len(faults) == 1 and faults[0].endswith(said) else faults


def _described(fault: Mapping[str, Any]) -> str:
    place = str(fault.get("pointer") or fault.get("parameter") or fault.get("header") or "")
    detail = str(fault.get("detail", ""))
    return detail if detail.startswith(f"{place}:") or not place else f"{place}: {detail}"
