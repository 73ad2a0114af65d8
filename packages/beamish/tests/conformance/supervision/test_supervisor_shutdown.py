"""How a supervisor stops its children: in which order, how long it waits, and when it kills."""

import asyncio
import logging

import pytest

from beamish import ChildSpec, Exit, ExitError, GenServer, NoProcessError, Pid, Supervisor, process

from .support import (
    SlowToStop,
    Stopped,
    Worker,
    down,
    expect,
    mailbox,
    message,
    pids,
    settle,
    specs,
    started,
    stopped,
    until,
)


def slow(gate: asyncio.Event, shutdown: object, tag: str = "slow") -> ChildSpec:
    """A child whose ``terminate`` waits for ``gate``."""
    return SlowToStop.child_spec(tag, process.current(), gate).replace(id=tag, shutdown=shutdown)


async def test_children_stop_in_reverse_order(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Start and shutdown"."""
    sup = await Supervisor.start_link(specs("abc", worker))
    await mailbox()

    await Supervisor.stop(sup)

    assert await mailbox() == [Stopped(tag, "shutdown") for tag in "cba"]


async def test_a_child_stops_only_when_the_one_after_it_is_gone() -> None:
    """Elixir Supervisor, "Start and shutdown": waits for each child."""
    gate = asyncio.Event()
    sup = await Supervisor.start_link([*specs("a"), slow(gate, None)])
    await mailbox()

    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("slow")
    assert await mailbox() == []

    gate.set()
    await stop
    assert await mailbox() == [Stopped("a", "shutdown")]


async def test_stop_returns_when_supervisor_and_children_are_gone(worker: type[Worker]) -> None:
    """Elixir ``Supervisor.stop/3`` is synchronous."""
    sup = await Supervisor.start_link(specs("ab", worker))
    before = await pids(sup, "a", "b")

    await Supervisor.stop(sup)

    assert [process.is_alive(pid) for pid in [sup, *before]] == [False, False, False]


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "moved"), "odd"], ids=repr)
async def test_children_get_shutdown_whatever_the_supervisors_reason(reason: object) -> None:
    """OTP supervisor: children are always ended with ``"shutdown"``."""
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(specs("a"))

    await Supervisor.stop(sup, reason)

    assert await stopped("a") == "shutdown"
    assert (await expect(Exit, pid=sup)).reason == reason


async def test_stop_of_a_dead_supervisor_raises_no_process_error() -> None:
    """Elixir ``Supervisor.stop/3`` exits with ``:noproc``."""
    sup = await Supervisor.start_link([])
    await Supervisor.stop(sup)

    with pytest.raises(NoProcessError):
        await Supervisor.stop(sup)


async def test_stop_in_no_time_gives_up_and_leaves_the_supervisor_stopping() -> None:
    gate = asyncio.Event()
    sup = await Supervisor.start_link([slow(gate, None)])
    ref = process.monitor(sup)

    with pytest.raises(ExitError):
        await Supervisor.stop(sup, timeout=0.01)

    gate.set()
    assert await down(ref) == "normal"


async def test_supervisor_waits_shutdown_seconds_then_kills() -> None:
    """Elixir Supervisor, "Shutdown values": after the time, exit with ``:kill``."""
    sup = await Supervisor.start_link([slow(asyncio.Event(), 0.02)])
    ref = process.monitor((await pids(sup, "slow"))[0])

    await Supervisor.stop(sup)

    assert await down(ref) == "killed"


async def test_child_that_stops_within_its_time_is_not_killed() -> None:
    gate = asyncio.Event()
    sup = await Supervisor.start_link([slow(gate, 60.0)])
    ref = process.monitor((await pids(sup, "slow"))[0])

    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("slow")
    gate.set()

    await stop
    assert await down(ref) == "shutdown"


async def test_shutdown_none_waits_without_limit() -> None:
    """Elixir Supervisor, "Shutdown values": ``:infinity``."""
    gate = asyncio.Event()
    sup = await Supervisor.start_link([slow(gate, None)])
    [child] = await pids(sup, "slow")

    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("slow")
    await settle()
    assert process.is_alive(child)
    assert not stop.done()

    gate.set()
    await stop


async def test_zero_shutdown_seconds_kills_what_does_not_stop_at_once() -> None:
    sup = await Supervisor.start_link([slow(asyncio.Event(), 0)])
    ref = process.monitor((await pids(sup, "slow"))[0])

    await Supervisor.stop(sup)

    assert await down(ref) == "killed"


