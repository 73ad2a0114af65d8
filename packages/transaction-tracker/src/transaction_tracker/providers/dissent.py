"""What a provider says of single blocks of our chain: asked only as far as needed."""

from collections.abc import Collection
from dataclasses import dataclass

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.providers.asking import look_at, results_or_errors
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.questions import block_request
from transaction_tracker.providers.views import View
from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    SourceError,
)

MAX_HEIGHTS = 20
# These say nothing about the provider's chain, and do not pass by asking again at once.
_NO_OPINION = (RateLimitedError, ApplicationError, NotYetError)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one provider says.

    Attributes:
        against: The blocks that its chain does not contain.
        is_complete: Whether it answered all that it was asked, or refused to.
    """

    against: frozenset[BlockRef] = frozenset()
    is_complete: bool = True


async def opinion(
    endpoint: Endpoint, chain: Chain, blocks: Collection[BlockRef], start: float
) -> Opinion:
    """Ask a provider which blocks its chain does not contain, with two requests at most.

    A hash commits to all blocks below it. So one block of the provider that our chain holds
    proves that it agrees on all below, and one that our chain contradicts proves that it holds
    other blocks from there up to its head. A provider whose head is lower than a block holds
    nothing at that height, and is not against it. A head below our lowest kept block proves
    nothing: the provider's blocks at the heights in question are compared one by one.

    Args:
        endpoint: The provider.
        chain: Our chain.
        blocks: Blocks of that chain, or below the lowest one that is kept.
        start: What the provider has shown at this time or later needs not be asked again.
    """
    recent = endpoint.view and endpoint.view.since(start)
    if recent is not None and not _unproven(blocks, chain, recent):
        return Opinion()
    try:
        view = await look_at(endpoint, None if chain.tip is None else chain.tip.number)
    except SourceError as error:
        return Opinion(is_complete=isinstance(error, _NO_OPINION))
    return await _compared(endpoint, chain, blocks, view)


async def _compared(
    endpoint: Endpoint, chain: Chain, blocks: Collection[BlockRef], view: View
) -> Opinion:
    lowest = view.contradicted(chain)
    against = {
        block
        for block in blocks
        if lowest is not None
        and lowest <= block.number <= view.head.number
        and not _is_off(block, chain)
    }
    open_blocks = [
        block
        for block in _unproven(blocks, chain, view)
        if block not in against and block.number <= view.head.number
    ]
    if not open_blocks:
        return Opinion(frozenset(against))
    heights = spread(sorted({block.number for block in open_blocks}))
    answers = await results_or_errors(endpoint, [block_request(hex(one)) for one in heights])
    links = {one.number: one for one in answers if isinstance(one, Link)}
    failed = [one for one in answers if isinstance(one, SourceError)]
    against |= contradicted(open_blocks, links)
    return Opinion(frozenset(against), all(isinstance(one, _NO_OPINION) for one in failed))


def contradicted(blocks: Collection[BlockRef], links: dict[int, Link]) -> set[BlockRef]:
    """Return the blocks that a provider's chain does not contain.

    Args:
        blocks: Blocks of one chain.
        links: The provider's blocks at these heights, or at some of them. Where it holds another
            block, it is against all above. Below that, a height without an answer counts as
            contradicted unless the provider agrees on a block above it: the next call can tell.
    """
    wrong = {
        block
        for block in blocks
        if block.number in links and links[block.number].hash != block.hash
    }
    right = [
        block.number
        for block in blocks
        if block.number in links and links[block.number].hash == block.hash
    ]
    if wrong:
        agreed = max(right, default=-1)
        wrong |= {block for block in blocks if block.number not in links and block.number > agreed}
    return wrong


def spread(heights: list[int]) -> list[int]:
    """Choose ``MAX_HEIGHTS`` of sorted heights at most: evenly, the first and last included."""
    if len(heights) <= MAX_HEIGHTS:
        return heights
    step = (len(heights) - 1) / (MAX_HEIGHTS - 1)
    return [heights[round(place * step)] for place in range(MAX_HEIGHTS)]


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
