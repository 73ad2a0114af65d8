"""Walks over many objects without blocking the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.002
"""Time after which walks let the event loop run its other callbacks; they share it."""

_BATCH_SIZE = 128  # objects between two readings of the clock

_walks: set[object] = set()


async def sliced(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield ``items`` in batches; suspend between two of them when a slice is over.

    All walks that run share the time of one slice: each turn of the event loop runs every one of
    them, so that 32 viewers would delay the program 32 times as long as one.
    """
    walk = object()
    _walks.add(walk)
    try:
        end = _slice_end()
        for start in range(0, len(items), _BATCH_SIZE):
            if time.perf_counter() > end:
                await asyncio.sleep(0)
                end = _slice_end()
            yield items[start : start + _BATCH_SIZE]
    finally:
        _walks.discard(walk)


def _slice_end() -> float:
    return time.perf_counter() + SLICE_SECONDS / len(_walks)
