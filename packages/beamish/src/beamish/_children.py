"""What all supervisors do with a child: start it, order it to stop, see it dead."""

import asyncio
import inspect
import logging
from collections.abc import Iterable
from contextvars import copy_context
from typing import Any

from beamish import _checks, telemetry
from beamish._runtime import eager, few
from beamish._runtime.process import OnDeath, Process
from beamish._runtime.runtime import running
from beamish._runtime.throttle import throttle
from beamish._server.requests import safe_repr
from beamish._server.start import ServerStart, Starting
from beamish.child_spec import ChildSpec, check_restart, check_shutdown
from beamish.errors import IgnoredError, NotFoundError, StartError
from beamish.pid import Pid
from beamish.results import IGNORE, is_clean

log = logging.getLogger("beamish")

_SLICE_SECONDS = 0.005  # of stopping children before the loop's other work has its turn


class Refused:
    """The reply of a supervisor that does not do what it was asked; the client raises it."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


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
            raise StartError(error, f"child {spec.id!r}") from error
        return await begun.wait() if isinstance(begun, Starting) else begun
    return await _launch_foreign(spec, args)


async def _launch_foreign(spec: ChildSpec, args: tuple[Any, ...]) -> Pid:
    """Start a child through a start function of which nothing is known."""

    async def start() -> Any:
        return await spec.start(*args, **spec.kwargs)

    try:
        step = eager.step_as_task(start, copy_context(), running().loop)
        pid: Any = step.result() if isinstance(step, eager.Outcome) else await step
    except StartError:
        raise
    except Exception as error:
        raise StartError(error, f"child {spec.id!r}") from error
    if pid is IGNORE:
        raise IgnoredError(f"child {spec.id!r}")
    if not isinstance(pid, Pid):
        raise StartError(TypeError(f"start returned {pid!r}; expected a Pid"), f"child {spec.id!r}")
    return pid


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
        self._left: dict[Pid, tuple[ChildSpec, Process]] = {}
        self._timers: dict[float, Any] = {}
        self._all_dead: asyncio.Future[None] | None = None

    def order(self, pid: Pid, spec: ChildSpec) -> None:
        """Tell one child to end."""
        process: Process | None = pid._process
        if process is None:
            return
        self._left[pid] = spec, process
        process.watchers = few.add(process.watchers, OnDeath(self._died))
        # Unlink before the exit signal: a child that dies now must not look like a crash.
        process.unlink(self._supervisor)
        if spec.shutdown == "brutal_kill":
            process.doom("killed")
        else:
            self._give_time(spec.shutdown)
            process.signal(self._supervisor, "shutdown")

    def _give_time(self, seconds: float | None) -> None:
        if seconds is not None and seconds not in self._timers:
            timers = self._runtime.timers
            self._timers[seconds] = timers.after(seconds, lambda: self._kill(seconds))

    def _kill(self, seconds: float) -> None:
        """Kill the children that had so many seconds and live on."""
        for pid, (spec, process) in list(self._left.items()):
            if spec.shutdown == seconds:
                log.error(
                    "supervisor %r had to kill child %r %r: it did not end within %g s",
                    self._supervisor,
                    spec.id,
                    pid,
                    seconds,
                )
                process.doom("killed")

    def _died(self, pid: Pid, reason: Any) -> None:
        spec, _ = self._left.pop(pid)
        killed = reason == "killed" if isinstance(reason, str) else False
        if not is_clean(reason) and not killed:
            self._log_end(pid, spec, reason)
        if not self._left and self._all_dead is not None and not self._all_dead.done():
            self._all_dead.set_result(None)

    def _log_end(self, pid: Pid, spec: ChildSpec, reason: Any) -> None:
        log.warning(
            "child %r %r of supervisor %r ended for %r while it was being stopped",
            spec.id,
            pid,
            self._supervisor,
            reason,
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
        raise reply.error
    return reply


def log_exit(supervisor: Pid, spec: ChildSpec, pid: Pid, reason: Any, reported: bool) -> None:
    """Log the abnormal exit of a child that the child could not report itself."""
    if reported or is_clean(reason):
        return
    what = f"child {spec.id!r}"
    if throttle(running()).allows(pid, f"{what} {pid!r}"):
        log.error("%s %r of supervisor %r exited: %s", what, pid, supervisor, safe_repr(reason))


def log_failed_restart(supervisor: Pid, spec: ChildSpec, last: Pid, error: BaseException) -> None:
    """Log that a child could not be started again."""
    what = f"child {spec.id!r}"
    if throttle(running()).allows(last, f"{what} {last!r}"):
        log.error("supervisor %r could not restart %s: %s", supervisor, what, error, exc_info=error)


def log_restart(supervisor: Pid, spec: ChildSpec, last: Pid, new: Pid, reason: Any) -> None:
    """Log and tell telemetry that a child runs again."""
    throttle(running()).follows(last, new)
    log.info("supervisor %r restarted child %r as %r", supervisor, spec.id, new)
    if telemetry.enabled:
        telemetry.supervisor("restart", supervisor, spec.id, last, reason)


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
        telemetry.supervisor("give_up", supervisor, spec.id, last, reason)
    log.error(
        "supervisor %r gives up: child %r exited for %s, after %d restarts within %g s",
        supervisor,
        spec.id,
        safe_repr(reason),
        max_restarts,
        max_seconds,
    )


def not_found(what: Any, among: int) -> NotFoundError:
    """Say that a supervisor has no such child."""
    return NotFoundError(f"no child {what!r} among the supervisor's {among} children")


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
    if len(args) == 1 and isinstance(args[0], kind):
        return args[0]
    found = owner().init(*args, **kwargs)
    if inspect.isawaitable(found):
        found = await found
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
