"""Registrations through a router: split by shard, and their results put together."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from transaction_tracker.api.answers import answer
from transaction_tracker.api.items import RequestItems, read_items
from transaction_tracker.api.sharded import WRONG_SHARD, shard_of
from transaction_tracker.router.shard_client import (
    ShardRequest,
    ShardResponse,
    ShardUnavailableError,
    shard_unavailable,
)
from transaction_tracker.router.shards import Shards, passed_on, returned, with_headers

_KEY = "idempotency-key"
# A shard that cannot take a registration now; the others of the request are not affected.
_BUSY = (429, 503)


@dataclass(slots=True)
class _Item:
    """One registration of a request.

    Attributes:
        place: Its place in the request.
        content: The registration, as the client has sent it.
        shards: Shards that can track it and were not asked yet, the next one first.
        asked: Shards that were asked.
        result: Its result.
    """

    place: int
    content: Any
    shards: list[int]
    asked: set[int] = field(default_factory=set)
    result: dict[str, Any] = field(default_factory=dict)


async def register(shards: Shards, request: Request) -> Response:
    """Pass registrations to their shards.

    A shard of before the service has grown is asked first: it accepts a transaction that it tracks
    already, and names the right shard of any other. So none is ever tracked twice.
    """
    body = await request.body()
    content = read_items(body)
    given = passed_on(request, body)
    if content.place is None:
        return returned(await _one(shards, content.items[0], given))
    items = [_Item(place, each, _shards(shards, each)) for place, each in enumerate(content.items)]
    refused = await _all(shards, items, given, content)
    return _together(items) if refused is None else returned(refused)


async def _one(shards: Shards, item: Any, request: ShardRequest) -> ShardResponse:
    asked: list[int] = []
    pending = _shards(shards, item)
    while True:
        number = pending.pop(0)
        asked.append(number)
        if number >= shards.map.count:
            raise ShardUnavailableError(number, "the router does not know it")
        sent = _numbered(request, len(asked))
        response = await shards.clients[number].request(sent)
        if response.kind != WRONG_SHARD:
            return response
        named = [shard_of(error) for error in response.json.get("errors", ())]
        pending += [each for each in named if each is not None and each not in asked + pending]
        if not pending:
            return response


async def _all(
    shards: Shards, items: Sequence[_Item], request: ShardRequest, content: RequestItems
) -> ShardResponse | None:
    """Register all items; return the response that refuses the request, if one does."""
    pending, number = list(items), 0
    while pending:
        number += 1
        parts = defaultdict[int, list[_Item]](list)
        for item in pending:
            parts[item.shards.pop(0)].append(item)
        for shard, part in parts.items():
            for item in part:
                item.asked.add(shard)
        results = await asyncio.gather(
            *(
                _part(shards, shard, part, _numbered(request, number), content)
                for shard, part in parts.items()
            )
        )
        for result in results:
            if isinstance(result, ShardResponse):
                return result
        pending = [item for item in pending if not item.result and item.shards]
    return None


async def _part(
    shards: Shards, shard: int, items: list[_Item], request: ShardRequest, content: RequestItems
) -> ShardResponse | None:
    """Register the items of one shard; return its response if it refuses the request."""
    body = orjson.dumps([item.content for item in items])
    try:
        if shard >= shards.map.count:
            raise ShardUnavailableError(shard, "the router does not know it")
        response = await shards.clients[shard].request(replace(request, body=body))
    except ShardUnavailableError as error:
        _set_unavailable(items, str(error), content)
        return None
    if response.status in _BUSY:
        problem = response.json
        detail = problem.get("detail") if isinstance(problem, dict) else None
        _set_unavailable(items, f"shard {shard}: {detail or response.status}", content)
        return None
    if response.status != 200:
        return response
    for place, (item, result) in enumerate(zip(items, response.json["results"], strict=True)):
        _take(item, result, f"#/{place}", f"{content.place}/{item.place}")
    return None


def _take(item: _Item, result: dict[str, Any], there: str, here: str) -> None:
    """Take the result of a shard, or go on to the shard that it names."""
    errors = result.get("errors", ())
    named = [number for number in map(shard_of, errors) if number is not None]
    for number in named:
        if number not in item.shards and number not in item.asked:
            item.shards.append(number)
    if named and item.shards:
        return
    for error in errors:
        if "pointer" in error:
            error["pointer"] = here + error["pointer"].removeprefix(there)
    item.result = result


def _set_unavailable(items: Sequence[_Item], detail: str, content: RequestItems) -> None:
    for item in items:
        given = item.content.get("id") if isinstance(item.content, dict) else None
        fault = {
            "detail": f"{detail}; register it again",
            "pointer": f"{content.place}/{item.place}",
        }
        name = given if isinstance(given, str) else None
        item.result = {"id": name, "status": "unavailable", "errors": [fault]}


def _together(items: Sequence[_Item]) -> Response:
    counts = {
        status: sum(item.result["status"] == status for item in items)
        for status in ("accepted", "refused", "unavailable")
    }
    if counts["unavailable"] == len(items):
        raise shard_unavailable(items[0].result["errors"][0]["detail"])
    if not counts["unavailable"]:
        del counts["unavailable"]
    response = answer({**counts, "results": [item.result for item in items]})
    if "unavailable" in counts:
        response.headers["Retry-After"] = "1"
    return response


def _shards(shards: Shards, item: Any) -> list[int]:
    """Return the shards that can track a registration, the oldest first."""
    text = next(_named(item), "")
    return [*reversed(shards.map.places(text))]


def _named(item: Any) -> Iterator[str]:
    """Yield a text from which the shard follows, if the registration is valid.

    Of a raw transaction, only its source can compute the id. Any shard then names the right one.
    """
    if not isinstance(item, dict):
        return
    if isinstance(item.get("id"), str):
        yield item["id"]
    if isinstance(item.get("sender"), str):
        yield f"{item['sender']}:{item.get('nonce')}"
    if isinstance(item.get("raw"), str):
        yield item["raw"]


def _numbered(request: ShardRequest, attempt: int) -> ShardRequest:
    """Return the request for a second shard: its idempotency key belongs to another body there."""
    key = request.headers.get(_KEY)
    if key is None or attempt == 1:
        return request
    derived = hashlib.sha256(f"{attempt} {key}".encode()).hexdigest()
    return with_headers(request, {_KEY: derived})
