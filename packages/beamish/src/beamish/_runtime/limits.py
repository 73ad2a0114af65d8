"""What counts as too long, and how to tell of it from the watchdog's thread."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from beamish import telemetry


@dataclass(slots=True)
class Limits:
    """What the watchdog reports; ``None`` switches a report off.

    Args:
        long_schedule: Seconds for which one callback may block the event loop.
        long_message_queue: Messages that may wait in one mailbox.
    """

    long_schedule: float | None = 0.1
    long_message_queue: int | None = 10_000


limits = Limits()
"""Those in force, for all event loops."""


def tell(
    runtime: Any, event: str, measurements: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Emit an event about a process, in the thread of its event loop, where handlers run."""
    if telemetry.enabled:
        with suppress(RuntimeError):  # the loop is closed by now
            runtime.loop.call_soon_threadsafe(
                telemetry.execute, ("beamish", "process", event), measurements, facts
            )
