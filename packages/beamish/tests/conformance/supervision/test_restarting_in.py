"""Who addresses a child between two processes is told when its supervisor tries again."""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from beamish import (
    Backoff,
    DynamicSupervisor,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    StartError,
    Supervisor,
    Via,
    call,
    debug,
    process,
)
from beamish._runtime.runtime import running
from beamish.testing import simulate

from .support import MANY, down, until

LATER = Backoff(initial=60.0, maximum=60.0, jitter=0.0)


class Sensor(GenServer):
    @call
    def read(self) -> int:
        return 7


async def error_of(act: Callable[[Any], Any], dest: Any) -> NoProcessError:
    with pytest.raises(NoProcessError) as caught:
        result = act(dest)
        if asyncio.iscoroutine(result):
            await result
    return caught.value


ACTS: dict[str, Callable[[Any], Any]] = {
    "@call": Sensor.read,
    "call": lambda dest: GenServer.call(dest, "hello"),
    "stop": GenServer.stop,
    "get_state": debug.get_state,
}


async def crash(pid: Pid) -> None:
    ref = process.monitor(pid)
    process.exit(pid, "boom")
    await down(ref)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_error_tells_when_the_next_attempt_is(act: Callable[[Any], Any]) -> None:
    async def main() -> list[NoProcessError]:
        await Registry.start_link(keys="unique", name="registry")
        via = Registry.via("registry", "key")
        sup = await DynamicSupervisor.start_link(backoff=LATER, max_restarts=MANY)
        pids = [
            await DynamicSupervisor.start_child(sup, Sensor.child_spec(name=name))
            for name in ("sensor", via)
        ]
        for pid in pids:
            await crash(pid)
        await asyncio.sleep(20)
        errors = [await error_of(act, dest) for dest in (*pids, "sensor", via)]
        await DynamicSupervisor.stop(sup)
        return errors

    for error in simulate(main):
        assert error.restarting_in == pytest.approx(40, abs=1)
        assert "restarting, next attempt in 40 s" in str(error)
        assert error.reason == "noproc"


async def test_send_to_the_name_of_a_restarting_child_tells_it_too() -> None:
    sup = await DynamicSupervisor.start_link(backoff=LATER)
    pid = await DynamicSupervisor.start_child(sup, Sensor.child_spec(name="sensor"))
    await crash(pid)

    error = await error_of(lambda dest: process.send(dest, "hello"), "sensor")

    assert error.restarting_in is not None
    assert 0 < error.restarting_in <= 60
    await DynamicSupervisor.stop(sup)


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
async def test_child_whose_new_process_is_starting_is_restarting_now(kind: Any) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    started.set_result(None)
    gates = [started, gate]

    class Gated(GenServer):
        async def init(self) -> None:
            await gates.pop(0)

    sup = await (kind.start_link([]) if kind is Supervisor else kind.start_link())
    pid = await kind.start_child(sup, Gated.child_spec())
    await crash(pid)

    error = await error_of(Sensor.read, pid)

    assert error.restarting_in == 0
    assert str(error).endswith("restarting, now")
    gate.set_result(None)
    await until(lambda: not running().restarting)
    assert (await error_of(Sensor.read, pid)).restarting_in is None
    await kind.stop(sup)


async def test_child_that_runs_again_leaves_nothing_behind() -> None:
    sup = await DynamicSupervisor.start_link(backoff=Backoff(initial=0.0))
    pid = await DynamicSupervisor.start_child(sup, Sensor.child_spec(name="sensor"))
    await crash(pid)

    await until(lambda: not running().restarting)

    assert await Sensor.read("sensor") == 7
    assert (await error_of(Sensor.read, pid)).restarting_in is None
    await DynamicSupervisor.stop(sup)


@pytest.mark.parametrize("end", ["terminate_child", "stop", "kill"])
async def test_child_that_will_not_restart_is_only_dead(end: str) -> None:
    sup = await DynamicSupervisor.start_link(backoff=LATER)
    process.unlink(sup)
    pid = await DynamicSupervisor.start_child(sup, Sensor.child_spec(name="sensor"))
    await crash(pid)

    match end:
        case "terminate_child":
            await DynamicSupervisor.terminate_child(sup, pid)
        case "stop":
            await DynamicSupervisor.stop(sup)
        case _:
            process.exit(sup, "kill")

    for dest in (pid, "sensor"):
        error = await error_of(Sensor.read, dest)
        assert error.restarting_in is None
        assert "never started" in str(error)
    assert running().restarting == {}
    if process.is_alive(sup):
        await DynamicSupervisor.stop(sup)


class AnyNames:
    """A name service whose names need not be hashable."""

    pids: ClassVar[list[Pid]] = []

    @classmethod
    def register_name(cls, name: object, pid: Pid) -> bool:
        cls.pids.append(pid)
        return True

    @classmethod
    def unregister_name(cls, name: object) -> None:
        cls.pids.clear()

    @classmethod
    def whereis_name(cls, name: object) -> Pid | None:
        return cls.pids[0] if cls.pids else None


async def test_via_name_that_cannot_be_hashed_is_allowed() -> None:
    via = Via(AnyNames, ["a", "list"])
    sup = await DynamicSupervisor.start_link(backoff=LATER)
    pid = await DynamicSupervisor.start_child(sup, Sensor.child_spec(name=via))
    await crash(pid)

    assert (await error_of(Sensor.read, via)).restarting_in is None
    assert (await error_of(Sensor.read, pid)).restarting_in is not None
    await DynamicSupervisor.stop(sup)


async def test_server_killed_by_its_name_service_is_a_failed_start() -> None:
    """A supervisor that has no server object yet has nothing to withdraw."""

    class Kills(AnyNames):
        @classmethod
        def register_name(cls, name: object, pid: Pid) -> bool:
            process.exit(pid, "kill")
            return True

    with pytest.raises(StartError):
        await DynamicSupervisor.start_link(name=Via(Kills, "name"))


def test_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(NoProcessError("sensor", restarting_in=0.4)))

    assert (error.dest, error.restarting_in) == ("sensor", 0.4)
    assert str(error) == "no process 'sensor': restarting, next attempt in 0.4 s"
