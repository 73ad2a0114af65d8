"""What the providers tell those who measure: events of ``beamish.telemetry``."""

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
    """Tell of a question to a provider, and how it went."""
    if telemetry.enabled:
        measured = {"duration_seconds": seconds, "calls": calls}
        telemetry.execute(REQUEST, measured, {"provider": provider, "outcome": outcome})


def switched(provider: str, previous: str, reason: str) -> None:
    """Tell that another provider is followed from now on."""
    facts = {"provider": provider, "previous": previous, "reason": reason}
    telemetry.execute(SWITCHED, {"count": 1}, facts)


def paused(provider: str, error: str, seconds: float) -> None:
    """Tell that a provider is left alone for a time."""
    telemetry.execute(PAUSED, {"duration_seconds": seconds}, {"provider": provider, "error": error})


def refused(provider: str) -> None:
    """Tell that a provider is on another chain."""
    telemetry.execute(REFUSED, {"count": 1}, {"provider": provider})
