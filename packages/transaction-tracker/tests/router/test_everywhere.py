"""Requests to all shards: lists, endpoints and tokens."""

import json
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.api import cursors
from transaction_tracker.store.listing import ActivityPlace

from .support import FakeShard, problem, routing, several

ENDPOINTS = "/v1/endpoints"


def listing(shard: FakeShard, *places: ActivityPlace, activity: bool = False) -> None:
    """Set the transactions of a shard."""

    def cursor(place: ActivityPlace) -> str:
        return cursors.of_place(place) if activity else cursors.of_transaction(place.id)

    async def page(request: web.Request) -> web.Response:
        assert request.query["cursors"] == "true"
        found = list(places)
        if "cursor" in request.query:
            names = [cursor(place) for place in found]
            known = request.query["cursor"]
            found = (
                found[names.index(known) + 1 :]
                if known in names
                else [place for place in found if place.id > cursors.transaction_at(known)]
            )
        found = found[: int(request.query["limit"])]
        content = {
            "transactions": [{"id": place.id} for place in found],
            "next": None,
            "cursors": [cursor(place) for place in found],
        }
        return web.json_response(content)

    shard.handlers["/v1/transactions"] = page


def place(name: str, time: float = 0.0, ended: bool = False) -> ActivityPlace:
    return ActivityPlace(ended, time, name)


async def test_list_by_id_is_merged_by_code_points() -> None:
    shards = several(2)
    listing(shards[0], place("B"), place("a:1"), place("aa"))
    listing(shards[1], place("C"), place("a0"), place("b"))
    async with routing(*shards) as client:
        _, page = await client.get("/v1/transactions?limit=4")
        _, rest = await client.get(f"/v1/transactions?limit=4&cursor={page['next']}")
        _, shown = await client.get("/v1/transactions?limit=2&cursors=true")

    assert [each["id"] for each in page["transactions"]] == ["B", "C", "a0", "a:1"]
    assert [each["id"] for each in rest["transactions"]] == ["aa", "b"]
    assert rest["next"] is None
    assert "cursors" not in page
    assert shown["cursors"] == [cursors.of_transaction("B"), cursors.of_transaction("C")]


async def test_list_by_activity_is_merged_by_exact_times() -> None:
    first, second = 1.0000001, 1.0000002
    shards = several(2)
    listing(shards[0], place("a", second), place("c", 9.0, ended=True), activity=True)
    listing(
        shards[1], place("z", first), place("b", first), place("d", 8.0, ended=True), activity=True
    )
    async with routing(*shards) as client:
        _, page = await client.get("/v1/transactions?limit=9&order=activity")

    assert [each["id"] for each in page["transactions"]] == ["a", "z", "b", "c", "d"]


async def test_transactions_that_need_attention_are_merged_with_the_oldest_first() -> None:
    shards = several(2)
    listing(shards[0], place("b", 1.0), place("a", 3.0), activity=True)
    listing(shards[1], place("a:1", 1.0), place("z", 2.0), activity=True)
    async with routing(*shards) as client:
        _, page = await client.get("/v1/transactions?limit=9&order=activity&attention=1")

    assert [each["id"] for each in page["transactions"]] == ["a:1", "b", "z", "a"]


async def test_list_needs_all_shards() -> None:
    shards = several(2)
    listing(shards[0], place("a"))
    shards[1].state = "standby"
    async with routing(*shards) as client:
        status, found = await client.get("/v1/transactions?limit=4")

    assert status == 503
    assert "shard 1 is unavailable" in found["detail"]


def created(shard: FakeShard) -> None:
    async def create(request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    shard.handlers[ENDPOINTS] = create


async def test_endpoint_has_the_same_id_and_secret_at_all_shards() -> None:
    shards = several(3)
    for shard in shards:
        created(shard)
    async with routing(*shards) as client:
        status, made = await client.ask("POST", ENDPOINTS, json={"url": "https://a.example"})

    assert status == 201
    sent = [body for shard in shards for _, body in shard.requests]
    assert sent == [made] * 3
    assert made["id"].startswith("ep_")
    assert made["secret"].startswith("whsec_")


async def test_repeated_request_with_a_key_makes_the_same_endpoint() -> None:
    shard = FakeShard()
    created(shard)
    async with routing(shard) as client:

        async def make(**headers: str) -> Any:
            body = {"url": "https://a.example"}
            return (await client.ask("POST", ENDPOINTS, json=body, headers=headers))[1]

        first = await make(Authorization="Bearer one", **{"Idempotency-Key": "k"})
        again = await make(Authorization="Bearer one", **{"Idempotency-Key": "k"})
        other = await make(Authorization="Bearer two", **{"Idempotency-Key": "k"})
        without = await make(Authorization="Bearer one")

    assert first == again
    assert len({found["secret"] for found in (first, other, without)}) == 3
    assert len({found["id"] for found in (first, other, without)}) == 3


async def test_endpoint_that_one_shard_refuses_is_removed_from_the_others() -> None:
    shards = several(2)
    created(shards[0])

    async def refuse(_: web.Request) -> web.Response:
        return problem(409, "too-many-endpoints", "there are already 512")

    shards[1].handlers[ENDPOINTS] = refuse
    async with routing(*shards) as client:
        status, _ = await client.ask("POST", ENDPOINTS, json={"url": "https://a.example"})

    assert status == 409
    (_, made), (removed, _) = shards[0].requests
    assert f"{removed.method} {removed.path}" == f"DELETE {ENDPOINTS}/{made['id']}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ENDPOINTS),
        ("PUT", f"{ENDPOINTS}/ep_1"),
        ("DELETE", f"{ENDPOINTS}/ep_1"),
        ("POST", f"{ENDPOINTS}/ep_1/rotate"),
        ("POST", f"{ENDPOINTS}/ep_1/disable"),
        ("POST", "/v1/deliveries/resume"),
        ("DELETE", "/v1/tokens/abc"),
    ],
)
async def test_nothing_is_changed_while_a_shard_is_unavailable(method: str, path: str) -> None:
    shards = several(2)
    shards[1].state = "standby"
    async with routing(*shards) as client:
        body = {"json": {}} if method in ("POST", "PUT") else {}
        status, _ = await client.ask(method, path, **body)

    assert status == 503
    assert shards[0].requests == []


