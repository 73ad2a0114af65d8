"""A polled source: a service that reports the states of its transactions over HTTP."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Self

from transaction_tracker.domain import (
    MAX_ID_CHARACTERS,
    InvalidTransactionError,
    Reported,
    State,
)
from transaction_tracker.net import AllowList
from transaction_tracker.sources.http_polling.client import MAX_WAIT_SECONDS, Client
from transaction_tracker.sources.http_polling.headers import check_headers
from transaction_tracker.sources.http_polling.id_pattern import ID_PATTERN, compiled
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.lookup import Many, Single, look_up_each
from transaction_tracker.sources.http_polling.options import (
    NAME_PATTERN,
    BatchLookUp,
    Feed,
    HttpSection,
    RequestLimits,
)
from transaction_tracker.sources.http_polling.pages import FeedReader
from transaction_tracker.sources.http_polling.reading import StateReader
from transaction_tracker.sources.http_polling.redaction import Redact, keys, redactor
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.http_polling.values import state_of
from transaction_tracker.sources.http_polling.words import Words, check_state
from transaction_tracker.sources.polled import LookUpResult, Page, PollingPolicy

_NAME = re.compile(NAME_PATTERN)


class HttpPollingSource:
    """A ``PolledSource`` that requests the state of each transaction over HTTP.

    Only a word in ``words`` reports a state. An unknown word, a null, an unknown transaction, an
    error and a timeout do not, and are handled differently.

    Args:
        url: URL of a transaction, with ``{id}`` where its id goes.
        name: Name of the service. It is stored in the database and cannot change later.
        status: Path to the status in the response, such as ``data.transfers[0].status``.
        words: State for each status word of the service; ``None`` for a word that changes
            nothing.
        id_pattern: Regular expression that a complete id matches.
        id: Path to the id in the response, to check that it is about this transaction.
        error: Path to the reason of a failure in the response.
        not_found: State of a transaction that the service does not know (404 or 410); ``None``
            changes nothing.
        headers: Headers of each request, such as API keys; never printed.
        batch: Look-up of many transactions, if the service has one.
        feed: List of events, if the service has one.
        policy: Poll intervals, and how many equal responses a bad end needs.
        limits: Limits for requests and responses.
        allow: Networks, addresses and hosts that are allowed although they are not public or do
            not use TLS.

    Raises:
        ValueError: An argument is invalid; the message names it.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        status: str,
        words: Mapping[str, State | None],
        id_pattern: str = ID_PATTERN,
        id: str | None = None,  # noqa: A002 - what it is
        error: str | None = None,
        not_found: State | None = None,
        headers: Mapping[str, str | SecretText] | None = None,
        batch: BatchLookUp | None = None,
        feed: Feed | None = None,
        policy: PollingPolicy | None = None,
        limits: RequestLimits | None = None,
        allow: Iterable[str] = (),
    ) -> None:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ValueError(f"name must be small letters, digits and . _ -, got {name!r}")
        self._name = name
        self._allowed = AllowList.of(allow)
        self._pattern = compiled(id_pattern)
        self._template = Template(url, "{id}", self._allowed, "url")
        self._words = Words(words, self._redacted)
        self._status, self._error = status, error
        self._limits = limits or RequestLimits()
        self.policy: PollingPolicy = policy or PollingPolicy()
        self._check_watch()
        sent = check_headers(headers)
        self._client = Client(sent, self._limits, self._allowed)
        self._single = self._single_look_up(id, not_found)
        self._many = None if batch is None else self._batch_look_up(batch)
        self._feed = None if feed is None else self._feed_reader(feed)
        # Last, because only valid URLs can be parsed.
        extra = [options.url.reveal() for options in (batch, feed) if options is not None]
        self._redact: Redact = redactor(keys(sent.values(), [url, *extra]))

    @classmethod
    def of(cls, section: HttpSection) -> Self:
        """Return the source of a section of the configuration."""
        return cls(
            section.url.reveal(),
            name=section.name,
            status=section.status,
            words={word: state_of(meaning) for word, meaning in section.words.items()},
            id_pattern=section.id_pattern,
            id=section.id,
            error=section.error,
            not_found=state_of(section.not_found),
            headers=section.headers,
            batch=section.batch,
            feed=section.feed,
            policy=section.part(PollingPolicy),
            limits=section.part(RequestLimits),
            allow=section.allow_private,
        )

    def __repr__(self) -> str:
        return f"HttpPollingSource({str(self._template)!r}, name={self._name!r})"

    @property
    def id_pattern(self) -> str:
        """Regular expression that a complete id matches."""
        return f"^(?:{self._pattern.pattern})$"

    @property
    def name(self) -> str:
        """Name of the source, as the database stores it."""
        return f"http:{self._name}"

    @property
    def requests(self) -> int:
        """Number of HTTP requests sent so far."""
        return self._client.requests

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Statuses that are not in ``words``, without secrets and shortened; at most 50."""
        return self._words.unknown

    @property
    def ids_per_request(self) -> int:
        """Maximum number of transactions in the next request."""
        return 1 if self._many is None else self._many.size

    @property
    def in_flight(self) -> int:
        """Maximum number of concurrent look-ups.

        A request that waits for the rate limit longer than ``MAX_WAIT_SECONDS`` fails. With this
        number of look-ups, it waits at most half of that.
        """
        rate = self._limits.requests_per_second
        soon = self._limits.in_flight if rate is None else int(rate * MAX_WAIT_SECONDS / 2)
        return max(1, min(self._limits.in_flight, soon))

    @property
    def has_feed(self) -> bool:
        """Whether the service has a feed."""
        return self._feed is not None

    def identify(self, text: str) -> str:
        """Return a valid id unchanged, or raise ``InvalidTransactionError``."""
        # "." and ".." cannot be encoded in a URL's path: they would change the path.
        usable = (
            isinstance(text, str) and 0 < len(text) <= MAX_ID_CHARACTERS and text not in (".", "..")
        )
        if not (usable and text.isprintable() and self._pattern.fullmatch(text)):
            raise InvalidTransactionError(
                f"a transaction id of {self._name} must match {self._pattern.pattern} and have "
                f"at most {MAX_ID_CHARACTERS} characters, got {_shown(text)}"
            )
        return text

    async def check(self, *, again: bool = False) -> None:
        """Do nothing: such a service has nothing like a chain id that could be checked."""

    async def look_up(self, ids: Collection[str]) -> Mapping[str, LookUpResult]:
        """Look up transactions, in batches if the service supports it.

        Transactions that a batch's response does not contain are looked up one by one.
        """
        replies: dict[str, LookUpResult] = {}
        if self._many is not None and len(ids) > 1:
            replies = await self._many.look_up(ids)
        missing = [transaction for transaction in ids if transaction not in replies]
        return replies | await look_up_each(self._single, missing)

    async def read_feed(self, cursor: str | None) -> Page:
        """Read the page of the feed at a cursor, or the first page.

        Raises:
            FeedLostError: The service does not know the cursor.
            SourceError: The service does not return a page.
        """
        if self._feed is None:
            raise RuntimeError(f"{self!r} has no feed")
        return await self._feed.read(cursor)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._client.close()

    def _check_watch(self) -> None:
        if self.policy.watch_for and "reversed" not in self._words:
            raise ValueError("policy.watch_for needs a word for 'reversed' in words")

    def _single_look_up(self, id_: str | None, not_found: State | None) -> Single:
        if not_found is not None:
            check_state("not_found", not_found)
        return Single(
            self._client,
            self._template,
            self._reader(self._status, self._error, ""),
            id=_path(id_, "id"),
            not_found=None if not_found is None else Reported(not_found, "unknown to the service"),
        )

    def _batch_look_up(self, batch: BatchLookUp) -> Many:
        return Many(
            self._client,
            Template(batch.url.reveal(), "{ids}", self._allowed, "batch.url"),
            self._reader(batch.status or self._status, batch.error or self._error, "batch."),
            items=JsonPath.parse(batch.items, "batch.items"),
            id=JsonPath.parse(batch.id, "batch.id"),
            separator=batch.separator,
            max_ids=batch.most,
        )

    def _feed_reader(self, feed: Feed) -> FeedReader:
        reader = None if feed.status is None else self._reader(feed.status, feed.error, "feed.")
        return FeedReader(
            self._client,
            Template(feed.url.reveal(), "{cursor}", self._allowed, "feed.url"),
            reader,
            entries=JsonPath.parse(feed.entries, "feed.entries"),
            id=JsonPath.parse(feed.id, "feed.id"),
            next=_path(feed.next, "feed.next"),
            entry_cursor=_path(feed.entry_cursor, "feed.entry_cursor"),
            start=feed.start,
            identify=self.identify,
        )

    def _reader(self, status: str, error: str | None, prefix: str) -> StateReader:
        path = JsonPath.parse(status, f"{prefix}status")
        return StateReader(self._words, path, _path(error, f"{prefix}error"), self._redacted)

    def _redacted(self, text: str) -> str:
        """Remove secrets from a text of the service, which can repeat parts of the request."""
        return self._redact(text)


def _path(text: str | None, option: str) -> JsonPath | None:
    return None if text is None else JsonPath.parse(text, option)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_ID_CHARACTERS else f"{text[:MAX_ID_CHARACTERS]}…"
