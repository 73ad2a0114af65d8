"""Reorganisations, on the development node."""

from transaction_tracker import TransactionTracker, TransactionTrackerApplication
from transaction_tracker.domain import MARGIN
from txtrack_devnode import DevelopmentNode, Transaction
from txtrack_devnode.faults import LaggingHead

from .support import caught_up, eventually, history, reach, submit


async def mined(node: DevelopmentNode, **options: object) -> Transaction:
    """Track a transaction until it is in a block."""
    await node.mine()
    tx = submit(node, **options)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    await node.mine()
    await reach(tx.hash, "mined_reverted" if options.get("reverts") else "mined")
    return tx


async def test_reorganised_transaction_is_mined_again(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)

    node.chain.reorg(1, "pool")
    await reach(tx.hash, "pending")
    await node.mine()
    await reach(tx.hash, "mined")
    node.chain.mine(2)
    await reach(tx.hash, "confirmed")

    assert await history(tx.hash) == ["pending", "mined", "pending", "mined", "confirmed"]


async def test_transaction_moves_to_another_block(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)

    node.chain.reorg(1, "move")
    await caught_up(app, node)
    moved = await TransactionTracker.status(tx.hash)

    place = node.chain.mined(tx.hash)
    assert place is not None
    assert moved.state == "mined"
    assert moved.anchor is not None
    assert (moved.anchor.number, moved.anchor.hash) == (place.block.number, place.block.hash)


async def test_confirmations_restart_after_a_move(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)
    await node.mine()
    node.chain.reorg(2, "move")
    await caught_up(app, node)

    # Counted from its first block, it would be deep enough now.
    tracked = await TransactionTracker.status(tx.hash)
    assert tracked.state == "mined"
    assert TransactionTracker.confirmations(tracked) == 2

    await node.mine()
    await reach(tx.hash, "confirmed")


async def test_other_block_at_the_same_height_is_detected_at_once(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)

    node.chain.reorg(1, "drop", length=1)

    await reach(tx.hash, "pending")


async def test_reverted_transaction_succeeds_in_another_block(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node, reverts="too early")
    node.chain.revert(tx.hash, None)

    node.chain.reorg(1, "move")
    node.chain.mine(3)

    assert (await reach(tx.hash, "terminal")).state == "confirmed"


async def test_reorganised_transaction_is_cancelled(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)
    node.chain.reorg(1, "pool")
    await reach(tx.hash, "pending")

    winner = node.chain.replace(tx.hash, "cancelled")
    node.chain.mine(3)
    ended = await reach(tx.hash, "terminal")

    assert (ended.state, ended.reason, ended.superseded_by) == (
        "replaced",
        "cancelled",
        winner.hash,
    )


async def test_reorganised_winner_frees_the_slot(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    node.chain.replace(tx.hash, "replaced")
    await node.mine()
    await reach(tx.hash, "superseded")

    node.chain.reorg(1, "drop")
    await reach(tx.hash, "pending")
    node.chain.add(tx)
    node.chain.mine(3)
    ended = await reach(tx.hash, "terminal")

    assert (ended.state, ended.superseded_by, ended.reason) == ("confirmed", None, None)


async def test_head_that_goes_back_undoes_its_blocks(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)

    node.chain.rollback(1)

    await reach(tx.hash, "pending")
    await caught_up(app, node)


async def test_deep_branch_is_undone_and_applied_in_order(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    await node.mine()
    node.chain.mine(40)
    await caught_up(app, node)

    node.chain.reorg(40)

    await caught_up(app, node)
    blocks = [node.chain.block(number) for number in range(43)]
    assert node.chain.head.number == 42
    assert app.tip is not None
    assert app.tip.hash == blocks[-1].hash  # type: ignore[union-attr]


async def test_fork_below_all_kept_blocks_is_followed(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)
    other = submit(node, 1)
    node.chain.drop(other.hash)
    await TransactionTracker.start(other.hash)
    # Mine until block 1 is not kept. The first transaction is final then, so a second one, near
    # the top, is tracked too.
    node.chain.mine(MARGIN + 10)
    await caught_up(app, node)
    await reach(tx.hash, "confirmed")
    late = submit(node, 2)
    await TransactionTracker.start(late.hash)
    await node.mine()
    await reach(late.hash, "mined")

    node.chain.reorg(node.chain.head.number - 1, "move")
    node.chain.mine(3)
    await caught_up(app, node)

    assert (await reach(late.hash, "terminal")).state == "confirmed"
    assert (await TransactionTracker.status(tx.hash)).state == "confirmed"
    assert (await TransactionTracker.status(other.hash)).state == "missing"


async def test_one_lagging_head_changes_no_transaction(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await mined(node)
    await node.mine()
    await caught_up(app, node)
    # The next answers come from a node that does not have the transaction's block.
    lagging = LaggingHead(blocks=2, times=2, methods=frozenset(("eth_getBlockByNumber",)))
    node.faults.inject(lagging)
    await eventually(lambda: node.faults.counts[lagging.name] == 2)

    node.chain.mine(1)
    await reach(tx.hash, "confirmed")

    assert await history(tx.hash) == ["pending", "mined", "confirmed"]
