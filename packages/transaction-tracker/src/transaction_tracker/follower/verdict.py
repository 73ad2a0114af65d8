"""The verdict on a source: whether it makes progress."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from transaction_tracker.domain import BlockRef

# A stop must be reported soon, but every chain sometimes pauses for a few blocks.
MIN_LIMIT_SECONDS = 60.0
LIMIT_BLOCKS = 5
NO_RESPONSE_YET = "no provider has returned a readable head yet"

Condition: TypeAlias = Literal["ok", "starting", "lagging", "halted"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a source makes progress.

    Attributes:
        state: ``"halted"`` if blocks are due and none is applied, if no response is readable, or
            if an end is held back or undecided for too long; ``"lagging"`` if no provider's head
            advances; ``"starting"`` before the first response; otherwise ``"ok"``.
        reason: Why, with the block, the field and the provider where they are known. Contains no
            secret. Empty if the state is ``"ok"``.
        since: Start of the state, in seconds of the status's clock.
    """

    state: Condition
    reason: str = ""
    since: float = 0.0

    @property
    def text(self) -> str:
        """The state and its reason in one line, for people."""
        return f"source {self.state}: {self.reason}" if self.reason else f"source {self.state}"


@dataclass(frozen=True, slots=True)
class Note:
    """A condition that lasts.

    Attributes:
        text: The condition, in words for an operator.
        since: Start of the condition, in seconds of the status's clock.
        times: How many times in a row it was recorded.
    """

    text: str
    since: float
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a follower; all times are seconds of the status's clock.

    Attributes:
        started_at: When the program started.
        head: Height of the followed provider's head; ``None`` before the first response, and for
            a source without blocks.
        best_head: The highest head of any healthy provider; ``None`` if unknown.
        heard_at: When the followed provider's last readable response about the head arrived.
        advanced_at: When a head last advanced at any provider.
        due_since: Since when a head has been above our last block, with no block applied since:
            the time of the last response before the one that showed that head.
        applied: The last block applied since the program started.
        applied_at: When it was applied.
        fault: The last error that prevented progress.
        halt: Why the follower has stopped by its own decision.
        held: Why ends are held back.
        undecided: Why the end of a transaction cannot be decided.
    """

    started_at: float
    head: int | None = None
    best_head: int | None = None
    heard_at: float | None = None
    advanced_at: float | None = None
    due_since: float | None = None
    applied: BlockRef | None = None
    applied_at: float | None = None
    fault: Note | None = None
    halt: Note | None = None
    held: Note | None = None
    undecided: Note | None = None


def limit_seconds(block_time: float) -> float:
    """Return the seconds without progress after which a source is reported.

    Args:
        block_time: Seconds between blocks.
    """
    return max(LIMIT_BLOCKS * block_time, MIN_LIMIT_SECONDS)


def judge(progress: Progress, now: float, block_time: float) -> Verdict:
    """Return whether a source makes progress.

    Progress counts, not responses: if a provider reports new heads but none can be applied, the
    source is halted.

    Args:
        progress: The progress of the follower.
        now: The time, in seconds of the status's clock.
        block_time: Seconds between blocks.
    """
    limit = limit_seconds(block_time)
    halted = _halted(progress, now, block_time, limit)
    if halted is not None:
        return halted
    if progress.heard_at is None:
        reason = NO_RESPONSE_YET
        return Verdict("starting", reason + _because(progress.fault), progress.started_at)
    moved_at = max(progress.advanced_at or progress.started_at, progress.applied_at or 0.0)
    if progress.advanced_at is not None and now - moved_at >= limit:
        return Verdict("lagging", _no_head_advances(progress, limit), moved_at)
    return Verdict("ok", since=progress.applied_at or progress.heard_at)


def _halted(progress: Progress, now: float, block_time: float, limit: float) -> Verdict | None:
    if progress.halt is not None:
        return Verdict("halted", progress.halt.text, progress.halt.since)
    if _is_overdue(progress, now, block_time, limit):
        since = progress.due_since or progress.started_at
        return Verdict("halted", _nothing_applied(progress, limit), since)
    readable_at = max(progress.heard_at or 0.0, progress.applied_at or 0.0, progress.started_at)
    if now - readable_at >= limit:
        reason = f"no provider has returned a readable head for {limit:g} s or more"
        return Verdict("halted", reason + _because(progress.fault), readable_at)
    if progress.held is not None and now - progress.held.since >= limit:
        return Verdict("halted", progress.held.text, progress.held.since)
    if progress.undecided is not None and now - progress.undecided.since >= limit:
        return Verdict("halted", progress.undecided.text, progress.undecided.since)
    return None


def _is_overdue(progress: Progress, now: float, block_time: float, limit: float) -> bool:
    """Return whether a block has been due for too long.

    Two conditions must hold. No block was applied within the limit. And a block has been due for
    the limit minus one block time: after a long pause of the chain, the first condition holds
    already when the next block appears, and that block must get its time. On a regular chain, the
    last block was applied about one block time before the next became due. A time without
    responses is not a pause of the chain.
    """
    if progress.due_since is None:
        return False
    idle = now - max(progress.applied_at or 0.0, progress.started_at)
    return idle >= limit and now - progress.due_since >= limit - block_time


def _nothing_applied(progress: Progress, limit: float) -> str:
    applied, head, best = progress.applied, progress.head, progress.best_head
    after = "" if applied is None else f" after block {applied.number} ({applied.hash})"
    known = "" if head is None else f", and the head is block {head}"
    if head is not None and best is not None and best > head:
        known = f"; the follower last read head {head}, the highest head of any provider is {best}"
    reason = f"no block{after} was applied for {limit:g} s or more{known}"
    if progress.fault is None:
        return reason + "; no error was reported, the follower is possibly waiting for a response"
    return reason + _because(progress.fault)


def _no_head_advances(progress: Progress, limit: float) -> str:
    heads = [head for head in (progress.head, progress.best_head) if head is not None]
    at = f" beyond block {max(heads)}" if heads else ""
    reason = f"no provider's head has advanced{at} for {limit:g} s or more"
    return reason + _because(progress.fault)


def _because(fault: Note | None) -> str:
    return "" if fault is None else f": {fault.text}"
