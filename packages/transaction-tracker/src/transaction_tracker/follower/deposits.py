"""Deposits to watched addresses: found in blocks before these are applied."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beamish import GenServer, telemetry
from transaction_tracker.domain import (
    BlockRef,
    Deposit,
    DepositRules,
    Event,
    Included,
    Outcome,
    Paid,
    PassedOver,
    Policy,
    Required,
    Tracked,
    decide,
)
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.sources import (
    ChainSource,
    DepositSource,
    FetchedBlock,
    SourceError,
    Unreadable,
    watches_addresses,
)
from transaction_tracker.store import FoundDeposits, OpenTransactions
from transaction_tracker.store.addresses.table import WatchedAddresses

# A block whose transfers no provider sends holds the chain up for as long.
PATIENCE_SECONDS = 60.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


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


@dataclass(frozen=True, slots=True)
class CheckTransfers:
    """Message to the checker of transfers: an applied block, and what the followed provider said.

    Attributes:
        block: The block.
        known: Transaction, address and token of each payment in it.
        attempts: How often another provider was asked without an answer.
    """

    block: BlockRef
    known: frozenset[tuple[str, str, str | None]] = frozenset()
    attempts: int = 0


class Deposits:
    """Finds payments to watched addresses, and decides which of them are tracked.

    Args:
        source: The source.
        open_transactions: The transactions that are not final, and the addresses.
        rules: Which payments become tracked transactions.
        required: What makes their states final, if their address says nothing else.
        policy: Time limits for transactions in no block, and rules about confirmations.
        shard: The shard that this service is, if it is one of several. Each of them reads each
            block, and tracks the deposits whose transactions belong to it.
        checker: Name of the process that compares the transfers of applied blocks with those of
            another provider. Default: none does.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        rules: DepositRules,
        required: Required,
        policy: Policy,
        shard: Shard | None = None,
        checker: str | None = None,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._rules = rules
        self._required: Required = required
        self._policy = policy
        self._shard = shard
        self._checker = checker
        # The first block whose transfers no provider sends, and since when.
        self._failing: tuple[str, float] | None = None

    @property
    def addresses(self) -> WatchedAddresses:
        """The watched addresses."""
        return self._open_transactions.addresses

    @property
    def tokens(self) -> tuple[str, ...]:
        """Contracts of the accepted tokens."""
        return self._rules.tokens

    async def find(
        self, blocks: Sequence[FetchedBlock], watched: Collection[str] | None = None
    ) -> PathDeposits:
        """Return the payments in some blocks.

        Args:
            blocks: The blocks.
            watched: The addresses. Default: all watched addresses.

        Raises:
            SourceError: The transfers of a block cannot be read from any provider.
        """
        if not watches_addresses(self._source):
            return PathDeposits()
        known = self._open_transactions.addresses
        version = known.version  # before the first wait: addresses can be added meanwhile
        chosen = known if watched is None else watched
        if not chosen or not blocks:
            return PathDeposits(version)
        tokens, unread = self._rules.tokens, frozenset[str]()
        try:
            found = await self._source.payments(blocks, chosen, tokens)
        except SourceError:
            if watched is not None or not self._is_given_up(blocks[0]):
                raise
            found, unread = await self._readable(self._source, blocks, chosen)
        self._failing = None
        judged = {key: self.judged(paid) for key, paid in found.items()}
        return PathDeposits(version, judged, unread)

    def _is_given_up(self, block: FetchedBlock) -> bool:
        """Return whether the transfers of a block could not be read for long."""
        now = asyncio.get_running_loop().time()
        if self._failing is None or self._failing[0] != block.link.hash:
            self._failing = block.link.hash, now
        return now - self._failing[1] >= PATIENCE_SECONDS

    async def _readable(
        self, source: DepositSource, blocks: Sequence[FetchedBlock], watched: Container[str]
    ) -> tuple[dict[str, Paid], frozenset[str]]:
        """Return the payments without the transfers that nobody sends, and the blocks of these.

        One block must not stop the chain and all transactions on it. It is searched later.
        """
        found: dict[str, Paid] = {}
        unread: set[str] = set()
        for block in blocks:
            try:
                found |= await source.payments([block], watched, self._rules.tokens)
            except SourceError as error:
                found |= await source.payments([block], watched, ())
                unread.add(block.link.hash)
                logger.error(
                    "block %d (%s) is applied without its token transfers, which are searched "
                    "later: %s",
                    *(block.link.number, block.link.hash, error),
                )
        return found, frozenset(unread)

    def judged(self, paid: Paid) -> BlockDeposits:
        """Return the payments of this shard that reach the minimum, and count the others."""
        kept: dict[str, tuple[Deposit, ...]] = {}
        below: Counter[str] = Counter()
        for transaction, deposits in paid.items():
            if self._shard is not None and not self._shard.owns(transaction):
                continue
            accepted = tuple(each for each in deposits if self._rules.accepts(each))
            below.update(each.address for each in deposits if not self._rules.accepts(each))
            if accepted:
                kept[transaction] = accepted
        return BlockDeposits(kept, below)

    async def undisputed(
        self, block: FetchedBlock, included: Mapping[str, Included], own: Container[str]
    ) -> Mapping[str, Included]:
        """Return the facts without failures that another provider denies.

        A failed payment is passed over. One provider alone must not hide a deposit in this way: a
        payment whose failure is disputed is tracked, and all providers are asked about it.

        Args:
            block: The block.
            included: Facts about transactions of the block that pay, by their id in it.
            own: Ids of transactions that are tracked already.

        Raises:
            SourceError: No provider is healthy.
        """
        failed = {key for key, fact in included.items() if key not in own and _has_failed(fact)}
        disputed = await self.disputed({block.link.ref: failed} if failed else {})
        return {key: fact for key, fact in included.items() if key not in disputed}

    async def disputed(self, failed: Mapping[BlockRef, Collection[str]]) -> frozenset[str]:
        """Return which failed transactions have succeeded by the receipt of another provider.

        Args:
            failed: The transactions, by block.

        Raises:
            SourceError: No provider is healthy.
        """
        if not failed or not watches_addresses(self._source):
            return frozenset()
        return await self._source.succeeded_elsewhere(failed)

    def applied(self, found: PathDeposits, blocks: Iterable[FetchedBlock]) -> None:
        """Have the transfers of applied blocks compared with those of another provider.

        Args:
            found: The payments.
            blocks: The blocks.
        """
        if self._checker is None or not self.tokens or not self.addresses:
            return
        for block in blocks:
            if block.ids and block.link.hash not in found.unread:
                known = frozenset(
                    (transaction, each.address, each.token)
                    for transaction, deposits in found.of(block).paid.items()
                    for each in deposits
                )
                GenServer.cast(self._checker, CheckTransfers(block.link.ref, known))

    def step(
        self,
        found: PathDeposits,
        blocks: Sequence[FetchedBlock],
        own: Mapping[str, str],
        included: Mapping[str, Included],
    ) -> FoundDeposits | None:
        """Return what the store must know about the deposits of blocks that are applied together.

        Args:
            found: The payments.
            blocks: The blocks; only the last one has payments that are tracked.
            own: Open transactions in the last block, each with its id in it.
            included: Facts about transactions of the last block that pay, by their id in it. A
                transaction without a fact is asked about again: its result is not known yet.
        """
        if found.version is None:
            return None
        passed_over: Counter[tuple[str, PassedOver]] = Counter()
        for block in blocks:
            for address, count in found.of(block).below.items():
                passed_over[address, "below_minimum"] += count
        paid: dict[str, tuple[Deposit, ...]] = {}
        new: dict[str, tuple[Deposit, ...]] = {}
        ids = set(own.values())
        for transaction, deposits in found.of(blocks[-1]).paid.items() if blocks else ():
            if transaction in ids:
                # Also a failed one: its event says that it pays nothing. Without the deposits, a
                # later event could not say that it has succeeded after all.
                paid |= {key: deposits for key, id_ in own.items() if id_ == transaction}
            elif _has_failed(included.get(transaction)):
                passed_over.update((each.address, "failed") for each in deposits)
            else:
                paid[transaction] = new[transaction] = deposits
        return FoundDeposits(
            found.version,
            paid,
            *self._requirements(new),
            self._keys(own) if self._open_transactions.addresses.version else frozenset(),
            passed_over,
            self._rules.max_open,
            unread=tuple(block.link.number for block in blocks if block.link.hash in found.unread),
        )

    def searched(
        self,
        found: PathDeposits,
        blocks: Sequence[FetchedBlock],
        outcomes: Mapping[str, Mapping[str, Outcome | Unreadable | None]],
        disputed: Container[str] = (),
    ) -> FoundDeposits:
        """Return what the store must know about deposits in old blocks.

        Args:
            found: The payments.
            blocks: The blocks.
            outcomes: Outcomes of transactions that pay, by the hash of their block. One without an
                outcome is tracked: the answers about it decide.
            disputed: Failed transactions that succeeded by another provider: they are tracked.
        """
        paid: dict[str, tuple[Deposit, ...]] = {}
        passed_over: Counter[tuple[str, PassedOver]] = Counter()
        for block in blocks:
            of_block, failed = found.of(block), failed_in([block], outcomes)
            for address, count in of_block.below.items():
                passed_over[address, "below_minimum"] += count
            for transaction, deposits in of_block.paid.items():
                if transaction not in disputed and transaction in failed.get(block.link.ref, ()):
                    passed_over.update((each.address, "failed") for each in deposits)
                else:
                    paid[transaction] = deposits
        return replace(self.added(paid), version=found.version or 0, passed_over=passed_over)

    def added(self, paid: Paid) -> FoundDeposits:
        """Return what the store must know about deposits that are added to those of a block."""
        required, asked = self._requirements(paid)
        return FoundDeposits(
            paid=paid, required=required, asked=asked, max_open=self._rules.max_open, adds=True
        )

    def _requirements(self, paid: Paid) -> tuple[dict[str, Required], frozenset[str]]:
        """Return what makes the states of transactions final, and where an address says it."""
        required: dict[str, Required] = {}
        asked: set[str] = set()
        for key, deposits in paid.items():
            own = self._own_required(deposits)
            required[key] = self._required if own is None else own
            if own is not None:
                asked.add(key)
        return required, frozenset(asked)

    def _own_required(self, deposits: Iterable[Deposit]) -> Required | None:
        """Return what the first address says that says something."""
        for each in deposits:
            own = self._open_transactions.addresses.required(each.address)
            if own is not None:
                return own
        return None

    def events(
        self, found: FoundDeposits | None, included: Mapping[str, Included]
    ) -> tuple[Event, ...]:
        """Return the events of the transactions that are tracked from this block on.

        Only that the block contains them: their ends are decided once they are stored, like those
        of all others.
        """
        if found is None:
            return ()
        events: list[Event] = []
        for transaction, required in found.required.items():
            if transaction in included:
                tracked = Tracked(
                    transaction,
                    required,
                    source=self._source.name,
                    required_by=found.required_by(transaction),
                )
                events += decide(tracked, (included[transaction],), self._policy)
        return tuple(events)

    def _keys(self, own: Iterable[str]) -> frozenset[str]:
        found = map(self._open_transactions.get, own)
        return frozenset(tracked.key for tracked in found if tracked is not None)


