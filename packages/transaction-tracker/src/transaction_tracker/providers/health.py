"""The health of a provider, as a value: without a clock, and without waiting."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from beamish import Backoff
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    SourceError,
    TransportError,
    WrongChainError,
)

ErrorClass: TypeAlias = Literal[
    "transport", "rate_limit", "server", "malformed", "not_yet", "application"
]

# A block's place in the chain, or the block with its transactions.
BlockPart: TypeAlias = Literal["head", "place", "whole"]

FAILURES_TO_PAUSE = 3
FAILURE_WINDOW_SECONDS = 60.0
# After ten minutes without a pause, the next pause is a short one again.
PAUSES = Backoff(initial=60.0, maximum=960.0, jitter=0.0, reset_after=600.0)
HEAD_WINDOW_SECONDS = 10.0
# Shorter than the 60 s after which a chain without a new block is reported as halted: another
# provider is followed before that.
STUCK_SECONDS = 30.0
# Most seconds without a head that count as stuck. After a suspend of the program, the head that
# was on its way is old: one more must show that the provider does not advance.
_MAX_HEAD_GAP_SECONDS = STUCK_SECONDS / 2
# Blocks that lack a transaction pause a provider only if they come this close together.
_INCOMPLETE_SECONDS = 600.0
_MAX_SAMPLES = 256
_LATENCY_WEIGHT = 0.2  # of the newest latency in the moving average

_CLASSES: dict[type[SourceError], ErrorClass] = {
    TransportError: "transport",
    RateLimitedError: "rate_limit",
    MalformedError: "malformed",
    NotYetError: "not_yet",
    ApplicationError: "application",
    WrongChainError: "application",
}


def error_class(error: SourceError) -> ErrorClass:
    """Return the class of an error; an error of an unlisted type is a ``"server"`` error."""
    for kind, name in _CLASSES.items():
        if isinstance(error, kind):
            return name
    return "server"


@dataclass(slots=True)
class Health:
    """Health of a provider, from the results of its last requests.

    The provider is paused after three transport errors within 60 s, after three server errors or
    malformed responses without a good response between them, and after three unreadable blocks
    without a readable one between them. Places of blocks and whole blocks are counted apart. It is
    also paused after three blocks in a row with wrong parents, and after three blocks within
    10 minutes that lack a transaction. Refusals of single requests and rate limits never count: a
    refusal is about the request, and every provider would answer with it.

    Each pause is twice as long as the one before, up to the maximum of ``PAUSES``, until its
    ``reset_after`` seconds pass without a pause. A pause ends when a check of the provider
    succeeds, not when its time is over.

    Attributes:
        errors: Number of errors of each class.
        latency: Moving average of the latency in seconds; ``None`` before the first response.
        head: Height of the last head; ``None`` before the first.
        head_at: When the last head arrived, in seconds of the caller's clock.
        lag: Blocks between the highest recent head and the best known head when the last head
            arrived.
        stuck: Whether the provider is behind, and its highest head has not advanced for
            ``STUCK_SECONDS``.
        paused_until: When the provider can be checked again; ``None`` while it is not paused.
    """

    errors: Counter[ErrorClass] = field(default_factory=Counter)
    latency: float | None = None
    head: int | None = None
    head_at: float | None = None
    lag: int | None = None
    stuck: bool = False
    paused_until: float | None = None
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_MAX_SAMPLES))
    _outcomes: deque[ErrorClass | None] = field(default_factory=lambda: deque(maxlen=_MAX_SAMPLES))
    _counts: Counter[ErrorClass | None] = field(default_factory=Counter)  # of _outcomes
    _failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES_TO_PAUSE))
    _heads: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_MAX_SAMPLES))
    # While the provider is behind: its highest head, and for how many seconds it has stayed.
    _behind: tuple[int, float] | None = None
    _bad_in_a_row: int = 0
    _unreadable_in_a_row: Counter[BlockPart] = field(default_factory=Counter)
    _wrong_parents: list[int] = field(default_factory=list)
    _incomplete: dict[int, float] = field(default_factory=dict)  # block: when it was counted
    _pauses: int = 0
    _pause_ends: float | None = None

    def record_response(self, seconds: float, outcome: ErrorClass | None = None) -> None:
        """Record a response.

        Args:
            seconds: Latency of the response.
            outcome: Class of an error in a part of the response. It counts in the error rate, and
                never pauses the provider.
        """
        old = seconds if self.latency is None else self.latency
        self.latency = old + _LATENCY_WEIGHT * (seconds - old)
        self._latencies.append(seconds)
        self._record_outcome(outcome)
        self._bad_in_a_row = 0

    def record_failure(self, kind: ErrorClass, now: float) -> float | None:
        """Record a failed request; return the seconds of the pause that it causes, if any."""
        self.record_error(kind)
        self._record_outcome(kind)
        if not self._causes_pause(kind, now):
            return None
        if self.paused_until is not None and now < self.paused_until:
            return None  # sent before the pause began: it must not make the pause longer
        return self._pause(now)

    def record_error(self, kind: ErrorClass) -> None:
        """Count an error of one call in a request that got a response."""
        self.errors[kind] += 1

    def record_readable_block(self, part: BlockPart) -> None:
        """Record that a block could be read.

        Each part counts by itself, as they are requested in turn. A provider whose heads are
        unreadable, and whose other blocks are not, would otherwise never be paused.
        """
        self._unreadable_in_a_row.pop(part, None)

    def record_unreadable_block(self, part: BlockPart, now: float) -> float | None:
        """Record a block that only this provider sends unreadable; return the pause in seconds.

        The error itself is already counted: the pause is decided later, when another provider has
        sent the same block in a readable form.
        """
        self._unreadable_in_a_row[part] += 1
        if self._unreadable_in_a_row[part] < FAILURES_TO_PAUSE:
            return None
        return self._pause_once(now)

    def record_wrong_parent(self, number: int, now: float) -> float | None:
        """Record a block whose parent is wrong; return the seconds of the pause, if any.

        Pauses the provider after three such blocks at consecutive heights: each of them delays
        the follower, which waits for the parent and then asks all providers for the block.
        """
        in_a_row = self._wrong_parents[-1:] in ([number - 1], [number])
        self._wrong_parents = sorted({*self._wrong_parents, number} if in_a_row else {number})
        if len(self._wrong_parents) < FAILURES_TO_PAUSE:
            return None
        self._wrong_parents = []
        return self._pause_once(now)

    def record_incomplete_block(self, number: int, now: float) -> float | None:
        """Record a block that lacks a transaction; return the seconds of the pause, if any.

        Pauses the provider after three such blocks within 10 minutes. They need not be
        in a row, as those with wrong parents: only blocks with a tracked transaction are compared.
        """
        self.record_error("malformed")
        self._incomplete[number] = now
        self._incomplete = {
            block: at for block, at in self._incomplete.items() if now - at < _INCOMPLETE_SECONDS
        }
        if len(self._incomplete) < FAILURES_TO_PAUSE:
            return None
        self._incomplete.clear()
        return self._pause_once(now)

    def end_pause(self) -> None:
        """End the pause, after a check that succeeded."""
        self.paused_until = None
        self._failures.clear()
        self._bad_in_a_row = 0
        self._unreadable_in_a_row.clear()

    def record_head(
        self, height: int, best: int, now: float, window: float = HEAD_WINDOW_SECONDS
    ) -> None:
        """Record the provider's head.

        Args:
            height: Height of the head.
            best: Height from which lag is measured at this moment.
            now: When the head arrived.
            window: Seconds for which the highest head stands for the provider. The nodes behind
                one address can differ by some blocks, and it is chance which of them responds.
        """
        passed = 0.0 if self.head_at is None else min(now - self.head_at, _MAX_HEAD_GAP_SECONDS)
        self.head, self.head_at = height, now
        self._heads.append((now, height))
        while now - self._heads[0][0] > window:
            self._heads.popleft()
        highest = self.highest_head(now, window)
        self.lag = max(0, best - highest)
        if self.lag == 0:
            self._behind = None
        elif self._behind is None or highest > self._behind[0]:
            self._behind = (highest, 0.0)
        else:
            self._behind = (self._behind[0], self._behind[1] + passed)
        self.stuck = self._behind is not None and self._behind[1] >= STUCK_SECONDS

    def highest_head(self, now: float, window: float = HEAD_WINDOW_SECONDS) -> int:
        """Return the highest head of the last ``window`` seconds; without one, the last head."""
        recent = (height for arrived, height in self._heads if now - arrived <= window)
        return max(recent, default=self.head or 0)

    def latency_percentile(self, share: float) -> float | None:
        """Return the latency in seconds that this share of the last responses did not exceed."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def error_rate(self, *kinds: ErrorClass) -> float:
        """Return the share of the last requests that failed with one of these classes."""
        bad = sum(self._counts[kind] for kind in kinds)
        return bad / len(self._outcomes) if self._outcomes else 0.0

    def _record_outcome(self, outcome: ErrorClass | None) -> None:
        # Counted as they come and go: each request reads the rate of each provider.
        if len(self._outcomes) == _MAX_SAMPLES:
            self._counts[self._outcomes[0]] -= 1
        self._outcomes.append(outcome)
        self._counts[outcome] += 1

    def _causes_pause(self, kind: ErrorClass, now: float) -> bool:
        """Count a failure; return whether it is one too many."""
        if kind == "transport":
            self._failures.append(now)
            recent = sum(now - failure <= FAILURE_WINDOW_SECONDS for failure in self._failures)
        elif kind in ("server", "malformed"):
            self._bad_in_a_row += 1
            recent = self._bad_in_a_row
        else:
            return False
        # While the provider is paused, one failure is enough: that of the check after the pause.
        return recent >= FAILURES_TO_PAUSE or self.paused_until is not None

    def _pause_once(self, now: float) -> float | None:
        """Pause the provider; return the seconds, or ``None`` if it is already paused."""
        return None if self.paused_until is not None else self._pause(now)

    def _pause(self, now: float) -> float:
        if self._pause_ends is not None and now - self._pause_ends > PAUSES.reset_after:
            self._pauses = 0
        self._pauses += 1
        seconds = PAUSES.delay(self._pauses)
        self._pause_ends = self.paused_until = now + seconds
        return seconds
