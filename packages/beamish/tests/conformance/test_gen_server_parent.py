"""The parent's exit signal: the caller of ``start_link`` ends, or says that the server should.

Sources: OTP ``gen_server``, ``{'EXIT', Parent, Reason}``; Elixir ``GenServer.terminate/2``. Unlike
OTP, ``terminate`` runs also in a server that does not trap exits.
"""

import asyncio

import pytest

from beamish import Down, Exit, From, GenServer, Pid, process


class Child(GenServer):
    """Tells its watcher what it meets."""

    def __init__(self, watcher: Pid) -> None:
        self.watcher = watcher

    async def handle_call(self, request: object, from_: From) -> object:
        try:
            process.send(self.watcher, "waiting")
            await asyncio.Event().wait()
        finally:
            process.send(self.watcher, "left the callback")

    def handle_cast(self, request: object) -> None:
        process.send(self.watcher, request)

    def handle_info(self, message: object) -> None:
        process.send(self.watcher, message)

    def terminate(self, reason: object) -> None:
        process.send(self.watcher, ("terminate", reason))


class Trapping(Child, trap_exit=True):
    pass


class Slow(Child):
    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        Child.terminate(self, reason)


class Parent(GenServer):
    """Starts a child; ends as it is told, or tells the child to."""

    def __init__(self, child: type[Child], watcher: Pid) -> None:
        self.child, self.watcher = child, watcher

    async def init(self) -> None:
        self.pid_of_child = await self.child.start_link(self.watcher)

    def handle_call(self, request: object, from_: From) -> Pid:
        return self.pid_of_child

    def handle_cast(self, request: object) -> None:
        match request:
            case ("exit", reason):
                process.exit(self.pid_of_child, reason)
            case ("cast then exit", reason):
                GenServer.cast(self.pid_of_child, "before")
                process.exit(self.pid_of_child, reason)
                GenServer.cast(self.pid_of_child, "after")


async def family(child: type[Child]) -> tuple[Pid, Pid]:
    """A parent and its child."""
    parent = await Parent.start(child, process.current())
    return parent, await GenServer.call(parent, "child")


ABNORMAL = ["shutdown", ("shutdown", "moved"), "boom"]


@pytest.mark.parametrize("child", [Child, Trapping, Slow])
@pytest.mark.parametrize("reason", ABNORMAL)
async def test_terminate_runs_when_the_parent_dies(child: type[Child], reason: object) -> None:
    async with process.attach():
        parent, pid = await family(child)
        ref = process.monitor(pid)

        await GenServer.stop(parent, reason)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", reason), Down(ref, pid, reason)]


@pytest.mark.parametrize("child", [Child, Trapping, Slow])
@pytest.mark.parametrize("reason", ABNORMAL)
async def test_terminate_runs_when_the_parent_sends_an_exit(
    child: type[Child], reason: object
) -> None:
    """What a supervisor does to stop its child."""
    async with process.attach():
        parent, pid = await family(child)
        ref = process.monitor(pid)

        GenServer.cast(parent, ("exit", reason))

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", reason), Down(ref, pid, reason)]


@pytest.mark.parametrize("child", [Child, Trapping, Slow])
async def test_killed_parent_lets_its_child_terminate(child: type[Child]) -> None:
    async with process.attach():
        parent, pid = await family(child)
        ref = process.monitor(pid)

        process.exit(parent, "kill")

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", "killed"), Down(ref, pid, "killed")]


@pytest.mark.parametrize("child", [Child, Trapping, Slow])
async def test_kill_from_the_parent_runs_no_terminate(child: type[Child]) -> None:
    async with process.attach():
        parent, pid = await family(child)
        ref = process.monitor(pid)

        GenServer.cast(parent, ("exit", "kill"))

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_normal_end_of_the_parent_ends_a_trapping_child() -> None:
    async with process.attach():
        parent, pid = await family(Trapping)
        ref = process.monitor(pid)

        await GenServer.stop(parent)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", "normal"), Down(ref, pid, "normal")]


