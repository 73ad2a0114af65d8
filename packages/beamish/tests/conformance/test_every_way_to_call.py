"""The rules of a call hold in every way to call: see ``call_support``."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from beamish import (
    CallingSelfError,
    CallTimeoutError,
    Down,
    Exit,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    debug,
    process,
)

from .call_support import Runs, Way, every_way, stop


def pid_of(dest: Any) -> Pid:
    pid = GenServer.whereis(dest)
    assert pid is not None
    return pid


async def seen(dest: Any) -> list[object]:
    """What the server has seen, once it has handled what waits."""
    found: list[object] = await GenServer.call(dest, lambda server: server.seen)
    return found


# -- What a callback does to its own server


SELF_SENDS: dict[str, Callable[[Runs], None]] = {
    "cast method": lambda server: Runs.note(server.pid, "word"),
    "cast": lambda server: GenServer.cast(server.pid, "word"),
    "send": lambda server: process.send(server.pid, "word"),
}


@every_way
@pytest.mark.parametrize("send", SELF_SENDS.values(), ids=SELF_SENDS)
async def test_server_handles_what_it_sends_itself_in_a_call(
    way: Way, send: Callable[[Runs], None], settle
) -> None:
    dest = await way.start()

    await way.call(dest, send)
    await settle()

    info = process.info(pid_of(dest))
    assert info is not None
    assert info.message_queue_len == 0
    assert await seen(dest) == ["word"]
    await stop(dest)


@every_way
@pytest.mark.parametrize(("signal", "reason"), [("boom", "boom"), ("kill", "killed")])
async def test_server_that_exits_itself_in_a_call_is_dead(
    way: Way, signal: str, reason: str
) -> None:
    async with process.attach():
        dest = await way.start()
        pid = pid_of(dest)
        ref = process.monitor(pid)

        with pytest.raises(ExitError) as caught:
            await way.call(dest, lambda server: process.exit(server.pid, signal))

        assert caught.value.reason == reason
        assert not process.is_alive(pid)
        assert await process.receive(10) == Down(ref, pid, reason)


@every_way
async def test_server_that_exits_itself_normally_in_a_call_is_dead(way: Way) -> None:
    """``"normal"`` counts when it is sent to oneself."""
    dest = await way.start()

    with pytest.raises(ExitError) as caught:
        await way.call(dest, lambda server: process.exit(server.pid, "normal"))

    assert caught.value.reason == "normal"


@every_way
async def test_messages_a_server_sent_itself_before_it_died_are_dropped(way: Way, settle) -> None:
    server_seen: list[object] = []
    dest = await way.start()

    def send_and_die(server: Runs) -> None:
        server_seen.append(server.seen)
        GenServer.cast(server.pid, "word")
        process.exit(server.pid, "kill")

    with pytest.raises(ExitError):
        await way.call(dest, send_and_die)
    await settle()

    assert server_seen == [[]]


@every_way
async def test_server_that_suspends_itself_in_a_call_answers_it(way: Way, settle) -> None:
    dest = await way.start()
    pid = pid_of(dest)
    tasks: list[asyncio.Task[None]] = []

    def suspend(server: Runs) -> str:
        tasks.append(asyncio.create_task(debug.suspend(server.pid)))
        return "answer"

    assert await way.call(dest, suspend) == "answer"
    await tasks[0]
    Runs.note(pid, "later")
    await settle()
    assert (await debug.get_state(pid))["seen"] == []
    await debug.resume(pid)
    assert await seen(dest) == ["later"]
    await stop(dest)


# -- What a callback does to its caller


@every_way
@pytest.mark.parametrize(("signal", "reason"), [("boom", "boom"), ("kill", "killed")])
async def test_spawned_caller_killed_by_its_call_goes_no_further(
    way: Way, signal: str, reason: str
) -> None:
    steps: list[str] = []
    async with process.attach():
        dest = await way.start()

        async def caller() -> None:
            me = process.current()
            steps.append("calls")
            await way.call(dest, lambda _: process.exit(me, signal))
            steps.append("went on")

        pid, ref = process.spawn_monitor(caller)

        assert await process.receive(10) == Down(ref, pid, reason)
        assert steps == ["calls"]
        assert await way.call(dest, lambda _: "lives") == "lives"
        await stop(dest)


@every_way
async def test_server_killed_by_its_call_goes_no_further(way: Way) -> None:
    steps: list[str] = []
    async with process.attach():
        dest, caller = await way.start(), await Runs.start()
        ref = process.monitor(caller)

        async def work() -> None:
            steps.append("calls")
            await way.call(dest, lambda _: process.exit(caller, "boom"))
            steps.append("went on")

        with pytest.raises(ExitError):
            await GenServer.call(caller, lambda _: work())

        assert await process.receive(10) == Down(ref, caller, "boom")
        assert steps == ["calls"]
        await stop(dest)


@every_way
async def test_attached_caller_killed_by_its_call_goes_no_further(way: Way) -> None:
    steps: list[str] = []
    dest = await way.start()

    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            await way.call(dest, lambda _: process.exit(me, "boom"))
            steps.append("went on")

    assert caught.value.reason == "boom"
    assert steps == []
    await stop(dest)


@every_way
async def test_caller_that_is_killed_while_it_waits_leaves_the_server_unharmed(way: Way) -> None:
    async with process.attach():
        dest = await way.start()
        gate = asyncio.Event()

        async def caller() -> None:
            await way.call(dest, lambda _: gate.wait())

        pid, ref = process.spawn_monitor(caller)
        while process.info(pid_of(dest)).current_callback is None:
            await asyncio.sleep(0)
        process.exit(pid, "kill")
        gate.set()

        assert await process.receive(10) == Down(ref, pid, "killed")
        assert await way.call(dest, lambda _: "lives") == "lives"
        await stop(dest)


# -- Crashes


def crash(_: object) -> None:
    raise ValueError("boom")


@every_way
async def test_crash_is_an_exit_error_with_the_exception_as_reason(way: Way) -> None:
    dest = await way.start()
    pid = pid_of(dest)

    with pytest.raises(ExitError) as caught:
        await way.call(dest, crash)

    assert isinstance(caught.value.reason, ValueError)
    assert caught.value.__cause__ is caught.value.reason
    assert not process.is_alive(pid)


@every_way
async def test_crash_of_a_linked_server_ends_the_caller(way: Way) -> None:
    steps: list[str] = []
    dest = await way.start()

    with pytest.raises(ExitError) as caught:
        async with process.attach():
            process.link(pid_of(dest))
            try:
                await way.call(dest, crash)
            except ExitError:
                await asyncio.Event().wait()
            steps.append("went on")

    assert isinstance(caught.value.reason, ValueError)
    assert steps == []


@every_way
async def test_trapping_caller_gets_the_error_and_the_exit_message(way: Way) -> None:
    dest = await way.start()
    pid = pid_of(dest)
    async with process.attach():
        process.flag(trap_exit=True)
        process.link(pid)

        with pytest.raises(ExitError) as caught:
            await way.call(dest, crash)

        assert await process.receive(10) == Exit(pid, caught.value.reason)


@every_way
async def test_call_of_a_dead_server_raises_no_process_error(way: Way) -> None:
    dest = await way.start()
    await GenServer.stop(dest)

    with pytest.raises(NoProcessError):
        await way.call(dest, lambda _: None)


# -- A server that calls itself


@every_way
async def test_server_cannot_call_itself(way: Way) -> None:
    dest = await way.start()

    async def call_itself() -> object:
        try:
            return await way.call(dest, lambda _: "answer")
        except CallingSelfError:
            return "refused"

    assert await way.call(dest, lambda _: call_itself()) == "refused"
    assert await way.call(dest, lambda _: "lives") == "lives"
    await stop(dest)


@every_way
async def test_task_of_a_server_may_call_it(way: Way) -> None:
    dest = await way.start()
    tasks: list[asyncio.Task[object]] = []

    def start_task(_: object) -> None:
        tasks.append(asyncio.create_task(way.call(dest, lambda _: "answer")))

    await way.call(dest, start_task)

    assert await tasks[0] == "answer"
    await stop(dest)


@every_way
async def test_two_servers_that_call_each_other_wait_until_the_time_limit(way: Way) -> None:
    """The first is busy with its call: its callback must not run a second time on the stack."""
    first, second = await way.start("first"), await way.start("second")

    async def call_back() -> object:
        try:
            return await Runs.run.timeout(0.01)(first, lambda _: "ran")
        except CallTimeoutError:
            return "waited"

    async def call_second() -> object:
        return await way.call(second, lambda _: call_back())

    assert await way.call(first, lambda _: call_second()) == "waited"
    for dest in (first, second):
        await stop(dest)
