"""What all processes share: identity, names, links, monitors, exit signals and death."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from beamish import telemetry
from beamish._runtime import few
from beamish._runtime.context import current_pid
from beamish._runtime.few import Few
from beamish._runtime.runtime import Runtime
from beamish._runtime.timers import Timer
from beamish.errors import CallingSelfError
from beamish.messages import Down, Exit
from beamish.pid import Pid, Ref

_log = logging.getLogger("beamish")

_ANCESTORS = 32  # who started whom is told so far back, not further


class Held(Protocol):
    """A name or a registry entry that a process holds until it dies."""

    def release(self, pid: Pid) -> None:
        """Give it back: ``pid`` holds it no more."""

    def linked_to(self) -> Pid | None:
        """Name the process that the holder dies with because of it, if any."""

    def shown(self) -> Any:
        """Show it: the name, or the key."""


class SystemRequest(Protocol):
    """What `debug` and ``stop`` ask of a server, between two of its messages."""

    def run(self, process: Any) -> Any:
        """Do it; return what a callback would: ``None``, or a `Stop`."""


class Watcher(Protocol):
    """Something that is told when a process has died."""

    def died(self, pid: Pid, reason: Any) -> None:
        """Hear that ``pid`` is dead."""


class Monitor(Ref):
    """A monitor: a watcher that sends `Down` to the process that asked for it."""

    __slots__ = ("owner", "target")

    def __init__(self, owner: Pid, target: Pid | None) -> None:
        super().__init__()
        self.owner: Pid = owner
        self.target: Pid | None = target

    def died(self, pid: Pid, reason: Any) -> None:
        """Deliver `Down`, unless the monitor is gone."""
        owner = self.owner._process
        if owner is not None and few.contains(owner.monitors, self):
            owner.monitors = few.remove(owner.monitors, self)
            owner.deliver(Down(self, pid, reason))


class Process:
    """One process: what the runtime knows of it.

    Subclasses say how it runs: `deliver` takes a message, `turn` handles some, `doom` ends it for
    an exit signal.
    """

    task: asyncio.Task[Any] | None = None  # that runs it, or its callback
    direct = False  # whether calls may run on the caller's stack; servers say so for themselves

    __slots__ = (
        "ancestors",
        "handled",
        "held",
        "label",
        "lineage",
        "links",
        "monitors",
        "pid",
        "reported",
        "runtime",
        "started_at",
        "timers",
        "trap_exit",
        "watchers",
    )

    def __init__(self, runtime: Runtime, parent: Pid | None) -> None:
        self.runtime: Runtime = runtime
        self.pid: Pid = Pid(runtime, self)
        self.ancestors: tuple[Pid, ...] = _lineage(parent)
        self.lineage: tuple[Pid, ...] | None = None  # the ancestors of those it starts
        self.label: Any = None
        self.held: Few[Held] = None
        self.links: Few[Pid] = None
        self.monitors: Few[Monitor] = None
        self.watchers: Few[Watcher] = None
        self.timers: Few[Timer] = None
        self.trap_exit: bool = False
        self.reported: bool = False  # has its crash been logged?
        self.handled: int = 0
        self.started_at: float = time.time()
        runtime.processes[self.pid] = None

    # -- What subclasses define

    def deliver(self, message: Any) -> None:
        """Take a message; never blocks."""
        raise NotImplementedError

    def turn(self) -> None:
        """Handle a bounded number of messages."""
        raise NotImplementedError

    def doom(self, reason: Any) -> None:
        """End for an exit signal that is not trapped."""
        raise NotImplementedError

    def status(self) -> str:
        """Say what the process is doing, in Erlang's words."""
        raise NotImplementedError

    def class_name(self) -> str:
        """Name what kind of process it is."""
        raise NotImplementedError

    def kind(self) -> str:
        """Name its class for metrics: one of few, however many processes there are."""
        return self.class_name()

    def parent_pid(self) -> Pid | None:
        """Name the process that started it."""
        return self.ancestors[0] if self.ancestors else None

    def system(self, request: SystemRequest) -> None:
        """Answer a request of `debug` or ``stop`` in its turn."""
        raise self._not_a_server("it keeps no state to look at, and is ended with process.exit")

    def request(self, dest: Any, *_: Any) -> Any:
        """Begin a call."""
        if self.task is not None and asyncio.current_task() is self.task:
            raise CallingSelfError(dest)
        raise self._not_a_server("it takes messages (process.send), not calls")

    def cast(self, *_: Any) -> None:
        """Queue a cast."""
        raise self._not_a_server("it takes messages (process.send), not casts")

    def _not_a_server(self, advice: str) -> TypeError:
        return TypeError(f"{self.pid!r} ({self.class_name()}) is not a server: {advice}")

    def disturb(self) -> None:
        """Make the direct call that this process answers take the slow path."""

    def queue_length(self) -> int:
        """Count the messages that wait."""
        raise NotImplementedError

    def current_callback(self) -> str | None:
        """Name the callback that runs now."""
        return None

    def size_bytes(self) -> int:
        """Estimate the memory that the process takes."""
        return self.__sizeof__() + sum(
            few.size_bytes(part)
            for part in (self.held, self.links, self.monitors, self.watchers, self.timers)
        )

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the messages that are ``unwanted`` from those that wait."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Be dead, whatever its code still does; for a process that was told to die long ago."""
        raise NotImplementedError

    # -- Links and exit signals

    def link(self, pid: Pid) -> None:
        """Link with ``pid``; a dead process answers with exit ``"noproc"``."""
        other = pid._process
        if other is self:
            return
        if other is None:
            self.signal(pid, "noproc")
            return
        self.links = few.add(self.links, pid)
        other.links = few.add(other.links, self.pid)

    def unlink(self, pid: Pid) -> None:
        """Undo `link`; an exit signal that is under way does not arrive any more."""
        self.links = few.remove(self.links, pid)
        other = pid._process
        if other is not None:
            other.links = few.remove(other.links, self.pid)

    def linked_exit(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Hear that ``sender``, linked to this process, is dead."""
        if few.contains(self.links, sender):  # unless unlinked since
            self.links = few.remove(self.links, sender)
            self.exit_from_link(sender, reason, reported)

    def exit_from_link(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Take the exit signal of a linked process; ``reported`` says that it was logged."""
        self.signal(sender, reason)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Take an exit signal as Erlang's rules have it."""
        if self.trap_exit:
            self.deliver(Exit(sender, reason))  # type: ignore[arg-type] # None: from no process
        elif sender is self.pid or not _is(reason, "normal"):
            self.doom(reason)

    def interrupt(self, task: asyncio.Task[Any]) -> None:
        """Cancel the task that runs this process, which an exit signal has ended."""
        task.cancel()
        if asyncio.current_task() is task:
            self.runtime.end_slice(task)
            self._force_slow_path()

    def _force_slow_path(self) -> None:
        """Make the direct calls below on the stack take the slow path, where the caller notices.

        A child that runs code of its own on the stack of a call, such as ``__init__``, stands
        above its supervisor there, which answers the call. Only processes that run a callback
        are told: an idle one would not be woken by its next message.
        """
        here = current_pid.get()
        if here is None:
            return
        dead = here._process is None  # then it is unknown whose child it was
        for pid in list(self.runtime.processes) if dead else (here, *here._process.ancestors):
            process = pid._process
            if process is not None and process.current_callback() is not None:
                process.disturb()

    # -- Death, in two steps: it is gone for all who look, then those who care are told

    def depart(self) -> None:
        """Be dead for everyone who looks from now on: no pid, name, entry, timer or monitor."""
        pid, runtime = self.pid, self.runtime
        if pid._process is None:
            return
        pid._process = None
        del runtime.processes[pid]
        # Held names that link (registries) are kept in links, so that info stays right.
        held, self.held = few.items(self.held), None
        for name in held:
            try:
                name.release(pid)
            except Exception:  # a name service that fails must not keep anything alive
                _log.exception("%r could not give back the name %r", pid, name.shown())
        timers, self.timers = few.items(self.timers), None
        for timer in timers:
            runtime.timers.cancel(timer)
        self._forget_monitors()

    def _forget_monitors(self) -> None:
        monitors, self.monitors = few.items(self.monitors), None
        for monitor in monitors:
            self._unwatch(monitor)

    def die(self, reason: Any) -> None:
        """Die: tell linked processes and watchers."""
        self.depart()
        links, self.links = few.items(self.links), None
        watchers, self.watchers = few.items(self.watchers), None
        for watcher in watchers:
            watcher.died(self.pid, reason)
        for linked in links:
            self.runtime.queue_exit_signal(linked, self.pid, reason, self.reported)
        self.take_along(reason)
        if telemetry.enabled:
            telemetry.process_exit(self.pid, self.kind(), reason)
        self.runtime.deliver_exit_signals()

    def take_along(self, reason: Any) -> None:
        """Send exit signals to those who depend on this process without a link of their own."""

    # -- Timers and monitors

    def send_after(self, message: Any, seconds: float) -> Timer:
        """Deliver ``message`` to this process in ``seconds``, if it still lives then."""
        return self.call_after(seconds, lambda: self.deliver(message))

    def call_after(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in ``seconds``, if the process still lives then."""

        def fire() -> None:
            self.timers = few.remove(self.timers, timer)
            callback()

        timer = self.runtime.timers.after(seconds, fire)
        timer.owner = self.pid
        self.timers = few.add(self.timers, timer)
        return timer

    def cancel_timer(self, timer: Timer) -> float | None:
        """Cancel a timer of this process; return the seconds it had left."""
        self.timers = few.remove(self.timers, timer)
        return self.runtime.timers.cancel(timer)

    def monitor(self, target: Any) -> Monitor:
        """Monitor the pid ``target``; anything else is a name that nobody holds."""
        pid = target if isinstance(target, Pid) else None
        monitor = Monitor(self.pid, pid)
        process = None if pid is None else pid._process
        if process is None:
            self.deliver(Down(monitor, target, "noproc"))
        else:
            self.monitors = few.add(self.monitors, monitor)
            process.watchers = few.add(process.watchers, monitor)
        return monitor

    def demonitor(self, monitor: Monitor) -> None:
        """Undo `monitor`."""
        self.monitors = few.remove(self.monitors, monitor)
        self._unwatch(monitor)

    def watch(self, watcher: Watcher) -> None:
        """Tell ``watcher`` when the process has died."""
        self.watchers = few.add(self.watchers, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Undo `watch`."""
        self.watchers = few.remove(self.watchers, watcher)

    def _unwatch(self, monitor: Monitor) -> None:
        target = None if monitor.target is None else monitor.target._process
        if target is not None:
            target.watchers = few.remove(target.watchers, monitor)


class OnDeath:
    """A watcher that calls a function."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[Pid, Any], None]) -> None:
        self._call = call

    def died(self, pid: Pid, reason: Any) -> None:
        """Call the function."""
        self._call(pid, reason)


def _lineage(parent: Pid | None) -> tuple[Pid, ...]:
    """List who started a process, who started that one, and so on; siblings share the tuple."""
    if parent is None:
        return ()
    process = parent._process
    if process is None:
        return (parent,)
    if process.lineage is None:
        process.lineage = (parent, *process.ancestors[: _ANCESTORS - 1])
    return process.lineage  # type: ignore[no-any-return]


def _is(reason: Any, word: str) -> bool:
    # Reasons are any values, whose == may do anything.
    return isinstance(reason, str) and reason == word
