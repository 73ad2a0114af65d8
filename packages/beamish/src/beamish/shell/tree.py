"""The supervision tree of a running system: as data, and as text.

When not to use it: to manage children. It is a look from outside, which may be outdated when it
is read; ``which_children`` of the supervisors asks.

Source:
    The application tab of Erlang's ``observer``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from beamish import _checks
from beamish._runtime import names
from beamish._runtime.inspection import inspect
from beamish._strategy import RestartWindow
from beamish._supervision.dynamic import DynamicSupervisorServer
from beamish._supervision.static import SupervisorServer
from beamish.pid import Dest, Pid
from beamish.results import ChildInfo
from beamish.shell.table import aligned, shown

CHILDREN = 20
"""How many children of one supervisor are listed, unless told otherwise."""

_HEADER = ("id", "pid", "class", "status", "restarts")


@dataclass(frozen=True, slots=True)
class Restarts:
    """How many restarts count now, and how many are borne within so many seconds."""

    used: int
    allowed: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.used} of {self.allowed} in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Node:
    """A process in the supervision tree.

    Args:
        id: Its id in its supervisor; at the top its name, or its class.
        pid: Its process; ``None`` unless it is running.
        class_name: The class of a server, the function of a task; ``None`` without a process.
        status: ``"running"``, ``"restarting"``, ``"stopped"``, or ``"starting"`` for a supervisor
            that waits for a child to start.
        type: ``"worker"`` or ``"supervisor"``.
        restarts: Of a supervisor, the restarts of its children; of a child of a dynamic supervisor
            with ``intensity="child"``, its own.
        children: Those of a supervisor, in start order.
        left_out: How many more children there are.
    """

    id: Any
    pid: Pid | None
    class_name: str | None
    status: str
    type: str
    restarts: Restarts | None = None
    children: tuple["Node", ...] = ()
    left_out: int = 0


def look(supervisor: Dest, children: int = CHILDREN) -> Node:
    """Look at a supervisor and all that is below it, without waiting for any process.

    Args:
        supervisor: Pid or name of the top.
        children: How many children of each supervisor to look at; the others are counted.

    Returns:
        What is there at this moment, also below supervisors that are busy or suspended.

    Raises:
        NoProcessError: There is no such process.
    """
    _checks.count("children", children)
    process = names.process_of(supervisor)
    held = inspect(process).names
    name = held[0] if held else process.class_name()
    return _node(ChildInfo(name, process.pid, "supervisor", "running"), None, children)


def _node(child: ChildInfo, own: Restarts | None, limit: int) -> Node:
    process = None if child.pid is None else child.pid._process
    if process is None:
        # Its supervisor has not come to hear of its death yet.
        status = "stopped" if child.status == "running" else child.status
        return Node(child.id, None, None, status, child.type, own)
    server = getattr(process, "server", None)
    status = "starting" if process.status() == "starting" else child.status
    facts = child.id, child.pid, process.class_name(), status, child.type
    if not isinstance(server, SupervisorServer | DynamicSupervisorServer):
        return Node(*facts, own)
    below = tuple(islice(_children(server, limit), limit))
    left_out = len(server.children) + len(getattr(server, "restarting", ())) - len(below)
    # There is no window yet while a supervisor starts.
    restarts = own or _restarts(getattr(server, "_window", None), process)
    return Node(*facts, restarts, below, left_out)


def _restarts(window: RestartWindow | None, process: Any) -> Restarts | None:
    if window is None:
        return None
    used = window.used(process.runtime.loop.time())
    return Restarts(used, window.max_restarts, window.max_seconds)


def _children(server: SupervisorServer | DynamicSupervisorServer, limit: int) -> Iterator[Node]:
    # Not which_children: it would make a list of a million to show twenty.
    if isinstance(server, SupervisorServer):
        for child in server.children.values():
            yield _node(child.info(), None, limit)
        return
    for pid, spec in server.children.items():
        own = _own_restarts(server, server._histories.get(pid))
        yield _node(ChildInfo(spec.id, pid, spec.type, "running"), own, limit)
    for between in server.restarting.values():
        own = _own_restarts(server, between.history)
        spec = between.spec
        yield _node(ChildInfo(spec.id, None, spec.type, "restarting"), own, limit)


def _own_restarts(server: DynamicSupervisorServer, history: Any) -> Restarts | None:
    if history is None or server.spec.intensity != "child":
        return None
    return _restarts(history.window, server._me)


def render(node: Node) -> str:
    """Draw a tree as aligned lines of text, one for each process."""
    return aligned([_HEADER, *_rows(node, "", "")])


def _rows(node: Node, first: str, rest: str) -> Iterator[tuple[str, ...]]:
    pid = "-" if node.pid is None else repr(node.pid)
    restarts = "" if node.restarts is None else str(node.restarts)
    yield first + shown(node.id), pid, node.class_name or "-", node.status, restarts
    below: list[Node | int] = [*node.children, *([node.left_out] if node.left_out else [])]
    for position, child in enumerate(below, 1):
        branch, stem = ("└─ ", "   ") if position == len(below) else ("├─ ", "│  ")
        if isinstance(child, Node):
            yield from _rows(child, rest + branch, rest + stem)
        else:
            yield f"{rest}{branch}… {child:,} more", "", "", "", ""
