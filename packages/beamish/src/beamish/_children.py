"""What all supervisors do with a child: start it, order it to stop, see it dead."""

import asyncio
import functools
import inspect
import logging
import math
from collections.abc import Callable, Coroutine, Iterable
from contextvars import copy_context
from typing import Any, NoReturn

from beamish import _checks, telemetry
from beamish._runtime import eager, few
from beamish._runtime.process import OnDeath, Process
from beamish._runtime.runtime import running
from beamish._runtime.tasks import failure
from beamish._runtime.throttle import throttle
from beamish._server.requests import safe_repr
from beamish._server.start import ServerStart, Starting
from beamish._server.table import Table
from beamish.child_spec import ChildSpec, check_restart, check_shutdown
from beamish.errors import IgnoredError, NotFoundError, StartError
from beamish.pid import Pid
from beamish.results import IGNORE, is_clean

log = logging.getLogger("beamish")

_SLICE_SECONDS = 0.005  # of stopping children before the loop's other work has its turn


class Refused:
    """The reply of a supervisor that does not do what it was asked; the client raises it."""

    __slots__ = ("_error",)

    def __init__(self, error: Exception) -> None:
        self._error: Exception | None = error

    def because(self, *kinds: type[Exception]) -> bool:
        """Say whether it is an error of one of these kinds."""
        return isinstance(self._error, kinds)

    def raise_error(self) -> NoReturn:
        """Raise it, and keep neither it nor its traceback."""
        error, self._error = self._error, None
        assert error is not None  # noqa: S101 - it is raised once
        try:
            raise error
        finally:
            del error  # else it, its traceback and this frame would hold one another


def as_spec(child: Any) -> ChildSpec:
    """Return the specification of what stands in a list of children."""
    if isinstance(child, ChildSpec):
        return child
    make = getattr(child, "child_spec", None)
    if isinstance(child, type) and callable(make):
        spec = make()
        if isinstance(spec, ChildSpec):
            return spec
    raise TypeError(
        "a child is a ChildSpec, or a class that starts without arguments, such as a GenServer; "
        f"got {child!r}"
    )


def check_intensity(max_restarts: Any, max_seconds: Any) -> None:
    """Refuse a restart intensity that is none."""
    _checks.count("max_restarts", max_restarts)
    _checks.seconds("max_seconds", max_seconds, positive=True)


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
        except Exception as error:  # such as the name of an unknown registry
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

    outcome = await in_own_task(start)
    if outcome.error is not None:
        raise as_start_error(outcome.error, spec)
    pid: Any = outcome.value
    if pid is IGNORE:
        raise IgnoredError(title_of(spec))
    if not isinstance(pid, Pid):
        raise StartError(TypeError(f"start returned {pid!r}; expected a Pid"), title_of(spec))
    return pid


async def in_own_task(function: Callable[[], Coroutine[Any, Any, Any]]) -> eager.Outcome:
    """Run code of users in a task of its own, at once as far as it goes; tell how it ended.

    Whoever is cancelled meanwhile takes it along, and waits until it has ended.
    """
    step = eager.step_as_task(function, copy_context(), running().loop)
    if isinstance(step, eager.Outcome):
        return step
    try:
        await asyncio.wait([step])
    except asyncio.CancelledError:
        step.cancel()
        await asyncio.wait([step])
        raise
    error = failure(step)
    return eager.Outcome(error=error) if error is not None else eager.Outcome(step.result())


def strays(supervisor: Pid) -> list[tuple[Pid, ChildSpec]]:
    """List processes that were started by a supervisor and have not become its children.

    A start that is given up half-way may leave one behind.
    """
    process: Process = supervisor._process
    linked = [pid for pid in few.items(process.links) if pid._process is not None]
    left = [pid for pid in linked if pid._process.parent_pid() is supervisor]
    return [(pid, ChildSpec(pid, ServerStart(None, None))) for pid in left]


def title_of(spec: ChildSpec) -> str:
    """Name a child in logs and errors: by its id, or its class."""
    named = spec.id.__qualname__ if isinstance(spec.id, type) else safe_repr(spec.id)
    return f"child {named}"


def link_to(supervisor: Pid, child: Pid) -> None:
    """See to it that the supervisor hears of the child's exit, however it was started."""
    process: Process = supervisor._process
    if not few.contains(process.links, child):
        process.link(child)


