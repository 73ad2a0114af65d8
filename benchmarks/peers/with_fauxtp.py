"""fauxtp: generic servers, a supervisor and a registry on anyio.

Written as its documentation shows them: https://fizzai.github.io/fauxtp/. A supervisor starts all
its children at once, and none later. A call to a server that crashes waits for its time limit, so
the crash is a cast.
"""

from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup
from fauxtp import PID, GenServer, call, cast
from fauxtp.registry import Registry
from fauxtp.supervisor import ChildSpec, RestartStrategy, Supervisor

from benchmarks.peers.peer import Main, Peer


class Tracker(GenServer):
    """A tracker of one transaction."""

    async def init(self) -> int:
        """Return the first state."""
        return 0

    async def handle_call(self, _request: Any, _from: Any, bumps: int) -> tuple[Any, int]:
        """Return the state."""
        return bumps, bumps

    async def handle_cast(self, request: Any, bumps: int) -> int:
        """Change the state, or raise."""
        if request == "crash":
            raise RuntimeError("crash")
        return bumps + 1


class Running:
    """The task group and the registry of this program."""

    tasks: TaskGroup
    registry: PID


def run(main: Main) -> None:
    """Run a task group with a registry around ``main``."""

    async def in_task_group() -> None:
        async with anyio.create_task_group() as Running.tasks:
            Running.registry = await Registry.start(task_group=Running.tasks)
            await main()

    anyio.run(in_task_group)


async def start_each(names: Sequence[str]) -> list[PID]:
    await Supervisor.start(
        children=[ChildSpec(actor=Tracker, name=name) for name in names],
        strategy=RestartStrategy.ONE_FOR_ONE,
        registry=Running.registry,
        task_group=Running.tasks,
    )
    return [await registered(name) for name in names]


async def registered(name: str, former: PID | None = None) -> PID:
    """Wait until a name is registered by another server than the ``former`` one."""
    while (pid := await call(Running.registry, ("get", name))) in (former, None):
        await anyio.sleep(0)
    return pid


async def call_each(pids: Sequence[PID]) -> Any:
    answer = None
    for pid in pids:
        answer = await call(pid, "status")
    return answer


async def cast_each(pids: Sequence[PID]) -> None:
    for pid in pids:
        await cast(pid, "bump")


async def look_up_each(names: Sequence[str]) -> None:
    for name in names:
        await call(Running.registry, ("get", name))


async def crash_each(names: Sequence[str]) -> None:
    for name in names:
        pid = await call(Running.registry, ("get", name))
        await cast(pid, "crash")
        await registered(name, pid)


def peer() -> Peer[PID]:
    """Return the loops."""
    return Peer(run, start_each, call_each, cast_each, look_up_each, crash_each)
