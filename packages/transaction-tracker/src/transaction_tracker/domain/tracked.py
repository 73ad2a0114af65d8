"""What is known of one tracked transaction."""

from dataclasses import dataclass

from transaction_tracker.domain.facts import BlockRef, Outcome
from transaction_tracker.domain.states import ANCHORED, TERMINAL, Reason, State


@dataclass(frozen=True, slots=True)
class Tracked:
    """One transaction, as far as it is known.

    Attributes:
        id: Its name at the source.
        required: Confirmations that make its state final.
        state: Where it stands.
        version: Transitions so far; each makes one more.
        slot: The place that only it or a rival can take; ``None`` until the source told.
        content: What it does; ``None`` until the source told.
        anchor: The canonical block that has it, or the rival that took its slot.
        outcome: How it ended in that block.
        superseded_by: The rival that took its slot.
        reason: What the rival does instead.
        error: Why its tracker was parked; ``None`` while it is followed.
    """

    id: str
    required: int
    state: State = "registered"
    version: int = 0
    slot: str | None = None
    content: str | None = None
    anchor: BlockRef | None = None
    outcome: Outcome | None = None
    superseded_by: str | None = None
    reason: Reason | None = None
    error: str | None = None

    @property
    def final(self) -> bool:
        """Whether its state is an end."""
        return self.state in TERMINAL

    @property
    def waits_for_depth(self) -> bool:
        """Whether a block has decided, and only depth is missing."""
        return self.state in ANCHORED

    @property
    def due(self) -> int | None:
        """The height at which its state becomes final, if nothing changes."""
        if self.anchor is None or not self.waits_for_depth:
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
