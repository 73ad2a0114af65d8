"""SIGTERM ends a command as Ctrl-C does: everything is closed and cleaned up first."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Cancel the current task when SIGTERM comes."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a command runs in a task
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows knows no such handlers
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
