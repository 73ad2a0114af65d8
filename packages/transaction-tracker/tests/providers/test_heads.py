"""Hints of new heads over a connection that goes wrong in every way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from beamish import Backoff, Pid, Supervisor, process
from beamish.testing import StartSupervised
from transaction_tracker.domain import Chain, Link
from transaction_tracker.providers import HeadHint, Pool, ProviderSettings, Rhythm

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import (
    PASSWORD,
    PATH,
    PATIENCE,
    QUERY,
    SECRET,
    TOLD,
    USER,
    Node,
    eventually,
    serving,
    status_of,
)

# Nothing of this is reached on any machine: a test that wants it lets the time pass.
SECONDS = 100.0
QUICK = Rhythm(
    block_time=100 * SECONDS,
    ping=SECONDS,
    connect=SECONDS,
    close=0.05,
    backoff=Backoff(initial=0.001, maximum=0.01),
)

Play = Callable[["HeadNode", web.WebSocketResponse], Awaitable[None]]


class HeadNode(Node):
    """A node that also tells of heads, each connection by the next of its plays."""

    def __init__(self, *plays: Play) -> None:
        super().__init__()
        self.plays = list(plays)
        self.connections = 0
        self.closed = 0
        self.ready = asyncio.Event()

    @property
    def ws_url(self) -> str:
        return f"ws://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{PATH}?key={QUERY}"

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        socket = web.WebSocketResponse(autoping=play is not deaf, timeout=0.05)
        await socket.prepare(request)
        try:
            await play(self, socket)
        except ConnectionError:
            pass
        finally:
            self.closed += 1
        return socket


def head(number: int, block_hash: int | None = None) -> dict[str, Any]:
    return {
        "number": hex(number),
        "hash": f"0x{block_hash or number:064x}",
        "parentHash": f"0x{number - 1:064x}",
    }


def notice(result: object) -> dict[str, Any]:
    params = {"subscription": "0x1", "result": result}
    return {"jsonrpc": "2.0", "method": "eth_subscription", "params": params}


async def subscribed(socket: web.WebSocketResponse) -> None:
    request = await socket.receive_json()
    assert request["method"] == "eth_subscribe"
    assert request["params"] == ["newHeads"]
    await socket.send_json({"jsonrpc": "2.0", "id": request["id"], "result": "0x1"})


async def until_closed(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        assert message.type is not WSMsgType.ERROR


def telling(*results: object) -> Play:
    async def play(node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        await node.ready.wait()
        for result in results:
            await socket.send_json(notice(result))
        await until_closed(socket)

    return play


def sending(content: str | bytes) -> Play:
    async def play(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        if isinstance(content, bytes):
            await socket.send_bytes(content)
        else:
            await socket.send_str(content)
        await until_closed(socket)

    return play


async def deaf(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    """Subscribe us, and never answer again, not even a ping or a close."""
    await subscribed(socket)
    await asyncio.Event().wait()


async def mute(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    """Take our subscription, and answer nothing."""
    await until_closed(socket)


async def closing(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    await subscribed(socket)
    await socket.close()


async def cutting(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    await subscribed(socket)
    assert socket._req is not None
    assert socket._req.transport is not None
    socket._req.transport.abort()


async def refusing(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    request = await socket.receive_json()
    error = {"code": -32601, "message": f"no {TOLD} here"}
    await socket.send_json({"jsonrpc": "2.0", "id": request["id"], "error": error})
    await until_closed(socket)


Listen = Callable[..., Awaitable[Pool]]


@pytest.fixture
def listen(start_supervised: StartSupervised) -> Listen:
    async def start(*nodes: HeadNode, to: Pid, rhythm: Rhythm = QUICK) -> Pool:
        settings = [ProviderSettings(node.url, ws_url=node.ws_url) for node in nodes]
        pool = Pool(settings, look_interval=10_000.0, hints=to, rhythm=rhythm)
        await start_supervised(pool.child_spec())
        await pool.identity()
        for node in nodes:
            node.ready.set()
        return pool

    return start


def on(node: HeadNode) -> Any:
    return serving(node, **{PATH: node.socket})


async def test_a_new_head_is_told(listen: Listen, attached: Pid) -> None:
    async with on(HeadNode(telling(head(7)))) as node:
        pool = await listen(node, to=attached)

        hint = await process.receive(timeout=PATIENCE)

        assert hint == HeadHint("127.0.0.1-1", 7, f"0x{7:064x}")
        assert status_of(pool, 1).heads is True
        assert status_of(pool, 1).head == 7


@pytest.mark.parametrize(
    "play",
    [
        deaf,
        mute,
        closing,
        cutting,
        refusing,
        sending("not json"),
        sending("[1]"),
        sending(b"\xff\xfe"),
        sending("x" * (2**20 + 1)),
        telling({"number": "0x1"}),
        telling({"number": "0x" + "f" * 60, "hash": "0x" + "1" * 64, "parentHash": "0x"}),
        telling(None),
    ],
    ids=[
        "deaf",
        "mute",
        "closing",
        "cutting",
        "refusing",
        "no json",
        "no object",
        "no text",
        "too long",
        "no hash",
        "too high",
        "null",
    ],
)
# web3.js#3491, web3.py#3151, #3375: after a reconnect events were lost, or all hung.
async def test_whatever_breaks_the_connection_the_next_one_tells_again(
    listen: Listen, attached: Pid, play: Play, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    async with on(HeadNode(play, play, telling(head(8)))) as node:
        pool = await listen(node, to=attached)
        # The node knows of a connection before our side waits for what comes over it.
        while node.connections < 3 and play in (deaf, mute):
            clock.advance(SECONDS)
            await asyncio.sleep(0.01)

        hint = await process.receive(timeout=PATIENCE)

        assert isinstance(hint, HeadHint)
        assert hint.number == 8
        assert node.connections == 3
        await eventually(lambda: node.closed >= 2 or play is deaf)
        assert pool.status()[0].state == "healthy"
    assert SECRET not in caplog.text


async def test_a_connection_without_heads_is_made_anew(
    listen: Listen, attached: Pid, clock: Clock
) -> None:
    rhythm = Rhythm(block_time=SECONDS, ping=1_000.0, close=0.05, backoff=QUICK.backoff)
    async with on(HeadNode(telling(), telling(head(8)))) as node:
        pool = await listen(node, to=attached, rhythm=rhythm)
        await eventually(lambda: status_of(pool, 1).heads)
        clock.advance(3 * SECONDS)

        assert (await process.receive(timeout=PATIENCE)).number == 8


async def test_a_connection_follows_a_block_time_that_becomes_known_later(
    listen: Listen, attached: Pid, clock: Clock
) -> None:
    rhythm = Rhythm(block_time=3600.0, ping=SECONDS, close=0.05, backoff=QUICK.backoff)
    async with on(HeadNode(telling(), telling(head(8)))) as node:
        pool = await listen(node, to=attached, rhythm=rhythm)
        await eventually(lambda: status_of(pool, 1).heads)

        pool.pace(SECONDS / 10)
        clock.advance(SECONDS)

        assert (await process.receive(timeout=PATIENCE)).number == 8
    assert rhythm.block_time == 3600.0  # the caller's own


async def test_a_connection_with_heads_is_kept(listen: Listen, attached: Pid, clock: Clock) -> None:
    heads = asyncio.Queue[int]()

    async def play(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        reading = asyncio.create_task(until_closed(socket))  # and answering pings
        while number := await heads.get():
            await socket.send_json(notice(head(number)))
        await reading

    rhythm = Rhythm(block_time=SECONDS, ping=10 * SECONDS, close=0.05, backoff=QUICK.backoff)
    async with on(HeadNode(play)) as node:
        pool = await listen(node, to=attached, rhythm=rhythm)
        for number in range(1, 6):
            heads.put_nowait(number)
            await eventually(lambda number=number: status_of(pool, 1).head == number)
            clock.advance(2.5 * SECONDS)  # three without a head would be too many
        heads.put_nowait(0)

        assert status_of(pool, 1).heads
        assert node.connections == 1


async def test_a_port_where_nobody_answers_is_tried_again(listen: Listen, attached: Pid) -> None:
    async def reject(_: web.Request) -> web.Response:
        rejected.append(1)
        return web.Response(status=302, headers={"Location": f"http://{PATH}.invalid/"})

    rejected: list[int] = []
    node = HeadNode(mute)
    async with serving(node, **{PATH: reject}):
        await listen(node, to=attached)

        await eventually(lambda: len(rejected) > 3)


async def test_the_same_head_is_told_once(listen: Listen, attached: Pid) -> None:
    async with on(HeadNode(telling(head(7), head(7), head(7), head(8)))) as node:
        await listen(node, to=attached)

        assert (await process.receive(timeout=PATIENCE)).number == 7
        assert (await process.receive(timeout=PATIENCE)).number == 8


async def test_a_flood_of_heads_is_no_flood_of_hints(listen: Listen, attached: Pid) -> None:
    flood = [head(7, block_hash) for block_hash in range(1, 500)]
    async with on(HeadNode(telling(*flood, head(9)))) as node:
        pool = await listen(node, to=attached)
        await eventually(lambda: status_of(pool, 1).head == 9)

    info = process.info(attached)
    assert info is not None
    assert info.message_queue_len < 10


async def test_heads_of_the_followed_one_count_while_it_tells_any(
    listen: Listen, attached: Pid
) -> None:
    now = asyncio.Event()

    async def later(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        await now.wait()
        await socket.send_json(notice(head(101)))
        await until_closed(socket)

    async with on(HeadNode(later)) as first, on(HeadNode(telling(head(100)))) as second:
        pool = await listen(first, second, to=attached)
        await pool.call("eth_blockNumber")
        second.plays = [telling(head(100))]
        await eventually(lambda: status_of(pool, 1).heads and status_of(pool, 2).heads)
        now.set()

        numbers = {(await process.receive(timeout=PATIENCE, match=_from_first)).number}

    assert numbers == {101}


def _from_first(message: object) -> bool:
    return isinstance(message, HeadHint) and message.provider == "127.0.0.1-1"


async def test_a_head_that_is_told_shows_which_chain_its_provider_holds(
    listen: Listen, attached: Pid
) -> None:
    async with on(HeadNode(telling(head(7)))) as node:
        pool = await listen(node, to=attached)
        await process.receive(timeout=PATIENCE)

        for tip, chain in [(f"0x{7:064x}", "same"), (f"0x{8:064x}", "other")]:
            pool.follows(Chain.of(9, [Link(7, tip, f"0x{6:064x}")]))

            assert status_of(pool, 1).chain == chain


async def test_a_server_that_never_closes_does_not_keep_us() -> None:
    async with on(HeadNode(deaf)) as node:
        settings = ProviderSettings(node.url, ws_url=node.ws_url)
        pool = Pool([settings], rhythm=Rhythm(close=0.05))
        async with Supervisor.running([pool.child_spec()]):
            await eventually(lambda: status_of(pool, 1).heads)
            loop = asyncio.get_running_loop()
            before = loop.time()

        assert loop.time() - before < 2
