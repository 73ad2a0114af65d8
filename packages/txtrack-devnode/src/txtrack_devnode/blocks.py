"""The blocks of a chain by height and by hash, with an index of their transactions."""

from dataclasses import dataclass

from txtrack_devnode.block import Block
from txtrack_devnode.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Mined:
    """A mined transaction and its place: its block and its index there."""

    transaction: Transaction
    block: Block
    index: int


class BlockStore:
    """Canonical blocks from block 0 up; removed blocks can still be found by hash."""

    def __init__(self, first: Block) -> None:
        self.head: Block = first
        self._canonical: list[Block | None] = [first]
        self._by_hash = {first.hash: first}
        self._mined: dict[str, Mined] = {}

    @property
    def depth(self) -> int:
        """Number of blocks on top of block 0."""
        return len(self._canonical) - self._canonical.count(None) - 1

    def at(self, number: int) -> Block | None:
        """Return the canonical block at a height, or ``None`` (also in a null round)."""
        return self._canonical[number] if 0 <= number < len(self._canonical) else None

    def by_hash(self, block_hash: str) -> Block | None:
        """Return a block that is or was canonical, or ``None``."""
        return self._by_hash.get(block_hash)

    def mined(self, tx_hash: str) -> Mined | None:
        """Return a transaction of the canonical blocks with its place, or ``None``."""
        return self._mined.get(tx_hash)

    def push(self, block: Block) -> None:
        """Append a block; the block numbers that it skips stay empty."""
        self._canonical += [None] * (block.number - len(self._canonical))
        self._canonical.append(block)
        self._by_hash[block.hash] = block
        self.head = block
        for index, tx in enumerate(block.transactions):
            self._mined[tx.hash] = Mined(tx, block, index)

    def pop(self, count: int) -> list[Block]:
        """Remove the ``count`` highest blocks and return them, lowest first."""
        removed: list[Block] = []
        while len(removed) < count or self._canonical[-1] is None:
            block = self._canonical.pop()
            if block is not None:
                removed.append(block)
                for tx in block.transactions:
                    del self._mined[tx.hash]
            if self._canonical[-1] is not None:
                self.head = self._canonical[-1]
        return removed[::-1]

    def copy(self) -> "BlockStore":
        """Return an independent copy."""
        other = BlockStore(self.head)
        other._canonical, other._by_hash = [*self._canonical], {**self._by_hash}
        other._mined = {**self._mined}
        return other
