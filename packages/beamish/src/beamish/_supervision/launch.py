"""Starts a child; a start that does not suspend completes at once, without a task."""

from typing import Any

from beamish._runtime import eager, one_or_many
from beamish._runtime.process import Process
from beamish._runtime.runtime import running
from beamish._server.start import PendingStart, ServerStart
from beamish._supervision.specs import title_of
from beamish.child_spec import ChildSpec
from beamish.errors import BeamishError, IgnoredError, StartError
from beamish.pid import Pid
from beamish.results import IGNORE


async def launch(spec: ChildSpec, extra: tuple[Any, ...] = ()) -> Pid:
    """Start a child; suspend only if its start does.

    Raises:
        StartError: The child failed to start.
    """
    args = (*extra, *spec.args) if extra else spec.args
    start = spec.start
    if isinstance(start, ServerStart):
        try:
            begun = start.begin(args, spec.kwargs)
        except StartError:
            raise
        except BaseException as error:  # such as the name of an unknown registry
            running().exit_program(error)
            raise StartError(error, title_of(spec)) from error
        return await begun.wait() if isinstance(begun, PendingStart) else begun
    return await _launch_foreign(spec, args)


def as_start_error(error: BaseException, spec: ChildSpec) -> StartError:
    """Return ``error`` as a `StartError`."""
    return error if isinstance(error, StartError) else StartError(error, title_of(spec))


async def _launch_foreign(spec: ChildSpec, args: tuple[Any, ...]) -> Pid:
    """Start a child with any start function, not that of a server class."""

    async def start() -> Any:
        return await spec.start(*args, **spec.kwargs)

    outcome = await eager.in_own_task(start)
    if outcome.error is not None:
        raise as_start_error(outcome.error, spec)
    pid: Any = outcome.value
    if pid is IGNORE:
        raise IgnoredError(title_of(spec))
    if not isinstance(pid, Pid):
        raise StartError(TypeError(f"start returned {pid!r}; expected a Pid"), title_of(spec))
    if pid._process is not None:
        try:
            pid._process.runtime.check_loop()
        except BeamishError as error:  # of another event loop: it cannot be linked
            raise StartError(error, title_of(spec)) from error
    return pid


def link_to(supervisor: Pid, child: Pid) -> None:
    """Link the supervisor with a child, unless the start of the child has done so."""
    process: Process = supervisor._process
    if not one_or_many.contains(process.links, child):
        process.link(child)


def strays(supervisor: Pid) -> list[tuple[Pid, ChildSpec]]:
    """Return the linked processes that a supervisor has started and that are not its children.

    A start that is cancelled before it has returned the pid can leave one.
    """
    process: Process = supervisor._process
    linked = [pid for pid in one_or_many.items(process.links) if pid._process is not None]
    left = [pid for pid in linked if pid._process.parent_pid() is supervisor]
    return [(pid, ChildSpec(pid, ServerStart(None, None))) for pid in left]
