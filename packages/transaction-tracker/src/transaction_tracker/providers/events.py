"""Telemetry events of the providers, for ``beamish.telemetry``."""

from collections.abc import Mapping
from types import MappingProxyType

from beamish import telemetry
from beamish.telemetry import Keys

_PREFIX = ("transaction_tracker", "provider")

REQUEST = (*_PREFIX, "request")
SWITCHED = (*_PREFIX, "switched")
PAUSED = (*_PREFIX, "paused")
REFUSED = (*_PREFIX, "refused")

EVENTS: Mapping[tuple[str, ...], Keys] = MappingProxyType(
    {
        REQUEST: Keys(("duration_seconds", "calls"), ("provider", "outcome")),
        SWITCHED: Keys(("count",), ("provider", "previous", "reason")),
        PAUSED: Keys(("duration_seconds",), ("provider", "error")),
        REFUSED: Keys(("count",), ("provider",)),
    }
)
"""Every event, with the names of its measurements and metadata. A request's ``outcome`` is
``"ok"`` or the class of its error."""


def request(provider: str, outcome: str, seconds: float, calls: int) -> None:
    """Emit the event of a finished HTTP request."""
    if telemetry.enabled:
        measured = {"duration_seconds": seconds, "calls": calls}
        telemetry.execute(REQUEST, measured, {"provider": provider, "outcome": outcome})


def switched(provider: str, previous: str, reason: str) -> None:
    """Emit the event that ``provider`` is followed in place of ``previous``."""
    metadata = {"provider": provider, "previous": previous, "reason": reason}
    telemetry.execute(SWITCHED, {"count": 1}, metadata)


def paused(provider: str, error: str, seconds: float) -> None:
    """Emit the event that a provider is paused for some seconds."""
    telemetry.execute(PAUSED, {"duration_seconds": seconds}, {"provider": provider, "error": error})


def refused(provider: str) -> None:
    """Emit the event that a provider is on another chain."""
    telemetry.execute(REFUSED, {"count": 1}, {"provider": provider})
