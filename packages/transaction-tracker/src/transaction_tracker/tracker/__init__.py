"""The tracker: one supervised, registered process for each transaction."""

from transaction_tracker.tracker.context import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    CheckTransaction,
    RegistrationChanged,
    TrackerContext,
    TransactionUntracked,
    via,
)
from transaction_tracker.tracker.process import TransactionTracker, Until

__all__ = [
    "FOLLOWER",
    "REGISTRY",
    "SUPERVISOR",
    "CheckTransaction",
    "RegistrationChanged",
    "TrackerContext",
    "TransactionTracker",
    "TransactionUntracked",
    "Until",
    "via",
]
