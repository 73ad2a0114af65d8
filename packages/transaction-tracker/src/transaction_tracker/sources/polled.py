"""Source without blocks, polled for each transaction: its protocol and polling policy."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from transaction_tracker.domain import Reported, State
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import Seconds
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.protocol import Source

# Result of a look-up of one transaction: a fact, an error, or ``None`` for a response that
# reports no state.
LookUpResult = Reported | SourceError | None

# Ends that need several equal responses: a wrong one can cost somebody money.
BAD_ENDS: frozenset[State] = frozenset(("failed", "dropped", "expired", "invalid", "reversed"))

_MAX_DELAY_SECONDS = 31_536_000
_MAX_WATCH_DAYS = 3_660


class PollingPolicy(Section):
    """Poll intervals of a source, and how many equal responses a bad end needs."""

    first_delay: Seconds = option(
        1.0,
        f"over 0: {SECONDS}",
        "Time between two requests about a transaction while its status changes. Without a "
        "change, each delay is twice the one before.",
        gt=0,
        le=_MAX_DELAY_SECONDS,
    )
    longest_delay: Seconds = option(
        300.0,
        f"first_delay or more: {SECONDS}",
        "Maximum time between two requests about a transaction.",
        gt=0,
        le=_MAX_DELAY_SECONDS,
    )
    agree: int = number(
        2,
        1,
        100,
        "Equal responses in a row that are needed for a bad end: failed, dropped, expired, invalid "
        "or reversed. One response is enough for confirmed.",
    )
    watch_for: Seconds = option(
        0.0,
        f"0 to {_MAX_WATCH_DAYS}d: {SECONDS}",
        "Time for which a confirmed transaction is still polled, because it can be reversed.",
        ge=0,
        le=_MAX_WATCH_DAYS * 86_400,
    )
    watch_first_delay: Seconds = option(
        600.0,
        f"over 0: {SECONDS}",
        "Like first_delay, for confirmed transactions.",
        gt=0,
        le=_MAX_DELAY_SECONDS,
    )
    watch_longest_delay: Seconds = option(
        21_600.0,
        f"watch_first_delay or more: {SECONDS}",
        "Like longest_delay, for confirmed transactions.",
        gt=0,
        le=_MAX_DELAY_SECONDS,
    )
    feed_interval: Seconds = option(
        5.0,
        f"over 0: {SECONDS}",
        "Time between two requests for the feed.",
        gt=0,
        le=_MAX_DELAY_SECONDS,
    )

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield the longest delays that are shorter than the first ones."""
        for prefix in ("", "watch_"):
            first, longest = f"{prefix}first_delay", f"{prefix}longest_delay"
            low, high = getattr(self, first), getattr(self, longest)
            if high >= low:
                continue
            if longest in self.model_fields_set:
                yield longest, f"must be at least {table}{first} ({low:g} s), got {high:g} s"
            else:
                yield first, f"must be at most {table}{longest} ({high:g} s), got {low:g} s"


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
        ...

    @property
    def ids_per_request(self) -> int:
        """Maximum number of transaction ids in one request now."""
        ...

    @property
    def in_flight(self) -> int:
        """Maximum number of requests in flight."""
        ...

    @property
    def has_feed(self) -> bool:
        """Whether the source has a feed of events."""
        ...

    async def look_up(self, ids: Collection[str]) -> Mapping[str, LookUpResult]:
        """Look up transactions, and return a result for each; never raise."""
        ...

    async def read_feed(self, cursor: str | None) -> Page:
        """Return the page of the feed at a cursor, or the first page.

        Raises:
            FeedLostError: The source does not know the cursor.
            SourceError: The source gives no usable response.
        """
        ...
