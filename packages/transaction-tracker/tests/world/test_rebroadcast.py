"""Raw transactions that no provider has are sent again, with back-off and a limit."""

import logging
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from beamish import Backoff, process
from transaction_tracker import TransactionTracker
from transaction_tracker.follower import rebroadcaster
from transaction_tracker.follower.rebroadcaster import REBROADCASTER
from transaction_tracker.store import Store
from transaction_tracker.store.broadcasts import MAX_ATTEMPTS
from transaction_tracker.store.schema import broadcasts

from ..signing import SENDER, legacy  # noqa: TID252
from .chain import Chain, transaction
from .clock import now
from .node import Node, RpcError
from .test_raw import PAYMENT, RAW, ready
from .world import BLOCK_SECONDS, CONFIRMATIONS, DROP_BLOCKS, World


def nodes(chain: Chain, *, accept: bool = True) -> list[Node]:
    """Return two nodes that put what they are sent into the pool of a chain."""

    def take(_raw: str) -> str:
        if not chain.pool:
            chain.wait(PAYMENT)
            return str(PAYMENT["hash"])
        raise RpcError(-32000, "already known")

    found = [Node(chain), Node(chain, "two")]
    for node in found if accept else ():
        node.on_send = take
    return found


async def track(**options: Any) -> None:
    await TransactionTracker.start(raw=RAW, **options)


async def is_dropped(world: World) -> None:
    seconds = max(BLOCK_SECONDS, world.settings.poll_interval)
    await world.blocks(5 * DROP_BLOCKS, seconds=seconds)
    await world.becomes(PAYMENT, "dropped")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses: a transaction is sent as often as it may be in one hour, not in five."""
    monkeypatch.setattr(rebroadcaster, "_BACKOFF", Backoff(60.0, maximum=300.0, jitter=0.0))


async def kept() -> int:
    return len(await Store.run(lambda connection: connection.execute(broadcasts.select()).all()))


def test_missing_transaction_is_sent_to_all_providers_until_they_have_it() -> None:
    chain = ready()
    world = World(*nodes(chain), rebroadcast=True)

    async def main() -> None:
        await track()
        await world.becomes(PAYMENT, "missing")
        assert [node.sent for node in world.nodes] == [[], []]
        await world.becomes(PAYMENT, "pending")
        assert [node.sent for node in world.nodes] == [[RAW], [RAW]]
        await world.blocks(20)
        assert [len(node.sent) for node in world.nodes] == [1, 1]
        chain.mine(PAYMENT)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(PAYMENT, "confirmed")
        assert await kept() == 0

    world.play(main)


@pytest.mark.usefixtures("short_pauses")
def test_dropped_transaction_is_sent_less_and_less_often_up_to_a_limit() -> None:
    chain = ready()
    world = World(*nodes(chain, accept=False), rebroadcast=True, poll_interval=60.0)
    times: list[float] = []

    def refuse(_raw: str) -> str:
        times.append(now())
        raise RpcError(-32000, "unknown")

    world.nodes[0].on_send = refuse

    async def main() -> None:
        await track()
        await is_dropped(world)
        assert 1 <= len(world.nodes[0].sent) < MAX_ATTEMPTS
        await world.blocks(30, seconds=100.0)
        assert [len(node.sent) for node in world.nodes] == [MAX_ATTEMPTS, MAX_ATTEMPTS]
        pauses = [later - sooner for sooner, later in pairwise(times)]
        # It looks every 15 s what is due.
        assert pauses[:4] == pytest.approx([60.0, 120.0, 240.0, 300.0], abs=20.0)
        assert await world.ends(PAYMENT) == ["dropped"]

    world.play(main)


def test_dropped_transaction_comes_back_to_life() -> None:
    chain = ready()
    world = World(*nodes(chain, accept=False), rebroadcast=True)

    async def main() -> None:
        await track()
        await is_dropped(world)
        for node in world.nodes:
            node.on_send = nodes(chain)[0].on_send
        await world.becomes(PAYMENT, "pending", within=4_000.0)

    world.play(main)


@pytest.mark.parametrize(
    ("settings", "options"),
    [({}, {}), ({"rebroadcast": True}, {"rebroadcast": False})],
    ids=["service", "registration"],
)
def test_nothing_is_sent_or_stored_unless_it_is_wanted(
    settings: dict[str, Any], options: dict[str, Any]
) -> None:
    chain = ready()
    world = World(*nodes(chain), **settings)

    async def main() -> None:
        await track(**options)
        await is_dropped(world)
        assert await kept() == 0
        assert [node.sent for node in world.nodes] == [[], []]

    world.play(main)


def test_wish_is_refused_by_a_service_that_does_not_send() -> None:
    world = World(*nodes(ready()))

    async def main() -> None:
        with pytest.raises(ValueError, match="does not send transactions"):
            await track(rebroadcast=True)

    world.play(main)


def test_transaction_is_not_sent_once_its_nonce_is_used_or_it_has_expired() -> None:
    chain = ready()
    world = World(*nodes(chain, accept=False), rebroadcast=True)

    async def main() -> None:
        await track(deadline=time.time() + 50.0)
        await world.blocks(2 * DROP_BLOCKS)
        await world.becomes(PAYMENT, "expired")
        assert await kept() == 0
        assert world.nodes[0].sent == []
        await TransactionTracker.start(raw=legacy(6, SENDER))
        chain.mine(transaction(SENDER, 5), transaction(SENDER, 6))
        await world.blocks(CONFIRMATIONS)
        assert await kept() == 0
        assert world.nodes[0].sent == []

    world.play(main)


@pytest.mark.usefixtures("short_pauses")
def test_attempts_are_counted_over_a_restart(tmp_path: Path) -> None:
    chain = ready()
    world = World(
        *nodes(chain, accept=False),
        database=tmp_path / "sent.db",
        rebroadcast=True,
        poll_interval=60.0,
    )

    async def main() -> None:
        await world.start()
        await track()
        await is_dropped(world)
        sent = len(world.nodes[0].sent)
        await world.stop()
        await world.start()
        await world.blocks(1)
        assert len(world.nodes[0].sent) <= sent + 1
        await world.blocks(30, seconds=100.0)
        assert len(world.nodes[0].sent) == MAX_ATTEMPTS

    world.simulate(main)


@pytest.mark.parametrize("code", [-32000, -32603, -32005])
def test_raw_transaction_is_in_no_log_or_status(
    caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Also if a provider repeats it, and if the process that sends it crashes."""
    chain = ready()
    world = World(*nodes(chain), rebroadcast=True)

    def repeat(raw: str) -> str:
        raise RpcError(code, f"I do not like {raw}")

    for node in world.nodes:
        node.on_send = repeat

    async def main() -> None:
        await track()
        await is_dropped(world)
        pid = process.whereis(REBROADCASTER)
        assert pid is not None
        process.exit(pid, "kill")
        await world.blocks(30)
        assert world.nodes[0].sent
        assert world.app is not None
        assert world.app.pool is not None
        assert RAW[2:60] not in str(world.app.pool.status())

    with caplog.at_level(logging.DEBUG):
        world.play(main)

    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "again: 0 of 2 providers have it" in text
    assert RAW[2:60] not in text
