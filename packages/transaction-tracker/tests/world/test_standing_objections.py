"""An objection to an end stands until its provider withdraws it, also after a restart."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.store import Store

from .chain import transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


def objecting(database: Path) -> tuple[World, Node, Node]:
    """Return a world whose second provider holds another branch than the first."""
    chain = chain_of(LENGTH)
    first, second = Node(chain.fork(LENGTH, "branch"), "alone"), Node(chain, "honest")
    return World(first, second, database=database), first, second


async def objection_begins(world: World, payment: dict[str, object]) -> None:
    """Wait until the second provider objects to the end of a payment, and take it down."""
    first, second = world.nodes
    await world.reaches(first.chain)
    await world.track(payment)
    first.chain.mine(payment)
    second.chain.mine()
    await world.blocks(2 * CONFIRMATIONS, first.chain, second.chain)
    assert await world.ends(payment) == []
    second.down = True


@pytest.mark.parametrize("change", ["nothing", "order", "key"])
def test_an_objection_stands_after_a_restart(change: str, tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    world, first, second = objecting(tmp_path / "tracker.db")

    async def main() -> None:
        await objection_begins(world, payment)
        await world.stop()
        if change == "key":
            second.url += "/v3/0123456789abcdef0123456789abcdef"
        urls = [first.url, second.url]
        world.reconfigure(*(reversed(urls) if change == "order" else urls))
        await world.start()
        await world.blocks(CONFIRMATIONS, first.chain, second.chain)
        assert await world.ends(payment) == []
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "has not said otherwise since" in str(ready.content)

        assert world.app is not None
        assert world.app.pool is not None
        await world.app.pool.pause("honest.test-1" if change == "order" else "honest.test-2")
        await world.becomes(payment, "confirmed")
        assert await Store.objections() == ()

    world.play(main)


def test_withdrawn_objection_is_deleted(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    world, first, second = objecting(tmp_path / "tracker.db")

    async def main() -> None:
        await objection_begins(world, payment)
        assert [objection.provider for objection in await Store.objections()] == ["honest.test:80"]
        second.down, second.chain = False, first.chain
        await world.blocks(5, first.chain)
        await world.becomes(payment, "confirmed")
        assert await Store.objections() == ()

    world.play(main)


def test_the_objection_of_a_provider_that_was_removed_does_not_count(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    world, first, _second = objecting(tmp_path / "tracker.db")

    async def main() -> None:
        await objection_begins(world, payment)
        await world.stop()
        world.reconfigure(first.url)
        await world.start()
        await world.blocks(CONFIRMATIONS, first.chain)
        await world.becomes(payment, "confirmed")
        assert await Store.objections() == ()

    world.play(main)


def test_objection_is_deleted_with_its_transaction(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    world, first, second = objecting(tmp_path / "tracker.db")

    async def main() -> None:
        await objection_begins(world, payment)
        assert len(await Store.objections()) == 1
        first.chain = second.chain
        second.down = False
        first.chain.wait(transaction("customer", 1, value="0x1"))
        winner = next(iter(first.chain.pool.values()))
        first.chain.mine(winner)
        await world.blocks(2 * CONFIRMATIONS, first.chain)
        await world.becomes(payment, "replaced")
        await asyncio.sleep(1.0)
        assert await Store.objections() == ()

    world.play(main)


def without_status(_params: list[Any], found: Any) -> Any:
    """Return the receipt without its status."""
    return found and {name: value for name, value in found.items() if name != "status"}


def test_recheck_with_a_receipt_without_status_does_not_end_a_contradicted_transaction() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd, honest = Node(chain, "odd"), Node(chain, "honest")
    world = World(odd, honest)
    honest.change["eth_getTransactionReceipt"] = lambda _params, found: (
        found and found | {"status": "0x0"}
    )

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 2)
        assert await world.ends(payment) == []
        for node in (odd, honest):
            node.change["eth_getTransactionReceipt"] = without_status
        await TransactionTracker.recheck(payment["hash"])
        await world.blocks(1)
        assert await world.ends(payment) == []

    world.play(main)