class Ending:
    """Children that are being stopped, side by side: ordered, waited for, killed if need be.

    Args:
        supervisor: The process that stops them.
    """

    def __init__(self, supervisor: Pid) -> None:
        self._supervisor = supervisor
        self._runtime = running()
        self._left: dict[Pid, tuple[ChildSpec, Process, float]] = {}  # the last: until when
        self._timers: dict[float, Any] = {}  # one for all that have so many seconds
        self._all_dead: asyncio.Future[None] | None = None

    def order(self, pid: Pid, spec: ChildSpec) -> None:
        """Tell one child to end."""
        process: Process | None = pid._process
        if process is None:
            return
        seconds = spec.shutdown if isinstance(spec.shutdown, int | float) else math.inf
        self._left[pid] = spec, process, self._runtime.loop.time() + seconds
        process.watch(OnDeath(self._died))
        # Unlink before the exit signal: a child that dies now must not look like a crash.
        process.unlink(self._supervisor)
        if spec.shutdown == "brutal_kill":
            process.doom("killed")
        else:
            if spec.shutdown is not None and spec.shutdown not in self._timers:
                self._look_in(seconds, seconds)
            process.signal(self._supervisor, "shutdown")

    def _look_in(self, delay: float, seconds: float) -> None:
        timers = self._runtime.timers
        self._timers[seconds] = timers.after(delay, lambda: self._kill(seconds))

    def _kill(self, seconds: float) -> None:
        """Kill those who had so many seconds and live on; look again when others have had them."""
        del self._timers[seconds]
        now, next_end = self._runtime.loop.time(), math.inf
        for pid, (spec, process, end) in list(self._left.items()):
            if spec.shutdown != seconds:
                continue
            if end > now:
                next_end = min(next_end, end)
                continue
            log.error(
                "supervisor %r had to kill %s %r: it did not end within %g s",
                self._supervisor,
                title_of(spec),
                pid,
                seconds,
            )
            process.doom("killed")
        if next_end < math.inf:
            self._look_in(next_end - now, seconds)

    def _died(self, pid: Pid, reason: Any) -> None:
        spec, _, _ = self._left.pop(pid)
        killed = reason == "killed" if isinstance(reason, str) else False
        if not is_clean(reason) and not killed:
            self._log_end(pid, spec, reason)
        if not self._left and self._all_dead is not None and not self._all_dead.done():
            self._all_dead.set_result(None)

    def _log_end(self, pid: Pid, spec: ChildSpec, reason: Any) -> None:
        log.warning(
            "%s %r of supervisor %r ended for %s while it was being stopped",
            title_of(spec),
            pid,
            self._supervisor,
            safe_repr(reason),
        )

    async def wait(self) -> None:
        """Wait until all of them are dead; suspends only if some are not."""
        try:
            if self._left:
                self._all_dead = self._runtime.loop.create_future()
                await self._all_dead
        finally:
            for timer in self._timers.values():
                self._runtime.timers.cancel(timer)


async def end(supervisor: Pid, pid: Pid, spec: ChildSpec) -> None:
    """Stop one child and wait until it is dead."""
    ending = Ending(supervisor)
    ending.order(pid, spec)
    await ending.wait()


async def end_all(supervisor: Pid, children: Iterable[tuple[Pid, ChildSpec]]) -> None:
    """Stop many children in one pass, giving the event loop its turns, and wait for them all."""
    ending = Ending(supervisor)
    loop = running().loop
    pause_at = loop.time() + _SLICE_SECONDS
    for count, (pid, spec) in enumerate(children):
        ending.order(pid, spec)
        if count % 64 == 63 and loop.time() > pause_at:
            await asyncio.sleep(0)
            pause_at = loop.time() + _SLICE_SECONDS
    await ending.wait()


async def ask(supervisor: Any, method: Any, *args: Any) -> Any:
    """Call a supervisor without a time limit, and raise what it refuses."""
    reply = await method(supervisor, *args)
    if reply.__class__ is Refused:
        reply.raise_error()
    return reply


def log_exit(supervisor: Pid, spec: ChildSpec, pid: Pid, reason: Any, reported: bool) -> None:
    """Log the abnormal exit of a child that the child could not report itself."""
    if reported or is_clean(reason):
        return
    what = title_of(spec)
    if throttle(running()).allows(pid, f"{what} {pid!r}"):
        log.error("%s %r of supervisor %r exited: %s", what, pid, supervisor, safe_repr(reason))