@pytest.mark.parametrize("child", [Child, Slow])
async def test_normal_end_of_the_parent_leaves_another_child_alone(
    child: type[Child], settle
) -> None:
    async with process.attach() as me:
        parent, pid = await family(child)

        await GenServer.stop(parent)
        await settle()

        assert process.is_alive(pid)
        process.send(me, "nothing before this")
        assert await process.receive(timeout=50) == "nothing before this"


async def test_normal_signal_from_the_parent_ends_only_a_trapping_child() -> None:
    async with process.attach():
        parent, trapping = await family(Trapping)
        other_parent, other = await family(Child)
        ref = process.monitor(trapping)

        GenServer.cast(parent, ("exit", "normal"))
        GenServer.cast(other_parent, ("exit", "normal"))

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", "normal"), Down(ref, trapping, "normal")]
        assert process.is_alive(other)


async def test_crash_of_the_parent_is_the_reason_of_its_child() -> None:
    async with process.attach():
        problem = ValueError("parent's")
        parent, pid = await family(Child)
        ref = process.monitor(pid)

        process.exit(parent, problem)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", problem), Down(ref, pid, problem)]


async def test_suspended_callback_is_left_before_terminate_runs() -> None:
    async with process.attach():
        parent, pid = await family(Child)
        calling = asyncio.create_task(GenServer.call(pid, "wait"))
        assert await process.receive(timeout=50) == "waiting"
        ref = process.monitor(pid)

        GenServer.cast(parent, ("exit", "shutdown"))

        told = [await process.receive(timeout=50) for _ in range(3)]
        assert told == ["left the callback", ("terminate", "shutdown"), Down(ref, pid, "shutdown")]
        with pytest.raises(Exception, match="shutdown"):
            await calling


async def test_trapping_child_handles_what_came_before_and_nothing_after() -> None:
    """OTP: the parent's exit is taken from the mailbox in its turn."""
    async with process.attach():
        parent, pid = await family(Trapping)
        ref = process.monitor(pid)

        GenServer.cast(parent, ("cast then exit", "shutdown"))

        told = [await process.receive(timeout=50) for _ in range(3)]
        assert told == ["before", ("terminate", "shutdown"), Down(ref, pid, "shutdown")]


async def test_exit_of_another_link_is_a_message_for_a_trapping_child() -> None:
    async with process.attach():
        _, pid = await family(Trapping)

        async def link_and_leave() -> None:
            process.link(pid)

        stranger = process.spawn(link_and_leave)

        assert await process.receive(timeout=50) == Exit(stranger, "normal")
        assert process.is_alive(pid)


async def test_starter_without_link_is_not_the_parent() -> None:
    async with process.attach() as me:
        pid = await Trapping.start(me)

        process.exit(pid, "shutdown")

        assert await process.receive(timeout=50) == Exit(me, "shutdown")
        assert process.is_alive(pid)


async def test_starter_that_links_later_is_not_the_parent() -> None:
    async with process.attach() as me:
        pid = await Child.start(me)
        process.link(pid)
        process.flag(trap_exit=True)
        ref = process.monitor(pid)

        process.exit(pid, "boom")

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert Down(ref, pid, "boom") in told
        assert Exit(pid, "boom") in told


async def test_attached_task_is_a_parent_too() -> None:
    heard: list[object] = []

    class Hears(GenServer):
        def terminate(self, reason: object) -> None:
            heard.append(reason)

    problem = KeyError("lost")
    with pytest.raises(KeyError):
        async with process.attach():
            pid = await Hears.start_link()
            raise problem

    for _ in range(20):
        await asyncio.sleep(0)
    assert heard == [problem]
    assert not process.is_alive(pid)


async def test_grandchildren_terminate_too() -> None:
    async with process.attach() as me:

        class Middle(Child):
            async def init(self) -> None:
                await Child.start_link(self.watcher)

        parent = await Parent.start(Middle, me)

        await GenServer.stop(parent, "shutdown")

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", "shutdown")] * 2
