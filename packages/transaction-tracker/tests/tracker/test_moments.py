"""Registrations and answers at the worst moment, and invalid answers."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from transaction_tracker import (
    EthereumSource,
    Event,
    Outcome,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.domain import MARGIN, BlockRef, Included, Seen, Transaction
from transaction_tracker.sources import Answer, FetchedBlock, MalformedError, RateLimitedError
from txtrack_devnode import DevelopmentNode

from .support import caught_up, eventually, history, reach, submit


class Meddled(EthereumSource):
    """A source whose answers the test can delay or change."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = asyncio.Event()
        self.gate.set()
        self.held = asyncio.Event()
        self.lagging: set[str] = set()
        self.malformed: set[str] = set()
        self.poisonous: set[str] = set()
        self.still_pending: dict[str, Seen] = {}
        self.placed: dict[str, BlockRef] = {}
        self.refusals = 0

    async def outcomes(self, block: FetchedBlock, ids: Collection[str]) -> Mapping[str, Outcome]:
        if not self.gate.is_set():
            self.held.set()
            await self.gate.wait()
        found = dict(await super().outcomes(block, [key for key in ids if key not in self.lagging]))
        nonsense: Any = "nonsense"
        return found | {key: nonsense for key in ids if key in self.poisonous}

    def transaction(self, block: FetchedBlock, transaction_id: str) -> Transaction:
        if transaction_id in self.malformed:
            raise MalformedError("nonsense")
        return super().transaction(block, transaction_id)

    async def look_up(
        self,
        slots: Mapping[str, tuple[str, ...]],
        height: int,
        *,
        at_once: bool = False,
        doubted: Collection[str] = (),
    ) -> Mapping[str, Answer]:
        if self.refusals:
            self.refusals -= 1
            raise RateLimitedError("slow down")
        found = dict(await super().look_up(slots, height, at_once=at_once, doubted=doubted))
        for key in found.keys() & self.placed.keys():
            included = found[key]
            assert isinstance(included, Included)
            found[key] = Included(included.transaction, self.placed[key], included.outcome)
        return found | {key: self.still_pending[key] for key in slots if key in self.still_pending}


@asynccontextmanager
async def meddled(
    settings: Settings,
) -> AsyncIterator[tuple[Meddled, TransactionTrackerApplication]]:
    source = Meddled(str(settings.rpc_url))
    async with TransactionTrackerApplication(settings, source=source) as app:
        yield source, app
    assert await source.head()  # opens a connection, so that the source must be closed again
    await source.close()


