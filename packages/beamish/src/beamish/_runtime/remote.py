"""Processes outside this event loop: the base of their pids and of what stands behind these.

`beamish.erlang` and `beamish.cluster` build on it. A remote pid is a destination like a local one,
because `names` resolves it and its ``_process`` is an `Addressee`.
"""

import asyncio
from typing import Any

from beamish._runtime.process import OnDeath
from beamish._runtime.runtime import Runtime
from beamish._runtime.timers import Timer
from beamish.pid import Pid


class RemotePid(Pid):
    """The pid of a process outside this event loop."""

    __slots__ = ("__weakref__",)

    # Made for each use: a representative that the pid held would hold the pid, and every caller
    # from another node would leave such a cycle to the garbage collector.
    @property
    def _process(self) -> Any:
        return self._representative()

    @_process.setter
    def _process(self, process: None) -> None:
        """Do nothing: `Pid` sets what it stores."""

    def _representative(self) -> Any:
        """Return the `Addressee` of the process, or ``None`` if it is known to be dead."""
        raise NotImplementedError


class RemoteAddressee:
    """The part of an `Addressee` that is the same for all processes outside this event loop."""

    __slots__ = ("pid",)

    direct = False
    task: asyncio.Task[Any] | None = None
    debugging = None

    def __init__(self, pid: Pid) -> None:
        self.pid: Pid = pid

    @property
    def runtime(self) -> Runtime:
        """The runtime in which the pid can be used."""
        raise NotImplementedError

    def deliver(self, message: Any) -> None:
        """Send a message."""
        raise NotImplementedError

    def send_after(self, message: Any, seconds: float) -> Timer:
        """Send ``message`` in ``seconds``."""
        return self.runtime.timers.after(seconds, lambda: self.deliver(message))

    def cancel_timer(self, timer: Timer) -> float | None:
        """Cancel a timer of `send_after`."""
        return self.runtime.timers.cancel(timer)

    # -- Facts that are not known here

    def parent_pid(self) -> Pid | None:
        """Return ``None``: its parent is unknown."""
        return None

    def current_callback(self) -> str | None:
        """Return ``None``: its callback is unknown."""
        return None

    def queue_length(self) -> int | None:
        """Return ``None``: the length is unknown."""
        return None


class ExportedPids:
    """The local processes whose pids were sent to others, until they end."""

    def __init__(self) -> None:
        self._pids: dict[int, Pid] = {}

    def __len__(self) -> int:
        return len(self._pids)

    def add(self, pid: Pid) -> None:
        """Make a live local process reachable by its serial number."""
        process = pid._process
        if process is not None and pid.serial not in self._pids:
            self._pids[pid.serial] = pid
            process.watch(OnDeath(self._ended))

    def _ended(self, pid: Pid, reason: Any) -> None:
        del self._pids[pid.serial]

    def get(self, serial: int) -> Pid | None:
        """Return the pid with this number, if it was added and its process is alive."""
        return self._pids.get(serial)
