"""What providers say of single blocks of our chain: asked only as far as needed."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.providers.asking import look_at, results_or_errors
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.numbers import at_heights, skipped
from transaction_tracker.providers.views import View
from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    SourceError,
)
from transaction_tracker.sources.ethereum.rpc import Dissent, NodeResults, Request

# These say nothing about the provider's chain, and do not pass by asking again at once.
_NO_OPINION = (RateLimitedError, ApplicationError, NotYetError)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one provider says.

    Attributes:
        against: The blocks that its chain does not contain.
        leaves_at: The lowest height at which it is known to hold another block than we do.
        error: Why it did not answer all that it was asked about blocks; ``None`` if it did, or
            refused to.
        answers: The results of the requests that were sent along.
        head: The height of its head; ``None`` where it showed none.
    """

    against: frozenset[BlockRef] = frozenset()
    leaves_at: int | None = None
    error: str | None = None
    answers: Sequence[Any] = ()
    head: int | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What providers are asked about our chain.

    Attributes:
        chain: Our chain.
        blocks: Blocks of that chain, or below the lowest one that is kept.
        start: What a provider has shown at this time or later needs not be asked again.
        requests: Sent along to each provider.
        told: What one provider has answered to some of these requests just now.
    """

    chain: Chain
    blocks: Collection[BlockRef]
    start: float
    requests: Sequence[Request] = ()
    told: NodeResults = field(default_factory=lambda: NodeResults(""))


async def dissent(endpoints: Sequence[Endpoint], inquiry: Inquiry) -> Dissent:
    """Ask providers side by side, and put together which of them are against which blocks."""
    opinions = await asyncio.gather(*(opinion(one, inquiry) for one in endpoints))
    said = [(one.name, told) for one, told in zip(endpoints, opinions, strict=True)]
    against = {
        block: tuple(name for name, told in said if block in told.against)
        for block in inquiry.blocks
    }
    return Dissent(
        against={block: names for block, names in against.items() if names},
        leaving={name: told.leaves_at for name, told in said if told.leaves_at is not None},
        unanswered={name: told.error for name, told in said if told.error is not None},
        answers={name: told.answers for name, told in said} if inquiry.requests else {},
        heads={name: told.head for name, told in said if told.head is not None},
    )


async def opinion(endpoint: Endpoint, inquiry: Inquiry) -> Opinion:
    """Ask a provider which blocks its chain does not contain.

    Two HTTP requests are enough, unless there are more blocks to compare one by one than a request
    takes, or the provider has no block of a number.

    A hash commits to all blocks below it. So one block of the provider that our chain holds
    proves that it agrees on all below, and one that our chain contradicts proves that it holds
    other blocks from there up to its head. A provider whose head is lower than a block holds
    nothing at that height, and is not against it. A head below our lowest kept block proves
    nothing: the provider's blocks at the heights in question are compared one by one.

    Args:
        endpoint: The provider.
        inquiry: What to ask. Its requests go along with the first HTTP request.
    """
    chain, blocks = inquiry.chain, inquiry.blocks
    told = inquiry.told if inquiry.told.node == endpoint.name else NodeResults(endpoint.name)
    requests = told.missing(inquiry.requests)
    recent = endpoint.view and endpoint.view.since(inquiry.start)
    if recent is not None and not _unproven(blocks, chain, recent):
        results = await results_or_errors(endpoint, requests) if requests else []
        answers = told.completed(inquiry.requests, results)
        return Opinion(answers=answers, head=recent.head.number)
    height = None if chain.tip is None else chain.tip.number
    view, results = await look_at(endpoint, height, requests)
    answers = told.completed(inquiry.requests, results)
    if isinstance(view, SourceError):
        return Opinion(error=_trouble([view]), answers=answers)
    found = await _compared(endpoint, chain, blocks, view)
    return replace(found, answers=answers, head=view.head.number)


async def _compared(
    endpoint: Endpoint, chain: Chain, blocks: Collection[BlockRef], view: View
) -> Opinion:
    lowest = view.contradicted(chain)
    against = _from_height(lowest, chain, blocks, view)
    open_blocks = [
        block
        for block in _unproven(blocks, chain, view)
        if block not in against and block.number <= view.head.number
    ]
    if not open_blocks:
        return Opinion(frozenset(against), _lowest(lowest, against))
    # Each by itself: a block below the kept ones is on our chain by one provider's word only, so
    # that what holds for one of them says nothing about another.
    shown = await at_heights(endpoint, {block.number for block in open_blocks})
    missing = {number for number, answer in shown.items() if answer is None}
    gaps = await skipped(endpoint, missing, view.head.number)
    left_out = {number for number, error in gaps.items() if error is None}
    against |= {block for block in open_blocks if _is_against(block, shown, left_out)}
    parting = _lowest(lowest, {block for block in against if chain.holds(block)})
    against |= _from_height(parting, chain, blocks, view)
    failed = [one for one in (*shown.values(), *gaps.values()) if isinstance(one, SourceError)]
    return Opinion(frozenset(against), _lowest(lowest, against), _trouble(failed))


def _trouble(errors: Sequence[SourceError]) -> str | None:
    """Return the first error that is not an answer of a provider in good health."""
    return next((str(one) for one in errors if not isinstance(one, _NO_OPINION)), None)


def _from_height(
    lowest: int | None, chain: Chain, blocks: Collection[BlockRef], view: View
) -> set[BlockRef]:
    """Return the blocks of our chain from the height on at which a provider's chain leaves it."""
    return {
        block
        for block in blocks
        if lowest is not None
        and lowest <= block.number <= view.head.number
        and not _is_off(block, chain)
    }


def _is_against(
    block: BlockRef, shown: Mapping[int, Link | SourceError | None], left_out: Collection[int]
) -> bool:
    """Return whether a provider's chain has another block of a number, or none."""
    answer = shown[block.number]
    return block.number in left_out or (isinstance(answer, Link) and answer.hash != block.hash)


def _lowest(height: int | None, against: Collection[BlockRef]) -> int | None:
    heights = [block.number for block in against]
    return min(heights if height is None else [*heights, height], default=None)


def _unproven(blocks: Collection[BlockRef], chain: Chain, view: View) -> list[BlockRef]:
    """Return the blocks on which the view does not prove that the provider agrees.

    It proves that our chain and the provider's are the same up to a height. Whether a block below
    the kept ones is on our chain is the word of another provider only.
    """
    agreed = view.agreed(chain)
    return [
        block
        for block in blocks
        if agreed is None
        or block.number > agreed
        or _is_off(block, chain)
        or _is_below(block, chain)
    ]


def _is_below(block: BlockRef, chain: Chain) -> bool:
    """Return whether a block is below the lowest one that is kept."""
    return chain.bottom is not None and block.number < chain.bottom.number


def _is_off(block: BlockRef, chain: Chain) -> bool:
    """Return whether our chain holds another block at that height."""
    kept = chain.at(block.number)
    return kept is not None and kept.hash != block.hash
