"""Ends that are about to be published: held back until the healthy providers agree."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from transaction_tracker.domain import (
    BlockRef,
    Buried,
    Included,
    KeptChain,
    Observation,
    Outcome,
    Overtaken,
    Required,
    StandingObjection,
    Tracked,
    Transaction,
)
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.slices import Slices
from transaction_tracker.sources import ChainSource, Ending, Objection
from transaction_tracker.store import OpenTransactions, Store

Facts = dict[str, tuple[Observation, ...]]

# The providers are asked again about a held end with each block, and after this time without one.
RETRY_SECONDS = 10.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


class _Held(NamedTuple):
    """An end that is held back.

    Attributes:
        ending: The end.
        objection: Why it is held back now.
        since: When it was first held back, for any reason, in seconds of the caller's clock.
        was_contradicted: Whether it has been contradicted since then; logged once.
    """

    ending: Ending
    objection: Objection
    since: float
    was_contradicted: bool


class Endings:
    """Asks the healthy providers before an end is published.

    A published end cannot be revoked, so a node on another branch, or a wrong receipt, must not
    cause one. Each end requires that the healthy providers agree; see ``ChainSource.objections``.

    If a provider never responds, an end is held back without limit. So the time since it was first
    held back is reported, also if the reason changes meanwhile.

    Args:
        source: The source, which asks its providers.
        open_transactions: The transactions that are not final, in memory.
        status: Gets the report of ends that are held back.
    """

    def __init__(
        self, source: ChainSource, open_transactions: OpenTransactions, status: FollowerStatus
    ) -> None:
        self._source = source
        self._open_transactions = open_transactions
        self._status = status
        self._held: dict[str, _Held] = {}
        self._stored: frozenset[StandingObjection] = frozenset()
        self._tip: BlockRef | None = None
        self._retry_at = 0.0

    async def resume(self) -> None:
        """Restore the objections that were stored before a restart."""
        self._stored = frozenset(await Store.objections(self._source.name))
        self._source.restore_objections(self._stored)

    def is_due(self, chain: KeptChain, now: float) -> bool:
        """Return whether the providers must be asked again about held ends."""
        tip = None if chain.tip is None else chain.tip.ref
        return not self._held or tip != self._tip or now >= self._retry_at

    async def expected(self, facts: Facts, chain: KeptChain) -> dict[str, Ending]:
        """Return the ends that facts would make.

        Args:
            facts: Facts about open transactions.
            chain: The chain on which their blocks are confirmed.
        """
        found = {}
        async for part in Slices(facts.items()):
            for key, observations in part:
                tracked = self._open_transactions.get(key)
                ending = None if tracked is None else _ending(tracked, observations)
                if tracked is not None and ending is not None:
                    last = _last_confirmation(tracked.required, ending.block, chain)
                    required = tracked.required
                    tag = required if isinstance(required, str) else None
                    found[key] = replace(
                        ending, confirmed_by=last, tag=tag, hash=_hash(tracked, observations)
                    )
        return found

    async def cleared(
        self, facts: Facts, chain: KeptChain, now: float, opinion: object = None
    ) -> Facts:
        """Return the facts without those that would make an end to which a provider objects.

        Args:
            facts: Facts about open transactions.
            chain: Our chain.
            now: Seconds of the caller's clock.
            opinion: The followed provider's opinion on these ends, if it was fetched with the
                block; ``None`` to ask it too.
        """
        endings = await self.expected(facts, chain)
        if not endings:
            self._update_held({}, {}, chain, now)
            return facts
        objections = await self._source.objections(chain, endings, opinion)
        await self._store_objections()
        self._update_held(endings, objections, chain, now)
        self._tip = None if chain.tip is None else chain.tip.ref
        self._retry_at = now + RETRY_SECONDS
        return facts | {
            key: self._held_back(key, facts[key], objection)
            for key, objection in objections.items()
        }

    def forget(self, transaction: str) -> None:
        """Forget the objections to ends of a transaction that is final or was untracked."""
        self._source.forget_objections(transaction)

    async def _store_objections(self) -> None:
        """Store new objections, and delete those that were withdrawn.

        Done before facts are returned. If an objection were only in memory, a restart while its
        provider is down would lose it, and the other providers could make the end.
        """
        standing = frozenset(self._source.standing_objections())
        if standing != self._stored:
            await Store.keep_objections(
                self._stored - standing, standing - self._stored, self._source.name
            )
            self._stored = standing

    def _held_back(
        self, key: str, observations: tuple[Observation, ...], objection: Objection
    ) -> tuple[Observation, ...]:
        """Return the facts without the end, corrected by what most providers report."""
        kept = _without_depth(observations)
        tracked = self._open_transactions.get(key)
        if (objection.outcome is None and objection.transaction is None) or tracked is None:
            return kept
        included = next((fact for fact in kept if isinstance(fact, Included)), None)
        if included is not None:
            return (_corrected(included, objection),)
        stored = _stored_inclusion(tracked)
        return kept if stored is None else (*kept, _corrected(stored, objection))

    def _update_held(
        self,
        endings: Mapping[str, Ending],
        objections: Mapping[str, Objection],
        chain: KeptChain,
        now: float,
    ) -> None:
        before = self._held
        self._held = {
            key: held
            for key, held in before.items()
            if key not in endings and self._is_open(key, held.ending, chain)
        }
        for key, objection in objections.items():
            last = before.get(key)
            if last is not None and last.ending.block != endings[key].block:
                last = None
            self._held[key] = _held(endings[key], objection, last, now)
            if last is None or self._held[key].was_contradicted != last.was_contradicted:
                _log(key, objection)
        self._status.held(_summary(self._held), now - min(self._since(), now))

    def _since(self) -> float:
        return min((held.since for held in self._held.values()), default=math.inf)

    def _is_open(self, key: str, ending: Ending, chain: KeptChain) -> bool:
        """Return whether a transaction still waits for this end.

        Without this check, a transaction that was untracked, or that a reorganisation moved out of
        its block or its depth, would keep the service not ready until the next end.
        """
        tracked = self._open_transactions.get(key)
        last = ending.confirmed_by
        is_deep = last is None or chain.confirmations(last) > 0
        return is_deep and tracked is not None and tracked.anchor == ending.block


def _held(ending: Ending, objection: Objection, last: _Held | None, now: float) -> _Held:
    if last is None:
        return _Held(ending, objection, now, objection.contradicts)
    return _Held(ending, objection, last.since, last.was_contradicted or objection.contradicts)


def _log(key: str, objection: Objection) -> None:
    """Log why an end is held back: an objection that can pass by itself is not an error.

    If it lasts, the source is reported as halted, which is logged as an error.
    """
    is_error = objection.contradicts and not objection.passes
    level = logging.ERROR if is_error else logging.INFO
    logger.log(level, "the end of %s is held back: %s", key, objection.reason)


def _summary(held: Mapping[str, _Held]) -> str | None:
    """Return why the end is held back that has been for longest, and the number of others."""
    if not held:
        return None
    key = min(held, key=lambda key: held[key].since)
    others = len(held) - 1
    more = f" (and of {others} more)" if others else ""
    return f"the end of {key}{more} is held back: {held[key].objection.reason}"


def _ending(tracked: Tracked, observations: tuple[Observation, ...]) -> Ending | None:
    """Return the end that facts would make."""
    buried = next((fact for fact in observations if isinstance(fact, Buried)), None)
    if buried is None or not buried.reaches(tracked.required):
        return None
    for observation in observations:
        match observation:
            case Included(transaction, block, outcome):
                # A receipt without a status does not replace the outcome stored for this block.
                stored = tracked.outcome if tracked.anchor == block else None
                return _of_outcome(block, outcome or stored, transaction.slots, transaction.content)
            case Overtaken(winner, block):
                return Ending(block, None, winner.id, _shared(tracked, winner))
    if tracked.anchor != buried.block or "status_unknown" in tracked.flags:
        return None
    if tracked.superseded_by is not None:
        return Ending(buried.block, None, tracked.superseded_by, tracked.slots)
    if tracked.outcome is None:
        return Ending(buried.block, None)
    return _of_outcome(buried.block, tracked.outcome, tracked.slots, tracked.content)


def _shared(tracked: Tracked, winner: Transaction) -> tuple[str, ...]:
    """Return the slots of a transaction; those of its winner if its own are not known yet."""
    return tracked.slots or winner.slots


def _hash(tracked: Tracked, observations: tuple[Observation, ...]) -> str | None:
    """Return the id at the source of a transaction that is tracked by its slot."""
    if not tracked.by_slot:
        return None
    included = next((fact for fact in observations if isinstance(fact, Included)), None)
    return tracked.hash if included is None else included.transaction.id


def _of_outcome(
    block: BlockRef, outcome: Outcome | None, slots: tuple[str, ...], content: str | None
) -> Ending | None:
    if outcome is None:
        return None
    return Ending(block, outcome.succeeded, slots=slots, outcome=outcome, content=content)


def _last_confirmation(required: Required, block: BlockRef, chain: KeptChain) -> BlockRef | None:
    """Return the kept block that is the last required confirmation of a block, or ``None``."""
    if isinstance(required, str):
        return None
    number = block.number + required - 1
    if chain.bottom is None or number < chain.bottom.number:
        return None
    # On some chains, a number can have no block.
    link = chain.at_or_above(number)
    return None if link is None else link.ref


def _stored_inclusion(tracked: Tracked) -> Included | None:
    """Return the stored fact that a transaction is in its block, if it is in one."""
    if tracked.anchor is None or tracked.content is None:
        return None
    key = tracked.hash or tracked.id
    transaction = Transaction(key, tracked.slots, tracked.content, max_fee=tracked.max_fee)
    return Included(transaction, tracked.anchor, tracked.outcome)


def _corrected(included: Included, objection: Objection) -> Included:
    return Included(
        objection.transaction or included.transaction,
        included.block,
        objection.outcome or included.outcome,
    )


def _without_depth(observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
    return tuple(fact for fact in observations if not isinstance(fact, Buried))
