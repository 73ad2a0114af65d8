"""A suspend of the whole program is not taken for a callback that blocks the event loop."""

import logging
import time

import pytest

from beamish import GenServer, call, debug
from beamish._diagnostics.awake import AwakeClock

from .conftest import Ticks


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


@pytest.fixture
def ticks(ticks: Ticks) -> Ticks:
    debug.system_monitor(long_schedule=10.0)
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
