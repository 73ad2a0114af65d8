"""Warns about methods whose names look like misspelt callbacks."""

import warnings
from types import FunctionType

_CALLBACKS = ("handle_call", "handle_cast", "handle_info", "handle_continue")
_OTHERS = ("init", "terminate", "handoff", "format_status")


def warn_of_typos(cls: type, stacklevel: int) -> None:
    """Warn about each method of ``cls`` that is one typo away from a callback.

    Such a method is never called: the default of the callback runs in its place.
    """
    for name, value in vars(cls).items():
        meant = _meant(name) if isinstance(value, FunctionType) else None
        if meant is not None:
            warnings.warn(
                f"{cls.__qualname__}.{name} looks like a misspelt {meant}, and is never called as "
                f"that; rename it, or begin its name with _ if it is a method of its own",
                stacklevel=stacklevel + 1,
            )


def _meant(name: str) -> str | None:
    for callback in _CALLBACKS:
        if _one_typo_apart(name, callback):
            return callback
    for callback in _OTHERS:
        # Fewer typos count here: "unit", "terminated" and the like are words of their own.
        if _swapped(name, callback) or (len(callback) > 4 and _one_is_missing(name, callback)):
            return callback
    return None


def _one_typo_apart(name: str, wanted: str) -> bool:
    if name == wanted:
        return False
    one_too_many = _one_is_missing(wanted, name)
    return (
        _swapped(name, wanted)
        or _one_is_missing(name, wanted)
        or one_too_many
        or (
            len(name) == len(wanted) and sum(a != b for a, b in zip(name, wanted, strict=True)) == 1
        )
    )


def _swapped(name: str, wanted: str) -> bool:
    """Return whether two neighbouring letters have changed places."""
    return any(
        name == wanted[:i] + wanted[i + 1] + wanted[i] + wanted[i + 2 :] != wanted
        for i in range(len(wanted) - 1)
    )


def _one_is_missing(name: str, wanted: str) -> bool:
    """Return whether ``name`` is ``wanted`` without one of its letters."""
    return len(name) + 1 == len(wanted) and any(
        name == wanted[:i] + wanted[i + 1 :] for i in range(len(wanted))
    )
