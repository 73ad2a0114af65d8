"""Hints of new heads over connections that fail in every way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from beamish import Backoff, Pid, Supervisor, process
from beamish.testing import StartSupervised
from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.providers import (
    HeadHint,
    Pool,
    ProviderSettings,
    SubscriptionTimeouts,
    hints,
)

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import (
    ALL_KEYS,
    PASSWORD,
    PATH,
    QUERY,
    SECRET,
    TIMEOUT_SECONDS,
    USER,
    Node,
    eventually,
    serving,
    status_of,
)

# Longer than any test takes: a test that needs a timeout advances the clock.
SECONDS = 100.0
QUICK = SubscriptionTimeouts(
    block_time=100 * SECONDS,
    ping=SECONDS,
    connect=SECONDS,
    close=0.05,
    backoff=Backoff(initial=0.001, maximum=0.01),
)

Script = Callable[["HeadNode", web.WebSocketResponse], Awaitable[None]]


class HeadNode(Node):
    """A node that also announces heads: each connection runs the next of its scripts."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__()
        self.scripts = list(scripts)
        self.connections = 0
        self.closed = 0
        self.ready = asyncio.Event()

    @property
    def ws_url(self) -> str:
        return f"ws://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{PATH}?key={QUERY}"

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        socket = web.WebSocketResponse(autoping=script is not deaf, timeout=0.05)
        await socket.prepare(request)
        try:
            await script(self, socket)
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


def notification(result: object) -> dict[str, Any]:
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


