"""Counts what is the same on every machine: calls of Python functions, objects and bytes."""

import gc
import sys
import time
import tracemalloc
from collections.abc import Awaitable
from types import FrameType
from typing import Any

_EMPTY_CALLS = 200_000
_PASSES = 5


async def calls_of(work: Awaitable[object]) -> int:
    """Return how many Python functions ``work`` calls or resumes."""
    called = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal called
        called += event == "call"

    sys.setprofile(count)
    try:
        await work
    finally:
        sys.setprofile(None)
    return called


async def allocated_by(work: Awaitable[object]) -> tuple[int, int]:
    """Return how many objects of the garbage collector, and bytes, are left of ``work``."""
    gc.collect()
    tracked = len(gc.get_objects())
    tracemalloc.start()
    await work
    gc.collect()
    size_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return len(gc.get_objects()) - tracked, size_bytes


def seconds_of_an_empty_call() -> float:
    """Measure a call of a method with two arguments that does nothing."""
    empty = _Empty()
    calling, looping = [], []
    for _ in range(_PASSES):
        before = time.process_time()
        for _ in range(_EMPTY_CALLS):
            empty.call(1, 2)
        between = time.process_time()
        for _ in range(_EMPTY_CALLS):
            pass
        calling.append(between - before)
        looping.append(time.process_time() - between)
    return (min(calling) - min(looping)) / _EMPTY_CALLS


class _Empty:
    def call(self, first: object, second: object) -> None:
        """Do nothing."""
