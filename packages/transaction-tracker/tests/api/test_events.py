"""Events as pages and as a stream: none is lost, and a slow client blocks no other."""

import asyncio
import socket
import threading
from typing import Any

import aiohttp
import orjson
import pytest

from transaction_tracker.api.routes.events import _CHUNK_EVENTS as CHUNK
from transaction_tracker.api.signals import EventSignals
from transaction_tracker.store import Store
from transaction_tracker.store.access import list_tokens

from .support import PATIENCE, Client, eventually, make_token, mine, move, register, serving

HOURS = 7_200.0


async def read_event(reply: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    """Return the id and the data of the next event of a stream."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE):
        while True:
            line = (await reply.content.readline()).decode().rstrip("\n")
            if not line and "data" in fields:
                return fields["id"], orjson.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value


async def happen(count: int) -> None:
    """Store transitions of the test's transactions."""
    for number in range(count):
        await move(f"{number:08}", state="pending")


async def test_event_pages_have_no_gap_and_no_repeat(client: Client) -> None:
    await register(client, *(f"{number:08}" for number in range(5)))
    await happen(5)

    first = (await client.get("/v1/events?limit=3")).json
    second = (await client.get(f"/v1/events?limit=3&after={first['next']}")).json
    third = (await client.get(f"/v1/events?limit=3&after={second['next']}")).json

    assert [one["transaction"] for one in first["events"] + second["events"]] == [
        f"{number:08}" for number in range(5)
    ]
    assert (first["more"], second["more"], third["events"]) == (True, False, [])
    await mine("00000003")
    later = (await client.get(f"/v1/events?after={third['next']}")).json
    assert [one["id"] for one in later["events"]] == ["00000003:2"]


async def test_events_of_one_transaction(client: Client) -> None:
    await register(client, "00000000", "00000001")
    await happen(2)
    await mine("00000001")

    found = (await client.get("/v1/events?transaction=00000001")).json["events"]

    assert [one["state"] for one in found] == ["pending", "mined"]


async def test_stream_sends_events_as_they_are_stored(client: Client) -> None:
    await register(client, "00000000", "00000001")
    async with client.session.get(f"{client.url}/v1/stream") as reply:
        assert reply.content_type == "text/event-stream"
        await eventually(lambda: client.service.feed._streams)
        await happen(2)

        _, first = await read_event(reply)
        _, second = await read_event(reply)

    assert [first["id"], second["id"]] == ["00000000:1", "00000001:1"]


async def test_stream_resumes_after_the_last_event(client: Client) -> None:
    await register(client, *(f"{number:08}" for number in range(500)))
    await happen(2)
    async with client.session.get(f"{client.url}/v1/stream?after=e0") as reply:
        last, _ = await read_event(reply)
    for number in range(2, 500):
        await move(f"{number:08}", state="pending")

    async with client.session.get(
        f"{client.url}/v1/stream?after=e0", headers={"Last-Event-ID": last}
    ) as reply:
        found = [(await read_event(reply))[1]["id"] for _ in range(499)]

    assert found == [f"{number:08}:1" for number in range(1, 500)]


@pytest.mark.parametrize(("query", "start"), [("", b"e2"), ("?after=e1", b"e1")])
async def test_stream_begins_with_its_cursor(client: Client, query: str, start: bytes) -> None:
    await register(client, "00000000", "00000001")
    await happen(2)
    async with (
        asyncio.timeout(PATIENCE),
        client.session.get(f"{client.url}/v1/stream{query}") as reply,
    ):
        beginning = await reply.content.readuntil(b"\n\n")

    # An id without data: no event, but where a browser goes on when the stream ends before one.
    assert beginning == b"retry: 2000\nid: %b\n\n" % start


async def test_stream_lost_before_its_first_event_resumes_without_loss(client: Client) -> None:
    await register(client, "00000000", "00000001")
    await happen(1)
    async with client.session.get(f"{client.url}/v1/stream") as reply:
        beginning = await reply.content.readuntil(b"\n\n")
    start = beginning.decode().partition("id: ")[2].strip()
    await move("00000001", state="pending")

    headers = {"Last-Event-ID": start}
    async with client.session.get(f"{client.url}/v1/stream", headers=headers) as reply:
        _, event = await read_event(reply)

    assert event["id"] == "00000001:1"


async def test_stream_of_one_transaction(client: Client) -> None:
    await register(client, "00000000", "00000001")
    async with client.session.get(f"{client.url}/v1/stream?after=e0&transaction=00000001") as reply:
        await happen(2)

        _, event = await read_event(reply)

    assert event["transaction"] == "00000001"


async def test_stream_loses_no_event_stored_during_a_read() -> None:
    """The signal is set before the stream has read that there is no event yet."""
    gate = threading.Event()
    async with serving(heartbeat_seconds=HOURS) as client:
        await register(client, "00000000")
        # The store is busy: the stream's look and the event come after each other, in one batch.
        busy = asyncio.create_task(Store.run(lambda _: gate.wait()))
        async with client.session.get(f"{client.url}/v1/stream?after=e0") as reply:
            await reply.content.readuntil(b"\n\n")  # the look at the store comes right after it
            moved = asyncio.create_task(happen(1))
            await asyncio.sleep(0)

            gate.set()
            await asyncio.gather(busy, moved)

            _, event = await read_event(reply)

    assert event["id"] == "00000000:1"


async def test_stream_reads_until_no_event_is_left() -> None:
    async with serving(heartbeat_seconds=HOURS) as client:
        keys = [f"{number:08}" for number in range(CHUNK + 1)]
        await register(client, *keys)
        await happen(len(keys))
        async with client.session.get(f"{client.url}/v1/stream?after=e0") as reply:
            found = [(await read_event(reply))[1]["transaction"] for _ in keys]

    assert found == keys


async def test_idle_stream_sends_heartbeats() -> None:
    async with (
        serving(heartbeat_seconds=0.01) as client,
        client.session.get(f"{client.url}/v1/stream") as reply,
        asyncio.timeout(PATIENCE),
    ):
        while await reply.content.readline() != b": heartbeat\n":
            pass


async def test_number_of_streams_is_limited() -> None:
    async with serving(max_streams=1) as client:
        async with client.session.get(f"{client.url}/v1/stream") as reply:
            await reply.content.readline()

            refused = await client.get("/v1/stream")

            assert refused.status == 429
            assert refused.headers["content-type"] == "application/problem+json"
        await eventually(lambda: not client.service.feed._streams)
        async with client.session.get(f"{client.url}/v1/stream") as reply:
            assert reply.status == 200


async def test_client_that_reads_nothing_is_disconnected() -> None:
    ids = [f"{number:08}" for number in range(200)]
    async with serving(send_seconds=0.05) as client:
        # Each event brings four kilobytes along.
        items = [{"id": one, "metadata": {"a": "b" * 4_000}} for one in ids]
        await client.post("/v1/transactions", json=items)
        with socket.create_connection(("127.0.0.1", client.port)) as sock:
            sock.sendall(b"GET /v1/stream?after=e0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await eventually(lambda: client.service.feed._streams)
            while client.service.feed._streams:  # until what the system buffers is full
                for one in ids:
                    await move(one, state="pending")

        assert (await client.get("/healthz")).status == 200


async def test_stream_ends_after_its_token_is_revoked() -> None:
    async with serving(heartbeat_seconds=0.01) as client:
        admin = client.with_token(await make_token("admin"))
        headers = {"Authorization": f"Bearer {await make_token('read')}"}
        reader = next(
            one.id for one in await Store.run(list_tokens) if one.scopes == frozenset(("read",))
        )
        async with client.session.get(f"{client.url}/v1/stream", headers=headers) as reply:
            await reply.content.readline()

            await admin.ask("DELETE", f"/v1/tokens/{reader}")

            await asyncio.wait_for(reply.content.read(), PATIENCE)


@pytest.mark.parametrize("path", ["/v1/stream?after=e1'", "/v1/stream?transaction=no"])
async def test_invalid_stream_parameters_are_refused(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 422


def test_signals_are_removed_after_use() -> None:
    feed = EventSignals()
    with feed.waiting("a"), feed.waiting("a"), feed.stream():
        pass

    assert not feed._waiters
    assert not feed._streams
