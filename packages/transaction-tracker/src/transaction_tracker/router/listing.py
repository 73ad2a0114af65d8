"""Lists of the transactions of all shards, merged in their order."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from transaction_tracker.api import cursors
from transaction_tracker.api.answers import answer
from transaction_tracker.router.shard_client import ShardResponse
from transaction_tracker.router.shards import Shards, first_refusal, passed_on, returned
from transaction_tracker.store.pages import MAX_PAGE_SIZE

DEFAULT_LIMIT = 100
_BOOLEAN = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class _Row:
    """A transaction of a shard's page.

    Attributes:
        order: Its place in the list, as a value that sorts.
        cursor: The cursor after it, which each shard understands.
        transaction: The transaction, as JSON.
    """

    order: tuple[Any, ...]
    cursor: str
    transaction: Any


async def list_transactions(shards: Shards, request: Request) -> Response:
    """Return a page of the transactions of all shards.

    All shards must respond: a page without those of one would let a client believe that it has
    read them. The cursor is that of the last transaction, so all shards go on from the same place.
    """
    query = parse_qsl(request.url.query, keep_blank_values=True)
    wants_cursors = ("cursors", "true") in query
    asked = [(name, value) for name, value in query if name != "cursors"]
    sent = passed_on(
        request, target=f"{request.url.path}?{urlencode([*asked, ('cursors', 'true')])}"
    )
    responses = await shards.all(sent)
    refused = first_refusal(responses)
    if refused is not None:
        return returned(refused)
    limit = limit_of(query)
    oldest_first = _BOOLEAN.validate_python(dict(query).get("attention", False))
    rows = _merged(responses, oldest_first)[:limit]
    page = {
        "transactions": [row.transaction for row in rows],
        "next": rows[-1].cursor if len(rows) == limit else None,
    }
    return answer(page | ({"cursors": [row.cursor for row in rows]} if wants_cursors else {}))


def limit_of(query: Iterable[tuple[str, str]]) -> int:
    """Return the limit of a query that the shards have accepted."""
    given = dict(query).get("limit", "")
    return min(int(given), MAX_PAGE_SIZE) if given.isdecimal() else DEFAULT_LIMIT


def _merged(responses: Sequence[ShardResponse], oldest_first: bool) -> list[_Row]:
    pages = [response.json for response in responses]
    rows = (
        [
            _Row(_order(cursor, oldest_first), cursor, transaction)
            for cursor, transaction in zip(page["cursors"], page["transactions"], strict=True)
        ]
        for page in pages
    )
    return list(heapq.merge(*rows, key=lambda row: row.order))


def _order(cursor: str, oldest_first: bool) -> tuple[Any, ...]:
    """Return the place of a cursor as a value that sorts as the shards do."""
    if not cursors.is_of_activity(cursor):
        return (cursors.transaction_at(cursor),)
    place = cursors.place_at(cursor)
    if place is None:
        raise ValueError("a shard has sent the cursor of another list")
    if oldest_first:
        return (place.time, place.id)
    # The newest first, and of equal times the last id.
    return (place.ended, -place.time, [-ord(letter) for letter in place.id])
