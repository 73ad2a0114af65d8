"""What a service offers beside the look-up of one transaction, and how much of it may be used."""

from dataclasses import dataclass, field

from transaction_tracker.sources.polled import check_positive

_MOST_TOGETHER = 1_000
_MOST_IN_FLIGHT = 256
_FEWEST_PER_SECOND = 0.1
_MOST_ANSWER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Batch:
    """The look-up of many transactions in one request.

    Attributes:
        url: The address, with ``{ids}`` where the ids go.
        items: The path to the list of transactions in the answer.
        id: The path to the id in an item of that list.
        status: The path to the status in an item; as in a single look-up unless given.
        error: The path to the reason of a failure in an item, likewise.
        separator: What stands between two ids.
        most: How many ids go into one request; fewer while the service refuses that many.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    url: str = field(repr=False)
    items: str
    id: str
    status: str | None = None
    error: str | None = None
    separator: str = ","
    most: int = 50

    def __post_init__(self) -> None:
        _check_whole("batch.most", self.most, 2, _MOST_TOGETHER)
        if not isinstance(self.separator, str) or len(self.separator) != 1:
            raise ValueError(f"batch.separator must be one character, got {self.separator!r}")


@dataclass(frozen=True, slots=True)
class Feed:
    """A list of events that goes on, page by page.

    Where the next page begins is told once for the page (``next``), or by its last entry
    (``entry_cursor``).

    Attributes:
        url: The address, with ``{cursor}`` where the place goes.
        entries: The path to the list of events in the answer.
        id: The path to the transaction's id in an entry.
        status: The path to the status in an entry; without it an entry is only a hint.
        error: The path to the reason of a failure in an entry.
        next: The path to the next place in the answer.
        entry_cursor: The path to an entry's own place in the entry.
        start: What stands for the place before there is one.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    url: str = field(repr=False)
    entries: str
    id: str
    status: str | None = None
    error: str | None = None
    next: str | None = None
    entry_cursor: str | None = None
    start: str = ""

    def __post_init__(self) -> None:
        if (self.next is None) == (self.entry_cursor is None):
            raise ValueError("feed must have either next or entry_cursor, to know how to go on")
        if not isinstance(self.start, str):
            raise ValueError(f"feed.start must be text, got {self.start!r}")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a service is asked for, and how much of an answer is taken.

    Attributes:
        requests_per_second: For each host; ``None`` sets no limit.
        in_flight: Requests that may wait for their answers at the same time.
        deadline: Seconds that one request may take.
        answer_bytes: A longer answer is cut off and refused.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    requests_per_second: float | None = None
    in_flight: int = 8
    deadline: float = 10.0
    answer_bytes: int = 2**20

    def __post_init__(self) -> None:
        if self.requests_per_second is not None:
            check_positive("limits.requests_per_second", self.requests_per_second)
            if self.requests_per_second < _FEWEST_PER_SECOND:
                raise ValueError(
                    f"limits.requests_per_second must be {_FEWEST_PER_SECOND} or more, "
                    f"got {self.requests_per_second!r}"
                )
        check_positive("limits.deadline", self.deadline)
        _check_whole("limits.in_flight", self.in_flight, 1, _MOST_IN_FLIGHT)
        _check_whole("limits.answer_bytes", self.answer_bytes, 1, _MOST_ANSWER_BYTES)


def _check_whole(name: str, value: object, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(f"{name} must be a number from {lowest:,} to {highest:,}, got {value!r}")
