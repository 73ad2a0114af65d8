"""Follow a source: apply what it reports, and inform the trackers that are affected."""

from transaction_tracker.follower.address_searcher import AddressSearcher
from transaction_tracker.follower.poller import Poller
from transaction_tracker.follower.process import Follower
from transaction_tracker.follower.rebroadcaster import REBROADCASTER, Rebroadcaster
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.transfer_checker import TRANSFER_CHECKER, TransferChecker
from transaction_tracker.follower.unit_reader import UNIT_READER, UnitReader
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.follower.watchdog import WATCHDOG, Reports, Watchdog

__all__ = [
    "REBROADCASTER",
    "TRANSFER_CHECKER",
    "UNIT_READER",
    "WATCHDOG",
    "AddressSearcher",
    "Follower",
    "FollowerStatus",
    "Poller",
    "Rebroadcaster",
    "Reports",
    "TransferChecker",
    "UnitReader",
    "Verdict",
    "Watchdog",
]
