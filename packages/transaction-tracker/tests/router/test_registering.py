"""Registrations through a router: each reaches its shard once, and each has a result."""

import hashlib
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.domain.sharding import ShardMap

from .support import FakeShard, ids_of, problem, routing, several

PATH = "/v1/transactions"
ZERO, ONE = ids_of(0, 2), ids_of(1, 2)


def hash_of(raw: str) -> str:
    """Return the id of a raw transaction, which only its source can compute."""
    return hashlib.sha256(raw.encode()).hexdigest()


# The router sends it to shard 0, and it belongs to shard 1.
RAW = next(
    text
    for text in map(str, range(100))
    if ShardMap((2,)).newest(text) == 0 and ShardMap((2,)).newest(hash_of(text)) == 1
)


def accepting(shard: FakeShard, *known: str, counts: tuple[int, ...] = (2,)) -> None:
    """Make a shard register its own transactions, and those that it knows."""
    number = int(shard.shown[0])

    def result(place: int, item: Any) -> dict[str, Any]:
        name = item.get("id") or hash_of(item["raw"])
        owner = ShardMap(counts).newest(name)
        if owner == number or name in known:
            return {"id": name, "status": "accepted", "state": "registered", "version": 0}
        errors = [{"detail": f"shard {owner}", "pointer": f"#/{place}/id", "shard": owner}]
        return {"id": name, "status": "refused", "errors": errors}

    async def register(request: web.Request) -> web.Response:
        items = await request.json()
        if isinstance(items, dict):
            found = result(0, items)
            if found["status"] == "refused":
                return problem(421, "wrong-shard", "another shard", errors=found["errors"])
            return web.json_response({"accepted": 1, "refused": 0, "results": [found]})
        results = [result(place, item) for place, item in enumerate(items)]
        accepted = sum(each["status"] == "accepted" for each in results)
        content = {"accepted": accepted, "refused": len(items) - accepted, "results": results}
        return web.json_response(content)

    shard.handlers[PATH] = register


def bodies(shard: FakeShard) -> list[Any]:
    return [body for _, body in shard.requests]


async def test_list_is_split_and_its_results_keep_their_order() -> None:
    shards = several(2)
    for shard in shards:
        accepting(shard)
    items = [{"id": ZERO[0]}, {"id": ONE[0]}, {"id": ZERO[1]}]
    async with routing(*shards) as client:
        status, reply = await client.ask("POST", PATH, json={"transactions": items})

    assert (status, reply["accepted"], reply["refused"]) == (200, 3, 0)
    assert [result["id"] for result in reply["results"]] == [ZERO[0], ONE[0], ZERO[1]]
    assert [bodies(shard) for shard in shards] == [[[items[0], items[2]]], [[items[1]]]]
    assert "unavailable" not in reply


@pytest.mark.parametrize("many", [False, True])
async def test_registration_at_the_wrong_shard_goes_on_to_the_one_that_it_names(
    many: bool,
) -> None:
    shards = several(2)
    for shard in shards:
        accepting(shard)
    async with routing(*shards) as client:
        status, reply = await client.ask(
            "POST", PATH, json=[{"raw": RAW}] if many else {"raw": RAW}
        )

    assert (status, reply["accepted"]) == (200, 1)
    assert [len(shard.requests) for shard in shards] == [1, 1]


async def test_shards_that_name_each_other_end_the_search() -> None:
    shards = several(2)
    accepting(shards[0], counts=(1,))
    accepting(shards[1], counts=(2,))
    shards[0].shown, shards[1].shown = "1/2", "0/2"
    for shard in shards:
        accepting(shard)
    shards[0].shown, shards[1].shown = "0/2", "1/2"
    async with routing(*shards) as client:
        status, reply = await client.ask("POST", PATH, json=[{"id": ZERO[0]}])
        single, _ = await client.ask("POST", PATH, json={"id": ZERO[0]})

    assert (status, reply["refused"]) == (200, 1)
    assert single == 421


