"""``terminate``: when it runs, when it does not, and what becomes of its errors.

Sources: Elixir ``GenServer.terminate/2``; OTP ``gen_server:terminate/2``. Unlike OTP it runs on
the parent's exit signal also in a server that does not trap exits.
"""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from beamish import Continue, Down, Exit, ExitError, From, GenServer, Pid, Stop, call, process


class Server(GenServer):
    """Tells its watcher what ``terminate`` was given."""

    def __init__(self, watcher: Pid, lasting: asyncio.Event | None = None) -> None:
        self.watcher, self.lasting = watcher, lasting

    def handle_call(self, request: object, from_: From) -> object:
        return self.do(request)

    def handle_cast(self, request: object) -> object:
        return self.do(request)

    def handle_info(self, message: object) -> object:
        if isinstance(message, Exit):
            process.send(self.watcher, message)
            return None
        return self.do(message)

    def handle_continue(self, arg: object) -> object:
        return self.do(arg)

    def do(self, what: object) -> object:
        if isinstance(what, Exception):
            raise what
        return what

    def terminate(self, reason: object) -> object:
        process.send(self.watcher, ("terminate", self.pid, reason))
        return "ignored"


class Trapping(Server, trap_exit=True):
    pass


class AsyncTerminate(Server):
    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        Server.terminate(self, reason)


class Clumsy(Server):
    def terminate(self, reason: object) -> None:
        Server.terminate(self, reason)
        raise KeyError("in terminate")


class AsyncClumsy(Server):
    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        Server.terminate(self, reason)
        raise KeyError("in terminate")


WAYS: dict[str, Callable[[Pid, object], object]] = {
    "handle_call": lambda pid, what: asyncio.ensure_future(_quietly(GenServer.call(pid, what))),
    "handle_cast": GenServer.cast,
    "handle_info": process.send,
    "handle_continue": lambda pid, what: GenServer.cast(pid, Continue(what)),
}
SERVERS = pytest.mark.parametrize("server", [Server, Trapping, AsyncTerminate])


async def _quietly(calling) -> None:
    with contextlib.suppress(Exception):
        await calling


@SERVERS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reason", ["normal", "shutdown", "boom"])
async def test_it_runs_once_on_stop(server: type[Server], way: str, reason: str) -> None:
    async with process.attach() as me:
        pid = await server.start(me)
        ref = process.monitor(pid)

        WAYS[way](pid, Stop(reason))

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", pid, reason), Down(ref, pid, reason)]


@SERVERS
@pytest.mark.parametrize("way", WAYS)
async def test_it_runs_on_a_raised_exception_and_gets_it(server: type[Server], way: str) -> None:
    async with process.attach() as me:
        problem = ValueError("boom")
        pid = await server.start(me)
        ref = process.monitor(pid)

        WAYS[way](pid, problem)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert told == [("terminate", pid, problem), Down(ref, pid, problem)]


@SERVERS
async def test_it_runs_on_a_bad_return_value(server: type[Server]) -> None:
    async with process.attach() as me:
        pid = await server.start(me)
        process.monitor(pid)

        GenServer.cast(pid, 42)

        said, down = [await process.receive(timeout=50) for _ in range(2)]
        assert said == ("terminate", pid, down.reason)


@SERVERS
async def test_it_runs_on_stop_from_outside(server: type[Server]) -> None:
    async with process.attach() as me:
        pid = await server.start(me)

        await GenServer.stop(pid, "shutdown")

        assert await process.receive(timeout=0) == ("terminate", pid, "shutdown")


@pytest.mark.parametrize("server", [Server, Trapping, AsyncTerminate])
async def test_it_does_not_run_on_kill(server: type[Server]) -> None:
    async with process.attach() as me:
        pid = await server.start(me)
        ref = process.monitor(pid)

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_it_does_not_run_on_a_strangers_untrapped_signal() -> None:
    async with process.attach() as me:
        pid = await Server.start(me)
        ref = process.monitor(pid)

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")


async def test_it_does_not_run_when_a_linked_stranger_dies() -> None:
    async with process.attach() as me:
        pid = await Server.start(me)
        ref = process.monitor(pid)

        async def link_and_die() -> None:
            process.link(pid)
            process.exit(process.current(), "boom")
            await asyncio.Event().wait()

        process.spawn(link_and_die)

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")


async def test_strangers_trapped_signal_is_a_message() -> None:
    async with process.attach() as me:
        pid = await Trapping.start(me)

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Exit(me, "boom")
        assert process.is_alive(pid)


@pytest.mark.parametrize("server", [Clumsy, AsyncClumsy])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", [Stop("normal"), ValueError("boom")], ids=["stop", "raise"])
async def test_exception_in_it_becomes_the_reason(
    server: type[Server], way: str, end: object
) -> None:
    async with process.attach() as me:
        pid = await server.start(me)
        process.monitor(pid)

        WAYS[way](pid, end)

        _, down = [await process.receive(timeout=50) for _ in range(2)]
        assert isinstance(down.reason, KeyError)


@pytest.mark.parametrize("server", [Server, AsyncTerminate, Clumsy, AsyncClumsy])
async def test_reply_of_a_stop_is_given_after_it_also_when_it_fails(server: type[Server]) -> None:
    """OTP ``gen_server``: ``{stop, Reason, Reply, State}`` terminates first, then replies."""
    async with process.attach() as me:
        pid = await server.start(me)

        answer = await GenServer.call(pid, Stop("normal", reply="bye"))

        assert answer == "bye"
        assert await process.receive(timeout=0) == ("terminate", pid, "normal")


async def test_name_is_still_there_in_it() -> None:
    async with process.attach() as me:

        class Named(GenServer):
            def terminate(self, reason: object) -> None:
                process.send(me, (process.whereis("named"), process.is_alive(self.pid)))

        pid = await Named.start(name="named")

        await GenServer.stop(pid)

        assert await process.receive(timeout=50) == (pid, True)
        assert process.whereis("named") is None


async def test_it_sees_the_state_as_the_crash_left_it() -> None:
    async with process.attach() as me:

        class Half(GenServer):
            def __init__(self) -> None:
                self.left, self.right = 10, 0

            def handle_cast(self, request: int) -> None:
                self.left -= request
                raise ValueError("in the middle")

            def terminate(self, reason: object) -> None:
                process.send(me, (self.left, self.right))

        pid = await Half.start()

        GenServer.cast(pid, 3)

        assert await process.receive(timeout=50) == (7, 0)


@pytest.mark.parametrize("server", [Server, Trapping])
async def test_kill_ends_a_server_that_is_terminating(server: type[Server], settle) -> None:
    async with process.attach() as me:
        begun = asyncio.Event()

        class Endless(server):
            async def terminate(self, reason: object) -> None:
                begun.set()
                await asyncio.Event().wait()

        pid = await Endless.start(me)
        ref = process.monitor(pid)
        GenServer.cast(pid, Stop("normal"))
        await begun.wait()

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_caller_hears_why_its_server_was_killed_in_terminate() -> None:
    class Doomed(GenServer):
        @call
        def stop_yourself(self) -> Stop:
            return Stop("normal")

        def terminate(self, reason: object) -> None:
            process.exit(self.pid, "kill")

    pid = await Doomed.start()

    with pytest.raises(ExitError) as caught:
        await Doomed.stop_yourself(pid)

    assert caught.value.reason == "killed"
