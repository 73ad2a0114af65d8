"""The state of one tracked transaction, and its events."""

from msgspec import Struct

from transaction_tracker.domain.caip import caip_id
from transaction_tracker.domain.details import NO_DETAILS, Details
from transaction_tracker.domain.facts import BlockRef, Outcome
from transaction_tracker.domain.rules import RequiredBy
from transaction_tracker.domain.states import (
    ANCHORED,
    TERMINAL,
    UNPLACED,
    Flag,
    Reason,
    Required,
    State,
)
from transaction_tracker.domain.structs import compared_without


class Sighting(Struct, frozen=True):
    """The head's height and the time in Unix seconds when something was first seen."""

    height: int
    time: float


# gc=False: there can be a million, and none can be part of a cycle.
@compared_without("source", "given")
class Tracked(Struct, frozen=True, gc=False):
    """The current state of one tracked transaction.

    Attributes:
        id: The transaction id at the source.
        required: Number of confirmations that make its state final, or a tag of the chain.
        state: The current state.
        version: Number of transitions so far.
        slots: The slots that it uses, or of which a rival uses one; empty until the source reports
            them.
        content: What it does; ``None`` until the source reports it.
        anchor: The canonical block that has it, or that has the rival that used a slot of it.
        outcome: Its result in that block.
        superseded_by: Id of the rival that used a slot of it.
        reason: What the rival does instead, or why the transaction was dropped.
        error: Why its tracker was parked; ``None`` while it is not parked.
        deadline: Unix seconds after which it expires if it is in no block.
        waiting_since: Unix seconds since when it is pending.
        missing_since: When it was first missing; ``None`` unless it is missing or dropped.
        max_fee: Maximum fee in wei per unit of gas.
        flags: Notable conditions besides the state.
        hash: Id at the source of the transaction that took the slot, if it is tracked by its slot;
            ``None`` for others, and until a block has one.
        revision: Number of changes of its required confirmations and its deadline by the user.
        source: Name of its source in the database; empty if it is not known. Neither it nor
            ``given`` is compared: they say where it is, not what is known of it.
        given: The id as it was registered, if that is not ``id``: with the chain id, because
            another source can have a transaction with the same id.
        required_by: Who chose ``required``. ``"request"`` also for a transaction of a version that
            had no rules: what was required of it stays.
    """

    id: str
    required: Required
    state: State = "registered"
    version: int = 0
    slots: tuple[str, ...] = ()
    content: str | None = None
    anchor: BlockRef | None = None
    outcome: Outcome | None = None
    superseded_by: str | None = None
    reason: Reason | None = None
    error: str | None = None
    deadline: float | None = None
    waiting_since: float | None = None
    missing_since: Sighting | None = None
    max_fee: int | None = None
    flags: frozenset[Flag] = frozenset()
    revision: int = 0
    hash: str | None = None

    source: str = ""
    given: str | None = None
    required_by: RequiredBy = "request"

    @property
    def key(self) -> str:
        """The id as it was registered, which is unique over all sources."""
        return self.given or self.id

    @property
    def by_slot(self) -> bool:
        """Whether it is tracked by its slot: it is whichever transaction takes it."""
        return self.slots == (self.id,)

    @property
    def caip_id(self) -> str:
        """The id with the chain id of its source."""
        return caip_id(self.source, self.id)

    @property
    def final(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL

    @property
    def ended(self) -> bool:
        """Whether it is final or dropped; a dropped transaction can still be mined."""
        return self.final or self.state == "dropped"

    @property
    def unplaced(self) -> bool:
        """Whether it is in no known block and not final."""
        return self.state in UNPLACED

    @property
    def waits_for_depth(self) -> bool:
        """Whether a block decided its state, which becomes final at the required depth."""
        return self.state in ANCHORED

    @property
    def due(self) -> int | None:
        """The height at which its state becomes final, unless it changes before.

        ``None`` where no number of confirmations decides.
        """
        if self.anchor is None or not self.waits_for_depth or isinstance(self.required, str):
            return None
        return self.anchor.number + self.required - 1


class _Transition(Struct, frozen=True):
    previous: State
    tracked: Tracked


# The base has the fields by position: a subclass can add others by position, as ``StoredEvent``.
class Event(_Transition, frozen=True, kw_only=True):
    """One transition: the previous state, and the transaction after it.

    Attributes:
        previous: The state before.
        tracked: The transaction after it.
        details: Details that the fact of this transition shows. The store adds those that are
            known from earlier events.
        min_confirmations: Confirmations that the transaction needs in any case, as the fact of this
            transition shows.
    """

    details: Details = NO_DETAILS
    min_confirmations: int = 1

    @property
    def id(self) -> str:
        """Id of the event; the same transition always has the same id."""
        return f"{self.tracked.key}:{self.tracked.version}"
