"""The chain: accounts, transaction pool, blocks, reorgs. No clock, no sockets, no randomness.

The same calls on two chains with the same seed produce the same hashes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain as concatenated
from typing import Literal, get_args

from txtrack_devnode.admission import rejection
from txtrack_devnode.block import Block, genesis
from txtrack_devnode.blocks import BlockStore, Mined
from txtrack_devnode.hashing import address, digest
from txtrack_devnode.ledger import Ledger
from txtrack_devnode.pool import TransactionPool
from txtrack_devnode.rules import ChainRules
from txtrack_devnode.transaction import Authorization, Replacement, Transaction

GWEI = 10**9
ETHER = 10**18
ETHEREUM = ChainRules()

Orphans = Literal["pool", "drop", "move"]
ORPHANS: tuple[Orphans, ...] = get_args(Orphans)


class ChainError(ValueError):
    """A request to the chain is invalid; real nodes word the message the same."""


@dataclass(frozen=True, slots=True)
class Reorg:
    """Blocks that a reorg removed and added, lowest first."""

    removed: tuple[Block, ...]
    added: tuple[Block, ...]


class Chain:
    """A chain that mines a block when `mine` is called.

    Args:
        chain_id: Chain id, as ``eth_chainId`` returns it.
        seed: Any printable value; all hashes and addresses depend on it.
        accounts: Number of development accounts, each with a billion ether.
        wallets: Addresses of further accounts, whose keys the program has, with as much ether.
        genesis_time: Unix time of block 0.
        interval: Seconds between the timestamps of two blocks. Timestamps are whole seconds: with
            an interval below 1, several blocks have the same one.
        base_fee: Base fee of every block in wei; a transaction with a lower maximum fee stays
            pending.
        gas_limit: Gas limit of a block; the default holds 47,000 transfers.
        safe_distance: Blocks from the head down to the ``safe`` block.
        finalized_distance: Blocks from the highest head so far down to the ``finalized`` block.
        rules: Differences from Ethereum.

    Attributes:
        forks: Branches that `fork` and `reset` made. Each transaction is added to them, too.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31337,
        seed: object = 0,
        accounts: int = 10,
        wallets: Sequence[str] = (),
        genesis_time: int = 1_700_000_000,
        interval: float = 12,
        base_fee: int = GWEI,
        gas_limit: int = 1_000_000_000,
        safe_distance: int = 32,
        finalized_distance: int = 64,
        rules: ChainRules = ETHEREUM,
    ) -> None:
        self.chain_id = chain_id
        self.rules = rules
        self.forks: list[Chain] = []
        self.accounts: tuple[str, ...] = (
            *(address("account", seed, index) for index in range(accounts)),
            *wallets,
        )
        self._senders = frozenset(self.accounts)
        self.base_fee = base_fee
        self.gas_limit = gas_limit
        self.interval = interval
        self._distances = safe_distance, finalized_distance
        self._reverts: dict[str, str] = {}
        self._watchers: list[Callable[[Block], None]] = []
        self._submitted = 0
        self._skipped = 0
        self._start_at(
            genesis(
                chain_id=chain_id,
                seed=seed,
                timestamp=genesis_time,
                base_fee=base_fee,
                gas_limit=gas_limit,
            )
        )

    def _start_at(self, first: Block) -> None:
        self._blocks = BlockStore(first)
        self._pool = TransactionPool()
        self._ledger = Ledger(self.accounts, endowment=10**9 * ETHER)
        self._branch = 0
        self._highest = 0

    # State

    @property
    def head(self) -> Block:
        """The highest block."""
        return self._blocks.head

    @property
    def highest(self) -> int:
        """Height of the highest head so far; a rollback does not lower it."""
        return self._highest

    @property
    def safe(self) -> int:
        """Height of the ``safe`` block."""
        return self.finality(self.head.number, self._highest)[0]

    @property
    def finalized(self) -> int:
        """Height of the ``finalized`` block; it falls only if the head falls below it."""
        return self.finality(self.head.number, self._highest)[1]

    @property
    def depth(self) -> int:
        """Number of blocks on top of block 0: the head's number without null rounds."""
        return self._blocks.depth

    def finality(self, head: int, highest: int) -> tuple[int, int]:
        """Return the heights of the ``safe`` and the ``finalized`` block for a head."""
        finalized = min(head, max(0, highest - self._distances[1]))
        return max(finalized, head - self._distances[0]), finalized

    def block(self, number: int) -> Block | None:
        """Return the canonical block at a height, or ``None`` (also in a null round)."""
        return self._blocks.at(number)

    def block_by_hash(self, block_hash: str) -> Block | None:
        """Return a block or ``None``; blocks that a reorg removed are kept, as on real nodes."""
        return self._blocks.by_hash(block_hash)

    def is_canonical(self, block: Block) -> bool:
        """Return whether ``block`` is part of the chain that ends at the head."""
        return self.block(block.number) is block

    def is_account(self, address: str) -> bool:
        """Return whether the address is one of ``accounts``, which can send."""
        return address in self._senders

    def mined(self, tx_hash: str) -> Mined | None:
        """Return a transaction of the canonical chain with its place, or ``None``."""
        return self._blocks.mined(tx_hash)

    def pending(self, tx_hash: str) -> Transaction | None:
        """Return a transaction of the pool, or ``None``."""
        return self._pool.get(tx_hash)

    @property
    def pool(self) -> tuple[Transaction, ...]:
        """All pending transactions, also those that cannot be mined yet."""
        return tuple(self._pool)

    def nonce(self, address: str, height: int | None = None) -> int:
        """Return the number of nonces that ``address`` has used up to ``height``, or the head."""
        return self._ledger.nonce(address, height)

    def pending_nonce(self, address: str) -> int:
        """Return the nonce of the next transaction of ``address``, after its pending ones."""
        return self._pool.next_nonce(address, self._ledger.nonce(address))

    def balance(self, address: str, height: int | None = None) -> int:
        """Return the balance of ``address`` in wei, at ``height`` or at the head."""
        return self._ledger.balance(address, height)

    def pending_block(self) -> Block:
        """Build the block that `mine` would mine now, without mining it."""
        return self._child(self._next_transactions(), {})

    def watch(self, watcher: Callable[[Block], None]) -> Callable[[], None]:
        """Call ``watcher`` with each new head; return a function that removes the watcher.

        A rollback adds no block, so it calls no watcher, as on other development nodes.
        """
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    # Transactions

    def submit(
        self,
        sender: str,
        to: str | None = None,
        value: int = 0,
        *,
        data: str = "0x",
        nonce: int | None = None,
        gas: int | None = None,
        max_fee: int = 2 * GWEI,
        priority_fee: int = GWEI // 10,
        reverts: str | None = None,
        authorizations: Sequence[Authorization] = (),
    ) -> Transaction:
        """Add a new transaction to the pool; with ``reverts``, it reverts with that reason.

        Each of the ``authorizations`` uses a nonce of another account when it is mined.
        """
        self._submitted += 1
        tx = Transaction.create(
            chain_id=self.chain_id,
            sender=sender,
            nonce=self.pending_nonce(sender) if nonce is None else nonce,
            to=to,
            value=value,
            data=data,
            gas=gas,
            max_fee=max_fee,
            priority_fee=priority_fee,
            authorizations=authorizations,
        )
        if not self.rules.account_nonces:
            tx = Transaction.unordered(tx, self._submitted)
        self.add(tx)
        if reverts is not None:
            self._reverts[tx.hash] = reverts
        return tx

    def add(self, tx: Transaction) -> None:
        """Add a transaction to the pool; it can have been there, or in a block, before.

        Raises:
            ChainError: The transaction is invalid, for example ``nonce too low``.
        """
        if (reason := rejection(self, tx)) is not None:
            raise ChainError(reason)
        rival = self._pool.rival(tx)
        if rival is not None and not tx.outbids(rival):
            raise ChainError(
                "replacement transaction underpriced: both fees must be 10 % over those of "
                f"{rival.hash}"
            )
        self._pool.add(tx)
        for fork in self.forks:
            with suppress(ChainError):  # on its branch, the transaction can be impossible
                fork.add(tx)

    def replace(self, tx_hash: str, kind: Replacement) -> Transaction:
        """Replace a pending transaction by another one with its nonce, and return that.

        ``repriced`` is the same with higher fees, ``cancelled`` sends nothing to the sender
        itself, ``replaced`` sends another amount. The first transaction leaves the pool.
        """
        pending = self._pending(tx_hash)
        if not pending.ordered:
            raise ChainError("this chain has no account nonces: no transaction can be replaced")
        replacement = pending.replacement(kind)
        self.add(replacement)
        return replacement

    def revert(self, tx_hash: str, reason: str | None) -> None:
        """Make a transaction revert when it is mined, or succeed (``None``).

        For a mined transaction, this has an effect if it is mined again after a reorg.
        """
        if self.mined(tx_hash) is None:
            self._pending(tx_hash)
        if reason is None:
            self._reverts.pop(tx_hash, None)
        else:
            self._reverts[tx_hash] = reason

    def drop(self, tx_hash: str) -> bool:
        """Remove a pending transaction; return whether there was one with this hash."""
        return self._pool.drop(tx_hash)

    # Blocks

    def mine(self, count: int = 1) -> list[Block]:
        """Mine ``count`` blocks of pending transactions; the last blocks can be empty."""
        _check_minimum(1, "the number of blocks", count)
        return [self._append(self._next_transactions()) for _ in range(count)]

    def skip(self, count: int = 1) -> None:
        """Leave the next ``count`` block numbers empty: null rounds."""
        _check_minimum(1, "the number of null rounds", count)
        self._skipped += count

    def rollback(self, depth: int, orphans: Orphans = "pool") -> list[Block]:
        """Remove the ``depth`` highest blocks and return them.

        Their transactions return to the pool; with ``orphans="drop"`` they are dropped.
        """
        self._check_depth(depth, orphans)
        removed = self._blocks.pop(depth)
        self._branch += 1
        transactions = list(concatenated.from_iterable(block.transactions for block in removed))
        self._ledger.rewind(transactions, self.head.number)
        if orphans == "drop":
            self._pool.clear_next_nonces()
        else:
            # Without system transactions: the chain makes new ones for each block.
            self._pool.put_back(tx for tx in transactions if not tx.system)
        return removed

    def reorg(self, depth: int, orphans: Orphans = "pool", *, length: int | None = None) -> Reorg:
        """Replace the ``depth`` highest blocks by another branch.

        Args:
            depth: Number of blocks to remove.
            orphans: ``pool``: the new blocks are empty and the transactions return to the pool.
                ``drop``: the new blocks are empty and the transactions are dropped. ``move``:
                the transactions are mined again in the new branch, a block later.
            length: Number of blocks to add. Default: ``depth + 1``. With fewer than ``depth``,
                the head falls.
        """
        length = depth + 1 if length is None else length
        _check_minimum(1, "the length of the new branch", length)
        removed = self.rollback(depth, orphans)
        if orphans == "move":
            start = [self._append([])] if length > 1 else []
            added = start + self.mine(length - len(start))
        else:
            added = [self._append([]) for _ in range(length)]
        return Reorg(tuple(removed), tuple(added))

    def fork(
        self, depth: int, orphans: Orphans = "pool", *, length: int = 1, grows: bool = False
    ) -> "Chain":
        """Start a branch ``depth`` blocks below the head and return it; this chain stays as it is.

        The branch is a chain of its own, at the next index of ``forks``. Each transaction that
        is added to this chain is added to the branch, too.

        Args:
            depth: Number of blocks of this chain that the branch does not have; all but block
                0 at most.
            orphans: What happens to the transactions in those blocks: see `rollback`.
            length: Number of blocks that the branch has in their place; with 0 it is only
                shorter.
            grows: Whether the branch mines a block whenever this chain does.
        """
        other = self._copy()
        if depth:
            other.rollback(depth, orphans)
        other._branch = int(digest("fork", self._branch, len(self.forks), self.head.hash)[:16], 16)
        other._highest = other.head.number
        return self._add_fork(other, length, grows)

    def reset(self, length: int = 0, *, grows: bool = False) -> "Chain":
        """Start a chain with the same chain id and another block 0; add it to ``forks``."""
        other = self._copy()
        first = self._blocks.at(0)
        assert first is not None  # noqa: S101 - block 0 always exists
        renamed = digest("reset", first.hash, len(self.forks))
        other._start_at(replace(first, hash=renamed))
        return self._add_fork(other, length, grows)

    def _copy(self) -> "Chain":
        other = copy(self)
        other._blocks, other._pool = self._blocks.copy(), self._pool.copy()
        other._ledger, other._watchers, other.forks = self._ledger.copy(), [], []
        return other

    def _add_fork(self, fork: "Chain", length: int, grows: bool) -> "Chain":
        self.forks.append(fork)
        if length:
            fork.mine(length)
        if grows:
            self.watch(fork._mine_with)
        return fork

    def _mine_with(self, block: Block) -> None:
        del block
        self.mine()

    def _child(self, transactions: Sequence[Transaction], reverted: Mapping[str, str]) -> Block:
        head, number = self.head, self._next_number()
        return head.child(
            transactions,
            reverted,
            interval=int(number * self.interval) - int(head.number * self.interval),
            branch=self._branch,
            skipped=number - head.number - 1,
        )

    def _next_number(self) -> int:
        number = self.head.number + 1 + self._skipped
        while self.rules.is_null_round(number):
            number += 1
        return number

    def _append(self, transactions: Sequence[Transaction]) -> Block:
        system = [transaction.on(self.head, self.chain_id) for transaction in self.rules.system]
        transactions = [*system, *transactions]
        block = self._child(transactions, self._execute(transactions))
        self._skipped = 0
        self._blocks.push(block)
        self._pool.remove(transactions)
        for item in concatenated.from_iterable(tx.authorizations for tx in transactions):
            self._pool.remove_used(item.authority, self.nonce(item.authority))
        self._highest = max(self._highest, block.number)
        for watcher in tuple(self._watchers):
            watcher(block)
        return block

    def _next_transactions(self) -> list[Transaction]:
        return self._pool.next_block(self._ledger.nonce, self.base_fee, self.gas_limit)

    def _execute(self, transactions: Sequence[Transaction]) -> dict[str, str]:
        """Update the accounts and return the revert reasons by transaction hash."""
        reverted = {}
        height = self._next_number()
        for tx in transactions:
            reason = self._reverts.get(tx.hash)
            moved = self._ledger.execute(tx, height, self.base_fee, reverts=reason is not None)
            if not moved:
                reverted[tx.hash] = "insufficient balance" if reason is None else reason
        return reverted

    def _pending(self, tx_hash: str) -> Transaction:
        tx = self._pool.get(tx_hash)
        if tx is None:
            raise ChainError(f"no transaction {tx_hash} in the pool")
        return tx

    def _check_depth(self, depth: int, orphans: Orphans) -> None:
        if orphans not in ORPHANS:
            raise ChainError(f"orphans must be one of {ORPHANS}, got {orphans!r}")
        if not 1 <= depth <= self.depth:
            raise ChainError(
                f"depth must be 1 to {self.depth} (block 0 cannot be removed), got {depth}"
            )


def _check_minimum(minimum: int, name: str, value: int) -> None:
    if value < minimum:
        raise ChainError(f"{name} must be at least {minimum}, got {value}")
