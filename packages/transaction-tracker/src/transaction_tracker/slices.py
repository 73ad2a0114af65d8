"""Long loops in slices, between which the event loop runs other tasks.

A block can change ten thousand transactions. Without slices, each loop over them would delay all
requests, timers and deliveries by a quarter of a second.

Other tasks run between two slices, so everything that they use must be consistent there, and they
must not change the items of the loop.
"""

import asyncio
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

MAX_SLICE_ITEMS = 200
"""Items handled between two passes of the event loop: about 5 ms, at up to 25 µs for each."""

Steps: TypeAlias = Generator[None, None, T]
"""A generator function that yields between its slices, and returns its result."""


def slices(items: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``, by default ``MAX_SLICE_ITEMS``."""
    iterator = iter(items)
    while part := list(islice(iterator, size or MAX_SLICE_ITEMS)):
        yield part


class Slices(Generic[T]):
    """Iterate over items in slices; the event loop runs other tasks between two slices.

    Nothing is yielded to the event loop before the first slice and after the last, so a short loop
    costs nothing.

    Args:
        items: The items. No other task can change them.
    """

    # Not an async generator: a loop that raises would leave one open until its finalizer runs.

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._has_begun = False

    def __aiter__(self) -> "Slices[T]":
        return self

    async def __anext__(self) -> list[T]:
        part = list(islice(self._items, MAX_SLICE_ITEMS))
        if not part:
            raise StopAsyncIteration
        if self._has_begun:
            await asyncio.sleep(0)
        self._has_begun = True
        return part


def run_at_once(steps: Steps[T]) -> T:
    """Run all steps, and return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def run_in_slices(steps: Steps[T]) -> T:
    """Run all steps, and return their result; the event loop runs other tasks between two steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
