"""A collection that is mostly empty or holds one thing, for millions of processes.

A process has one link, one name, no monitor; rarely it has thousands. ``None`` is the empty
collection, a lone item stands for itself, and more of them are the keys of a dict, which keeps
their order and makes adding and removing cost the same however many there are. Items are
hashable, and are neither ``None`` nor dicts.
"""

from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Few: TypeAlias = T | dict[T, None] | None


def add(few: Few[T], item: T) -> Few[T]:
    """Return ``few`` with ``item`` in it."""
    if few is None:
        return item
    if isinstance(few, dict):
        few[item] = None
        return few
    return few if few == item else {few: None, item: None}


def remove(few: Few[T], item: T) -> Few[T]:
    """Return ``few`` without ``item``."""
    if isinstance(few, dict):
        few.pop(item, None)
        return few or None
    return None if few == item else few


def contains(few: Few[T], item: T) -> bool:
    """Say whether ``item`` is in ``few``."""
    if isinstance(few, dict):
        return item in few
    return few is not None and few == item


def items(few: Few[T]) -> tuple[T, ...]:
    """List what is in ``few``, in the order in which it was added."""
    if few is None:
        return ()
    if isinstance(few, dict):
        return tuple(few)
    return (few,)


def size_bytes(few: Few[Any]) -> int:
    """Estimate the memory of the collection itself."""
    return few.__sizeof__() if isinstance(few, dict) else 0
