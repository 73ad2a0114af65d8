"""Timers that ignore the time of a suspend."""

import asyncio
import time

import pytest

from transaction_tracker.awake import (
    MAX_GAP_SECONDS,
    AwakeClock,
    AwakeTimer,
    awake_timeout,
)

from .simulated import simulate


@pytest.mark.parametrize("seconds", [0.1, 1.0, 60.0, 60.5])
def test_timer_calls_the_function_once_after_the_time(seconds: float) -> None:
    async def main() -> list[float]:
        loop, calls = asyncio.get_running_loop(), []
        began = loop.time()
        AwakeTimer(seconds, lambda: calls.append(loop.time() - began))
        await asyncio.sleep(3 * seconds)
        return calls

    (called,) = simulate(main)
    assert called == pytest.approx(seconds, rel=0.1, abs=0.05)


def test_cancelled_timer_does_not_call_the_function() -> None:
    async def main() -> list[None]:
        calls: list[None] = []
        timer = AwakeTimer(2.5, lambda: calls.append(None))
        await asyncio.sleep(2.2)
        timer.cancel()
        await asyncio.sleep(9)
        return calls

    assert simulate(main) == []


async def test_time_of_a_suspend_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    timer = AwakeTimer(0.2, lambda: calls.append(None))
    now += 60.0  # as after a suspend
    answered = loop.create_future()
    loop.call_soon(lambda: loop.call_soon(answered.set_result, None))

    await answered

    assert not calls
    timer.cancel()


def test_clock_counts_the_time_between_reads_but_no_suspend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = AwakeClock()
    began = clock()
    for _ in range(20):
        now += MAX_GAP_SECONDS
        clock()
    assert clock() - began == 20 * MAX_GAP_SECONDS

    now += 3600.0

    assert clock() - began == 21 * MAX_GAP_SECONDS
    assert clock() - began == 21 * MAX_GAP_SECONDS


@pytest.mark.parametrize("seconds", [0.5, 60.0])
def test_timeout_ends_a_block_that_takes_too_long(seconds: float) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with awake_timeout(2 * seconds):
            await asyncio.sleep(seconds)
        with pytest.raises(TimeoutError):
            async with awake_timeout(seconds):
                await asyncio.Event().wait()
        return loop.time() - began

    assert simulate(main) == pytest.approx(2 * seconds, rel=0.1)
