"""Whether the healthy providers agree with ends that are about to be reported."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from transaction_tracker.domain import (
    BlockRef,
    KeptChain,
    Outcome,
    StandingObjection,
    Transaction,
)
from transaction_tracker.slices import Slices
from transaction_tracker.sources.answers import Ending, Objection
from transaction_tracker.sources.ethereum.lagging import LaggingProviders
from transaction_tracker.sources.ethereum.marks import mark_requests, objection_to_mark
from transaction_tracker.sources.ethereum.rpc import Dissent, NodeResults, Request, Rpc
from transaction_tracker.sources.ethereum.standing import StandingObjections
from transaction_tracker.sources.ethereum.vote_reader import QUORUM, Answers, Votes, agreeing
from transaction_tracker.sources.ethereum.votes import Vote

# How long an end waits for providers whose heads are below its block. It is shorter than the time
# after which an end that is held back causes an alarm.
_LAG_SECONDS = 45.0
_LAG_BLOCKS = 3
_MIN_SPARING_CONFIRMATIONS = 6

T = TypeVar("T")


class VoteCollector(Protocol):
    """Collects each provider's vote on ends."""

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return the first requests about ends for each provider, besides those for blocks."""
        ...

    def content_requests(self, block: BlockRef, keys: Collection[str]) -> list[Request]:
        """Return the requests for the contents of transactions that end in their own block."""
        ...

    async def votes(self, endings: Mapping[str, Ending], answers: Answers) -> Votes:
        """Return each provider's vote on each end, by transaction and then by provider.

        Args:
            endings: Ends by transaction.
            answers: Results of ``requests`` for each provider.
        """
        ...


class ProviderAgreement:
    """Compares ends with each provider's block, receipt and winner.

    Args:
        rpc: Client of the nodes.
        reader: Collects the votes of the providers.
        block_time: Returns the expected seconds between two blocks.
        clock: Function that returns the time in seconds. Default: the event loop's clock.
    """

    def __init__(
        self,
        rpc: Rpc,
        reader: VoteCollector,
        block_time: Callable[[], float],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._rpc = rpc
        self._reader = reader
        self._block_time = block_time
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._standing = StandingObjections()
        self._lagging = LaggingProviders()

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return the requests about ends for each provider, besides those for blocks."""
        return [*self._reader.requests(endings), *mark_requests(endings)]

    def content_requests(self, block: BlockRef, keys: Collection[str]) -> list[Request]:
        """Return the requests for the contents of transactions whose ends are not expected yet."""
        return self._reader.content_requests(block, keys)

    def standing(self) -> Collection[StandingObjection]:
        """Return the standing objections, with the providers' addresses in place of their names."""
        addresses = self._rpc.addresses
        found: dict[tuple[str, str], StandingObjection] = {}
        for objection in self._standing.all():
            address = addresses.get(objection.provider, objection.provider)
            # Two providers at one address share one stored objection.
            key = (objection.transaction, address)
            found.setdefault(key, replace(objection, provider=address))
        return list(found.values())

    def restore(self, kept: Collection[StandingObjection]) -> None:
        """Restore stored objections for each provider at the address that made them.

        Objections of an address that is no longer configured are skipped: an operator has removed
        that provider.
        """
        for objection in kept:
            for name, address in self._rpc.addresses.items():
                if address == objection.provider:
                    self._standing.restore(replace(objection, provider=name))

    def forget(self, key: str) -> None:
        """Delete the state of a transaction that has ended or is untracked."""
        self._standing.forget(key)
        self._lagging.forget(key)

    async def objections(
        self, chain: KeptChain, endings: Mapping[str, Ending], known: NodeResults | None = None
    ) -> dict[str, Objection]:
        """Return objections to ends, by transaction; see ``ChainSource.objections``."""
        requests = self.requests(endings)
        blocks = {end.block for end in endings.values()}
        blocks |= {end.confirmed_by for end in endings.values() if end.confirmed_by is not None}
        # The followed provider is asked too: the receipt can be from another provider.
        dissent = await self._rpc.dissent(chain, blocks, requests, known)
        answers = {
            name: dict(zip(requests, results, strict=True))
            for name, results in dissent.answers.items()
        }
        votes = await self._reader.votes(endings, answers)
        found = {}
        async for part in Slices(endings.items()):
            for key, end in part:
                objection = self._objection(key, end, dissent, votes.get(key, {}))
                if objection is None:
                    objection = objection_to_mark(end, list(answers.values()), chain)
                if objection is not None:
                    found[key] = objection
        return found

    def _objection(
        self, key: str, end: Ending, dissent: Dissent, votes: Mapping[str, Vote]
    ) -> Objection | None:
        """Return the objection to an end: a contradiction first, then missing agreement."""
        objection = _contradiction(end, dissent, votes)
        against = set(objection.providers) if objection is not None else set()
        agree = [name for name in agreeing(votes) if name not in against and votes[name].is_firm]
        withdrawn = {*agree, *dissent.dismissed}
        if objection is not None:
            self._standing.note(key, end, objection, withdrawn)
            return objection
        if len(agree) < QUORUM:
            objection = self._standing.against(key, end, withdrawn)
        if objection is None and self._rpc.is_compared:
            objection = _missing(end, dissent, self._awaited(key, end, votes))
            return objection or self._shallow(key, end, dissent)
        return objection

    def _shallow(self, key: str, end: Ending, dissent: Dissent) -> Objection | None:
        """Return the objection that too few providers have the blocks that confirm an end.

        All providers can have the end's block, and only one the blocks above it: that provider can
        have invented them.
        """
        if end.confirmed_by is None:
            return None
        wanted = end.confirmed_by.number - _spared(end.confirmed_by.number - end.block.number + 1)
        leaving = {name for name, height in dissent.leaving.items() if height <= wanted}
        there = {name for name, head in dissent.heads.items() if head >= wanted} - leaving
        behind = {name: head for name, head in dissent.heads.items() if head < wanted}
        awaited = [
            name
            for name, head in behind.items()
            if self._lagging.is_waited_for(name, head, key, end, self._clock(), self._patience())
        ]
        # Of two providers, one can be stuck for long. One against several is not believed.
        if len(there) >= QUORUM or not (awaited or len(behind) > len(there)):
            return None
        said = ", ".join(f"{name} is at block {head}" for name, head in behind.items())
        return Objection(f"{said}, below block {wanted} that confirms it", contradicts=False)

    def _patience(self) -> float:
        """Return the number of seconds for which an end waits for a provider that is behind."""
        return max(_LAG_SECONDS, _LAG_BLOCKS * self._block_time())

    def _awaited(self, key: str, end: Ending, votes: Mapping[str, Vote]) -> dict[str, Vote]:
        """Return the votes, with ``"silent"`` for providers that an end still waits for."""
        limit = self._patience()
        awaited = dict(votes)
        for name, vote in votes.items():
            if vote.stance == "behind" and self._lagging.is_waited_for(
                name, vote.head, key, end, self._clock(), limit
            ):
                awaited[name] = replace(vote, stance="silent")
        return awaited


