"""What is known of a process."""

from dataclasses import dataclass
from typing import Any

from beamish._runtime import few
from beamish._runtime.process import Monitor, Process
from beamish.pid import Pid


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What is known of a process.

    Args:
        id: Its pid.
        label: What `set_label` set.
        class_name: The class of a server, the name of a spawned coroutine function.
        status: ``"starting"``, ``"running"``, ``"waiting"``, ``"suspended"`` or ``"exiting"``.
        names: Local names, via names and registry keys that it holds.
        links: Processes linked with it, the registries it is registered in included.
        monitors: Processes that it monitors.
        monitored_by: Processes that monitor it.
        message_queue_len: Messages that wait.
        trap_exit: Whether exit signals arrive as messages.
        parent: The process that started it.
        ancestors: The parent, its parent, and so on.
        started_at: When, in seconds since the epoch.
        messages_handled: How many since its start.
        memory_bytes: An estimate that leaves out what its state refers to.
        current_callback: The callback that runs now.
    """

    id: Pid
    label: Any
    class_name: str
    status: str
    names: tuple[Any, ...]
    links: tuple[Pid, ...]
    monitors: tuple[Pid, ...]
    monitored_by: tuple[Pid, ...]
    message_queue_len: int
    trap_exit: bool
    parent: Pid | None
    ancestors: tuple[Pid, ...]
    started_at: float
    messages_handled: int
    memory_bytes: int
    current_callback: str | None


def inspect(process: Process) -> ProcessInfo:
    """Collect what is known of a live process."""
    held = few.items(process.held)
    registries = [pid for pid in (name.linked_to() for name in held) if pid is not None]
    watchers = [watcher for watcher in few.items(process.watchers) if isinstance(watcher, Monitor)]
    return ProcessInfo(
        id=process.pid,
        label=process.label,
        class_name=process.class_name(),
        status=process.status(),
        names=tuple(name.shown() for name in held),
        links=tuple(dict.fromkeys((*few.items(process.links), *registries))),
        monitors=tuple(m.target for m in few.items(process.monitors) if m.target is not None),
        monitored_by=tuple(watcher.owner for watcher in watchers),
        message_queue_len=process.queue_length(),
        trap_exit=process.trap_exit,
        parent=process.parent_pid(),
        ancestors=process.ancestors,
        started_at=process.started_at,
        messages_handled=process.handled,
        memory_bytes=process.size_bytes(),
        current_callback=process.current_callback(),
    )
