"""Options of a service over HTTP: batch look-up, feed, limits and the whole table."""

from collections.abc import Iterator

from transaction_tracker.domain import MAX_ID_CHARACTERS
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.net import AllowList, ForbiddenUrlError
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import AllowedHosts, Seconds
from transaction_tracker.sources.http_polling.headers import MAX_HEADER_CHARACTERS
from transaction_tracker.sources.http_polling.id_pattern import ID_PATTERN
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.http_polling.values import (
    PATH,
    STATES,
    Address,
    Headers,
    IdPattern,
    JsonPlace,
    StateWords,
)
from transaction_tracker.sources.http_polling.words import Meaning
from transaction_tracker.sources.polled import PollingPolicy

MAX_CURSOR_CHARACTERS = 1_000
NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,59}"
_MIN_REQUESTS_PER_SECOND = 0.1


class BatchLookUp(Section):
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
    most: int = number(
        50,
        2,
        1_000,
        "Maximum number of ids per request; lowered while the service refuses that many.",
    )


class Feed(Section):
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

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield the feed if not exactly one place has the cursor of the next page."""
        if (self.next is None) == (self.entry_cursor is None):
            yield "", "must have either next or entry_cursor"


class RequestLimits(Section):
    """Limits for requests to the service and for its responses."""

    requests_per_second: float | None = option(
        None,
        f"a number, {_MIN_REQUESTS_PER_SECOND} or more",
        "Maximum number of requests per second to each host. Default: no limit.",
        ge=_MIN_REQUESTS_PER_SECOND,
        le=1_000_000,
        allow_inf_nan=False,
    )
    in_flight: int = number(
        8, 1, 256, "Maximum number of requests that wait for responses at the same time."
    )
    deadline: Seconds = option(
        10.0,
        f"over 0, up to 1h: {SECONDS}",
        "Maximum duration of one request.",
        gt=0,
        le=3_600,
    )
    answer_bytes: int = number(
        2**20, 1, 64 * 2**20, "Maximum size of a response in bytes; a longer response is refused."
    )


class _Service(Section):
    """How the service is asked, and what its responses mean."""

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
    words: StateWords = option(
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
    allow_private: AllowedHosts = option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "Hosts that are allowed although they are not public or do not use TLS. Other such hosts "
        "are refused.",
    )


class HttpSection(RequestLimits, PollingPolicy, _Service):
    """The service that is polled over HTTP; required for source.type = "http"."""

    batch: BatchLookUp | None = None
    feed: Feed | None = None

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield URLs that cannot be used, invalid delays, and states that no word means."""
        yield from self._refused(table)
        yield from super().conflicts(table)
        meanings = self.words.values()
        if "confirmed" not in meanings:
            yield "words", 'must map a word to "confirmed": otherwise no transaction could succeed'
        if self.watch_for and "reversed" not in meanings:
            yield "watch_for", f'requires a word for "reversed" in {table}words'
        if self.feed is not None:
            for name, message in self.feed.conflicts(f"{table}feed."):
                yield ".".join(filter(None, ("feed", name))), message

    def _refused(self, table: str) -> Iterator[tuple[str, str]]:
        allowed = AllowList.of(self.allow_private)
        for name, placeholder, url in self.addresses():
            try:
                Template(url.reveal(), placeholder, allowed, name)
            except ValueError as error:
                text = str(error).removeprefix(name).strip()
                message = f"is refused{text}" if text.startswith(":") else text
                if isinstance(error, ForbiddenUrlError) and error.can_be_allowed:
                    message += f"; see {table}allow_private"
                yield name, message

    def addresses(self) -> Iterator[tuple[str, str, SecretText]]:
        """Yield the configured URLs: the option, its required placeholder, the value."""
        yield "url", "{id}", self.url
        if self.batch is not None:
            yield "batch.url", "{ids}", self.batch.url
        if self.feed is not None:
            yield "feed.url", "{cursor}", self.feed.url
