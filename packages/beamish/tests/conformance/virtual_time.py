"""Tests whose seconds take no time, and so do not depend on how fast the machine is."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from beamish.testing import simulate


def on_virtual_clock(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on the virtual clock of ``simulate``, as a process.

    The clock jumps to the next timer when nothing can run, so that a test may wait for seconds.
    """

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        simulate(lambda: test(*args, **kwargs))

    return run
