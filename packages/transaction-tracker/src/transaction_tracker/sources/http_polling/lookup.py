"""Look up transactions, one or many per request."""

import asyncio
from collections.abc import Collection, Iterator

from transaction_tracker.domain import Reported
from transaction_tracker.net.url import MAX_URL_CHARACTERS
from transaction_tracker.sources.batching import BatchSize
from transaction_tracker.sources.errors import (
    ApplicationError,
    LateError,
    MalformedError,
    SourceError,
    TooLongError,
)
from transaction_tracker.sources.http_polling.client import Client, parse
from transaction_tracker.sources.http_polling.etags import Etags
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.reading import StateReader, identity, items
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.polled import BAD_ENDS, LookUpResult

UNKNOWN = (404, 410)


class Single:
    """Looks up one transaction per request.

    Args:
        client: HTTP client.
        template: URL of a transaction.
        reader: Reads a response.
        id: Path to the transaction's id in the response, to check it; ``None`` does not check.
        not_found: Result for a transaction that the service does not know.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: StateReader,
        *,
        id: JsonPath | None,  # noqa: A002 - as in the options
        not_found: Reported | None,
    ) -> None:
        self._client = client
        self._template = template
        self._reader = reader
        self._id = id
        self._not_found = not_found
        self._etags = Etags()

    async def look_up(self, transaction: str) -> LookUpResult:
        """Look up a transaction; return an error instead of raising it."""
        try:
            return await self._look_up(transaction)
        except SourceError as error:
            return error

    async def _look_up(self, transaction: str) -> Reported | None:
        known = self._etags.get(transaction)
        tag, before = known or (None, None)
        response = await self._client.get(self._template, transaction, tag)
        if response.status == 304:
            return before
        if response.status in UNKNOWN:
            self._etags.store(transaction, None, None)
            return self._not_found
        report = await self._read(transaction, response.body)
        # A bad end needs several equal responses. With a stored tag, a 304 would only repeat the
        # first one, and an error in it would count twice.
        bad = report is not None and report.state in BAD_ENDS
        self._etags.store(transaction, None if bad else response.headers.get("ETag"), report)
        return report

    async def _read(self, transaction: str, body: bytes) -> Reported | None:
        response = await parse(body)
        if self._id is not None and identity(self._id, response) != transaction:
            raise MalformedError(f"{self._template}: the response is about another transaction")
        try:
            return self._reader.read(response)
        except MalformedError as error:
            raise MalformedError(f"{self._template}: {error}") from None


class Many:
    """Looks up many transactions per request.

    Args:
        client: HTTP client.
        template: URL of the look-up.
        reader: Reads an item of the response.
        items: Path to the list of items in the response.
        id: Path to the transaction's id in an item.
        separator: Character between two ids in the URL.
        max_ids: Maximum number of ids per request.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: StateReader,
        *,
        items: JsonPath,
        id: JsonPath,  # noqa: A002 - as in the options
        separator: str,
        max_ids: int,
    ) -> None:
        self._client = client
        self._template = template
        self._reader = reader
        self._items = items
        self._id = id
        self._separator = separator
        self._size = BatchSize(max_ids)

    @property
    def size(self) -> int:
        """Number of ids in the next request, at most."""
        return self._size.size

    async def look_up(self, ids: Collection[str]) -> dict[str, LookUpResult]:
        """Look up transactions; leave out those that the responses do not contain."""
        replies: dict[str, LookUpResult] = {}
        usable = [transaction for transaction in ids if self._separator not in transaction]
        for batch in self._batches(usable):
            replies |= await self._look_up(batch)
        return replies

    async def _look_up(self, ids: list[str]) -> dict[str, LookUpResult]:
        try:
            response = await self._client.get(self._template, self._separator.join(ids))
            if response.status != 200:
                raise ApplicationError(f"{self._template}: HTTP {response.status}", response.status)
            replies = await self._read(ids, response.body)
        except (ApplicationError, TooLongError):
            # The service probably refuses this number of ids: the next batch is smaller, and the
            # caller looks up these ids one by one.
            self._size.refused(len(ids))
            return {}
        except SourceError as error:
            if isinstance(error, LateError):
                self._size.late(len(ids))
            return dict.fromkeys(ids, error)
        self._size.answered(len(ids))
        return replies

    async def _read(self, ids: list[str], body: bytes) -> dict[str, LookUpResult]:
        wanted, replies = set(ids), dict[str, LookUpResult]()
        for item in items(self._items, await parse(body)):
            key = identity(self._id, item)
            if key in wanted and key is not None:
                replies[key] = self._combined(replies, key, self._read_item(item))
        return replies

    def _read_item(self, item: object) -> LookUpResult:
        try:
            return self._reader.read(item)
        except MalformedError as error:
            return error

    def _combined(
        self, replies: dict[str, LookUpResult], key: str, reply: LookUpResult
    ) -> LookUpResult:
        if key in replies and replies[key] != reply:
            return MalformedError(f"{self._template}: two different items for one transaction")
        return reply

    def _batches(self, ids: list[str]) -> Iterator[list[str]]:
        """Yield batches of ids, limited by their number and by the length of the URL."""
        batch: list[str] = []
        for transaction in ids:
            url = self._template.fill(self._separator.join([*batch, transaction]))
            if batch and (len(batch) >= self._size.size or len(url) > MAX_URL_CHARACTERS):
                yield batch
                batch = []
            batch.append(transaction)
        if batch:
            yield batch


async def look_up_each(single: Single, ids: Collection[str]) -> dict[str, LookUpResult]:
    """Look up each transaction in a request of its own, concurrently."""
    replies = await asyncio.gather(*(single.look_up(transaction) for transaction in ids))
    return dict(zip(ids, replies, strict=True))
