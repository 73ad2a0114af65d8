"""A search through the supervision trees: the processes that match, and the way to each."""

from dataclasses import dataclass, field
from typing import Any

from beamish._runtime.runtime import running
from beamish._snapshots.processes import servers
from beamish._snapshots.query import Query
from beamish._snapshots.slices import sliced
from beamish._snapshots.supervisors import Forest, TreeNode, is_supervisor, roots_of, tree_node
from beamish.pid import Pid
from beamish.results import ChildInfo
from beamish.shell.table import shown
from beamish.shell.tree import Node, child_info, child_node, look, members

MAX_MATCHES = 1_000
"""Matches that are included; further ones are counted."""


@dataclass(slots=True)
class _Branch:
    """What is shown of a supervisor's children.

    Args:
        kept: Those that match or lead to a match, by position; and whether each matches.
        left_out: Number of matches that are only counted.
    """

    kept: dict[int, tuple[Any, bool]] = field(default_factory=dict)
    left_out: int = 0


class TreeSearch:
    """Reads the part of the trees that a search finds.

    A child matches if its id, its class or its pid contains the text.

    Args:
        query: The text, and the maximum number of matches among the children of a supervisor.
    """

    def __init__(self, query: Query) -> None:
        self._wanted = query.search
        self._limit = query.limit
        # Whether each process matches, from earlier readings: its id, class and pid never change,
        # and to write an id as text takes most of the time.
        self._known: dict[Pid, bool] = {}
        self._branches: dict[Pid, _Branch] = {}
        self._matching = self._kept = self._nodes = 0

    async def read(self) -> Forest:
        """Return the matches with their ancestors."""
        self._forget_exited()
        self._branches = {}
        self._matching = self._kept = self._nodes = 0
        found = await servers(is_supervisor)
        # The newest first: a supervisor is older than those below it, so what leads to matches is
        # known before it is asked for.
        for process in reversed(found):
            await self._look_through(process)
        roots = [self._root(process) for process in roots_of(found)]
        kept = [root for root in roots if root is not None]
        return Forest(kept, self._nodes, len(running().processes), self._matching)

    def close(self) -> None:
        """Free what was kept."""
        self._known = {}

    async def _look_through(self, process: Any) -> None:
        if process.pid._process is not process:  # it has exited since the walk
            return
        server, branch = process.server, _Branch()
        known, branches = self._known, self._branches
        matches = first = 0
        async for batch in sliced(list(members(server))):
            for position, member in enumerate(batch, first):
                # Nearly all are running children of a dynamic supervisor that do not match: of
                # these, a reading costs one look-up.
                pid = member[0] if isinstance(member, tuple) else None
                found = None if pid is None else known.get(pid)
                if found is None:
                    pid, found = self._matches(child_info(server, member))
                if not found and (not branches or pid not in branches):
                    continue
                self._matching += found
                matches += found
                included = found and matches <= self._limit and self._kept < MAX_MATCHES
                self._kept += included
                branch.left_out += found and not included
                if included or pid in branches:
                    branch.kept[position] = member, found
            first += len(batch)
        if branch.kept or branch.left_out:
            self._branches[process.pid] = branch

    def _matches(self, info: ChildInfo) -> tuple[Pid | None, bool]:
        """Return the process of a child, and whether the child matches."""
        pid = info.pid
        if pid is None:
            return None, self._wanted in shown(info.id).lower()
        found = self._known.get(pid)
        if found is None:
            process = pid._process
            kind = "" if process is None else process.class_name()
            found = self._known[pid] = self._wanted in f"{shown(info.id)} {kind} {pid!r}".lower()
        return pid, found

    def _forget_exited(self) -> None:
        """Remove processes that have exited, once they are the larger part of the known ones."""
        alive = running().processes
        if len(self._known) > 2 * len(alive):
            self._known = {pid: found for pid, found in self._known.items() if pid in alive}

    # -- Nodes

    def _root(self, process: Any) -> TreeNode | None:
        if process.pid._process is None:  # it has exited since the walk
            return None
        node = look(process.pid, self._limit, depth=0)
        info = ChildInfo(node.id, process.pid, "supervisor", "running")
        _, matches = self._matches(info)
        self._matching += matches
        if not matches and process.pid not in self._branches:
            return None
        return self._node(node, matches)

    def _node(self, node: Node, matches: bool) -> TreeNode:
        made = tree_node(node, self._limit)
        self._nodes += 1 + len(made.linked)
        made.matches = matches
        branch = None if node.pid is None else self._branches.get(node.pid)
        process = None if node.pid is None else node.pid._process
        if branch is not None and process is not None:
            below = branch.kept.values()
            made.children.extend(
                self._node(child_node(process.server, member, self._limit, 0), found)
                for member, found in below
            )
            made.left_out, made.open = branch.left_out, True
        return made
