"""Read a feed of events, page by page."""

from collections.abc import Callable
from typing import Any

from transaction_tracker.domain import InvalidTransactionError, Reported
from transaction_tracker.sources.errors import ApplicationError, MalformedError
from transaction_tracker.sources.http_polling.client import Client, parse
from transaction_tracker.sources.http_polling.jsonpath import NOWHERE, JsonPath
from transaction_tracker.sources.http_polling.lookup import UNKNOWN
from transaction_tracker.sources.http_polling.options import MAX_CURSOR_CHARACTERS
from transaction_tracker.sources.http_polling.reading import StateReader, identity, items
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.polled import FeedLostError, Page


class FeedReader:
    """Reads the pages of a feed.

    Args:
        client: HTTP client.
        template: URL of the feed.
        reader: Reads the state in an entry; ``None`` if entries have none.
        entries: Path to the list of entries in the response.
        id: Path to the transaction's id in an entry.
        next: Path to the cursor of the next page in the response.
        entry_cursor: Path to an entry's cursor in the entry.
        start: Cursor of the first page.
        identify: Normalizes an id, or raises ``InvalidTransactionError``.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: StateReader | None,
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

    async def read(self, cursor: str | None) -> Page:
        """Read the page at a cursor, or the first page.

        Raises:
            FeedLostError: The service does not know the cursor.
            SourceError: The service does not return a page.
        """
        response = await parse(await self._body(cursor))
        entries = items(self._entries, response)
        following = self._following(response, entries, cursor)
        found = tuple(read for entry in entries if (read := self._entry(entry)) is not None)
        return Page(found, following, more=bool(entries) and following != cursor)

    async def _body(self, cursor: str | None) -> bytes:
        try:
            response = await self._client.get(self._template, cursor or self._start)
            if response.status in UNKNOWN:
                raise ApplicationError(f"{self._template}: HTTP {response.status}", response.status)
        except ApplicationError as error:
            if cursor is None:
                raise
            raise FeedLostError(str(error)) from None
        return response.body

    def _entry(self, entry: Any) -> tuple[str, Reported | None] | None:
        key = identity(self._id, entry)
        try:
            # A feed can contain other things than transactions; they are skipped.
            return None if key is None else (self._identify(key), self._report(entry))
        except InvalidTransactionError:
            return None

    def _report(self, entry: Any) -> Reported | None:
        try:
            return None if self._reader is None else self._reader.read(entry)
        except MalformedError:
            return None

    def _following(self, response: Any, entries: list[Any], cursor: str | None) -> str | None:
        if self._next is not None:
            value = self._next.find(response)
        elif self._entry_cursor is not None and entries:
            value = self._entry_cursor.find(entries[-1])
        else:
            value = None
        if value is None or value is NOWHERE:
            return cursor
        return _cursor(value)


def _cursor(value: Any) -> str:
    text = str(value) if isinstance(value, str) or type(value) is int else ""
    if not (0 < len(text) <= MAX_CURSOR_CHARACTERS and text.isprintable()):
        raise MalformedError(
            f"the feed's next cursor must be 1 to {MAX_CURSOR_CHARACTERS} printable characters"
        )
    return text