async def test_shard_of_before_the_growth_is_asked_first() -> None:
    shards = several(3, ",2")
    for shard in shards:
        accepting(shard, *ZERO, *ONE, counts=(3, 2))
    shards[2].handlers.pop(PATH)
    new = ids_of(2, 3, 20)
    moved = next(text for text in new if text not in (*ZERO, *ONE))
    accepting(shards[2], counts=(3, 2))
    async with routing(*shards, former=(2,)) as client:
        status, reply = await client.ask(
            "POST", PATH, json=[{"id": ZERO[0]}, {"id": ONE[0]}, {"id": moved}]
        )

    assert (status, reply["accepted"]) == (200, 3)
    former = ShardMap((2,)).newest(moved)
    assert {"id": ZERO[0]} in bodies(shards[0])[0]
    assert {"id": ONE[0]} in bodies(shards[1])[0]
    assert {"id": moved} in bodies(shards[former])[0]
    assert bodies(shards[2]) == [[{"id": moved}]]


async def test_shard_that_is_unavailable_leaves_the_others_their_results() -> None:
    shards = several(2)
    accepting(shards[0])
    shards[1].state = "standby"
    async with routing(*shards) as client:
        async with client.http.post(
            client.url + PATH, json=[{"id": ZERO[0]}, {"id": ONE[0]}, {"id": ZERO[1]}]
        ) as response:
            reply = await response.json()
        alone, found = await client.ask("POST", PATH, json=[{"id": ONE[0]}])
        single, _ = await client.ask("POST", PATH, json={"id": ONE[0]})

    assert (response.status, response.headers["Retry-After"]) == (200, "1")
    assert (reply["accepted"], reply["refused"], reply["unavailable"]) == (2, 0, 1)
    missing = reply["results"][1]
    assert (missing["id"], missing["status"]) == (ONE[0], "unavailable")
    assert missing["errors"][0]["pointer"] == "#/1"
    assert "register it again" in missing["errors"][0]["detail"]
    assert (alone, single) == (503, 503)
    assert found["type"].endswith(":shard-unavailable")


async def test_shard_that_is_busy_is_unavailable_for_its_items() -> None:
    shards = several(2)
    accepting(shards[0])

    async def busy(_: web.Request) -> web.Response:
        return problem(429, "registration-queue-full", "too many")

    shards[1].handlers[PATH] = busy
    async with routing(*shards) as client:
        _, reply = await client.ask("POST", PATH, json=[{"id": ZERO[0]}, {"id": ONE[0]}])

    assert [result["status"] for result in reply["results"]] == ["accepted", "unavailable"]


async def test_refusal_of_a_shard_refuses_the_request() -> None:
    shards = several(2)
    accepting(shards[0])

    async def refuse(_: web.Request) -> web.Response:
        return problem(403, "scope", "the token must have the scope 'write'")

    shards[1].handlers[PATH] = refuse
    async with routing(*shards) as client:
        status, found = await client.ask("POST", PATH, json=[{"id": ZERO[0]}, {"id": ONE[0]}])

    assert (status, found["detail"]) == (403, "the token must have the scope 'write'")


async def test_second_shard_gets_another_idempotency_key_which_is_always_the_same() -> None:
    shards = several(2)
    for shard in shards:
        accepting(shard)
    async with routing(*shards) as client:
        for _ in range(2):
            headers = {"Idempotency-Key": "invoice-17"}
            await client.ask("POST", PATH, json=[{"raw": RAW}], headers=headers)

    first, second = [
        [request.headers["Idempotency-Key"] for request, _ in shard.requests] for shard in shards
    ]
    assert first == ["invoice-17"] * 2
    assert second[0] == second[1] != "invoice-17"


async def test_shard_that_the_router_does_not_know_is_unavailable() -> None:
    shard = FakeShard("0/3,1")
    accepting(shard, counts=(3, 1))
    new = ids_of(2, 3)[0]
    async with routing(shard) as client:  # its configuration is still that of before
        single, _ = await client.ask("POST", PATH, json={"id": new})
        _, reply = await client.ask("POST", PATH, json=[{"id": new}, {"id": ids_of(0, 3)[0]}])

    assert single == 503
    assert [each["status"] for each in reply["results"]] == ["unavailable", "accepted"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[", 400),
        (b"[]", 422),
        (b'{"transactions": 3}', 422),
        (b"[" * 40 + b"]" * 40, 400),
        (b" " * 2_000, 413),
    ],
)
async def test_bad_body_reaches_no_shard(body: bytes, status: int) -> None:
    shard = FakeShard()
    async with routing(shard, max_body_bytes=1_024) as client:
        found, _ = await client.ask(
            "POST", PATH, data=body, headers={"Content-Type": "application/json"}
        )

    assert found == status
    assert shard.requests == []
