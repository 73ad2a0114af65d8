"""Death is immediate, and it leaves nothing behind.

Sources: Erlang reference manual, "Processes"; Elixir ``GenServer.call/3``.
"""

import asyncio
import time

import pytest

from beamish import Down, ExitError, From, GenServer, NoReply, Pid, StartError, process


class Slow(GenServer):
    """Suspends in a callback; records how the callback ended."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    async def handle_call(self, request: object, from_: From) -> object:
        if request == "later":
            return NoReply()
        if request == "ping":
            return "pong"
        try:
            self.steps.append("waiting")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.steps.append("cleaned")
        self.steps.append("went on")
        return "done"

    async def handle_cast(self, request: object) -> None:
        self.steps.append(f"cast {request}")


class Stubborn(Slow):
    """Swallows the cancellation once and answers."""

    async def handle_call(self, request: object, from_: From) -> object:
        try:
            self.steps.append("waiting")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.steps.append("swallowed")
        return "answer of the dead"


class Plain(GenServer):
    def handle_call(self, request: object, from_: From) -> object:
        return request


async def waiting(steps: list[str]) -> None:
    while "waiting" not in steps:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("signal", "reason"), [("boom", "boom"), ("kill", "killed")])
async def test_suspended_callback_is_cancelled_and_awaited(signal: str, reason: str) -> None:
    async with process.attach():
        steps: list[str] = []
        pid = await Slow.start(steps)
        ref = process.monitor(pid)
        calling = asyncio.create_task(GenServer.call(pid, "wait", timeout=None))
        await waiting(steps)

        process.exit(pid, signal)

        assert await process.receive(timeout=50) == Down(ref, pid, reason)
        assert steps == ["waiting", "cleaned"]
        with pytest.raises(ExitError):
            await calling


@pytest.mark.parametrize(("signal", "reason"), [("boom", "boom"), ("kill", "killed")])
@pytest.mark.parametrize("timeout", [None, 60.0])
async def test_every_waiting_caller_is_told_at_once(
    signal: str, reason: str, timeout: float | None
) -> None:
    steps: list[str] = []
    pid = await Slow.start(steps)
    requests = ["later", "later", "wait", "queued", "queued too"]
    calls = [asyncio.create_task(GenServer.call(pid, r, timeout=timeout)) for r in requests]
    await waiting(steps)
    started = time.monotonic()

    process.exit(pid, signal)
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert time.monotonic() - started < 50
    assert [type(error) for error in results] == [ExitError] * 5
    assert [error.reason for error in results] == [reason] * 5


async def test_queued_messages_are_dropped(settle) -> None:
    steps: list[str] = []
    pid = await Slow.start(steps)
    calling = asyncio.create_task(GenServer.call(pid, "wait"))
    await waiting(steps)
    for number in range(5):
        GenServer.cast(pid, number)

    process.exit(pid, "boom")
    with pytest.raises(ExitError):
        await calling
    await settle()

    assert steps == ["waiting", "cleaned"]


async def test_callback_that_swallows_its_cancellation_is_dead_all_the_same(settle) -> None:
    async with process.attach():
        steps: list[str] = []
        pid = await Stubborn.start(steps)
        ref = process.monitor(pid)
        calling = asyncio.create_task(GenServer.call(pid, "wait"))
        await waiting(steps)
        GenServer.cast(pid, "after death")

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")
        with pytest.raises(ExitError):
            await calling
        await settle()
        assert steps == ["waiting", "swallowed"]


async def test_error_in_the_cleanup_of_a_killed_callback_does_not_change_the_reason() -> None:
    async with process.attach():

        class Untidy(GenServer):
            async def handle_cast(self, request: Pid) -> None:
                process.send(request, "waiting")
                try:
                    await asyncio.Event().wait()
                finally:
                    raise ValueError("in the clean-up")

        pid = await Untidy.start()
        GenServer.cast(pid, process.current())
        assert await process.receive(timeout=50) == "waiting"
        ref = process.monitor(pid)

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_process_killed_during_init_fails_the_start() -> None:
    """OTP ``gen_server:start``: ``{error, killed}``."""
    steps: list[str] = []

    class SlowStart(Slow):
        async def init(self) -> None:
            await self.handle_call("wait", None)

    starting = asyncio.create_task(SlowStart.start(steps, name="slow start"))
    await waiting(steps)

    process.exit(process.whereis("slow start"), "kill")

    with pytest.raises(StartError) as caught:
        await starting
    assert caught.value.reason == "killed"
    assert process.whereis("slow start") is None


@pytest.mark.parametrize("end", ["stop", "boom", "kill"])
async def test_name_is_gone_when_the_down_arrives(end: str) -> None:
    async with process.attach():
        pid = await Plain.start(name="plain")
        process.monitor(pid)

        if end == "stop":
            await GenServer.stop(pid)
        else:
            process.exit(pid, end)
        await process.receive(timeout=50)

        assert process.whereis("plain") is None
        assert "plain" not in process.registered()


async def test_name_is_gone_when_the_caller_learns_of_the_crash() -> None:
    class Crasher(GenServer):
        def handle_call(self, request: object, from_: From) -> object:
            raise ValueError("boom")

    pid = await Crasher.start(name="crasher")

    with pytest.raises(ExitError):
        await GenServer.call("crasher", "go")

    assert process.whereis("crasher") is None
    assert not process.is_alive(pid)


async def test_name_is_free_when_the_down_is_handled() -> None:
    async with process.attach() as me:

        class Heir(GenServer):
            def __init__(self, holder: Pid) -> None:
                process.monitor(holder)

            def handle_info(self, message: object) -> None:
                process.register(self.pid, "throne")
                process.send(me, "crowned")

        holder = await Plain.start(name="throne")
        heir = await Heir.start(holder)

        process.exit(holder, "kill")

        assert await process.receive(timeout=50) == "crowned"
        assert process.whereis("throne") == heir


async def test_name_can_be_used_again_at_once_a_hundred_times() -> None:
    for _ in range(100):
        pid = await Plain.start(name="again")
        assert await GenServer.call("again", "ping") == "ping"
        await GenServer.stop(pid)

    assert process.whereis("again") is None


async def test_links_monitors_and_timers_are_gone_when_the_down_arrives() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)
        pid = await Plain.start_link()
        timer = process.send_after(pid, "ring", 60)
        process.monitor(pid)

        process.exit(pid, "kill")
        await process.receive(timeout=5, match=lambda message: isinstance(message, Down))

        assert process.read_timer(timer) is None
        assert pid not in process.info(me).links
        assert pid not in process.info(me).monitors
        assert pid not in process.processes()


async def test_thousand_waiting_callers_are_all_told() -> None:
    steps: list[str] = []
    pid = await Slow.start(steps)
    calls = [asyncio.create_task(GenServer.call(pid, "wait")) for _ in range(1000)]
    await waiting(steps)

    process.exit(pid, "boom")

    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {error.reason for error in results} == {"boom"}
