"""Messages, replies and reasons are the user's values: nothing may depend on how they behave.

A numpy array has no truth value, a mock is equal to everything, and a ``__repr__`` may raise; none
of it may keep a message from its receiver, or a process from its death.
"""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from beamish import Down, Exit, ExitError, From, GenServer, Pid, Reply, Stop, Via, process


class Hostile:
    """Raises whatever is asked of it."""

    __slots__ = ()

    def _refuse(self, *_: object) -> bool:
        raise RuntimeError("do not touch")

    __eq__ = __ne__ = __bool__ = __repr__ = __str__ = __len__ = __iter__ = _refuse
    __hash__ = None


class EqualToAll:
    """Equal to everything, as ``unittest.mock.ANY`` is."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("do not touch")

    __repr__ = __str__


class Echo(GenServer):
    """Replies with the request; a message goes back to its watcher."""

    def __init__(self, watcher: Pid | None = None) -> None:
        self.watcher = watcher

    def handle_call(self, request: object, from_: From) -> object:
        if isinstance(request, Exception):
            raise request
        return request

    def handle_cast(self, request: object) -> None:
        process.send(self.watcher, request)

    def handle_info(self, message: object) -> None:
        process.send(self.watcher, message)


class AsyncEcho(Echo):
    async def handle_call(self, request: object, from_: From) -> object:
        await asyncio.sleep(0)
        return Echo.handle_call(self, request, from_)


SERVERS = pytest.mark.parametrize("server", [Echo, AsyncEcho])


@SERVERS
@pytest.mark.parametrize("timeout", [None, 5.0])
async def test_hostile_request_and_reply(server: type[Echo], timeout: float | None) -> None:
    value = Hostile()
    pid = await server.start()

    assert await GenServer.call(pid, value, timeout) is value


@SERVERS
async def test_hostile_value_in_reply_and_stop(server: type[Echo]) -> None:
    value = Hostile()
    pid = await server.start()

    assert await GenServer.call(pid, Reply(value)) is value
    assert await GenServer.call(pid, Stop("normal", reply=value)) is value


@pytest.mark.parametrize("send", [GenServer.cast, process.send])
async def test_hostile_message(send) -> None:
    async with process.attach() as me:
        value = Hostile()
        pid = await Echo.start(me)

        send(pid, value)

        assert await process.receive(timeout=50) is value


async def test_hostile_message_is_left_alone_by_a_selective_receive() -> None:
    async with process.attach() as me:
        value = Hostile()
        process.send(me, value)
        ref = process.monitor("nobody")

        down = await process.receive(timeout=5, match=lambda message: isinstance(message, Down))
        process.demonitor(ref, flush=True)

        assert down == Down(ref, "nobody", "noproc")
        assert await process.receive(timeout=0) is value


@pytest.mark.parametrize("value", [Hostile(), EqualToAll()], ids=["hostile", "equal to all"])
async def test_flush_takes_the_down_and_nothing_else(value: object) -> None:
    async with process.attach() as me:
        gate = asyncio.Event()
        target = await Echo.start()

        class Watches(Echo):
            async def handle_cast(self, request: object) -> None:
                ref = process.monitor(target)
                process.send(self.watcher, "watching")
                await gate.wait()
                process.demonitor(ref, flush=True)

        pid = await Watches.start(me)
        GenServer.cast(pid, "watch")
        assert await process.receive(timeout=50) == "watching"
        process.send(pid, value)
        await GenServer.stop(target)
        process.send(pid, "last")

        gate.set()

        assert await process.receive(timeout=50) is value
        assert await process.receive(timeout=50) == "last"


@pytest.mark.parametrize("reason", [Hostile(), (Hostile(), 1), ("shutdown", Hostile())], ids=type)
async def test_hostile_reason_of_an_exit_signal(reason: object) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Echo.start_link()
        process.monitor(pid)
        calling = asyncio.create_task(GenServer.call(await _owing(), "never"))

        process.exit(pid, reason)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert {type(message) for message in told} == {Down, Exit}
        assert all(message.reason is reason for message in told)
        calling.cancel()


async def _owing() -> Pid:
    class Owes(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            await asyncio.Event().wait()
            return None

    return await Owes.start()


@SERVERS
@pytest.mark.parametrize("reason", [Hostile(), (Hostile(), 1)], ids=type)
async def test_hostile_reason_of_a_stop(server: type[Echo], reason: object) -> None:
    async with process.attach():
        pid = await server.start()
        process.monitor(pid)

        with pytest.raises(ExitError) as caught:
            await GenServer.call(pid, Stop(reason))

        assert caught.value.reason is reason
        assert (await process.receive(timeout=50)).reason is reason


async def test_caller_waiting_when_a_hostile_reason_comes_is_told() -> None:
    reason = Hostile()
    pid = await _owing()
    calling = asyncio.create_task(GenServer.call(pid, "never", timeout=None))
    await asyncio.sleep(0)

    process.exit(pid, reason)

    with pytest.raises(ExitError) as caught:
        await asyncio.wait_for(calling, 5)
    assert caught.value.reason is reason


@SERVERS
async def test_exception_that_cannot_be_printed(server: type[Echo]) -> None:
    problem = HostileError()
    pid = await server.start(name="server")

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, problem)

    assert caught.value.reason is problem
    assert process.whereis("server") is None


@pytest.fixture
def _hostile_filter() -> Iterator[None]:
    class Refuses(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("in the filter")

    refuses = Refuses()
    logger = logging.getLogger("beamish")
    logger.addFilter(refuses)
    yield
    logger.removeFilter(refuses)


@SERVERS
@pytest.mark.usefixtures("_hostile_filter")
async def test_logging_that_raises_does_not_keep_a_server_from_its_death(
    server: type[Echo],
) -> None:
    async with process.attach():
        problem = ValueError("boom")
        pid = await server.start(name="server")
        ref = process.monitor(pid)

        with pytest.raises(ExitError) as caught:
            await GenServer.call(pid, problem, timeout=50)

        assert caught.value.reason is problem
        assert await process.receive(timeout=50) == Down(ref, pid, problem)
        assert process.whereis("server") is None


async def test_name_service_that_raises_does_not_keep_a_server_from_its_death() -> None:
    class Broken:
        def register_name(self, name: object, pid: Pid) -> bool:
            return True

        def unregister_name(self, name: object) -> None:
            raise ConnectionError("out of order")

        def whereis_name(self, name: object) -> Pid | None:
            raise ConnectionError("out of order")

    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Echo.start_link(name=Via(Broken(), "key"))
        process.monitor(pid)
        timer = process.send_after(pid, "ring", 60)

        process.exit(pid, "boom")

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert {type(message) for message in told} == {Down, Exit}
        assert process.read_timer(timer) is None
