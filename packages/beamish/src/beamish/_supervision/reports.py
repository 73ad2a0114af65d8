"""Log records and telemetry events of supervisors: exits, restarts, and giving up."""

import functools
import logging
from typing import Any

from beamish import telemetry
from beamish._diagnostics.brief import brief
from beamish._diagnostics.throttle import throttle
from beamish._runtime import hooks
from beamish._runtime.runtime import running
from beamish._server.start import ServerStart
from beamish._server.table import CallbackTable
from beamish._supervision.specs import title_of
from beamish.child_spec import ChildSpec
from beamish.pid import Pid
from beamish.results import is_clean

log = logging.getLogger("beamish")


def log_exit(supervisor: Pid, spec: ChildSpec, pid: Pid, reason: Any, reported: bool) -> None:
    """Log the abnormal exit of a child, unless its crash is logged already."""
    if reported or is_clean(reason):
        return
    what = title_of(spec)
    if throttle(running()).allows(pid, f"{what} {pid!r}"):
        log.error("%s %r of supervisor %r exited: %s", what, pid, supervisor, brief(reason))


def log_failed_restart(supervisor: Pid, spec: ChildSpec, last: Pid, error: BaseException) -> None:
    """Log that the restart of a child has failed."""
    what = title_of(spec)
    if throttle(running()).allows(last, f"{what} {last!r}"):
        log.error("supervisor %r could not restart %s: %s", supervisor, what, error, exc_info=error)


def log_restart(supervisor: Pid, spec: ChildSpec, last: Pid, new: Pid, reason: Any) -> None:
    """Log that a child was restarted, and emit the event."""
    throttle(running()).restarted(last, new)
    for restarted in tuple(hooks.child_restarted):
        restarted(last, new)
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
    """Log that a child was restarted too often, and emit the event."""
    if telemetry.enabled:
        telemetry.supervisor("give_up", _facts(supervisor, spec, last, reason))
    log.error(
        "supervisor %r gives up: %s exited with %s, after %d restarts within %g s",
        supervisor,
        title_of(spec),
        brief(reason),
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
    """Return the class of a child, as its own events show it, or the name of its start function."""
    start: Any = spec.start
    if isinstance(start, ServerStart):
        table: CallbackTable = start.cls._beamish
        return table.qualname
    while isinstance(start, functools.partial):
        start = start.func
    owner = getattr(start, "__self__", start)
    named = owner if isinstance(owner, type) else start
    return str(getattr(named, "__qualname__", type(named).__qualname__))
