"""The table of a service that is asked over HTTP, with those inside it."""

from collections.abc import Iterator

from transaction_tracker.domain.duration import SECONDS
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
from transaction_tracker.settings.options import AllowList, Seconds, option
from transaction_tracker.settings.sections import Section
from transaction_tracker.sources.http_polling import Habits, Limits, SecretText
from transaction_tracker.sources.http_polling.source import ID_PATTERN

DAY_SECONDS = 86_400.0

_YEAR = 31_536_000

_HABITS = Habits()
_LIMITS = Limits()


class BatchSection(Section):
    """The look-up of many transactions in one request, where the service offers one."""

    url: Address = option(
        ...,
        "an address such as https://host/path?ids={ids}",
        "The address, with {ids} where the ids go. Only its host is ever printed.",
        secret=True,
    )
    items: JsonPlace = option(..., PATH, "Where the list of transactions stands in the answer.")
    id: JsonPlace = option(..., PATH, "Where the id stands in an item of that list.")
    status: JsonPlace | None = option(
        None, PATH, "Where the status stands in an item; without it, where http.status says."
    )
    error: JsonPlace | None = option(
        None, PATH, "Where the reason of a failure stands in an item; without it, as http.error."
    )
    separator: str = option(
        ",",
        "one character",
        "What stands between two ids.",
        min_length=1,
        max_length=1,
    )
    most: int = option(
        50,
        "a number, 2 to 1,000",
        "Ids in one request; it takes fewer while the service refuses so many.",
        ge=2,
        le=1_000,
    )


class FeedSection(Section):
    """A list of events with a place in it, where the service offers one."""

    url: Address = option(
        ...,
        "an address such as https://host/path?after={cursor}",
        "The address, with {cursor} where the place goes. Only its host is ever printed.",
        secret=True,
    )
    entries: JsonPlace = option(..., PATH, "Where the list of events stands in the answer.")
    id: JsonPlace = option(..., PATH, "Where the transaction's id stands in an event.")
    status: JsonPlace | None = option(
        None, PATH, "Where the status stands in an event; without it, an event is only a hint."
    )
    error: JsonPlace | None = option(
        None, PATH, "Where the reason of a failure stands in an event."
    )
    next: JsonPlace | None = option(
        None, PATH, "Where the next place stands in the answer: this, or entry_cursor."
    )
    entry_cursor: JsonPlace | None = option(
        None, PATH, "Where an event's own place stands in the event: this, or next."
    )
    start: str = option(
        "",
        "a text of up to 1,000 characters",
        "What stands for the place before there is one.",
        max_length=1_000,
    )


class HttpSection(Section):
    """The service that is asked, where source.type is "http"."""

    name: str = option(
        ...,
        "small letters, digits and . _ -, up to 60",
        "What the service is called; the database belongs to it for ever.",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$",
    )
    url: Address = option(
        ...,
        "an address such as https://host/path/{id}",
        "The address of a transaction, with {id} where its id goes. Only its host is ever printed.",
        secret=True,
    )
    status: JsonPlace = option(..., PATH, "Where the status stands in the answer.")
    words: Words = option(
        ...,
        f"{STATES}; as a variable, a JSON object",
        "The service's words for states, as it writes them, and what each stands for; one must "
        'stand for "confirmed", and a word that says "nothing" is known, and no news.',
    )
    id: JsonPlace | None = option(
        None, PATH, "Where the id stands in the answer, to make sure whose it is."
    )
    error: JsonPlace | None = option(
        None, PATH, "Where the reason of a failure stands in the answer."
    )
    not_found: Meaning = option(
        "nothing", STATES, "What it means that the service does not know a transaction: 404, 410."
    )
    id_pattern: IdPattern = option(
        ID_PATTERN,
        "a regular expression that lets no / ? # % and no control character through, such as "
        "[A-Z]{2}-[0-9]{1,20}",
        "What a whole id matches; one has at most 200 characters in any case.",
        max_length=1_000,
    )
    headers: Headers = option(
        {},
        "names such as Authorization, with texts of 1 to 8,000 printable ASCII characters; as a "
        "variable, a JSON object",
        "What is sent with each request. Only the names are ever printed.",
        secret=True,
    )
    allow_private: AllowList = option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "What may be asked though it is not public, or has no TLS; all else of this kind is "
        "refused.",
    )
    first_delay: Seconds = option(
        _HABITS.first_delay,
        f"over 0: {SECONDS}",
        "Time between two questions about a transaction while there is news of it; without "
        "news, each pause is twice the one before.",
        gt=0,
        le=_YEAR,
    )
    longest_delay: Seconds = option(
        _HABITS.longest_delay,
        f"first_delay or more: {SECONDS}",
        "Time between two questions, at most.",
        gt=0,
        le=_YEAR,
    )
    agree: int = option(
        _HABITS.agree,
        "a number, 1 to 100",
        "Equal answers in a row that make a bad end; one makes a good one.",
        ge=1,
        le=100,
    )
    watch_for: Seconds = option(
        _HABITS.watch_seconds,
        f"0 to 3660d: {SECONDS}",
        "Time for which a confirmed transaction is looked at, because it can be reversed.",
        ge=0,
        le=3_660 * DAY_SECONDS,
    )
    watch_first_delay: Seconds = option(
        _HABITS.watch_first_delay,
        f"over 0: {SECONDS}",
        "As first_delay, for confirmed ones.",
        gt=0,
        le=_YEAR,
    )
    watch_longest_delay: Seconds = option(
        _HABITS.watch_longest_delay,
        f"watch_first_delay or more: {SECONDS}",
        "As longest_delay, for confirmed ones.",
        gt=0,
        le=_YEAR,
    )
    feed_interval: Seconds = option(
        _HABITS.feed_interval,
        f"over 0: {SECONDS}",
        "Time between two looks at the feed, where there is one.",
        gt=0,
        le=_YEAR,
    )
    requests_per_second: float | None = option(
        _LIMITS.requests_per_second,
        "a number, 0.1 or more",
        "Requests per second to each host; without it, no limit of ours.",
        ge=0.1,
        le=1_000_000,
        allow_inf_nan=False,
    )
    in_flight: int = option(
        _LIMITS.in_flight,
        "a number, 1 to 256",
        "Requests that may wait for their answers at the same time.",
        ge=1,
        le=256,
    )
    deadline: Seconds = option(
        _LIMITS.deadline,
        f"over 0, up to 1h: {SECONDS}",
        "Time that one request may take in all.",
        gt=0,
        le=3_600,
    )
    answer_bytes: int = option(
        _LIMITS.answer_bytes,
        "a number, 1 to 67,108,864",
        "The size of an answer; a longer one is refused.",
        ge=1,
        le=64 * 2**20,
    )
    batch: BatchSection | None = None
    feed: FeedSection | None = None

    def addresses(self) -> Iterator[tuple[str, str, SecretText]]:
        """List the addresses that are asked: the option, the gap that it must have, the value."""
        yield "url", "{id}", self.url
        if self.batch is not None:
            yield "batch.url", "{ids}", self.batch.url
        if self.feed is not None:
            yield "feed.url", "{cursor}", self.feed.url
