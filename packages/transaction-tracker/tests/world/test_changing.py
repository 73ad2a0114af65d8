"""A change of what is required reaches the tracker, the depth and the deadline."""

import asyncio
import time
from pathlib import Path

import pytest

from beamish import process
from transaction_tracker import EndedError, TransactionTracker
from transaction_tracker.tracker import FOLLOWER

from .chain import Chain, Json, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

PAYMENT = transaction("customer", 5)


async def in_block(world: World, chain: Chain, **options: int) -> None:
    await world.track(PAYMENT, **options)
    chain.mine(PAYMENT)
    await world.becomes(PAYMENT, "mined")


async def change(item: Json = PAYMENT, **fields: object) -> None:
    await TransactionTracker.change(item["hash"], **fields)  # type: ignore[arg-type]


def test_fewer_confirmations_than_reached_end_it_without_a_new_block() -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await in_block(world, chain, confirmations=100)
        # By now, the source is asked about it only every few minutes.
        await world.blocks(30)
        await change(confirmations=3)
        await world.becomes(PAYMENT, "confirmed", within=15.0)
        assert await world.ends(PAYMENT) == ["confirmed"]

    world.play(main)


def test_more_confirmations_delay_the_end() -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await in_block(world, chain)
        await world.blocks(CONFIRMATIONS - 3)
        await change(confirmations=CONFIRMATIONS + 5)
        await world.blocks(5)
        assert (await world.status(PAYMENT)).state == "mined"
        await world.blocks(4)
        await world.becomes(PAYMENT, "confirmed")
        with pytest.raises(EndedError):
            await change(confirmations=1)

    world.play(main)


def test_new_deadline_replaces_the_old_one() -> None:
    chain = chain_of(100)
    late, kept = transaction("customer", 5), transaction("customer", 6)
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        chain.wait(late, kept)
        await world.track(late)
        await world.track(kept, deadline=time.time() + 60.0)
        await world.becomes(late, "pending")
        await change(kept, deadline=None)
        await change(late, deadline=time.time() + 30.0)
        await world.blocks(10)
        await world.becomes(late, "expired")
        assert (await world.status(kept)).state == "pending"

    world.play(main)


def test_change_reaches_a_tracker_and_a_follower_that_are_restarting() -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await in_block(world, chain)
        await world.blocks(4)
        tracker, follower = TransactionTracker.lookup(PAYMENT["hash"]), process.whereis(FOLLOWER)
        assert tracker is not None
        assert follower is not None
        changing = asyncio.ensure_future(change(confirmations=3))
        process.exit(tracker, "kill")
        process.exit(follower, "kill")
        await changing
        await world.becomes(PAYMENT, "confirmed", within=60.0)

    world.play(main)


def test_change_survives_a_restart(tmp_path: Path) -> None:
    chain = chain_of(100)
    world = World(Node(chain), database=tmp_path / "change.db")

    async def main() -> None:
        await world.start()
        await in_block(world, chain)
        await change(confirmations=CONFIRMATIONS + 8)
        await world.stop()
        await world.start()
        await world.blocks(CONFIRMATIONS + 2)
        assert (await world.status(PAYMENT)).state == "mined"
        await world.blocks(6)
        await world.becomes(PAYMENT, "confirmed")

    world.simulate(main)