def _contradiction(end: Ending, dissent: Dissent, votes: Mapping[str, Vote]) -> Objection | None:
    """Return the objection of providers that contradict an end, unless they are outvoted."""
    if names := dissent.against.get(end.block):
        return Objection(_other_block(names, end.block), contradicts=True, providers=names)
    if names := _outvoting(dissent, end.confirmed_by):
        why = _other_chain(names, end)
        return Objection(why, contradicts=True, passes=True, providers=names)
    against = {name: vote for name, vote in votes.items() if vote.stance == "contradicts"}
    agree = len(agreeing(votes))
    if not against or agree > max(1, len(against)):
        return None
    outcomes = [vote.outcome for vote in against.values() if vote.outcome is not None]
    transactions = [vote.transaction for vote in against.values() if vote.transaction is not None]
    return Objection(
        _said(against),
        contradicts=True,
        outcome=_outvoting_claim(outcomes, _same_outcome, agree),
        transaction=_outvoting_claim(transactions, _same_transaction, agree),
        providers=tuple(against),
    )


def _outvoting_claim(claims: Sequence[T], are_same: Callable[[T, T], bool], agree: int) -> T | None:
    """Return what most providers say against an end; ``None`` if no claim outvotes it."""
    if not claims:
        return None
    support = [sum(are_same(claim, other) for other in claims) for claim in claims]
    most = max(support)
    return claims[support.index(most)] if most > max(1, agree) else None


def _same_outcome(one: Outcome, other: Outcome) -> bool:
    return not one.conflicts(other)


def _same_transaction(one: Transaction, other: Transaction) -> bool:
    return (one.slots, one.content) == (other.slots, other.content)


def _spared(confirmations: int) -> int:
    """Return how many of the last confirmations a single provider can have alone.

    A new block reaches the providers one after another. Without this, many ends would wait for the
    block after the last confirmation.
    """
    return 1 if confirmations >= _MIN_SPARING_CONFIRMATIONS else 0


def _missing(end: Ending, dissent: Dissent, votes: Mapping[str, Vote]) -> Objection | None:
    """Return the objection that too few providers agree with an end without contradiction.

    A provider whose head is below the block cannot agree and is not waited for, unless most
    providers are below the block: then a single provider would decide the end.
    """
    if dissent.unanswered:
        reasons = (f"{name} gives no answer: {error}" for name, error in dissent.unanswered.items())
        return Objection("; ".join(reasons), contradicts=False)
    agree = agreeing(votes)
    silent = {name: vote for name, vote in votes.items() if vote.stance == "silent"}
    if silent and len(agree) < QUORUM:
        return Objection(_said(silent), contradicts=False)
    behind = {name: vote for name, vote in votes.items() if vote.stance == "behind"}
    if votes and len(behind) == len(votes):
        return Objection(f"no provider shows block {end.block.number}", contradicts=False)
    if len(agree) < QUORUM and len(behind) > len(agree):
        return Objection(_said(behind), contradicts=False)
    return None


def _said(votes: Mapping[str, Vote]) -> str:
    return "; ".join(f"{name} {vote.reason}" for name, vote in votes.items())


def _outvoting(dissent: Dissent, block: BlockRef | None) -> tuple[str, ...]:
    """Return the providers whose chains leave ours below the last confirmation, if not outvoted.

    Such a provider can hold the transaction's block itself, and fewer blocks above it.
    """
    if block is None:
        return ()
    leaving = {name for name, height in dissent.leaving.items() if height <= block.number}
    leaving |= set(dissent.against.get(block, ()))
    return tuple(sorted(leaving)) if 2 * len(leaving) >= len(dissent.answers) else ()


def _other_chain(names: tuple[str, ...], end: Ending) -> str:
    verb = "holds" if len(names) == 1 else "hold"
    return f"{', '.join(names)} {verb} other blocks than we do above its block {end.block.number}"


def _other_block(names: tuple[str, ...], block: BlockRef) -> str:
    verb = "holds" if len(names) == 1 else "hold"
    return f"{', '.join(names)} {verb} another block than {block.hash} at height {block.number}"
