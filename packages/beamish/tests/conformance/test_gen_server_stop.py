"""``GenServer.stop``.

Source: Elixir ``GenServer.stop/3``.
"""

import asyncio

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    debug,
    process,
)


class Server(GenServer):
    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.gate = gate

    async def handle_call(self, request: object, from_: From) -> object:
        if request == "wait":
            await self.gate.wait()
        return request

    async def terminate(self, reason: object) -> None:
        if self.gate is not None:
            await self.gate.wait()


class SyncServer(GenServer):
    def __init__(self) -> None:
        self.reasons: list[object] = []

    def terminate(self, reason: object) -> None:
        self.reasons.append(reason)


class Clumsy(GenServer):
    def terminate(self, reason: object) -> None:
        raise ValueError("in terminate")


@pytest.mark.parametrize("server", [Server, SyncServer])
async def test_stopped_server_is_dead_when_stop_returns(server: type[GenServer]) -> None:
    pid = await server.start(name="server")

    assert await GenServer.stop(pid) is None

    assert not process.is_alive(pid)
    assert process.whereis("server") is None


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "boom", 42])
async def test_stop_gives_its_reason_to_all_and_returns(reason: object) -> None:
    async with process.attach():
        pid = await SyncServer.start()
        ref = process.monitor(pid)

        await GenServer.stop(pid, reason)

        assert await process.receive(timeout=50) == Down(ref, pid, reason)


async def test_stop_with_an_exception_as_reason_returns() -> None:
    async with process.attach():
        problem = ValueError("asked for")
        pid = await SyncServer.start()
        process.monitor(pid)

        await GenServer.stop(pid, problem)

        assert (await process.receive(timeout=50)).reason is problem


async def test_stop_by_name() -> None:
    await SyncServer.start(name="server")

    await GenServer.stop("server")

    assert process.whereis("server") is None


async def test_stop_of_a_dead_or_unknown_server_is_noproc() -> None:
    pid = await SyncServer.start()
    await GenServer.stop(pid)

    for dest in (pid, "nobody"):
        with pytest.raises(NoProcessError):
            await GenServer.stop(dest)


async def test_stop_waits_for_terminate(settle) -> None:
    gate = asyncio.Event()
    pid = await Server.start(gate)
    stopping = asyncio.create_task(GenServer.stop(pid))
    await settle()
    assert not stopping.done()

    gate.set()

    await stopping
    assert not process.is_alive(pid)


async def test_stop_waits_for_the_callback_that_runs(settle) -> None:
    gate = asyncio.Event()
    pid = await Server.start(gate)
    calling = asyncio.create_task(GenServer.call(pid, "wait"))
    await settle()
    stopping = asyncio.create_task(GenServer.stop(pid))
    await settle()
    assert not stopping.done()

    gate.set()

    assert await calling == "wait"
    await stopping


async def test_error_in_terminate_is_what_stop_raises() -> None:
    pid = await Clumsy.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.stop(pid)

    assert isinstance(caught.value.reason, ValueError)
    assert caught.value.__cause__ is caught.value.reason
    assert not process.is_alive(pid)


async def test_stop_that_loses_to_a_kill_raises_its_reason(settle) -> None:
    pid = await Server.start(asyncio.Event())
    stopping = asyncio.create_task(GenServer.stop(pid))
    await settle()

    process.exit(pid, "kill")

    with pytest.raises(ExitError) as caught:
        await stopping
    assert caught.value.reason == "killed"


async def test_stop_that_takes_too_long_is_a_timeout(settle) -> None:
    """Elixir: the caller exits with ``timeout``; the server ends when it can."""
    gate = asyncio.Event()
    pid = await Server.start(gate)

    with pytest.raises(TimeoutError) as caught:
        await GenServer.stop(pid, timeout=0.005)

    assert isinstance(caught.value, CallTimeoutError)
    assert process.is_alive(pid)
    gate.set()
    await settle()
    assert not process.is_alive(pid)


async def test_two_who_stop_the_same_server_are_both_served(settle) -> None:
    gate = asyncio.Event()
    pid = await Server.start(gate)
    stopping = [asyncio.create_task(GenServer.stop(pid)) for _ in range(2)]
    await settle()

    gate.set()

    assert await asyncio.gather(*stopping) == [None, None]


async def test_second_stop_with_another_reason_learns_the_real_one(settle) -> None:
    gate = asyncio.Event()
    pid = await Server.start(gate)
    first = asyncio.create_task(GenServer.stop(pid, "first"))
    await settle()
    second = asyncio.create_task(GenServer.stop(pid, "second"))
    await settle()

    gate.set()

    await first
    with pytest.raises(ExitError) as caught:
        await second
    assert caught.value.reason == "first"


async def test_suspended_server_can_be_stopped() -> None:
    """OTP ``sys:terminate`` works on a suspended process too."""
    pid = await SyncServer.start()
    await debug.suspend(pid)

    await GenServer.stop(pid, timeout=50)

    assert not process.is_alive(pid)


async def test_cancelled_stop_still_stops_the_server(settle) -> None:
    gate = asyncio.Event()
    pid = await Server.start(gate)
    stopping = asyncio.create_task(GenServer.stop(pid))
    await settle()

    stopping.cancel()
    await asyncio.wait([stopping])
    gate.set()
    await settle()

    assert not process.is_alive(pid)


async def test_stop_of_a_linked_server_normally_leaves_its_starter_alone() -> None:
    async with process.attach() as me:
        pid = await SyncServer.start_link()

        await GenServer.stop(pid)
        await asyncio.sleep(0)

        assert process.is_alive(me)


async def test_stop_leaves_no_monitor_and_no_message_behind() -> None:
    async with process.attach() as me:
        pid = await SyncServer.start()

        await GenServer.stop(pid)

        assert process.info(me).message_queue_len == 0
        assert len(process.info(me).monitors) == 0
