"""Keep Python's garbage collector from slowing down a program with a million live objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from beamish import freeze_heap

# A block of ten thousand transactions creates 200,000 objects, and the event loop waits while a
# collection searches new ones. So search at most 24,000 at a time, and all objects only after a
# great many new ones.
_THRESHOLDS = (8_000, 1, 8_000)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector while many objects are created that all stay alive.

    It would take half of the time, and find nothing to collect.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def tune_collector() -> None:
    """Exclude all objects that exist now from later collections, and keep collections short.

    For a whole program, once it has resumed its open transactions, which live long.
    """
    freeze_heap()
    gc.set_threshold(*_THRESHOLDS)
