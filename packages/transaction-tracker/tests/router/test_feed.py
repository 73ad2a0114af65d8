"""The merged feed: its cursors hold a position for each shard, and no event is lost."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from transaction_tracker.api.problems import ProblemError
from transaction_tracker.router import cursors

from .support import Client, FakeShard, ids_of, problem, routing, several


def event(shard: int, position: int, second: int) -> dict[str, Any]:
    return {
        "id": f"{shard}:{position}",
        "cursor": f"e{position}",
        "transaction": f"t{shard}",
        "version": position,
        "recorded_at": f"2026-01-01T00:00:{second:02}Z",
    }


def feeding(shard: FakeShard, *events: dict[str, Any]) -> asyncio.Event:
    """Set the events of a shard; return the signal that ends its streams."""
    ended = asyncio.Event()

    def after(request: web.Request) -> int:
        return int(request.query.get("after", "e0")[1:])

    async def page(request: web.Request) -> web.Response:
        position, limit = after(request), int(request.query.get("limit", "100"))
        left = [each for each in events if int(each["cursor"][1:]) > position]
        content = {"events": left[:limit], "next": "unused", "more": len(left) > limit}
        return web.json_response(content)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        last = len(events) if "after" not in request.query else after(request)
        await response.write(b"retry: 2000\nid: e%d\n\n" % last)
        for each in events:
            if int(each["cursor"][1:]) > last:
                text = f"id: {each['cursor']}\nevent: transaction\ndata: {json.dumps(each)}\n\n"
                await response.write(text.encode())
        await response.write(b": heartbeat\n\n")
        while not ended.is_set() and shard.state != "standby":
            await asyncio.sleep(0.005)
        return response

    shard.handlers["/v1/events"], shard.handlers["/v1/stream"] = page, stream
    return ended


async def frames(content: aiohttp.StreamReader, count: int) -> list[tuple[str, Any]]:
    """Return the next ids of a stream, each with its event, if it has one."""
    found: list[tuple[str, Any]] = []
    name, data = "", None
    async with asyncio.timeout(50):
        while len(found) < count:
            line = (await content.readline()).decode()
            assert line, "the stream has ended"
            if line.startswith("id: "):
                name = line.removeprefix("id: ").strip()
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
            elif line == "\n" and name:
                found.append((name, data))
                name, data = "", None
    return found


def opened(client: Client, path: str = "/v1/stream", **headers: str) -> Any:
    return client.http.get(client.url + path, headers=headers)


async def test_page_is_merged_by_time_and_each_cursor_goes_on_after_its_event() -> None:
    shards = several(2)
    feeding(shards[0], event(0, 1, 1), event(0, 5, 4))
    feeding(shards[1], event(1, 2, 2), event(1, 3, 3))
    async with routing(*shards) as client:
        _, page = await client.get("/v1/events?limit=3")
        _, rest = await client.get(f"/v1/events?after={page['next']}")
        _, last = await client.get(f"/v1/events?after={rest['next']}")

    assert [each["id"] for each in page["events"]] == ["0:1", "1:2", "1:3"]
    assert [each["cursor"] for each in page["events"]] == ["e1.1.0", "e1.1.2", "e1.1.3"]
    assert (page["next"], page["more"]) == ("e1.1.3", True)
    assert [each["id"] for each in rest["events"]] == ["0:5"]
    assert (rest["next"], rest["more"]) == ("e1.5.3", False)
    assert (last["events"], last["next"]) == ([], "e1.5.3")


async def test_order_of_a_shard_counts_more_than_times() -> None:
    # The clock of its machine was set back between the two.
    shards = several(2)
    feeding(shards[0], event(0, 1, 30), event(0, 2, 10))
    feeding(shards[1], event(1, 1, 20))
    async with routing(*shards) as client:
        _, page = await client.get("/v1/events")

    found = [each["id"] for each in page["events"]]
    assert found.index("0:1") < found.index("0:2")


async def test_events_of_an_unavailable_shard_come_later() -> None:
    shards = several(2)
    feeding(shards[0], event(0, 1, 1))
    feeding(shards[1], event(1, 1, 2))
    shards[0].state = "standby"
    async with routing(*shards) as client:
        _, page = await client.get("/v1/events")
        shards[0].state = "owner"
        await client.until("/readyz", lambda _, ready: "notes" not in ready)
        _, rest = await client.get(f"/v1/events?after={page['next']}")

    assert ([each["id"] for each in page["events"]], page["unavailable"]) == (["1:1"], [0])
    assert page["next"] == "e1.0.1"
    assert [each["id"] for each in rest["events"]] == ["0:1"]
    assert "unavailable" not in rest


async def test_events_of_one_transaction_are_asked_of_its_shard() -> None:
    shards = several(2)
    for shard in shards:
        feeding(shard)
    (name,) = ids_of(1, 2, 1)
    async with routing(*shards) as client:
        _, page = await client.get(f"/v1/events?transaction={name}&after=e1.4.7")

    assert shards[0].paths() == []
    assert shards[1].paths() == [f"GET /v1/events?transaction={name}&after=e7"]
    assert page["next"] == "e1.4.7"


@pytest.mark.parametrize(
    "cursor", ["e5", "e1", "e1.", "e1.5.x", "e1.1.2.3", "e2.1.1", "e1.1.-1", "e1.1." + "9" * 19]
)
async def test_other_cursors_are_refused(cursor: str) -> None:
    shards = several(2)
    async with routing(*shards) as client:
        status, found = await client.get(f"/v1/events?after={cursor}")
        async with opened(client, **{"Last-Event-ID": cursor}) as stream:
            refused = await stream.json(content_type=None)

    assert (status, stream.status) == (422, 422)
    assert found["errors"][0]["parameter"] == "after"
    assert refused["errors"][0]["header"] == "Last-Event-ID"
    assert [shard.paths() for shard in shards] == [[], []]


def test_cursor_of_fewer_shards_begins_at_the_start_of_the_others() -> None:
    assert cursors.positions_at("e1.5.9", 4, "after") == [5, 9, 0, 0]
    assert cursors.of_positions([5, 9, 0, 0]) == "e1.5.9.0.0"
    with pytest.raises(ProblemError):
        cursors.positions_at("e1.5.9", 1, "after")


async def test_stream_begins_now_and_has_the_events_of_all_shards() -> None:
    shards = several(2)
    feeding(shards[0], event(0, 1, 1))
    feeding(shards[1], event(1, 1, 1), event(1, 2, 2))
    async with routing(*shards) as client:
        async with opened(client) as stream:
            ((first, data),) = await frames(stream.content, 1)
        async with opened(client, **{"Last-Event-ID": "e1.0.1"}) as stream:
            start, *events = await frames(stream.content, 3)

    assert (first, data) == ("e1.1.2", None)
    assert start == ("e1.0.1", None)
    assert {found["id"] for _, found in events if found} == {"0:1", "1:2"}
    assert all(name == found["cursor"] for name, found in events)
    assert events[-1][0] == "e1.1.2"


async def test_stream_goes_on_after_a_shard_has_closed_its_own() -> None:
    shards = several(2)
    ends = [feeding(shard) for shard in shards]
    async with routing(*shards) as client, opened(client) as stream:
        await frames(stream.content, 1)
        again = feeding(shards[0], event(0, 1, 1))

        ends[0].set()

        ((name, found),) = await frames(stream.content, 1)
        assert (name, found["id"]) == ("e1.1.0", "0:1")
        for end in (again, ends[1]):
            end.set()


@pytest.mark.parametrize("reads", [False, True])
async def test_stream_of_a_frozen_owner_moves_to_its_successor(reads: bool) -> None:
    frozen, successor = FakeShard(), FakeShard(state="standby")
    end = feeding(frozen)
    feeding(successor, event(0, 1, 1))
    async with routing([frozen, successor]) as client, opened(client) as stream:
        await frames(stream.content, 1)
        # Its connections stay open, and it does not respond, also to a stream that begins then.
        frozen.state = "silent"
        if reads:
            end.set()

        successor.state = "owner"

        ((name, found),) = await frames(stream.content, 1)
        assert (name, found["id"]) == ("e1.1", "0:1")


async def test_stream_from_now_needs_all_shards_and_one_from_a_cursor_does_not() -> None:
    shards = several(2)
    feeding(shards[0], event(0, 1, 1))
    shards[1].state = "standby"
    async with routing(*shards) as client:
        async with opened(client) as stream:
            assert stream.status == 503
        async with opened(client, "/v1/stream?after=e1.0.0") as stream:
            found = await frames(stream.content, 2)

    assert [name for name, _ in found] == ["e1.0.0", "e1.1.0"]


async def test_stream_that_a_shard_refuses_ends() -> None:
    shards = several(2)
    ends = [feeding(shard) for shard in shards]
    async with routing(*shards) as client:
        async with opened(client) as stream:
            await frames(stream.content, 1)

            async def refuse(_: web.Request) -> web.Response:
                return problem(401, "", "the token is revoked")

            shards[1].handlers["/v1/stream"] = refuse
            ends[1].set()

            async with asyncio.timeout(50):
                assert await stream.content.read() is not None
        async with opened(client) as again:
            assert again.status == 401
        ends[0].set()


async def test_streams_are_limited_and_end_with_the_router() -> None:
    shard = FakeShard()
    feeding(shard)
    async with aiohttp.ClientSession() as http:
        async with routing(shard, max_streams=1) as client:
            stream = await http.get(f"{client.url}/v1/stream")
            await frames(stream.content, 1)
            status, found = await client.get("/v1/stream")

        async with asyncio.timeout(50):
            await stream.content.read()  # it has ended in order
    assert (status, found["type"].rpartition(":")[2]) == (429, "too-many-streams")


async def test_stream_has_the_events_from_before_the_last_shard_begins() -> None:
    shards = several(2)
    feeding(shards[0])
    slow = feeding(shards[1])
    respond, begin = shards[1].handlers["/v1/stream"], asyncio.Event()

    async def later(request: web.Request) -> web.StreamResponse:
        await begin.wait()
        return await respond(request)

    async def busy(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        text = json.dumps(event(0, 1, 1))
        await response.write(f"id: e0\n\nid: e1\ndata: {text}\n\n".encode())
        begin.set()
        while not slow.is_set():
            await asyncio.sleep(0.005)
        return response

    shards[0].handlers["/v1/stream"], shards[1].handlers["/v1/stream"] = busy, later
    async with routing(*shards) as client, opened(client) as stream:
        found = await frames(stream.content, 2)
        slow.set()

    assert [name for name, _ in found] == ["e1.0.0", "e1.1.0"]
