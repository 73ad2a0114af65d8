"""`MemoryStore`: a store in memory, for simulations and tests. It is lost with its process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from beamish.cluster._store.protocol import Child, Claim, Declaration, Name, ShardRow
from beamish.cluster.nodes import slot_of


@dataclass(slots=True)
class _Shard:
    epoch: int = 0
    expires: float = float("-inf")
    host: str = ""
    node: str = ""


@dataclass(slots=True)
class _Child:
    child: Child
    given_up: str | None = None
    state: bytes | None = None
    taken_by: int | None = None


@dataclass
class MemoryStore:
    """The tables of a cluster, as the store in PostgreSQL has them.

    Args:
        clock: Returns the time in seconds.
    """

    clock: Callable[[], float]
    count: int = 0
    rows: dict[int, _Shard] = field(default_factory=dict)
    tree: dict[tuple[str, str], Declaration] = field(default_factory=dict)
    stored: dict[Name, _Child] = field(default_factory=dict)

    def is_newest(self, shard: int, epoch: int) -> bool:
        """Return whether ``epoch`` is the newest of ``shard``, as `FENCE_SQL` does."""
        row = self.rows.get(shard)
        return row is not None and row.epoch == epoch

    async def prepare(self, shards: int) -> None:
        """Set the number of shards."""
        now = self.clock()
        if self.count not in (0, shards) and any(row.expires > now for row in self.rows.values()):
            raise ValueError(f"the cluster runs with {self.count} shards; got shards={shards}")
        self.count = shards

    async def declare(self, kind: str, name: str, options: bytes) -> None:
        """Store a registry or supervisor."""
        self.tree[kind, name] = Declaration(kind, name, options)

    async def declarations(self) -> list[Declaration]:
        """Return the registries, then the supervisors."""
        return sorted(self.tree.values())

    async def claim(self, shard: int, lease: float, host: str, node: str) -> Claim:
        """Take a shard over."""
        row = self.rows.setdefault(shard, _Shard())
        start = max(row.expires, self.clock())
        row.epoch, row.expires, row.host, row.node = row.epoch + 1, start + lease, host, node
        return Claim(row.epoch, start - self.clock())

    async def renew(self, shard: int, epoch: int, lease: float) -> bool:
        """Extend a lease."""
        if self.is_newest(shard, epoch):
            row = self.rows[shard]
            row.expires = max(row.expires, self.clock() + lease)
            return True
        return False

    async def release(self, shard: int, epoch: int) -> None:
        """End a lease."""
        if self.is_newest(shard, epoch):
            self.rows[shard].expires = self.clock()

    async def add(self, shard: int, epoch: int, children: Sequence[Child]) -> set[Name] | None:
        """Store children."""
        if not self.is_newest(shard, epoch):
            return None
        added = set()
        for child in children:
            known = self.stored.get(child.name)
            if known is None or known.given_up is not None:
                self.stored[child.name] = _Child(child)
                added.add(child.name)
        return added

    async def drop(self, shard: int, epoch: int, names: Sequence[Name]) -> set[Name] | None:
        """Delete children."""
        if not self.is_newest(shard, epoch):
            return None
        return {name for name in names if self.stored.pop(name, None) is not None}

    async def give_up(self, shard: int, epoch: int, reasons: Mapping[Name, str]) -> bool:
        """Mark children as given up."""
        if not self.is_newest(shard, epoch):
            return False
        for name, why in reasons.items():
            if name in self.stored:
                self.stored[name].given_up = why
        return True

    async def hand_over(self, shard: int, epoch: int, states: Mapping[Name, bytes]) -> bool:
        """Store the states of children."""
        if not self.is_newest(shard, epoch):
            return False
        for name, state in states.items():
            if name in self.stored:
                self.stored[name].state, self.stored[name].taken_by = state, None
        return True

    async def take_states(
        self, shard: int, epoch: int, names: Sequence[Name]
    ) -> dict[Name, bytes] | None:
        """Take the states that no other epoch has taken."""
        if not self.is_newest(shard, epoch):
            return None
        taken = {}
        for name in names:
            row = self.stored.get(name)
            if row is not None and row.state is not None and row.taken_by in (None, epoch):
                row.taken_by, taken[name] = epoch, row.state
        return taken

    async def forget_states(self, shard: int, epoch: int, slots: range) -> bool:
        """Delete the states that were taken."""
        if not self.is_newest(shard, epoch):
            return False
        for name, row in self.stored.items():
            if row.taken_by is not None and slot_of(name.key) in slots:
                row.state = row.taken_by = None
        return True

    async def children(self, slots: range) -> list[Child]:
        """Return the children of these slots that must run."""
        return [
            row.child._replace(has_state=row.state is not None)
            for name, row in self.stored.items()
            if row.given_up is None and slot_of(name.key) in slots
        ]

    async def shards(self) -> list[ShardRow]:
        """Return the owners of all shards."""
        return [
            ShardRow(shard, row.epoch, row.expires - self.clock(), row.host, row.node, 0, 0)
            for shard, row in sorted(self.rows.items())
        ]

    async def close(self) -> None:
        """Do nothing."""
