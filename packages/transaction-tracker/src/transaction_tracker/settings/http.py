"""The section of a service that is polled over HTTP, with its tables."""

from collections.abc import Iterator

from transaction_tracker.domain import MAX_ID_CHARACTERS
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import AllowList, Seconds
from transaction_tracker.settings.http_values import (
    PATH,
    STATES,
    Address,
    Headers,
    IdPattern,
    JsonPlace,
    Meaning,
    Words,
)
from transaction_tracker.sources.http_polling import PollingPolicy, RequestLimits, SecretText
from transaction_tracker.sources.http_polling.headers import MAX_HEADER_CHARACTERS
from transaction_tracker.sources.http_polling.options import (
    MAX_BATCH_IDS,
    MAX_IN_FLIGHT_REQUESTS,
    MAX_RESPONSE_BYTES,
    MIN_REQUESTS_PER_SECOND,
)
from transaction_tracker.sources.http_polling.pages import MAX_CURSOR_CHARACTERS
from transaction_tracker.sources.http_polling.source import (
    ID_PATTERN,
    NAME_PATTERN,
)

DAY_SECONDS = 86_400.0

_YEAR = 31_536_000

_POLICY = PollingPolicy()
_LIMITS = RequestLimits()


class BatchSection(Section):
    """The look-up of many transactions in one request, if the service has one."""

    url: Address = option(
        ...,
        "a URL such as https://host/path?ids={ids}",
        "URL of the look-up, with {ids} where the ids go. Only its host is ever printed.",
        secret=True,
    )
    items: JsonPlace = option(..., PATH, "Path to the list of transactions in the response.")
    id: JsonPlace = option(..., PATH, "Path to the transaction's id in an item of the list.")
    status: JsonPlace | None = option(
        None, PATH, "Path to the status in an item. Default: http.status."
    )
    error: JsonPlace | None = option(
        None, PATH, "Path to the reason of a failure in an item. Default: http.error."
    )
    separator: str = option(
        ",",
        "one character",
        "Character between two ids.",
        min_length=1,
        max_length=1,
    )
    most: int = option(
        50,
        f"a number, 2 to {MAX_BATCH_IDS:,}",
        "Maximum number of ids per request; lowered while the service refuses that many.",
        ge=2,
        le=MAX_BATCH_IDS,
    )


class FeedSection(Section):
    """A list of events with a cursor, if the service has one."""

    url: Address = option(
        ...,
        "a URL such as https://host/path?after={cursor}",
        "URL of the feed, with {cursor} where the cursor goes. Only its host is ever printed.",
        secret=True,
    )
    entries: JsonPlace = option(..., PATH, "Path to the list of events in the response.")
    id: JsonPlace = option(..., PATH, "Path to the transaction's id in an event.")
    status: JsonPlace | None = option(
        None,
        PATH,
        "Path to the status in an event. Without it, each event only triggers a look-up of its "
        "transaction.",
    )
    error: JsonPlace | None = option(None, PATH, "Path to the reason of a failure in an event.")
    next: JsonPlace | None = option(
        None, PATH, "Path to the cursor of the next page in the response; instead of entry_cursor."
    )
    entry_cursor: JsonPlace | None = option(
        None, PATH, "Path to an event's cursor in the event; instead of next."
    )
    start: str = option(
        "",
        f"a text of up to {MAX_CURSOR_CHARACTERS:,} characters",
        "Cursor of the first page.",
        max_length=MAX_CURSOR_CHARACTERS,
    )


