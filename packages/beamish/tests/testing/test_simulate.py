"""What `simulate` runs, and its clock."""

import asyncio

import pytest

from beamish import (
    Application,
    CallTimeoutError,
    ChildSpec,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Pid,
    Registry,
    Timeout,
    process,
)
from beamish.testing import simulate

from .support import HOUR, Counter, Silent, outcomes

# -- What it runs


def test_gives_what_main_returns() -> None:
    async def main() -> int:
        return 7

    assert simulate(main) == 7


def test_main_is_a_process() -> None:
    async def main() -> None:
        process.send(process.current(), "hello")
        assert await process.receive() == "hello"

    simulate(main)


def test_raises_what_main_raises() -> None:
    async def main() -> None:
        await Counter.start_link()
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        simulate(main)


def test_a_linked_crash_ends_main() -> None:
    async def main() -> None:
        process.exit(await Counter.start_link(), "boom")
        await process.receive()

    with pytest.raises(ExitError, match="boom"):
        simulate(main)


def test_runs_a_whole_application() -> None:
    class Shop(Application):
        def children(self) -> list[ChildSpec]:
            return [
                Registry.child_spec(keys="unique", name="goods"),
                DynamicSupervisor.child_spec(name="counters"),
            ]

    async def main() -> int:
        async with Shop():
            name = Registry.via("goods", "book")
            await DynamicSupervisor.start_child("counters", Counter.child_spec(name=name))
            await Counter.write(name, 5)
            return await Counter.read(name)

    assert outcomes(main, 20) == {5}


def test_processes_that_main_leaves_are_stopped() -> None:
    cleaned = []

    async def main() -> None:
        async def background() -> None:
            try:
                await asyncio.sleep(HOUR)
            finally:
                cleaned.append("up")

        main.task = asyncio.create_task(background())  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)

    simulate(main)

    assert cleaned == ["up"]


def test_a_thread_runs_in_place() -> None:
    async def main() -> tuple[int, str]:
        try:
            await asyncio.to_thread(int, "x")
        except ValueError:
            return await asyncio.to_thread(int, "5"), "and errors arrive"
        return 0, ""

    assert simulate(main) == (5, "and errors arrive")


# -- Time


def test_waiting_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(1_000 * HOUR)
        return asyncio.get_running_loop().time()

    assert simulate(main) == pytest.approx(1_000 * HOUR, abs=1.0)


def test_call_timeouts_expire_on_the_virtual_clock() -> None:
    async def main() -> float:
        pid = await Silent.start()
        with pytest.raises(CallTimeoutError):
            await Silent.ask.timeout(HOUR)(pid)
        return asyncio.get_running_loop().time()

    assert simulate(main) == pytest.approx(HOUR, abs=1.0)


def test_idle_timeouts_and_timers_use_the_virtual_clock() -> None:
    class Idle(GenServer):
        def __init__(self, report: Pid) -> None:
            self.report = report

        def init(self) -> Timeout:
            return Timeout(HOUR)

        def handle_info(self, message: object) -> None:
            process.send(self.report, message)

    async def main() -> tuple[object, ...]:
        me = process.current()
        await Idle.start(me)
        process.send_after(me, "late", 2 * HOUR)
        cancelled = process.send_after(me, "never", HOUR)
        assert process.read_timer(cancelled) == pytest.approx(HOUR, abs=1.0)
        assert process.cancel_timer(cancelled) is not None
        assert process.cancel_timer(cancelled) is None
        return await process.receive(), await process.receive()

    assert outcomes(main, 20) == {("timeout", "late")}


def test_receive_times_out() -> None:
    async def main() -> None:
        await process.receive(timeout=HOUR)

    with pytest.raises(TimeoutError, match="3600"):
        simulate(main)


def test_many_cancelled_timers_are_forgotten() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        for _ in range(1_000):
            loop.call_later(HOUR, print).cancel()
        return len(loop._scheduled)  # type: ignore[attr-defined]

    assert simulate(main) < 200
