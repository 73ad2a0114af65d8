"""`Addressee`: what stands behind a `Pid` and takes the signals that are sent to it.

A process of this program is one (see `Process`), and so is what represents a process of another
node. Code that has a pid uses only these methods, after `names` has resolved it.
"""

import asyncio
from typing import Any, Protocol

from beamish._runtime.process import SystemRequest, Watcher
from beamish._runtime.runtime import Runtime
from beamish._runtime.timers import Timer
from beamish.pid import Dest, Pid


class Addressee(Protocol):
    """A process of this program, or the representative of one on another node."""

    @property
    def pid(self) -> Pid:
        """The pid it stands behind."""
        ...

    @property
    def runtime(self) -> Runtime:
        """The runtime of the event loop in which it can be used."""
        ...

    @property
    def direct(self) -> bool:
        """Whether a call can run on the caller's stack."""
        ...

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """The task that runs the process, if it is one of this program."""

    def request(
        self, dest: Dest, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, /
    ) -> Any:
        """Start a call; return the reply if there is one at once, otherwise a `PendingReply`."""

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, /) -> None:
        """Send a cast."""

    def cast_bare(self, request: Any, /) -> None:
        """Send a request for ``handle_cast``."""

    def deliver(self, message: Any) -> None:
        """Send a message."""

    def system(self, request: SystemRequest) -> None:
        """Send a system request."""

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Send the exit signal ``reason`` of ``sender``."""

    def kill(self, reason: Any) -> None:
        """End the process for ``reason``; it cannot trap that."""

    def linked_exit(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Send the exit signal of the linked process ``sender``, which is dead."""

    def exit_from_link(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Send the exit signal of ``sender``, which is dead, without checking for a link."""

    def add_link(self, pid: Pid) -> None:
        """Add the other half of a link that ``pid`` has made."""

    def remove_link(self, pid: Pid) -> None:
        """Remove the other half of a link that ``pid`` has removed."""

    def unlink(self, pid: Pid) -> None:
        """Remove the link with ``pid``."""

    def watch(self, watcher: Watcher) -> None:
        """Notify ``watcher`` once when the process has ended."""

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher."""

    def send_after(self, message: Any, seconds: float) -> Timer:
        """Send ``message`` in ``seconds``."""
        ...

    def cancel_timer(self, timer: Timer) -> float | None:
        """Cancel a timer of `send_after`; return the seconds it had left."""

    def kind(self) -> str:
        """Return the class name as a metric label."""
        ...

    def class_name(self) -> str:
        """Return the name of the class, for logs."""
        ...

    def parent_pid(self) -> Pid | None:
        """Return the process that started it, if that is known."""

    def current_callback(self) -> str | None:
        """Return the name of the running callback, if that is known."""

    def queue_length(self) -> int | None:
        """Return the number of queued messages, if that is known."""
