"""Time-outs, monitors, links and exits between two nodes."""

import asyncio

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    Exit,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Supervisor,
    process,
)
from beamish.erlang import Atom

from .nodes import (
    A,
    B,
    Counter,
    Pair,
    Trapping,
    received,
    remote_counter,
    remote_pid,
    two_nodes,
)

# -- Time-outs, cancellation and the end of a called process


async def test_timeout_and_cancellation_forget_the_call(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        peer = pair.a._process.server._table.peers[B]

        with pytest.raises(CallTimeoutError) as raised:
            await Counter.later.timeout(0.01)(pid)
        assert "messages waiting" not in str(raised.value)
        waiting = asyncio.ensure_future(Counter.later.timeout(None)(pid))
        await Counter.add(pid, 0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        process.send(pid, (Atom("reply"), 1))  # late
        await Counter.add(pid, 0)

        assert peer.calls == {}
        while pair.b._process.server._table.peers[A].monitors:  # the last one is on its way
            await asyncio.sleep(0.01)


async def test_crash_of_the_called_process_ends_call_and_monitor(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)
        reason = (Atom("python"), b"ValueError", b"broken")

        with pytest.raises(ExitError) as raised:
            await GenServer.call(pid, Atom("crash"))

        assert raised.value.reason == reason
        assert await received() == Down(ref, pid, reason)
        with pytest.raises(NoProcessError):
            await Counter.add(pid, 1)


async def test_demonitor_prevents_the_message(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        kept, removed = process.monitor(pid), process.monitor(pid)

        process.demonitor(removed)
        await GenServer.stop(pid)

        assert await received() == Down(kept, pid, "normal")
        with pytest.raises(TimeoutError):
            await process.receive(0)


async def test_stop_waits_until_the_process_has_ended(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)

        await GenServer.stop(pid, "shutdown")

        assert process.whereis("counter") is None
        with pytest.raises(ExitError):
            await GenServer.stop(pid)


# -- Links and exit signals


async def test_exit_of_a_linked_process_arrives_from_the_other_node(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        process.link(pid)
        process.link(pid)

        process.exit(pid, "kill")

        assert await received() == Exit(pid, "killed")


async def test_link_to_a_dead_process_is_a_noproc_exit(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        await GenServer.stop(pid)

        process.link(pid)

        assert await received() == Exit(pid, "noproc")


async def test_own_exit_reaches_a_linked_process_of_the_other_node(attached: Pid) -> None:
    async with two_nodes(exposed=["trapping"]) as pair:
        await Trapping.start(attached, name="trapping")
        pid = await GenServer.call(pair.at_b("trapping"), Atom("pid"))
        mine = await Counter.start()
        await GenServer.call(mine, (b"link", pid))

        await GenServer.stop(mine, "shutdown")

        match await received():
            case Exit(sender, reason):
                assert repr(sender).startswith("#PID<a@127.0.0.1.")
                assert reason == "shutdown"


async def test_unlinked_processes_do_not_end_each_other(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        process.link(pid)
        process.unlink(pid)

        await GenServer.stop(pid, "crash-like")
        with pytest.raises(TimeoutError):
            await process.receive(0)

        assert pair.a._process.server._table.peers[B].links == {}


async def test_exit_signal_without_trap_ends_a_process_of_the_other_node(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)

        process.exit(pid, "normal")
        process.exit(pid, ("shutdown", "moved"))

        assert await received() == Down(ref, pid, (Atom("shutdown"), Atom("moved")))


async def test_supervisor_restarts_a_process_of_the_other_node(attached: Pid) -> None:
    async def start(pair: Pair) -> Pid:
        await Counter.start(name="counter")
        pid = await remote_pid(pair)
        process.link(pid)
        return pid

    async with two_nodes(exposed=["counter"]) as pair:
        spec = Counter.child_spec().replace(id="remote", start=start, args=(pair,))
        supervisor = await Supervisor.start_link([spec])
        (child,) = await Supervisor.which_children(supervisor)
        first = child.pid
        ref = process.monitor(pair.at_b("counter"))

        process.exit(first, "kill")

        assert (await received()).ref is ref
        while (await Supervisor.which_children(supervisor))[0].pid in (None, first):
            await asyncio.sleep(0.01)
        await Supervisor.stop(supervisor)
        assert process.whereis("counter") is None


async def test_link_and_exit_refuse_the_name_of_a_remote_process(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        name = GenServer.whereis(pair.at_b("counter"))
        assert name is not None

        with pytest.raises(TypeError, match="needs a pid"):
            process.link(name)
        with pytest.raises(TypeError, match="needs a pid"):
            process.exit(name, "shutdown")

        assert await Counter.add(pid, 1) == 1
        info = process.info(attached)
        assert info is not None
        assert name not in info.links
