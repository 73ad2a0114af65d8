"""Crash reports of spawned processes; those of servers are in `_server.reports`."""

import logging

from beamish._diagnostics.throttle import throttle
from beamish._runtime.tasks import SpawnedProcess

_log = logging.getLogger("beamish")


def report(process: SpawnedProcess, error: BaseException) -> None:
    """Log that the coroutine of a process has raised ``error``."""
    name = process.class_name()
    if throttle(process.runtime).allows(process.pid, f"process {name}"):
        _log.error(
            "%s terminating\n** %r\nAncestors: %r",
            process.title(),
            error,
            list(process.ancestors),
            exc_info=error,
            extra={"beamish_pid": repr(process.pid), "beamish_class": name},
        )
