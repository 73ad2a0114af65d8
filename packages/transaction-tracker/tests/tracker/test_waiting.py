"""Transactions in no block: missing, dropped, expired, untracked, flagged."""

import time

import pytest

from beamish import Registry
from transaction_tracker import (
    NotTrackedError,
    ProviderSettings,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.tracker import REGISTRY
from txtrack_devnode import GWEI, DevelopmentNode, Transaction
from txtrack_devnode.faults import LaggingHead, StaleNull

from .support import caught_up, eventually, history, reach, submit

IMPATIENT = {"drop_after_blocks": 2, "drop_after_seconds": 0.0, "stuck_after": 0.0}
UNMINABLE = {"max_fee": GWEI // 2, "priority_fee": 0}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.replace(**IMPATIENT)


async def lost(node: DevelopmentNode) -> Transaction:
    """Return a transaction that the node knew and then dropped."""
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    node.chain.drop(tx.hash)
    await TransactionTracker.recheck(tx.hash)
    await reach(tx.hash, "missing")
    return tx


async def dropped(node: DevelopmentNode) -> Transaction:
    tx = await lost(node)
    node.chain.mine(2)
    await reach(tx.hash, "terminal")
    return tx


@pytest.mark.usefixtures("app")
async def test_transaction_missing_for_long_is_dropped_and_still_tracked(
    node: DevelopmentNode,
) -> None:
    tx = await dropped(node)

    tracked = await TransactionTracker.status(tx.hash)

    assert tracked.state == "dropped"
    assert not tracked.final
    assert TransactionTracker.lookup(tx.hash) is not None
    assert (await history(tx.hash))[-2:] == ["missing", "dropped"]


@pytest.mark.usefixtures("app")
async def test_dropped_transaction_is_confirmed_when_it_is_mined(
    node: DevelopmentNode,
) -> None:
    tx = await dropped(node)

    node.chain.add(tx)
    node.chain.mine(3)

    await reach(tx.hash, "confirmed")


async def test_missing_transaction_is_not_dropped_before_drop_blocks(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = await lost(node)
    asked = node.counters["eth_getTransactionByHash"]

    await node.mine()
    await caught_up(app, node)
    await TransactionTracker.recheck(tx.hash)
    await eventually(lambda: node.counters["eth_getTransactionByHash"] > asked)

    assert (await TransactionTracker.status(tx.hash)).state == "missing"


async def test_transaction_known_to_another_provider_is_not_dropped(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with DevelopmentNode(chain=node.chain) as other:
        both = (ProviderSettings(SecretUrl(node.url)), ProviderSettings(SecretUrl(other.url)))
        settings = settings.replace(rpc_url=None, providers=both)
        async with TransactionTrackerApplication(settings) as app:
            tx = submit(node)
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
            node.faults.inject(StaleNull(about=tx.hash))
            # It is never mined; the other provider keeps it in its pool.
            node.chain.base_fee = 10 * GWEI
            node.chain.mine(5)
            await caught_up(app, node)

            for _ in range(3):
                asked = other.counters["eth_getTransactionByHash"]
                await TransactionTracker.recheck(tx.hash)
                await eventually(
                    lambda asked=asked: other.counters["eth_getTransactionByHash"] > asked
                )
            assert await history(tx.hash) == ["pending"]


async def test_null_of_a_lagging_node_is_not_absence(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    node.chain.mine(3)
    await caught_up(app, node)
    node.faults.inject(LaggingHead(blocks=2))
    tx = submit(node)
    node.chain.drop(tx.hash)

    await TransactionTracker.start(tx.hash)
    await eventually(lambda: node.counters["eth_getTransactionByHash"] > 0)

    assert (await TransactionTracker.status(tx.hash)).state == "registered"


@pytest.mark.usefixtures("app")
async def test_transaction_in_no_block_expires_at_its_deadline(node: DevelopmentNode) -> None:
    tx = submit(node, **UNMINABLE)

    await TransactionTracker.start(tx.hash, deadline=time.time() + 0.2)

    expired = await reach(tx.hash, "terminal")
    assert expired.state == "expired"
    await eventually(lambda: TransactionTracker.lookup(tx.hash) is None)


async def test_default_deadline_is_used_without_an_own_deadline(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with TransactionTrackerApplication(settings.replace(expires_after=0.1)):
        tx = submit(node, **UNMINABLE)
        await TransactionTracker.start(tx.hash)

        await reach(tx.hash, "expired")


@pytest.mark.usefixtures("app")
async def test_untracked_transaction_can_be_started_again(
    node: DevelopmentNode,
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")

    stopped = await TransactionTracker.untrack(tx.hash)

    assert stopped.state == "untracked"
    assert await TransactionTracker.untrack(tx.hash) == stopped
    await eventually(lambda: TransactionTracker.lookup(tx.hash) is None)
    await node.mine()

    await TransactionTracker.start(tx.hash)

    await reach(tx.hash, "mined")
    assert (await history(tx.hash))[:3] == ["pending", "untracked", "registered"]


async def test_transaction_superseded_while_untracked_is_replaced(
    node: DevelopmentNode, app: TransactionTrackerApplication
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    await TransactionTracker.untrack(tx.hash)
    winner = node.chain.replace(tx.hash, "cancelled")
    await node.mine()
    await caught_up(app, node)

    await TransactionTracker.start(tx.hash)
    superseded = await reach(tx.hash, "superseded")
    node.chain.mine(2)

    assert (superseded.superseded_by, superseded.reason) == (winner.hash, "cancelled")
    await reach(tx.hash, "replaced")


@pytest.mark.usefixtures("app")
async def test_untracking_a_finished_transaction_changes_nothing(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    node.chain.mine(3)
    confirmed = await reach(tx.hash, "confirmed")

    assert await TransactionTracker.untrack(tx.hash) == confirmed


@pytest.mark.usefixtures("app")
async def test_untracking_an_unregistered_transaction_raises() -> None:
    with pytest.raises(NotTrackedError):
        await TransactionTracker.untrack("0x" + "9" * 64)


@pytest.mark.usefixtures("app")
async def test_flags_are_set_while_pending_and_cleared_when_mined(
    node: DevelopmentNode,
) -> None:
    cheap, ahead = submit(node, 0, **UNMINABLE), submit(node, 1, nonce=3)
    for tx in (cheap, ahead):
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")

    await flagged(cheap, {"stuck", "underpriced"})
    await flagged(ahead, {"stuck", "nonce_gap"})
    for nonce in range(3):
        submit(node, 1, nonce=nonce)
    await flagged(ahead, {"stuck"})
    await node.mine()

    assert (await reach(ahead.hash, "mined")).flags == frozenset()


async def flagged(tx: Transaction, flags: set[str]) -> None:
    context = Registry.meta(REGISTRY, "context")
    await TransactionTracker.recheck(tx.hash)
    await eventually(lambda: context.open_transactions.get(tx.hash).flags == flags)


async def test_repricing_transaction_is_tracked_with_follow_repriced(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with TransactionTrackerApplication(settings.replace(follow_repriced=True)):
        repriced, cancelled = submit(node, 0), submit(node, 1)
        for tx in (repriced, cancelled):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        winner = node.chain.replace(repriced.hash, "repriced")
        other = node.chain.replace(cancelled.hash, "cancelled")
        node.chain.mine(3)

        await reach(repriced.hash, "replaced")
        await reach(cancelled.hash, "replaced")
        assert (await reach(winner.hash, "terminal")).state == "confirmed"
        with pytest.raises(NotTrackedError):
            await TransactionTracker.status(other.hash)
