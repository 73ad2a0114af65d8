"""``@call`` and ``@cast``: one definition gives the server's method and its client function."""

import asyncio

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    Down,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Reply,
    Stop,
    call,
    cast,
    process,
)


class Counter(GenServer, restart="transient", shutdown=10.0):
    """The counter of the contract."""

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.owed: list[From] = []

    @call
    def increment(self, by: int = 1) -> int:
        """Add to the count."""
        self.count += by
        return self.count

    @cast
    def reset(self) -> None:
        """Start again."""
        self.count = 0

    @call
    async def slow_increment(self, by: int = 1, *, times: int = 1) -> int:
        for _ in range(times):
            await asyncio.sleep(0)
            self.increment(by)
        return self.count

    @cast
    async def slow_reset(self, to: int = 0) -> None:
        await asyncio.sleep(0)
        self.count = to

    @call
    def next_change(self, wanted: int, *, from_: From) -> NoReply:
        self.owed.append(from_)
        return NoReply()

    @cast
    def pay(self) -> None:
        for from_ in self.owed:
            GenServer.reply(from_, self.count)

    @call
    async def hang(self) -> None:
        await asyncio.Event().wait()

    @call(timeout=0.005)
    async def hang_briefly(self) -> None:
        await asyncio.Event().wait()

    @call(timeout=30)
    def patient(self) -> str:
        return "patient"

    @call
    def finish(self, reason: object) -> Stop:
        return Stop(reason, reply="finished")

    @call
    def finish_without_reply(self, reason: object) -> Stop:
        return Stop(reason)

    @call
    def reply_and_continue(self) -> Reply:
        return Reply("replied", then=Continue(7))

    @cast
    def stop_later(self, reason: object) -> Stop:
        return Stop(reason)

    @cast
    def continue_later(self, arg: int) -> Continue:
        return Continue(arg)

    @cast
    def bad(self) -> int:
        return 42

    def handle_continue(self, arg: int) -> None:
        self.count = arg

    def handle_call(self, request: object, from_: From) -> object:
        return ("raw", request)


class Doubler(Counter):
    """Changes one method and inherits the others."""

    @call
    def increment(self, by: int = 1) -> int:
        return super().increment(by * 2)


async def test_counter_of_the_contract() -> None:
    async with process.attach():
        pid = await Counter.start_link(5, name="counter")

        assert await Counter.increment(pid, 2) == 7
        assert Counter.reset("counter") is None
        assert await Counter.increment("counter") == 1


async def test_keyword_arguments_reach_the_method() -> None:
    pid = await Counter.start()

    assert await Counter.increment(pid, by=3) == 3
    assert await Counter.slow_increment(pid, by=2, times=2) == 7


async def test_async_methods_are_called_alike() -> None:
    pid = await Counter.start(5)

    Counter.slow_reset(pid, to=1)

    assert await Counter.slow_increment(pid, 2, times=3) == 7


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((1, 2), {}),
        ((), {"unknown": 1}),
        ((1,), {"by": 1}),
    ],
)
async def test_wrong_arguments_are_a_type_error_at_the_caller(args: tuple, kwargs: dict) -> None:
    pid = await Counter.start(5)

    with pytest.raises(TypeError):
        await Counter.increment(pid, *args, **kwargs)

    assert await Counter.increment(pid, 0) == 5


async def test_wrong_arguments_of_a_cast_are_a_type_error_at_the_caller() -> None:
    pid = await Counter.start(5)

    with pytest.raises(TypeError):
        Counter.reset(pid, "too many")
    with pytest.raises(TypeError):
        Counter.slow_reset(pid, frm=1)

    assert await Counter.increment(pid, 0) == 5


async def test_missing_destination_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        await Counter.increment()
    with pytest.raises(TypeError):
        Counter.reset()


async def test_wrong_arguments_are_found_before_the_destination_is() -> None:
    """Nothing is sent, so a missing server does not matter."""
    with pytest.raises(TypeError):
        await Counter.increment("nobody", 1, 2, 3)
    with pytest.raises(TypeError):
        Counter.reset("nobody", 1)


async def test_missing_argument_is_a_type_error_at_the_caller() -> None:
    pid = await Counter.start()

    with pytest.raises(TypeError, match="wanted"):
        await Counter.next_change(pid)

    assert process.is_alive(pid)


async def test_type_error_inside_the_method_is_the_servers_crash() -> None:
    pid = await Counter.start()

    with pytest.raises(ExitError) as caught:
        await Counter.increment(pid, "not a number")

    assert isinstance(caught.value.reason, TypeError)
    assert not process.is_alive(pid)


async def test_call_of_a_dead_or_unknown_server_is_noproc() -> None:
    pid = await Counter.start()
    await GenServer.stop(pid)

    for dest in (pid, "nobody"):
        with pytest.raises(NoProcessError):
            await Counter.increment(dest)


