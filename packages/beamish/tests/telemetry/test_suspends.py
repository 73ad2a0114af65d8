"""A suspend of the whole program is not taken for a callback that blocks the event loop."""

import logging
import time
from unittest.mock import Mock

import pytest

from beamish import GenServer, call, debug
from beamish._diagnostics import awake
from beamish._diagnostics.awake import AwakeClock


class Clocks:
    """The clocks of the system, which only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.cpu = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: self.cpu)

    def counted(self, clock: AwakeClock, seconds: float, *, cpu: float) -> float:
        before = clock.seconds
        self.now += seconds
        self.cpu += cpu
        clock.tick()
        return clock.seconds - before


@pytest.mark.parametrize(
    ("seconds", "cpu", "counted"),
    [
        pytest.param(0.05, 0.0, 0.05, id="a pass while a callback sleeps"),
        pytest.param(1.0, 0.0, 1.0, id="a late pass on a busy machine"),
        pytest.param(70.0, 0.0, 0.0, id="a suspend"),
        pytest.param(10.0, 10.0, 10.0, id="a callback that holds the GIL"),
        pytest.param(10.0, 40.0, 10.0, id="several threads outside of the GIL"),
    ],
)
def test_clock_counts_the_time_for_which_the_program_ran(
    monkeypatch: pytest.MonkeyPatch, seconds: float, cpu: float, counted: float
) -> None:
    with monkeypatch.context() as patch:
        clocks = Clocks(patch)
        clock = AwakeClock()
        assert clocks.counted(clock, seconds, cpu=cpu) == pytest.approx(counted)
        assert clocks.counted(clock, 0.5, cpu=0.0) == pytest.approx(0.5)


class Ticks:
    """The clocks of the watchdog; only the test moves them, and waits until it has read them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0

    def monotonic(self) -> float:
        self.reads += 1
        return self.now

    def process_time(self) -> float:
        return 0.0

    def move(self, seconds: float) -> None:
        """Move the clock, and wait until the watchdog has checked twice."""
        self.now += seconds
        expected, give_up = self.reads + 3, time.monotonic() + 30.0
        while self.reads < expected:
            assert time.monotonic() < give_up
            time.sleep(0.001)


@pytest.fixture
def ticks(quick_watchdog: None, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    ticks = Ticks()
    debug.system_monitor(long_schedule=10.0)
    monkeypatch.setattr(awake, "time", Mock(wraps=ticks))
    return ticks


async def test_suspend_within_a_callback_is_not_reported(
    ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")

    class Blocks(GenServer):
        @call(timeout=None)
        def block(self) -> tuple[int, int]:
            ticks.move(0.5)  # the watchdog sees the callback
            ticks.move(3_600.0)
            after_the_suspend = len(caplog.records)
            for _ in range(11):
                ticks.move(1.0)
            return after_the_suspend, len(caplog.records)

    pid = await Blocks.start()
    assert await Blocks.block(pid) == (0, 1)
    await GenServer.stop(pid)
