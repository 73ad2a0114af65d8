"""Payments to watched addresses in blocks that are applied next, as they were found."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from transaction_tracker.domain import Included, Paid
from transaction_tracker.sources import FetchedBlock


@dataclass(frozen=True, slots=True)
class BlockDeposits:
    """Payments to watched addresses in one block.

    Attributes:
        paid: What its transactions pay, by their ids at the source.
        below: Number of payments below the minimum, by address.
    """

    paid: Paid = field(default_factory=dict)
    below: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathDeposits:
    """Payments to watched addresses in the blocks that are applied next.

    Attributes:
        version: Number of additions of addresses that the blocks were compared with; ``None`` if
            the source cannot compare them.
        by_block: The payments of each block that has some, by its hash.
        unread: Hashes of blocks whose transfers no provider sends.
    """

    version: int | None = None
    by_block: Mapping[str, BlockDeposits] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()

    @property
    def by_block_paying(self) -> Mapping[str, Collection[str]]:
        """The transactions that pay, by hash of their block."""
        return {key: deposits.paid.keys() for key, deposits in self.by_block.items()}

    def of(self, block: FetchedBlock) -> BlockDeposits:
        """Return the payments in a block."""
        return self.by_block.get(block.link.hash, BlockDeposits())


def has_failed(fact: Included | None) -> bool:
    """Return whether a fact says that its transaction failed."""
    return fact is not None and fact.outcome is not None and not fact.outcome.succeeded
