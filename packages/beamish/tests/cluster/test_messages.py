"""Calls, casts, messages, monitors and exit signals between a program and the hosts."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    debug,
    process,
)
from beamish.cluster import ClusterRegistry
from beamish.testing.cluster import SimulatedCluster, simulate_cluster

from .servers import ACCOUNTS, Account, RefusedError, bank


def in_bank(body: Callable[[], Awaitable[None]], seed: int = 0) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            await body()

    simulate_cluster(main, seed)


# -- Calls


def test_name_and_pid_are_destinations() -> None:
    async def body() -> None:
        pid = await Account.open("a", opened=5)

        assert await Account.add(pid) == 6
        assert await Account.add(Account.via("a"), by=2) == 8

    in_bank(body)


def test_refused_request_raises_its_error_and_the_server_lives_on() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(RefusedError, match="no"):
            await Account.refuse(pid)
        assert await Account.add(pid) == 1

    in_bank(body)


def test_crash_reaches_the_caller_and_the_child_is_restarted_under_its_name() -> None:
    async def body() -> None:
        pid = await Account.open("a", opened=5)

        with pytest.raises(ExitError) as caught:
            await Account.crash(pid)
        assert isinstance(caught.value.reason, ValueError)
        assert await Account.add(Account.via("a")) == 6
        with pytest.raises(NoProcessError):
            await Account.add(pid)

    in_bank(body)


def test_stop_with_a_reply_ends_the_child_for_good() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        assert await Account.end(pid) == "bye"
        with pytest.raises(NoProcessError):
            await Account.add(Account.via("a"))

    in_bank(body)


def test_slow_call_delays_no_other() -> None:
    async def body() -> None:
        for key in "abcdef":
            await Account.open(key)
        slow = asyncio.ensure_future(Account.slow(Account.via("a"), 3.0))

        for key in "bcdef":
            assert await Account.add(Account.via(key)) == 1
        assert not slow.done()
        assert await slow == "slept"

    in_bank(body)


def test_timeout_drops_the_late_reply() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(CallTimeoutError):
            await Account.slow.timeout(0.5)(pid, 2.0)
        assert await Account.add(pid) == 1

    in_bank(body)


def test_unknown_name_raises_in_the_caller() -> None:
    async def body() -> None:
        with pytest.raises(NoProcessError):
            await Account.add(Account.via("nobody"))
        Account.note(Account.via("nobody"), 1)

    in_bank(body)


def test_request_that_cannot_be_pickled_is_refused_at_the_caller() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(TypeError, match="picklable"):
            Account.note(pid, lambda: None)
        with pytest.raises(TypeError, match="picklable"):
            await GenServer.call(pid, lambda: None)
        assert await Account.all_notes(pid) == []

    in_bank(body)


def test_reply_that_cannot_be_pickled_raises_in_the_caller() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(ExitError, match="cannot be sent"):
            await Account.unpicklable(pid)
        assert await Account.add(pid) == 1

    in_bank(body)


def test_host_calls_a_process_of_another_host() -> None:
    async def body() -> None:
        first = await Account.open("a")
        others = [await Account.open(key) for key in "bcdefgh"]

        shards = {(await Account.where(pid))[1] for pid in [first, *others]}
        assert len(shards) > 1
        assert [await Account.add_at(pid, "a") for pid in others] == [1, 2, 3, 4, 5, 6, 7]

    in_bank(body)


@pytest.mark.seeds(10)
def test_messages_of_one_program_to_one_process_keep_their_order(seed: int) -> None:
    async def body() -> None:
        pid = await Account.open("a")

        for number in range(0, 30, 3):
            Account.note(pid, number)
            process.send(pid, number + 1)
            Account.note(pid, number + 2)
            await asyncio.sleep(0)
        assert await Account.all_notes(pid) == list(range(30))

    in_bank(body, seed)


def test_multi_call_and_whereis() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        assert GenServer.whereis(pid) is pid
        assert await ClusterRegistry.whereis(ACCOUNTS, "a") is pid
        assert await ClusterRegistry.whereis(ACCOUNTS, "b") is None

    in_bank(body)


# -- Pids in messages


def test_pid_of_the_server_is_the_pid_that_its_start_returned() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        assert await Account.me(pid) is pid
        assert repr(pid).startswith("#PID<")

    in_bank(body)


def test_server_sends_to_a_process_of_the_program() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        Account.tell(pid, process.current(), 7)
        assert await process.receive(10) == (7, pid)
        assert await Account.caller(pid) is process.current()

    in_bank(body)


@pytest.mark.seeds(5)
def test_message_sent_before_a_reply_arrives_before_it(seed: int) -> None:
    async def body() -> None:
        pid = await Account.open("a")

        for number in range(20):
            Account.tell(pid, process.current(), number)
            await Account.add(pid)
            assert await process.receive(0) == (number, pid)

    in_bank(body, seed)


@pytest.mark.seeds(10)
def test_messages_of_a_server_keep_their_own_order(seed: int) -> None:
    async def body() -> None:
        pid = await Account.open("a")

        for number in range(40):
            Account.tell(pid, process.current(), number)
            await asyncio.sleep(0.01)
        received = [await process.receive(10) for _ in range(40)]

        assert received == [(number, pid) for number in range(40)]

    in_bank(body, seed)


def test_process_of_the_program_takes_no_calls_from_a_host() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(ExitError, match="outside the hosts"):
            await Account.call_back(pid, process.current())

    in_bank(body)


# -- Monitors, exits and stops


def test_monitor_gets_the_reason() -> None:
    async def body() -> None:
        pid = await Account.open("a")
        by_pid, by_name = process.monitor(pid), process.monitor(Account.via("a"))

        await Account.end(pid)
        downs = [await process.receive(10), await process.receive(10)]

        assert {(down.ref, down.reason) for down in downs} == {
            (by_pid, "normal"),
            (by_name, "normal"),
        }

    in_bank(body)


def test_monitor_of_an_unknown_name_is_down_at_once() -> None:
    async def body() -> None:
        process.monitor(Account.via("nobody"))

        down = await process.receive(10)
        assert isinstance(down, Down)
        assert down.reason == "noproc"

    in_bank(body)


def test_removed_monitor_is_silent() -> None:
    async def body() -> None:
        pid = await Account.open("a")
        process.demonitor(process.monitor(pid))

        await Account.end(pid)
        with pytest.raises(TimeoutError):
            await process.receive(10)

    in_bank(body)


def test_exit_signal_and_stop() -> None:
    async def body() -> None:
        pid = await Account.open("a")
        process.monitor(pid)
        process.exit(pid, "kill")
        assert (await process.receive(10)).reason == "killed"
        assert await Account.add(Account.via("a")) == 1

        await GenServer.stop(Account.via("a"), timeout=10)
        with pytest.raises(NoProcessError):
            await Account.add(Account.via("a"))

    in_bank(body)


def test_link_is_refused() -> None:
    async def body() -> None:
        pid = await Account.open("a")

        with pytest.raises(TypeError, match="monitor"):
            process.link(pid)
        for refused in (process.is_alive, process.info):
            with pytest.raises(TypeError, match="another node"):
                refused(pid)
        with pytest.raises(TypeError, match="debug"):
            await debug.get_state(pid)
        await Account.end(pid)
        await Account.open("b")

    in_bank(body)


def test_pids_are_dead_after_the_cluster_was_left() -> None:
    pids: list[Pid] = []

    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            pids.append(await Account.open("a"))
            call = asyncio.ensure_future(Account.slow(pids[0], 60.0))
            await asyncio.sleep(1)
        with pytest.raises(ExitError):
            await call
        with pytest.raises(NoProcessError):
            await Account.add(pids[0])
        with pytest.raises(NoProcessError, match="not a member"):
            await Account.add(Account.via("a"))

    simulate_cluster(main)


def test_next_program_finds_the_processes_of_the_last() -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            await Account.open("a", opened=3)
        async with bank(cluster):
            assert await Account.add(Account.via("a")) == 4

    simulate_cluster(main)
