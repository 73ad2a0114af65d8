"""How the delay of a back-off grows and starts over, on a virtual clock."""

import asyncio
from collections.abc import Sequence

import pytest

from beamish import Backoff, DynamicSupervisor, GenServer, process
from beamish.testing import simulate

from .support import MANY


class Sensor(GenServer, restart="permanent"):
    """Does as the next entry of its script says, and notes when it is started.

    An entry is "fail" (``init`` fails), "slow" (it fails after ten seconds), or the seconds that
    it runs until it crashes.
    """

    def __init__(self, script: "Script") -> None:
        self.script = script

    async def init(self) -> None:
        self.script.starts.append(asyncio.get_running_loop().time())
        entry = self.script.next()
        if entry == "slow":
            await asyncio.sleep(10)
        if isinstance(entry, str):
            raise ConnectionError(entry)
        process.send_after(self.pid, "crash", entry)

    def handle_info(self, message: object) -> None:
        self.script.ends.append(asyncio.get_running_loop().time())
        raise ConnectionError(message)


class Script:
    def __init__(self, entries: Sequence[float | str]) -> None:
        self.entries = list(entries)
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.over: asyncio.Event = asyncio.Event()

    def next(self) -> float | str:
        if not self.entries:
            self.over.set()
            return 10**6
        return self.entries.pop(0)


def delays(entries: Sequence[float | str], reset_after: float) -> list[int]:
    """Return the seconds between the end of each process and the start of the next, rounded.

    The steps of a simulation take some time, too, which the rounding removes.
    """
    return simulate(lambda: _delays(entries, reset_after))


async def _delays(entries: Sequence[float | str], reset_after: float) -> list[int]:
    backoff = Backoff(100.0, 2.0, maximum=10.0**6, jitter=0.0, reset_after=reset_after)
    sup = await DynamicSupervisor.start_link(backoff=backoff, max_restarts=MANY)
    script = Script(entries)
    await DynamicSupervisor.start_child(sup, Sensor.child_spec(script))
    await script.over.wait()
    await DynamicSupervisor.stop(sup)
    found, ran = [], [entry for entry in entries if not isinstance(entry, str)]
    end = script.starts[0] + ran[0]
    for entry, start in zip([*entries[1:], 0.0], script.starts[1:], strict=True):
        found.append(round((start - end) / 100) * 100)
        end = start + (entry if not isinstance(entry, str) else 10 if entry == "slow" else 0)
    return found


@pytest.mark.parametrize("failure", ["fail", "slow"])
def test_delay_keeps_growing_while_init_fails(failure: str) -> None:
    """The time between two processes is not time that the child has run."""
    assert delays([1.0, *[failure] * 6], reset_after=300.0) == [
        100,
        200,
        400,
        800,
        1600,
        3200,
        6400,
    ]


def test_delay_grows_with_each_crash_before_reset_after() -> None:
    assert delays([290.0] * 5, reset_after=300.0) == [100, 200, 400, 800, 1600]


def test_delay_starts_over_after_a_run_of_reset_after() -> None:
    assert delays([1.0, 1.0, 1.0, 310.0, 1.0], reset_after=300.0) == [100, 200, 400, 100, 200]


@pytest.mark.parametrize(("initial", "delay"), [(1.0, 60.0), (0.0, 0.0)])
def test_delay_after_any_number_of_failures_is_finite(initial: float, delay: float) -> None:
    backoff = Backoff(initial, maximum=60.0, jitter=0.0)

    assert [backoff.delay(crashes) for crashes in (1_024, 1_025, 10**9)] == [delay] * 3


def test_reset_after_zero_starts_over_after_each_start_that_succeeds() -> None:
    entries = [1.0, "fail", "fail", 1.0, 1.0, "fail", 1.0]

    assert delays(entries, reset_after=0.0) == [100, 200, 400, 100, 100, 200, 100]


def test_flaky_children_come_up_as_fast_as_loops_by_hand() -> None:
    """Twenty sensors whose connection fails now and then, with the delays of a loop by hand."""

    async def main() -> list[bool]:
        sup = await DynamicSupervisor.start_link(
            backoff=Backoff(1.0, maximum=60.0, jitter=0.0, reset_after=0.0), max_restarts=MANY
        )
        scripts = [Script([1.0, *["fail"] * (n % 3), 1.0, *["fail"] * (n % 2)]) for n in range(20)]
        for script in scripts:
            await DynamicSupervisor.start_child(sup, Sensor.child_spec(script))
        # By hand: 1 s of running, then 1 s, 2 s, ... until connected; twice.
        async with asyncio.timeout(1 + 1 + 2 + 4 + 1 + 1 + 2 + 2):
            for script in scripts:
                await script.over.wait()
        await DynamicSupervisor.stop(sup)
        return [script.over.is_set() for script in scripts]

    assert simulate(main) == [True] * 20
