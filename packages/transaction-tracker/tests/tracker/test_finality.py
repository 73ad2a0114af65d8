"""Finality by depth and by tag, and finality violations."""

from dataclasses import replace

import pytest

from transaction_tracker import (
    Event,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.domain import Tag
from transaction_tracker.store import Store
from txtrack_devnode import Chain, DevelopmentNode

from .support import caught_up, eventually, reach, submit


@pytest.mark.parametrize(("word", "distance"), [("safe", 4), ("finalized", 8)])
async def test_tag_makes_a_state_final(settings: Settings, word: Tag, distance: int) -> None:
    chain = Chain(accounts=3, safe_distance=4, finalized_distance=8)
    async with DevelopmentNode(chain=chain) as node:
        settings = replace(settings, rpc_url=node.url, confirmations=word)
        async with TransactionTrackerApplication(settings) as app:
            tx = submit(node)
            await TransactionTracker.start(tx.hash)
            await node.mine()
            await reach(tx.hash, "mined")

            node.chain.mine(distance - 1)
            await caught_up(app, node)
            assert (await TransactionTracker.status(tx.hash)).state == "mined"

            await node.mine()
            await reach(tx.hash, "confirmed")


async def test_each_transaction_can_require_another_depth(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    hasty, patient = submit(node, 0), submit(node, 1)
    await TransactionTracker.start(hasty.hash, confirmations=1)
    await TransactionTracker.start(patient.hash, confirmations=5)

    node.chain.mine(4)
    await reach(hasty.hash, "confirmed")
    await caught_up(app, node)
    assert (await TransactionTracker.status(patient.hash)).state == "mined"
    await node.mine()

    await reach(patient.hash, "confirmed")


async def test_finality_violation_is_reported_and_pauses_deliveries(
    settings: Settings, node: DevelopmentNode, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[str] = []

    def on_event(event: Event) -> None:
        received.append(event.tracked.state)

    async with TransactionTrackerApplication(settings, on_event=on_event) as app:
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        node.chain.mine(3)
        await reach(tx.hash, "confirmed")
        await eventually(lambda: received and received[-1] == "confirmed")

        node.chain.reorg(3, "drop", length=4)
        await caught_up(app, node)

        await eventually(lambda: TransactionTracker.lookup(tx.hash) is not None)
        tracked = await TransactionTracker.status(tx.hash)
        assert tracked.state in ("pending", "missing")
        assert tracked.flags == {"finality_violation"}
        assert "finality violation" in caplog.text
        assert await Store.frozen() is not None
        assert received[-1] == "confirmed"

        await Store.resume_deliveries()
        node.chain.add(tx)
        node.chain.mine(3)
        again = await reach(tx.hash, "confirmed")
        assert again.flags == {"finality_violation"}
        await eventually(lambda: received.count("confirmed") == 2)


async def test_reorganisation_above_the_final_blocks_pauses_nothing(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with TransactionTrackerApplication(settings) as app:
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        node.chain.mine(2)
        await reach(tx.hash, "mined")

        node.chain.reorg(2, "pool")
        await caught_up(app, node)
        await reach(tx.hash, "pending")

        assert await Store.frozen() is None