async def test_cast_to_a_dead_or_unknown_server_is_silent() -> None:
    pid = await Counter.start()
    await GenServer.stop(pid)

    assert Counter.reset(pid) is None
    assert Counter.reset("nobody") is None


async def test_timeout_overrides_the_default_for_one_call() -> None:
    pid = await Counter.start(5)

    assert await Counter.increment.timeout(50)(pid, 2) == 7
    assert await Counter.increment.timeout(None)(pid, by=2) == 9
    with pytest.raises(CallTimeoutError):
        await Counter.hang.timeout(0.005)(pid)


async def test_timeout_override_does_not_stick() -> None:
    pid = await Counter.start()
    Counter.slow_increment.timeout(0.0)

    assert await Counter.slow_increment(pid, times=3) == 3


async def test_timeout_override_checks_arguments_too() -> None:
    pid = await Counter.start()

    with pytest.raises(TypeError):
        await Counter.increment.timeout(50)(pid, 1, 2, 3)


async def test_timeout_of_the_decorator_is_the_default() -> None:
    pid = await Counter.start()

    assert await Counter.patient(pid) == "patient"
    with pytest.raises(CallTimeoutError):
        await Counter.hang_briefly(pid)


async def test_timeout_of_the_decorator_can_be_overridden() -> None:
    gate = asyncio.Event()

    class Waits(GenServer):
        @call(timeout=0.001)
        async def wait(self) -> str:
            await gate.wait()
            return "waited"

    pid = await Waits.start()
    waiting = asyncio.create_task(Waits.wait.timeout(None)(pid))
    await asyncio.sleep(0.01)
    gate.set()

    assert await waiting == "waited"


async def test_on_the_instance_it_is_the_plain_method() -> None:
    server = Counter.__new__(Counter)
    server.count = 1

    assert server.increment(2) == 3
    assert server.reset() is None
    assert server.count == 0
    coroutine = server.slow_increment()
    assert asyncio.iscoroutine(coroutine)
    coroutine.close()


async def test_client_function_keeps_name_and_docstring() -> None:
    assert Counter.increment.__name__ == "increment"
    assert Counter.increment.__doc__ == "Add to the count."
    assert Counter.reset.__doc__ == "Start again."


async def test_from_lets_the_method_reply_later() -> None:
    pid = await Counter.start(5)
    waiting = asyncio.create_task(Counter.next_change(pid, 1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()

    Counter.pay(pid)

    assert await waiting == 5


async def test_from_is_not_the_callers_to_give() -> None:
    pid = await Counter.start()

    with pytest.raises(TypeError):
        await Counter.next_change(pid, 1, from_="forged")

    assert process.is_alive(pid)


async def test_method_may_stop_the_server_with_a_reply() -> None:
    async with process.attach():
        pid = await Counter.start()
        ref = process.monitor(pid)

        assert await Counter.finish(pid, "shutdown") == "finished"

        assert await process.receive(timeout=50) == Down(ref, pid, "shutdown")


async def test_method_may_stop_the_server_without_a_reply() -> None:
    pid = await Counter.start()

    with pytest.raises(ExitError) as caught:
        await Counter.finish_without_reply(pid, "boom")

    assert caught.value.reason == "boom"


async def test_method_may_reply_and_continue() -> None:
    pid = await Counter.start()

    assert await Counter.reply_and_continue(pid) == "replied"
    assert await Counter.increment(pid, 0) == 7


async def test_cast_method_may_return_what_handle_cast_may() -> None:
    async with process.attach():
        pid = await Counter.start()
        ref = process.monitor(pid)

        Counter.continue_later(pid, 9)
        assert await Counter.increment(pid, 0) == 9
        Counter.stop_later(pid, "shutdown")

        assert await process.receive(timeout=50) == Down(ref, pid, "shutdown")


async def test_cast_method_with_a_bad_return_value_crashes_the_server() -> None:
    async with process.attach():
        pid = await Counter.start()
        process.monitor(pid)

        Counter.bad(pid)

        down = await process.receive(timeout=50)
        assert isinstance(down.reason, Exception)
        assert "42" in str(down.reason)


async def test_raw_requests_go_to_handle_call_beside_methods() -> None:
    pid = await Counter.start()

    assert await GenServer.call(pid, "request") == ("raw", "request")
    assert await Counter.increment(pid) == 1


async def test_subclass_answers_with_its_own_method() -> None:
    pid = await Doubler.start()

    assert await Doubler.increment(pid, 2) == 4
    assert await Counter.increment(pid, 2) == 8


async def test_subclass_inherits_methods() -> None:
    pid = await Doubler.start(3)

    Doubler.reset(pid)

    assert await Doubler.slow_increment(pid, 1, times=2) == 4
