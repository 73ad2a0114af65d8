"""A block: an immutable value that holds transactions and the result of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from txtrack_devnode.hashing import digest
from txtrack_devnode.transaction import Transaction

NO_PARENT = "0x" + "0" * 64


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: it may hold thousands
class Block:
    """A block of the canonical chain, or one that a reorg removed from it."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    branch: int
    base_fee: int
    gas_limit: int
    transactions: tuple[Transaction, ...] = ()
    cumulative_gas_used: tuple[int, ...] = ()
    """Cumulative gas used, per transaction."""
    reverted: Mapping[str, str] | None = None
    """Revert reasons by transaction hash."""

    @property
    def gas_used(self) -> int:
        """Gas used by all transactions of the block."""
        return self.cumulative_gas_used[-1] if self.cumulative_gas_used else 0

    def revert_reason(self, tx_hash: str) -> str | None:
        """Return why a transaction of this block reverted, or ``None`` if it succeeded."""
        return self.reverted.get(tx_hash) if self.reverted else None

    def child(
        self,
        transactions: Sequence[Transaction],
        reverted: Mapping[str, str],
        *,
        interval: int,
        branch: int,
        skipped: int = 0,
    ) -> "Block":
        """Build a child block.

        ``branch`` is part of the hash, so the same transactions mined again after a reorg make a
        different block. ``skipped`` block numbers between the two stay empty (null rounds).
        """
        number, timestamp = self.number + 1 + skipped, self.timestamp + interval
        content = [f"{tx.hash}{reverted.get(tx.hash)}" for tx in transactions]
        return Block(
            number=number,
            hash=digest("block", self.hash, number, timestamp, branch, *content),
            parent_hash=self.hash,
            timestamp=timestamp,
            branch=branch,
            base_fee=self.base_fee,
            gas_limit=self.gas_limit,
            transactions=tuple(transactions),
            cumulative_gas_used=tuple(accumulate(tx.gas_used for tx in transactions)),
            reverted=dict(reverted),
        )


def genesis(*, chain_id: int, seed: object, timestamp: int, base_fee: int, gas_limit: int) -> Block:
    """Build block 0; all later hashes depend on its hash, and so on ``seed``."""
    return Block(
        number=0,
        hash=digest("genesis", chain_id, seed, timestamp, base_fee, gas_limit),
        parent_hash=NO_PARENT,
        timestamp=timestamp,
        branch=0,
        base_fee=base_fee,
        gas_limit=gas_limit,
    )
