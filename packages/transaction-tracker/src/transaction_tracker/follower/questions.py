"""Questions about single transactions: the new ones, the old ones in turn, the doubtful ones."""

import asyncio
import time
from collections.abc import Collection

from beamish import telemetry
from transaction_tracker.domain import (
    Absent,
    Chain,
    Late,
    Observation,
    Policy,
    Refused,
    Seen,
    Sighting,
    Tracked,
    Vanished,
)
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.records import Records
from transaction_tracker.sources import ChainSource, Consensus
from transaction_tracker.store import Book, Step

# New transactions in one look-up: with the head, one batch of a hundred calls at most.
_FRESH = 49
# What a question about an old one takes: the transaction, its receipt, its sender's nonce.
_CALLS_EACH = 3
# About as many as fit in one request: the next batch can be some blocks away.
_LATE_AT_ONCE = 33
# How long to wait with a deadline that has come, when nothing certain can be said.
_LATE_AGAIN_SECONDS = 15.0
# A single provider must say twice that no block has a transaction whose deadline has passed.
_TELL_TWICE_SECONDS = 1.0


class Questions:
    """Asks the source about single transactions, and stores what the answers change.

    Args:
        source: Whom to ask.
        book: The open transactions.
        evidence: Makes facts of answers.
        records: Makes transitions of facts.
        policy: When a missing transaction is doubtful.
        budget: Calls that one sweep may make, all in one batch.
    """

    def __init__(
        self,
        source: ChainSource,
        book: Book,
        evidence: Evidence,
        records: Records,
        policy: Policy,
        budget: int,
    ) -> None:
        self._source = source
        self._book = book
        self._evidence = evidence
        self._records = records
        self._policy = policy
        self._each_sweep = max(1, (budget - 1) // _CALLS_EACH)
        # Kept in memory only: a restart starts these again.
        self._refused: dict[str, Sighting] = {}
        self._told_once: set[str] = set()
        records.on_end(self._forget)

    async def fresh(self, chain: Chain) -> None:
        """Ask about new transactions, as many as one look-up takes."""
        await self._ask(self._records.sweep.take_fresh(_now(), _FRESH), chain, at_once=False)

    async def due(self, chain: Chain) -> None:
        """Ask about those whose turn it is, in one request."""
        ids = self._records.sweep.take_due(_now(), self._fitting(self._each_sweep))
        await self._ask(ids, chain, at_once=True)
        telemetry.execute(
            ("transaction_tracker", "sweep"),
            {"asked": len(ids), "age_seconds": self._records.sweep.age(_now())},
            {},
        )

    def _fitting(self, most: int) -> int:
        """Return how many transactions fit in one request; one, where batches are refused."""
        fitting = (self._source.calls_per_request - 1) // _CALLS_EACH
        return max(1, min(most, fitting))

    @property
    def has_late(self) -> bool:
        """Whether a deadline has come."""
        return self._records.deadlines.is_due(time.time())

    async def late(self, chain: Chain) -> None:
        """Ask about those whose deadline has come, in one request to each provider.

        They expire if no block has them.
        """
        ids = self._records.deadlines.take_due(time.time(), self._fitting(_LATE_AT_ONCE))
        for key in ids:
            # For the case that nothing comes of it now: a transition would cancel it.
            self._records.deadlines.ask_again(key, time.time() + _LATE_AGAIN_SECONDS)
        await self._ask(ids, chain, at_once=True)

    async def _ask(self, ids: Collection[str], chain: Chain, *, at_once: bool) -> None:
        slots = self._slots(ids)
        if not slots or chain.tip is None:
            return
        facts = await self._evidence.of_transactions(slots, chain, at_once=at_once)
        for key in slots:
            if _refusal(facts.get(key, ())) is None:
                self._refused.pop(key, None)
        doubtful = [key for key in facts if self._is_doubtful(key, facts[key], chain)]
        if doubtful:
            facts |= await self._agreed(doubtful, facts, chain)
        await self._records.commit(Step(self._source.name, await self._records.decide(facts)))

    def _forget(self, transaction: str) -> None:
        """Forget answers about a transaction that has ended: it can be registered again."""
        self._refused.pop(transaction, None)
        self._told_once.discard(transaction)

    def _slots(self, ids: Collection[str]) -> dict[str, str | None]:
        known = {key: self._book.get(key) for key in ids}
        return {key: one.slot for key, one in known.items() if one is not None}

    def _is_doubtful(self, key: str, observations: tuple[Observation, ...], chain: Chain) -> bool:
        """Say whether one answer is not enough: what follows from it could be an end."""
        tracked = self._book.get(key)
        if tracked is None or len(observations) > 1 or chain.tip is None:
            return False
        answer = observations[0]
        if isinstance(answer, Refused):
            return True
        if isinstance(answer, Absent) and self._is_long_missing(tracked, chain.tip.number):
            return True
        return isinstance(answer, Seen | Absent) and _is_late(tracked)

    def _is_long_missing(self, tracked: Tracked, height: int) -> bool:
        since = tracked.missing_since
        if tracked.state != "missing" or since is None:
            return False
        return self._has_lasted(since, height)

    def _has_lasted(self, since: Sighting, height: int) -> bool:
        return (
            height - since.height >= self._policy.drop_blocks
            and time.time() - since.time >= self._policy.drop_seconds
        )

    async def _agreed(self, ids: Collection[str], facts: Facts, chain: Chain) -> Facts:
        """Ask everybody, and add what all agree about to what one provider said."""
        height = -1 if chain.tip is None else chain.tip.number
        asked = set(ids) - self._evidence.in_recent_blocks(ids)
        enough = self._evidence.height_to_ask(chain)
        agreed = await self._source.consensus(self._slots(asked), enough) if asked else {}
        more: Facts = {}
        for key in ids:
            more[key] = await self._judged(key, facts[key], agreed.get(key), chain, height)
        return more

    async def _judged(
        self,
        key: str,
        told: tuple[Observation, ...],
        consensus: Consensus | None,
        chain: Chain,
        height: int,
    ) -> tuple[Observation, ...]:
        """Return what follows for one transaction from what all providers said."""
        refusal, now = _refusal(told), time.time()
        if refusal is not None:
            if self._is_refused(key, consensus, height):
                return (refusal,)
            # By itself, what one provider refuses is not a fact; what all say is one.
            told = ()
        if consensus is None or consensus.kind == "refused":
            return told
        if consensus.kind == "nonce-used":
            slot = self._slots([key]).get(key)
            taken = await self._evidence.of_winner(key, slot, chain) if slot else ()
            if taken is None:
                return told
            if taken:
                return taken
        gone = consensus.kind in ("absent", "nonce-used")
        vanished = (Vanished(height, now, nonce_used=consensus.kind == "nonce-used"),)
        late = (Late(now),) if self._is_told_enough(key, consensus) else ()
        return (*told, *(vanished if gone else ()), *late)

    def _is_refused(self, key: str, consensus: Consensus | None, height: int) -> bool:
        """Return whether a refusal is certain: all providers have told it, and for long.

        Several addresses can be one node farm: that they agree at one moment is not enough.
        """
        if consensus is None or consensus.kind != "refused":
            self._refused.pop(key, None)
            return False
        since = self._refused.setdefault(key, Sighting(height, time.time()))
        return self._has_lasted(since, height)

    def _is_told_enough(self, key: str, consensus: Consensus) -> bool:
        """Return whether a deadline counts: told by several providers, or by one twice."""
        tracked = self._book.get(key)
        if tracked is None or not _is_late(tracked) or consensus.providers > 1:
            return True
        if key in self._told_once:
            self._told_once.discard(key)
            return True
        self._told_once.add(key)
        self._records.deadlines.ask_again(key, time.time() + _TELL_TWICE_SECONDS)
        return False


def _refusal(observations: tuple[Observation, ...]) -> Refused | None:
    return next((one for one in observations if isinstance(one, Refused)), None)


def _is_late(tracked: Tracked) -> bool:
    return tracked.deadline is not None and time.time() >= tracked.deadline


def _now() -> float:
    return asyncio.get_running_loop().time()