def _has_failed(fact: Included | None) -> bool:
    return fact is not None and fact.outcome is not None and not fact.outcome.succeeded


def failed_in(
    blocks: Iterable[FetchedBlock],
    outcomes: Mapping[str, Mapping[str, Outcome | Unreadable | None]],
) -> dict[BlockRef, set[str]]:
    """Return which transactions of some blocks failed.

    Args:
        blocks: The blocks.
        outcomes: Outcomes of transactions, by the hash of their block.
    """
    found = {
        block.link.ref: {
            key
            for key, outcome in outcomes.get(block.link.hash, {}).items()
            if isinstance(outcome, Outcome) and not outcome.succeeded
        }
        for block in blocks
    }
    return {block: failed for block, failed in found.items() if failed}


def count_deposits(found: FoundDeposits | None, tracked: int, source: str) -> None:
    """Count the deposits of applied blocks.

    Args:
        found: The deposits.
        tracked: Number of transactions that are tracked because of them.
        source: Name of the source in the database.
    """
    if found is None or not (tracked or found.passed_over):
        return
    facts = {"source": source}
    by_reason: Counter[str] = Counter()
    for (_, reason), number in found.passed_over.items():
        by_reason[reason] += number
    numbers = {"tracked": tracked, **by_reason}
    telemetry.execute(("transaction_tracker", "deposits"), numbers, facts)
