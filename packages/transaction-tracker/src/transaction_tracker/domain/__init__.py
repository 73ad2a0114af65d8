"""States of a transaction, and what facts make of them: values, with no loop and no network."""

from transaction_tracker.domain.agenda import Agenda
from transaction_tracker.domain.chain import MARGIN, BrokenChainError, Chain, Fork, Link
from transaction_tracker.domain.errors import (
    InvalidTransactionError,
    NotTrackedError,
    ParkedError,
    TrackerError,
)
from transaction_tracker.domain.facts import (
    BlockRef,
    Buried,
    Included,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Seen,
    Transaction,
)
from transaction_tracker.domain.recent import Recent
from transaction_tracker.domain.states import (
    ANCHORED,
    ENDS,
    REASONS,
    STATES,
    TERMINAL,
    Reason,
    State,
)
from transaction_tracker.domain.sweep import Sweep
from transaction_tracker.domain.tracked import Event, Tracked
from transaction_tracker.domain.transitions import decide, transition

__all__ = [
    "ANCHORED",
    "ENDS",
    "MARGIN",
    "REASONS",
    "STATES",
    "TERMINAL",
    "Agenda",
    "BlockRef",
    "BrokenChainError",
    "Buried",
    "Chain",
    "Event",
    "Fork",
    "Included",
    "InvalidTransactionError",
    "Link",
    "NotTrackedError",
    "Observation",
    "Orphaned",
    "Outcome",
    "Overtaken",
    "ParkedError",
    "Reason",
    "Recent",
    "Seen",
    "State",
    "Sweep",
    "Tracked",
    "TrackerError",
    "Transaction",
    "decide",
    "transition",
]
