"""Which shard of a sharded service tracks a transaction.

A shard is a whole service with its own schema in the database. The assignment depends only on the
transaction's id and on the number of shards, so every router and every shard computes it alone.

A service that grows keeps the former numbers of shards: a transaction that was registered by a
former number stays where it is, and only new ones are assigned by the new number.
"""

from dataclasses import dataclass
from zlib import crc32

from transaction_tracker.domain.caip import split_caip_id

# The advisory lock of a shard is the number after that of the whole database; see `postgresql`.
MAX_SHARDS = 128
# Growths of a service. Every id has a place in each of its maps, which a router can have to ask.
MAX_FORMER_COUNTS = 8


@dataclass(frozen=True, slots=True)
class ShardMap:
    """The numbers of shards of a service, now and before.

    Attributes:
        counts: Number of shards, the newest first; each former number is lower.

    Raises:
        ValueError: A number is not possible.
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.counts or len(self.counts) > 1 + MAX_FORMER_COUNTS:
            raise ValueError(
                f"a service must have one to {1 + MAX_FORMER_COUNTS} numbers of shards, got "
                f"{len(self.counts)}"
            )
        if not 1 <= self.counts[-1] <= self.counts[0] <= MAX_SHARDS:
            raise ValueError(f"must be 1 to {MAX_SHARDS} shards, got {self}")
        if list(self.counts) != sorted(set(self.counts), reverse=True):
            raise ValueError(
                f"each former number of shards must be lower than the next, got {self}"
            )

    @property
    def count(self) -> int:
        """The number of shards now."""
        return self.counts[0]

    def newest(self, transaction: str) -> int:
        """Return the shard at which a transaction is registered, if none tracks it already."""
        return _hash(transaction) % self.count

    def places(self, transaction: str) -> tuple[int, ...]:
        """Return the shards that can track a transaction, each once, the newest first."""
        number = _hash(transaction)
        return tuple(dict.fromkeys(number % count for count in self.counts))

    def fits(self, other: "ShardMap") -> bool:
        """Return whether one is the other, or the other before it has grown."""
        common = min(len(self.counts), len(other.counts))
        return self.counts[-common:] == other.counts[-common:]

    @classmethod
    def parse(cls, text: str) -> "ShardMap":
        """Read the form that ``str`` writes; raise ``ValueError`` if it is another text."""
        return cls(tuple(map(int, text.split(","))))

    def __str__(self) -> str:
        return ",".join(map(str, self.counts))


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a service.

    Attributes:
        number: Its number, from 0 up.
        map: The numbers of shards of the service.

    Raises:
        ValueError: There is no shard with this number.
    """

    number: int
    map: ShardMap

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.map.count:
            raise ValueError(
                f"the number of a shard must be 0 to {self.map.count - 1}, got {self.number}"
            )

    @property
    def schema(self) -> str:
        """Name of its schema in the database."""
        return f"txtrack_{self.number}"

    def owns(self, transaction: str) -> bool:
        """Return whether a transaction that no shard tracks is registered here."""
        return self.map.newest(transaction) == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.map}"


def _hash(transaction: str) -> int:
    """Return the same number for each form of an id, and for equal ids at several sources.

    All transactions that an id without a chain id can mean are in one shard. So that shard can say
    whether the id is ambiguous. Letters have no case here: only a source knows whether their case
    matters, and a router has no source.
    """
    known = split_caip_id(transaction)
    local = transaction if known is None else known[1]
    return crc32(local.lower().encode(errors="replace"))
