"""The source of the databases of tests, the type of the fixture ``run``, and a silent store."""

from collections.abc import Callable
from typing import Any

from transaction_tracker.store import Stored

# The source that the databases belong to.
SOURCE = "ethereum:31337"

Run = Callable[..., Any]


async def ignore(_: Stored) -> None:
    """Announce nothing."""
