"""What a seed decides, and what no seed may change."""

import asyncio

from beamish import GenServer, debug, process
from beamish.testing import settle, simulate

from .support import HOUR, Counter, outcomes


def test_seeds_start_tasks_in_different_orders() -> None:
    async def main() -> tuple[int, ...]:
        order: list[int] = []

        async def note(number: int) -> None:
            order.append(number)

        await asyncio.gather(*map(note, range(3)))
        return tuple(order)

    assert len(outcomes(main)) == 6


def test_seeds_run_processes_in_different_orders() -> None:
    async def main() -> tuple[object, ...]:
        me = process.current()

        async def say(word: str) -> None:
            process.send(me, word)

        for word in "abc":
            process.spawn(say, word)
        return tuple([await process.receive() for _ in "abc"])

    assert len(outcomes(main)) == 6


def test_seeds_fire_timers_of_one_moment_in_different_orders() -> None:
    async def main() -> tuple[object, ...]:
        for word in "ab":
            process.send_after(process.current(), word, HOUR)
        return tuple([await process.receive() for _ in "ab"])

    assert outcomes(main) == {("a", "b"), ("b", "a")}


def test_timers_of_different_moments_fire_in_order() -> None:
    async def main() -> tuple[object, ...]:
        process.send_after(process.current(), "later", 1.1)
        process.send_after(process.current(), "sooner", 1.0)
        return tuple([await process.receive() for _ in range(2)])

    assert outcomes(main) == {("sooner", "later")}


def test_messages_between_two_processes_stay_in_order() -> None:
    async def main() -> list[int]:
        received: list[int] = []

        class Log(GenServer):
            def handle_cast(self, request: object) -> None:
                received.append(request)  # type: ignore[arg-type]

        pid = await Log.start()
        for number in range(10):
            GenServer.cast(pid, number)
        await settle()
        return received

    assert all(simulate(main, seed) == list(range(10)) for seed in range(50))


def test_plain_callbacks_stay_in_order() -> None:
    async def main() -> tuple[int, ...]:
        order: list[int] = []
        for number in range(5):
            asyncio.get_running_loop().call_soon(order.append, number)
        await settle()
        return tuple(order)

    assert outcomes(main, 50) == {(0, 1, 2, 3, 4)}


def test_calls_run_on_the_stack_of_the_caller_or_not() -> None:
    async def main() -> bool:
        pid = await Counter.start()
        others = []
        asyncio.get_running_loop().call_soon(others.append, "ran meanwhile")
        await Counter.read(pid)
        return bool(others)

    assert outcomes(main) == {True, False}


def test_a_sequence_of_calls_gives_the_same_with_each_seed() -> None:
    async def main() -> int:
        pid = await Counter.start()
        for _ in range(10):
            Counter.add(pid, 1)
            await Counter.write(pid, await Counter.read(pid) + 1)
        assert await debug.get_state(pid) == {"count": 20}
        return await Counter.read(pid)

    assert outcomes(main, 100) == {20}
