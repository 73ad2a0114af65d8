"""Four shards behind a router respond as one service without shards does."""

import asyncio
import json
import signal
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from txtrack_devnode import DevelopmentNode

from ..signing import legacy  # noqa: TID252
from .programs import ShardedService

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]

COUNT = 40
PATH = "/v1/transactions"
RECEIVER = "0x" + "35" * 20
# Each service has times, positions and delays of its own.
OWN = ("created_at", "updated_at", "recorded_at", "cursor", "since", "why")


def sent(node: DevelopmentNode, count: int = COUNT) -> list[str]:
    """Send payments, and return their hashes."""
    *senders, receiver = node.chain.accounts
    return [
        node.chain.submit(senders[number % len(senders)], receiver, number + 1).hash
        for number in range(count)
    ]


def without_own(content: Any) -> Any:
    """Return the parts of a response that all services share."""
    if isinstance(content, dict):
        return {name: without_own(value) for name, value in content.items() if name not in OWN}
    return [without_own(each) for each in content] if isinstance(content, list) else content


async def confirmed(running: ShardedService, node: DevelopmentNode, count: int) -> None:
    """Mine until all transactions are confirmed at both services."""
    node.chain.mine(4)
    for service in (running.router, running.whole):
        await service.until(
            f"{PATH}?state=confirmed&limit=1000",
            lambda status, page: status == 200 and len(page["transactions"]) == count,
        )


async def pages(service: Any, path: str, items: str, cursor: str, limit: int) -> list[Any]:
    """Return the items of all pages of a list."""
    found: list[Any] = []
    following: str | None = ""
    while following is not None:
        page = await service.get(
            f"{path}limit={limit}" + (f"&{cursor}={following}" if following else "")
        )
        found += page[items]
        following = page["next"] if page.get("more", page["next"] is not None) else None
    return found


async def test_every_route_responds_as_without_shards(
    running: ShardedService, node: DevelopmentNode
) -> None:
    hashes = sent(node)
    items: list[Any] = [{"id": tx, "metadata": {"n": n}} for n, tx in enumerate(hashes)]
    items.insert(7, {"id": "0x12"})

    mine, other = await running.both("POST", PATH, json=items)

    assert mine[0] == 200
    assert mine == other
    owners = Counter(running.map.newest(tx) for tx in hashes)
    assert set(owners) == {0, 1, 2, 3}
    for number, shard in enumerate(running.shards):
        page = await shard.get(f"{PATH}?limit=1000")
        assert len(page["transactions"]) == owners[number]
    await confirmed(running, node, COUNT)

    for path in (
        f"{PATH}?limit=1000",
        f"{PATH}?limit=7",
        f"{PATH}?state=confirmed&limit=1000",
        f"{PATH}?search={hashes[0][:5]}&limit=10",
        f"{PATH}?limit=0",
        f"{PATH}?sate=confirmed",
        f"{PATH}/{hashes[3]}",
        f"{PATH}/eip155:31337:{hashes[3].upper().replace('0X', '0x')}",
        f"{PATH}/{hashes[4]}/wait?timeout=5",
        f"{PATH}/{'0x' + 64 * '1'}",
        f"{PATH}/nonsense",
        f"/v1/events?transaction={hashes[5]}",
        "/v1/events?limit=oops",
        "/v1/deliveries",
    ):
        mine, other = await running.both("GET", path)
        assert mine[0] == other[0], path
        left, right = without_own(mine[1]), without_own(other[1])
        for content in (left, right):
            for name in ("next", "instance"):
                content.pop(name, None)
        assert left == right, path
    for method, path, body in (
        ("PATCH", f"{PATH}/{hashes[3]}", {"confirmations": 5}),
        ("POST", f"{PATH}/{hashes[3]}/recheck", None),
        ("DELETE", f"{PATH}/{hashes[3]}", None),
        ("POST", PATH, {"id": "0x12"}),
        ("POST", PATH, []),
        ("PUT", PATH, {}),
    ):
        mine, other = await running.both(method, path, json=body)
        assert mine[0] == other[0], (method, path)
        assert mine[1].get("detail") == other[1].get("detail")