def announcing(*results: object) -> Script:
    async def script(node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        await node.ready.wait()
        for result in results:
            await socket.send_json(notification(result))
        await until_closed(socket)

    return script


def sending(content: str | bytes) -> Script:
    async def script(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        if isinstance(content, bytes):
            await socket.send_bytes(content)
        else:
            await socket.send_str(content)
        await until_closed(socket)

    return script


async def deaf(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    """Accept the subscription, and never respond again, not even to a ping or a close."""
    await subscribed(socket)
    await asyncio.Event().wait()


async def mute(_node: HeadNode, socket: web.WebSocketResponse) -> None:
    """Read the subscription request, and never respond."""
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
    error = {"code": -32601, "message": f"no {ALL_KEYS} here"}
    await socket.send_json({"jsonrpc": "2.0", "id": request["id"], "error": error})
    await until_closed(socket)


StartPool = Callable[..., Awaitable[Pool]]


@pytest.fixture
def start_pool(start_supervised: StartSupervised) -> StartPool:
    async def start(*nodes: HeadNode, to: Pid, timeouts: SubscriptionTimeouts = QUICK) -> Pool:
        settings = [ProviderSettings(node.url, ws_url=node.ws_url) for node in nodes]
        pool = Pool(settings, probe_interval=10_000.0, hints=to, timeouts=timeouts)
        await start_supervised(pool.child_spec())
        await pool.identity()
        for node in nodes:
            node.ready.set()
        return pool

    return start


def served(node: HeadNode) -> Any:
    return serving(node, **{PATH: node.socket})


async def test_new_head_is_sent_as_a_hint(start_pool: StartPool, attached: Pid) -> None:
    async with served(HeadNode(announcing(head(7)))) as node:
        pool = await start_pool(node, to=attached)

        hint = await process.receive(timeout=TIMEOUT_SECONDS)

        assert hint == HeadHint("127.0.0.1-1", 7, f"0x{7:064x}")
        assert status_of(pool, 1).heads is True
        assert status_of(pool, 1).head == 7


@pytest.mark.parametrize(
    "script",
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
        announcing({"number": "0x1"}),
        announcing({"number": "0x" + "f" * 60, "hash": "0x" + "1" * 64, "parentHash": "0x"}),
        announcing(None),
    ],
    ids=[
        "deaf",
        "mute",
        "closing",
        "cutting",
        "refusing",
        "not json",
        "not an object",
        "not text",
        "too long",
        "no hash",
        "too high",
        "null",
    ],
)
# web3.js#3491, web3.py#3151, #3375: after a reconnect events were lost, or all hung.
async def test_next_connection_sends_hints_again_after_any_failure(
    start_pool: StartPool,
    attached: Pid,
    script: Script,
    caplog: pytest.LogCaptureFixture,
    clock: Clock,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(HeadNode(script, script, announcing(head(8)))) as node:
        pool = await start_pool(node, to=attached)
        # The node counts a connection before the pool waits for messages over it.
        while node.connections < 3 and script in (deaf, mute):
            clock.advance(SECONDS)
            await asyncio.sleep(0.01)

        hint = await process.receive(timeout=TIMEOUT_SECONDS)

        assert isinstance(hint, HeadHint)
        assert hint.number == 8
        # The clock can end a connection that a busy machine is slow to open.
        assert node.connections >= 3
        await eventually(lambda: node.closed >= 2 or script is deaf)
        assert pool.status()[0].state == "healthy"
    assert SECRET not in caplog.text


async def test_connection_without_heads_is_renewed(
    start_pool: StartPool, attached: Pid, clock: Clock
) -> None:
    timeouts = SubscriptionTimeouts(
        block_time=SECONDS, ping=1_000.0, close=0.05, backoff=QUICK.backoff
    )
    async with served(HeadNode(announcing(), announcing(head(8)))) as node:
        pool = await start_pool(node, to=attached, timeouts=timeouts)
        await eventually(lambda: status_of(pool, 1).heads)
        clock.advance(3 * SECONDS)

        assert (await process.receive(timeout=TIMEOUT_SECONDS)).number == 8


async def test_connection_uses_a_block_time_that_is_set_later(
    start_pool: StartPool, attached: Pid, clock: Clock
) -> None:
    timeouts = SubscriptionTimeouts(
        block_time=3600.0, ping=SECONDS, close=0.05, backoff=QUICK.backoff
    )
    async with served(HeadNode(announcing(), announcing(head(8)))) as node:
        pool = await start_pool(node, to=attached, timeouts=timeouts)
        await eventually(lambda: status_of(pool, 1).heads)

        pool.set_block_time(SECONDS / 10)
        clock.advance(SECONDS)

        assert (await process.receive(timeout=TIMEOUT_SECONDS)).number == 8
    assert timeouts.block_time == 3600.0  # the argument is copied


async def test_connection_with_heads_is_kept(
    start_pool: StartPool, attached: Pid, clock: Clock
) -> None:
    heads = asyncio.Queue[int]()

    async def script(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        reading = asyncio.create_task(until_closed(socket))  # which also answers pings
        while number := await heads.get():
            await socket.send_json(notification(head(number)))
        await reading

    timeouts = SubscriptionTimeouts(
        block_time=SECONDS, ping=10 * SECONDS, close=0.05, backoff=QUICK.backoff
    )
    async with served(HeadNode(script)) as node:
        pool = await start_pool(node, to=attached, timeouts=timeouts)
        for number in range(1, 6):
            heads.put_nowait(number)
            await eventually(lambda number=number: status_of(pool, 1).head == number)
            clock.advance(2.5 * SECONDS)  # less than the three block times that end it
        heads.put_nowait(0)

        assert status_of(pool, 1).heads
        assert node.connections == 1


async def test_rejected_connection_is_tried_again(start_pool: StartPool, attached: Pid) -> None:
    async def reject(_: web.Request) -> web.Response:
        rejected.append(1)
        return web.Response(status=302, headers={"Location": f"http://{PATH}.invalid/"})

    rejected: list[int] = []
    node = HeadNode(mute)
    async with serving(node, **{PATH: reject}):
        await start_pool(node, to=attached)

        await eventually(lambda: len(rejected) > 3)


async def test_each_head_is_sent_once(start_pool: StartPool, attached: Pid) -> None:
    async with served(HeadNode(announcing(head(7), head(7), head(7), head(8)))) as node:
        await start_pool(node, to=attached)

        assert (await process.receive(timeout=TIMEOUT_SECONDS)).number == 7
        assert (await process.receive(timeout=TIMEOUT_SECONDS)).number == 8


def queue_length(pid: Pid) -> int:
    info = process.info(pid)
    assert info is not None
    return info.message_queue_len


async def test_many_heads_at_once_cause_few_hints(
    start_pool: StartPool, attached: Pid, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_MIN_INTERVAL_SECONDS", 3_600.0)
    flood = [head(7, block_hash) for block_hash in range(1, 500)]
    async with served(HeadNode(announcing(*flood, head(9)))) as node:
        pool = await start_pool(node, to=attached)
        await eventually(lambda: status_of(pool, 1).head == 9)

    assert queue_length(attached) == 1
    clock.advance(len(flood) * 3_600.0)
    await eventually(lambda: queue_length(attached) > 1)
    assert queue_length(attached) == 2  # one at the end of the interval, for all other heads


async def test_only_heads_of_the_followed_provider_cause_hints(
    start_pool: StartPool, attached: Pid
) -> None:
    now = asyncio.Event()

    async def later(_node: HeadNode, socket: web.WebSocketResponse) -> None:
        await subscribed(socket)
        await now.wait()
        await socket.send_json(notification(head(101)))
        await until_closed(socket)

    async with served(HeadNode(later)) as first, served(HeadNode(announcing(head(100)))) as second:
        pool = await start_pool(first, second, to=attached)
        await pool.call("eth_blockNumber")
        second.scripts = [announcing(head(100))]
        await eventually(lambda: status_of(pool, 1).heads and status_of(pool, 2).heads)
        now.set()

        numbers = {(await process.receive(timeout=TIMEOUT_SECONDS, match=_from_first)).number}

    assert numbers == {101}


def _from_first(message: object) -> bool:
    return isinstance(message, HeadHint) and message.provider == "127.0.0.1-1"


async def test_announced_head_shows_which_chain_its_provider_holds(
    start_pool: StartPool, attached: Pid
) -> None:
    async with served(HeadNode(announcing(head(7)))) as node:
        pool = await start_pool(node, to=attached)
        await process.receive(timeout=TIMEOUT_SECONDS)

        for tip, chain in [(f"0x{7:064x}", "same"), (f"0x{8:064x}", "other")]:
            pool.follows(KeptChain.of(9, [Link(7, tip, f"0x{6:064x}")]))

            assert status_of(pool, 1).chain == chain


async def test_server_that_does_not_close_does_not_delay_the_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(HeadNode(deaf)) as node:
        settings = ProviderSettings(node.url, ws_url=node.ws_url)
        pool = Pool([settings], timeouts=SubscriptionTimeouts(close=0.05))
        async with Supervisor.running([pool.child_spec()]):
            await eventually(lambda: status_of(pool, 1).heads)

    assert "had to kill" not in caplog.text  # its supervisor waits longer than the close may take
