"""One supervised, registered, long-lived process per money transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transaction_tracker.lazy import importer

if TYPE_CHECKING:
    from transaction_tracker.delivery.listener import StoredEvent
    from transaction_tracker.domain import (
        AmbiguousIdError,
        BlockRef,
        EndedError,
        Event,
        InvalidTransactionError,
        NotTrackedError,
        Outcome,
        ParkedError,
        Policy,
        Reason,
        Registration,
        State,
        Tracked,
        TrackerError,
    )
    from transaction_tracker.follower.rule_options import RuleOptions
    from transaction_tracker.providers import ProviderSettings
    from transaction_tracker.service import (
        Settings,
        SourceSettings,
        TransactionTrackerApplication,
    )
    from transaction_tracker.sources import ChainSource, Source, SourceError, WrongChainError
    from transaction_tracker.sources.ethereum import EthereumSource
    from transaction_tracker.store import StoreError
    from transaction_tracker.tracker import TransactionTracker

__all__ = [
    "AmbiguousIdError",
    "BlockRef",
    "ChainSource",
    "EndedError",
    "EthereumSource",
    "Event",
    "InvalidTransactionError",
    "NotTrackedError",
    "Outcome",
    "ParkedError",
    "Policy",
    "ProviderSettings",
    "Reason",
    "Registration",
    "RuleOptions",
    "Settings",
    "Source",
    "SourceError",
    "SourceSettings",
    "State",
    "StoreError",
    "StoredEvent",
    "Tracked",
    "TrackerError",
    "TransactionTracker",
    "TransactionTrackerApplication",
    "WrongChainError",
]

# The modules of the public names, as in the imports above. Python runs this file whenever any
# module of the package is imported, so importing them here would load the HTTP API and the
# database for every `txtrack --help`.
_MODULES = {
    "service": ("Settings", "SourceSettings", "TransactionTrackerApplication"),
    "domain": (
        "AmbiguousIdError",
        "BlockRef",
        "EndedError",
        "Event",
        "InvalidTransactionError",
        "NotTrackedError",
        "Outcome",
        "ParkedError",
        "Policy",
        "Reason",
        "Registration",
        "State",
        "Tracked",
        "TrackerError",
    ),
    "delivery.listener": ("StoredEvent",),
    "follower.rule_options": ("RuleOptions",),
    "providers": ("ProviderSettings",),
    "sources": ("ChainSource", "Source", "SourceError", "WrongChainError"),
    "sources.ethereum": ("EthereumSource",),
    "store": ("StoreError",),
    "tracker": ("TransactionTracker",),
}

__getattr__: Callable[[str], Any] = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
