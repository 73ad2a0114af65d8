"""Reading a feed of events, page by page."""

from collections.abc import Callable
from typing import Any

from transaction_tracker.domain import InvalidTransactionError, Reported
from transaction_tracker.sources.errors import ApplicationError, MalformedError
from transaction_tracker.sources.http_polling.client import Client, parse
from transaction_tracker.sources.http_polling.jsonpath import NOWHERE, JsonPath
from transaction_tracker.sources.http_polling.lookup import UNKNOWN
from transaction_tracker.sources.http_polling.reading import Reader, identity, items
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.polled import FeedLostError, Page

_LONGEST_PLACE = 1_000


class FeedReader:
    """Reads events, from where they were read before.

    Args:
        client: Whom to ask.
        template: The address.
        reader: What reads an entry; ``None`` where an entry is only a hint.
        entries: Where the list of entries stands.
        id: Where an entry says whose it is.
        next: Where the answer says how to go on.
        entry_cursor: Where an entry says how to go on after it.
        start: What stands for the place before there is one.
        identify: Writes an id in its one form.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: Reader | None,
        *,
        entries: JsonPath,
        id: JsonPath,  # noqa: A002 - as in the options
        next: JsonPath | None,  # noqa: A002 - as in the options
        entry_cursor: JsonPath | None,
        start: str,
        identify: Callable[[str], str],
    ) -> None:
        self._client = client
        self._template = template
        self._reader = reader
        self._entries = entries
        self._id = id
        self._next = next
        self._entry_cursor = entry_cursor
        self._start = start
        self._identify = identify

    async def read(self, place: str | None) -> Page:
        """Read the page at a place, or the first.

        Raises:
            FeedLostError: The service does not know the place.
            SourceError: There is no answer.
        """
        answer = await parse(await self._body(place))
        entries = items(self._entries, answer)
        then = self._then(answer, entries, place)
        found = tuple(entry for one in entries if (entry := self._entry(one)) is not None)
        return Page(found, then, more=bool(entries) and then != place)

    async def _body(self, place: str | None) -> bytes:
        try:
            answer = await self._client.get(self._template, place or self._start)
            if answer.status in UNKNOWN:
                raise ApplicationError(f"{self._template}: HTTP {answer.status}", answer.status)
        except ApplicationError as error:
            if place is None:
                raise
            raise FeedLostError(str(error)) from None
        return answer.body

    def _entry(self, entry: Any) -> tuple[str, Reported | None] | None:
        key = identity(self._id, entry)
        try:
            # Feeds tell of others' transactions too, and of things that are none.
            return None if key is None else (self._identify(key), self._fact(entry))
        except InvalidTransactionError:
            return None

    def _fact(self, entry: Any) -> Reported | None:
        try:
            return None if self._reader is None else self._reader.read(entry)
        except MalformedError:
            return None

    def _then(self, answer: Any, entries: list[Any], place: str | None) -> str | None:
        if self._next is not None:
            value = self._next.find(answer)
        elif self._entry_cursor is not None and entries:
            value = self._entry_cursor.find(entries[-1])
        else:
            value = None
        if value is None or value is NOWHERE:
            return place
        return _place(value)


def _place(value: Any) -> str:
    text = str(value) if isinstance(value, str) or type(value) is int else ""
    if not (0 < len(text) <= _LONGEST_PLACE and text.isprintable()):
        raise MalformedError(
            f"the feed's next place must be 1 to {_LONGEST_PLACE} printable characters"
        )
    return text
