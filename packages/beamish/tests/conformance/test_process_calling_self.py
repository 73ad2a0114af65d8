"""A process that calls or stops itself; and what only looks like it.

Source: Elixir ``GenServer.call/3`` and ``stop/3``: exit with ``calling_self``.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from beamish import CallingSelfError, ExitError, From, GenServer, Pid, call, process


class Selfish(GenServer):
    """Runs what it is given inside its own callback, or in a task of its own."""

    @call
    async def run(self, work: Callable[[Pid], Awaitable[object]]) -> object:
        try:
            return await work(self.pid)
        except ExitError as error:
            return error

    @call
    def task_from_sync(self, watcher: Pid) -> None:
        self.task = asyncio.create_task(self.call_home(watcher))

    @call
    async def task_from_async(self, watcher: Pid) -> None:
        self.task = asyncio.create_task(self.call_home(watcher))
        await asyncio.sleep(0)

    @call
    def home(self) -> str:
        return "home"

    @call
    async def slow_home(self) -> str:
        await asyncio.sleep(0)
        return "home"

    async def call_home(self, watcher: Pid) -> None:
        answers = await Selfish.home(self.pid), await Selfish.slow_home(self.pid)
        process.send(watcher, answers)


@pytest.mark.parametrize(
    "work",
    [
        lambda pid: GenServer.call(pid, "request"),
        lambda pid: GenServer.call("selfish", "request"),
        lambda pid: Selfish.home(pid),
        lambda pid: Selfish.home("selfish"),
        lambda pid: Selfish.home.timeout(1)(pid),
        lambda pid: GenServer.stop(pid),
        lambda pid: GenServer.stop("selfish"),
    ],
    ids=["call", "call by name", "method", "by name", "timeout", "stop", "stop by name"],
)
async def test_server_cannot_call_or_stop_itself(work: Callable[[Pid], Awaitable[object]]) -> None:
    pid = await Selfish.start(name="selfish")

    error = await Selfish.run(pid, work)

    assert isinstance(error, CallingSelfError)
    assert await Selfish.home(pid) == "home"


async def test_uncaught_it_crashes_the_server() -> None:
    class Careless(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            return await GenServer.call(self.pid, request)

    pid = await Careless.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, "go")

    assert isinstance(caught.value.reason, CallingSelfError)
    assert not process.is_alive(pid)


async def test_attached_task_cannot_call_itself() -> None:
    async with process.attach() as me:
        with pytest.raises(CallingSelfError):
            await GenServer.call(me, "hello")


async def test_spawned_process_cannot_call_itself() -> None:
    async with process.attach() as me:

        async def call_itself() -> None:
            try:
                await GenServer.call(process.current(), "hello")
            except CallingSelfError:
                process.send(me, "refused")

        process.spawn(call_itself)

        assert await process.receive(timeout=50) == "refused"


@pytest.mark.parametrize("method", ["task_from_sync", "task_from_async"])
async def test_background_task_of_a_server_may_call_it(method: str) -> None:
    async with process.attach() as me:
        pid = await Selfish.start()

        await getattr(Selfish, method)(pid, me)

        assert await process.receive(timeout=50) == ("home", "home")


async def test_background_task_may_stop_its_server() -> None:
    async with process.attach():
        stopping: list[asyncio.Task[None]] = []

        class Ends(GenServer):
            def handle_cast(self, request: object) -> None:
                stopping.append(asyncio.create_task(GenServer.stop(self.pid)))

        pid = await Ends.start()
        process.monitor(pid)

        GenServer.cast(pid, "end")

        assert (await process.receive(timeout=50)).reason == "normal"
        await stopping[0]


async def test_background_task_may_call_while_another_callback_is_suspended(settle) -> None:
    """Another task of the same process waits its turn: it does not call itself."""
    async with process.attach() as me:
        gate = asyncio.Event()
        pid = await Selfish.start()
        await Selfish.task_from_sync(pid, me)
        waiting = asyncio.create_task(Selfish.run(pid, lambda _: gate.wait()))
        await settle()

        gate.set()

        assert await waiting is True
        assert await process.receive(timeout=50) == ("home", "home")


async def test_caller_is_not_taken_for_the_server_it_called_directly() -> None:
    async with process.attach():
        first, second = await Selfish.start(), await Selfish.start()

        assert await Selfish.run(first, lambda _: Selfish.home(second)) == "home"
        assert await Selfish.home(first) == "home"


@pytest.mark.parametrize("where", ["init", "handle_continue", "terminate"])
async def test_no_callback_can_call_its_own_server(where: str) -> None:
    errors: list[BaseException] = []

    async def try_it(self: GenServer, *_: object) -> None:
        try:
            await GenServer.call(self.pid, "hello")
        except BaseException as error:
            errors.append(error)

    server = type("Server", (GenServer,), {where: try_it})
    if where == "handle_continue":
        from beamish import Continue

        server = type("Starter", (server,), {"init": lambda self: Continue("go")})
    pid = await server.start()

    await GenServer.stop(pid)

    assert [type(error) for error in errors] == [CallingSelfError]
