"""A crash is carried whole: the exception itself, with its traceback, to everyone told of it.

Source: Erlang reference manual, "Errors and Error Handling": the exit reason of a crash.
"""

import asyncio
import traceback

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    Down,
    Exit,
    ExitError,
    From,
    GenServer,
    NoReply,
    call,
    cast,
    process,
)


class Crasher(GenServer):
    """Raises what it is given, in the callback it is given to."""

    def handle_call(self, request: object, from_: From) -> object:
        if isinstance(request, BaseException):
            self.raise_it(request)
        return NoReply() if request == "later" else request

    def handle_cast(self, request: object) -> object:
        if isinstance(request, tuple):
            return Continue(request[0])
        return self.raise_it(request)

    def handle_info(self, message: object) -> None:
        self.raise_it(message)

    def handle_continue(self, arg: object) -> None:
        self.raise_it(arg)

    @call
    def sync_method(self, problem: BaseException) -> None:
        self.raise_it(problem)

    @call
    async def async_method(self, problem: BaseException) -> None:
        await asyncio.sleep(0)
        self.raise_it(problem)

    @cast
    def cast_method(self, problem: BaseException) -> None:
        self.raise_it(problem)

    @cast
    async def async_cast_method(self, problem: BaseException) -> None:
        await asyncio.sleep(0)
        self.raise_it(problem)

    def raise_it(self, problem: BaseException) -> None:
        raise problem


WAYS = {
    "handle_cast": GenServer.cast,
    "handle_info": process.send,
    "handle_continue": lambda pid, problem: GenServer.cast(pid, (problem,)),
    "cast_method": Crasher.cast_method,
    "async_cast_method": Crasher.async_cast_method,
}

CALLS = {
    "handle_call": GenServer.call,
    "sync_method": Crasher.sync_method,
    "async_method": Crasher.async_method,
}


@pytest.mark.parametrize("way", WAYS)
async def test_down_and_exit_carry_the_exception_itself(way: str) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        problem = ValueError("boom")
        pid = await Crasher.start_link()
        ref = process.monitor(pid)

        WAYS[way](pid, problem)

        told = [await process.receive(timeout=50) for _ in range(2)]
        assert Down(ref, pid, problem) in told
        assert Exit(pid, problem) in told
        assert all(message.reason is problem for message in told)


@pytest.mark.parametrize("way", CALLS)
async def test_caller_gets_the_exception_as_reason_and_cause(way: str) -> None:
    problem = ValueError("boom")
    pid = await Crasher.start()

    with pytest.raises(ExitError) as caught:
        await CALLS[way](pid, problem)

    assert caught.value.reason is problem
    assert caught.value.__cause__ is problem
    assert caught.value.dest == pid
    assert not process.is_alive(pid)


@pytest.mark.parametrize("way", CALLS)
async def test_traceback_shows_where_it_was_raised(way: str) -> None:
    pid = await Crasher.start()

    with pytest.raises(ExitError) as caught:
        await CALLS[way](pid, ValueError("boom"))

    functions = [frame.name for frame in traceback.extract_tb(caught.value.reason.__traceback__)]
    assert functions[-1] == "raise_it"
    assert way in functions


async def test_every_waiting_caller_gets_the_same_exception() -> None:
    problem = ValueError("boom")
    pid = await Crasher.start()
    calls = [asyncio.create_task(GenServer.call(pid, "later")) for _ in range(5)]
    await asyncio.sleep(0)

    GenServer.cast(pid, problem)
    errors = await asyncio.gather(*calls, return_exceptions=True)

    assert all(type(error) is ExitError for error in errors)
    assert all(error.reason is problem and error.__cause__ is problem for error in errors)


async def test_traceback_does_not_grow_with_the_number_of_callers() -> None:
    """Each caller raises its own ``ExitError``; the shared exception is left as it was."""
    problem = ValueError("boom")
    pid = await Crasher.start()
    calls = [asyncio.create_task(GenServer.call(pid, "later")) for _ in range(50)]
    await asyncio.sleep(0)

    GenServer.cast(pid, problem)
    errors = await asyncio.gather(*calls, return_exceptions=True)

    assert len({id(error) for error in errors}) == 50
    assert len(traceback.extract_tb(problem.__traceback__)) < 20


