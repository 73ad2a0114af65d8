"""What type checkers know of ``@call`` and ``@cast``. Not run: checked by mypy."""

from collections.abc import Coroutine
from typing import Any, assert_type

from beamish import Continue, Fail, From, GenServer, NoReply, Pid, Reply, Stop, Via, call, cast


class Counter(GenServer, restart="transient", shutdown=10.0):
    def __init__(self, start: int = 0) -> None:
        self.count = start

    @call
    def increment(self, by: int = 1) -> int:
        assert_type(self.twice(2), int)
        self.count += by
        return self.count

    @call
    async def slow(self, times: int, *, label: str = "") -> str:
        assert_type(await self.slow_two(), str)
        return label * times

    @call(timeout=30)
    def patient(self) -> bytes:
        return b""

    @call(timeout=None)
    async def endless(self) -> list[int]:
        return [self.count]

    @cast
    def reset(self, to: int = 0) -> None:
        self.count = to

    @cast
    async def slow_reset(self) -> None:
        self.count = 0

    @cast
    def stop_later(self, reason: object) -> Stop | Continue | None:
        return Stop(reason)

    def twice(self, number: int) -> int:
        # On the instance it is the plain method.
        assert_type(self.increment(number), int)
        return 2 * number

    async def slow_two(self) -> str:
        waiting: Coroutine[Any, Any, str] = self.slow(1, label="x")
        return await waiting


class Derived(Counter):
    pass


async def clients(pid: Pid, via: Via) -> None:
    assert_type(await Counter.increment(pid), int)
    assert_type(await Counter.increment(pid, 2), int)
    assert_type(await Counter.increment("counter", by=2), int)
    assert_type(await Counter.increment(via, 2), int)
    assert_type(await Derived.increment(pid, 2), int)
    assert_type(await Counter.slow(pid, 2, label="x"), str)
    assert_type(await Counter.patient(pid), bytes)
    assert_type(await Counter.endless(pid), list[int])


async def clients_with_timeout(pid: Pid) -> None:
    assert_type(await Counter.increment.timeout(0.5)(pid, 2), int)
    assert_type(await Counter.increment.timeout(None)(pid, by=2), int)
    assert_type(await Counter.slow.timeout(1)("counter", 2, label="x"), str)
    assert_type(await Counter.patient.timeout(0.5)(pid), bytes)


def casts(pid: Pid) -> None:
    assert_type(Counter.reset("counter"), None)
    assert_type(Counter.reset(pid, to=1), None)
    assert_type(Counter.slow_reset(pid), None)
    assert_type(Counter.stop_later(pid, "normal"), None)


async def wrong_types(pid: Pid) -> None:
    await Counter.increment(pid, "two")  # type: ignore[arg-type]
    await Counter.increment(pid, by="two")  # type: ignore[arg-type]
    await Counter.increment(42, 2)  # type: ignore[arg-type]
    await Counter.slow(pid, "two")  # type: ignore[arg-type]
    await Counter.increment.timeout(0.5)(pid, "two")  # type: ignore[arg-type]
    await Counter.increment.timeout("soon")(pid, 2)  # type: ignore[arg-type]
    Counter.reset("counter", "zero")  # type: ignore[arg-type]
    Counter.slow_reset(42)  # type: ignore[arg-type]


async def wrong_arguments(pid: Pid) -> None:
    await Counter.increment(pid, 1, 2)  # type: ignore[call-arg]
    await Counter.increment(pid, unknown=1)  # type: ignore[call-arg]
    await Counter.increment()  # type: ignore[call-arg]
    await Counter.slow(pid)  # type: ignore[call-arg]
    await Counter.increment.timeout(0.5)(pid, 1, 2)  # type: ignore[call-arg]
    Counter.reset()  # type: ignore[call-arg]
    Counter.reset("counter", 1, 2)  # type: ignore[call-arg]


class Answers(GenServer):
    """The forms of an answer that are not the value itself."""

    @call
    def later(self, wanted: int, *, from_: From) -> NoReply:
        return NoReply()

    @call
    def with_reply(self) -> Reply[int]:
        return Reply(1, then=Continue("more"))

    @call
    def with_stop(self) -> Stop:
        return Stop("normal", reply=1)


class Account(GenServer):
    """Methods that refuse are annotated with what their callers get."""

    @call
    def withdraw(self, amount: int) -> int:
        return Fail(ValueError("overdrawn")) if amount > 10 else amount

    @call
    async def transfer(self, amount: int, *, to: str = "") -> str | None:
        return Fail(KeyError(to))

    @call(timeout=None)
    def close(self) -> Fail | None:
        return Fail(ValueError("not empty"), then=Continue())

    def handle_call(self, request: Any, from_: From) -> str:
        return Fail(KeyError(request))

    @cast
    def reset(self) -> None:
        return None


async def refusing(pid: Pid) -> None:
    assert_type(await Account.withdraw(pid, 11), int)
    assert_type(await Account.withdraw.timeout(1)("account", amount=11), int)
    assert_type(await Account.transfer(pid, 11, to="x"), str | None)
    assert_type(await Account.transfer.timeout(None)(pid, 11), str | None)
    await Account.close(pid)  # mypy: Fail | None; pyright: Any
    await Account.withdraw(pid, "two")  # type: ignore[arg-type]
    await Account.transfer(pid, "two")  # type: ignore[arg-type]


def fails() -> None:
    Fail("text")  # type: ignore[arg-type]
    Fail(ValueError)  # type: ignore[arg-type]
    Fail(ValueError(), then="later")  # type: ignore[arg-type]


async def deferred(pid: Pid) -> None:
    await Answers.later(pid, 1)
    await Answers.with_reply(pid)
    await Answers.with_stop(pid)
