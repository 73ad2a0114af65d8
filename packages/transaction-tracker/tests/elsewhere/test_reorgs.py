"""Confirmations that were computed from heights, and so counted blocks of another branch."""

import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.store import Store
from txtrack_devnode import Transaction
from txtrack_devnode.faults import LaggingHead

from .support import Network, caught_up, eventually, history, reach, states


async def mined(network: Network, blocks: int) -> Transaction:
    """Track a transaction, and mine blocks: it is in the first of them."""
    tx = network.submit()
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    await network.first.mine(blocks)
    await reach(tx.hash, "mined")
    return tx


async def test_confirmations_wrong_after_a_reorg(network: Network) -> None:
    """web3.js#3608: confirmations were counted from the height of the orphaned block.

    Counted from there, the first block of the new branch would make the transaction final.
    """
    async with network.followed() as app:
        await network.first.mine(2)
        tx = await mined(network, 2)
        await caught_up(app, network.first)

        network.chain.reorg(2, "move", length=3)
        await caught_up(app, network.first)
        moved = await TransactionTracker.status(tx.hash)
        counted = TransactionTracker.confirmations(moved)
        await network.first.mine()
        confirmed = await reach(tx.hash, "confirmed")

        place = network.chain.mined(tx.hash)
        assert place is not None
        assert (moved.state, counted) == ("mined", 2)
        assert confirmed.anchor is not None
        assert confirmed.anchor.hash == place.block.hash


async def test_confirmations_wrong_after_a_reorg_that_left_the_transaction_out(
    network: Network,
) -> None:
    """web3.js#3608: a longer branch without the transaction confirmed it."""
    async with network.followed() as app:
        await network.first.mine(2)
        tx = await mined(network, 2)

        network.chain.reorg(2, "pool", length=6)
        await caught_up(app, network.first)
        tracked = await TransactionTracker.status(tx.hash)

        assert (tracked.state, TransactionTracker.confirmations(tracked)) == ("pending", 0)
        await network.first.mine(3)
        await reach(tx.hash, "confirmed")
        assert await history(tx.hash) == ["pending", "mined", "pending", "mined", "confirmed"]


@pytest.mark.parametrize("depth", [1, 2])
async def test_confirmations_wrong_after_a_reorg_that_only_removed_blocks(
    network: Network, depth: int
) -> None:
    """web3.js#3608: a head that goes backwards reduces the confirmations too."""
    async with network.followed() as app:
        await network.first.mine(2)
        tx = await mined(network, 2)
        await caught_up(app, network.first)

        network.chain.rollback(depth)
        await caught_up(app, network.first)
        tracked = await TransactionTracker.status(tx.hash)

        assert TransactionTracker.confirmations(tracked) == 2 - depth
        assert tracked.state == ("mined" if depth == 1 else "pending")
        await network.first.mine(3)
        await reach(tx.hash, "confirmed")


@pytest.mark.parametrize("blocks", [3, 80], ids=["a little", "below all kept blocks"])
async def test_confirmations_wrong_after_a_reorg_that_is_only_a_lagging_node(
    network: Network, blocks: int
) -> None:
    """web3.js#3608: a lower height is not another branch.

    One node dies, and the other lags far behind. By its height alone, final blocks would be undone
    and all deliveries frozen.
    """
    async with network.followed() as app:
        await network.first.mine(blocks)
        tx = await mined(network, 3)
        await reach(tx.hash, "confirmed")
        network.second.faults.inject(LaggingHead(blocks=blocks))

        await network.first.die()
        await eventually(lambda: states(app) == ["paused", "active"])
        asked = network.second.counters["eth_getBlockByNumber"]
        await eventually(lambda: network.second.counters["eth_getBlockByNumber"] > asked + 10)
        kept = app.tip
        network.second.faults.clear()
        network.chain.mine()
        await caught_up(app, network.second)

        assert kept is not None
        assert kept.number == blocks + 3
        assert await history(tx.hash) == ["pending", "mined", "confirmed"]
        assert await Store.frozen() is None


async def test_confirmations_wrong_after_a_reorg_that_replaces_a_final_block(
    network: Network,
) -> None:
    """web3.js#3608: another block in the place of a final one is a finality violation."""
    async with network.followed():
        await network.first.mine(2)
        tx = await mined(network, 3)
        await reach(tx.hash, "confirmed")

        network.chain.rollback(3, "drop")
        network.chain.mine()
        await eventually(lambda: TransactionTracker.lookup(tx.hash) is not None)

        tracked = await TransactionTracker.status(tx.hash)
        assert tracked.state in ("pending", "missing")
        assert tracked.flags == {"finality_violation"}
        assert await Store.frozen() is not None