def log_failed_restart(supervisor: Pid, spec: ChildSpec, last: Pid, error: BaseException) -> None:
    """Log that a child could not be started again."""
    what = title_of(spec)
    if throttle(running()).allows(last, f"{what} {last!r}"):
        log.error("supervisor %r could not restart %s: %s", supervisor, what, error, exc_info=error)


def log_restart(supervisor: Pid, spec: ChildSpec, last: Pid, new: Pid, reason: Any) -> None:
    """Log and tell telemetry that a child runs again."""
    throttle(running()).follows(last, new)
    if log.isEnabledFor(logging.INFO):
        log.info("supervisor %r restarted %s as %r", supervisor, title_of(spec), new)
    if telemetry.enabled:
        facts = _facts(supervisor, spec, last, reason)
        telemetry.supervisor("restart", {**facts, "new_pid": new})


def log_give_up(
    supervisor: Pid,
    spec: ChildSpec,
    last: Pid | None,
    reason: Any,
    max_restarts: int,
    max_seconds: float,
) -> None:
    """Log and tell telemetry that restarting has been too frequent."""
    if telemetry.enabled:
        telemetry.supervisor("give_up", _facts(supervisor, spec, last, reason))
    log.error(
        "supervisor %r gives up: %s exited for %s, after %d restarts within %g s",
        supervisor,
        title_of(spec),
        safe_repr(reason),
        max_restarts,
        max_seconds,
    )


def _facts(supervisor: Pid, spec: ChildSpec, last: Pid | None, reason: Any) -> dict[str, Any]:
    return {
        "supervisor": supervisor,
        "class": _class_of(spec),
        "id": spec.id,
        "pid": last,
        "reason": reason,
    }


def _class_of(spec: ChildSpec) -> str:
    """Name the class of a child as its own events do; what else starts children, by itself."""
    start: Any = spec.start
    if isinstance(start, ServerStart):
        table: Table = start.cls._beamish
        return table.qualname
    while isinstance(start, functools.partial):
        start = start.func
    owner = getattr(start, "__self__", start)
    named = owner if isinstance(owner, type) else start
    return str(getattr(named, "__qualname__", type(named).__qualname__))


def not_found(what: Any, among: int) -> NotFoundError:
    """Say that a supervisor has no such child."""
    return NotFoundError(f"no child {safe_repr(what)} among the supervisor's {among} children")


def failed_to_start(spec: ChildSpec, error: StartError) -> Any:
    """Return the reason for which a supervisor stops whose child did not start."""
    return ("shutdown", ("failed_to_start_child", spec.id, error.reason))


def check_ids(specs: Iterable[ChildSpec]) -> None:
    """Refuse two children with one id."""
    seen: set[Any] = set()
    for spec in specs:
        if spec.id in seen:
            raise ValueError(
                f"two children have the id {spec.id!r}; give one another with .replace(id=...)"
            )
        seen.add(spec.id)


def significance_error(spec: ChildSpec) -> ValueError:
    """Say that nothing would follow from a child's significance."""
    return ValueError(
        f"child {spec.id!r} is significant, but auto_shutdown='never' ignores that; set "
        "auto_shutdown to 'any_significant' or 'all_significant'"
    )


def check_spec_options(cls: type, options: dict[str, Any]) -> dict[str, Any]:
    """Check the class keywords of a module-based supervisor, which go into its child spec."""
    known = {"restart": check_restart, "shutdown": check_shutdown}
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"{cls.__qualname__} takes restart and shutdown, not {name!r}")
        known[name](value)
    return options


async def options_of(owner: Any, arguments: tuple[Any, Any], kind: type) -> Any:
    """Return the options of a supervisor: as given, or as its module's ``init`` says them."""
    args, kwargs = arguments
    if len(args) == 1 and isinstance(args[0], kind) and not owner._has_own_init():
        return args[0]

    async def init() -> Any:
        found = owner().init(*args, **kwargs)
        return await found if inspect.isawaitable(found) else found

    found = (await in_own_task(init)).result()
    if found is not IGNORE and not isinstance(found, kind):
        raise TypeError(
            f"{owner.__qualname__}.init returned {found!r}; return {owner.__base__.__qualname__}"
            ".spec(...) or IGNORE"
        )
    return found


def own_server(owner: type, base: type[Any]) -> type[Any]:
    """Make the class of the processes of a module-based supervisor, which bears its name."""
    body = {"_beamish_name": owner.__qualname__, "_beamish_owner": owner}
    return type(owner.__name__, (base,), body)
