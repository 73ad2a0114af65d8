"""Let SIGTERM end a command like Ctrl-C, so that resources are closed first."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Cancel the current task at SIGTERM, while the block runs."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a command runs in a task
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows does not support signal handlers
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
