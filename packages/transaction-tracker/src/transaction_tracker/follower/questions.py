"""Questions about single transactions: new ones, others in turn, and those with a deadline."""

import logging
import time
from collections.abc import Collection

from beamish import telemetry
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import (
    TAGS,
    Absent,
    KeptChain,
    Late,
    Observation,
    Policy,
    Rejected,
    Seen,
    Sighting,
    Tag,
    Tracked,
    Vanished,
)
from transaction_tracker.follower.endings import Facts
from transaction_tracker.follower.look_ups import LookUps
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

# Maximum number of new transactions in one look-up: with the head, at most 100 calls in a batch.
_MAX_NEW = 49
# Calls per transaction in a sweep: the transaction, its receipt, the nonce of its sender.
_CALLS_EACH = 3
# Maximum number of deadlines in one batch. About as many as fit in one request, because the next
# batch can be some blocks later.
_MAX_LATE = 33
# Seconds until a deadline that has passed is checked again, if the answers decide nothing.
_LATE_RETRY_SECONDS = 15.0
# A single provider must report twice, this many seconds apart, that no block contains a transaction
# whose deadline has passed.
_SECOND_ANSWER_SECONDS = 1.0
# After this time in the state pending, the followed provider alone is not believed that no block
# contains a transaction.
_DOUBTED_SECONDS = 60.0
_NO_ANSWER = "no provider gives a definite answer whether a block contains it"

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Questions:
    """Asks the source about single transactions, and stores what the answers change.

    Args:
        source: The source.
        open_transactions: The transactions that are not final, in memory.
        look_ups: Converts answers to facts.
        records: Decides and stores what follows from facts.
        policy: Time limits for transactions in no block.
        undecided: Records transactions whose end cannot be decided.
        budget: Maximum number of calls in one sweep, which is one batch.
    """

    def __init__(
        self,
        source: ChainSource,
        open_transactions: OpenTransactions,
        look_ups: LookUps,
        records: Records,
        policy: Policy,
        undecided: Undecided,
        budget: int,
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._look_ups = look_ups
        self._records = records
        self._policy = policy
        self._each_sweep = max(1, (budget - 1) // _CALLS_EACH)
        # Kept in memory only: a restart starts these counts again.
        self._refused: dict[str, Sighting] = {}
        self._late_once: set[str] = set()
        self._searches = Searches()
        self._undecided = undecided
        records.on_end(self._forget)

    def note_tags(self, reported: Collection[Tag]) -> None:
        """Record the transactions that wait for a tag whose block is not reported.

        Args:
            reported: The tags whose blocks the followed provider returned with its head.
        """
        agenda = self._records.agenda
        waiting = {
            key: tag for tag in TAGS if tag not in reported for key in agenda.waiting_for(tag)
        }
        for key in self._undecided.transactions("tag"):
            if key not in waiting:
                self._undecided.forget(key, "tag")
        for key, tag in waiting.items():
            reason = f"it waits for the {tag} block, which the followed provider does not report"
            self._undecided.note(key, reason, "tag")
        self._undecided.report()

    async def new(self, chain: KeptChain) -> None:
        """Ask about new transactions, at most one look-up of them."""
        await self._ask(self._records.sweep.take_fresh(loop_time(), _MAX_NEW), chain, at_once=False)

    async def due(self, chain: KeptChain) -> None:
        """Ask about the transactions whose turn has come, in one request.

        About those that have been pending for long, another provider is asked too, also in one
        request.
        """
        self._review()
        ids = self._records.sweep.take_due(loop_time(), self._batch_limit(self._each_sweep))
        await self._ask(ids, chain, at_once=True)
        telemetry.execute(
            ("transaction_tracker", "sweep"),
            {"asked": len(ids), "age_seconds": self._records.sweep.age(loop_time())},
            {"source": self._source.name},
        )

    def _batch_limit(self, limit: int) -> int:
        """Return how many transactions fit in one request; 1 if the provider refuses batches."""
        fitting = (self._source.calls_per_request - 1) // _CALLS_EACH
        return max(1, min(limit, fitting))

    @property
    def has_late(self) -> bool:
        """Whether a deadline has passed."""
        return self._records.deadlines.is_due(time.time())

    async def late(self, chain: KeptChain) -> None:
        """Ask each provider, in one request, about transactions whose deadline has passed.

        A transaction expires if no block contains it.
        """
        ids = self._records.deadlines.take_due(time.time(), self._batch_limit(_MAX_LATE))
        for key in ids:
            # A change of the state replaces this time. Without one, the deadline is checked again.
            self._records.deadlines.ask_again(key, time.time(), _LATE_RETRY_SECONDS)
        await self._ask(ids, chain, at_once=True)

    async def _ask(self, ids: Collection[str], chain: KeptChain, *, at_once: bool) -> None:
        slots = self._slots(ids)
        if not slots or chain.tip is None:
            return
        doubted = [key for key in slots if self._is_long_pending(key)]
        found = await self._look_ups.of_transactions(slots, chain, at_once=at_once, doubted=doubted)
        facts = found.facts
        for key in slots:
            if _refusal(facts.get(key, ())) is None:
                self._refused.pop(key, None)
        answered = {*facts, *found.being_proven}
        doubtful = [key for key in facts if self._is_doubtful(key, facts[key], chain)]
        open_reasons = dict.fromkeys(slots.keys() - facts.keys(), _NO_ANSWER)
        if doubtful:
            facts |= await self._with_consensus(doubtful, facts, open_reasons, chain)
        await self._records.commit(Step(self._source.name, await self._records.decide(facts)))
        for key in slots:
            if key in open_reasons and self._is_undecided(key, chain):
                self._undecided.note(key, open_reasons[key])
            else:
                self._undecided.forget(key, "decision")
            if key in answered or not self._is_open(key):
                self._undecided.forget(key, "answer")
            else:
                self._undecided.note(key, found.doubts.get(key, _NO_ANSWER), "answer")
        self._undecided.report()

    def _forget(self, transaction: str) -> None:
        """Forget all answers about a transaction that is final or was untracked.

        Without this, they would count for the same transaction when it is registered again.
        """
        self._refused.pop(transaction, None)
        self._late_once.discard(transaction)
        self._searches.forget(transaction)
        self._undecided.forget(transaction)

    def _review(self) -> None:
        """Remove undecided transactions that a block has decided since."""
        for key in self._undecided.transactions("decision", "answer"):
            if not self._is_open(key):
                self._undecided.forget(key, "decision", "answer")
        self._undecided.report()

    def _is_open(self, key: str) -> bool:
        """Return whether a transaction is in no block and not parked.

        A parked transaction is reported as parked, so it is not reported as undecided too.
        """
        tracked = self._open_transactions.get(key)
        return tracked is not None and tracked.unplaced and tracked.error is None

    def _is_undecided(self, key: str, chain: KeptChain) -> bool:
        """Return whether an end is due for a transaction: a deadline or a time limit has passed."""
        tracked = self._open_transactions.get(key)
        # A parked transaction is reported as parked.
        if tracked is None or chain.tip is None or tracked.error is not None or tracked.ended:
            return False
        is_late = tracked.unplaced and _is_late(tracked)
        return is_late or self._is_long_missing(tracked, chain.tip.number)

    def _is_long_pending(self, key: str) -> bool:
        tracked = self._open_transactions.get(key)
        if tracked is None or tracked.state != "pending" or tracked.waiting_since is None:
            return False
        return time.time() - tracked.waiting_since >= _DOUBTED_SECONDS

    def _is_by_slot(self, key: str) -> bool:
        tracked = self._open_transactions.get(key)
        return tracked is not None and tracked.by_slot

    def _slots(self, ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        known = {key: self._open_transactions.get(key) for key in ids}
        return {key: tracked.slots for key, tracked in known.items() if tracked is not None}

    def _is_doubtful(
        self, key: str, observations: tuple[Observation, ...], chain: KeptChain
    ) -> bool:
        """Return whether all providers must be asked, because an end could follow."""
        tracked = self._open_transactions.get(key)
        if tracked is None or len(observations) > 1 or chain.tip is None:
            return False
        if tracked.by_slot:
            # Without facts, its slot is free. A used one needs the search for who used it.
            return tracked.unplaced and (bool(observations) or _is_late(tracked))
        answer = observations[0]  # pyright: ignore[reportGeneralTypeIssues] - not empty here
        if tracked.ended and not isinstance(answer, Seen):
            return False  # a dropped transaction is not dropped again
        if isinstance(answer, Rejected):
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

    async def _with_consensus(
        self, ids: Collection[str], facts: Facts, open_reasons: dict[str, str], chain: KeptChain
    ) -> Facts:
        """Ask all providers, and add the facts on which they agree.

        Args:
            ids: The transactions.
            facts: The facts from the answers so far.
            open_reasons: Updated with the reasons why no end can be decided, by transaction.
            chain: Our chain.

        Returns:
            The facts about each of the transactions.
        """
        height = -1 if chain.tip is None else chain.tip.number
        asked = set(ids) - self._look_ups.in_recent_blocks(ids)
        enough = self._look_ups.height_to_ask(chain)
        agreed = await self._source.consensus(self._slots(asked), enough) if asked else {}
        more: Facts = {}
        for key in ids:
            consensus = agreed.get(key)
            try:
                more[key] = await self._conclusion(key, facts[key], consensus, chain, height)
            except SourceError as error:
                # An error in the search for one winner must not discard the answers about the
                # other transactions.
                logger.debug("could not decide about %s: %s", key, error)
                # A refusal by a single provider is not a fact, and neither is the use of a slot
                # by a transaction that can still be found.
                kept = () if self._is_by_slot(key) else facts[key]
                more[key] = tuple(fact for fact in kept if not isinstance(fact, Rejected))
                open_reasons[key] = str(error)
            if consensus is not None and consensus.kind == "open":
                open_reasons[key] = consensus.reason
        return more

    async def _conclusion(
        self,
        key: str,
        facts: tuple[Observation, ...],
        consensus: Consensus | None,
        chain: KeptChain,
        height: int,
    ) -> tuple[Observation, ...]:
        """Return the facts about one transaction that follow from the answers of all providers."""
        refusal, now = _refusal(facts), time.time()
        if refusal is not None:
            if self._is_refused(key, consensus, height):
                return (refusal,)
            # A refusal that not all providers repeat is not a fact.
            facts = ()
        if self._is_by_slot(key) and (consensus is None or consensus.kind != "nonce-used"):
            facts = ()  # one provider alone does not say that its slot is used
        if consensus is None or consensus.kind in ("refused", "open"):
            return facts
        if consensus.kind in ("nonce-used", "conflicted"):
            slots = self._slots([key]).get(key)
            taken = await self._find_winner(key, slots, chain) if slots else ()
            if taken:
                return taken
        gone = () if consensus.kind == "unmined" else (_vanished(consensus, height, now),)
        late = (Late(now),) if self._deadline_counts(key, consensus) else ()
        return (*facts, *gone, *late)

    async def _find_winner(
        self, key: str, slots: tuple[str, ...], chain: KeptChain
    ) -> tuple[Observation, ...]:
        """Search for the winner of some slots, unless a search was limited a short time ago.

        Returns:
            The facts; none if no winner is found, or if the search is given up.

        Raises:
            SourceError: The search must be repeated later.
        """
        blocked = self._searches.blocked(key, loop_time())
        if blocked is not None:
            raise RateLimitedError(blocked)
        try:
            found = await self._look_ups.of_winner(key, slots, chain)
        except RateLimitedError as error:
            if self._searches.failed(key, str(error), loop_time()):
                return ()  # the result if no provider has the old state that the search needs
            raise
        self._searches.forget(key)
        if found is None:
            raise NotYetError("the block that used its slot is not proven to be on our chain yet")
        return found

    def _is_refused(self, key: str, consensus: Consensus | None, height: int) -> bool:
        """Return whether a refusal is certain: all providers repeat it until the time limits.

        Several addresses can belong to the same nodes, so a single agreement is not enough.
        """
        if consensus is None or consensus.kind != "refused":
            self._refused.pop(key, None)
            return False
        since = self._refused.setdefault(key, Sighting(height, time.time()))
        return self._has_lasted(since, height)

    def _deadline_counts(self, key: str, consensus: Consensus) -> bool:
        """Return whether a deadline counts: by several providers, or by one that answered twice."""
        tracked = self._open_transactions.get(key)
        if tracked is None or not _is_late(tracked) or consensus.providers > 1:
            return True
        if key in self._late_once:
            self._late_once.discard(key)
            return True
        self._late_once.add(key)
        self._records.deadlines.ask_again(key, time.time(), _SECOND_ANSWER_SECONDS)
        return False


def _refusal(observations: tuple[Observation, ...]) -> Rejected | None:
    return next((fact for fact in observations if isinstance(fact, Rejected)), None)


def _vanished(consensus: Consensus, height: int, now: float) -> Vanished:
    match consensus.kind:
        case "nonce-used" | "conflicted" as reason:
            return Vanished(height, now, reason)
    return Vanished(height, now)


def _is_late(tracked: Tracked) -> bool:
    return tracked.deadline is not None and time.time() >= tracked.deadline
