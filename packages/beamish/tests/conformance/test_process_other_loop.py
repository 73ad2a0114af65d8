"""A process of another event loop is refused: only its own thread may touch it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from beamish import (
    BeamishError,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    StartError,
    Supervisor,
    call,
    from_thread,
    process,
)


class Server(GenServer):
    pass


async def start_server_and_registry() -> tuple[Pid, Pid]:
    registry: Future[Pid] = Future()

    async def hold_registry() -> None:
        registry.set_result(await Registry.start_link(keys="unique", name="registry"))
        await process.receive()

    process.spawn(hold_registry)
    return await Server.start(), await asyncio.wrap_future(registry)


class OtherLoop:
    """An event loop in a thread of its own, with a server and a registry in it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(start_server_and_registry(), self.loop)
        self.server, self.registry = started.result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        """End the loop and its thread; may be called again."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            for task in asyncio.all_tasks(self.loop):
                task._log_destroy_pending = False  # it ends in the middle on purpose
            self.loop.close()


@pytest.fixture
def other() -> Iterator[OtherLoop]:
    loop = OtherLoop()
    yield loop
    loop.close()


TOUCHES: dict[str, Callable[[OtherLoop], object]] = {
    "monitor": lambda other: process.monitor(other.server),
    "link": lambda other: process.link(other.server),
    "unlink": lambda other: process.unlink(other.server),
    "exit": lambda other: process.exit(other.server, "boom"),
    "send": lambda other: process.send(other.server, "hello"),
    "send_after": lambda other: process.send_after(other.server, "hello", 0.0),
    "register": lambda other: process.register(other.server, "name"),
    "Registry.register": lambda other: Registry.register(other.registry, "key"),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
async def test_process_of_another_loop_is_refused(
    touch: Callable[[OtherLoop], object], other: OtherLoop
) -> None:
    async with process.attach() as me:
        with pytest.raises(BeamishError, match="another event loop"):
            touch(other)

        info = process.info(me)
        assert info is not None
        assert (info.links, info.monitors, info.message_queue_len) == ((), (), 0)


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
async def test_refused_process_of_another_loop_is_unharmed(
    touch: Callable[[OtherLoop], object], other: OtherLoop
) -> None:
    async with process.attach():
        with pytest.raises(BeamishError):
            touch(other)

    async def look() -> process.ProcessInfo | None:
        return process.info(other.server)

    info = asyncio.run_coroutine_threadsafe(look(), other.loop).result(10)
    assert info is not None
    assert (info.links, info.monitored_by, info.names) == ((), (), ())


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
async def test_supervisor_refuses_a_child_of_another_loop(kind: type, other: OtherLoop) -> None:
    """It could not be linked: the supervisor would list it as running without end."""

    async def start() -> Pid:
        return other.server

    async with process.attach():
        sup = await (kind.start_link([]) if kind is Supervisor else kind.start_link())
        with pytest.raises(StartError, match="another event loop"):
            await kind.start_child(sup, ChildSpec("child", start))

        assert await kind.which_children(sup) == []
        await kind.stop(sup)


async def test_start_link_in_a_thread_that_inherited_the_context_is_refused() -> None:
    """``asyncio.to_thread`` copies the context, and so the current process, into the thread."""

    async def start() -> object:
        with pytest.raises(BeamishError, match="another event loop"):
            await Server.start_link()
        return "refused"

    async with process.attach() as me:
        assert await asyncio.to_thread(lambda: asyncio.run(start())) == "refused"
        info = process.info(me)
        assert info is not None
        assert info.links == ()


async def test_monitor_in_a_thread_that_inherited_the_context_is_refused() -> None:
    async def monitor() -> object:
        pid = await Server.start()
        with pytest.raises(BeamishError, match="another event loop"):
            process.monitor(pid)
        return "refused"

    async with process.attach():
        assert await asyncio.to_thread(lambda: asyncio.run(monitor())) == "refused"


def test_no_process_is_alive_after_its_loop_was_closed() -> None:
    other = OtherLoop()
    assert process.is_alive(other.server)

    other.close()

    assert not process.is_alive(other.server)
    assert process.info(other.server) is None
    assert GenServer.whereis(other.server) is None
    with pytest.raises(BeamishError):
        from_thread.call(other.server, "hello")


async def test_process_of_a_closed_loop_is_dead_for_links_and_monitors() -> None:
    other = OtherLoop()
    other.close()

    async with process.attach():
        process.flag(trap_exit=True)
        ref = process.monitor(other.server)
        process.link(other.server)

        down, exited = await process.receive(10), await process.receive(10)
        assert (down.ref, down.reason) == (ref, "noproc")
        assert (exited.pid, exited.reason) == (other.server, "noproc")


def test_server_of_a_loop_that_does_not_run_now_is_refused() -> None:
    class Echo(GenServer):
        @call
        def echo(self) -> str:
            return "echo"

    loop = asyncio.new_event_loop()
    pid = loop.run_until_complete(Echo.start())
    pid._process.runtime.budget = 10  # its time slice is not over: the clock is not read

    with pytest.raises(BeamishError, match="another event loop"):
        asyncio.run(Echo.echo(pid))

    loop.close()
