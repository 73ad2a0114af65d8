"""Restarts of the program on the same database."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beamish import DynamicSupervisor
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.tracker import SUPERVISOR
from txtrack_devnode import DevelopmentNode

from .support import caught_up, eventually, history, reach, submit


async def test_stopped_program_resumes(settings: Settings, node: DevelopmentNode) -> None:
    mined, waiting, unknown = submit(node, 0), submit(node, 1, max_fee=1), submit(node, 2)
    node.chain.drop(unknown.hash)
    async with TransactionTrackerApplication(settings) as app:
        for tx in (mined, waiting, unknown):
            await TransactionTracker.start(tx.hash)
        await reach(waiting.hash, "pending")
        await node.mine()
        before = await reach(mined.hash, "mined")
        await reach(unknown.hash, "missing")
        await caught_up(app, node)

    async with TransactionTrackerApplication(settings) as app:
        assert app.tip is not None
        assert app.tip.hash == node.chain.head.hash
        assert len(await DynamicSupervisor.which_children(SUPERVISOR)) == 3
        assert await TransactionTracker.status(mined.hash) == before
        assert (await TransactionTracker.status(waiting.hash)).state == "pending"
        assert (await TransactionTracker.status(unknown.hash)).state == "missing"
        node.chain.mine(2)
        await reach(mined.hash, "confirmed")


async def test_blocks_of_the_downtime_are_applied_one_by_one(
    settings: Settings, node: DevelopmentNode
) -> None:
    confirmed, cancelled, unmined = submit(node, 0), submit(node, 1), submit(node, 2)
    async with TransactionTrackerApplication(settings) as app:
        for tx in (confirmed, cancelled, unmined):
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
        await node.mine()
        node.chain.rollback(1)
        await caught_up(app, node)

    node.chain.replace(cancelled.hash, "cancelled")
    node.chain.drop(unmined.hash)
    node.chain.mine(200)

    async with TransactionTrackerApplication(settings) as app:
        await caught_up(app, node)
        for tx, state in ((confirmed, "confirmed"), (cancelled, "replaced"), (unmined, "missing")):
            await reach(tx.hash, state)


async def test_reorganisation_during_the_downtime_is_undone_first(
    settings: Settings, node: DevelopmentNode
) -> None:
    await node.mine()
    tx = submit(node)
    async with TransactionTrackerApplication(settings):
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        await node.mine()
        await reach(tx.hash, "mined")

    node.chain.reorg(1, "drop", length=3)

    async with TransactionTrackerApplication(settings):
        await reach(tx.hash, "pending")
        assert await history(tx.hash) == ["pending", "mined", "pending"]


async def test_transaction_registered_before_the_stop_is_looked_up_after_it(
    settings: Settings, node: DevelopmentNode
) -> None:
    tx = submit(node)
    node.chain.drop(tx.hash)
    async with TransactionTrackerApplication(settings):
        await TransactionTracker.start(tx.hash)
    node.chain.add(tx)

    async with TransactionTrackerApplication(settings):
        await reach(tx.hash, "pending")


async def test_finished_transactions_have_no_process_and_can_be_read(
    settings: Settings, node: DevelopmentNode
) -> None:
    tx = submit(node)
    async with TransactionTrackerApplication(settings):
        await TransactionTracker.start(tx.hash)
        node.chain.mine(3)
        ended = await reach(tx.hash, "confirmed")

    async with TransactionTrackerApplication(settings):
        assert TransactionTracker.lookup(tx.hash) is None
        assert await TransactionTracker.status(tx.hash) == ended


async def test_each_transaction_keeps_its_required_confirmations(
    settings: Settings, node: DevelopmentNode
) -> None:
    tx = submit(node)
    async with TransactionTrackerApplication(settings):
        await TransactionTracker.start(tx.hash)

    async with TransactionTrackerApplication(settings.replace(confirmations=9)):
        node.chain.mine(3)
        await reach(tx.hash, "confirmed")


PROGRAM = """
import asyncio, sys
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication

async def main(url, database, *transactions):
    settings = Settings(url, confirmations=3, database=database, poll_interval=0.01)
    show = lambda event: print(event.id, event.tracked.state, flush=True)
    async with TransactionTrackerApplication(settings, on_event=show):
        for transaction in transactions:
            await TransactionTracker.start(transaction)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_killed_program_loses_and_duplicates_no_event(
    settings: Settings, node: DevelopmentNode, tmp_path: Path
) -> None:
    transactions = [submit(node, sender) for sender in range(10)]
    hashes = [tx.hash for tx in transactions]
    command = [sys.executable, "-c", PROGRAM, node.url, str(settings.database), *hashes]
    killed = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert killed.stdout is not None
    async for line in killed.stdout:
        if line == b"ready\n":
            await node.mine()
        elif b"mined" in line:
            killed.send_signal(signal.SIGKILL)
            break
    await killed.stdout.read()
    assert await killed.wait() == -signal.SIGKILL

    node.chain.mine(2)

    async with TransactionTrackerApplication(settings) as app:
        for key in hashes:
            await reach(key, "confirmed")
            states = await history(key)
            assert states == ["pending", "mined", "confirmed"][-len(states) :]
        await eventually(lambda: app.open == 0)
