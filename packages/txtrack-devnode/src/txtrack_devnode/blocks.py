"""The blocks of a chain by height and by hash, and where each of their transactions is."""

from dataclasses import dataclass

from txtrack_devnode.block import Block
from txtrack_devnode.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Mined:
    """Where a mined transaction is."""

    transaction: Transaction
    block: Block
    index: int


class Blocks:
    """Canonical blocks from block 0 up; those that were taken off are still found by hash."""

    def __init__(self, first: Block) -> None:
        self.head = first
        self._line: list[Block | None] = [first]
        self._by_hash = {first.hash: first}
        self._mined: dict[str, Mined] = {}

    @property
    def depth(self) -> int:
        """How many blocks there are on top of block 0."""
        return len(self._line) - self._line.count(None) - 1

    def at(self, number: int) -> Block | None:
        """Return the canonical block at a height; ``None`` in a null round, too."""
        return self._line[number] if 0 <= number < len(self._line) else None

    def by_hash(self, block_hash: str) -> Block | None:
        """Return any block that was ever here."""
        return self._by_hash.get(block_hash)

    def mined(self, tx_hash: str) -> Mined | None:
        """Return where a transaction is in the canonical blocks."""
        return self._mined.get(tx_hash)

    def push(self, block: Block) -> None:
        """Put a block on top; the numbers that it skips have none."""
        self._line += [None] * (block.number - len(self._line))
        self._line.append(block)
        self._by_hash[block.hash] = block
        self.head = block
        for index, tx in enumerate(block.transactions):
            self._mined[tx.hash] = Mined(tx, block, index)

    def pop(self, count: int) -> list[Block]:
        """Take the ``count`` highest blocks off and return them, lowest first."""
        removed: list[Block] = []
        while len(removed) < count or self._line[-1] is None:
            block = self._line.pop()
            if block is not None:
                removed.append(block)
                for tx in block.transactions:
                    del self._mined[tx.hash]
            if self._line[-1] is not None:
                self.head = self._line[-1]
        return removed[::-1]

    def copy(self) -> "Blocks":
        """Return blocks that change independently of these."""
        other = Blocks(self.head)
        other._line, other._by_hash = [*self._line], {**self._by_hash}
        other._mined = {**self._mined}
        return other
