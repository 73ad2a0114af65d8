"""Any asyncio event loop will do; one runtime each."""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable

import pytest
import uvloop

from beamish import CallingSelfError, Down, Exit, ExitError, From, GenServer, call, cast, process


class Server(GenServer):
    def __init__(self) -> None:
        self.count = 0

    @call
    def add(self, number: int) -> int:
        self.count += number
        return self.count

    @call
    async def slow_add(self, number: int) -> int:
        await asyncio.sleep(0)
        return self.add(number)

    @call
    def crash(self) -> None:
        raise ValueError("boom")

    @cast
    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def handle_call(self, request: object, from_: From) -> object:
        return request


async def everything() -> list[object]:
    """A bit of each kind of operation; the same result on every loop."""
    results: list[object] = []
    async with process.attach() as me:
        process.flag(trap_exit=True)
        pid = await Server.start_link(name="server")
        results += [await Server.add("server", 2), await Server.slow_add(pid, 3)]
        results.append(await GenServer.call(pid, "quick"))
        process.send_after(me, "ring", 0.001)
        results.append(await process.receive(timeout=50))

        async def tell(word: str) -> None:
            process.send(me, (word, process.current() != me))

        process.spawn(tell, "spawned")
        results.append(await process.receive(timeout=50))
        ref = process.monitor(pid)
        Server.wait(pid)
        calling = asyncio.create_task(Server.add(pid, 1))
        await asyncio.sleep(0.001)
        process.exit(pid, "kill")
        results.append(await process.receive(timeout=5, match=lambda m: isinstance(m, Down)))
        results[-1] = results[-1] == Down(ref, pid, "killed")
        try:
            await calling
        except ExitError as error:
            results.append(error.reason)
        results.append((await process.receive(timeout=50)).reason)
        other = await Server.start()
        try:
            await Server.crash(other)
        except ExitError as error:
            results.append(repr(error.reason))
        results.append(await asyncio.gather(*(_one(number) for number in range(5))))
    return results


async def _one(number: int) -> int:
    pid = await Server.start()
    await Server.add(pid, number)
    answer = await Server.slow_add(pid, number)
    await GenServer.stop(pid)
    return answer


EXPECTED = [
    2,
    5,
    "quick",
    "ring",
    ("spawned", True),
    True,
    "killed",
    "killed",
    "ValueError('boom')",
    [0, 2, 4, 6, 8],
]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("debug", [False, True])
def test_everything_works_on_every_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop], debug: bool
) -> None:
    with asyncio.Runner(loop_factory=new_loop, debug=debug) as runner:
        assert runner.run(everything()) == EXPECTED


def eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)


@needs_eager_tasks
def test_everything_works_with_eager_tasks() -> None:
    with asyncio.Runner(loop_factory=eager_loop) as runner:
        assert runner.run(everything()) == EXPECTED


@needs_eager_tasks
def test_eager_spawned_process_that_ends_at_once_is_linked_and_monitored() -> None:
    problem = ValueError("at once")

    async def fail() -> None:
        raise problem

    async def nothing() -> None:
        pass

    async def main() -> None:
        async with process.attach():
            process.flag(trap_exit=True)
            linked = process.spawn_link(fail)
            assert await process.receive(timeout=50) == Exit(linked, problem)
            monitored, ref = process.spawn_monitor(fail)
            assert await process.receive(timeout=50) == Down(ref, monitored, problem)
            monitored, ref = process.spawn_monitor(nothing)
            assert await process.receive(timeout=50) == Down(ref, monitored, "normal")

    with asyncio.Runner(loop_factory=eager_loop) as runner:
        runner.run(main())


@needs_eager_tasks
def test_eager_callback_that_calls_its_own_server_is_refused() -> None:
    class Selfish(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            try:
                return await GenServer.call(self.pid, request, timeout=50)
            except ExitError as error:
                return type(error)

    async def main() -> object:
        return await GenServer.call(await Selfish.start(), "hello")

    with asyncio.Runner(loop_factory=eager_loop) as runner:
        assert runner.run(main()) is CallingSelfError


@needs_eager_tasks
def test_eager_process_that_exits_itself_goes_no_further() -> None:
    async def main() -> list[str]:
        steps: list[str] = []

        async def leave() -> None:
            process.exit(process.current(), "boom")
            await asyncio.sleep(0)
            steps.append("went on")

        async with process.attach():
            pid, ref = process.spawn_monitor(leave)
            down = await process.receive(timeout=50)
            assert (down.ref, down.pid) == (ref, pid)
        await asyncio.sleep(0.001)
        return steps

    with asyncio.Runner(loop_factory=eager_loop) as runner:
        assert runner.run(main()) == []


def test_names_of_one_loop_are_unknown_in_the_next() -> None:
    async def start() -> None:
        await Server.start(name="server")

    for _ in range(3):
        asyncio.run(start())

    async def look() -> object:
        return process.whereis("server"), list(process.processes())

    assert asyncio.run(look()) == (None, [])


def test_process_of_a_finished_loop_is_not_alive_in_the_next() -> None:
    """A pid of a loop that is over behaves as one of a dead process."""

    async def start() -> object:
        return await Server.start()

    pid = asyncio.run(start())

    async def use() -> None:
        GenServer.cast(pid, "nothing")
        with pytest.raises(ExitError):
            await GenServer.call(pid, "hello", timeout=50)

    asyncio.run(use())


def test_end_of_the_loop_is_not_a_crash_of_its_servers(caplog) -> None:
    """``asyncio.run`` cancels what is left: nobody's error, and nothing hangs."""

    async def main() -> None:
        pid = await Server.start()
        Server.wait(pid)
        process.spawn(asyncio.Event().wait)
        await asyncio.sleep(0.001)

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
        gc.collect()

    assert [record.getMessage() for record in caplog.records] == []


async def test_living_processes_are_not_garbage() -> None:
    """Nobody holds their pids; the runtime does."""
    async with process.attach() as me:

        async def answer() -> None:
            process.register(process.current(), "spawned")
            message = await process.receive()
            process.send(me, message)

        class Waits(GenServer):
            async def handle_cast(self, request: object) -> None:
                future = asyncio.get_running_loop().create_future()
                process.register(process.spawn(_resolve, future), "resolver")
                process.send(me, await future)

        process.spawn(answer)
        GenServer.cast(await Waits.start(), "wait")
        await Server.start(name="server")
        while None in (process.whereis("spawned"), process.whereis("resolver")):
            await asyncio.sleep(0)
        gc.collect()

        process.send("spawned", "hello")
        process.send("resolver", "resolved")

        assert await Server.add("server", 1) == 1
        got = {await process.receive(timeout=50) for _ in range(2)}
        assert got == {"hello", "resolved"}


async def _resolve(future: asyncio.Future[object]) -> None:
    future.set_result(await process.receive())
