"""``start`` and ``start_link``.

Sources: Elixir ``GenServer.start_link/3``, ``start/3``, ``init/1``.
"""

import asyncio

import pytest

from beamish import (
    AlreadyStartedError,
    Down,
    Exit,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    Pid,
    Timeout,
    process,
)

from .virtual_time import on_virtual_clock

BUILT: list[object] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    BUILT.clear()


class Server(GenServer):
    """Waits at its start for the gate it is given."""

    def __init__(self, gate: asyncio.Event | None = None, *, extra: int = 0) -> None:
        BUILT.append(extra)
        self.gate, self.extra = gate, extra

    async def init(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def handle_call(self, request: object, from_: From) -> object:
        return (self.gate, self.extra) if request == "arguments" else request

    def handle_cast(self, request: object) -> None:
        raise ValueError(request)


async def test_start_returns_the_pid_of_a_running_server() -> None:
    pid = await Server.start()

    assert isinstance(pid, Pid)
    assert process.is_alive(pid)


async def test_arguments_reach_the_constructor() -> None:
    pid = await Server.start(None, extra=3)

    assert await GenServer.call(pid, "arguments") == (None, 3)


async def test_class_without_constructor_or_callbacks_starts() -> None:
    class Bare(GenServer):
        pass

    pid = await Bare.start()

    assert process.is_alive(pid)
    await GenServer.stop(pid)


async def test_start_works_outside_a_process_and_start_link_does_not() -> None:
    assert process.is_alive(await Server.start())

    with pytest.raises(NoProcessError):
        await Server.start_link()


async def test_start_link_without_a_process_starts_nothing() -> None:
    with pytest.raises(NoProcessError):
        await Server.start_link(name="server")

    assert process.whereis("server") is None
    assert BUILT == []


async def test_start_link_links_to_the_caller() -> None:
    with pytest.raises(ExitError):
        async with process.attach():
            pid = await Server.start_link()
            GenServer.cast(pid, "boom")
            await asyncio.Event().wait()


async def test_start_does_not_link(settle) -> None:
    async with process.attach() as me:
        pid = await Server.start()

        GenServer.cast(pid, "boom")
        await settle()

        assert not process.is_alive(pid)
        assert process.is_alive(me)


async def test_starter_waits_for_init() -> None:
    gate = asyncio.Event()
    starting = asyncio.create_task(Server.start(gate))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not starting.done()

    gate.set()

    assert process.is_alive(await starting)


async def test_slow_start_does_not_hold_up_another() -> None:
    gate = asyncio.Event()
    slow = asyncio.create_task(Server.start(gate))
    await asyncio.sleep(0)

    quick = await Server.start()

    assert process.is_alive(quick)
    gate.set()
    await slow


async def test_pid_is_known_in_the_constructor() -> None:
    class Knows(GenServer):
        def __init__(self) -> None:
            self.known = self.pid

        def handle_call(self, request: object, from_: From) -> Pid:
            return self.known

    pid = await Knows.start()

    assert await GenServer.call(pid, "pid") == pid


async def test_name_is_registered_before_the_constructor_runs() -> None:
    """OTP ``gen``: the name is registered before the module's ``init``."""
    found: list[object] = []

    class Looks(GenServer):
        def __init__(self) -> None:
            found.append(process.whereis("looks"))

    pid = await Looks.start(name="looks")

    assert found == [pid]


async def test_taken_name_keeps_its_server_and_builds_no_second() -> None:
    """Elixir ``start_link/3``: ``{:error, {:already_started, pid}}``, ``init`` is not called."""
    pid = await Server.start(name="server")
    BUILT.clear()

    with pytest.raises(AlreadyStartedError) as caught:
        await Server.start(name="server")

    assert caught.value.pid == pid
    assert process.whereis("server") == pid
    assert BUILT == []


async def test_name_is_taken_while_init_still_runs() -> None:
    gate = asyncio.Event()
    starting = asyncio.create_task(Server.start(gate, name="server"))
    while process.whereis("server") is None:
        await asyncio.sleep(0)

    with pytest.raises(AlreadyStartedError) as caught:
        await Server.start(name="server")

    gate.set()
    assert caught.value.pid == await starting


async def test_of_many_concurrent_starts_one_wins() -> None:
    results = await asyncio.gather(
        *(Server.start(name="server") for _ in range(20)), return_exceptions=True
    )

    winners = [result for result in results if isinstance(result, Pid)]
    losers = [result for result in results if isinstance(result, AlreadyStartedError)]
    assert len(winners) == 1
    assert [loser.pid for loser in losers] == winners * 19


@on_virtual_clock
async def test_start_within_its_timeout_is_not_disturbed_later() -> None:
    pid = await Server.start(timeout=10)

    await asyncio.sleep(20)

    assert await GenServer.call(pid, "ping") == "ping"


async def test_server_can_start_linked_servers() -> None:
    class Parent(GenServer):
        async def handle_call(self, request: object, from_: From) -> Pid:
            return await Server.start_link()

    async with process.attach():
        parent = await Parent.start()
        child = await GenServer.call(parent, "child")

        assert parent in process.info(child).links
        assert process.info(child).parent == parent


async def test_timeout_from_init_reaches_handle_info() -> None:
    async with process.attach() as me:

        class Waits(GenServer):
            def init(self) -> Timeout:
                return Timeout(0.001)

            def handle_info(self, message: object) -> None:
                process.send(me, message)

        await Waits.start()

        assert await process.receive(timeout=50) == "timeout"


async def test_message_loop_does_not_start_before_init_is_done() -> None:
    order: list[str] = []

    class Impatient(GenServer):
        async def init(self) -> None:
            process.send(self.pid, "message")
            await asyncio.sleep(0)
            order.append("init done")

        def handle_info(self, message: object) -> None:
            order.append("message")

    pid = await Impatient.start()
    await GenServer.stop(pid)

    assert order == ["init done", "message"]


async def test_exit_of_the_starter_during_init_ends_the_start() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        built = asyncio.Event()

        class Slow(GenServer):
            async def init(self) -> None:
                built.set()
                await asyncio.Event().wait()

        async def start_it() -> None:
            await Slow.start_link(name="slow")

        starter = process.spawn_link(start_it)
        await built.wait()
        slow = process.whereis("slow")
        process.monitor(slow)

        process.exit(starter, "kill")

        told = {type(m): m for m in [await process.receive(timeout=50) for _ in range(2)]}
        assert told[Exit] == Exit(starter, "killed")
        assert (told[Down].pid, told[Down].reason) == (slow, "killed")
