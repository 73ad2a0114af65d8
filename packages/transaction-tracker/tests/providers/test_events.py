"""Telemetry events of the providers."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from beamish import telemetry
from transaction_tracker.providers import EVENTS
from transaction_tracker.providers.events import PAUSED, REQUEST, SWITCHED

from .conftest import MakePool
from .support import Node, refusing, status

Emitted = list[tuple[tuple[str, ...], Mapping[str, Any], Mapping[str, Any]]]


@pytest.fixture
def emitted() -> Iterator[Emitted]:
    found: Emitted = []
    telemetry.attach_many("emitted", EVENTS, lambda *event: found.append(event))
    yield found
    telemetry.detach("emitted")


async def test_each_request_emits_an_event_with_its_outcome(
    make_pool: MakePool, nodes: list[Node], emitted: Emitted
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    emitted.clear()

    await pool.call("eth_blockNumber")
    nodes[0].behaviour = status(500)
    with pytest.raises(Exception, match="HTTP 500"):
        await pool.call("eth_blockNumber")

    assert [event for event, _, _ in emitted] == [REQUEST, REQUEST]
    assert [facts["outcome"] for _, _, facts in emitted] == ["ok", "server"]
    assert all(facts["provider"] == "127.0.0.1-1" for _, _, facts in emitted)
    assert all(numbers["calls"] == 1 for _, numbers, _ in emitted)
    assert all(0 < numbers["duration_seconds"] < 5 for _, numbers, _ in emitted)


async def test_pauses_and_switches_emit_events(
    make_pool: MakePool, nodes: list[Node], emitted: Emitted
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    await pool.call("eth_blockNumber")
    nodes[0].behaviour = status(500)

    for _ in range(4):
        await pool.call("eth_blockNumber")

    rare = [event for event in emitted if event[0] != REQUEST]
    assert rare == [
        (PAUSED, {"duration_seconds": 60.0}, {"provider": "127.0.0.1-1", "error": "server"}),
        (
            SWITCHED,
            {"count": 1},
            {"provider": "127.0.0.1-2", "previous": "127.0.0.1-1", "reason": "paused"},
        ),
    ]


async def test_events_have_their_documented_keys(
    make_pool: MakePool, nodes: list[Node], emitted: Emitted
) -> None:
    nodes[2].chain_id = 5
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")
    nodes[1].behaviour = refusing(3, "reverted", "eth_call")
    with pytest.raises(Exception, match="reverted"):
        await pool.call("eth_call")

    assert {event for event, _, _ in emitted} == EVENTS.keys()
    for event, numbers, facts in emitted:
        assert EVENTS[event].measurements == tuple(numbers)
        assert EVENTS[event].metadata == tuple(facts)