async def test_delete_that_was_interrupted_is_completed() -> None:
    shards = several(2)

    async def gone(_: web.Request) -> web.Response:
        return problem(404, "unknown-endpoint", "unknown endpoint")

    async def deleted(_: web.Request) -> web.Response:
        return web.Response(status=204)

    path = f"{ENDPOINTS}/ep_1"
    shards[0].handlers[path], shards[1].handlers[path] = gone, deleted
    async with routing(*shards) as client:
        first, _ = await client.ask("DELETE", path)
        shards[1].handlers[path] = gone
        second, _ = await client.ask("DELETE", path)

    assert (first, second) == (204, 404)


def detail(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ep_1",
        "health": "healthy",
        "failing_since": None,
        "pending": 1,
        "dead": 2,
        "last_attempt_at": None,
        "last_error": None,
        "last_error_at": None,
        "next_attempt_at": None,
    } | changes


async def test_endpoint_shows_the_sums_and_the_worst_of_all_shards() -> None:
    shards = several(2)
    failing = detail(
        health="failing",
        failing_since="2026-01-01T00:00:00Z",
        pending=5,
        last_attempt_at="2026-01-02T00:00:00Z",
        last_error="HTTP status 500",
        last_error_at="2026-01-02T00:00:00Z",
        next_attempt_at="2026-01-03T00:00:00Z",
    )

    def showing(content: Any) -> Any:
        async def show(_: web.Request) -> web.Response:
            return web.json_response(content)

        return show

    for shard, found in zip(shards, (detail(), failing), strict=True):
        shard.handlers[ENDPOINTS] = showing({"endpoints": [found]})
        shard.handlers[f"{ENDPOINTS}/ep_1"] = showing(found)
    async with routing(*shards) as client:
        _, page = await client.get(ENDPOINTS)
        _, one = await client.get(f"{ENDPOINTS}/ep_1")

    assert page == {"endpoints": [one]}
    assert one == failing | {"pending": 6, "dead": 4}


async def test_parameter_names_a_shard_and_is_not_passed_on() -> None:
    shards = several(2)
    async with routing(*shards) as client:
        _, found = await client.get("/v1/alerts?active=true&shard=1")
        refused = [await client.get(f"/v1/alerts?shard={text}") for text in ("2", "-1", "x", "")]
        unnamed, problem_of = await client.get("/v1/alerts")

    assert found == {"from": "1/2"}
    assert shards[1].paths() == ["GET /v1/alerts?active=true"]
    assert [status for status, _ in refused] == [422] * 4
    assert unnamed == 422
    assert "add the parameter shard" in problem_of["detail"]


async def test_router_creates_no_tokens() -> None:
    shard = FakeShard()
    async with routing(shard) as client:
        status, found = await client.ask("POST", "/v1/tokens", json={"label": "a"})

    assert status == 409
    assert "txtrack token create" in found["detail"]
    assert json.dumps(shard.paths()) == "[]"


async def test_address_is_watched_by_all_shards_and_shows_their_sums() -> None:
    shards = several(2)
    search = {"from_block": 1, "next_block": 50, "to_block": 90}
    seen = {"address": "0x5a", "found": 2, "open": 1, "search": None}
    counts = {"below_minimum": 4, "over_limit": 0, "failed": 1}
    other = seen | {"found": 3, "search": search, "passed_over": counts | {"over_limit": 7}}
    for shard, content in zip(shards, (seen | {"passed_over": counts}, other), strict=True):

        async def show(_: web.Request, content: Any = content) -> web.Response:
            return web.json_response(content)

        shard.handlers["/v1/addresses/0x5a"] = show
    async with routing(*shards) as client:
        added, _ = await client.ask("POST", "/v1/addresses", json={"address": "0x5a"})
        _, shown = await client.get("/v1/addresses/0x5a")
        removed, _ = await client.ask("DELETE", "/v1/addresses/0x5a")
        listed, refusal = await client.get("/v1/addresses")

    assert [added, removed, listed] == [200, 200, 422]
    assert shown == seen | {
        "found": 5,
        "open": 2,
        "search": search,
        "passed_over": {"below_minimum": 8, "over_limit": 7, "failed": 2},
    }
    assert "?shard=0" in refusal["detail"]
    for shard in shards:
        assert shard.paths() == [
            "POST /v1/addresses",
            "GET /v1/addresses/0x5a",
            "DELETE /v1/addresses/0x5a",
        ]
