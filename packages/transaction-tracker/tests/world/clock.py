"""The time of a simulation."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

START = 1_700_000_000.0  # Unix seconds at which each simulation begins


def now() -> float:
    """Return the seconds since the simulation began; 0 outside of one."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


def unix_time() -> float:
    """Return the simulation's Unix time."""
    return START + now()


@contextmanager
def virtual_clock() -> Iterator[None]:
    """Replace the program's clocks by the clock of its event loop."""
    with mock.patch.object(time, "time", unix_time), mock.patch.object(time, "monotonic", now):
        yield
