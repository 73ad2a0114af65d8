"""Faults that are not mended yet: ends that are told wrongly, or that are held for too long."""

from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import TransactionTracker

from .chain import transaction
from .node import Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
MANY = 120  # ends in one block from which on its receipts are asked for all at once


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


@pytest.mark.xfail(
    strict=True,
    reason="from 100 ends in a block on only eth_getBlockReceipts is asked, also of a provider "
    "without that method",
)
@pytest.mark.parametrize("odd", [0, 1])
def test_many_ends_are_told_where_one_provider_lacks_block_receipts(odd: int) -> None:
    payments = [transaction(f"customer-{number}", 1) for number in range(MANY)]
    chain = chain_of(LENGTH)
    nodes = [Node(chain, "first"), Node(chain, "second")]

    def refuse(_params: list[Any], _found: Any) -> Any:
        raise RpcError(-32601, "the method eth_getBlockReceipts does not exist/is not available")

    nodes[odd].change["eth_getBlockReceipts"] = refuse
    world = World(*nodes)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(*payments)
        chain.mine(*payments)
        await world.blocks(CONFIRMATIONS + 2)
        assert [await world.ends(payment) for payment in payments] == [["confirmed"]] * MANY

    world.play(main)
