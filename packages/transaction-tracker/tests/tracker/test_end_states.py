"""Each final state, on the development node."""

import pytest

from transaction_tracker import Outcome, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.domain import Execution
from txtrack_devnode import GWEI, DevelopmentNode
from txtrack_devnode.transaction import REPLACEMENTS, Replacement

from .support import PATIENCE, caught_up, history, reach, submit

pytestmark = pytest.mark.usefixtures("app")


async def test_mined_transaction_is_confirmed_at_depth(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")

    block = await node.mine()
    mined = await reach(tx.hash, "mined")
    node.chain.mine(2)
    confirmed = await reach(tx.hash, "terminal")

    assert mined.anchor is not None
    assert (mined.anchor.number, mined.anchor.hash) == (1, block.hash)
    assert confirmed.state == "confirmed"
    assert confirmed.anchor == mined.anchor
    effects = Execution(transfers=()).effects
    assert confirmed.outcome == Outcome(
        succeeded=True, fee=21_000 * (GWEI + GWEI // 10), gas_used=21_000, effects=effects
    )
    assert await history(tx.hash) == ["pending", "mined", "confirmed"]


async def test_reverted_transaction_fails_at_depth_and_not_before(node: DevelopmentNode) -> None:
    tx = submit(node, reverts="no money")
    await TransactionTracker.start(tx.hash)

    await node.mine()
    await reach(tx.hash, "mined_reverted")
    node.chain.mine(2)
    failed = await reach(tx.hash, "terminal")

    assert failed.state == "failed"
    assert failed.outcome is not None
    assert failed.outcome.error == "no money"


@pytest.mark.parametrize("kind", REPLACEMENTS)
async def test_superseded_transaction_is_replaced_at_depth(
    node: DevelopmentNode, kind: Replacement
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    winner = node.chain.replace(tx.hash, kind)

    await node.mine()
    superseded = await reach(tx.hash, "superseded")
    node.chain.mine(2)
    replaced = await reach(tx.hash, "terminal")

    assert (superseded.superseded_by, superseded.reason) == (winner.hash, kind)
    assert replaced.state == "replaced"
    assert (replaced.superseded_by, replaced.reason) == (winner.hash, kind)


async def test_both_rivals_are_tracked_until_they_are_final(node: DevelopmentNode) -> None:
    loser = submit(node)
    await TransactionTracker.start(loser.hash)
    await reach(loser.hash, "pending")
    winner = node.chain.replace(loser.hash, "repriced")
    await TransactionTracker.start(winner.hash)
    await reach(winner.hash, "pending")

    node.chain.mine(3)

    assert (await reach(loser.hash, "terminal")).state == "replaced"
    assert (await reach(winner.hash, "terminal")).state == "confirmed"


async def test_transaction_can_be_tracked_before_it_is_sent(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    node.chain.drop(tx.hash)
    await TransactionTracker.start(tx.hash)
    await node.mine()
    await caught_up(app, node)
    await reach(tx.hash, "missing")

    node.chain.add(tx)
    node.chain.mine(3)

    assert (await reach(tx.hash, "terminal")).state == "confirmed"


async def test_transaction_that_enters_the_pool_late_is_found_without_a_block(
    node: DevelopmentNode,
) -> None:
    tx = submit(node)
    node.chain.drop(tx.hash)
    await TransactionTracker.start(tx.hash)

    node.chain.add(tx)

    assert (await reach(tx.hash, "pending")).slots == (f"{tx.sender}:{tx.nonce}",)


async def test_confirmations_are_computed_when_they_are_read(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    pending = await reach(tx.hash, "pending")
    await node.mine()
    mined = await reach(tx.hash, "mined")
    assert TransactionTracker.confirmations(pending) == 0
    assert TransactionTracker.confirmations(mined) == 1

    node.chain.mine(4)
    await caught_up(app, node)

    assert TransactionTracker.confirmations(await TransactionTracker.status(tx.hash)) == 5


async def test_tracker_stops_when_its_transaction_is_final(node: DevelopmentNode) -> None:
    tx = submit(node)
    pid = await TransactionTracker.start(tx.hash)
    assert TransactionTracker.lookup(tx.hash) == pid

    node.chain.mine(3)
    ended = await reach(tx.hash, "terminal")

    assert TransactionTracker.lookup(tx.hash) is None
    assert await TransactionTracker.status(tx.hash) == ended
    assert await TransactionTracker.wait(tx.hash, timeout=PATIENCE) == ended
