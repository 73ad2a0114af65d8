"""What is known of one tracked transaction."""

from dataclasses import dataclass

from transaction_tracker.domain.facts import BlockRef, Outcome
from transaction_tracker.domain.states import (
    ANCHORED,
    TERMINAL,
    UNPLACED,
    Flag,
    Reason,
    Required,
    State,
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """When something was seen first: our height, and Unix seconds."""

    height: int
    time: float


@dataclass(frozen=True, slots=True)
class Tracked:
    """One transaction, as far as it is known.

    Attributes:
        id: Its name at the source.
        required: Confirmations that make its state final, or the chain's own word.
        state: Where it stands.
        version: Transitions so far; each makes one more.
        slot: The place that only it or a rival can take; ``None`` until the source told.
        content: What it does; ``None`` until the source told.
        anchor: The canonical block that has it, or the rival that took its slot.
        outcome: How it ended in that block.
        superseded_by: The rival that took its slot.
        reason: What the rival does instead.
        error: Why its tracker was parked; ``None`` while it is followed.
        deadline: Unix seconds after which it expires, in no block as it is.
        waiting_since: Unix seconds since when it is known to be pending.
        missing_since: Since when no answer knew it.
        max_fee: What it offers at most, in wei per unit of gas.
        flags: What else is to be said of it.
    """

    id: str
    required: Required
    state: State = "registered"
    version: int = 0
    slot: str | None = None
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

    @property
    def final(self) -> bool:
        """Whether its state is an end."""
        return self.state in TERMINAL

    @property
    def ended(self) -> bool:
        """Whether it is final, or dropped: an end until the contrary is seen."""
        return self.final or self.state == "dropped"

    @property
    def unplaced(self) -> bool:
        """Whether it is open, and in no block."""
        return self.state in UNPLACED

    @property
    def waits_for_depth(self) -> bool:
        """Whether a block has decided, and only depth is missing."""
        return self.state in ANCHORED

    @property
    def due(self) -> int | None:
        """The height at which its state becomes final, if nothing changes.

        ``None`` where depth does not decide.
        """
        if self.anchor is None or not self.waits_for_depth or isinstance(self.required, str):
            return None
        return self.anchor.number + self.required - 1


@dataclass(frozen=True, slots=True)
class Event:
    """One transition: what the transaction was, and all that it is now."""

    previous: State
    tracked: Tracked

    @property
    def id(self) -> str:
        """Name the event for ever: the same transition always has the same."""
        return f"{self.tracked.id}:{self.tracked.version}"
