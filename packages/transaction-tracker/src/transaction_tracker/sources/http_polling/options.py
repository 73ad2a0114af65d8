"""Options of a service over HTTP: batch look-up, feed and limits."""

from dataclasses import dataclass, field

from transaction_tracker.sources.polled import check_positive

MAX_BATCH_IDS = 1_000
MAX_IN_FLIGHT_REQUESTS = 256
MIN_REQUESTS_PER_SECOND = 0.1
MAX_RESPONSE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class BatchLookUp:
    """The look-up of many transactions in one request.

    Attributes:
        url: URL, with ``{ids}`` where the ids go.
        items: Path to the list of transactions in the response.
        id: Path to the transaction's id in an item of the list.
        status: Path to the status in an item. Default: the path of the single look-up.
        error: Path to the reason of a failure in an item. Default: the path of the single
            look-up.
        separator: Character between two ids.
        most: Maximum number of ids per request; lowered while the service refuses that many.

    Raises:
        ValueError: A value is invalid; the message names it.
    """

    url: str = field(repr=False)
    items: str
    id: str
    status: str | None = None
    error: str | None = None
    separator: str = ","
    most: int = 50

    def __post_init__(self) -> None:
        _check_whole("batch.most", self.most, 2, MAX_BATCH_IDS)
        if not isinstance(self.separator, str) or len(self.separator) != 1:
            raise ValueError(f"batch.separator must be one character, got {self.separator!r}")


@dataclass(frozen=True, slots=True)
class Feed:
    """A list of events that is read page by page.

    The cursor of the next page is in the response (``next``) or in the last event of the page
    (``entry_cursor``).

    Attributes:
        url: URL, with ``{cursor}`` where the cursor goes.
        entries: Path to the list of events in the response.
        id: Path to the transaction's id in an event.
        status: Path to the status in an event. Without it, each event only triggers a look-up of
            its transaction.
        error: Path to the reason of a failure in an event.
        next: Path to the cursor of the next page in the response.
        entry_cursor: Path to an event's cursor in the event.
        start: Cursor of the first page.

    Raises:
        ValueError: A value is invalid; the message names it.
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
            raise ValueError("feed must have either next or entry_cursor")
        if not isinstance(self.start, str):
            raise ValueError(f"feed.start must be text, got {self.start!r}")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits for requests to the service and for its responses.

    Attributes:
        requests_per_second: Maximum rate per host; ``None`` sets no limit.
        in_flight: Maximum number of requests that wait for responses at the same time.
        deadline: Maximum duration of one request, in seconds.
        answer_bytes: Maximum size of a response; a longer one is refused.

    Raises:
        ValueError: A value is invalid; the message names it.
    """

    requests_per_second: float | None = None
    in_flight: int = 8
    deadline: float = 10.0
    answer_bytes: int = 2**20

    def __post_init__(self) -> None:
        if self.requests_per_second is not None:
            check_positive("limits.requests_per_second", self.requests_per_second)
            if self.requests_per_second < MIN_REQUESTS_PER_SECOND:
                raise ValueError(
                    f"limits.requests_per_second must be {MIN_REQUESTS_PER_SECOND} or more, "
                    f"got {self.requests_per_second!r}"
                )
        check_positive("limits.deadline", self.deadline)
        _check_whole("limits.in_flight", self.in_flight, 1, MAX_IN_FLIGHT_REQUESTS)
        _check_whole("limits.answer_bytes", self.answer_bytes, 1, MAX_RESPONSE_BYTES)


def _check_whole(name: str, value: object, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise ValueError(f"{name} must be a number from {lowest:,} to {highest:,}, got {value!r}")
