"""GenServer, Registry, DynamicSupervisor, combined: what the one line promises.

The tracker and its tree are the contract's, word for word; the promises are those of "GenServer,
Registry, DynamicSupervisor. Combined." (dev.to, 2019), numbered as there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from beamish import (
    AlreadyStartedError,
    Application,
    Counts,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    StartError,
    Stop,
    Supervisor,
    call,
    cast,
    debug,
    process,
)

from .support import kill, settle

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
TXN = "txn_01dp371w0fnjhf9z2tjebx4vr4"


class TransactionTracker(GenServer, restart="transient"):
    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id

    @classmethod
    async def start(cls, transaction_id: str) -> Pid:
        name = Registry.via(REGISTRY, transaction_id)
        spec = cls.child_spec(transaction_id, name=name)
        return await DynamicSupervisor.start_child(SUPERVISOR, spec)

    @classmethod
    def lookup(cls, transaction_id: str) -> Pid | None:
        return Registry.whereis(REGISTRY, transaction_id)

    @call
    def id(self) -> str:
        return self.transaction_id

    @call
    def go_wonky(self) -> None:
        raise RuntimeError("the source sent nonsense")

    @call
    def confirm(self) -> Stop:
        return Stop("normal", reply="confirmed")

    @cast
    def go_wonky_later(self) -> None:
        raise RuntimeError("the source sent nonsense")


class TransactionTrackerApplication(Application):
    def children(self) -> list[object]:
        return [
            Registry.child_spec(keys="unique", name=REGISTRY),
            DynamicSupervisor.child_spec(name=SUPERVISOR, strategy="one_for_one"),
        ]


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """The article's tree; as the application's own block is tested elsewhere, without it."""
    async with Supervisor.running(TransactionTrackerApplication().children()):
        yield


def via(transaction_id: str) -> object:
    return Registry.via(REGISTRY, transaction_id)


async def test_application_runs_the_tree() -> None:
    async with TransactionTrackerApplication():
        pid = await TransactionTracker.start(TXN)

        assert TransactionTracker.lookup(TXN) == pid

    assert process.whereis(REGISTRY) is None
    assert process.whereis(SUPERVISOR) is None


async def test_promise_1_starts_a_server_for_the_transaction() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        assert process.is_alive(pid)
        assert await TransactionTracker.id(pid) == TXN


async def test_promise_2_registers_it() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        assert Registry.lookup(REGISTRY, TXN) == [(pid, None)]
        assert Registry.keys(REGISTRY, pid) == [TXN]


async def test_promise_3_supervises_it() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        [child] = await DynamicSupervisor.which_children(SUPERVISOR)
        assert (child.pid, child.status) == (pid, "running")
        assert process.info(pid).parent == process.whereis(SUPERVISOR)


async def test_promise_4_restarts_it_when_it_ends_abnormally() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        await GenServer.stop(pid, "its_a_crash")

        new = TransactionTracker.lookup(TXN)
        assert new not in (None, pid)
        assert await TransactionTracker.id(new) == TXN


async def test_promise_5_looks_up_the_new_pid_in_the_statement_after_an_awaited_stop() -> None:
    """Contract: without back-off, and with a start that never suspends, already then."""
    async with running():
        pid = await TransactionTracker.start(TXN)

        await GenServer.stop(pid, "its_a_crash")
        restarted = TransactionTracker.lookup(TXN)

        assert restarted is not None
        assert restarted != pid
        assert process.is_alive(restarted)
        assert not process.is_alive(pid)


async def test_promise_5_looks_up_the_new_pid_in_the_statement_after_a_crashed_call() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        with pytest.raises(ExitError) as caught:
            await TransactionTracker.go_wonky(pid)
        restarted = TransactionTracker.lookup(TXN)

        assert restarted not in (None, pid)
        assert process.is_alive(restarted)
        assert isinstance(caught.value.reason, RuntimeError)
        assert caught.value.__cause__ is caught.value.reason


async def test_promise_5_holds_for_every_restart_that_is_allowed() -> None:
    async with running():
        seen = {await TransactionTracker.start(TXN)}

        for _ in range(3):
            with pytest.raises(ExitError):
                await TransactionTracker.go_wonky(via(TXN))
            seen.add(TransactionTracker.lookup(TXN))

        assert len(seen) == 4
        assert None not in seen


async def test_promise_5_the_next_call_by_id_reaches_the_new_process() -> None:
    async with running():
        await TransactionTracker.start(TXN)

        with pytest.raises(ExitError):
            await TransactionTracker.go_wonky(via(TXN))

        assert await TransactionTracker.id(via(TXN)) == TXN


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "archived")], ids=repr)
async def test_promise_6_deregisters_it_on_an_expected_end(reason: object) -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        await GenServer.stop(pid, reason)

        assert TransactionTracker.lookup(TXN) is None
        assert Registry.count(REGISTRY) == 0
        assert await DynamicSupervisor.which_children(SUPERVISOR) == []


async def test_promise_6_deregisters_it_when_it_stops_itself() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        assert await TransactionTracker.confirm(pid) == "confirmed"
        await settle()

        assert TransactionTracker.lookup(TXN) is None
        assert not process.is_alive(pid)


async def test_promise_7_reaches_it_by_pid_and_by_id() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        assert await TransactionTracker.id(pid) == TXN
        assert await TransactionTracker.id(TransactionTracker.lookup(TXN)) == TXN
        assert await TransactionTracker.id(via(TXN)) == TXN


async def test_second_start_gives_the_running_pid() -> None:
    """Contract: ``AlreadyStartedError`` with the running pid."""
    async with running():
        pid = await TransactionTracker.start(TXN)

        with pytest.raises(AlreadyStartedError) as caught:
            await TransactionTracker.start(TXN)

        assert caught.value.pid == pid
        assert TransactionTracker.lookup(TXN) == pid
        assert await DynamicSupervisor.count_children(SUPERVISOR) == Counts(
            specs=1, active=1, supervisors=0, workers=1
        )


async def test_second_start_after_a_restart_gives_the_new_pid() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)
        await GenServer.stop(pid, "its_a_crash")

        with pytest.raises(AlreadyStartedError) as caught:
            await TransactionTracker.start(TXN)

        assert caught.value.pid == TransactionTracker.lookup(TXN) != pid


async def test_it_can_be_started_again_after_a_normal_end() -> None:
    async with running():
        first = await TransactionTracker.start(TXN)
        await GenServer.stop(first)

        second = await TransactionTracker.start(TXN)

        assert TransactionTracker.lookup(TXN) == second != first


async def test_state_after_a_restart_is_that_of_a_fresh_start() -> None:
    """The article: ``:sys.get_state(restarted_pid)`` shows the transaction's id."""
    async with running():
        pid = await TransactionTracker.start(TXN)

        await GenServer.stop(pid, "its_a_crash")

        state = await debug.get_state(TransactionTracker.lookup(TXN))
        assert state["transaction_id"] == TXN


