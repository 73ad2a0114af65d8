"""Python's garbage collector, where a great many things are made that are no garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# For a program that holds a million things for long: look at the young ones more seldom, and
# at all of them only when a great many have come since.
_THRESHOLDS = (100_000, 20, 100)


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest: it takes half the time, and nothing here is garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def settle_down() -> None:
    """Take all that is there for things that stay, and look for garbage among the others only.

    For a whole program, once it has started: a full collection stops everything for a second
    with 100,000 transactions, and for several with a million.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