async def test_transaction_registered_after_it_was_mined_is_found(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    node.chain.mine(2)
    await caught_up(app, node)

    await TransactionTracker.start(tx.hash)

    mined = await reach(tx.hash, "mined")
    assert TransactionTracker.confirmations(mined) == 2
    await node.mine()
    await reach(tx.hash, "confirmed")


async def test_transaction_registered_long_after_confirmation_is_confirmed(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    node.chain.mine(MARGIN + 20)
    await caught_up(app, node)

    await TransactionTracker.start(tx.hash)

    await reach(tx.hash, "confirmed")
    assert await history(tx.hash) == ["mined", "confirmed"]


async def test_transaction_registered_while_its_block_is_applied_is_found(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, _):
        first, late = submit(node, 0), submit(node, 1)
        await TransactionTracker.start(first.hash)
        await reach(first.hash, "pending")
        source.gate.clear()
        await node.mine()
        await source.held.wait()

        await TransactionTracker.start(late.hash)
        source.gate.set()

        await reach(late.hash, "mined")


async def test_transaction_registered_while_the_block_of_its_rival_is_applied(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, _):
        first, loser = submit(node, 0), submit(node, 1)
        await TransactionTracker.start(first.hash)
        await reach(first.hash, "pending")
        seen = (await source.look_up({loser.hash: ()}, 0))[loser.hash]
        assert isinstance(seen, Seen)
        # A node's pool can list a transaction for a while that its own head has made impossible.
        source.still_pending[loser.hash] = seen
        winner = node.chain.replace(loser.hash, "repriced")
        source.gate.clear()
        await node.mine()
        await source.held.wait()

        await TransactionTracker.start(loser.hash)
        source.gate.set()

        superseded = await reach(loser.hash, "superseded")
        assert (superseded.superseded_by, superseded.reason) == (winner.hash, "repriced")


async def test_transaction_restarted_while_its_block_is_applied_is_found(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        source.gate.clear()
        await node.mine()
        await source.held.wait()

        await TransactionTracker.untrack(tx.hash)
        await TransactionTracker.start(tx.hash)
        source.gate.set()
        await reach(tx.hash, "mined")
        node.chain.reorg(1, length=1)
        await caught_up(app, node)

        await reach(tx.hash, "pending")
        node.chain.mine(3)
        await reach(tx.hash, "confirmed")


async def test_pool_that_still_lists_a_mined_transaction_is_ignored(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        tx = submit(node)
        seen = (await source.look_up({tx.hash: ()}, 0))[tx.hash]
        assert isinstance(seen, Seen)
        source.still_pending[tx.hash] = seen
        await node.mine()
        await caught_up(app, node)

        await TransactionTracker.start(tx.hash)

        await reach(tx.hash, "mined")


async def test_answer_about_a_later_block_waits_for_that_block(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        tx = submit(node)
        await node.mine()
        await caught_up(app, node)
        source.placed[tx.hash] = BlockRef(2, "0x" + "9" * 64)

        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        source.placed.clear()

        await reach(tx.hash, "mined")


async def test_answer_from_another_branch_is_ignored(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        tx = submit(node)
        await node.mine()
        await caught_up(app, node)
        source.placed[tx.hash] = BlockRef(1, "0x" + "9" * 64)

        await TransactionTracker.start(tx.hash)
        asked = node.counters["eth_getTransactionByHash"]
        await eventually(lambda: node.counters["eth_getTransactionByHash"] > asked)
        assert (await TransactionTracker.status(tx.hash)).state == "registered"
        source.placed.clear()

        await reach(tx.hash, "mined")


async def test_rate_limit_delays_new_transactions_and_loses_none(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        await caught_up(app, node)
        source.refusals = 3
        hashes = [submit(node, sender).hash for sender in range(10)]

        await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))

        for key in hashes:
            await reach(key, "pending")
        assert source.refusals == 0


async def test_late_receipt_delays_no_block_and_is_requested_again(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, app):
        lagging, other = submit(node, 0), submit(node, 1)
        for tx in (lagging, other):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        source.lagging.add(lagging.hash)

        await node.mine()
        await reach(other.hash, "mined")

        await reach(lagging.hash, "mined")
        await caught_up(app, node)


async def test_malformed_transaction_delays_no_other(
    settings: Settings, node: DevelopmentNode
) -> None:
    async with meddled(settings) as (source, _):
        bad, other = submit(node, 0), submit(node, 1)
        for tx in (bad, other):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        source.malformed.add(bad.hash)

        node.chain.mine(3)

        await reach(other.hash, "confirmed")


async def test_fact_that_crashes_a_tracker_delays_no_other(
    settings: Settings, node: DevelopmentNode, caplog: pytest.LogCaptureFixture
) -> None:
    async with meddled(settings) as (source, _):
        poison, other = submit(node, 0), submit(node, 1)
        for tx in (poison, other):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        source.poisonous.add(poison.hash)

        node.chain.mine(3)

        await reach(other.hash, "confirmed")
        # The tracker crashed, restarted, asked the source itself, and got a valid answer.
        await reach(poison.hash, "confirmed")
        assert "AttributeError" in caplog.text


async def test_on_event_gets_each_transition_in_order(
    settings: Settings, node: DevelopmentNode
) -> None:
    received: list[tuple[str, str, str]] = []

    async def on_event(event: Event) -> None:
        await asyncio.sleep(0)
        received.append((event.id, event.previous, event.tracked.state))

    async with TransactionTrackerApplication(settings, on_event=on_event):
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        await node.mine()
        await reach(tx.hash, "mined")
        node.chain.mine(2)
        await eventually(lambda: len(received) == 3)

    assert received == [
        (f"{tx.hash}:1", "registered", "pending"),
        (f"{tx.hash}:2", "pending", "mined"),
        (f"{tx.hash}:3", "mined", "confirmed"),
    ]


async def test_failing_or_hanging_on_event_affects_no_tracker(
    settings: Settings, node: DevelopmentNode, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    async def on_event(event: Event) -> None:
        calls.append(event.id)
        if len(calls) == 1:
            raise ValueError("odd")
        await asyncio.Event().wait()

    async with TransactionTrackerApplication(settings, on_event=on_event):
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        node.chain.mine(3)
        await reach(tx.hash, "confirmed")
        # The callback runs beside the tracker, and can be called later than the transaction ends.
        await eventually(lambda: "on_event failed" in caplog.text)
