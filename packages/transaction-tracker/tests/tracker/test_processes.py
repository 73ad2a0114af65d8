"""The supervised, registered process of a transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from beamish import DynamicSupervisor, ExitError, GenServer, debug, process
from transaction_tracker import (
    InvalidTransactionError,
    NotTrackedError,
    ParkedError,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.delivery import OUTBOX
from transaction_tracker.providers import PROVIDERS
from transaction_tracker.service.source_tree import MAX_RESTARTS
from transaction_tracker.store import STORE
from transaction_tracker.tracker import FOLLOWER, REGISTRY, SUPERVISOR
from txtrack_devnode import DevelopmentNode

from .support import PATIENCE, caught_up, eventually, history, reach, submit

UNKNOWN = "0x" + "9" * 64

pytestmark = pytest.mark.usefixtures("app")


async def crash(transaction: str) -> None:
    """Crash a tracker, as a bug would."""
    pid = TransactionTracker.lookup(transaction)
    assert pid is not None
    with pytest.raises(ExitError):
        await GenServer.call(pid, "nonsense")


async def come_back(transaction: str) -> None:
    await eventually(lambda: TransactionTracker.lookup(transaction) is not None)


async def park(transaction: str) -> None:
    """Crash a tracker until its transaction is parked."""
    for _ in range(MAX_RESTARTS + 1):
        await come_back(transaction)
        await crash(transaction)
    with pytest.raises(ParkedError):
        await TransactionTracker.wait(transaction, timeout=PATIENCE)


async def test_start_registers_and_supervises_a_tracker(node: DevelopmentNode) -> None:
    tx = submit(node)

    pid = await TransactionTracker.start(tx.hash)

    assert TransactionTracker.lookup(tx.hash) == pid
    assert (await TransactionTracker.status(tx.hash)).id == tx.hash
    children = await DynamicSupervisor.which_children(SUPERVISOR)
    assert [child.pid for child in children] == [pid]


async def test_second_start_returns_the_same_tracker(node: DevelopmentNode) -> None:
    tx = submit(node)
    pid = await TransactionTracker.start(tx.hash)

    assert await TransactionTracker.start(tx.hash) == pid
    assert await TransactionTracker.start(tx.hash.upper().replace("0X", "0x")) == pid


async def test_concurrent_starts_return_one_tracker(node: DevelopmentNode) -> None:
    tx = submit(node)

    pids = await asyncio.gather(*(TransactionTracker.start(tx.hash) for _ in range(10)))

    assert len(set(pids)) == 1
    assert len(await DynamicSupervisor.which_children(SUPERVISOR)) == 1


async def test_crashed_tracker_restarts_with_the_same_state(node: DevelopmentNode) -> None:
    tx = submit(node)
    pid = await TransactionTracker.start(tx.hash)
    await node.mine()
    before = await reach(tx.hash, "mined")

    await crash(tx.hash)
    await come_back(tx.hash)

    assert TransactionTracker.lookup(tx.hash) != pid
    assert await TransactionTracker.status(tx.hash) == before
    node.chain.mine(2)
    await reach(tx.hash, "confirmed")


async def test_abnormally_stopped_tracker_restarts(node: DevelopmentNode) -> None:
    tx = submit(node)
    pid = await TransactionTracker.start(tx.hash)

    await GenServer.stop(pid, "its_a_crash")
    await come_back(tx.hash)

    assert TransactionTracker.lookup(tx.hash) != pid


async def test_crash_affects_no_sibling(node: DevelopmentNode) -> None:
    first, second = submit(node, 0), submit(node, 1)
    await TransactionTracker.start(first.hash)
    sibling = await TransactionTracker.start(second.hash)

    await crash(first.hash)
    await come_back(first.hash)

    assert TransactionTracker.lookup(second.hash) == sibling


async def test_block_applied_while_a_tracker_is_down_is_not_missed(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx, rival = submit(node, 0), submit(node, 1)
    for transaction in (tx, rival):
        await TransactionTracker.start(transaction.hash)
        await reach(transaction.hash, "pending")
    node.chain.replace(rival.hash, "cancelled")

    await crash(tx.hash)
    await crash(rival.hash)
    node.chain.mine(3)

    assert (await reach(tx.hash, "terminal")).state == "confirmed"
    assert (await reach(rival.hash, "terminal")).state == "replaced"


async def test_wait_survives_a_crash_of_the_tracker(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    waiting = asyncio.create_task(reach(tx.hash, "confirmed"))
    await reach(tx.hash, "pending")

    await crash(tx.hash)
    node.chain.mine(3)

    assert (await waiting).state == "confirmed"


async def test_tracker_that_does_not_answer_delays_no_other(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    stuck, other = submit(node, 0), submit(node, 1)
    for transaction in (stuck, other):
        await TransactionTracker.start(transaction.hash)
        await reach(transaction.hash, "pending")
    pid = TransactionTracker.lookup(stuck.hash)
    assert pid is not None
    await debug.suspend(pid)

    node.chain.mine(3)
    await reach(other.hash, "confirmed")
    await debug.resume(pid)

    await reach(stuck.hash, "confirmed")


async def test_tracker_that_keeps_crashing_is_parked_with_its_error(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    poison, healthy = submit(node, 0), submit(node, 1)
    await TransactionTracker.start(poison.hash)
    sibling = await TransactionTracker.start(healthy.hash)

    await park(poison.hash)

    parked = await TransactionTracker.status(poison.hash)
    assert parked.error is not None
    assert "nonsense" in parked.error
    assert TransactionTracker.lookup(poison.hash) is None
    assert TransactionTracker.lookup(healthy.hash) == sibling
    node.chain.mine(3)
    await reach(healthy.hash, "confirmed")


@pytest.mark.parametrize("again", [TransactionTracker.start, TransactionTracker.recheck])
async def test_parked_transaction_can_be_started_again(
    node: DevelopmentNode, again: Callable[[str], Awaitable[object]]
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await park(tx.hash)

    await again(tx.hash)

    assert (await TransactionTracker.status(tx.hash)).error is None
    node.chain.mine(3)
    await reach(tx.hash, "confirmed")


async def test_state_of_a_parked_transaction_is_still_updated(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")
    await park(tx.hash)

    node.chain.mine(3)
    await caught_up(app, node)

    assert (await TransactionTracker.status(tx.hash)).state == "confirmed"


async def test_finished_transaction_can_be_started_again(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    node.chain.mine(3)
    ended = await reach(tx.hash, "terminal")

    await TransactionTracker.start(tx.hash)

    assert await TransactionTracker.wait(tx.hash, timeout=PATIENCE) == ended
    assert await DynamicSupervisor.which_children(SUPERVISOR) == []


@pytest.mark.parametrize("name", [REGISTRY, SUPERVISOR, FOLLOWER, STORE, PROVIDERS, OUTBOX])
async def test_tree_recovers_when_any_process_is_killed(
    app: TransactionTrackerApplication, node: DevelopmentNode, name: str
) -> None:
    transactions = [submit(node, sender) for sender in range(3)]
    for tx in transactions:
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
    await node.mine()
    await reach(transactions[0].hash, "mined")
    victim = GenServer.whereis(name)
    assert victim is not None

    process.exit(victim, "kill")
    await eventually(
        lambda: GenServer.whereis(FOLLOWER) and GenServer.whereis(name) not in (None, victim)
    )
    for tx in transactions:
        await come_back(tx.hash)
    node.chain.mine(2)

    for tx in transactions:
        await reach(tx.hash, "confirmed")
        assert await history(tx.hash) == ["pending", "mined", "confirmed"]


async def test_start_all_pending_starts_only_missing_trackers(node: DevelopmentNode) -> None:
    transactions = [submit(node, sender) for sender in range(3)]
    pids = [await TransactionTracker.start(tx.hash) for tx in transactions]
    assert await TransactionTracker.start_all_pending() == 0

    await DynamicSupervisor.terminate_child(SUPERVISOR, pids[1])

    assert await TransactionTracker.start_all_pending() == 1
    assert TransactionTracker.lookup(transactions[0].hash) == pids[0]
    assert TransactionTracker.lookup(transactions[1].hash) not in (None, pids[1])


async def test_start_all_pending_ignores_a_tracker_that_is_being_restarted(
    node: DevelopmentNode,
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await crash(tx.hash)

    assert await TransactionTracker.start_all_pending() == 0


async def test_start_while_a_tracker_is_being_restarted_returns_a_lasting_tracker(
    node: DevelopmentNode,
) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    await crash(tx.hash)

    pid = await TransactionTracker.start(tx.hash)
    async with asyncio.timeout(PATIENCE):
        while len(await DynamicSupervisor.which_children(SUPERVISOR)) > 1:
            await asyncio.sleep(0.002)

    assert TransactionTracker.lookup(tx.hash) == pid
    assert (await TransactionTracker.status(tx.hash)).error is None


async def test_unregistered_transaction_is_not_tracked() -> None:
    assert TransactionTracker.lookup(UNKNOWN) is None
    with pytest.raises(NotTrackedError, match=UNKNOWN):
        await TransactionTracker.status(UNKNOWN)
    with pytest.raises(NotTrackedError, match=UNKNOWN):
        await TransactionTracker.wait(UNKNOWN, timeout=PATIENCE)


@pytest.mark.parametrize("text", ["", "0x12", "not a hash"])
async def test_malformed_hash_raises_and_is_not_stored(
    app: TransactionTrackerApplication, text: str
) -> None:
    with pytest.raises(InvalidTransactionError, match="64 hexadecimal digits"):
        await TransactionTracker.start(text)
    with pytest.raises(InvalidTransactionError):
        await TransactionTracker.status(text)
    with pytest.raises(InvalidTransactionError):
        await TransactionTracker.wait(text)
    with pytest.raises(InvalidTransactionError):
        TransactionTracker.lookup(text)

    assert app.open == 0


async def test_wait_for_an_unknown_state_raises(node: DevelopmentNode) -> None:
    with pytest.raises(ValueError, match="until must be 'terminal' or one of"):
        await TransactionTracker.wait(UNKNOWN, until="done")  # type: ignore[arg-type]


async def test_wait_times_out(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)

    with pytest.raises(TimeoutError):
        await TransactionTracker.wait(tx.hash, timeout=0.05)


async def test_final_state_ends_every_wait(node: DevelopmentNode) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)
    node.chain.mine(3)

    ended = await TransactionTracker.wait(tx.hash, until="superseded", timeout=PATIENCE)

    assert ended.state == "confirmed"


async def test_crash_is_logged(node: DevelopmentNode, caplog: pytest.LogCaptureFixture) -> None:
    tx = submit(node)
    await TransactionTracker.start(tx.hash)

    with caplog.at_level(logging.ERROR, "beamish"):
        await crash(tx.hash)

    assert tx.hash in caplog.text


async def test_cancelled_wait_is_removed_from_the_tracker(
    app: TransactionTrackerApplication, node: DevelopmentNode
) -> None:
    tx = submit(node)
    pid = await TransactionTracker.start(tx.hash)
    await reach(tx.hash, "pending")

    with pytest.raises(TimeoutError):
        await TransactionTracker.wait(tx.hash, timeout=0.05)

    assert (await debug.get_state(pid))["_waiters"] == ()


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("metadata", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}])
async def test_metadata_that_is_not_json_raises(
    node: DevelopmentNode, metadata: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="metadata must be a JSON object"):
        await TransactionTracker.start(submit(node).hash, metadata=metadata)
