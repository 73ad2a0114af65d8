"""The limits that the watchdog reports, and events from the watchdog's thread."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from beamish import telemetry


@dataclass(slots=True)
class Limits:
    """The limits above which the watchdog reports; ``None`` switches a report off.

    Args:
        long_schedule: Maximum number of seconds that one callback can block the event loop.
        long_message_queue: Maximum number of messages in one mailbox.
    """

    long_schedule: float | None = 0.1
    long_message_queue: int | None = 10_000


limits = Limits()
"""The current limits, for all event loops."""


def emit(
    runtime: Any, event: str, measurements: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Emit a telemetry event about a process in the thread of its event loop.

    Handlers run in that thread and can use the event loop.
    """
    if telemetry.enabled:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            runtime.loop.call_soon_threadsafe(
                telemetry.execute, ("beamish", "process", event), measurements, facts
            )
