"""Children that are stopped side by side: each has exactly its ``shutdown`` seconds."""

import asyncio
import functools

import pytest

from beamish import ChildSpec, DynamicSupervisor, GenServer, Pid, process
from beamish._runtime.process import OnDeath
from beamish._supervision.termination import Termination
from beamish.testing import simulate


class Lingers(GenServer, trap_exit=True):
    def __init__(self, seconds: float = 1e9) -> None:
        self.seconds = seconds

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(self.seconds)


class Deaths:
    """When each process died, in seconds since `begin`, and why."""

    def __init__(self, pids: dict[str, Pid]) -> None:
        self.found: dict[str, tuple[int, object]] = {}
        self._begin = asyncio.get_running_loop().time()
        for name, pid in pids.items():
            pid._process.watch(OnDeath(functools.partial(self._died, name)))

    def _died(self, name: str, pid: Pid, reason: object) -> None:
        # The steps of a simulation take some time, too, which the rounding removes.
        seconds = asyncio.get_running_loop().time() - self._begin
        self.found[name] = round(seconds / 10) * 10, reason


@pytest.mark.parametrize("seed", range(5))
def test_child_that_was_ordered_later_is_killed_later(seed: int) -> None:
    """The first look comes when the first has had its time; a second look for the others."""

    async def main() -> dict[str, tuple[int, object]]:
        sup = await DynamicSupervisor.start_link()
        process.unlink(sup)
        specs = {name: Lingers.child_spec().replace(shutdown=100.0) for name in "abc"}
        pids = {n: await DynamicSupervisor.start_child(sup, spec) for n, spec in specs.items()}
        deaths = Deaths(pids)
        termination = Termination(sup)
        for name, spec in specs.items():
            termination.terminate(pids[name], spec)
            await asyncio.sleep(40)
        await termination.wait()
        process.exit(sup, "kill")
        return deaths.found

    assert simulate(main, seed) == {
        "a": (100, "killed"),
        "b": (140, "killed"),
        "c": (180, "killed"),
    }


@pytest.mark.parametrize("seed", range(5))
def test_each_child_has_its_own_shutdown(seed: int) -> None:
    lasting = {"short": 100.0, "long": 300.0, "brutal": "brutal_kill", "fits": 200.0}
    lingers = {"fits": 150.0}

    async def main() -> dict[str, tuple[int, object]]:
        sup = await DynamicSupervisor.start_link()
        pids = {}
        for name, shutdown in lasting.items():
            spec: ChildSpec = Lingers.child_spec(lingers.get(name, 1e9)).replace(shutdown=shutdown)
            pids[name] = await DynamicSupervisor.start_child(sup, spec)
        deaths = Deaths(pids)
        await DynamicSupervisor.stop(sup)
        return deaths.found

    assert simulate(main, seed) == {
        "brutal": (0, "killed"),
        "short": (100, "killed"),
        "fits": (150, "shutdown"),
        "long": (300, "killed"),
    }
