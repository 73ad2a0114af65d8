"""No key is printed anywhere, whatever fails."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from beamish import GenServer, debug, process, telemetry
from transaction_tracker.providers import EVENTS, PROVIDERS, Pool, ProviderSettings
from transaction_tracker.sources import SourceError

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .conftest import MakePool
from .support import (
    ALL_KEYS,
    PATH,
    SECRET,
    Behaviour,
    Node,
    eventually,
    garbage,
    hang,
    refusing,
    states,
    status,
)


def leaking(_node: Node, _body: Any) -> Any:
    return web.Response(status=500, reason=ALL_KEYS, headers={"Location": f"http://x/{PATH}"})


def cutting(_node: Node, _body: Any) -> Any:
    class CutOff(web.StreamResponse):
        async def write_eof(self, data: bytes = b"") -> None:
            assert self._req is not None
            assert self._req.transport is not None
            self._req.transport.close()

    return CutOff(headers={"Content-Length": "500"})


async def call_until_deadline(pool: Pool, node: Node, clock: Clock) -> None:
    """Send a call; if the node hangs, advance the clock to the deadline."""
    before = node.requests
    task = asyncio.create_task(pool.call("eth_getBalance", "0xab", "latest"))
    if node.behaviour is hang:
        await eventually(lambda: task.done() or node.requests > before)
        await clock.advance_awake(task.done)
    await task


@pytest.fixture
def emitted() -> Iterator[list[Any]]:
    """All events of the providers, while the test runs."""
    found: list[Any] = []
    telemetry.attach_many("emitted", EVENTS, lambda *event: found.append(event))
    yield found
    telemetry.detach("emitted")


@pytest.mark.parametrize(
    "behaviour",
    [
        leaking,
        cutting,
        garbage,
        hang,
        status(429),
        status(302, Location=f"http://{PATH}.invalid/"),
        refusing(-32000, f"project {ALL_KEYS} is over its limit"),
    ],
    ids=["500", "cut", "garbage", "hang", "429", "302", "refusing"],
)
async def test_no_failure_prints_a_key(
    make_pool: MakePool,
    nodes: list[Node],
    behaviour: Behaviour,
    caplog: pytest.LogCaptureFixture,
    emitted: list[Any],
    clock: Clock,
) -> None:
    caplog.set_level(logging.DEBUG)
    pool = await make_pool(nodes[0], deadline=100.0)
    await pool.identity()
    nodes[0].behaviour = behaviour

    for _ in range(4):
        with pytest.raises(SourceError) as caught:
            await call_until_deadline(pool, nodes[0], clock)
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    server = f"{PROVIDERS}.127.0.0.1-1"
    shown = [repr(await debug.get_state(server)), repr(await debug.get_status(server))]
    shown += [repr(process.info(pid)) for pid in process.processes()]
    shown += [repr(pool), str(pool), repr(pool.status()), repr(pool.child_spec()), repr(emitted)]
    assert SECRET not in "".join(shown) + caplog.text
    assert emitted


async def test_crash_report_prints_no_key(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pool = await make_pool(nodes[0])
    await pool.identity()

    with pytest.raises(Exception, match="unknown"):
        await GenServer.call(f"{PROVIDERS}.127.0.0.1-1", "unknown")

    assert "127.0.0.1-1" in caplog.text
    assert SECRET not in caplog.text


async def test_wrong_chain_is_reported_without_a_key(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture, emitted: list[Any]
) -> None:
    nodes[1].chain_id = 5
    pool = await make_pool(*nodes)
    await pool.identity()

    assert states(pool)[1] == "refused"
    assert SECRET not in caplog.text + repr(pool.status()) + repr(emitted)
    assert [event for event, _, _ in emitted].count(
        ("transaction_tracker", "provider", "refused")
    ) == 1


def test_settings_print_no_key() -> None:
    settings = ProviderSettings(f"https://h/{SECRET}", ws_url=f"wss://u:{SECRET}@h/{SECRET}")

    assert SECRET not in f"{settings} {settings!r}"
