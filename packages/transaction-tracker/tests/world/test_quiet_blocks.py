"""Blocks without a transition share a database transaction, and are never lost (rule 11.10)."""

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

from transaction_tracker.domain import BlockRef
from transaction_tracker.store import DatabaseFailedError, Step, Store, Stored

from .chain import Chain, Json, transaction
from .node import Node
from .world import World, chain_of

LENGTH = 100
MISSED = 100
BEFORE = 40  # missed blocks before the block with the payment


def missed(chain: Chain, item: Json) -> None:
    chain.grow(BEFORE)
    chain.mine(item)
    chain.grow(MISSED - BEFORE - 1)


async def stop_behind(world: World, chain: Chain, item: Json) -> None:
    """Grow a chain while the application does not run."""
    await world.start()
    await world.reaches(chain)
    await world.track(item)
    await world.stop()
    missed(chain, item)


def test_missed_blocks_are_written_in_few_database_transactions(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    world = World(Node(chain), database=tmp_path / "world.db")
    applied: list[Step] = []
    commit = Store.commit

    async def counted(step: Step) -> Stored:
        if step.applied is not None:
            applied.append(step)
        return await commit(step)

    async def main() -> None:
        await stop_behind(world, chain, payment)
        with mock.patch.object(Store, "commit", staticmethod(counted)):
            await world.start()
            await world.becomes(payment, "confirmed")
        # One with the block of the payment, and one with the last block.
        assert [len(step.quiet) for step in applied] == [BEFORE, MISSED - BEFORE - 2]
        await world.stop()

    world.simulate(main)


def test_blocks_are_applied_again_after_a_failure_in_between(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    world = World(Node(chain), database=tmp_path / "world.db")
    commit = Store.commit
    failures: set[BlockRef] = set()

    async def failing(step: Step) -> Stored:
        if step.applied is not None and step.applied.ref not in failures:
            failures.add(step.applied.ref)
            raise DatabaseFailedError("the disk is full")
        return await commit(step)

    async def main() -> None:
        await stop_behind(world, chain, payment)
        with mock.patch.object(Store, "commit", staticmethod(failing)):
            await world.start()
            await world.becomes(payment, "confirmed")
        assert len(failures) == 2
        assert await world.history(payment) == ["mined", "confirmed"]
        numbers = [link.number for link in await Store.links("ethereum:1")]
        assert numbers == list(range(numbers[0], LENGTH + MISSED + 1))
        await world.stop()

    world.simulate(main)


def test_quiet_blocks_are_stored_before_a_block_without_receipts(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node, database=tmp_path / "world.db")

    def silent(_params: list[Any], _result: Any) -> Any:
        node.down = True  # the next request fails
        return None

    async def main() -> None:
        await stop_behind(world, chain, payment)
        node.change["eth_getTransactionReceipt"] = silent
        await world.start()
        await asyncio.sleep(30.0)
        assert world.app is not None
        assert world.app.tip is not None
        assert world.app.tip.number == LENGTH + BEFORE

        node.change.clear()
        node.down = False
        await world.becomes(payment, "confirmed")
        await world.stop()

    world.simulate(main)
