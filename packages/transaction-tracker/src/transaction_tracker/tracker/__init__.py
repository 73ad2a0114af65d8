"""The tracker: one supervised, registered process for each transaction."""

from transaction_tracker.tracker.context import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    CheckTransaction,
    ProcessNames,
    RegistrationChanged,
    SearchAddresses,
    Sources,
    TrackerContext,
    TransactionUntracked,
    via,
)
from transaction_tracker.tracker.places import (
    Place,
    locate_followed,
    locate_key,
    place_of,
    place_of_raw,
    place_of_slot,
    places,
    registered_places,
)
from transaction_tracker.tracker.process import TransactionTracker, Until

__all__ = [
    "FOLLOWER",
    "REGISTRY",
    "SUPERVISOR",
    "CheckTransaction",
    "Place",
    "ProcessNames",
    "RegistrationChanged",
    "SearchAddresses",
    "Sources",
    "TrackerContext",
    "TransactionTracker",
    "TransactionUntracked",
    "Until",
    "locate_followed",
    "locate_key",
    "place_of",
    "place_of_raw",
    "place_of_slot",
    "places",
    "registered_places",
    "via",
]
