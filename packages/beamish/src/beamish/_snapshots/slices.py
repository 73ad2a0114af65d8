"""Walks over many objects without blocking the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.002
"""Time after which a walk lets the event loop run its other callbacks."""

_BATCH_SIZE = 128  # objects between two readings of the clock


async def sliced(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield ``items`` in batches; suspend between two of them when a slice is over."""
    end = time.perf_counter() + SLICE_SECONDS
    for start in range(0, len(items), _BATCH_SIZE):
        if time.perf_counter() > end:
            await asyncio.sleep(0)
            end = time.perf_counter() + SLICE_SECONDS
        yield items[start : start + _BATCH_SIZE]
