"""`find_race` and the trace: which seed, and what happened."""

import asyncio
import random

import pytest

from beamish import GenServer, call
from beamish.testing import find_race, simulate

from .support import Counter


async def lost_update() -> None:
    pid = await Counter.start()

    async def increment() -> None:
        await Counter.write(pid, await Counter.read(pid) + 1)

    await asyncio.gather(increment(), increment())
    assert await Counter.read(pid) == 2


def test_find_race_raises_with_the_seed_and_the_last_steps() -> None:
    with pytest.raises(AssertionError) as caught:
        find_race(lost_update)

    (note,) = caught.value.__notes__
    title, *steps = note.splitlines()
    seed = int(title.removeprefix("simulated with seed=").split(";")[0])
    assert any("Counter #PID<0.101.0>: handles write(1)" in step for step in steps)
    with pytest.raises(AssertionError) as again:
        simulate(lost_update, seed)
    assert again.value.__notes__ == [note]


def test_find_race_is_silent_when_there_is_none() -> None:
    async def main() -> None:
        pid = await Counter.start()
        Counter.add(pid, 1)
        Counter.add(pid, 1)
        assert await Counter.read(pid) == 2

    find_race(main, seeds=range(50))


def test_a_trace_is_given_line_by_line() -> None:
    lines: list[str] = []

    async def main() -> None:
        await Counter.read(await Counter.start())

    simulate(main, trace=lines.append)

    assert [int(line.split()[0]) for line in lines] == sorted(int(x.split()[0]) for x in lines)
    assert any("handles read()" in line for line in lines)
    assert "shutdown_asyncgens" not in lines[-1]


@pytest.mark.parametrize("by_method", [True, False])
def test_trace_shows_the_calls_that_run_on_the_callers_stack(by_method: bool) -> None:
    class Adder(GenServer):
        @call
        def add(self, one: int, *, other: int) -> int:
            return one + other

        def handle_call(self, request: object, from_: object) -> object:
            return request

    lines: list[str] = []

    async def main() -> None:
        pid = await Adder.start()
        if by_method:
            await Adder.add(pid, 1, other=2)
        else:
            await GenServer.call(pid, "hello")

    for seed in range(20):
        simulate(main, seed, trace=lines.append)

    request = "add(1, 2)" if by_method else "'hello'"
    shown = f"#PID<0.101.0>: handles {request} on its caller's stack"
    assert any(line.endswith(shown) for line in lines)


def test_the_random_module_is_seeded_and_put_back() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)

    async def main() -> float:
        return random.random()

    assert simulate(main, 5) == simulate(main, 5)
    assert random.random() == expected
