"""The events of all shards, merged: a page, or a stream that continues each shard's own.

There is no order over all shards: each numbers its own events. The events of one transaction are
in order, because one shard has them all, and the merge keeps the order of each shard.
"""

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from transaction_tracker.api.answers import answer
from transaction_tracker.router import cursors
from transaction_tracker.router.listing import limit_of
from transaction_tracker.router.shard_client import (
    ShardClient,
    ShardRequest,
    ShardResponse,
    ShardUnavailableError,
)
from transaction_tracker.router.shards import Shards, passed_on, returned


async def list_events(shards: Shards, request: Request) -> Response:
    """Return a page of the events of all shards.

    The events of a shard that is unavailable come later: the cursor keeps its position. The page
    names such shards.
    """
    query = parse_qsl(request.url.query, keep_blank_values=True)
    given = dict(query)
    positions = cursors.positions_at(
        given.get("after", cursors.of_positions([0])), shards.map.count, "after"
    )
    clients = [shards.clients[number] for number in numbers_of(shards, given.get("transaction"))]
    pages: dict[int, Any] = {}
    missing: list[ShardUnavailableError] = []
    for client, response in await _ask(clients, request, query, positions):
        if isinstance(response, ShardUnavailableError):
            missing.append(response)
        elif response.status != 200:
            return returned(response)
        else:
            pages[client.number] = response.json
    if not pages:
        raise missing[0].problem()
    return answer(_page(pages, positions, limit_of(query), missing))


def numbers_of(shards: Shards, transaction: str | None) -> Sequence[int]:
    """Return the shards that can have the events: of one transaction, or all."""
    return range(shards.map.count) if transaction is None else shards.map.places(transaction)


async def _ask(
    clients: Sequence[ShardClient],
    request: Request,
    query: Sequence[tuple[str, str]],
    positions: Sequence[int],
) -> list[tuple[ShardClient, ShardResponse | ShardUnavailableError]]:
    async def ask(client: ShardClient) -> ShardResponse | ShardUnavailableError:
        try:
            return await client.request(_sent(request, query, positions[client.number]))
        except ShardUnavailableError as error:
            return error

    return list(zip(clients, await asyncio.gather(*map(ask, clients)), strict=True))


def _sent(request: Request, query: Sequence[tuple[str, str]], position: int) -> ShardRequest:
    others = [(name, value) for name, value in query if name != "after"]
    return passed_on(
        request, target=f"{request.url.path}?{urlencode([*others, ('after', f'e{position}')])}"
    )


def _page(
    pages: dict[int, Any],
    positions: list[int],
    limit: int,
    missing: Sequence[ShardUnavailableError],
) -> dict[str, Any]:
    merged = heapq.merge(
        *(_numbered(number, page["events"]) for number, page in pages.items()),
        key=lambda event: event[0],
    )
    shown: list[Any] = []
    has_more = any(page["more"] for page in pages.values())
    for _, number, event in merged:
        if len(shown) == limit:
            has_more = True
            break
        positions[number] = position_of(event["cursor"])
        shown.append(event | {"cursor": cursors.of_positions(positions)})
    page = {"events": shown, "next": cursors.of_positions(positions), "more": has_more}
    return page | ({"unavailable": [error.number for error in missing]} if missing else {})


def _numbered(number: int, events: Sequence[Any]) -> Iterator[tuple[float, int, Any]]:
    for event in events:
        yield datetime.fromisoformat(event["recorded_at"]).timestamp(), number, event


def position_of(cursor: str) -> int:
    """Return the position in a cursor of a shard, such as ``e42``."""
    return int(cursor[1:])
