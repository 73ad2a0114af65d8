"""The chain: accounts, pool, blocks, reorgs. Pure: no clock, no sockets, no chance.

The same calls on two chains with the same seed give the same hashes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain as concatenated
from typing import Literal, get_args

from txtrack_devnode.admission import refusal
from txtrack_devnode.block import Block, genesis
from txtrack_devnode.blocks import Blocks, Mined
from txtrack_devnode.hashing import address, digest
from txtrack_devnode.ledger import Ledger
from txtrack_devnode.pool import Pool
from txtrack_devnode.rules import ChainRules
from txtrack_devnode.transaction import Authorization, Replacement, Transaction

GWEI = 10**9
ETHER = 10**18
ETHEREUM = ChainRules()

Orphans = Literal["pool", "drop", "move"]
ORPHANS: tuple[Orphans, ...] = get_args(Orphans)


class ChainError(ValueError):
    """The chain refuses what it is asked to do."""


@dataclass(frozen=True, slots=True)
class Reorg:
    """Blocks that a reorg took out and put in, lowest first."""

    removed: tuple[Block, ...]
    added: tuple[Block, ...]


class Chain:
    """A chain of one node that mines when told to.

    Args:
        chain_id: What ``eth_chainId`` answers.
        seed: Anything printable; it decides every hash and address.
        accounts: How many development accounts exist, each with a billion ether.
        genesis_time: Unix time of block 0.
        interval: Seconds from one block's timestamp to the next one's, which are whole: with less
            than 1, several blocks have the same.
        base_fee: Base fee of every block in wei: a transaction that offers less stays pending.
        gas_limit: Gas limit of a block; the default holds 47,000 transfers.
        safe_distance: Blocks from the head down to the ``safe`` one.
        finalized_distance: Blocks from the highest head so far down to the ``finalized`` one.
        rules: What the chain does differently from Ethereum.

    Attributes:
        forks: Branches that some nodes are on (see ``fork``), which hear of each transaction too.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31337,
        seed: object = 0,
        accounts: int = 10,
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
        self.accounts = tuple(address("account", seed, index) for index in range(accounts))
        self._senders = frozenset(self.accounts)
        self.base_fee = base_fee
        self.gas_limit = gas_limit
        self.interval = interval
        self._distances = safe_distance, finalized_distance
        self._reverts: dict[str, str] = {}
        self._watchers: list[Callable[[Block], None]] = []
        self._submitted = 0
        self._skipped = 0
        self._begin(
            genesis(
                chain_id=chain_id,
                seed=seed,
                timestamp=genesis_time,
                base_fee=base_fee,
                gas_limit=gas_limit,
            )
        )

    def _begin(self, first: Block) -> None:
        self._blocks = Blocks(first)
        self._pool = Pool()
        self._ledger = Ledger(self.accounts, endowment=10**9 * ETHER)
        self._branch = 0
        self._highest = 0

    # What is there

    @property
    def head(self) -> Block:
        """The highest block."""
        return self._blocks.head

    @property
    def highest(self) -> int:
        """Height of the highest head so far: a rollback leaves it."""
        return self._highest

    @property
    def safe(self) -> int:
        """Height of the ``safe`` block."""
        return self.finality(self.head.number, self._highest)[0]

    @property
    def finalized(self) -> int:
        """Height of the ``finalized`` block: never falls, except with the head itself."""
        return self.finality(self.head.number, self._highest)[1]

    @property
    def depth(self) -> int:
        """How many blocks are on top of block 0: the head's number, less null rounds."""
        return self._blocks.depth

    def finality(self, head: int, highest: int) -> tuple[int, int]:
        """Work out the heights of the ``safe`` and the ``finalized`` block under a head."""
        finalized = min(head, max(0, highest - self._distances[1]))
        return max(finalized, head - self._distances[0]), finalized

    def block(self, number: int) -> Block | None:
        """Find the canonical block at a height; ``None`` in a null round, too."""
        return self._blocks.at(number)

    def block_by_hash(self, block_hash: str) -> Block | None:
        """Find a block; those that reorgs threw out are still known, as on real nodes."""
        return self._blocks.by_hash(block_hash)

    def is_canonical(self, block: Block) -> bool:
        """Say whether ``block`` is part of the chain that ends at the head."""
        return self.block(block.number) is block

    def is_account(self, address: str) -> bool:
        """Return whether this is one of ``accounts``, which can send."""
        return address in self._senders

    def mined(self, tx_hash: str) -> Mined | None:
        """Find a transaction in the canonical chain."""
        return self._blocks.mined(tx_hash)

    def pending(self, tx_hash: str) -> Transaction | None:
        """Find a transaction in the pool."""
        return self._pool.get(tx_hash)

    @property
    def pool(self) -> tuple[Transaction, ...]:
        """Everything that waits, also what cannot be mined yet."""
        return tuple(self._pool)

    def nonce(self, address: str, height: int | None = None) -> int:
        """Count the mined transactions of ``address`` up to ``height``, or to the head."""
        return self._ledger.nonce(address, height)

    def pending_nonce(self, address: str) -> int:
        """Tell the nonce that the next transaction of ``address`` would get."""
        return self._pool.next_nonce(address, self._ledger.nonce(address))

    def balance(self, address: str, height: int | None = None) -> int:
        """Tell what ``address`` owns, in wei."""
        return self._ledger.balance(address, height)

    def pending_block(self) -> Block:
        """Build the block that would be mined now, without mining it."""
        return self._child(self._fill(), {})

    def watch(self, watcher: Callable[[Block], None]) -> Callable[[], None]:
        """Call ``watcher`` with each block that becomes the head; return what ends that.

        A rollback puts no block on top, so nobody is called, as on real development nodes.
        """
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    # What happens to transactions

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
        """Put a new transaction into the pool; with ``reverts``, that is how it will end.

        Each of the ``authorizations`` uses up a nonce of another account when it is mined.
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
        """Put a transaction into the pool; it may have been there, or in a block, before.

        Raises:
            ChainError: The words are those of real nodes: ``nonce too low`` and so on.
        """
        if (reason := refusal(self, tx)) is not None:
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
        """Put another transaction into the slot of one that waits, and return it.

        ``repriced`` is the same with higher fees, ``cancelled`` sends nothing to the sender
        itself, ``replaced`` moves another amount. The node then forgets the first one.
        """
        waiting = self._waiting(tx_hash)
        if not waiting.ordered:
            raise ChainError("this chain has no account nonces: nothing can be replaced")
        replacement = waiting.replacement(kind)
        self.add(replacement)
        return replacement

    def revert(self, tx_hash: str, reason: str | None) -> None:
        """Decide that a transaction reverts when it is mined, or that it succeeds (``None``).

        A mined one changes its fate if a reorg makes it be mined again.
        """
        if self.mined(tx_hash) is None:
            self._waiting(tx_hash)
        if reason is None:
            self._reverts.pop(tx_hash, None)
        else:
            self._reverts[tx_hash] = reason

    def drop(self, tx_hash: str) -> bool:
        """Forget a waiting transaction; ``False`` if none has this hash."""
        return self._pool.drop(tx_hash)

    # What happens to blocks

    def mine(self, count: int = 1) -> list[Block]:
        """Mine ``count`` blocks from what waits; the last ones may be empty."""
        _at_least(1, "the number of blocks", count)
        return [self._append(self._fill()) for _ in range(count)]

    def skip(self, count: int = 1) -> None:
        """Leave the next ``count`` numbers without a block: null rounds."""
        _at_least(1, "the count of numbers", count)
        self._skipped += count

    def rollback(self, depth: int, orphans: Orphans = "pool") -> list[Block]:
        """Take ``depth`` blocks off the head, put nothing in their place, and return them.

        Their transactions wait in the pool again, or with ``orphans="drop"`` are forgotten.
        """
        self._check_depth(depth, orphans)
        removed = self._blocks.pop(depth)
        self._branch += 1
        transactions = list(concatenated.from_iterable(block.transactions for block in removed))
        self._ledger.rewind(transactions, self.head.number)
        if orphans == "drop":
            self._pool.forget_nonces()
        else:
            # What the chain itself made for a block goes with that block.
            self._pool.put_back(tx for tx in transactions if not tx.system)
        return removed

    def reorg(self, depth: int, orphans: Orphans = "pool", *, length: int | None = None) -> Reorg:
        """Replace ``depth`` blocks by another branch of ``length`` blocks (one more, if left out).

        Args:
            depth: How many blocks go.
            orphans: ``pool``: the new blocks are empty and the transactions wait for the next
                ``mine``. ``drop``: the new blocks are empty and the transactions are forgotten.
                ``move``: the transactions are mined again in the new branch, a block later.
            length: How many blocks come; with fewer than ``depth`` the head falls.
        """
        length = depth + 1 if length is None else length
        _at_least(1, "the length of the new branch", length)
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
        """Return a branch that some nodes are on: it shares what is ``depth`` blocks below.

        This chain is not changed. The branch hears of each transaction that this chain hears of,
        mines on its own, and has its own number in ``forks``: 0 for the first.

        Args:
            depth: How many blocks of this chain it does not have; all but block 0 at most.
            orphans: What becomes of the transactions in those blocks: see ``rollback``.
            length: How many blocks it has in their place; with 0 it is only shorter.
            grows: Whether it mines a block whenever this chain does. Otherwise it is stuck.
        """
        other = self._copy()
        if depth:
            other.rollback(depth, orphans)
        other._branch = int(digest("fork", self._branch, len(self.forks), self.head.hash)[:16], 16)
        other._highest = other.head.number
        return self._start(other, length, grows)

    def reset(self, length: int = 0, *, grows: bool = False) -> "Chain":
        """Return a chain with this one's id and another genesis, as another of its ``forks``."""
        other = self._copy()
        first = self._blocks.at(0)
        assert first is not None  # noqa: S101 - block 0 always exists
        renamed = digest("reset", first.hash, len(self.forks))
        other._begin(replace(first, hash=renamed))
        return self._start(other, length, grows)

    def _copy(self) -> "Chain":
        other = copy(self)
        other._blocks, other._pool = self._blocks.copy(), self._pool.copy()
        other._ledger, other._watchers, other.forks = self._ledger.copy(), [], []
        return other

    def _start(self, fork: "Chain", length: int, grows: bool) -> "Chain":
        self.forks.append(fork)
        if length:
            fork.mine(length)
        if grows:
            self.watch(fork._mine_too)
        return fork

    def _mine_too(self, block: Block) -> None:
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
        made = [system.on(self.head, self.chain_id) for system in self.rules.system]
        transactions = [*made, *transactions]
        block = self._child(transactions, self._execute(transactions))
        self._skipped = 0
        self._blocks.push(block)
        self._pool.mined(transactions)
        for item in concatenated.from_iterable(tx.authorizations for tx in transactions):
            self._pool.forget_used(item.authority, self.nonce(item.authority))
        self._highest = max(self._highest, block.number)
        for watcher in tuple(self._watchers):
            watcher(block)
        return block

    def _fill(self) -> list[Transaction]:
        return self._pool.fitting(self._ledger.nonce, self.base_fee, self.gas_limit)

    def _execute(self, transactions: Sequence[Transaction]) -> dict[str, str]:
        """Change the accounts; tell which transactions reverted, and why."""
        reverted = {}
        height = self._next_number()
        for tx in transactions:
            reason = self._reverts.get(tx.hash)
            moved = self._ledger.execute(tx, height, self.base_fee, reverts=reason is not None)
            if not moved:
                reverted[tx.hash] = "insufficient balance" if reason is None else reason
        return reverted

    def _waiting(self, tx_hash: str) -> Transaction:
        tx = self._pool.get(tx_hash)
        if tx is None:
            raise ChainError(f"no transaction {tx_hash} waits in the pool")
        return tx

    def _check_depth(self, depth: int, orphans: Orphans) -> None:
        if orphans not in ORPHANS:
            raise ChainError(f"orphans must be one of {ORPHANS}, got {orphans!r}")
        if not 1 <= depth <= self.depth:
            raise ChainError(f"depth must be 1 to {self.depth} (block 0 stays), got {depth}")


def _at_least(least: int, what: str, value: int) -> None:
    if value < least:
        raise ChainError(f"{what} must be at least {least}, got {value}")
