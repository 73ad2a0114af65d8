"""``monitor`` and ``demonitor``.

Sources: Elixir ``Process.monitor/1``, ``demonitor/2``; Erlang reference manual, Monitors.
"""

import pytest

from beamish import Down, GenServer, Pid, Ref, Stop, process


class Target(GenServer):
    def handle_call(self, request: object, from_: object) -> object:
        return request

    def handle_cast(self, request: object) -> Stop:
        if isinstance(request, Exception):
            raise request
        return Stop(request)


class Watcher(GenServer):
    """Watches one process and passes on what it is told of it."""

    def __init__(self, target: Pid, report_to: Pid) -> None:
        self.report_to = report_to
        self.ref = process.monitor(target)

    def handle_info(self, message: object) -> None:
        process.send(self.report_to, (message, self.ref))


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "boom", None, 42])
async def test_down_tells_who_and_why(reason: object) -> None:
    async with process.attach():
        pid = await Target.start()
        ref = process.monitor(pid)

        GenServer.cast(pid, reason)

        assert isinstance(ref, Ref)
        assert await process.receive(timeout=50) == Down(ref, pid, reason)


async def test_down_carries_the_exception_of_a_crash() -> None:
    async with process.attach():
        problem = ValueError("boom")
        pid = await Target.start()
        process.monitor(pid)

        GenServer.cast(pid, problem)

        down = await process.receive(timeout=50)
        assert down.reason is problem


async def test_kill_arrives_as_killed() -> None:
    async with process.attach():
        pid = await Target.start()
        ref = process.monitor(pid)

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_down_comes_once() -> None:
    async with process.attach() as me:
        pid = await Target.start()
        process.monitor(pid)

        await GenServer.stop(pid)
        process.exit(pid, "again")
        await process.receive(timeout=50)

        process.send(me, "end")
        assert await process.receive(timeout=50) == "end"


async def test_monitor_does_not_harm_the_watcher() -> None:
    async with process.attach() as me:
        pid = await Target.start()
        process.monitor(pid)

        GenServer.cast(pid, ValueError("boom"))
        await process.receive(timeout=50)

        assert process.is_alive(me)


async def test_monitor_of_a_dead_process_is_noproc_at_once() -> None:
    async with process.attach():
        pid = await Target.start()
        await GenServer.stop(pid)

        ref = process.monitor(pid)

        assert await process.receive(timeout=50) == Down(ref, pid, "noproc")


async def test_monitor_of_an_unknown_name_is_noproc_and_names_it() -> None:
    async with process.attach():
        ref = process.monitor("nobody")

        assert await process.receive(timeout=50) == Down(ref, "nobody", "noproc")


async def test_monitor_by_name_watches_the_process_that_holds_it() -> None:
    async with process.attach():
        pid = await Target.start(name="target")
        ref = process.monitor("target")

        await GenServer.stop(pid)

        down = await process.receive(timeout=50)
        assert (down.ref, down.reason) == (ref, "normal")


async def test_monitor_by_name_stays_with_the_process_when_the_name_moves() -> None:
    """Erlang ``monitor/2``: the name is resolved when the monitor is made."""
    async with process.attach() as me:
        first, second = await Target.start(), await Target.start()
        process.register(first, "target")
        ref = process.monitor("target")
        process.unregister("target")
        process.register(second, "target")

        await GenServer.stop(second)
        process.send(me, "nothing before this")
        assert await process.receive(timeout=50) == "nothing before this"
        process.exit(first, "boom")

        down = await process.receive(timeout=50)
        assert (down.ref, down.reason) == (ref, "boom")


async def test_each_monitor_has_its_own_down() -> None:
    """Erlang ``monitor/2``: several monitors of one process are independent."""
    async with process.attach():
        pid = await Target.start()
        refs = [process.monitor(pid) for _ in range(3)]

        await GenServer.stop(pid)

        downs = [await process.receive(timeout=50) for _ in range(3)]
        assert len(set(refs)) == 3
        assert {down.ref for down in downs} == set(refs)


async def test_demonitored_process_dies_unnoticed() -> None:
    async with process.attach() as me:
        pid = await Target.start()
        gone, kept = process.monitor(pid), process.monitor(pid)

        process.demonitor(gone)
        await GenServer.stop(pid)

        assert await process.receive(timeout=50) == Down(kept, pid, "normal")
        process.send(me, "end")
        assert await process.receive(timeout=50) == "end"


async def test_demonitor_leaves_a_down_that_was_delivered() -> None:
    async with process.attach():
        ref = process.monitor("nobody")

        process.demonitor(ref)

        assert (await process.receive(timeout=0)).ref == ref


async def test_demonitor_with_flush_takes_the_delivered_down_away() -> None:
    """Elixir ``Process.demonitor/2`` with ``:flush``; other messages stay."""
    async with process.attach() as me:
        process.send(me, "before")
        ref = process.monitor("nobody")
        other = process.monitor("nobody either")
        process.send(me, "after")

        process.demonitor(ref, flush=True)

        assert await process.receive(timeout=0) == "before"
        assert await process.receive(timeout=0) == Down(other, "nobody either", "noproc")
        assert await process.receive(timeout=0) == "after"


async def test_demonitor_twice_is_harmless() -> None:
    async with process.attach():
        pid = await Target.start()
        ref = process.monitor(pid)

        process.demonitor(ref)
        process.demonitor(ref, flush=True)

        assert process.is_alive(pid)


async def test_server_gets_the_down_in_handle_info() -> None:
    async with process.attach() as me:
        target = await Target.start()
        await Watcher.start_link(target, me)

        GenServer.cast(target, "boom")

        message, ref = await process.receive(timeout=50)
        assert message == Down(ref, target, "boom")


async def test_monitor_of_a_dead_watcher_is_gone() -> None:
    async with process.attach() as me:
        target = await Target.start()
        watcher = await Watcher.start(target, me)
        assert watcher in process.info(target).monitored_by

        await GenServer.stop(watcher)

        assert watcher not in process.info(target).monitored_by


async def test_monitor_needs_a_process() -> None:
    pid = await Target.start()

    with pytest.raises(LookupError):
        process.monitor(pid)


async def test_many_watchers_are_all_told() -> None:
    async with process.attach() as me:
        target = await Target.start()
        for _ in range(500):
            await Watcher.start(target, me)

        process.exit(target, "boom")

        told = [await process.receive(timeout=50) for _ in range(500)]
        assert all(message == Down(ref, target, "boom") for message, ref in told)
