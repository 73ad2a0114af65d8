"""Order, fairness, context and results of a call, in every way to call: see ``call_support``."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    Down,
    ExitError,
    GenServer,
    NoReply,
    Pid,
    Reply,
    Stop,
    Timeout,
    process,
)

from .call_support import Runs, Way, every_way, stop

WHERE: contextvars.ContextVar[str] = contextvars.ContextVar("WHERE", default="nowhere")


def pid_of(dest: Any) -> Pid:
    pid = GenServer.whereis(dest)
    assert pid is not None
    return pid


async def seen(dest: Any) -> list[object]:
    """What the server has seen, once it has handled what waits."""
    found: list[object] = await GenServer.call(dest, lambda server: server.seen)
    return found


# -- Fairness and order


async def beat(beats: list[int]) -> None:
    while True:
        await asyncio.sleep(0)
        beats[0] += 1


@every_way
async def test_caller_that_is_always_answered_leaves_the_loop_to_others(way: Way) -> None:
    dest = await way.start()
    beats = [0]
    beating = asyncio.create_task(beat(beats))
    given_up = time.monotonic() + 10

    while beats[0] < 5 and time.monotonic() < given_up:
        await way.call(dest, lambda _: None)

    beating.cancel()
    assert beats[0] >= 5
    await stop(dest)


@every_way
async def test_server_that_calls_without_end_leaves_the_loop_to_others(way: Way) -> None:
    dest, caller = await way.start(), await Runs.start()
    beats = [0]
    beating = asyncio.create_task(beat(beats))

    async def calls_without_end() -> None:
        given_up = time.monotonic() + 10
        while beats[0] < 5 and time.monotonic() < given_up:
            await way.call(dest, lambda _: None)

    await Runs.run.timeout(None)(caller, lambda _: calls_without_end())

    beating.cancel()
    assert beats[0] >= 5
    for server in (dest, caller):
        await stop(server)


@every_way
async def test_call_comes_after_the_casts_before_it(way: Way) -> None:
    dest = await way.start()
    for number in range(3):
        Runs.note(dest, number)

    assert await way.call(dest, lambda server: list(server.seen)) == [0, 1, 2]
    await stop(dest)


@every_way
async def test_calls_of_many_are_served_in_turn_and_one_at_a_time(way: Way) -> None:
    dest = await way.start()
    busy: list[int] = []
    order: list[int] = []

    async def serve(number: int) -> int:
        assert busy == []
        busy.append(number)
        await asyncio.sleep(0)
        order.append(busy.pop())
        return number

    def ask(number: int) -> Awaitable[object]:
        return way.call(dest, lambda _: serve(number))

    assert await asyncio.gather(*(ask(number) for number in range(20))) == list(range(20))
    assert order == list(range(20))
    await stop(dest)


# -- Context, results, observation


@every_way
@pytest.mark.parametrize("waits", [False, True])
async def test_context_variable_of_a_callback_does_not_reach_its_caller(
    way: Way, waits: bool
) -> None:
    dest = await way.start()

    def set_variable(_: object) -> Any:
        WHERE.set("server")
        return asyncio.sleep(0) if waits else None

    await way.call(dest, set_variable)

    assert WHERE.get() == "nowhere"
    await stop(dest)


@every_way
async def test_callback_sees_the_context_of_its_caller_and_its_own_pid(way: Way) -> None:
    dest = await way.start()
    token = WHERE.set("caller")

    found = await way.call(dest, lambda _: (WHERE.get(), process.current()))

    WHERE.reset(token)
    assert found == ("caller", pid_of(dest))
    await stop(dest)


@every_way
async def test_reply_is_given_before_what_comes_then(way: Way) -> None:
    dest = await way.start()

    def reply(server: Runs) -> Reply:
        server.handle_continue = server.seen.append  # type: ignore[method-assign]
        return Reply("answer", then=Timeout(0.0))

    assert await way.call(dest, reply) == "answer"
    assert await seen(dest) == ["timeout"]
    await stop(dest)


@every_way
async def test_stop_gives_its_reply_and_ends_the_server(way: Way) -> None:
    async with process.attach():
        dest = await way.start()
        pid = pid_of(dest)
        ref = process.monitor(pid)

        assert await way.call(dest, lambda _: Stop("normal", reply="bye")) == "bye"

        assert await process.receive(10) == Down(ref, pid, "normal")


@every_way
async def test_call_that_gets_no_reply_times_out(way: Way) -> None:
    dest = await way.start()

    async def ask() -> object:
        if way.how == "GenServer.call":
            return await GenServer.call(dest, lambda _: NoReply(), 0.01)
        return await Runs.run.timeout(0.01)(dest, lambda _: NoReply())

    with pytest.raises(CallTimeoutError):
        await ask()

    assert await way.call(dest, lambda _: "lives") == "lives"
    await stop(dest)


@every_way
async def test_bad_result_crashes_the_server(way: Way) -> None:
    dest = await way.start()

    with pytest.raises(ExitError) as caught:
        await way.call(dest, lambda _: Continue("not alone"))

    assert isinstance(caught.value.reason, TypeError)


@every_way
async def test_each_call_counts_as_one_message_handled(way: Way) -> None:
    dest = await way.start()
    before = process.info(pid_of(dest)).messages_handled

    for _ in range(3):
        await way.call(dest, lambda _: None)

    assert process.info(pid_of(dest)).messages_handled == before + 3
    await stop(dest)


@every_way
async def test_callback_is_named_while_it_runs(way: Way) -> None:
    dest = await way.start()

    def look(server: Runs) -> object:
        info = process.info(server.pid)
        assert info is not None
        return info.current_callback, info.status

    expected = "handle_call" if way.how == "GenServer.call" else "run"
    assert await way.call(dest, look) == (expected, "running")
    assert process.info(pid_of(dest)).current_callback is None
    await stop(dest)
