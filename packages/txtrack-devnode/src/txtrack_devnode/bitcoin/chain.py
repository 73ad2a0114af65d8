"""The blocks, the unspent outputs and the mempool of a small Bitcoin network."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from txtrack_devnode.bitcoin.wire import (
    COIN,
    FINAL,
    REPLACEABLE,
    BitcoinBlock,
    BitcoinTransaction,
    Coin,
    genesis,
    key_script,
)

MATURITY = 100
"""Confirmations after which the reward of a block can be spent."""
SUBSIDY = 50 * COIN
BLOCK_SECONDS = 600
DEFAULT_FEE = 1_000


class RejectedError(ValueError):
    """A transaction that the network does not accept."""


@dataclass
class BitcoinChain:
    """A chain without signatures; everything about it is reproducible.

    Attributes:
        blocks: The blocks of the active chain, by height.
        stale: Blocks that a reorganisation removed, by hash.
        mempool: Transactions that wait for a block, by id.
    """

    blocks: list[BitcoinBlock] = field(default_factory=lambda: [genesis()])
    stale: dict[str, BitcoinBlock] = field(default_factory=dict)
    mempool: dict[str, BitcoinTransaction] = field(default_factory=dict)
    _made: int = 0
    _branch: int = 0

    @classmethod
    def mature(cls, blocks: int = MATURITY + 20) -> Self:
        """Return a chain whose first rewards can be spent."""
        chain = cls()
        chain.mine(blocks)
        return chain

    def copy(self) -> "BitcoinChain":
        """Return the chain of another node, which is the same until one of them changes."""
        return BitcoinChain(
            list(self.blocks), dict(self.stale), dict(self.mempool), self._made, self._branch + 1
        )

    def peer(self) -> "BitcoinChain":
        """Return the view of another node: always the same blocks, and its own mempool."""
        return BitcoinChain(self.blocks, self.stale, dict(self.mempool), self._made, self._branch)

    # -- What is there

    @property
    def head(self) -> BitcoinBlock:
        """The newest block."""
        return self.blocks[-1]

    def block(self, block_hash: str) -> BitcoinBlock | None:
        """Return a block of the active chain or a stale one."""
        found = next((block for block in self.blocks if block.hash == block_hash), None)
        return found or self.stale.get(block_hash)

    def is_active(self, block: BitcoinBlock) -> bool:
        """Return whether a block is in the active chain."""
        return block.number < len(self.blocks) and self.blocks[block.number].hash == block.hash

    def find(self, key: str) -> tuple[BitcoinTransaction, BitcoinBlock | None] | None:
        """Return a transaction with its block; without a block if it is in the mempool.

        A transaction that is only in a stale block has that block, as in an index of transactions.
        """
        if key in self.mempool:
            return self.mempool[key], None
        for block in (*reversed(self.blocks), *self.stale.values()):
            for transaction in block.transactions:
                if transaction.id == key:
                    return transaction, block
        return None

    def unspent(self, *, with_mempool: bool) -> dict[Coin, tuple[int, bytes, int]]:
        """Return the unspent outputs: satoshi, script and height (0 in the mempool)."""
        found: dict[Coin, tuple[int, bytes, int]] = {}
        placed = [(each, block.number) for block in self.blocks for each in block.transactions]
        waiting = [(each, 0) for each in self.mempool.values()] if with_mempool else []
        for transaction, height in (*placed, *waiting):
            for coin in transaction.spends:
                found.pop(coin, None)
            for index, (value, script) in enumerate(transaction.outputs):
                found[Coin(transaction.id, index)] = value, script, height
        return found

    def fee(self, transaction: BitcoinTransaction) -> int:
        """Return what a transaction pays to its miner."""
        if transaction.is_coinbase:
            return 0
        spent = sum(self._value(coin) for coin in transaction.spends)
        return spent - sum(value for value, _ in transaction.outputs)

    # -- Transactions

    def coins(self, count: int = 1) -> tuple[Coin, ...]:
        """Return rewards that can be spent and that no transaction spends yet, the oldest first."""
        free = [
            coin
            for coin, (_, _, height) in self.unspent(with_mempool=True).items()
            if 0 < height <= self.head.number - MATURITY + 1
            and self.blocks[height].transactions[0].id == coin.id
        ]
        if len(free) < count:
            raise RejectedError(f"expected {count} coins that can be spent, found {len(free)}")
        return tuple(free[:count])

    def pay(
        self,
        to: str = "bob",
        value: int = COIN,
        *,
        fee: int = DEFAULT_FEE,
        spends: Sequence[Coin] | None = None,
        replaceable: bool = True,
    ) -> BitcoinTransaction:
        """Send a transaction with a payment and the change, and return it.

        Args:
            to: Name of the owner who is paid.
            value: Amount in satoshi.
            fee: Fee in satoshi.
            spends: Outputs to spend. Default: one reward.
            replaceable: Whether it signals that it can be replaced (BIP 125).
        """
        coins = self.coins() if spends is None else tuple(spends)
        change = sum(self._value(coin) for coin in coins) - value - fee
        self._made += 1
        outputs = [(value, key_script(to)), (change, key_script(f"change {self._made}"))]
        sequence = REPLACEABLE if replaceable else FINAL
        return self.send(BitcoinTransaction(coins, tuple(outputs), sequence))

    def send(self, transaction: BitcoinTransaction) -> BitcoinTransaction:
        """Put a transaction into the mempool; it replaces those that spend the same outputs.

        Raises:
            RejectedError: It spends an output that is not there, or pays too little to replace.
        """
        there = self.unspent(with_mempool=False)
        for coin in transaction.spends:
            source = self.mempool.get(coin.id)
            in_pool = source is not None and coin.index < len(source.outputs)
            if coin not in there and not in_pool:
                raise RejectedError("bad-txns-inputs-missingorspent")
        rivals = self._spending(transaction.spends)
        if any(rival.sequence >= FINAL for rival in rivals):
            raise RejectedError("txn-mempool-conflict")
        if rivals and self.fee(transaction) <= sum(map(self.fee, rivals)):
            raise RejectedError("insufficient fee")
        self.evict(*(rival.id for rival in rivals))
        self.mempool[transaction.id] = transaction
        return transaction

    def evict(self, *keys: str) -> None:
        """Remove transactions and their descendants from the mempool, as at the end of 14 days."""
        left = list(keys)
        while left:
            transaction = self.mempool.pop(left.pop(), None)
            if transaction is not None:
                outputs = range(len(transaction.outputs))
                coins = [Coin(transaction.id, index) for index in outputs]
                left += [each.id for each in self._spending(coins)]

    # -- Blocks

    def mine(
        self, count: int = 1, transactions: Iterable[BitcoinTransaction] | None = None
    ) -> BitcoinBlock:
        """Mine blocks, and return the last of them.

        Args:
            count: Number of blocks.
            transactions: Transactions of the first block, also such as the mempool does not have.
                Default: those of the mempool.
        """
        for _ in range(count):
            chosen = list(self.mempool.values() if transactions is None else transactions)
            transactions = None
            self._append(chosen)
        return self.head

    def rollback(self, depth: int = 1, *, forget: Collection[str] = ()) -> None:
        """Remove the newest blocks; their transactions go back to the mempool.

        Args:
            depth: Number of blocks.
            forget: Ids of transactions that do not go back.
        """
        removed = [self.blocks.pop() for _ in range(depth)][::-1]
        self._branch += 1
        self.stale |= {block.hash: block for block in removed}
        waiting = dict(self.mempool)
        self.mempool.clear()
        again = [each for block in removed for each in block.transactions[1:]]
        for transaction in (*again, *waiting.values()):
            if transaction.id not in forget:
                self._return(transaction)

    def reorganise(self, depth: int = 1, *, forget: Collection[str] = ()) -> BitcoinBlock:
        """Replace the newest blocks by one more; see ``rollback`` for the arguments."""
        self.rollback(depth, forget=forget)
        return self.mine(depth + 1)

    def _append(self, chosen: list[BitcoinTransaction]) -> None:
        number = len(self.blocks)
        fees = sum(map(self.fee, chosen))
        tag = number.to_bytes(4, "little") + self._branch.to_bytes(4, "little")
        reward = (SUBSIDY + fees, key_script("miner"))
        coinbase = BitcoinTransaction((), (reward,), tag=b"\x08" + tag)
        time = self.head.time + BLOCK_SECONDS
        block = BitcoinBlock(number, self.head.hash, time, (coinbase, *chosen))
        self.blocks.append(block)
        for transaction in chosen:
            self.mempool.pop(transaction.id, None)
            self.evict(*(each.id for each in self._spending(transaction.spends)))

    def _return(self, transaction: BitcoinTransaction) -> None:
        """Put a transaction back, unless what it spends is gone with a removed block."""
        there = self.unspent(with_mempool=True)
        if all(coin in there for coin in transaction.spends):
            self.mempool[transaction.id] = transaction

    def _spending(self, coins: Collection[Coin]) -> list[BitcoinTransaction]:
        return [each for each in self.mempool.values() if set(each.spends) & set(coins)]

    def _value(self, coin: Coin) -> int:
        found = self.find(coin.id)
        if found is None:
            raise RejectedError("bad-txns-inputs-missingorspent")
        return found[0].outputs[coin.index][0]
