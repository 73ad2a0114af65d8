"""`Process`: the base of all processes, with their names, links, monitors, timers and exit.

A process exits in two steps. `Process.unregister` removes it from every look-up, so that nobody
finds a process that is ending. `Process.die` then raises `ExitError` in its callers, notifies its
watchers and sends exit signals to its links. A process that is killed while its code still runs
takes the first step at once and the second when the code has returned.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from beamish import telemetry
from beamish._runtime import one_or_many
from beamish._runtime.context import current_pid
from beamish._runtime.extras import NO_EXTRAS, Extra, Extras
from beamish._runtime.one_or_many import OneOrMany
from beamish._runtime.runtime import Runtime
from beamish._runtime.timers import Timer
from beamish.errors import CallingSelfError
from beamish.messages import Down, Exit
from beamish.pid import Pid, Ref

_log = logging.getLogger("beamish")

MAX_ANCESTORS = 32


class HeldName(Protocol):
    """A name or a registry entry that a process holds until it dies."""

    def release(self, holder: "Process") -> None:
        """Remove the name, which ``holder`` has held."""

    def linked_to(self) -> Pid | None:
        """Return the process whose exit ends the holder, such as the registry, or ``None``."""

    def shown(self, holder: "Process") -> Any:
        """Return the name or the key, as `ProcessInfo` shows it."""


class SystemRequest(Protocol):
    """A request of `debug`, ``stop`` or the runtime, which a server handles between messages."""

    def run(self, process: Any, /) -> Any:
        """Handle the request; return what a callback can return, such as ``None`` or a `Stop`."""


class Watcher(Protocol):
    """An object that is notified when a process has died."""

    def died(self, pid: Pid, reason: Any) -> None:
        """Handle the death of ``pid``."""


class Monitor(Ref):
    """A watcher that sends `Down` to the process that created it."""

    __slots__ = ("owner", "target")

    def __init__(self, owner: Pid, target: Pid | None) -> None:
        super().__init__()
        self.owner: Pid = owner
        self.target: Pid | None = target

    def died(self, pid: Pid, reason: Any) -> None:
        """Deliver `Down`, unless the monitor was removed."""
        owner = self.owner._process
        if owner is not None and one_or_many.contains(owner.monitors, self):
            owner.monitors = one_or_many.remove(owner.monitors, self)
            owner.deliver(Down(self, pid, reason))


class Process:
    """One process, as the runtime sees it.

    Subclasses define how it runs: `deliver` queues a message, `turn` handles some of them, `kill`
    ends the process.
    """

    task: asyncio.Task[Any] | None = None  # the task that runs the process, or its callback
    direct = False  # whether a call can run on the caller's stack; servers set it

    __slots__ = (
        "ancestors",
        "extras",
        "handled",
        "held",
        "links",
        "pid",
        "reported",
        "runtime",
        "started_at",
        "trap_exit",
        "watchers",
    )

    label: Extra[Any] = Extra("label")
    lineage: Extra[tuple[Pid, ...] | None] = Extra("lineage")  # of the processes that it starts
    monitors: Extra[OneOrMany[Monitor]] = Extra("monitors")
    timers: Extra[OneOrMany[Timer]] = Extra("timers")

    def __init__(self, runtime: Runtime, parent: Pid | None) -> None:
        self.runtime: Runtime = runtime
        self.pid: Pid = Pid(runtime, self)
        self.ancestors: tuple[Pid, ...] = _lineage(parent)
        self.extras: Extras = NO_EXTRAS
        self.held: OneOrMany[HeldName] = None
        self.links: OneOrMany[Pid] = None
        self.watchers: OneOrMany[Watcher] = None
        self.trap_exit: bool = False
        self.reported: bool = False  # whether its crash is logged
        self.handled: int = 0
        self.started_at: float = runtime.clock()
        runtime.processes[self.pid] = None

    # -- What subclasses define

    def deliver(self, message: Any) -> None:
        """Queue a message; never suspends."""
        raise NotImplementedError

    def turn(self) -> None:
        """Handle a bounded number of messages."""
        raise NotImplementedError

    def kill(self, reason: Any) -> None:
        """End the process for ``reason``, such as an exit signal that it does not trap."""
        raise NotImplementedError

    def status(self) -> str:
        """Return what the process is doing, in Erlang's words; see `ProcessInfo`."""
        raise NotImplementedError

    def class_name(self) -> str:
        """Return the name of the server's class, or of the coroutine function or task."""
        raise NotImplementedError

    def kind(self) -> str:
        """Return the class name as a metric label, whose values must be few."""
        return self.class_name()

    def parent_pid(self) -> Pid | None:
        """Return the pid of the process that started this one, or ``None``."""
        return self.ancestors[0] if self.ancestors else None

    def system(self, request: SystemRequest) -> None:
        """Handle a system request in its turn."""
        raise self._not_a_server("it has no state to read; stop it with process.exit")

    def request(
        self, dest: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, /
    ) -> Any:
        """Start a call."""
        if self.task is not None and asyncio.current_task() is self.task:
            raise CallingSelfError(dest)
        raise self._not_a_server("it takes messages (process.send), not calls")

    def cast(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, /) -> None:
        """Queue a cast."""
        raise self._not_a_server("it takes messages (process.send), not casts")

    def cast_bare(self, request: Any, /) -> None:
        """Queue a request for ``handle_cast``."""
        raise self._not_a_server("it takes messages (process.send), not casts")

    def _not_a_server(self, advice: str) -> TypeError:
        return TypeError(f"{self.pid!r} ({self.class_name()}) is not a server: {advice}")

    def force_slow_path(self) -> None:
        """Make a running direct call take the slow path, where its caller can be suspended."""

    def queue_length(self) -> int:
        """Return the number of queued messages."""
        raise NotImplementedError

    def current_callback(self) -> str | None:
        """Return the name of the running callback, or ``None``."""
        return None

    def size_bytes(self) -> int:
        """Return an estimate of the memory of the process, in bytes."""
        extras = 0 if self.extras is NO_EXTRAS else self.extras.__sizeof__()
        return (
            self.__sizeof__()
            + extras
            + sum(
                one_or_many.size_bytes(part)
                for part in (self.held, self.links, self.monitors, self.watchers, self.timers)
            )
        )

    def discard_messages(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove the queued messages for which ``unwanted`` is true."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Complete the exit although the process's code still runs; see `unwinding`."""
        raise NotImplementedError

    # -- Links and exit signals

    def link(self, pid: Pid) -> None:
        """Link with ``pid``; if it is dead, handle the exit signal ``"noproc"`` from it."""
        other = pid._process
        if other is self:
            return
        if other is None:
            self.signal(pid, "noproc")
            return
        self.links = one_or_many.add(self.links, pid)
        other.add_link(self.pid)

    def unlink(self, pid: Pid) -> None:
        """Remove the link with ``pid``; a queued exit signal of it is dropped."""
        self.links = one_or_many.remove(self.links, pid)
        other = pid._process
        if other is not None:
            other.remove_link(self.pid)

    def add_link(self, pid: Pid) -> None:
        """Add the other half of a link that ``pid`` has made."""
        self.links = one_or_many.add(self.links, pid)

    def remove_link(self, pid: Pid) -> None:
        """Remove the other half of a link that ``pid`` has removed."""
        self.links = one_or_many.remove(self.links, pid)

    def linked_exit(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Handle the death of ``sender``, unless it was unlinked after its signal was queued."""
        if one_or_many.contains(self.links, sender):
            self.links = one_or_many.remove(self.links, sender)
            self.exit_from_link(sender, reason, reported)

    def exit_from_link(self, sender: Pid, reason: Any, reported: bool) -> None:
        """Handle the exit signal of a linked process.

        Args:
            sender: The dead process.
            reason: Its exit reason.
            reported: Whether its crash is logged already.
        """
        self.signal(sender, reason)

    def signal(self, sender: Pid | None, reason: Any) -> None:
        """Handle an exit signal by Erlang's rules.

        Trapped, it becomes an `Exit` message. Otherwise it ends the process, except for the
        reason ``"normal"`` from another process.
        """
        if self.trap_exit:
            self.deliver(Exit(sender, reason))  # type: ignore[arg-type] # None: from no process
        elif sender is self.pid or not _is(reason, "normal"):
            self.kill(reason)

    def interrupt(self, task: asyncio.Task[Any]) -> None:
        """Cancel ``task``, which runs this process or its callback, because of an exit signal.

        If the task is the running one, it has killed itself, and the cancellation takes effect
        only where it next suspends: the time slice must end, and the direct calls below it on
        the stack must suspend.
        """
        task.cancel()
        if asyncio.current_task() is task:
            self.runtime.end_slice(task)
            self._force_slow_path_of_callers()

    def _force_slow_path_of_callers(self) -> None:
        """Make the direct calls below on the stack take the slow path, where the caller suspends.

        The direct call is answered by the current process, or by an ancestor of it: a child whose
        ``__init__`` runs during a ``start_child`` call is above its supervisor on the stack. Only
        processes that run a callback are changed: `force_slow_path` gives a server a mailbox, and
        an idle server that has one is not scheduled by its next message.
        """
        here = current_pid.get()
        if here is None:
            return
        dead = here._process is None  # then its ancestors are unknown: take all processes
        for pid in list(self.runtime.processes) if dead else (here, *here._process.ancestors):
            process = pid._process
            if process is not None and process.current_callback() is not None:
                process.force_slow_path()

    # -- Death, in two steps: removed from all look-ups, then callers, watchers and links

    def unregister(self) -> None:
        """Remove the process from all look-ups: its pid, names, entries, timers and monitors."""
        pid, runtime = self.pid, self.runtime
        if pid._process is None:
            return
        pid._process = None
        del runtime.processes[pid]
        held, self.held = one_or_many.items(self.held), None
        for name in held:
            try:
                name.release(self)
            except Exception:  # an error of a name service must not stop the exit of the process
                _log.exception("%r could not unregister the name %r", pid, name.shown(self))
        if self.extras is not NO_EXTRAS:
            self._drop_timers_and_monitors()

    def _drop_timers_and_monitors(self) -> None:
        timers, self.timers = one_or_many.items(self.timers), None
        for timer in timers:
            self.runtime.timers.cancel(timer)
        monitors, self.monitors = one_or_many.items(self.monitors), None
        for monitor in monitors:
            self._unwatch(monitor)

    def die(self, reason: Any) -> None:
        """End the process; every process ends here, when its code has returned or is given up.

        The order matters: a notified process, such as a supervisor, can start a successor with the
        same names at once, and must not find the old process.
        """
        self.unregister()  # no effect after a kill, which has done so while the code still ran
        self.drop_messages(reason)
        links, self.links = one_or_many.items(self.links), None
        watchers, self.watchers = one_or_many.items(self.watchers), None
        for watcher in watchers:
            watcher.died(self.pid, reason)
        for linked in links:
            self.runtime.queue_exit_signal(linked, self.pid, reason, self.reported)
        # A registry that stops has the processes in it restarted under their supervisors, also if
        # it exits for the reason "normal", which would not end them.
        passed_on = "shutdown" if _is(reason, "normal") else reason
        for pid in self.dependents():
            self.runtime.queue_exit_signal(pid, self.pid, passed_on, self.reported, linked=False)
        if telemetry.enabled:
            telemetry.process_exit(self.pid, self.kind(), reason)
        self.runtime.deliver_exit_signals()

    def drop_messages(self, reason: Any) -> None:
        """Drop the queued messages, and raise `ExitError` in the callers that wait.

        Only servers have callers; the messages of other processes are freed with them.
        """

    def dependents(self) -> Iterable[Pid]:
        """Return the processes that get an exit signal without being in the links."""
        return ()

    # -- Timers and monitors

    def send_after(self, message: Any, seconds: float) -> Timer:
        """Deliver ``message`` to this process in ``seconds``, if it is still alive then."""
        return self.call_after(seconds, lambda: self.deliver(message))

    def call_after(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in ``seconds``, if the process is still alive then."""

        def fire() -> None:
            self.timers = one_or_many.remove(self.timers, timer)
            callback()

        timer = self.runtime.timers.after(seconds, fire)
        timer.owner = self.pid
        self.timers = one_or_many.add(self.timers, timer)
        return timer

    def cancel_timer(self, timer: Timer) -> float | None:
        """Cancel a timer of this process; return its remaining seconds, ``None`` if it is over."""
        self.timers = one_or_many.remove(self.timers, timer)
        return self.runtime.timers.cancel(timer)

    def monitor(self, target: Any) -> Monitor:
        """Monitor the pid ``target``; any other target is an unregistered name.

        If there is no live process, `Down` with the reason ``"noproc"`` is delivered at once.
        """
        pid = target if isinstance(target, Pid) else None
        monitor = Monitor(self.pid, pid)
        process = None if pid is None else pid._process
        if process is None:
            self.deliver(Down(monitor, target, "noproc"))
        else:
            self.monitors = one_or_many.add(self.monitors, monitor)
            process.watch(monitor)
        return monitor

    def demonitor(self, monitor: Monitor) -> None:
        """Remove a monitor."""
        self.monitors = one_or_many.remove(self.monitors, monitor)
        self._unwatch(monitor)

    def watch(self, watcher: Watcher) -> None:
        """Notify ``watcher`` when the process has died."""
        self.watchers = one_or_many.add(self.watchers, watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher."""
        self.watchers = one_or_many.remove(self.watchers, watcher)

    def _unwatch(self, monitor: Monitor) -> None:
        target = None if monitor.target is None else monitor.target._process
        if target is not None:
            target.unwatch(monitor)


class OnDeath:
    """A watcher that calls a function."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[Pid, Any], None]) -> None:
        self._call = call

    def died(self, pid: Pid, reason: Any) -> None:
        """Call the function."""
        self._call(pid, reason)


def _lineage(parent: Pid | None) -> tuple[Pid, ...]:
    """Return the parent, its parent, and so on, at most `MAX_ANCESTORS`.

    Siblings share one tuple, which the parent keeps.
    """
    if parent is None:
        return ()
    process = parent._process
    if process is None:
        return (parent,)
    if process.lineage is None:
        process.lineage = (parent, *process.ancestors[: MAX_ANCESTORS - 1])
    return process.lineage  # type: ignore[no-any-return]


def _is(reason: Any, word: str) -> bool:
    # A reason can be any object, whose == can raise or return anything.
    return isinstance(reason, str) and reason == word
