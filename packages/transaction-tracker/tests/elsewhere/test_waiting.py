"""Waits that never ended: for replaced or dropped transactions, and in blocks that were missed."""

import asyncio
import time

import pytest

from transaction_tracker import TransactionTracker

from .support import Network, applied, caught_up, history, reach

QUICKLY = {"drop_after_blocks": 2, "drop_after_seconds": 0.05}


async def test_waits_without_limit_when_replaced(network: Network) -> None:
    """viem#3875, ethers#3385, alloy#2678: the wait for the first hash did not notice the second.

    Here the transaction is superseded by the block that contains the winner.
    """
    async with network.followed():
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        waiter = asyncio.create_task(reach(tx.hash, "terminal"))

        winner = network.chain.replace(tx.hash, "repriced")
        block = await network.first.mine()
        superseded = await reach(tx.hash, "superseded")
        await network.first.mine(2)
        replaced = await waiter

    assert superseded.anchor is not None
    assert superseded.anchor.hash == block.hash
    assert (replaced.state, replaced.superseded_by, replaced.reason) == (
        "replaced",
        winner.hash,
        "repriced",
    )


async def test_waits_without_limit_when_replaced_before_any_node_knew_it(network: Network) -> None:
    """viem#3875: a transaction that was replaced before the first question has no known sender.

    All that can be known about its hash is that no node has it: it is dropped.
    """
    async with network.followed(**QUICKLY) as app:
        tx = network.submit()
        winner = network.chain.replace(tx.hash, "repriced")
        await TransactionTracker.start(tx.hash)
        await TransactionTracker.start(winner.hash)
        await reach(tx.hash, "missing")

        await network.first.mine(3)
        await caught_up(app, network.first)

        assert (await reach(tx.hash, "terminal")).state == "dropped"
        assert (await reach(winner.hash, "terminal")).state == "confirmed"


async def test_waits_without_limit_when_dropped(network: Network) -> None:
    """ethers#4875, viem#3875, web3.js#6328: the wait for a dropped transaction timed out.

    If the transaction is mined later, it is confirmed.
    """
    async with network.followed(**QUICKLY) as app:
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        waiter = asyncio.create_task(reach(tx.hash, "terminal"))

        network.chain.drop(tx.hash)
        await reach(tx.hash, "missing")
        await network.first.mine(3)
        await caught_up(app, network.first)
        dropped = await waiter
        network.chain.add(tx)
        await network.first.mine(3)

        assert dropped.state == "dropped"
        assert (await reach(tx.hash, "confirmed")).final


@pytest.mark.parametrize("known", [True, False])
async def test_waits_without_limit_when_no_block_includes_it(network: Network, known: bool) -> None:
    """web3.js#6328: without a limit in blocks, the promise stayed open.

    Here a deadline ends the wait, also for a transaction that no node knows.
    """
    async with network.followed():
        tx = network.submit()
        if not known:
            network.chain.drop(tx.hash)

        await TransactionTracker.start(tx.hash, deadline=time.time() + 0.2)

        assert (await reach(tx.hash, "terminal")).state == "expired"


async def test_a_missed_block_hangs_the_waiter(network: Network) -> None:
    """alloy#4181: two blocks arrived between two polls, and the first was never read."""
    async with network.followed() as app:
        await caught_up(app, network.first)
        txs = [network.submit(sender) for sender in range(10)]
        for tx in txs:
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")

        with applied() as heights:
            for tx in txs:
                network.chain.drop(tx.hash)
            for tx in txs:
                network.chain.add(tx)
                network.chain.mine()  # without a poll in between
            network.chain.mine(3)
            for tx in txs:
                await reach(tx.hash, "confirmed")
            await caught_up(app, network.first)

    assert heights == list(range(1, 14))


async def test_a_missed_block_hangs_the_waiter_when_a_reorg_brought_it(network: Network) -> None:
    """alloy#3408: the block arrived with a reorganisation between two polls, and was skipped."""
    async with network.followed() as app:
        await network.first.mine(5)
        await caught_up(app, network.first)
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")

        network.chain.reorg(3, "drop", length=2)
        network.chain.mine(4)

        assert (await reach(tx.hash, "terminal")).state == "confirmed"
        assert await history(tx.hash) == ["pending", "mined", "confirmed"]


async def test_a_missed_block_hangs_the_waiter_that_started_after_it(network: Network) -> None:
    """alloy#4194: a transaction that was mined before the wait started was never found."""
    async with network.followed() as app:
        tx = network.submit()
        await network.first.mine(20)
        await caught_up(app, network.first)

        await TransactionTracker.start(tx.hash)

        assert (await reach(tx.hash, "terminal")).state == "confirmed"
