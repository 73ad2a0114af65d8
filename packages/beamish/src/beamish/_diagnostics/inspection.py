"""`ProcessInfo`: the facts about a process that `process.info` returns."""

from dataclasses import dataclass
from typing import Any

from beamish._runtime import one_or_many
from beamish._runtime.process import Monitor, Process
from beamish.pid import Pid


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """The facts about a process.

    Args:
        id: Its pid.
        label: The label that `set_label` set.
        class_name: The class of a server, or the name of a coroutine function or task.
        status: ``"starting"``, ``"running"``, ``"waiting"``, ``"suspended"`` or ``"exiting"``.
        names: Local names, via names and registry keys that it holds.
        links: Processes linked with it, including the registries that it is registered in.
        monitors: Processes that it monitors.
        monitored_by: Processes that monitor it.
        message_queue_len: Number of queued messages.
        trap_exit: Whether exit signals arrive as messages.
        parent: The process that started it.
        ancestors: The parent, its parent, and so on.
        started_at: Time of its start, in seconds since the epoch.
        messages_handled: Number of messages handled since its start.
        memory_bytes: An estimate, without the objects that its state refers to.
        current_callback: The running callback, if any.
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
    """Return the facts about a live process."""
    held = one_or_many.items(process.held)
    registries = [pid for pid in (name.linked_to() for name in held) if pid is not None]
    watchers = [
        watcher for watcher in one_or_many.items(process.watchers) if isinstance(watcher, Monitor)
    ]
    return ProcessInfo(
        id=process.pid,
        label=process.label,
        class_name=process.class_name(),
        status=process.status(),
        names=tuple(name.shown(process) for name in held),
        links=tuple(dict.fromkeys((*one_or_many.items(process.links), *registries))),
        monitors=tuple(
            m.target for m in one_or_many.items(process.monitors) if m.target is not None
        ),
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
