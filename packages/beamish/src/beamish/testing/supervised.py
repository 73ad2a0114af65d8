"""The work of the pytest plugin's fixtures, without pytest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from beamish import process
from beamish._runtime import one_or_many
from beamish.child_spec import ChildSpec
from beamish.gen_server import GenServer
from beamish.pid import Pid
from beamish.supervisor import Supervisor
from beamish.testing import waiting
from beamish.testing.settling import settle

_MAX_RESTARTS = 1_000_000  # a test of a crashing child must not stop the supervisor
_TERMINATE_SECONDS = 5.0  # how long to wait for a process that is terminating


class StartSupervised:
    """Starts children under a supervisor of the test: ``await start_supervised(Counter)``.

    The supervisor starts with its first child and has no links. It restarts its children as their
    specifications say, and stops them in reverse order when the test ends.

    Source:
        ``start_supervised`` of Elixir's ``ExUnit``.
    """

    def __init__(self) -> None:
        self.supervisor: Pid | None = None

    async def __call__(self, child: ChildSpec | type[Any]) -> Pid:
        """Start a child.

        Args:
            child: A `ChildSpec`, or a class that starts without arguments. Its ``id`` must be new
                in this test: ``Counter.child_spec(5).replace(id="second")``.

        Returns:
            The child's pid.

        Raises:
            AlreadyStartedError: A child with this id runs, or its name is taken.
            StartError: The child did not start.
        """
        spec = child if isinstance(child, ChildSpec) else child.child_spec()
        return await Supervisor.start_child(await self._open(), spec)

    async def stop(self, id: Any) -> None:  # noqa: A002 - the field of ChildSpec
        """Stop a child before the test ends, and delete its specification.

        Args:
            id: The id of its specification: by default its name, or its class without a name.

        Raises:
            NotFoundError: No child has this id.

        Source:
            ``stop_supervised`` of Elixir's ``ExUnit``.
        """
        supervisor = await self._open()
        await Supervisor.terminate_child(supervisor, id)
        left = [info.id for info in await Supervisor.which_children(supervisor)]
        if id in left:  # a temporary child is already deleted
            await Supervisor.delete_child(supervisor, id)

    async def _open(self) -> Pid:
        if self.supervisor is None:
            async with process.attach():
                self.supervisor = await Supervisor.start_link(
                    [], max_restarts=_MAX_RESTARTS, max_seconds=1.0
                )
                process.unlink(self.supervisor)
        return self.supervisor

    async def close(self) -> None:
        """Stop the children and the supervisor."""
        supervisor, self.supervisor = self.supervisor, None
        if supervisor is not None and process.is_alive(supervisor):
            await GenServer.stop(supervisor, "shutdown")


@asynccontextmanager
async def attached() -> AsyncIterator[Pid]:
    """Make the current task a process whose linked processes end with it.

    Source:
        The process of a test in Elixir's ``ExUnit`` exits with ``:shutdown``.
    """
    async with process.attach() as pid:
        try:
            yield pid
        finally:
            me = pid._process
            for linked in reversed(() if me is None else one_or_many.items(me.links)):
                process.unlink(linked)  # otherwise its exit signal would kill the test
                process.exit(linked, "shutdown")


async def end_leaked(before: set[Pid]) -> list[str]:
    """Kill the processes that a test leaked; return their descriptions.

    Args:
        before: The processes that ran before the test. Their descendants are not leaks.
    """
    await _settle()
    with suppress(TimeoutError):  # a process that takes longer is a leak
        async with asyncio.timeout(_TERMINATE_SECONDS):
            while any(pid._process.status() == "exiting" for pid in _new(before)):
                await asyncio.sleep(0.001)
    leaked = _new(before)
    shown = [_shown(pid) for pid in leaked]
    for pid in leaked:
        process.exit(pid, "kill")
    if leaked:
        await _settle()
    return shown


async def _settle() -> None:
    with suppress(TimeoutError):  # a leaked process can run forever
        await settle()


def _new(before: set[Pid]) -> list[Pid]:
    found = [pid for pid in process.processes() if pid not in before]
    return [pid for pid in found if before.isdisjoint(pid._process.ancestors)]


def _shown(pid: Pid) -> str:
    parent = pid._process.parent_pid()
    return f"{waiting.who(pid._process)}{'' if parent is None else f', started by {parent!r}'}"
