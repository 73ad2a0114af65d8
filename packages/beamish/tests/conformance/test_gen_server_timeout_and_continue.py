"""``Timeout``, ``Continue`` and ``Hibernate``: what a callback asks to happen next.

Sources: Elixir ``GenServer``, "Timeouts", ``handle_continue/2``.
"""

import asyncio

import pytest

from beamish import Continue, Down, From, GenServer, Hibernate, Stop, Timeout, debug, process

from .virtual_time import on_virtual_clock


class Waits(GenServer):
    """Starts to wait when told to; notes what came."""

    def __init__(self, first: object = None) -> None:
        self.first = first
        self.seen: list[object] = []

    def init(self) -> object:
        return self.first

    def handle_cast(self, request: object) -> object:
        return request

    def handle_info(self, message: object) -> object:
        self.seen.append(message)
        return Timeout(10) if message == "again" else None

    def handle_call(self, request: object, from_: From) -> list[object]:
        return list(self.seen)


class Steps(GenServer):
    """Goes on from step to step; notes the order."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.seen: list[object] = []

    def init(self) -> Continue | None:
        process.send(self.pid, "sent in init")
        return Continue(self.first) if self.first else None

    async def handle_continue(self, arg: int) -> Continue | None:
        await asyncio.sleep(0)
        self.seen.append(arg)
        return Continue(arg - 1) if arg > 1 else None

    def handle_info(self, message: object) -> None:
        self.seen.append(message)

    def handle_cast(self, request: int) -> Continue:
        return Continue(request)

    def handle_call(self, request: object, from_: From) -> list[object]:
        return list(self.seen)


@on_virtual_clock
async def test_message_in_time_cancels_the_timeout() -> None:
    pid = await Waits.start()

    GenServer.cast(pid, Timeout(10))
    process.send(pid, "in time")
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == ["in time"]


@on_virtual_clock
async def test_call_in_time_cancels_the_timeout() -> None:
    pid = await Waits.start(Timeout(10))

    await GenServer.call(pid, "seen")
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == []


@on_virtual_clock
async def test_cast_in_time_cancels_the_timeout() -> None:
    pid = await Waits.start(Timeout(10))

    GenServer.cast(pid, None)
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == []


@on_virtual_clock
async def test_timeout_comes_once() -> None:
    pid = await Waits.start(Timeout(10))

    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == ["timeout"]


@on_virtual_clock
async def test_timeout_must_be_asked_for_again() -> None:
    """Elixir: the time-out counts until the next message; each callback sets its own."""
    pid = await Waits.start(Timeout(60))

    process.send(pid, "again")
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == ["again", "timeout"]


@on_virtual_clock
async def test_later_timeout_replaces_the_earlier() -> None:
    pid = await Waits.start(Timeout(10))

    GenServer.cast(pid, Timeout(60))
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == []


async def test_timeout_of_zero_comes_when_nothing_waits() -> None:
    async with process.attach() as me:

        class Zero(GenServer):
            def init(self) -> Timeout:
                return Timeout(0)

            def handle_info(self, message: object) -> None:
                process.send(me, message)

        await Zero.start()

        assert await process.receive(timeout=50) == "timeout"


@on_virtual_clock
async def test_timeout_of_zero_does_not_come_when_a_message_waits() -> None:
    """Erlang ``receive ... after 0``: a message that waits goes first, and is instead of it."""
    pid = await Waits.start()

    GenServer.cast(pid, Timeout(0))
    process.send(pid, "waits")
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == ["waits"]


@on_virtual_clock
async def test_timeout_survives_a_look_from_debug() -> None:
    """OTP: a system message does not count as a message; the time-out still comes."""
    pid = await Waits.start(Timeout(10))

    await debug.get_state(pid)
    await asyncio.sleep(30)

    assert await GenServer.call(pid, "seen") == ["timeout"]


@on_virtual_clock
async def test_timeout_of_a_dead_server_is_silent(settle) -> None:
    pid = await Waits.start(Timeout(10))

    await GenServer.stop(pid)

    await asyncio.sleep(30)
    assert not process.is_alive(pid)


async def test_hibernating_server_wakes_for_the_next_message() -> None:
    pid = await Waits.start(Hibernate())

    process.send(pid, "wake up")

    assert await GenServer.call(pid, "seen") == ["wake up"]


async def test_continue_of_init_runs_before_a_message_that_waits() -> None:
    pid = await Steps.start(1)

    assert await GenServer.call(pid, "seen") == [1, "sent in init"]


async def test_continue_can_continue_before_any_message() -> None:
    pid = await Steps.start(3)

    assert await GenServer.call(pid, "seen") == [3, 2, 1, "sent in init"]


async def test_continue_of_a_cast_runs_before_messages_that_wait() -> None:
    pid = await Steps.start()

    GenServer.cast(pid, 2)
    process.send(pid, "queued")

    assert await GenServer.call(pid, "seen") == ["sent in init", 2, 1, "queued"]


async def test_start_does_not_wait_for_the_continue() -> None:
    """Elixir ``handle_continue/2``: the starter goes on, the server finishes by itself."""
    gate = asyncio.Event()

    class Slow(GenServer):
        def init(self) -> Continue:
            return Continue("slowly")

        async def handle_continue(self, arg: object) -> None:
            await gate.wait()

        def handle_call(self, request: object, from_: From) -> object:
            return request

    pid = await asyncio.wait_for(Slow.start(), 5)

    gate.set()
    assert await GenServer.call(pid, "done") == "done"


async def test_crash_in_continue_comes_after_a_successful_start() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        problem = ValueError("in continue")

        class Crashes(GenServer):
            def init(self) -> Continue:
                return Continue("crash")

            def handle_continue(self, arg: object) -> None:
                raise problem

        pid = await Crashes.start_link()

        told = await process.receive(timeout=50)
        assert (told.pid, told.reason) == (pid, problem)


@pytest.mark.parametrize("reason", ["normal", "boom"])
async def test_continue_may_stop(reason: str) -> None:
    async with process.attach():

        class Stops(GenServer):
            def handle_cast(self, request: object) -> Continue:
                return Continue(request)

            def handle_continue(self, arg: object) -> Stop:
                return Stop(arg)

        pid = await Stops.start()
        ref = process.monitor(pid)

        GenServer.cast(pid, reason)

        assert await process.receive(timeout=50) == Down(ref, pid, reason)


async def test_endless_continue_leaves_the_loop_to_others() -> None:
    class Endless(GenServer):
        def init(self) -> Continue:
            return Continue(0)

        def handle_continue(self, arg: int) -> Continue:
            return Continue(arg + 1)

    pid = await asyncio.wait_for(Endless.start(), 5)

    for _ in range(20):
        await asyncio.sleep(0)
    process.exit(pid, "kill")
    await asyncio.sleep(0)


@pytest.mark.parametrize("reason", ["kill", "normal"])
@on_virtual_clock
async def test_timeout_of_a_dead_server_does_not_run_its_callback(reason: str) -> None:
    seen: list[object] = []

    class Dying(Waits):
        def handle_info(self, message: object) -> None:
            seen.append(message)

    pid = await Dying.start(Timeout(10))

    if reason == "kill":
        process.exit(pid, "kill")
    else:
        await GenServer.stop(pid)
    await asyncio.sleep(20)

    assert seen == []
