"""Payments to watched addresses in blocks, and what the store must know of them."""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beamish import telemetry
from transaction_tracker.domain import (
    BlockRef,
    Deposit,
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
from transaction_tracker.sources import ChainSource, FetchedBlock, Unreadable
from transaction_tracker.store import FoundDeposits, OpenTransactions


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


class DepositSteps:
    """Makes the deposits of the steps that the store writes; asks nobody.

    Args:
        source: The source; only its name is used, which it has once it knows its chain.
        open_transactions: The transactions that are not final, and the addresses.
        max_open: Maximum number of open deposits of an address.
        required: What makes their states final, if their address says nothing else.
        policy: Time limits for transactions in no block, and rules about confirmations.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        max_open: int,
        required: Required,
        policy: Policy,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._max_open = max_open
        self._required: Required = required
        self._policy = policy

    def of_blocks(
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
            elif has_failed(included.get(transaction)):
                passed_over.update((each.address, "failed") for each in deposits)
            else:
                paid[transaction] = new[transaction] = deposits
        return FoundDeposits(
            found.version,
            paid,
            *self._requirements(new),
            self._keys(own) if self._open_transactions.addresses.version else frozenset(),
            passed_over,
            self._max_open,
            unread=tuple(block.link.number for block in blocks if block.link.hash in found.unread),
        )

    def of_search(
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
            paid=paid, required=required, asked=asked, max_open=self._max_open, adds=True
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


def has_failed(fact: Included | None) -> bool:
    """Return whether a fact says that its transaction failed."""
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
