"""The tracker: one supervised, registered process for each transaction."""

from transaction_tracker.tracker.context import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    Ask,
    Context,
    Forget,
    via,
)
from transaction_tracker.tracker.process import TransactionTracker, Until

__all__ = [
    "FOLLOWER",
    "REGISTRY",
    "SUPERVISOR",
    "Ask",
    "Context",
    "Forget",
    "TransactionTracker",
    "Until",
    "via",
]
