"""Children that are stopped side by side: each has exactly its ``shutdown`` seconds."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator

import pytest

from beamish import ChildSpec, DynamicSupervisor, ExitError, GenServer, Pid, Supervisor, process
from beamish._runtime.process import OnDeath
from beamish._supervision import termination
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


@pytest.mark.seeds(5)
def test_child_that_was_ordered_later_is_killed_later(seed: int) -> None:
    """The first look comes when the first has had its time; a second look for the others."""

    async def main() -> dict[str, tuple[int, object]]:
        sup = await DynamicSupervisor.start_link()
        process.unlink(sup)
        specs = {name: Lingers.child_spec().replace(shutdown=100.0) for name in "abc"}
        pids = {n: await DynamicSupervisor.start_child(sup, spec) for n, spec in specs.items()}
        deaths = Deaths(pids)
        with Termination(sup) as stopping:
            for name, spec in specs.items():
                stopping.terminate(pids[name], spec)
                await asyncio.sleep(40)
            await stopping.wait()
        process.exit(sup, "kill")
        return deaths.found

    assert simulate(main, seed) == {
        "a": (100, "killed"),
        "b": (140, "killed"),
        "c": (180, "killed"),
    }


@pytest.mark.seeds(5)
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


Start = Callable[[ChildSpec], Awaitable[tuple[Pid, Pid]]]
End = Callable[[Pid, Pid], Awaitable[object]]


async def static(spec: ChildSpec) -> tuple[Pid, Pid]:
    """Start a supervisor with one child; return both."""
    sup = await Supervisor.start_link([spec])
    [child] = await Supervisor.which_children(sup)
    assert child.pid is not None
    return sup, child.pid


async def dynamic(spec: ChildSpec) -> tuple[Pid, Pid]:
    """Start a dynamic supervisor with one child; return both."""
    sup = await DynamicSupervisor.start_link()
    return sup, await DynamicSupervisor.start_child(sup, spec)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(static, lambda sup, _: Supervisor.stop(sup), id="static-stop"),
        pytest.param(
            static, lambda sup, _: Supervisor.terminate_child(sup, "a"), id="static-terminate_child"
        ),
        pytest.param(dynamic, lambda sup, _: DynamicSupervisor.stop(sup), id="dynamic-stop"),
        pytest.param(dynamic, DynamicSupervisor.terminate_child, id="dynamic-terminate_child"),
    ],
)
def test_shutdown_time_ends_with_a_killed_supervisor(start: Start, end: End) -> None:
    """OTP ``supervisor:shutdown/1``, Elixir ``DynamicSupervisor``: the supervisor itself waits,
    so nobody kills the child when the supervisor is dead."""

    async def main() -> dict[str, tuple[int, object]]:
        sup, child = await start(Lingers.child_spec(300.0).replace(id="a", shutdown=100.0))
        process.unlink(sup)
        deaths = Deaths({"sup": sup, "child": child})
        ending = asyncio.ensure_future(end(sup, child))
        await asyncio.sleep(40)
        process.exit(sup, "kill")
        with pytest.raises(ExitError) as failure:
            await ending
        assert failure.value.reason == "killed"
        await asyncio.sleep(1_000)
        return deaths.found

    assert simulate(main) == {"sup": (40, "killed"), "child": (300, "shutdown")}


def test_children_stopped_before_a_cancellation_are_not_killed_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Very many children are stopped in slices; the supervisor can be killed between two."""
    monkeypatch.setattr(termination, "_SLICE_SECONDS", -1.0)  # a slice has 64 children

    async def main() -> set[tuple[int, object]]:
        sup = await DynamicSupervisor.start_link()
        process.unlink(sup)
        spec = Lingers.child_spec(300.0).replace(shutdown=100.0)
        pids = {str(i): await DynamicSupervisor.start_child(sup, spec) for i in range(64)}
        deaths = Deaths(pids)

        def children() -> Iterator[tuple[Pid, ChildSpec]]:
            for pid in pids.values():
                yield pid, spec
                stopping.cancel()  # takes effect when it suspends, after the slice

        stopping = asyncio.ensure_future(termination.terminate_children(sup, children()))
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert deaths.found == {}
        process.exit(sup, "kill")
        await asyncio.sleep(1_000)
        return set(deaths.found.values())

    assert simulate(main) == {(300, "shutdown")}
