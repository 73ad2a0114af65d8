"""The facts about one process, and the state of a server."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from beamish import debug
from beamish._diagnostics import inspection, stuck
from beamish._runtime import names
from beamish._runtime.process import Process
from beamish._runtime.runtime import running
from beamish._server.items import is_system
from beamish._server.process import ServerProcess
from beamish._snapshots.encode import cut, named, short, text
from beamish._snapshots.query import Query
from beamish._snapshots.recorder import Crash, Recorder
from beamish._snapshots.supervisors import ShownChild, SupervisorRow, children, is_supervisor, row
from beamish.errors import BeamishError, NoProcessError
from beamish.pid import Pid

STATE_SECONDS = 0.2
"""Time within which a server must show its state. Source: Erlang's ``observer``."""

MAX_RELATED = 100
"""Links, monitors, names and children that are listed; the rest is counted."""

_MAX_MESSAGES = 20
_MAX_ATTRIBUTES = 200
_MAX_STATE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Related:
    """A process that another is connected with; a dead one has neither class nor name."""

    pid: Pid
    class_name: str | None
    name: str


@dataclass(frozen=True, slots=True)
class RelatedPids:
    """The first of the connected processes, and the number of all of them."""

    first: list[Related]
    total: int


@dataclass(frozen=True, slots=True)
class ProcessDetail:
    """The facts about one process; see `ProcessInfo` for those that have the same name.

    Args:
        waiting: The lines in which the running callback waits, the outermost first.
        messages: The kinds of the first queued messages, such as ``cast add``; not their
            contents, which can hold secrets.
        supervisor: The facts about a supervisor; ``None`` for any other process.
        children: The first children of a supervisor.
        crashes: The kept crashes of this process and of those that it replaced.
        restarts: Number of restarts of the child that it runs as, since the recording began.
    """

    pid: Pid
    name: str
    class_name: str
    label: str | None
    status: str
    names: list[str]
    started_at: float
    handled: int
    queue: int
    memory_bytes: int
    trap_exit: bool
    is_server: bool
    callback: str | None
    waiting: list[str]
    parent: Related | None
    ancestors: RelatedPids
    links: RelatedPids
    monitors: RelatedPids
    monitored_by: RelatedPids
    messages: list[str]
    supervisor: SupervisorRow | None
    children: list[ShownChild]
    crashes: list[Crash]
    restarts: int


@dataclass(frozen=True, slots=True)
class State:
    """The state of a server as its ``format_status`` shows it.

    Args:
        pid: The server.
        attributes: Names and shortened values.
        left_out: Number of attributes that are not included.
    """

    pid: Pid
    attributes: list[tuple[str, str]]
    left_out: int


def find(wanted: str) -> Any:
    """Return the live process with this number (the 104 in ``#PID<0.104.0>``) or local name.

    Raises:
        NoProcessError: There is none.
    """
    runtime = running()
    number = wanted.removeprefix("#PID<0.").removesuffix(".0>")
    if number.isascii() and number.isdecimal():
        serial = int(number) if len(number) < 20 else -1
        # Pids are in the order of their numbers, but a dict cannot be searched by halves.
        found = next((pid for pid in runtime.processes if pid.serial == serial), None)
    else:
        found = names.pid_of(wanted) if wanted else None
    if found is None or found._process is None:
        raise NoProcessError(advice=f"no live process {wanted!r}; it has exited, or never was")
    return found._process


def detail(query: Query, recorder: Recorder) -> ProcessDetail:
    """Return the facts about the process that ``query.pid`` names.

    Raises:
        NoProcessError: There is none.
    """
    process = find(query.pid)
    facts = inspection.inspect(process)
    server = getattr(process, "server", None)
    supervises = is_supervisor(server)
    return ProcessDetail(
        process.pid,
        named(process),
        facts.class_name,
        None if facts.label is None else short(facts.label),
        facts.status,
        [cut(text(name), 200) for name in facts.names[:MAX_RELATED]],
        facts.started_at,
        facts.messages_handled,
        facts.message_queue_len,
        facts.memory_bytes,
        facts.trap_exit,
        isinstance(process, ServerProcess),
        facts.current_callback,
        waiting(process),
        None if facts.parent is None else _related(facts.parent),
        _all_related(facts.ancestors),
        _all_related(facts.links),
        _all_related(facts.monitors),
        _all_related(facts.monitored_by),
        _messages(process),
        row(process) if supervises else None,
        children(process, MAX_RELATED) if supervises else [],
        recorder.crashes_of(process.pid),
        recorder.restarts_of(process.pid),
    )


def _related(pid: Pid) -> Related:
    process = pid._process
    if process is None:
        return Related(pid, None, "")
    return Related(pid, process.class_name(), named(process))


def _all_related(pids: tuple[Pid, ...]) -> RelatedPids:
    return RelatedPids([_related(pid) for pid in pids[:MAX_RELATED]], len(pids))


def waiting(process: Process) -> list[str]:
    """Return the lines that a process waits in, the outermost first; empty if it is idle."""
    if process.task is None:
        return []
    return [
        f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        for frame in stuck.frames(process.task.get_coro())
    ]


def _messages(process: Any) -> list[str]:
    if not isinstance(process, ServerProcess):
        return []
    kinds = []
    for queued in islice(process.mailbox or (), _MAX_MESSAGES):
        if is_system(queued):
            kinds.append("a request of debug or stop")
            continue
        callback, args, _, from_, _ = process.item_of(queued)
        if callback is process.table.info:
            kinds.append(f"message {type(args[0]).__qualname__}")
        else:
            kinds.append(f"{'cast' if from_ is None else 'call'} {callback.name}")
    return kinds


async def state(query: Query) -> State:
    """Return the state of the server that ``query.pid`` names.

    Raises:
        NoProcessError: There is none.
        CallTimeoutError: It is stuck in a callback; the message says where.
        BeamishError: The process is not a server.
    """
    process = find(query.pid)
    if not isinstance(process, ServerProcess):
        raise BeamishError(f"{process.pid!r} is not a server: it has no state to show")
    found = (await debug.get_status(process.pid, STATE_SECONDS)).state
    shown = found.items() if isinstance(found, dict) else [("state", found)]
    first = [
        (str(name), cut(short(value), _MAX_STATE_CHARACTERS))
        for name, value in islice(shown, _MAX_ATTRIBUTES)
    ]
    return State(process.pid, first, len(shown) - len(first))
