"""The supervision tree of a running system, as data and as text.

When not to use it: to manage children. The tree is a snapshot that can be outdated; call the
supervisors' ``which_children``.

Source:
    The application tab of Erlang's ``observer``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from beamish import _checks
from beamish._diagnostics.inspection import inspect
from beamish._runtime import names
from beamish._strategy import RestartWindow
from beamish._supervision.many import ManyChildren
from beamish._supervision.ordered import OrderedChildren
from beamish.pid import Dest, Pid
from beamish.results import ChildInfo
from beamish.shell.table import aligned, shown

CHILDREN = 20
"""Default number of children listed for a supervisor."""

_HEADER = ("id", "pid", "class", "status", "restarts")


@dataclass(frozen=True, slots=True)
class Restarts:
    """Restarts used, and the maximum number of restarts within ``seconds``."""

    used: int
    allowed: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.used} of {self.allowed} in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Node:
    """A process in the supervision tree.

    Args:
        id: The child's id; of the root its name, or its class.
        pid: The process; ``None`` unless it is running.
        class_name: The class of a server, the function of a task; ``None`` without a process.
        status: ``"running"``, ``"restarting"``, ``"stopped"``, or ``"starting"`` for a supervisor
            that waits for a child to start.
        type: ``"worker"`` or ``"supervisor"``.
        restarts: Of a supervisor, the restarts of its children; of a child of a dynamic supervisor
            with ``intensity="child"``, its own restarts.
        children: The children of a supervisor, in start order.
        left_out: Number of children that are not in ``children``.
    """

    id: Any
    pid: Pid | None
    class_name: str | None
    status: str
    type: str
    restarts: Restarts | None = None
    children: tuple["Node", ...] = ()
    left_out: int = 0


def look(supervisor: Dest, children: int = CHILDREN, depth: int | None = None) -> Node:
    """Return the tree below a supervisor, without waiting for any process.

    Args:
        supervisor: Pid or name of the root.
        children: Maximum number of children included for each supervisor; the rest is counted.
        depth: Maximum number of levels below the root; the children of supervisors at that level
            are only counted. ``None`` sets no limit.

    Returns:
        A snapshot, which includes the children of busy and suspended supervisors.

    Raises:
        NoProcessError: The process does not exist.
    """
    _checks.count("children", children)
    if depth is not None:
        _checks.count("depth", depth)
    process = names.process_of(supervisor)
    held = inspect(process).names
    name = held[0] if held else process.class_name()
    root = ChildInfo(name, process.pid, "supervisor", "running")
    return _node(root, None, children, depth)


def _node(child: ChildInfo, own: Restarts | None, limit: int, depth: int | None) -> Node:
    process = None if child.pid is None else child.pid._process
    if process is None:
        # The supervisor has not handled the exit of this child yet.
        status = "stopped" if child.status == "running" else child.status
        return Node(child.id, None, None, status, child.type, own)
    server = getattr(process, "server", None)
    status = "starting" if process.status() == "starting" else child.status
    facts = child.id, child.pid, process.class_name(), status, child.type
    if not isinstance(server, OrderedChildren | ManyChildren):
        return Node(*facts, own)
    deeper = None if depth is None else depth - 1
    below = () if depth == 0 else tuple(islice(_children(server, limit, deeper), limit))
    left_out = len(server._children) + len(getattr(server, "_restarting", ())) - len(below)
    # A supervisor that is starting has no window yet.
    restarts = own or restarts_of(getattr(server, "_window", None), process)
    return Node(*facts, restarts, below, left_out)


def restarts_of(window: RestartWindow | None, process: Any) -> Restarts | None:
    """Return the restarts in a window of the supervisor ``process`` now."""
    if window is None:
        return None
    used = window.used(process.runtime.loop.time())
    return Restarts(used, window.max_restarts, window.max_seconds)


def _children(
    server: OrderedChildren | ManyChildren, limit: int, depth: int | None
) -> Iterator[Node]:
    # Not which_children: it would build a list of a million to show twenty.
    return (child_node(server, member, limit, depth) for member in members(server))


def members(server: OrderedChildren | ManyChildren) -> Iterator[Any]:
    """Return what the supervisor keeps of each child, in start order, for `child_info`."""
    if isinstance(server, OrderedChildren):
        return iter(server._children.values())
    return chain(server._children.items(), server._restarting.values())


def child_info(server: OrderedChildren | ManyChildren, member: Any) -> ChildInfo:
    """Return the facts about one of the `members` of a supervisor."""
    if isinstance(server, OrderedChildren):
        info: ChildInfo = member.info()
        return info
    if isinstance(member, tuple):
        pid, spec = member
        return ChildInfo(spec.id, pid, spec.type, "running")
    return ChildInfo(member.spec.id, None, member.spec.type, "restarting")


def child_node(
    server: OrderedChildren | ManyChildren, member: Any, children: int, depth: int | None
) -> Node:
    """Return the tree below one of the `members` of a supervisor; see `look`."""
    own = None
    if isinstance(server, ManyChildren):
        running = isinstance(member, tuple)
        history = server._histories.get(member[0]) if running else member.history
        own = _own_restarts(server, history)
    return _node(child_info(server, member), own, children, depth)


def _own_restarts(server: ManyChildren, history: Any) -> Restarts | None:
    if history is None or server._options.intensity != "child":
        return None
    return restarts_of(history.window, server._me)


def render(node: Node) -> str:
    """Return a tree as aligned lines of text, one for each process."""
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
