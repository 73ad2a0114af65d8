"""How well a provider does, as a value: no clock, no waiting."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

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

FAILURES = 3
FAILURE_SECONDS = 60.0
SHORTEST_PAUSE = 60.0
LONGEST_PAUSE = 16 * SHORTEST_PAUSE
GOOD_STRETCH = 600.0
FLUTTER_SECONDS = 10.0
# Below the time after which a chain without a new block is called halted: others can help.
STUCK_SECONDS = 30.0
_WINDOW = 256
_WEIGHT = 0.2  # of the newest latency in their average

_CLASSES: dict[type[SourceError], ErrorClass] = {
    TransportError: "transport",
    RateLimitedError: "rate_limit",
    MalformedError: "malformed",
    NotYetError: "not_yet",
    ApplicationError: "application",
    WrongChainError: "application",
}


def error_class(error: SourceError) -> ErrorClass:
    """Name the kind of an error; one of no other kind is the provider's own trouble."""
    return next((name for kind, name in _CLASSES.items() if isinstance(error, kind)), "server")


@dataclass(slots=True)
class Health:
    """What the last requests to a provider say about it.

    It is paused after three transport failures within 60 s, after three answers in a row
    that are server errors or nonsense, and after three unreadable blocks without a readable one
    between them. Heads, without their transactions, are counted apart from whole blocks. Its
    refusals of single requests never count: they are about the request, and would come from every
    provider. Each pause is twice as long as the
    last, until a good stretch. A pause ends when a check succeeds, not by itself.

    Attributes:
        errors: How many of each kind there were.
        latency: Seconds to an answer, the newest weighing most; ``None`` before the first.
        head: The height of its last head; ``None`` before the first.
        head_seen: When it did, in seconds of the caller's clock.
        lag: Blocks that its highest recent head was behind the best known one at that moment.
        stuck: Whether it is behind, and its highest head did not advance for ``STUCK_SECONDS``.
        paused_until: From when on it may be checked again; ``None`` while it is not paused.
    """

    errors: Counter[ErrorClass] = field(default_factory=Counter)
    latency: float | None = None
    head: int | None = None
    head_seen: float | None = None
    lag: int | None = None
    stuck: bool = False
    paused_until: float | None = None
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _outcomes: deque[ErrorClass | None] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    _heads: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    # While it is behind: its highest head, and when that was first seen.
    _behind: tuple[int, float] | None = None
    _bad_in_a_row: int = 0
    _unreadable_in_a_row: Counter[BlockPart] = field(default_factory=Counter)
    _pauses: int = 0
    _pause_ends: float | None = None

    def answered(self, seconds: float, outcome: ErrorClass | None = None) -> None:
        """Note an answer, how long it took, and whether a part of it counts as failed.

        Args:
            seconds: How long the provider took.
            outcome: The error that counts in the error rate, and never pauses the provider.
        """
        old = seconds if self.latency is None else self.latency
        self.latency = old + _WEIGHT * (seconds - old)
        self._latencies.append(seconds)
        self._outcomes.append(outcome)
        self._bad_in_a_row = 0

    def failed(self, kind: ErrorClass, now: float) -> float | None:
        """Note a request that failed; when that pauses the provider, give for how many seconds."""
        self.erred(kind)
        self._outcomes.append(kind)
        if not self._counts(kind, now):
            return None
        if self.paused_until is not None and now < self.paused_until:
            return None  # it was under way when the pause began, and says nothing new
        return self._pause(now)

    def erred(self, kind: ErrorClass) -> None:
        """Note one bad result among others of a request that was answered."""
        self.errors[kind] += 1

    def readable_block(self, part: BlockPart) -> None:
        """Note a block that could be read.

        Each part counts by itself, as they are requested in turn. A provider whose heads are
        unreadable, and whose other blocks are not, would otherwise never be paused.
        """
        self._unreadable_in_a_row.pop(part, None)

    def unreadable_block(self, part: BlockPart, now: float) -> float | None:
        """Note a block that only this provider sends unreadable; return the pause in seconds.

        It is already counted as an error: the pause is decided later, once other providers
        have sent the same block in a readable form.
        """
        self._unreadable_in_a_row[part] += 1
        if self._unreadable_in_a_row[part] < FAILURES or self.paused_until is not None:
            return None
        return self._pause(now)

    def pause(self, now: float) -> float | None:
        """Pause the provider, unless it is paused; return for how many seconds."""
        return None if self.paused_until is not None else self._pause(now)

    def resumed(self) -> None:
        """End the pause: the provider has been found in order."""
        self.paused_until = None
        self._failures.clear()
        self._bad_in_a_row = 0
        self._unreadable_in_a_row.clear()

    def saw_head(self, height: int, best: int, now: float, window: float = FLUTTER_SECONDS) -> None:
        """Note the provider's head, and the best known at this moment.

        Args:
            height: The head's height.
            best: The height to measure lag by.
            now: When it was told.
            window: Seconds for which the highest head stands for the provider. The nodes behind
                one address can differ by some blocks, and which one answers is chance.
        """
        self.head, self.head_seen = height, now
        self._heads.append((now, height))
        while now - self._heads[0][0] > window:
            self._heads.popleft()
        highest = self.highest(now, window)
        self.lag = max(0, best - highest)
        if self.lag == 0:
            self._behind = None
        elif self._behind is None or highest > self._behind[0]:
            self._behind = (highest, now)
        self.stuck = self._behind is not None and now - self._behind[1] >= STUCK_SECONDS

    def highest(self, now: float, window: float = FLUTTER_SECONDS) -> int:
        """Return its highest head of the last ``window`` seconds, or else its last one."""
        recent = (height for seen, height in self._heads if now - seen <= window)
        return max(recent, default=self.head or 0)

    def percentile(self, share: float) -> float | None:
        """Give the latency in seconds that this share of the last answers kept to."""
        ordered = sorted(self._latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def error_rate(self, *kinds: ErrorClass) -> float:
        """Give the share of the last requests that failed in one of these ways."""
        bad = sum(outcome in kinds for outcome in self._outcomes)
        return bad / len(self._outcomes) if self._outcomes else 0.0

    def _counts(self, kind: ErrorClass, now: float) -> bool:
        """Say whether this failure is the one too many."""
        if kind == "transport":
            self._failures.append(now)
            recent = sum(now - failure <= FAILURE_SECONDS for failure in self._failures)
        elif kind in ("server", "malformed"):
            self._bad_in_a_row += 1
            recent = self._bad_in_a_row
        else:
            return False
        # After a pause the first failure is enough.
        return recent >= FAILURES or self.paused_until is not None

    def _pause(self, now: float) -> float:
        if self._pause_ends is not None and now - self._pause_ends > GOOD_STRETCH:
            self._pauses = 0
        seconds = min(SHORTEST_PAUSE * 2.0 ** min(self._pauses, 10), LONGEST_PAUSE)
        self._pauses += 1
        self._pause_ends = self.paused_until = now + seconds
        return seconds
