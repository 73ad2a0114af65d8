"""Transactions that no provider returns readable data about: parked if that lasts."""

import asyncio
import logging
from dataclasses import dataclass

from beamish import telemetry
from transaction_tracker.sources import FetchedBlock, Unanswered, Unreadable
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import TransactionTracker

# During a reorganisation, or while an index lags, answers contradict each other for a short time.
MIN_ANSWERS = 3
MIN_SECONDS = 60.0
# A provider whose index is broken for a while refuses to answer about all transactions. That must
# not park them.
MIN_REFUSED_SECONDS = 900.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(slots=True)
class _Count:
    since: float
    answers: int = 0


class UnreadableTransactions:
    """Counts unusable answers in a row about each transaction.

    Kept in memory only: a restart starts the count again. Times are seconds of the caller's clock.

    Args:
        min_seconds: Seconds without a usable answer before a transaction is parked.
    """

    def __init__(self, min_seconds: float = MIN_SECONDS) -> None:
        self._min_seconds = min_seconds
        self._counts: dict[str, _Count] = {}

    def note(self, transaction: str, now: float) -> bool:
        """Count an unusable answer; return whether the transaction must be parked."""
        unusable = self._counts.setdefault(transaction, _Count(now))
        unusable.answers += 1
        if unusable.answers < MIN_ANSWERS or now - unusable.since < self._min_seconds:
            return False
        self.forget(transaction)
        return True

    def forget(self, transaction: str) -> None:
        """Start the count of a transaction again, after a readable answer or its end."""
        self._counts.pop(transaction, None)


class UnusableAnswers:
    """Parks the transactions about which no provider returns a usable answer for long.

    Args:
        open_transactions: The transactions that are not final, in memory.
    """

    def __init__(self, open_transactions: OpenTransactions) -> None:
        self._open_transactions = open_transactions
        self._unreadable = UnreadableTransactions()
        self._unanswered = UnreadableTransactions(MIN_REFUSED_SECONDS)

    def forget(self, key: str) -> None:
        """Forget the unusable answers about a transaction, after a usable one or its end."""
        self._unreadable.forget(key)
        self._unanswered.forget(key)

    async def note(self, key: str, answer: Unreadable | Unanswered) -> None:
        """Count an unusable answer, and park the transaction if that lasts."""
        counted = self._unanswered
        if isinstance(answer, Unreadable):
            _count("answer", 1)
            counted = self._unreadable
        tracked = self._open_transactions.get(key)
        if tracked is None or tracked.error is not None:
            return
        if counted.note(key, asyncio.get_running_loop().time()):
            logger.error("%s is parked: %s", key, answer.why)
            await TransactionTracker.park(tracked, answer.why)


def count_unreadable(block: FetchedBlock) -> None:
    """Count the parts of an applied block that could not be read."""
    if block.unreadable:
        _count("transaction", block.unreadable)
    if block.hashes_only:
        _count("block", 1)


def _count(kind: str, count: int) -> None:
    telemetry.execute(("transaction_tracker", "unreadable"), {"count": count}, {"kind": kind})
