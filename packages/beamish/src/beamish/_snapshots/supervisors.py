"""The supervisors, with the restarts that they have used of those allowed, and their trees."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from beamish._runtime import one_or_many
from beamish._runtime.runtime import running
from beamish._snapshots.encode import named, short
from beamish._snapshots.processes import servers
from beamish._snapshots.query import Query
from beamish._strategy import RestartWindow
from beamish._supervision.many import ManyChildren
from beamish._supervision.ordered import OrderedChildren
from beamish.child_spec import ChildSpec
from beamish.pid import Pid
from beamish.shell.table import shown
from beamish.shell.tree import Node, Restarts, look, restarts_of

MAX_AUTOMATIC_NODES = 200
"""Nodes after which a tree opens no further supervisor by itself."""

_MAX_HISTORIES = 1_000  # crashed children whose windows are read
_MAX_LINKS = 1_000  # links of one process that are looked at


@dataclass(frozen=True, slots=True)
class SupervisorRow:
    """A supervisor.

    Args:
        pid: The supervisor.
        name: Its first name; empty if it has none.
        class_name: Its class.
        strategy: The strategy.
        intensity: Whether restarts count for the whole ``"supervisor"`` or for each ``"child"``.
        restarts: The restarts used and allowed; with ``intensity="child"``, of the child that has
            used most. ``None`` while it starts.
        children: Number of children.
        restarting: Number of children that are being restarted.
    """

    pid: Pid
    name: str
    class_name: str
    strategy: str
    intensity: str
    restarts: Restarts | None
    children: int
    restarting: int


@dataclass(frozen=True, slots=True)
class SupervisorPage:
    """The supervisors, those nearest to their limit first.

    Args:
        rows: The first of them.
        total: Number of supervisors.
        matching: Number of supervisors that match the search.
    """

    rows: list[SupervisorRow]
    total: int
    matching: int


@dataclass(frozen=True, slots=True)
class ShownChild:
    """A child of a supervisor, with how it is restarted and stopped."""

    id: str
    pid: Pid | None
    status: str
    type: str
    restart: str
    shutdown: str


@dataclass(slots=True)
class TreeNode:
    """A process in a tree; see `Node`.

    Not frozen: `_Grower` opens a node after it has made its siblings.

    Args:
        open: Whether its children are included; with a search, those on the way to matches.
        matches: Whether it contains the text of the search; ``False`` without a search.
        linked: The processes that it has started with a link and that no supervisor knows.
    """

    id: str
    pid: Pid | None
    class_name: str | None
    status: str
    type: str
    restarts: Restarts | None
    children: list["TreeNode"]
    left_out: int
    open: bool
    matches: bool = False
    linked: list["TreeNode"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Forest:
    """The supervision trees.

    Args:
        roots: The supervisors that no other supervisor has started.
        nodes: Number of nodes included.
        processes: Number of processes in the program.
        matching: Number of children and roots that match the search; ``None`` without a search.
    """

    roots: list[TreeNode]
    nodes: int
    processes: int
    matching: int | None = None


async def supervisors(query: Query) -> SupervisorPage:
    """Return the supervisors, sorted by the share of the allowed restarts that is used."""
    found = await servers(is_supervisor)
    rows = [row(process) for process in found]
    matching = [item for item in rows if not query.search or _matches(item, query.search)]
    matching.sort(key=_used_share, reverse=True)
    return SupervisorPage(matching[: query.limit], len(rows), len(matching))


def is_supervisor(server: Any) -> bool:
    """Return whether a server is a supervisor."""
    return isinstance(server, OrderedChildren | ManyChildren)


def _matches(item: SupervisorRow, search: str) -> bool:
    return search in f"{item.name} {item.class_name} {item.pid!r}".lower()


def _used_share(item: SupervisorRow) -> float:
    restarts = item.restarts
    # One more restart than the limit allows ends it, also if the limit is 0.
    return 0.0 if restarts is None else restarts.used / (restarts.allowed + 1)


def row(process: Any) -> SupervisorRow:
    """Return the facts about the supervisor ``process``."""
    server = process.server
    options = getattr(server, "_options", None)  # None while it starts
    return SupervisorRow(
        process.pid,
        named(process),
        process.class_name(),
        getattr(options, "strategy", "one_for_one"),
        getattr(options, "intensity", "supervisor"),
        _restarts(process),
        len(server._children),
        _restarting(server),
    )


def _restarting(server: Any) -> int:
    if isinstance(server, ManyChildren):
        return len(server._restarting)
    return sum(child.restarting for child in server._children.values())


def _restarts(process: Any) -> Restarts | None:
    server = process.server
    window: RestartWindow | None = getattr(server, "_window", None)
    if window is not None and getattr(server._options, "intensity", None) == "child":
        return _worst(process, window)
    return restarts_of(window, process)


def _worst(process: Any, window: RestartWindow) -> Restarts | None:
    server = process.server
    waiting = (child.history for child in server._restarting.values())
    histories = [*waiting, *islice(server._histories.values(), _MAX_HISTORIES)]
    now = process.runtime.loop.time()
    used = max((history.window.used(now) for history in histories if history), default=0)
    return Restarts(used, window.max_restarts, window.max_seconds)


def children(process: Any, limit: int) -> list[ShownChild]:
    """Return the first children of the supervisor ``process``."""
    return list(islice(_children(process.server), limit))


def _children(server: Any) -> Iterator[ShownChild]:
    if isinstance(server, OrderedChildren):
        for child in server._children.values():
            yield _child(child.spec, child.pid, child.info().status)
        return
    for pid, spec in server._children.items():
        yield _child(spec, pid, "running")
    for between in server._restarting.values():
        yield _child(between.spec, None, "restarting")


def _child(spec: ChildSpec, pid: Pid | None, status: str) -> ShownChild:
    return ShownChild(shown(spec.id), pid, status, spec.type, spec.restart, short(spec.shutdown))


# -- Trees


async def forest(query: Query) -> Forest:
    """Return the trees; their supervisors are open as the query says, or as many as fit."""
    roots = roots_of(await servers(is_supervisor))
    grower = _Grower(query)
    grown = [grower.root(process) for process in roots[: query.limit]]
    grower.grow()
    return Forest(grown, grower.nodes, len(running().processes))


def roots_of(found: list[Any]) -> list[Any]:
    """Return the supervisors that none of the others has started."""
    pids = {process.pid for process in found}
    return [process for process in found if process.parent_pid() not in pids]


def tree_node(node: Node, limit: int) -> TreeNode:
    """Return the closed node of a process, with at most ``limit`` linked processes."""
    made = TreeNode(
        shown(node.id),
        node.pid,
        node.class_name,
        node.status,
        node.type,
        node.restarts,
        [],
        node.left_out,
        open=False,
    )
    made.linked.extend(tree_node(found, 0) for found in islice(_linked(node.pid), limit))
    return made


def _linked(pid: Pid | None) -> Iterator[Node]:
    """Yield the processes that a process other than a supervisor has started with a link.

    Source:
        The dashed links of unsupervised processes in the application tab of Erlang's ``observer``.
    """
    process: Any = None if pid is None else pid._process
    if process is None or is_supervisor(getattr(process, "server", None)):
        return
    for other in islice(one_or_many.items(process.links), _MAX_LINKS):
        found: Any = other._process
        # A supervisor below it is a root: its tree stands by itself.
        if found is None or is_supervisor(getattr(found, "server", None)):
            continue
        if found.parent_pid() == pid:
            yield look(other, 0, depth=0)


class _Grower:
    """Opens supervisors level by level, so that a limit cuts the deepest levels.

    Args:
        query: Which supervisors to open, and the number of children of each.
    """

    def __init__(self, query: Query) -> None:
        self._open = None if query.open is None else frozenset(query.open)
        self._limit = query.limit
        self._pending: deque[TreeNode] = deque()
        self.nodes = 0

    def root(self, process: Any) -> TreeNode:
        """Return the node of a root, which `grow` can open."""
        return self._node(look(process.pid, self._limit, depth=0))

    def grow(self) -> None:
        """Open the supervisors."""
        while self._pending:
            node = self._pending.popleft()
            if self._opens(node):
                self._fill(node)

    def _opens(self, node: TreeNode) -> bool:
        if node.pid is None or node.pid._process is None:
            return False
        if self._open is None:
            return self.nodes < MAX_AUTOMATIC_NODES
        return node.pid.serial in self._open

    def _fill(self, node: TreeNode) -> None:
        assert node.pid is not None  # noqa: S101 - `_opens` has checked it
        found = look(node.pid, self._limit, depth=1)
        node.children.extend(self._node(child) for child in found.children)
        node.left_out, node.open = found.left_out, True

    def _node(self, node: Node) -> TreeNode:
        made = tree_node(node, self._limit)
        self.nodes += 1 + len(made.linked)
        if node.left_out:
            self._pending.append(made)
        return made


def node_of(facts: dict[str, Any], pid: Any) -> Node:
    """Return the node of a tree that was encoded as JSON; ``pid`` makes a pid of its number."""
    restarts = facts["restarts"]
    return Node(
        facts["id"],
        None if facts["pid"] is None else pid(facts["pid"]),
        facts["class_name"],
        facts["status"],
        facts["type"],
        None if restarts is None else Restarts(**restarts),
        tuple(node_of(child, pid) for child in facts["children"]),
        facts["left_out"],
    )
