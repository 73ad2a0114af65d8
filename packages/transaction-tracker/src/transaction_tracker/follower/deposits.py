"""Deposits to watched addresses: found in blocks before these are applied."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from beamish import GenServer
from transaction_tracker.domain import (
    BlockRef,
    Deposit,
    DepositRules,
    Included,
    Paid,
    Policy,
    Required,
)
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.follower.deposit_steps import (
    BlockDeposits,
    DepositSteps,
    PathDeposits,
    has_failed,
)
from transaction_tracker.sources import (
    ChainSource,
    DepositSource,
    FetchedBlock,
    SourceError,
    watches_addresses,
)
from transaction_tracker.store import OpenTransactions
from transaction_tracker.store.addresses.table import WatchedAddresses

# A block whose transfers no provider sends holds the chain up for as long.
PATIENCE_SECONDS = 60.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


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
    """Finds payments to watched addresses by asking the source.

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

    Attributes:
        steps: Makes what the store must know of the payments that were found.
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
        self._shard = shard
        self._checker = checker
        self.steps: DepositSteps = DepositSteps(
            source, open_transactions, rules.max_open, required, policy
        )
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
        failed = {key for key, fact in included.items() if key not in own and has_failed(fact)}
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
