"""Faults that are not mended yet: ends that are told wrongly, or that are held for too long."""

from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import TransactionTracker

from .chain import transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


def without_status(_params: list[Any], found: Any) -> Any:
    """Answer with a receipt that has no status."""
    return found and {name: value for name, value in found.items() if name != "status"}


@pytest.mark.xfail(
    strict=True,
    reason="an inclusion without a status keeps the outcome that is stored, and is not compared",
)
def test_a_recheck_by_a_receipt_without_status_ends_nothing_that_is_contradicted() -> None:
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


def test_a_restart_withdraws_no_objection(tmp_path: Path) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH, "branch")
    honest = Node(chain, "honest")
    world = World(Node(branch, "alone"), honest, database=tmp_path / "txtrack.sqlite3")

    async def main() -> None:
        await world.start()
        await world.reaches(branch)
        await world.track(payment)
        branch.mine(payment)
        chain.mine()
        await world.blocks(2 * CONFIRMATIONS, chain, branch)
        assert await world.ends(payment) == []
        honest.down = True
        await world.stop()
        await world.start()
        await world.blocks(5, chain, branch)
        assert await world.ends(payment) == []

    world.simulate(main)
