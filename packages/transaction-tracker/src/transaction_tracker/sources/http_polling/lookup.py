"""The look-up of one transaction, and of many in one request."""

import asyncio
from collections.abc import Collection, Iterator

from transaction_tracker.domain import Reported
from transaction_tracker.net.url import MAX_URL_CHARACTERS
from transaction_tracker.sources.batching import BatchSize
from transaction_tracker.sources.errors import ApplicationError, MalformedError, SourceError
from transaction_tracker.sources.http_polling.client import (
    Client,
    LateError,
    TooLongError,
    parse,
)
from transaction_tracker.sources.http_polling.etags import Etags
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.reading import Reader, identity, items
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.polled import BAD_ENDS, Reply

UNKNOWN = (404, 410)


class Single:
    """Asks about one transaction.

    Args:
        client: Whom to ask.
        template: The address of a transaction.
        reader: What reads the answer.
        id: Where the answer says whose it is, if it does.
        not_found: What it means that the service does not know a transaction.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: Reader,
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

    async def ask(self, transaction: str) -> Reply:
        """Give what came of the question, an error too."""
        try:
            return await self._ask(transaction)
        except SourceError as error:
            return error

    async def _ask(self, transaction: str) -> Reported | None:
        known = self._etags.get(transaction)
        tag, before = known or (None, None)
        answer = await self._client.get(self._template, transaction, tag)
        if answer.status == 304:
            return before
        if answer.status in UNKNOWN:
            self._etags.keep(transaction, None, None)
            return self._not_found
        reply = await self._read(transaction, answer.body)
        # A bad end is told again in full, before it is believed.
        bad = reply is not None and reply.state in BAD_ENDS
        self._etags.keep(transaction, None if bad else answer.headers.get("ETag"), reply)
        return reply

    async def _read(self, transaction: str, body: bytes) -> Reported | None:
        answer = await parse(body)
        if self._id is not None and identity(self._id, answer) != transaction:
            raise MalformedError(f"{self._template}: the answer is about another transaction")
        try:
            return self._reader.read(answer)
        except MalformedError as error:
            raise MalformedError(f"{self._template}: {error}") from None


class Many:
    """Asks about many transactions at once.

    Args:
        client: Whom to ask.
        template: The address.
        reader: What reads an item of the answer.
        items: Where the list of items stands.
        id: Where an item says whose it is.
        separator: What stands between two ids in the address.
        most: How many ids go into one request at most.

    Attributes:
        size: How many go into the next.
    """

    def __init__(
        self,
        client: Client,
        template: Template,
        reader: Reader,
        *,
        items: JsonPath,
        id: JsonPath,  # noqa: A002 - as in the options
        separator: str,
        most: int,
    ) -> None:
        self._client = client
        self._template = template
        self._reader = reader
        self._items = items
        self._id = id
        self._separator = separator
        self._size = BatchSize(most)

    @property
    def size(self) -> int:
        """How many transactions go into one request now."""
        return self._size.size

    async def ask(self, ids: Collection[str]) -> dict[str, Reply]:
        """Give what came of the questions; one that was not answered is left out."""
        told: dict[str, Reply] = {}
        for some in self._requests([one for one in ids if self._separator not in one]):
            told |= await self._ask(some)
        return told

    async def _ask(self, ids: list[str]) -> dict[str, Reply]:
        try:
            answer = await self._client.get(self._template, self._separator.join(ids))
            if answer.status != 200:
                raise ApplicationError(f"{self._template}: HTTP {answer.status}", answer.status)
            told = await self._read(ids, answer.body)
        except (ApplicationError, TooLongError):
            # It has to be fewer next time; these are asked about one by one.
            self._size.refused(len(ids))
            return {}
        except SourceError as error:
            if isinstance(error, LateError):
                self._size.late(len(ids))
            return dict.fromkeys(ids, error)
        self._size.answered(len(ids))
        return told

    async def _read(self, ids: list[str], body: bytes) -> dict[str, Reply]:
        asked, told = set(ids), dict[str, Reply]()
        for item in items(self._items, await parse(body)):
            key = identity(self._id, item)
            if key in asked and key is not None:
                told[key] = self._joined(told, key, self._read_item(item))
        return told

    def _read_item(self, item: object) -> Reply:
        try:
            return self._reader.read(item)
        except MalformedError as error:
            return error

    def _joined(self, told: dict[str, Reply], key: str, reply: Reply) -> Reply:
        if key in told and told[key] != reply:
            return MalformedError(f"{self._template}: two answers for one transaction")
        return reply

    def _requests(self, ids: list[str]) -> Iterator[list[str]]:
        """Divide ids into as many as one request takes, by their number and their length."""
        some: list[str] = []
        for one in ids:
            longer = self._template.fill(self._separator.join([*some, one]))
            if some and (len(some) >= self._size.size or len(longer) > MAX_URL_CHARACTERS):
                yield some
                some = []
            some.append(one)
        if some:
            yield some


async def ask_each(single: Single, ids: Collection[str]) -> dict[str, Reply]:
    """Ask about each transaction by itself, side by side."""
    replies = await asyncio.gather(*(single.ask(one) for one in ids))
    return dict(zip(ids, replies, strict=True))
