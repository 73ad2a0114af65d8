"""What a simulation refuses, and when it gives up."""

import asyncio

import pytest

from beamish import GenServer, call, process
from beamish.testing import DeadlockError, SimulationError, StepLimitError, simulate

from .support import Counter, Silent


def test_a_deadlock_is_an_error_that_says_who_waits_for_what() -> None:
    async def main() -> None:
        pid = await Silent.start(name="silent")
        lock = asyncio.Lock()
        await lock.acquire()

        async def listen() -> None:
            await process.receive()

        process.spawn(listen)
        asyncio.create_task(lock.acquire(), name="locked")  # noqa: RUF006 - never ends
        await Silent.ask.timeout(None)(pid)

    with pytest.raises(DeadlockError) as caught:
        simulate(main)

    text = str(caught.value)
    assert "waits for the reply to ask() of Silent 'silent' #PID<0.101.0> in " in text
    assert "waits for a message in " in text
    assert "task locked" in text
    assert "test_simulate_errors.py:" in text


def test_task_that_only_calls_is_named_by_its_call() -> None:
    async def main() -> None:
        pid = await Silent.start()
        await asyncio.create_task(Silent.ask.timeout(None)(pid))

    with pytest.raises(DeadlockError, match=r"in a call of Silent\.ask"):
        simulate(main)


def test_a_deadlock_of_two_servers_names_both() -> None:
    class Caller(GenServer):
        def __init__(self, other: str) -> None:
            self.other = other

        @call
        async def go(self) -> None:
            await asyncio.sleep(0.001)
            await Caller.go.timeout(None)(self.other)

    async def main() -> None:
        await Caller.start("b", name="a")
        await Caller.start("a", name="b")
        await Caller.go.timeout(None)("a")

    with pytest.raises(DeadlockError) as caught:
        simulate(main)

    text = str(caught.value)
    assert "'a' #PID<0.101.0>: runs go, 1 queued messages, waits for the reply to go() of" in text
    assert "'b' #PID<0.102.0>: runs go, waits for the reply to go() of" in text


def test_an_endless_program_meets_its_step_limit() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(1.0)

    with pytest.raises(StepLimitError) as caught:
        simulate(main, max_steps=100)

    assert "has not ended after 100 steps (max_steps)" in str(caught.value)
    assert "main #PID<0.100.0> waits in " in str(caught.value)


def test_there_is_no_network() -> None:
    async def main() -> None:
        await asyncio.open_connection("localhost", 1)

    with pytest.raises(SimulationError, match="no network"):
        simulate(main)


async def test_cannot_run_inside_another_event_loop() -> None:
    async def main() -> None: ...

    with pytest.raises(RuntimeError, match="from a plain function"):
        simulate(main)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((5,), {}, TypeError),
        ((lambda: 5,), {}, TypeError),
        ((Counter.start, "1"), {}, ValueError),
        ((Counter.start, -1), {}, ValueError),
        ((Counter.start,), {"max_steps": 0}, ValueError),
        ((Counter.start,), {"trace": "out"}, TypeError),
    ],
)
def test_refuses_wrong_arguments(
    arguments: tuple[object, ...], options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error, match="must be"):
        simulate(*arguments, **options)  # type: ignore[arg-type]