async def test_unknown_transaction_is_nobody() -> None:
    async with running():
        assert TransactionTracker.lookup("txn_unknown") is None
        with pytest.raises(NoProcessError):
            await TransactionTracker.id(via("txn_unknown"))


async def test_the_dead_pid_is_nobody() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)
        await GenServer.stop(pid, "its_a_crash")

        with pytest.raises(NoProcessError):
            await TransactionTracker.id(pid)


async def test_trackers_do_not_know_of_each_other() -> None:
    async with running():
        ids = [f"txn_{n}" for n in range(100)]
        before = {txn: await TransactionTracker.start(txn) for txn in ids}

        with pytest.raises(ExitError):
            await TransactionTracker.go_wonky(before["txn_50"])

        after = {txn: TransactionTracker.lookup(txn) for txn in ids}
        assert {txn for txn in ids if after[txn] != before[txn]} == {"txn_50"}
        assert [await TransactionTracker.id(via(txn)) for txn in ids] == ids


async def test_killed_tracker_is_restarted_before_anyone_hears_of_its_death() -> None:
    """No look-up in between gives the dead process, and none gives nobody."""
    async with running():
        pid = await TransactionTracker.start(TXN)

        await kill(pid)

        assert TransactionTracker.lookup(TXN) not in (None, pid)


async def test_crash_by_cast_is_restarted() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)

        TransactionTracker.go_wonky_later(pid)
        await settle()

        assert TransactionTracker.lookup(TXN) not in (None, pid)


async def test_many_starts_of_one_id_at_once_give_one_tracker() -> None:
    async with running():
        outcomes = await asyncio.gather(
            *(TransactionTracker.start(TXN) for _ in range(50)), return_exceptions=True
        )

        [pid] = [outcome for outcome in outcomes if isinstance(outcome, Pid)]
        assert {error.pid for error in outcomes if error != pid} == {pid}


async def test_callers_of_a_crashing_tracker_get_an_answer() -> None:
    async with running():
        pid = await TransactionTracker.start(TXN)
        TransactionTracker.go_wonky_later(pid)

        outcomes = await asyncio.gather(
            *(TransactionTracker.id(pid) for _ in range(10)), return_exceptions=True
        )

        assert all(outcome == TXN or isinstance(outcome, ExitError) for outcome in outcomes)


async def test_tree_works_again_after_a_registry_crash() -> None:
    """OTP 25: the trackers die with their registry and cannot start while there is none; with
    the usual limit of three restarts their supervisor may give up and come back empty."""
    async with running():
        ids = [f"txn_{n}" for n in range(3)]
        before = [await TransactionTracker.start(txn) for txn in ids]

        await kill(process.whereis(REGISTRY))
        await settle()

        for txn in ids:
            pid = TransactionTracker.lookup(txn) or await TransactionTracker.start(txn)
            assert pid not in before
            assert await TransactionTracker.id(via(txn)) == txn


class AsyncTracker(TransactionTracker, restart="transient"):
    """Its ``init`` asks somebody first."""

    async def init(self) -> None:
        await asyncio.sleep(0)


async def test_tracker_with_an_async_init_is_found_again_soon() -> None:
    """Its start suspends, so the restart takes a few turns of the event loop."""
    async with running():
        pid = await AsyncTracker.start(TXN)

        await GenServer.stop(pid, "its_a_crash")
        await settle()

        new = AsyncTracker.lookup(TXN)
        assert new not in (None, pid)
        assert await AsyncTracker.id(new) == TXN


async def test_name_of_a_tracker_in_its_init_is_taken() -> None:
    async with running():
        first = asyncio.create_task(AsyncTracker.start(TXN))
        second = asyncio.create_task(AsyncTracker.start(TXN))

        outcomes = await asyncio.gather(first, second, return_exceptions=True)

        [pid] = [outcome for outcome in outcomes if isinstance(outcome, Pid)]
        [error] = [outcome for outcome in outcomes if isinstance(outcome, StartError)]
        assert isinstance(error, AlreadyStartedError)
        assert error.pid == pid


async def test_nothing_is_left_when_the_tree_stops() -> None:
    me = process.current()

    async with running():
        for n in range(20):
            await TransactionTracker.start(f"txn_{n}")

    assert set(process.processes()) == {me}
