"""What those who measure are told."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from beamish import telemetry
from transaction_tracker.providers import EVENTS
from transaction_tracker.providers.events import PAUSED, REQUEST, SWITCHED

from .conftest import MakePool
from .support import Node, refusing, status

Told = list[tuple[tuple[str, ...], Mapping[str, Any], Mapping[str, Any]]]


@pytest.fixture
def told() -> Iterator[Told]:
    found: Told = []
    telemetry.attach_many("told", EVENTS, lambda *event: found.append(event))
    yield found
    telemetry.detach("told")


async def test_every_request_is_told_with_how_it_went(
    make_pool: MakePool, nodes: list[Node], told: Told
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    told.clear()

    await pool.call("eth_blockNumber")
    nodes[0].mood = status(500)
    with pytest.raises(Exception, match="HTTP 500"):
        await pool.call("eth_blockNumber")

    assert [event for event, _, _ in told] == [REQUEST, REQUEST]
    assert [facts["outcome"] for _, _, facts in told] == ["ok", "server"]
    assert all(facts["provider"] == "127.0.0.1-1" for _, _, facts in told)
    assert all(numbers["calls"] == 1 for _, numbers, _ in told)
    assert all(0 < numbers["duration_seconds"] < 5 for _, numbers, _ in told)


async def test_pauses_and_switches_are_told(
    make_pool: MakePool, nodes: list[Node], told: Told
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    await pool.call("eth_blockNumber")
    nodes[0].mood = status(500)

    for _ in range(4):
        await pool.call("eth_blockNumber")

    rare = [one for one in told if one[0] != REQUEST]
    assert rare == [
        (PAUSED, {"duration_seconds": 60.0}, {"provider": "127.0.0.1-1", "error": "server"}),
        (
            SWITCHED,
            {"count": 1},
            {"provider": "127.0.0.1-2", "previous": "127.0.0.1-1", "reason": "paused"},
        ),
    ]


async def test_events_have_the_keys_that_they_say(
    make_pool: MakePool, nodes: list[Node], told: Told
) -> None:
    nodes[2].chain_id = 5
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")
    nodes[1].mood = refusing(3, "reverted", "eth_call")
    with pytest.raises(Exception, match="reverted"):
        await pool.call("eth_call")

    assert {event for event, _, _ in told} == EVENTS.keys()
    for event, numbers, facts in told:
        assert EVENTS[event].measurements == tuple(numbers)
        assert EVENTS[event].metadata == tuple(facts)
