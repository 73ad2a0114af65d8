"""A service that tells by HTTP what has become of each of its transactions."""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping

from transaction_tracker.domain import InvalidTransactionError, Reported, State
from transaction_tracker.net import AllowList
from transaction_tracker.sources.http_polling.client import LONGEST_WAIT, Client
from transaction_tracker.sources.http_polling.headers import check_headers
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.lookup import Many, Single, ask_each
from transaction_tracker.sources.http_polling.options import Batch, Feed, Limits
from transaction_tracker.sources.http_polling.pages import FeedReader
from transaction_tracker.sources.http_polling.reading import Reader
from transaction_tracker.sources.http_polling.redaction import Redact, keys, without
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.http_polling.words import Words, check_state
from transaction_tracker.sources.polled import Habits, Page, Reply

ID_PATTERN = "[A-Za-z0-9_-]{1,64}"

_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,59}")
_LONGEST_ID = 200


class HttpPollingSource:
    """A service that is asked about each transaction by HTTP: a ``PolledSource``.

    It tells facts. What it says in a word that is not among ``words``, a null, an answer that it
    does not know the transaction, an error and a time-out are none, and each is something else.

    Args:
        url: The address of a transaction, with ``{id}`` where its id goes.
        name: What the service is called; the database belongs to it for ever.
        status: The path to the status in the answer, such as ``data.transfers[0].status``.
        words: The service's words for states, and the states that they stand for; ``None`` for
            a word that says nothing.
        id_pattern: A regular expression that a whole id matches.
        id: The path to the id in the answer, to make sure whose it is.
        error: The path to the reason of a failure in the answer.
        not_found: What it means that the service does not know a transaction (404 or 410);
            ``None`` for nothing.
        headers: What is sent with each request, keys for instance; never printed.
        batch: The look-up of many, where the service offers one.
        feed: A list of events, where the service offers one.
        habits: How often it is asked, and how far it is believed.
        limits: How much is asked for, and how much of an answer is taken.
        allow: Networks, addresses and hosts that may be asked although they are not public, or
            without TLS.

    Raises:
        ValueError: Something cannot be; the message names it.
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
        batch: Batch | None = None,
        feed: Feed | None = None,
        habits: Habits | None = None,
        limits: Limits | None = None,
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
        self._limits = limits or Limits()
        self.habits = habits or Habits()
        self._check_watch()
        sent = check_headers(headers)
        self._client = Client(sent, self._limits, self._allowed)
        self._single = self._single_look_up(id, not_found)
        self._many = None if batch is None else self._batch_look_up(batch)
        self._feed = None if feed is None else self._feed_reader(feed)
        # Last: by now each address is known to be one.
        addresses = [url, *(one.url for one in (batch, feed) if one is not None)]
        self._redact: Redact = without(keys(sent.values(), addresses))

    def __repr__(self) -> str:
        return f"HttpPollingSource({str(self._template)!r}, name={self._name!r})"

    @property
    def id_pattern(self) -> str:
        """What a whole id matches."""
        return f"^(?:{self._pattern.pattern})$"

    @property
    def name(self) -> str:
        """What kept data belong to."""
        return f"http:{self._name}"

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""
        return self._client.requests

    @property
    def unknown_words(self) -> int:
        """How many answers had a status that is not among the words."""
        return self._words.unknown

    @property
    def strange_words(self) -> tuple[str, ...]:
        """Which these were, without keys, cut where they are long."""
        return self._words.strange

    @property
    def together(self) -> int:
        """How many transactions may be in one question now."""
        return 1 if self._many is None else self._many.size

    @property
    def in_flight(self) -> int:
        """How many questions may wait at a time, so that none waits too long for its turn."""
        rate = self._limits.requests_per_second
        soon = self._limits.in_flight if rate is None else int(rate * LONGEST_WAIT / 2)
        return max(1, min(self._limits.in_flight, soon))

    @property
    def has_feed(self) -> bool:
        """Whether there is a feed."""
        return self._feed is not None

    def identify(self, text: str) -> str:
        """Take an id as it is, or raise ``InvalidTransactionError``."""
        # Nothing in an address can stand for these two: they name other places.
        usable = isinstance(text, str) and 0 < len(text) <= _LONGEST_ID and text not in (".", "..")
        if not (usable and text.isprintable() and self._pattern.fullmatch(text)):
            raise InvalidTransactionError(
                f"a transaction id of {self._name} must match {self._pattern.pattern} and have "
                f"at most {_LONGEST_ID} characters, got {_shown(text)}"
            )
        return text

    async def check(self, *, again: bool = False) -> None:
        """Do nothing: a service shows only by its answers whether it is the right one."""

    async def look_up(self, ids: Collection[str]) -> Mapping[str, Reply]:
        """Ask about transactions, in one request if the service offers that.

        Those that a common answer leaves out are asked about one by one.
        """
        told: dict[str, Reply] = {}
        if self._many is not None and len(ids) > 1:
            told = await self._many.ask(ids)
        return told | await ask_each(self._single, [one for one in ids if one not in told])

    async def read_feed(self, place: str | None) -> Page:
        """Read a page of the feed.

        Raises:
            FeedLostError: The service does not know the place.
            SourceError: It gives no answer.
        """
        if self._feed is None:
            raise RuntimeError(f"{self!r} has no feed")
        return await self._feed.read(place)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._client.close()

    def _check_watch(self) -> None:
        if self.habits.watch_days and "reversed" not in self._words:
            raise ValueError("habits.watch_days needs a word for 'reversed' among the words")

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

    def _batch_look_up(self, batch: Batch) -> Many:
        return Many(
            self._client,
            Template(batch.url, "{ids}", self._allowed, "batch.url"),
            self._reader(batch.status or self._status, batch.error or self._error, "batch."),
            items=JsonPath.parse(batch.items, "batch.items"),
            id=JsonPath.parse(batch.id, "batch.id"),
            separator=batch.separator,
            most=batch.most,
        )

    def _feed_reader(self, feed: Feed) -> FeedReader:
        reader = None if feed.status is None else self._reader(feed.status, feed.error, "feed.")
        return FeedReader(
            self._client,
            Template(feed.url, "{cursor}", self._allowed, "feed.url"),
            reader,
            entries=JsonPath.parse(feed.entries, "feed.entries"),
            id=JsonPath.parse(feed.id, "feed.id"),
            next=_path(feed.next, "feed.next"),
            entry_cursor=_path(feed.entry_cursor, "feed.entry_cursor"),
            start=feed.start,
            identify=self.identify,
        )

    def _reader(self, status: str, error: str | None, room: str) -> Reader:
        path = JsonPath.parse(status, f"{room}status")
        return Reader(self._words, path, _path(error, f"{room}error"), self._redacted)

    def _redacted(self, text: str) -> str:
        """Take our keys out of what the service says: it may repeat what it was asked with."""
        return self._redact(text)


def _path(text: str | None, option: str) -> JsonPath | None:
    return None if text is None else JsonPath.parse(text, option)


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile what ids match.

    Raises:
        ValueError: It is no regular expression, or one that Python cannot take.
    """
    try:
        # Python warns of "[[a-z]" on standard error: it means what it means.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            return re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"id_pattern must be a regular expression, got {pattern!r}: {error}"
        ) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_ID else f"{text[:_LONGEST_ID]}…"
