"""What a source without blocks can do, and how it wants to be asked."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from transaction_tracker.domain import Reported, State
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.protocol import Source

# What comes of a question about one transaction: a fact; an answer that is none; no answer.
Reply = Reported | SourceError | None

# Ends that are believed only when they are told again: somebody's money hangs on each.
BAD_ENDS: frozenset[State] = frozenset(("failed", "dropped", "expired", "invalid", "reversed"))

_DAY_SECONDS = 86_400.0
_MOST_AGREE = 100
_LONGEST_WATCH_DAYS = 3_660.0


@dataclass(frozen=True, slots=True)
class Habits:
    """How often a source is asked about a transaction, and how far it is believed.

    Attributes:
        first_delay: Seconds from one question about a transaction to the next, while there is
            news of it. Without news each pause is twice the one before.
        longest_delay: Seconds between two questions, at most.
        agree: Equal answers in a row that make a bad end; one makes a good one.
        watch_days: Days for which a confirmed transaction is looked at now and then, because
            it can be reversed; 0 looks at none.
        watch_first_delay: As ``first_delay``, for confirmed ones.
        watch_longest_delay: As ``longest_delay``, for confirmed ones.
        feed_interval: Seconds between two looks at the feed, where there is one.

    Raises:
        ValueError: A value that cannot be; the message names it.
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
        if type(self.agree) is not int or not 1 <= self.agree <= _MOST_AGREE:
            raise ValueError(f"agree must be a number from 1 to {_MOST_AGREE}, got {self.agree!r}")
        if not 0 <= self.watch_days <= _LONGEST_WATCH_DAYS:
            raise ValueError(
                f"watch_days must be from 0 to {_LONGEST_WATCH_DAYS:g}, got {self.watch_days!r}"
            )

    @property
    def watch_seconds(self) -> float:
        """For how long a confirmed transaction is looked at."""
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
    """A part of a source's feed of events.

    Attributes:
        entries: Transactions and what is said of them, in the feed's order. Without a fact it
            is a hint: something has happened.
        place: Where the next part begins, in the source's own words; ``None`` at the start.
        more: Whether there is a next part already.
    """

    entries: tuple[tuple[str, Reported | None], ...]
    place: str | None
    more: bool


class FeedLostError(SourceError):
    """The feed does not know our place in it any more: something may have been missed."""


class PolledSource(Source, Protocol):
    """A source that is asked about each transaction, again and again."""

    @property
    def habits(self) -> Habits:
        """How often it is asked, and how far it is believed."""

    @property
    def together(self) -> int:
        """How many transactions may be in one question now."""

    @property
    def in_flight(self) -> int:
        """How many questions may wait for their answers at the same time."""

    @property
    def has_feed(self) -> bool:
        """Whether it tells of events by itself."""

    async def look_up(self, ids: Collection[str]) -> Mapping[str, Reply]:
        """Ask about transactions, and give for each what came of it; raise nothing."""

    async def read_feed(self, place: str | None) -> Page:
        """Read the feed from a place on, or from its start.

        Raises:
            FeedLostError: The source does not know the place.
            SourceError: It gives no answer.
        """


def check_positive(name: str, value: object) -> None:
    """Refuse what is no time or rate."""
    number = type(value) in (int, float)
    if not (number and math.isfinite(value) and value > 0):  # type: ignore[arg-type, operator]
        raise ValueError(f"{name} must be a number over 0, got {value!r}")
