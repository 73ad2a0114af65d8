"""Whatever happens, no key is printed anywhere."""

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
    PATH,
    SECRET,
    TOLD,
    Mood,
    Node,
    eventually,
    garbage,
    hang,
    refusing,
    states,
    status,
)


def telling(_node: Node, _body: Any) -> Any:
    return web.Response(status=500, reason=TOLD, headers={"Location": f"http://x/{PATH}"})


def cutting(_node: Node, _body: Any) -> Any:
    class CutOff(web.StreamResponse):
        async def write_eof(self, data: bytes = b"") -> None:
            assert self._req is not None
            assert self._req.transport is not None
            self._req.transport.close()

    return CutOff(headers={"Content-Length": "500"})


async def asked_in_time(pool: Pool, node: Node, clock: Clock) -> None:
    """Ask, and let the deadline pass where the node hangs."""
    asked = node.requests
    calling = asyncio.create_task(pool.call("eth_getBalance", "0xab", "latest"))
    if node.mood is hang:
        await eventually(lambda: calling.done() or node.requests > asked)
        clock.advance(100.0)
    await calling


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """All events of the providers, while the test runs."""
    found: list[Any] = []
    telemetry.attach_many("told", EVENTS, lambda *event: found.append(event))
    yield found
    telemetry.detach("told")


@pytest.mark.parametrize(
    "mood",
    [
        telling,
        cutting,
        garbage,
        hang,
        status(429),
        status(302, Location=f"http://{PATH}.invalid/"),
        refusing(-32000, f"project {TOLD} is over its limit"),
    ],
    ids=["500", "cut", "garbage", "hang", "429", "302", "refusing"],
)
async def test_no_failure_prints_the_key(
    make_pool: MakePool,
    nodes: list[Node],
    mood: Mood,
    caplog: pytest.LogCaptureFixture,
    told: list[Any],
    clock: Clock,
) -> None:
    caplog.set_level(logging.DEBUG)
    pool = await make_pool(nodes[0], deadline=100.0)
    await pool.identity()
    nodes[0].mood = mood

    for _ in range(4):
        with pytest.raises(SourceError) as caught:
            await asked_in_time(pool, nodes[0], clock)
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    server = f"{PROVIDERS}.127.0.0.1-1"
    shown = [repr(await debug.get_state(server)), repr(await debug.get_status(server))]
    shown += [repr(process.info(pid)) for pid in process.processes()]
    shown += [repr(pool), str(pool), repr(pool.status()), repr(pool.child_spec()), repr(told)]
    assert SECRET not in "".join(shown) + caplog.text
    assert told


async def test_a_crash_report_prints_no_key(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pool = await make_pool(nodes[0])
    await pool.identity()

    with pytest.raises(Exception, match="unknown"):
        await GenServer.call(f"{PROVIDERS}.127.0.0.1-1", "unknown")

    assert "127.0.0.1-1" in caplog.text
    assert SECRET not in caplog.text


async def test_a_wrong_chain_is_told_without_the_key(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture, told: list[Any]
) -> None:
    nodes[1].chain_id = 5
    pool = await make_pool(*nodes)
    await pool.identity()

    assert states(pool)[1] == "refused"
    assert SECRET not in caplog.text + repr(pool.status()) + repr(told)
    assert [event for event, _, _ in told].count(
        ("transaction_tracker", "provider", "refused")
    ) == 1


def test_settings_print_no_key() -> None:
    settings = ProviderSettings(f"https://h/{SECRET}", ws_url=f"wss://u:{SECRET}@h/{SECRET}")

    assert SECRET not in f"{settings} {settings!r}"
