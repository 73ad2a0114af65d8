"""Blocks that were mined while the program was down, and that it never read."""

from transaction_tracker import TransactionTracker
from transaction_tracker.store import Store

from .support import Network, applied, caught_up, history, reach

BLOCKS = 300


async def test_blocks_skipped_silently_after_downtime(network: Network) -> None:
    """OpenZeppelin Monitor#394: after a pause, it continued near the head without a message.

    Here all 300 blocks are applied, in order and once each, and their transactions are found.
    """
    async with network.followed() as app:
        await network.first.mine()
        txs = [network.submit(sender) for sender in range(6)]
        for tx in txs:
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        early, reverted, replaced, cancelled, late, never = txs
        await caught_up(app, network.first)
        for tx in txs:
            network.chain.drop(tx.hash)

    network.chain.add(early)
    network.chain.mine(100)
    network.chain.add(reverted)
    network.chain.revert(reverted.hash, "no money")
    network.chain.add(replaced)
    network.chain.add(cancelled)
    winners = [
        network.chain.replace(replaced.hash, "replaced"),
        network.chain.replace(cancelled.hash, "cancelled"),
    ]
    network.chain.mine(BLOCKS - 101)
    network.chain.add(late)
    network.chain.mine(1)

    with applied() as heights:
        async with network.followed() as app:
            await caught_up(app, network.first)
            for tx in (early, reverted, replaced, cancelled):
                await reach(tx.hash, "terminal")
            found = [await TransactionTracker.status(tx.hash) for tx in txs]

    assert heights == list(range(2, BLOCKS + 2))
    assert [tracked.state for tracked in found[:5]] == [
        "confirmed",
        "failed",
        "replaced",
        "replaced",
        "mined",
    ]
    assert [tracked.superseded_by for tracked in found[2:4]] == [winner.hash for winner in winners]
    assert found[5].state in ("pending", "missing")
    assert never.hash == found[5].id


async def test_blocks_skipped_silently_after_downtime_with_a_reorg(network: Network) -> None:
    """OpenZeppelin Monitor#394: the block from which it continued was no longer on the chain."""
    async with network.followed() as app:
        await network.first.mine(3)
        moved, lost = network.submit(0), network.submit(1)
        for tx in (moved, lost):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        await network.first.mine(2)
        for tx in (moved, lost):
            await reach(tx.hash, "mined")
        await caught_up(app, network.first)

    network.chain.reorg(2, "pool", length=2)
    winner = network.chain.replace(lost.hash, "replaced")
    network.chain.mine(BLOCKS)

    with applied() as heights:
        async with network.followed() as app:
            ended = [await reach(tx.hash, "terminal") for tx in (moved, lost)]
            await caught_up(app, network.first)
            frozen = await Store.frozen()
            states = [await history(tx.hash) for tx in (moved, lost)]

    assert heights == list(range(4, BLOCKS + 6))
    assert [tracked.state for tracked in ended] == ["confirmed", "replaced"]
    assert ended[1].superseded_by == winner.hash
    assert states[0] == ["pending", "mined", "pending", "mined", "confirmed"]
    assert states[1] == ["pending", "mined", "pending", "superseded", "replaced"]
    assert frozen is None
