"""Defects that starts, stops and names once had, and must not have again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from beamish import (
    BeamishError,
    CallTimeoutError,
    ChildSpec,
    DynamicSupervisor,
    From,
    GenServer,
    Pid,
    Registry,
    StartError,
    Supervisor,
    Via,
    call,
    process,
)
from beamish._registry.table import find_table
from beamish._runtime import one_or_many

Settle = Callable[[], Awaitable[None]]


class Server(GenServer):
    def handle_call(self, request: object, from_: From) -> object:
        return request


class Gated(GenServer):
    """Its ``init`` waits for ``gate``."""

    def __init__(self, gate: asyncio.Future[None]) -> None:
        self.gate = gate

    async def init(self) -> None:
        await self.gate


class Names:
    """A name service; ``also`` is what it does with a process that it has registered."""

    def __init__(self, also: Callable[[Pid], None]) -> None:
        self.names: dict[object, Pid] = {}
        self.also = also

    def register_name(self, name: object, pid: Pid) -> bool:
        if name in self.names:
            return False
        self.names[name] = pid
        self.also(pid)
        return True

    def unregister_name(self, name: object) -> None:
        self.names.pop(name, None)

    def whereis_name(self, name: object) -> Pid | None:
        return self.names.get(name)


class Killer(GenServer):
    """Kills ``victim`` in its ``__init__`` or in its ``terminate``."""

    def __init__(self, victim: Pid, *, at_once: object) -> None:
        self.victim = victim
        if at_once == "although dead":
            process.exit(self.pid, "kill")
        if at_once:
            process.exit(victim, "boom")

    def terminate(self, reason: object) -> None:
        process.exit(self.victim, "boom")


async def gone(pid: Pid) -> None:
    """Wait until the process is dead."""
    async with asyncio.timeout(50):
        while process.is_alive(pid):
            await asyncio.sleep(0)


async def left_by_a_start_cancelled_after(ticks: int) -> Pid | None:
    """Cancel a start so many turns after its ``init`` may go on; what lives on of it."""
    gate = asyncio.get_running_loop().create_future()
    starting = asyncio.create_task(Gated.start(gate, name="gated"))
    while process.whereis("gated") is None:
        await asyncio.sleep(0)
    gate.set_result(None)
    for _ in range(ticks):
        await asyncio.sleep(0)
    starting.cancel()
    (outcome,) = await asyncio.gather(starting, return_exceptions=True)
    left = process.whereis("gated")
    if left is not None:
        process.exit(left, "kill")
        await gone(left)
    return left if isinstance(outcome, asyncio.CancelledError) else None


async def test_cancelled_start_leaves_no_server() -> None:
    assert [await left_by_a_start_cancelled_after(ticks) for ticks in range(8)] == [None] * 8


async def test_start_fails_when_the_name_service_kills_the_process() -> None:
    class Counted(GenServer):
        def __init__(self) -> None:
            starts.append(self.pid)

    starts: list[Pid] = []
    names = Names(lambda pid: process.exit(pid, "boom"))

    with pytest.raises(StartError):
        await Counted.start(name=Via(names, "x"))

    assert starts == []


async def test_name_service_that_registers_a_second_name_gets_its_own_back() -> None:
    """Contract: when a process dies, its names are gone before anyone can look them up."""
    names = Names(lambda pid: process.register(pid, "second"))
    pid = await Server.start(name=Via(names, "x"))

    await GenServer.stop(pid)

    assert names.names == {}
    assert process.whereis("second") is None


async def test_registry_gives_no_name_to_a_dead_process() -> None:
    pid = await Server.start()
    await GenServer.stop(pid)

    async with process.attach():
        await Registry.start_link(keys="unique", name="names")
        with contextlib.suppress(BeamishError):
            Registry.register_name(("names", "x"), pid)

        assert Registry.whereis("names", "x") is None


@pytest.mark.parametrize(
    "how", ["start", "stop", "start_child", "start_child, dead before", "terminate_child"]
)
async def test_code_of_a_process_ends_when_its_request_kills_it(how: str, settle: Settle) -> None:
    """Contract: death is immediate."""

    async def dying() -> None:
        me = process.current()
        if how == "start":
            await Killer.start(me, at_once=True)
        elif how == "stop":
            await GenServer.stop(await Killer.start(me, at_once=False))
        else:
            sup = await DynamicSupervisor.start_link()
            at_once = {"start_child": True, "terminate_child": False}.get(how, "although dead")
            spec = Killer.child_spec(me, at_once=at_once)
            with contextlib.suppress(BeamishError):
                pid = await DynamicSupervisor.start_child(sup, spec)
                await DynamicSupervisor.terminate_child(sup, pid)
        ran_on.append(how)

    ran_on: list[str] = []

    await gone(process.spawn(dying))
    await settle()

    assert ran_on == []


async def test_stop_that_timed_out_watches_no_longer() -> None:
    class Busy(GenServer):
        @call(timeout=None)
        async def wait(self) -> None:
            await asyncio.Event().wait()

    pid = await Busy.start()
    waiting = asyncio.create_task(Busy.wait(pid))
    await asyncio.sleep(0)

    for _ in range(3):
        with pytest.raises(CallTimeoutError):
            await GenServer.stop(pid, timeout=0)

    assert one_or_many.items(pid._process.watchers) == ()
    waiting.cancel()


async def test_cancelled_waiter_for_a_key_leaves_no_lock() -> None:
    async def wait() -> None:
        async with Registry.lock("keys", "x"):
            pytest.fail("it was cancelled")

    async with process.attach():
        await Registry.start_link(keys="unique", name="keys")
        async with Registry.lock("keys", "x"):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
        waiting.cancel()  # in the step in which the key was handed over
        await asyncio.gather(waiting, return_exceptions=True)

        assert not find_table("keys").locks._locks


async def test_multi_call_takes_an_exception_for_the_reply_it_is() -> None:
    pid = await Server.start()
    error = ValueError("the last error seen")

    replies, failures = await GenServer.multi_call([pid], error)

    assert replies == [(pid, error)]
    assert failures == []


async def test_message_sent_later_through_an_unknown_registry_is_dropped(settle: Settle) -> None:
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))
    ref = process.send_after(Registry.via("nobody", "x"), "hello", 0.001)

    while process.read_timer(ref) is not None:
        await asyncio.sleep(0)
    await settle()

    assert noise == []


async def test_child_that_is_dead_already_is_not_kept_as_running(settle: Settle) -> None:
    async def start() -> Pid:
        pid = await Server.start()
        await GenServer.stop(pid, "boom")
        return pid

    async with process.attach():
        process.flag(trap_exit=True)
        sup = await Supervisor.start_link([])

        with contextlib.suppress(BeamishError):
            await Supervisor.start_child(sup, ChildSpec("x", start, restart="temporary"))
        await settle()

        assert not any(child.pid for child in await Supervisor.which_children(sup))