async def test_brutal_kill_ends_the_child_without_terminate(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Shutdown values": ``:brutal_kill``."""
    sup = await Supervisor.start_link(specs("a", worker, shutdown="brutal_kill"))
    ref = process.monitor((await pids(sup, "a"))[0])
    await mailbox()

    await Supervisor.stop(sup)

    assert await down(ref) == "killed"
    assert await mailbox() == []


async def test_brutal_kill_is_expected_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")
    sup = await Supervisor.start_link(specs("a", shutdown="brutal_kill"))

    await Supervisor.stop(sup)

    assert caplog.records == []


async def test_child_that_traps_exits_and_ignores_shutdown_is_killed() -> None:
    me = process.current()

    async def stubborn() -> None:
        process.flag(trap_exit=True)
        process.send(me, "ready")
        while True:
            await process.receive()

    async def start() -> Pid:
        return process.spawn_link(stubborn)

    sup = await Supervisor.start_link([ChildSpec("stubborn", start, shutdown=0.02)])
    await message("ready")
    ref = process.monitor((await pids(sup, "stubborn"))[0])

    await Supervisor.stop(sup)

    assert await down(ref) == "killed"


async def test_spawned_child_is_stopped() -> None:
    async def start() -> Pid:
        return process.spawn_link(process.receive)

    sup = await Supervisor.start_link([ChildSpec("spawned", start)])
    ref = process.monitor((await pids(sup, "spawned"))[0])

    await Supervisor.stop(sup)

    assert await down(ref) == "shutdown"


async def test_child_that_crashes_while_stopping_does_not_stop_the_others() -> None:
    """OTP supervisor: the shutdown error is reported, the rest goes on."""

    class Clumsy(Worker):
        def terminate(self, reason: object) -> None:
            super().terminate(reason)
            raise OSError("disk full")

    sup = await Supervisor.start_link([*specs("a"), *specs("b", Clumsy), *specs("c")])
    await mailbox()

    await Supervisor.stop(sup)

    assert [event.tag for event in await mailbox()] == ["c", "b", "a"]


async def test_supervisor_stops_its_children_when_its_parent_ends() -> None:
    """Elixir ``Supervisor.start_link/2``: also when the parent exits with ``:normal``."""
    me = process.current()

    async def parent() -> None:
        child = Worker.child_spec("a", me)
        process.send(me, await Supervisor.start_link([child], name="orphan"))

    process.spawn(parent)

    assert await stopped("a") == "shutdown"
    await until(lambda: process.whereis("orphan") is None)


@pytest.mark.parametrize("reason", ["normal", "shutdown", "odd"])
async def test_supervisor_stops_at_its_parents_exit_signal(reason: str) -> None:
    """OTP 25: a supervisor traps exits, so its parent's ``:normal`` stops it too."""
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(specs("a"))

    process.exit(sup, reason)

    assert await stopped("a") == "shutdown"
    assert (await expect(Exit, pid=sup)).reason == reason


async def test_supervisor_ignores_exit_signals_of_strangers() -> None:
    """OTP 25: a supervisor traps exits and heeds only its parent's and its children's."""
    sup = await Supervisor.start_link(specs("a"))

    async def stranger() -> None:
        process.exit(sup, "odd")

    _, ref = process.spawn_monitor(stranger)
    await down(ref)
    await settle()

    assert process.is_alive(sup)


async def test_children_die_with_a_killed_supervisor() -> None:
    """OTP 25: they are linked, so they get ``"killed"``; as from their parent, it is stopped
    with ``terminate``."""
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link(specs("ab"))
    refs = [process.monitor(pid) for pid in await pids(sup, "a", "b")]

    process.exit(sup, "kill")

    assert [await down(ref) for ref in refs] == ["killed", "killed"]
    assert {await stopped("a"), await stopped("b")} == {"killed"}
    assert (await expect(Exit, pid=sup)).reason == "killed"


async def test_whole_subtree_dies_with_a_killed_supervisor() -> None:
    """No orphan: what hangs below the killed supervisor goes too."""
    process.flag(trap_exit=True)
    below = Supervisor.child_spec(specs("a"), name="below")
    sup = await Supervisor.start_link([below])
    inner = process.monitor(process.whereis("below"))

    process.exit(sup, "kill")

    await down(inner)
    await stopped("a")
    await until(lambda: set(process.processes()) == {process.current()})


async def test_names_are_free_as_soon_as_stop_returns() -> None:
    sup = await Supervisor.start_link([Worker.child_spec(name="worker")], name="sup")

    await Supervisor.stop(sup)

    again = await Supervisor.start_link([Worker.child_spec(name="worker")], name="sup")
    assert process.whereis("sup") == again


async def test_queued_casts_are_dropped_at_shutdown() -> None:
    """A process that does not trap exits dies at once, whatever waits in its mailbox."""

    class Chatty(Worker):
        def handle_cast(self, request: object) -> None:
            self.tell(f"got {request}")

    sup = await Supervisor.start_link(specs("a", Chatty))
    [pid] = await pids(sup, "a")
    await started("a")

    stop = asyncio.create_task(Supervisor.stop(sup))
    await stopped("a")
    GenServer.cast(pid, "too late")
    await stop

    assert await mailbox() == []


async def test_child_may_ask_its_siblings_while_it_stops() -> None:
    """Reverse order makes it safe to use, while stopping, what started before."""

    class Flusher(Worker):
        async def terminate(self, reason: object) -> None:
            self.tell(f"flushed to {await Worker.ping('store')}")

    store = Worker.child_spec("the store", name="store")
    sup = await Supervisor.start_link([store, *specs(["flusher"], Flusher)])

    await Supervisor.stop(sup)

    await message("flushed to the store")
