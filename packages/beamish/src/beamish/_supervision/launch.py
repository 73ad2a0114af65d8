"""Starting a child: at once where nothing has to wait."""

from typing import Any

from beamish._runtime import eager, one_or_many
from beamish._runtime.process import Process
from beamish._runtime.runtime import running
from beamish._server.start import ServerStart, Starting
from beamish._supervision.specs import title_of
from beamish.child_spec import ChildSpec
from beamish.errors import BeamishError, IgnoredError, StartError
from beamish.pid import Pid
from beamish.results import IGNORE


async def launch(spec: ChildSpec, extra: tuple[Any, ...] = ()) -> Pid:
    """Start a child; suspends only if its start does.

    Raises:
        StartError: It did not start.
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
        return await begun.wait() if isinstance(begun, Starting) else begun
    return await _launch_foreign(spec, args)


def as_start_error(error: BaseException, spec: ChildSpec) -> StartError:
    """Return ``error`` as the error of a start."""
    return error if isinstance(error, StartError) else StartError(error, title_of(spec))


async def _launch_foreign(spec: ChildSpec, args: tuple[Any, ...]) -> Pid:
    """Start a child through a start function of which nothing is known."""

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
        except BeamishError as error:  # it could not be linked, so its exit would go unnoticed
            raise StartError(error, title_of(spec)) from error
    return pid


def link_to(supervisor: Pid, child: Pid) -> None:
    """See to it that the supervisor hears of the child's exit, however it was started."""
    process: Process = supervisor._process
    if not one_or_many.contains(process.links, child):
        process.link(child)


def strays(supervisor: Pid) -> list[tuple[Pid, ChildSpec]]:
    """List processes that were started by a supervisor and have not become its children.

    A start that is given up half-way may leave one behind.
    """
    process: Process = supervisor._process
    linked = [pid for pid in one_or_many.items(process.links) if pid._process is not None]
    left = [pid for pid in linked if pid._process.parent_pid() is supervisor]
    return [(pid, ChildSpec(pid, ServerStart(None, None))) for pid in left]
