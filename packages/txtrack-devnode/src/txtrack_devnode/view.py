"""The chain as seen by a node that lags behind or is on an old branch."""

from collections.abc import Iterator
from functools import cached_property

from txtrack_devnode.block import Block
from txtrack_devnode.blocks import Mined
from txtrack_devnode.chain import Chain
from txtrack_devnode.pool import TransactionPool
from txtrack_devnode.transaction import Authorization, Transaction


class ChainView:
    """The state of a chain for a node that has no block above ``tip``; same methods as `Chain`.

    The node has all transactions: those that were mined above ``tip`` are still pending.

    Args:
        chain: The whole chain, which the view does not change.
        tip: Head of the view, canonical or not.
        highest: Height of the highest head that the node has had.
    """

    def __init__(self, chain: Chain, tip: Block, highest: int) -> None:
        self.head = tip
        self.safe: int
        self.finalized: int
        self.safe, self.finalized = chain.finality(tip.number, highest)
        self._chain = chain
        self._side = {block.number: block for block in _branch(chain, tip)}
        self._fork = self._fork_point().number

    def block(self, number: int) -> Block | None:
        """Return the block at a height of the branch that ends at the tip, or ``None``."""
        if number > self.head.number:
            return None
        return self._side.get(number) if number > self._fork else self._chain.block(number)

    def block_by_hash(self, block_hash: str) -> Block | None:
        """Return a block that is not above the tip, or ``None``."""
        found = self._chain.block_by_hash(block_hash)
        return found if found and found.number <= self.head.number else None

    def is_canonical(self, block: Block) -> bool:
        """Return whether ``block`` is part of the branch that ends at the tip."""
        return self.block(block.number) is block

    def mined(self, tx_hash: str) -> Mined | None:
        """Return a transaction of that branch with its place, or ``None``."""
        found = self._chain.mined(tx_hash)
        if found and found.block.number <= self._fork:
            return found
        return self._side_mined.get(tx_hash)

    def pending(self, tx_hash: str) -> Transaction | None:
        """Return a transaction that is pending for this node, or ``None``."""
        mined = self._chain.mined(tx_hash)
        pending = mined.transaction if mined else self._chain.pending(tx_hash)
        if pending is None or self.mined(tx_hash) or pending.nonce < self.nonce(pending.sender):
            return None
        return pending

    @property
    def pool(self) -> tuple[Transaction, ...]:
        """All transactions that are pending for this node."""
        later = range(self._fork + 1, self._chain.head.number + 1)
        above = [block for block in map(self._chain.block, later) if block is not None]
        known = [tx for block in above for tx in block.transactions] + [*self._chain.pool]
        return tuple(tx for tx in known if self.pending(tx.hash))

    def nonce(self, address: str, height: int | None = None) -> int:
        """Return the number of nonces that ``address`` has used up to ``height``, or the tip."""
        last = self.head.number if height is None else height
        mined = self._chain.nonce(address, min(last, self._fork))
        nonce = mined
        for _, tx in self._side_transactions(last):
            if tx.ordered and tx.sender == address:
                nonce = max(nonce, tx.nonce + 1)
            nonce += Authorization(address, nonce) in tx.authorizations
        return nonce

    def pending_nonce(self, address: str) -> int:
        """Return the nonce of the next transaction of ``address``, after its pending ones."""
        return max(self.nonce(address), self._chain.pending_nonce(address))

    def balance(self, address: str, height: int | None = None) -> int:
        """Return the balance of ``address`` in wei, at ``height`` or at the tip."""
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
        pool, chain = TransactionPool(), self._chain
        for tx in self.pool:
            pool.add(tx)
        chosen = pool.next_block(self.nonce, chain.base_fee, chain.gas_limit)
        return self.head.child(chosen, {}, interval=int(chain.interval), branch=self.head.branch)

    def _fork_point(self) -> Block:
        if not self._side:
            return self.head
        parent = self._chain.block_by_hash(self._side[min(self._side)].parent_hash)
        assert parent is not None  # noqa: S101 - ``_branch`` stopped at it
        return parent

    @cached_property
    def _side_mined(self) -> dict[str, Mined]:
        return {
            tx.hash: Mined(tx, block, index)
            for block in self._side.values()
            for index, tx in enumerate(block.transactions)
        }

    def _side_transactions(self, height: int) -> Iterator[tuple[Block, Transaction]]:
        for number in sorted(self._side):
            if number <= height:
                yield from ((self._side[number], tx) for tx in self._side[number].transactions)


def lagging_view(chain: Chain, blocks: int) -> ChainView:
    """Return the view of a node that is ``blocks`` behind; block 0 on a shorter chain."""
    height = max(0, chain.head.number - blocks)
    return ChainView(chain, at_or_below(chain, height), max(height, chain.highest - blocks))


def at_or_below(state: Chain | ChainView, height: int) -> Block:
    """Return the block at ``height``; in a null round, the last block before it."""
    while (found := state.block(height)) is None:
        height -= 1
    return found


def _branch(chain: Chain, tip: Block) -> Iterator[Block]:
    """Yield the blocks from ``tip`` down to the canonical chain, which shares block 0."""
    block: Block | None = tip
    while block is not None and not chain.is_canonical(block):
        yield block
        block = chain.block_by_hash(block.parent_hash)