@pytest.mark.parametrize("order", ["id", "activity"])
async def test_pages_of_all_shards_have_each_transaction_once_in_order(
    order: str, running: ShardedService, node: DevelopmentNode
) -> None:
    for tx in sent(node, 12):  # one after the other, so that their order of activity is the same
        await running.both("POST", PATH, json={"id": tx})

    mine, other = [
        await pages(service, f"{PATH}?order={order}&", "transactions", "cursor", 5)
        for service in (running.router, running.whole)
    ]

    assert [each["id"] for each in mine] == [each["id"] for each in other]
    assert len(mine) == 12


async def test_feed_and_stream_have_each_event_once_and_in_order(
    running: ShardedService, node: DevelopmentNode
) -> None:
    hashes = sent(node, 16)
    async with running.router.stream("/v1/stream") as live:
        assert await live.readline() == b"retry: 2000\n"
        assert (await live.readline()).startswith(b"id: e1.")
        await running.both("POST", PATH, json=[{"id": tx} for tx in hashes])
        await confirmed(running, node, 16)

        events = await pages(running.router, "/v1/events?", "events", "after", 7)
        streamed = [await event(live) for _ in events]

    other = await pages(running.whole, "/v1/events?", "events", "after", 7)
    # A service that looks later can see fewer states on the way to the end.
    ends = [{each["transaction"]: each["state"] for each in found} for found in (events, other)]
    assert ends == [dict.fromkeys(hashes, "confirmed")] * 2
    assert Counter(each["id"] for each in streamed) == Counter(each["id"] for each in events)
    for found in (events, streamed):
        check_order(found)

    # The cursor of each event goes on after it, and repeats and misses nothing.
    middle = streamed[len(streamed) // 2]
    seen = {each["id"] for each in streamed[: len(streamed) // 2 + 1]}
    rest = await pages(
        running.router, f"/v1/events?after={middle['cursor']}&", "events", "unused", 1000
    )
    assert {each["id"] for each in rest} == {each["id"] for each in events} - seen
    async with running.router.stream("/v1/stream", **{"Last-Event-ID": middle["cursor"]}) as again:
        assert {(await event(again))["id"] for _ in rest} == {each["id"] for each in rest}


async def event(content: Any) -> Any:
    """Return the next event of a stream."""
    async for line in content:
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream has ended")


def check_order(events: list[Any]) -> None:
    """Check that each transaction's events are in the order of their versions."""
    versions: dict[str, list[int]] = {}
    for each in events:
        versions.setdefault(each["transaction"], []).append(each["version"])
    for found in versions.values():
        assert all(before < after for before, after in pairwise(found)), found


async def test_shard_that_is_killed_affects_its_transactions_only(
    running: ShardedService, node: DevelopmentNode
) -> None:
    hashes = sent(node)
    lost = running.map.newest(hashes[0])
    theirs = [tx for tx in hashes if running.map.newest(tx) == lost]
    others = [tx for tx in hashes if running.map.newest(tx) != lost]
    router = running.router
    await router.ask("POST", PATH, json=[{"id": tx} for tx in hashes[::2]])
    async with router.stream("/v1/stream") as live:
        await live.readline()

        await running.shards[lost].end(signal.SIGKILL)

        await router.until("/readyz", lambda _, body: "notes" in body)
        status, headers, problem = await router.exchange("GET", f"{PATH}/{theirs[0]}")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert problem["type"].endswith(":shard-unavailable")
        assert f"shard {lost} is unavailable" in problem["detail"]
        assert (await router.ask("GET", PATH))[0] == 503
        assert (await router.ask("GET", "/v1/events?limit=5"))[1]["unavailable"] == [lost]
        status, headers, reply = await router.exchange(
            "POST", PATH, json=[{"id": tx} for tx in hashes]
        )
        assert (status, headers["Retry-After"]) == (200, "1")
        assert (reply["accepted"], reply["unavailable"]) == (len(others), len(theirs))
        for place, (tx, result) in enumerate(zip(hashes, reply["results"], strict=True)):
            assert result["status"] == ("unavailable" if tx in theirs else "accepted")
            assert all(error["pointer"] == f"#/{place}" for error in result.get("errors", ()))
        assert (await router.ask("POST", PATH, json={"id": theirs[0]}))[0] == 503
        assert (await router.ask("GET", f"{PATH}/{others[0]}"))[0] == 200
        node.chain.mine(4)
        # The stream goes on without the shard.
        done: set[str] = set()
        while done != set(others):
            found = await event(live)
            if found["state"] == "confirmed" and found["transaction"] in others:
                done.add(found["transaction"])

        await running.shards[lost].start()
        await router.until("/readyz", lambda _, body: "notes" not in body)
        reply = (await router.ask("POST", PATH, json=[{"id": tx} for tx in hashes]))[1]
        assert reply["accepted"] == COUNT
        # And gets what it missed, without a new connection.
        done.clear()
        while done != set(theirs):
            found = await event(live)
            if found["state"] == "confirmed" and found["transaction"] in theirs:
                done.add(found["transaction"])


async def test_endpoint_receives_the_events_of_all_shards_with_one_secret(
    running: ShardedService, node: DevelopmentNode
) -> None:
    status, made = await running.router.ask(
        "POST", "/v1/endpoints", json={"url": "http://127.0.0.1:9/hook"}
    )

    assert status == 201
    for shard in running.shards:
        (found,) = (await shard.get("/v1/endpoints"))["endpoints"]
        assert found["id"] == made["id"]
    (listed,) = (await running.router.get("/v1/endpoints"))["endpoints"]
    assert listed["pending"] == 0
    await running.router.ask("POST", PATH, json=[{"id": tx} for tx in sent(node)])
    await running.router.until(
        f"/v1/endpoints/{made['id']}", lambda _, endpoint: endpoint["pending"] >= COUNT
    )
    status, rotated = await running.router.ask("POST", f"/v1/endpoints/{made['id']}/rotate")
    assert status == 200
    assert rotated["secret"] != made["secret"]
    assert (await running.router.ask("DELETE", f"/v1/endpoints/{made['id']}"))[0] == 204
    assert [(await shard.get("/v1/endpoints"))["endpoints"] for shard in running.shards] == [[]] * 4
    status, problem = await running.router.ask("GET", f"/v1/endpoints/{made['id']}")
    assert (status, problem["type"].rpartition(":")[2]) == (404, "unknown-endpoint")


async def test_raw_transactions_reach_the_shards_of_their_hashes(
    running: ShardedService,
) -> None:
    # Only a source can compute the hash: most are sent to another shard first, which names it.
    items = [{"raw": legacy(nonce, RECEIVER, chain_id=31337)} for nonce in range(12)]

    mine, other = await running.both("POST", PATH, json=[*items, {"raw": "0x00"}])

    assert mine == other
    assert mine[1]["accepted"] == 12
    for result in mine[1]["results"][:12]:
        owner = running.shards[running.map.newest(result["id"])]
        assert (await owner.ask("GET", f"{PATH}/{result['id']}"))[0] == 200
        assert (await running.router.ask("GET", f"{PATH}/{result['id']}"))[0] == 200
    mine, other = await running.both("POST", PATH, json={"raw": items[3]["raw"]})
    assert mine == other
    assert mine[0] == 200


async def test_requests_of_one_shard_name_it(running: ShardedService) -> None:
    status, problem = await running.router.ask("GET", "/v1/providers")
    assert status == 422
    assert "add the parameter shard" in problem["detail"]

    found = await running.router.get("/v1/providers?shard=2")

    assert found["providers"]
    assert (await running.router.ask("GET", "/v1/providers?shard=4"))[0] == 422
    service = await running.router.get("/v1/service")
    assert [shard["owner"] for shard in service["shards"]] == [s.url for s in running.shards]


async def test_router_stops_in_order_with_open_streams(running: ShardedService) -> None:
    async with running.router.stream("/v1/stream") as live:
        await live.readline()

        async with asyncio.timeout(30):
            assert await running.router.end(signal.SIGTERM) in (0, -signal.SIGTERM, 143)