class HttpSection(Section):
    """The service that is polled over HTTP; required for source.type = "http"."""

    name: str = option(
        ...,
        "small letters, digits and . _ -, up to 60",
        "Name of the service. It is stored in the database and cannot change later.",
        pattern=f"^{NAME_PATTERN}$",
    )
    url: Address = option(
        ...,
        "a URL such as https://host/path/{id}",
        "URL of a transaction, with {id} where its id goes. Only its host is ever printed.",
        secret=True,
    )
    status: JsonPlace = option(..., PATH, "Path to the status in the response.")
    words: Words = option(
        ...,
        f"{STATES}; as a variable, a JSON object",
        "State for each status word of the service, written as the service writes it. One word "
        'must map to "confirmed"; a word that maps to "nothing" changes nothing.',
    )
    id: JsonPlace | None = option(
        None,
        PATH,
        "Path to the id in the response, to check that it is about the requested transaction.",
    )
    error: JsonPlace | None = option(None, PATH, "Path to the reason of a failure in the response.")
    not_found: Meaning = option(
        "nothing",
        STATES,
        "State of a transaction that the service does not know (404 or 410).",
    )
    id_pattern: IdPattern = option(
        ID_PATTERN,
        "a regular expression that cannot match / ? # % or a control character, such as "
        "[A-Z]{2}-[0-9]{1,20}",
        f"Pattern of a complete id. An id has at most {MAX_ID_CHARACTERS} characters in any case.",
        max_length=1_000,
    )
    headers: Headers = option(
        {},
        f"names such as Authorization, with texts of 1 to {MAX_HEADER_CHARACTERS:,} printable "
        "ASCII characters; as a variable, a JSON object",
        "Headers of each request. Only their names are ever printed.",
        secret=True,
    )
    allow_private: AllowList = option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "Hosts that are allowed although they are not public or do not use TLS. Other such hosts "
        "are refused.",
    )
    first_delay: Seconds = option(
        _POLICY.first_delay,
        f"over 0: {SECONDS}",
        "Time between two requests about a transaction while its status changes. Without a "
        "change, each delay is twice the one before.",
        gt=0,
        le=_YEAR,
    )
    longest_delay: Seconds = option(
        _POLICY.longest_delay,
        f"first_delay or more: {SECONDS}",
        "Maximum time between two requests about a transaction.",
        gt=0,
        le=_YEAR,
    )
    agree: int = option(
        _POLICY.agree,
        "a number, 1 to 100",
        "Equal responses in a row that are needed for a bad end: failed, dropped, expired, invalid "
        "or reversed. One response is enough for confirmed.",
        ge=1,
        le=100,
    )
    watch_for: Seconds = option(
        _POLICY.watch_seconds,
        f"0 to 3660d: {SECONDS}",
        "Time for which a confirmed transaction is still polled, because it can be reversed.",
        ge=0,
        le=3_660 * DAY_SECONDS,
    )
    watch_first_delay: Seconds = option(
        _POLICY.watch_first_delay,
        f"over 0: {SECONDS}",
        "Like first_delay, for confirmed transactions.",
        gt=0,
        le=_YEAR,
    )
    watch_longest_delay: Seconds = option(
        _POLICY.watch_longest_delay,
        f"watch_first_delay or more: {SECONDS}",
        "Like longest_delay, for confirmed transactions.",
        gt=0,
        le=_YEAR,
    )
    feed_interval: Seconds = option(
        _POLICY.feed_interval,
        f"over 0: {SECONDS}",
        "Time between two requests for the feed.",
        gt=0,
        le=_YEAR,
    )
    requests_per_second: float | None = option(
        _LIMITS.requests_per_second,
        f"a number, {MIN_REQUESTS_PER_SECOND} or more",
        "Maximum number of requests per second to each host. Default: no limit.",
        ge=MIN_REQUESTS_PER_SECOND,
        le=1_000_000,
        allow_inf_nan=False,
    )
    in_flight: int = option(
        _LIMITS.in_flight,
        f"a number, 1 to {MAX_IN_FLIGHT_REQUESTS}",
        "Maximum number of requests that wait for responses at the same time.",
        ge=1,
        le=MAX_IN_FLIGHT_REQUESTS,
    )
    deadline: Seconds = option(
        _LIMITS.deadline,
        f"over 0, up to 1h: {SECONDS}",
        "Maximum duration of one request.",
        gt=0,
        le=3_600,
    )
    answer_bytes: int = option(
        _LIMITS.answer_bytes,
        f"a number, 1 to {MAX_RESPONSE_BYTES:,}",
        "Maximum size of a response in bytes; a longer response is refused.",
        ge=1,
        le=MAX_RESPONSE_BYTES,
    )
    batch: BatchSection | None = None
    feed: FeedSection | None = None

    def addresses(self) -> Iterator[tuple[str, str, SecretText]]:
        """Yield the configured URLs: the option, its required placeholder, the value."""
        yield "url", "{id}", self.url
        if self.batch is not None:
            yield "batch.url", "{ids}", self.batch.url
        if self.feed is not None:
            yield "feed.url", "{cursor}", self.feed.url
