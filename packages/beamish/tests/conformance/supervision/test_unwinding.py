"""Children whose code takes its time to clean up, and specifications that travel."""

import asyncio
import logging
import pickle

import pytest

from beamish import ChildSpec, DynamicSupervisor, GenServer, Pid, Registry, Supervisor, process
from beamish._diagnostics import throttle
from beamish._runtime import unwinding

from .support import down, until


def spawned(seconds: float, cleaned: list[str], shutdown: float | None) -> ChildSpec:
    """A spawned child that takes ``seconds`` to clean up when it is told to end."""

    async def child() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(seconds)
            cleaned.append("up")

    async def start() -> Pid:
        return process.spawn_link(child)

    return ChildSpec("child", start, shutdown=shutdown)


async def test_clean_up_may_take_as_long_as_shutdown_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime's own limit is for those who were killed, or told by others than the parent."""
    monkeypatch.setattr(unwinding, "UNWIND_SECONDS", 0.01)
    cleaned: list[str] = []
    sup = await DynamicSupervisor.start_link()
    await DynamicSupervisor.start_child(sup, spawned(0.05, cleaned, shutdown=50.0))
    await asyncio.sleep(0)  # it has begun

    await DynamicSupervisor.stop(sup)

    assert cleaned == ["up"]


async def test_clean_up_that_takes_longer_than_shutdown_is_cut_off() -> None:
    cleaned: list[str] = []
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, spawned(60, cleaned, shutdown=0.02))
    ref = process.monitor(pid)
    await asyncio.sleep(0)

    await DynamicSupervisor.stop(sup)

    assert await down(ref) == "shutdown"
    assert cleaned == []


async def test_storm_of_crashing_spawned_children_is_summarised(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "WINDOW_SECONDS", 1_000.0)  # it does not end in the test
    caplog.set_level(logging.ERROR, logger="beamish")
    starts: list[int] = []

    async def child() -> None:
        starts.append(1)
        raise ValueError("boom")

    async def start() -> Pid:
        return process.spawn_link(child)

    sup = await DynamicSupervisor.start_link(max_restarts=20)
    await DynamicSupervisor.start_child(sup, ChildSpec("child", start))
    ref = process.monitor(sup)
    process.unlink(sup)

    await until(lambda: not process.is_alive(sup))

    assert await down(ref) == "shutdown"
    assert len(starts) == 21
    reports = [record for record in caplog.records if "boom" in record.getMessage()]
    assert 1 <= len(reports) <= 4  # the last is that the supervisor gives up


class Own(Supervisor):
    def init(self) -> object:
        return Supervisor.spec([])


class Worker(GenServer):
    pass


@pytest.mark.parametrize(
    "spec",
    [
        Worker.child_spec(name=Registry.via("registry", "key")),
        Supervisor.child_spec([Worker], name="top"),
        DynamicSupervisor.child_spec(max_children=3),
        Registry.child_spec(keys="unique", name="registry"),
        Own.child_spec(),
    ],
    ids=["server", "supervisor", "dynamic", "registry", "module-based"],
)
def test_specification_pickles(spec: ChildSpec) -> None:
    assert pickle.loads(pickle.dumps(spec)) == spec
