"""Source without blocks, polled for each transaction: its protocol and polling policy."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from transaction_tracker.domain import Reported, State
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.protocol import Source

# Result of a look-up of one transaction: a fact, an error, or ``None`` for a response that
# reports no state.
LookUpResult = Reported | SourceError | None

# Ends that need several equal responses: a wrong one can cost somebody money.
BAD_ENDS: frozenset[State] = frozenset(("failed", "dropped", "expired", "invalid", "reversed"))

_DAY_SECONDS = 86_400.0
_MAX_AGREE = 100
_MAX_WATCH_DAYS = 3_660.0


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """Poll intervals of a source, and how many equal responses a bad end needs.

    Attributes:
        first_delay: Seconds until the next look-up of a transaction after its state has changed.
            Without a change, each interval is twice the one before.
        longest_delay: Maximum number of seconds between two look-ups.
        agree: Number of equal responses in a row that a bad end needs; a good end needs one.
        watch_days: Days for which a confirmed transaction is still looked up, because it can be
            reversed; 0 turns this off.
        watch_first_delay: Like ``first_delay``, for confirmed transactions.
        watch_longest_delay: Like ``longest_delay``, for confirmed transactions.
        feed_interval: Seconds between two requests for the feed, if the source has one.

    Raises:
        ValueError: A value is invalid; the message names it.
    """

    first_delay: float = 1.0
    longest_delay: float = 300.0
    agree: int = 2
    watch_days: float = 0.0
    watch_first_delay: float = 600.0
    watch_longest_delay: float = 21_600.0
    feed_interval: float = 5.0

    def __post_init__(self) -> None:
        self._check_delays("first_delay", "longest_delay")
        self._check_delays("watch_first_delay", "watch_longest_delay")
        check_positive("feed_interval", self.feed_interval)
        if type(self.agree) is not int or not 1 <= self.agree <= _MAX_AGREE:
            raise ValueError(f"agree must be a number from 1 to {_MAX_AGREE}, got {self.agree!r}")
        if not 0 <= self.watch_days <= _MAX_WATCH_DAYS:
            raise ValueError(
                f"watch_days must be from 0 to {_MAX_WATCH_DAYS:g}, got {self.watch_days!r}"
            )

    @property
    def watch_seconds(self) -> float:
        """Seconds for which a confirmed transaction is looked up."""
        return self.watch_days * _DAY_SECONDS

    def _check_delays(self, first: str, longest: str) -> None:
        check_positive(first, getattr(self, first))
        check_positive(longest, getattr(self, longest))
        if getattr(self, longest) < getattr(self, first):
            raise ValueError(
                f"{longest} must be {first} or more, "
                f"got {getattr(self, longest)!r} with {first}={getattr(self, first)!r}"
            )


@dataclass(frozen=True, slots=True)
class Page:
    """Page of a source's feed of events.

    Attributes:
        entries: Transaction ids with their reported states, in the feed's order. ``None`` in
            place of a state is a hint: something has happened to the transaction.
        cursor: Cursor of the next page, as the source defines it; ``None`` at the start.
        more: Whether the source has a next page already.
    """

    entries: tuple[tuple[str, Reported | None], ...]
    cursor: str | None
    more: bool


class FeedLostError(SourceError):
    """The feed does not know our cursor any more: events can be missing."""


class PolledSource(Source, Protocol):
    """Source that is polled for the state of each transaction."""

    @property
    def policy(self) -> PollingPolicy:
        """Poll intervals, and how many equal responses a bad end needs."""

    @property
    def ids_per_request(self) -> int:
        """Maximum number of transaction ids in one request now."""

    @property
    def in_flight(self) -> int:
        """Maximum number of requests in flight."""

    @property
    def has_feed(self) -> bool:
        """Whether the source has a feed of events."""

    async def look_up(self, ids: Collection[str]) -> Mapping[str, LookUpResult]:
        """Look up transactions, and return a result for each; never raise."""

    async def read_feed(self, cursor: str | None) -> Page:
        """Return the page of the feed at a cursor, or the first page.

        Raises:
            FeedLostError: The source does not know the cursor.
            SourceError: The source gives no usable response.
        """


def check_positive(name: str, value: object) -> None:
    """Raise ``ValueError`` unless the value is a number over 0."""
    number = type(value) in (int, float)
    if not (number and math.isfinite(value) and value > 0):  # type: ignore[arg-type, operator]
        raise ValueError(f"{name} must be a number over 0, got {value!r}")
