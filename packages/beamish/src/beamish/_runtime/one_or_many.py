"""A collection that is usually empty or holds one item, for millions of processes.

A process has one link, one name, no monitor; rarely it has thousands. ``None`` is the empty
collection, an item stands for the collection with only that item, and several items are the keys
of a dict, which keeps their order and makes adding and removing cost the same for any number of
them. Items must be hashable, and neither ``None`` nor dicts.
"""

from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
OneOrMany: TypeAlias = T | dict[T, None] | None


def add(collection: OneOrMany[T], item: T) -> OneOrMany[T]:
    """Return ``collection`` with ``item`` in it."""
    if collection is None:
        return item
    if isinstance(collection, dict):
        collection[item] = None
        return collection
    return collection if collection == item else {collection: None, item: None}


def remove(collection: OneOrMany[T], item: T) -> OneOrMany[T]:
    """Return ``collection`` without ``item``."""
    if isinstance(collection, dict):
        collection.pop(item, None)
        return collection or None
    return None if collection == item else collection


def contains(collection: OneOrMany[T], item: T) -> bool:
    """Return whether ``item`` is in ``collection``."""
    if isinstance(collection, dict):
        return item in collection
    return collection is not None and collection == item


def items(collection: OneOrMany[T]) -> tuple[T, ...]:
    """Return the items of ``collection`` in the order in which they were added."""
    if collection is None:
        return ()
    if isinstance(collection, dict):
        return tuple(collection)
    return (collection,)


def size_bytes(collection: OneOrMany[Any]) -> int:
    """Return an estimate of the memory of the collection, without its items."""
    return collection.__sizeof__() if isinstance(collection, dict) else 0
