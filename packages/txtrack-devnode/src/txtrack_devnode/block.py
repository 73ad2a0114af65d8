"""A block: an immutable value that holds its transactions and how each of them ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from txtrack_devnode.hashing import digest
from txtrack_devnode.transaction import Transaction

NO_PARENT = "0x" + "0" * 64


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: it may hold thousands
class Block:
    """One block of the canonical chain, or one that a reorg threw out of it."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    branch: int
    base_fee: int
    gas_limit: int
    transactions: tuple[Transaction, ...] = ()
    gas_used_up_to: tuple[int, ...] = ()
    """Gas used by each transaction and those before it."""
    reverted: Mapping[str, str] | None = None
    """Reasons of the transactions that reverted, by hash."""

    @property
    def gas_used(self) -> int:
        """Gas used by all its transactions."""
        return self.gas_used_up_to[-1] if self.gas_used_up_to else 0

    def revert_reason(self, tx_hash: str) -> str | None:
        """Tell why a transaction of this block reverted; ``None`` if it did not."""
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
        """Build the block on top of this one.

        ``branch`` goes into the hash, so that the same transactions mined again after a reorg
        are in another block. ``skipped`` numbers between the two get no block (null rounds).
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
            gas_used_up_to=tuple(accumulate(tx.gas_used for tx in transactions)),
            reverted=dict(reverted),
        )


def genesis(*, chain_id: int, seed: object, timestamp: int, base_fee: int, gas_limit: int) -> Block:
    """Build block 0: everything later depends on its hash, hence on ``seed``."""
    return Block(
        number=0,
        hash=digest("genesis", chain_id, seed, timestamp, base_fee, gas_limit),
        parent_hash=NO_PARENT,
        timestamp=timestamp,
        branch=0,
        base_fee=base_fee,
        gas_limit=gas_limit,
    )
