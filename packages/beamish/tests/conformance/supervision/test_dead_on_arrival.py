"""Children that have died before their supervisor knows them as its children."""

import asyncio
from typing import Any

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Supervisor,
    TaskSupervisor,
    process,
)

from .support import until


class Sleeper(GenServer):
    pass


class ShortLived:
    """A start function whose first processes are dead when it returns them.

    Args:
        ends: How each process ends, in order; those after them live on.
        linked: Whether they are linked with the supervisor.
    """

    def __init__(self, *ends: object, linked: bool) -> None:
        self.ends = list(ends)
        self.linked = linked
        self.starts = 0

    async def __call__(self) -> Pid:
        self.starts += 1
        pid = await (Sleeper.start_link() if self.linked else Sleeper.start())
        if self.ends:
            await GenServer.stop(pid, self.ends.pop(0))
        return pid


async def start(kind: Any, spec: ChildSpec) -> tuple[Pid, Pid]:
    sup = await (kind.start_link([]) if kind is Supervisor else kind.start_link())
    process.unlink(sup)
    return sup, await kind.start_child(sup, spec)


kinds = pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
linked = pytest.mark.parametrize("linked", [True, False], ids=["linked", "not linked"])


@kinds
@linked
async def test_permanent_child_that_is_dead_on_arrival_is_restarted(
    kind: Any, linked: bool
) -> None:
    starts = ShortLived("shutdown", "shutdown", linked=linked)

    sup, first = await start(kind, ChildSpec("child", starts))
    await until(lambda: starts.starts == 3)

    (child,) = await kind.which_children(sup)
    assert child.status == "running"
    assert child.pid is not None
    assert child.pid is not first
    assert process.is_alive(child.pid)
    await kind.stop(sup)


@kinds
@linked
async def test_temporary_child_that_is_dead_on_arrival_is_forgotten(
    kind: Any, linked: bool
) -> None:
    starts = ShortLived("shutdown", linked=linked)

    sup, _ = await start(kind, ChildSpec("child", starts, restart="temporary"))

    assert await kind.which_children(sup) == []
    assert starts.starts == 1
    await kind.stop(sup)


@kinds
@linked
async def test_children_that_are_always_dead_on_arrival_end_the_supervisor(
    kind: Any, linked: bool
) -> None:
    """Each counts as a restart: nothing goes on without end."""
    starts = ShortLived(*["shutdown"] * 100, linked=linked)

    sup, _ = await start(kind, ChildSpec("child", starts))
    await until(lambda: not process.is_alive(sup))

    assert starts.starts == 4


async def test_transient_child_that_ended_normally_before_it_was_known_stays_down() -> None:
    """Its exit came while its start was under way; the reason is kept until it is known."""
    gate = asyncio.get_running_loop().create_future()
    starts = []

    async def start_slowly() -> Pid:
        starts.append(1)
        pid = await Sleeper.start_link()
        await GenServer.stop(pid)
        await gate
        return pid

    sup = await DynamicSupervisor.start_link()
    spec = ChildSpec("child", start_slowly, restart="transient")
    starting = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    await until(lambda: bool(starts))
    gate.set_result(None)
    await starting

    assert await DynamicSupervisor.which_children(sup) == []
    assert starts == [1]
    await DynamicSupervisor.stop(sup)


async def test_task_that_fails_in_its_first_step_is_forgotten() -> None:
    sup = await TaskSupervisor.start_link()

    async def fails() -> None:
        raise ValueError("boom")

    task = TaskSupervisor.async_nolink(sup, fails)
    await until(lambda: not process.is_alive(task.pid))

    assert await TaskSupervisor.children(sup) == []
    await TaskSupervisor.stop(sup)


@pytest.mark.parametrize("fails", [True, False])
async def test_exits_during_starts_are_forgotten_once_no_start_is_left(fails: bool) -> None:
    """They are kept only for a process that a start function can still return."""
    ended: list[Pid] = []

    async def start_several() -> Pid:
        for _ in range(3):
            ended.append(await Sleeper.start_link())
            await GenServer.stop(ended[-1], "shutdown")
        await until(lambda: len(sup._process.server._early_exits) == 3)
        if fails:
            raise ValueError("no child")
        return await Sleeper.start_link()

    sup = await DynamicSupervisor.start_link()
    spec = ChildSpec("several", start_several, restart="temporary")
    (result,) = await asyncio.gather(
        DynamicSupervisor.start_child(sup, spec), return_exceptions=True
    )

    assert isinstance(result, Exception) is fails
    assert len(ended) == 3
    assert sup._process.server._early_exits == {}
