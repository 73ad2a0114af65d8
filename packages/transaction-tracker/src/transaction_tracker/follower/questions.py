"""Questions about single transactions: the new ones, the old ones in turn, the doubtful ones."""

import asyncio
import logging
import time
from collections.abc import Collection

from beamish import telemetry
from transaction_tracker.domain import (
    TAGS,
    Absent,
    Chain,
    Late,
    Observation,
    Policy,
    Refused,
    Seen,
    Sighting,
    Tag,
    Tracked,
    Vanished,
)
from transaction_tracker.follower.evidence import Evidence, Facts
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.searches import Searches
from transaction_tracker.follower.undecided import Undecided
from transaction_tracker.sources import (
    ChainSource,
    Consensus,
    NotYetError,
    RateLimitedError,
    SourceError,
)
from transaction_tracker.store import OpenTransactions, Step

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
# From then on, the followed provider is not believed alone that a transaction is in no block.
_DOUBTED_SECONDS = 60.0
_NO_ANSWER = "no provider tells for certain whether a block has it"

logger = logging.getLogger("transaction_tracker")


class Questions:
    """Asks the source about single transactions, and stores what the answers change.

    Args:
        source: Whom to ask.
        open_transactions: The transactions that are not final, in memory.
        evidence: Makes facts of answers.
        records: Makes transitions of facts.
        policy: When a missing transaction is doubtful.
        undecided: Where transactions are noted whose end cannot be decided.
        budget: Calls that one sweep may make, all in one batch.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        evidence: Evidence,
        records: Records,
        policy: Policy,
        undecided: Undecided,
        budget: int,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._evidence = evidence
        self._records = records
        self._policy = policy
        self._each_sweep = max(1, (budget - 1) // _CALLS_EACH)
        # Kept in memory only: a restart starts these again.
        self._refused: dict[str, Sighting] = {}
        self._told_once: set[str] = set()
        self._searches = Searches()
        self._undecided = undecided
        records.on_end(self._forget)

    def note_tags(self, told: Collection[Tag]) -> None:
        """Note the transactions that wait for a tag whose block the provider does not tell.

        Args:
            told: The tags whose blocks it told with its head.
        """
        agenda = self._records.agenda
        waiting = {key: tag for tag in TAGS if tag not in told for key in agenda.waiting_for(tag)}
        for key in self._undecided.transactions("tag"):
            if key not in waiting:
                self._undecided.forget(key, "tag")
        for key, tag in waiting.items():
            reason = f"it waits for the {tag} block, which the followed provider does not tell"
            self._undecided.note(key, reason, "tag")
        self._undecided.report()

    async def fresh(self, chain: Chain) -> None:
        """Ask about new transactions, as many as one look-up takes."""
        await self._ask(self._records.sweep.take_fresh(_now(), _FRESH), chain, at_once=False)

    async def due(self, chain: Chain) -> None:
        """Ask about those whose turn it is, in one request, or one to each of two providers.

        One of the others is asked about those that have been pending for long.
        """
        self._review()
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
        doubted = [key for key in slots if self._is_long_pending(key)]
        facts = await self._evidence.of_transactions(slots, chain, at_once=at_once, doubted=doubted)
        for key in slots:
            if _refusal(facts.get(key, ())) is None:
                self._refused.pop(key, None)
        answered = facts.keys() | self._evidence.being_proven
        doubtful = [key for key in facts if self._is_doubtful(key, facts[key], chain)]
        open_reasons = dict.fromkeys(slots.keys() - facts.keys(), _NO_ANSWER)
        if doubtful:
            facts |= await self._agreed(doubtful, facts, open_reasons, chain)
        await self._records.commit(Step(self._source.name, await self._records.decide(facts)))
        for key in slots:
            if key in open_reasons and self._is_undecided(key, chain):
                self._undecided.note(key, open_reasons[key])
            else:
                self._undecided.forget(key, "decision")
            if key in answered or not self._is_open(key):
                self._undecided.forget(key, "answer")
            else:
                self._undecided.note(key, self._evidence.doubts.get(key, _NO_ANSWER), "answer")
        self._undecided.report()

    def _forget(self, transaction: str) -> None:
        """Forget answers about a transaction that has ended: it can be registered again."""
        self._refused.pop(transaction, None)
        self._told_once.discard(transaction)
        self._searches.forget(transaction)
        self._undecided.forget(transaction)

    def _review(self) -> None:
        """Forget undecided transactions that a block has decided since."""
        for key in self._undecided.transactions("decision", "answer"):
            if not self._is_open(key):
                self._undecided.forget(key, "decision", "answer")
        self._undecided.report()

    def _is_open(self, key: str) -> bool:
        """Return whether a transaction is in no block; one that is parked is reported as such."""
        tracked = self._open_transactions.get(key)
        return tracked is not None and tracked.unplaced and tracked.error is None

    def _is_undecided(self, key: str, chain: Chain) -> bool:
        """Return whether a transaction waits for an end that is due."""
        tracked = self._open_transactions.get(key)
        # One that is parked is reported as such.
        if tracked is None or chain.tip is None or tracked.error is not None or tracked.ended:
            return False
        is_late = tracked.unplaced and _is_late(tracked)
        return is_late or self._is_long_missing(tracked, chain.tip.number)

    def _is_long_pending(self, key: str) -> bool:
        tracked = self._open_transactions.get(key)
        if tracked is None or tracked.state != "pending" or tracked.waiting_since is None:
            return False
        return time.time() - tracked.waiting_since >= _DOUBTED_SECONDS

    def _slots(self, ids: Collection[str]) -> dict[str, str | None]:
        known = {key: self._open_transactions.get(key) for key in ids}
        return {key: one.slot for key, one in known.items() if one is not None}

    def _is_doubtful(self, key: str, observations: tuple[Observation, ...], chain: Chain) -> bool:
        """Say whether one answer is not enough: what follows from it could be an end."""
        tracked = self._open_transactions.get(key)
        if tracked is None or len(observations) > 1 or chain.tip is None:
            return False
        answer = observations[0]
        if tracked.ended and not isinstance(answer, Seen):
            return False  # one that is dropped ends once
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

    async def _agreed(
        self, ids: Collection[str], facts: Facts, open_reasons: dict[str, str], chain: Chain
    ) -> Facts:
        """Ask everybody, and add what all agree about to what one provider said.

        Args:
            ids: The transactions.
            facts: What one provider said of them.
            open_reasons: Gets the reasons why they do not agree, by transaction.
            chain: Our chain.
        """
        height = -1 if chain.tip is None else chain.tip.number
        asked = set(ids) - self._evidence.in_recent_blocks(ids)
        enough = self._evidence.height_to_ask(chain)
        agreed = await self._source.consensus(self._slots(asked), enough) if asked else {}
        more: Facts = {}
        for key in ids:
            consensus = agreed.get(key)
            try:
                more[key] = await self._judged(key, facts[key], consensus, chain, height)
            except SourceError as error:
                # The search for one winner must not cost the others their answers.
                logger.debug("what all say about %s needs: %s", key, error)
                # A refusal by one provider is not a fact, and must not become one here.
                more[key] = tuple(one for one in facts[key] if not isinstance(one, Refused))
                open_reasons[key] = str(error)
            if consensus is not None and consensus.kind == "open":
                open_reasons[key] = consensus.reason
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
        if consensus is None or consensus.kind in ("refused", "open"):
            return told
        if consensus.kind == "nonce-used":
            slot = self._slots([key]).get(key)
            taken = await self._search(key, slot, chain) if slot else ()
            if taken:
                return taken
        gone = consensus.kind in ("absent", "nonce-used")
        vanished = (Vanished(height, now, nonce_used=consensus.kind == "nonce-used"),)
        late = (Late(now),) if self._is_told_enough(key, consensus) else ()
        return (*told, *(vanished if gone else ()), *late)

    async def _search(self, key: str, slot: str, chain: Chain) -> tuple[Observation, ...]:
        """Search for the winner of a slot, unless a search was limited a short time ago.

        Raises:
            SourceError: There is no answer; ask again later.
        """
        blocked = self._searches.blocked(key, _now())
        if blocked is not None:
            raise RateLimitedError(blocked)
        try:
            found = await self._evidence.of_winner(key, slot, chain)
        except RateLimitedError as error:
            if self._searches.failed(key, str(error), _now()):
                return ()  # as if no provider kept the state that is needed
            raise
        self._searches.forget(key)
        if found is None:
            raise NotYetError("the block that used its nonce is not proven to be on our chain yet")
        return found

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
        tracked = self._open_transactions.get(key)
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
