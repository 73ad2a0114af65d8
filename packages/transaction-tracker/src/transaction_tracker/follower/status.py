"""The progress of the follower, for every part of the program to read."""

from collections.abc import Callable

from transaction_tracker.awake import AwakeClock
from transaction_tracker.domain import BlockRef
from transaction_tracker.follower.verdict import MIN_LIMIT_SECONDS, Note, Progress, Verdict, judge

# Part of a fault can be a provider's text, and is shown in /readyz, the log and the dashboard.
MAX_FAULT_CHARACTERS = 500


class FollowerStatus:
    """Records the follower's progress. The follower writes it; all other parts only read it.

    Outlives the follower's process: a follower that crashes again and again makes no progress,
    and its status must say so.

    Args:
        best_head: Returns the highest head of any healthy provider, including standby providers:
            that shows when only the followed provider is stuck.
        clock: Returns the time in seconds. Default: an `AwakeClock`, so that a suspend is not
            taken for a source that stands. The watchdog reads it often enough.

    Attributes:
        head: Height of the followed provider's head; ``None`` before the first response.
        heard_at: When the last readable response about the head arrived. All times here are
            those of `now`.
        head_advanced_at: When a head last advanced at any provider.
        applied_block: The last block applied since the program started.
        applied_at: When it was applied.
    """

    def __init__(
        self,
        best_head: Callable[[], int | None] | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._best_head = best_head
        self._clock = clock or AwakeClock()
        self._started_at = self._clock()
        self._has_begun = False
        self._highest: int | None = None
        self._best: int | None = None
        self._due_since: float | None = None
        self._fault: Note | None = None
        self._halt: Note | None = None
        self._held: Note | None = None
        self._undecided: Note | None = None
        self._above_at: float | None = None  # when a head above our last block was recorded
        self.head: int | None = None
        self.heard_at: float | None = None
        self.head_advanced_at: float | None = None
        self.applied_block: BlockRef | None = None
        self.applied_at: float | None = None

    def now(self) -> float:
        """Return the time in seconds, as this status and the notes in it count it."""
        return self._clock()

    @property
    def has_begun(self) -> bool:
        """Whether the source has been followed since the program started."""
        return self._has_begun

    @property
    def held_reason(self) -> str | None:
        """Why ends are held back; ``None`` if none is."""
        return None if self._held is None else self._held.text

    def begin(self) -> None:
        """Start the clock; later calls have no effect, because a restart is not progress."""
        if not self._has_begun:
            self._has_begun = True
            self._started_at = self._clock()

    # -- For the follower

    def heard(self, head: int | None = None) -> None:
        """Record a readable response about the head.

        Args:
            head: The head's height; ``None`` from a source without blocks.
        """
        heard_before, now = self.heard_at, self._clock()
        self.heard_at = now
        if head is None:
            return
        if self.applied_block is not None and head > self.applied_block.number:
            self._above_at = now
        if self._has_advanced(head):
            self._advance(now, heard_before)
        self.head = head
        self._highest = head if self._highest is None else max(head, self._highest)

    def applied(self, block: BlockRef) -> None:
        """Record that a block was applied."""
        now = self.applied_at = self._clock()
        self.applied_block = block
        self._fault = self._halt = self._above_at = None
        # While more blocks are due, each applied block restarts the time limit.
        known = [head for head in (self.head, self._best) if head is not None]
        self._due_since = now if any(head > block.number for head in known) else None

    def up_to_date(self) -> None:
        """Record that our last block is the followed provider's head: nothing is due there."""
        self._fault = None
        # A block can be due all the same: if another provider is ahead, the followed one can be
        # stuck; if another node behind the same address was ahead a short time ago, this head only
        # looks like the highest.
        if self._above_at is not None and self._clock() - self._above_at < MIN_LIMIT_SECONDS:
            return
        if self._best is None or (self.head is not None and self.head >= self._best):
            self._due_since = None

    def failed(self, error: Exception | str) -> None:
        """Record the error that prevents progress now.

        Args:
            error: The error; names the provider, the block and the field where they are known.
        """
        text = _line(str(error) or type(error).__name__)
        if self._fault is None:
            self._fault = Note(text, self._clock())
        else:
            self._fault = Note(text, self._fault.since, self._fault.times + 1)

    def halted(self, reason: str, seconds: float = 0.0) -> None:
        """Record that the follower has stopped by its own decision.

        Takes effect at once, without a time limit. Only for a state that waiting cannot change.

        Args:
            reason: Why.
            seconds: For how many seconds it has stopped already.
        """
        since = self._clock() - seconds if self._halt is None else self._halt.since
        self._halt = Note(_line(reason), since)

    def resumed(self) -> None:
        """Record that the follower continues after ``halted``."""
        self._halt = None

    def held(self, reason: str | None, seconds: float = 0.0) -> None:
        """Record that ends are held back; ``None`` if none is.

        Args:
            reason: Which ends, and why.
            seconds: For how many seconds the first of them has been held back.
        """
        self._held = None if reason is None else Note(_line(reason), self._clock() - seconds)

    def undecided(self, note: Note | None) -> None:
        """Record that the end of a transaction cannot be decided; ``None`` if all can.

        Args:
            note: Why, and since when.
        """
        self._undecided = note and Note(_line(note.text), note.since)

    # -- For all other parts of the program

    def verdict(self, now: float, block_time: float) -> Verdict:
        """Return whether the source makes progress.

        Args:
            now: The time, from `now`.
            block_time: Seconds between blocks.
        """
        self._update_best_head(now)
        return judge(self._progress(), now, block_time)

    def _progress(self) -> Progress:
        return Progress(
            started_at=self._started_at,
            head=self.head,
            best_head=self._best,
            heard_at=self.heard_at,
            advanced_at=self.head_advanced_at,
            due_since=self._due_since,
            applied=self.applied_block,
            applied_at=self.applied_at,
            fault=self._fault,
            halt=self._halt,
            held=self._held,
            undecided=self._undecided,
        )

    def _update_best_head(self, now: float) -> None:
        self._best = None if self._best_head is None else self._best_head()
        # Until the followed provider's first response, our last block is unknown, and so is
        # whether a block is due.
        if self._best is None or self._highest is None or self._best <= self._highest:
            return
        self._highest = self._best
        self._advance(now, self.heard_at)

    def _has_advanced(self, head: int) -> bool:
        if self._highest is None or head > self._highest:
            return True
        # A chain that became shorter grows below its old height. Nodes of different heights behind
        # one address (100, 96, 100) do not count: the address jumps back to the highest head.
        return self.head is not None and self.head < head < self._highest

    def _advance(self, now: float, heard_before: float | None) -> None:
        self.head_advanced_at = now
        if self._due_since is None:
            # The head can have advanced at any time since the last response: after a silence, a
            # single response must not restart the time limit.
            self._due_since = self._started_at if heard_before is None else heard_before


def _line(text: str) -> str:
    """Return a text in one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_FAULT_CHARACTERS else line[: MAX_FAULT_CHARACTERS - 1] + "…"