async def test_exception_is_not_raised_at_the_caller_as_it_is() -> None:
    """The caller tells a server's error from its own by the ``ExitError`` around it."""
    pid = await Crasher.start()

    with pytest.raises(ExitError):
        try:
            await Crasher.sync_method(pid, KeyError("inside"))
        except KeyError:
            pytest.fail("the server's KeyError came out as the caller's own")


@pytest.mark.parametrize("way", CALLS)
async def test_timeout_inside_the_server_is_not_a_call_timeout(way: str) -> None:
    problem = TimeoutError("inside")
    pid = await Crasher.start()

    with pytest.raises(ExitError) as caught:
        await CALLS[way](pid, problem)

    assert not isinstance(caught.value, CallTimeoutError)
    assert caught.value.reason is problem


@pytest.mark.parametrize("way", ["handle_call", "sync_method"])
async def test_stop_iteration_out_of_a_plain_callback_is_an_error_like_another(way: str) -> None:
    problem = StopIteration("inside")
    pid = await Crasher.start()

    with pytest.raises(ExitError) as caught:
        await CALLS[way](pid, problem)

    assert caught.value.reason is problem


@pytest.mark.parametrize("way", CALLS)
async def test_cancelled_error_of_the_server_does_not_cancel_the_caller(way: str) -> None:
    """``future.result()`` of a cancelled future raises it: the server's error, not ours."""
    problem = asyncio.CancelledError("inside")
    pid = await Crasher.start()

    with pytest.raises(ExitError) as caught:
        await CALLS[way](pid, problem)

    assert isinstance(caught.value.reason, asyncio.CancelledError)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert not process.is_alive(pid)


async def test_server_that_awaits_something_cancelled_crashes() -> None:
    class Awaits(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            return await future

    pid = await Awaits.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, "go")

    assert isinstance(caught.value.reason, asyncio.CancelledError)
    assert not process.is_alive(pid)


@pytest.mark.parametrize("reason", ["boom", 42, None, ("a", "tuple")])
async def test_reason_that_is_not_an_exception_has_no_cause(reason: object) -> None:
    pid = await Crasher.start()
    calling = asyncio.create_task(GenServer.call(pid, "later"))
    await asyncio.sleep(0)

    process.exit(pid, reason)

    with pytest.raises(ExitError) as caught:
        await calling
    assert caught.value.reason == reason
    assert caught.value.__cause__ is None


async def test_error_of_a_nested_call_is_the_reason_of_the_server_in_between() -> None:
    class Front(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            return await GenServer.call("back", request)

    problem = ValueError("deep")
    back, front = await Crasher.start(name="back"), await Front.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.call(front, problem)

    inner = caught.value.reason
    assert caught.value.dest == front
    assert isinstance(inner, ExitError)
    assert inner.dest == "back"
    assert inner.reason is problem
    assert not process.is_alive(front)
    assert not process.is_alive(back)


async def test_destination_of_the_error_is_as_the_caller_gave_it() -> None:
    """Elixir puts the arguments of the call into the exit: the name stays a name."""
    await Crasher.start(name="crasher")

    with pytest.raises(ExitError) as caught:
        await GenServer.call("crasher", ValueError("boom"))

    assert caught.value.dest == "crasher"


async def test_message_of_the_error_names_the_destination_and_the_reason() -> None:
    await Crasher.start(name="crasher")

    with pytest.raises(ExitError) as caught:
        await GenServer.call("crasher", ValueError("what went wrong"))

    assert "crasher" in str(caught.value)
    assert "what went wrong" in str(caught.value)


async def test_exception_given_as_a_reply_is_a_value() -> None:
    class Answers(GenServer):
        def handle_call(self, request: object, from_: From) -> object:
            return ValueError("only a value")

    pid = await Answers.start()

    answer = await GenServer.call(pid, "go")

    assert isinstance(answer, ValueError)
    assert process.is_alive(pid)
