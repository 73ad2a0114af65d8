"""A chain as a node knows it that is not at its head: behind, or on an old branch."""

from collections.abc import Iterator
from functools import cached_property

from txtrack_devnode.block import Block
from txtrack_devnode.blocks import Mined
from txtrack_devnode.chain import Chain
from txtrack_devnode.pool import Pool
from txtrack_devnode.transaction import Authorization, Transaction


class View:
    """Answers what ``Chain`` answers, for a node that knows no block above ``tip``.

    It has heard of all transactions: what was mined above ``tip`` still waits in its pool.

    Args:
        chain: What really is; not changed by the view.
        tip: The view's head, canonical or not.
        highest: Height of the highest head that the node has had.
    """

    def __init__(self, chain: Chain, tip: Block, highest: int) -> None:
        self.head = tip
        self.safe, self.finalized = chain.finality(tip.number, highest)
        self._chain = chain
        self._side = {block.number: block for block in _branch(chain, tip)}
        self._fork = self._fork_point().number

    def block(self, number: int) -> Block | None:
        """Find the block at a height of the branch that ends at the tip."""
        if number > self.head.number:
            return None
        return self._side.get(number) if number > self._fork else self._chain.block(number)

    def block_by_hash(self, block_hash: str) -> Block | None:
        """Find a block that is not above the tip."""
        found = self._chain.block_by_hash(block_hash)
        return found if found and found.number <= self.head.number else None

    def is_canonical(self, block: Block) -> bool:
        """Say whether ``block`` is part of the branch that ends at the tip."""
        return self.block(block.number) is block

    def mined(self, tx_hash: str) -> Mined | None:
        """Find a transaction in the branch that ends at the tip."""
        found = self._chain.mined(tx_hash)
        if found and found.block.number <= self._fork:
            return found
        return self._aside.get(tx_hash)

    def pending(self, tx_hash: str) -> Transaction | None:
        """Find a transaction that waits, as far as this node knows."""
        mined = self._chain.mined(tx_hash)
        waiting = mined.transaction if mined else self._chain.pending(tx_hash)
        if waiting is None or self.mined(tx_hash) or waiting.nonce < self.nonce(waiting.sender):
            return None
        return waiting

    @property
    def pool(self) -> tuple[Transaction, ...]:
        """Everything that waits, as far as this node knows."""
        later = range(self._fork + 1, self._chain.head.number + 1)
        above = [block for block in map(self._chain.block, later) if block is not None]
        known = [tx for block in above for tx in block.transactions] + [*self._chain.pool]
        return tuple(tx for tx in known if self.pending(tx.hash))

    def nonce(self, address: str, height: int | None = None) -> int:
        """Count the mined transactions of ``address`` up to ``height``, or to the tip."""
        last = self.head.number if height is None else height
        mined = self._chain.nonce(address, min(last, self._fork))
        nonce = mined
        for _, tx in self._side_transactions(last):
            if tx.ordered and tx.sender == address:
                nonce = max(nonce, tx.nonce + 1)
            nonce += Authorization(address, nonce) in tx.authorizations
        return nonce

    def pending_nonce(self, address: str) -> int:
        """Tell the nonce that the next transaction of ``address`` would get."""
        return max(self.nonce(address), self._chain.pending_nonce(address))

    def balance(self, address: str, height: int | None = None) -> int:
        """Tell what ``address`` owns, in wei."""
        last = self.head.number if height is None else height
        amount = self._chain.balance(address, min(last, self._fork))
        for block, tx in self._side_transactions(last):
            moved = 0 if block.revert_reason(tx.hash) is not None else tx.value
            if tx.sender == address:
                amount -= moved + tx.gas_used * tx.gas_price(block.base_fee) * (not tx.system)
            if tx.to == address:
                amount += moved
        return amount

    def pending_block(self) -> Block:
        """Build the block that this node would mine now."""
        pool, chain = Pool(), self._chain
        for tx in self.pool:
            pool.add(tx)
        chosen = pool.fitting(self.nonce, chain.base_fee, chain.gas_limit)
        return self.head.child(chosen, {}, interval=int(chain.interval), branch=self.head.branch)

    def _fork_point(self) -> Block:
        if not self._side:
            return self.head
        parent = self._chain.block_by_hash(self._side[min(self._side)].parent_hash)
        assert parent is not None  # noqa: S101 - ``_branch`` stopped at it
        return parent

    @cached_property
    def _aside(self) -> dict[str, Mined]:
        return {
            tx.hash: Mined(tx, block, index)
            for block in self._side.values()
            for index, tx in enumerate(block.transactions)
        }

    def _side_transactions(self, height: int) -> Iterator[tuple[Block, Transaction]]:
        for number in sorted(self._side):
            if number <= height:
                yield from ((self._side[number], tx) for tx in self._side[number].transactions)


def behind(chain: Chain, blocks: int) -> View:
    """View the chain from ``blocks`` under its head, or from block 0 if it is shorter."""
    height = max(0, chain.head.number - blocks)
    return View(chain, at_or_below(chain, height), max(height, chain.highest - blocks))


def at_or_below(state: Chain | View, height: int) -> Block:
    """Return the highest block that is not above ``height``: another one in a null round."""
    while (found := state.block(height)) is None:
        height -= 1
    return found


def _branch(chain: Chain, tip: Block) -> Iterator[Block]:
    """Walk down from ``tip`` to the canonical chain, which has at least block 0 in common."""
    block: Block | None = tip
    while block is not None and not chain.is_canonical(block):
        yield block
        block = chain.block_by_hash(block.parent_hash)
