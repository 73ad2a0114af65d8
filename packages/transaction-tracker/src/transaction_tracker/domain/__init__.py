"""The states of a transaction and their transitions: pure values, without event loop or network."""

from transaction_tracker.domain.agenda import Agenda
from transaction_tracker.domain.chain import MARGIN, BrokenChainError, Chain, Fork, Link
from transaction_tracker.domain.deadlines import Deadlines
from transaction_tracker.domain.errors import (
    InvalidTransactionError,
    NotTrackedError,
    ParkedError,
    TrackerError,
)
from transaction_tracker.domain.facts import (
    Abandoned,
    Absent,
    BlockRef,
    Buried,
    FeeScope,
    Included,
    Late,
    Observation,
    Orphaned,
    Outcome,
    Overtaken,
    Refused,
    Reported,
    Seen,
    Transaction,
    Vanished,
)
from transaction_tracker.domain.objection import StandingObjection
from transaction_tracker.domain.policy import Policy
from transaction_tracker.domain.recent import Recent
from transaction_tracker.domain.registration import (
    MAX_CONFIRMATIONS,
    MAX_METADATA_BYTES,
    Registration,
    check_required,
)
from transaction_tracker.domain.states import (
    ANCHORED,
    ENDS,
    FLAGS,
    REASONS,
    STATES,
    TAGS,
    TERMINAL,
    UNPLACED,
    Flag,
    Reason,
    Required,
    State,
    Tag,
)
from transaction_tracker.domain.sweep import Sweep
from transaction_tracker.domain.tracked import Event, Sighting, Tracked
from transaction_tracker.domain.transitions import decide, reregistered, transition

__all__ = [
    "ANCHORED",
    "ENDS",
    "FLAGS",
    "MARGIN",
    "MAX_CONFIRMATIONS",
    "MAX_METADATA_BYTES",
    "REASONS",
    "STATES",
    "TAGS",
    "TERMINAL",
    "UNPLACED",
    "Abandoned",
    "Absent",
    "Agenda",
    "BlockRef",
    "BrokenChainError",
    "Buried",
    "Chain",
    "Deadlines",
    "Event",
    "FeeScope",
    "Flag",
    "Fork",
    "Included",
    "InvalidTransactionError",
    "Late",
    "Link",
    "NotTrackedError",
    "Observation",
    "Orphaned",
    "Outcome",
    "Overtaken",
    "ParkedError",
    "Policy",
    "Reason",
    "Recent",
    "Refused",
    "Registration",
    "Reported",
    "Required",
    "Seen",
    "Sighting",
    "StandingObjection",
    "State",
    "Sweep",
    "Tag",
    "Tracked",
    "TrackerError",
    "Transaction",
    "Vanished",
    "check_required",
    "decide",
    "reregistered",
    "transition",
]
