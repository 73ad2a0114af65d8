"""``Fail``: a server refuses a request and goes on; its caller gets the error itself.

Source: Elixir's ``{:reply, {:error, reason}, state}``, and contract section 9.
"""

import asyncio
from typing import Any

import pytest

from beamish import (
    Continue,
    Down,
    ExitError,
    Fail,
    From,
    GenServer,
    NoReply,
    Pid,
    Reply,
    Stop,
    Timeout,
    call,
    process,
)

from .call_support import Runs, Way, every_way, stop


class OverdrawnError(Exception):
    """What callers of an account must expect."""


def pid_of(dest: Any) -> Pid:
    pid = GenServer.whereis(dest)
    assert pid is not None
    return pid


def refuse(error: Exception, waits: bool) -> Any:
    """Return a function that refuses with ``error``, from an async callback if it ``waits``."""

    async def later() -> Fail:
        await asyncio.sleep(0)
        return Fail(error)

    return lambda _: later() if waits else Fail(error)


@every_way
@pytest.mark.parametrize("waits", [False, True])
async def test_caller_gets_the_error_itself_and_the_server_goes_on(way: Way, waits: bool) -> None:
    dest = await way.start()
    pid = pid_of(dest)
    error = OverdrawnError("25 of 10")

    with pytest.raises(OverdrawnError) as caught:
        await way.call(dest, refuse(error, waits))

    assert caught.value is error
    assert error.__cause__ is None
    assert await way.call(dest, lambda server: server.pid) == pid
    await stop(dest)


@every_way
async def test_each_refusal_counts_as_one_message_handled(way: Way) -> None:
    dest = await way.start()
    before = process.info(pid_of(dest)).messages_handled

    for _ in range(3):
        with pytest.raises(OverdrawnError):
            await way.call(dest, refuse(OverdrawnError(), waits=False))

    info = process.info(pid_of(dest))
    assert (info.messages_handled, info.current_callback) == (before + 3, None)
    await stop(dest)


@every_way
async def test_then_of_a_fail_is_applied(way: Way) -> None:
    dest = await way.start()

    with pytest.raises(OverdrawnError):
        await way.call(dest, lambda _: Fail(OverdrawnError(), then=Timeout(0.0)))

    assert await way.call(dest, lambda server: list(server.seen)) == ["timeout"]
    await stop(dest)


@every_way
async def test_cast_that_the_server_sends_itself_before_it_refuses_is_handled(way: Way) -> None:
    dest = await way.start()

    def note_and_refuse(server: Runs) -> Fail:
        Runs.note(server.pid, "noted")
        return Fail(OverdrawnError())

    with pytest.raises(OverdrawnError):
        await way.call(dest, note_and_refuse)

    assert await way.call(dest, lambda server: list(server.seen)) == ["noted"]
    await stop(dest)


@every_way
async def test_server_that_is_killed_while_it_refuses_is_dead(way: Way) -> None:
    dest = await way.start()
    pid = pid_of(dest)

    def die_and_refuse(server: Runs) -> Fail:
        process.exit(server.pid, "kill")
        return Fail(OverdrawnError())

    with pytest.raises(ExitError) as caught:
        await way.call(dest, die_and_refuse)

    assert caught.value.reason == "killed"
    assert not process.is_alive(pid)


@every_way
async def test_stop_with_a_fail_refuses_and_ends_the_server(way: Way) -> None:
    async with process.attach():
        dest = await way.start()
        pid = pid_of(dest)
        ref = process.monitor(pid)

        with pytest.raises(OverdrawnError):
            await way.call(dest, lambda _: Stop("normal", reply=Fail(OverdrawnError())))

        assert await process.receive(10) == Down(ref, pid, "normal")


@every_way
async def test_reply_with_a_fail_sends_it_as_a_value(way: Way) -> None:
    dest = await way.start()
    value = Fail(OverdrawnError())

    assert await way.call(dest, lambda _: Reply(value)) is value
    await stop(dest)


@every_way
@pytest.mark.parametrize(
    "wrong",
    [OverdrawnError, "text", None, KeyboardInterrupt(), StopIteration()],
    ids=["class", "text", "None", "KeyboardInterrupt", "StopIteration"],
)
async def test_fail_without_an_exception_crashes_the_server(way: Way, wrong: Any) -> None:
    dest = await way.start()

    with pytest.raises(ExitError) as caught:
        await way.call(dest, lambda _: Fail(wrong))

    assert isinstance(caught.value.reason, TypeError)
    assert "Fail takes an exception to raise" in str(caught.value.reason)


@every_way
async def test_refusals_and_replies_of_a_busy_server_reach_their_callers(way: Way) -> None:
    dest = await way.start()

    async def serve(number: int) -> int | Fail:
        await asyncio.sleep(0)
        return Fail(OverdrawnError(number)) if number % 2 else number

    calls = (way.call(dest, lambda _, n=number: serve(n)) for number in range(6))
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [a.args[0] if isinstance(a, OverdrawnError) else a for a in answers] == list(range(6))
    assert [isinstance(a, OverdrawnError) for a in answers] == [False, True] * 3
    await stop(dest)


class Later(GenServer):
    """Replies to a call after its callback has returned."""

    @call
    def ask(self, value: Any, *, from_: From) -> NoReply:
        process.send(self.pid, (from_, value))
        return NoReply()

    def handle_info(self, message: tuple[From, Any]) -> None:
        GenServer.reply(*message)


async def test_late_reply_can_be_a_fail() -> None:
    pid = await Later.start()

    with pytest.raises(OverdrawnError):
        await Later.ask(pid, Fail(OverdrawnError()))

    assert await Later.ask(pid, "lives") == "lives"
    await stop(pid)


class Dying(GenServer):
    """Is killed by its own callback after it has answered."""

    @call
    def ask(self, answer: Any, *, from_: From) -> NoReply:
        GenServer.reply(from_, answer)
        process.exit(self.pid, "kill")
        return NoReply()


async def test_refusal_counts_although_the_server_dies_after_it() -> None:
    with pytest.raises(OverdrawnError):
        await Dying.ask(await Dying.start(), Fail(OverdrawnError()))

    assert await Dying.ask(await Dying.start(), "reply") == "reply"


async def test_fail_of_a_reply_has_nothing_to_do_then() -> None:
    with pytest.raises(TypeError, match="then is only for a Fail that a callback returns"):
        Stop("normal", reply=Fail(OverdrawnError(), then=Continue()))

    pid = await Later.start()
    with pytest.raises(ExitError) as caught:
        await Later.ask(pid, Fail(OverdrawnError(), then=Continue()))
    assert isinstance(caught.value.reason, TypeError)


async def test_then_must_be_something_to_do() -> None:
    with pytest.raises(TypeError, match="then must be a Continue"):
        Fail(OverdrawnError(), then="later")


async def test_multi_call_lists_refusals_among_the_failures() -> None:
    first, second = await Runs.start(), await Runs.start()
    error = OverdrawnError()

    replies, failures = await GenServer.multi_call(
        [first, second], lambda server: Fail(error) if server.pid is second else "fine"
    )

    assert (replies, failures) == ([(first, "fine")], [(second, error)])
    for pid in (first, second):
        await stop(pid)


async def test_cast_cannot_fail() -> None:
    class Refusing(GenServer):
        def handle_cast(self, request: object) -> Fail:
            return Fail(OverdrawnError())

    async with process.attach():
        pid = await Refusing.start()
        ref = process.monitor(pid)

        GenServer.cast(pid, "request")

        down = await process.receive(10)
        assert isinstance(down.reason, TypeError)
        assert down.ref is ref
