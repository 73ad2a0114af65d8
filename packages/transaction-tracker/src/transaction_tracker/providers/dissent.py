"""Which blocks of the followed chain providers contradict, found with few requests."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.providers.calls import probe, results_or_errors
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.numbers import blocks_at, skipped_heights
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.views import View
from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    SourceError,
)
from transaction_tracker.sources.ethereum.classify import is_null_round
from transaction_tracker.sources.ethereum.rpc import Dissent, NodeResults, Request

# These errors say nothing about the provider's chain, and another request at once does not help.
_NEUTRAL = (RateLimitedError, ApplicationError, NotYetError)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the chain of one provider compares with the followed chain.

    Attributes:
        against: The blocks that its chain does not contain.
        leaves_at: Lowest height at which it is known to hold another block than the followed
            chain.
        error: The error that left a block undecided; ``None`` if there was none, or if the
            provider refused the request.
        answers: Results of the requests that were sent along.
        head: Height of its head; ``None`` if it showed none.
    """

    against: frozenset[BlockRef] = frozenset()
    leaves_at: int | None = None
    error: str | None = None
    answers: Sequence[Any] = ()
    head: int | None = None


@dataclass(frozen=True, slots=True)
class DissentQuery:
    """What to compare with the chain of each provider.

    Attributes:
        chain: The followed chain.
        blocks: Blocks of that chain, or below the lowest kept one.
        start: Blocks that a provider has shown at this time or later are not asked for again.
        requests: Requests to send along to each provider.
        told: Results that one provider has just given for some of these requests.
    """

    chain: KeptChain
    blocks: Collection[BlockRef]
    start: float
    requests: Sequence[Request] = ()
    told: NodeResults = field(default_factory=lambda: NodeResults(""))


async def dissent(
    state: PoolState, endpoints: Sequence[RpcEndpoint], query: DissentQuery
) -> Dissent:
    """Compare providers with the followed chain concurrently, and combine the results."""
    compared = await asyncio.gather(*(compare(state, endpoint, query) for endpoint in endpoints))
    by_name = {
        endpoint.name: comparison for endpoint, comparison in zip(endpoints, compared, strict=True)
    }
    against = {
        block: tuple(name for name, comparison in by_name.items() if block in comparison.against)
        for block in query.blocks
    }
    answers = {name: comparison.answers for name, comparison in by_name.items()}
    return Dissent(
        against={block: names for block, names in against.items() if names},
        leaving={
            name: comparison.leaves_at
            for name, comparison in by_name.items()
            if comparison.leaves_at is not None
        },
        unanswered={
            name: comparison.error
            for name, comparison in by_name.items()
            if comparison.error is not None
        },
        answers=answers if query.requests else {},
        heads={
            name: comparison.head
            for name, comparison in by_name.items()
            if comparison.head is not None
        },
    )


async def compare(state: PoolState, endpoint: RpcEndpoint, query: DissentQuery) -> Comparison:
    """Compare a provider's chain with the followed chain.

    Two HTTP requests are enough, unless there are more blocks to compare one by one than fit into
    a request, or the provider has no block of a number.

    A hash commits to all blocks below it. So a block of the provider that is in the followed chain
    proves that both agree on all blocks below it, and a block that contradicts the followed chain
    proves that the provider holds other blocks from there up to its head. A provider whose head is
    lower than a block holds nothing at that height, and is not against the block. A head below
    the lowest kept block proves nothing: then the blocks are compared one by one.

    Args:
        state: State of the pool.
        endpoint: The provider.
        query: What to compare. Its requests are sent with the first HTTP request.
    """
    chain, blocks = query.chain, query.blocks
    told = query.told if query.told.node == endpoint.name else NodeResults(endpoint.name)
    requests = told.missing(query.requests)
    recent = endpoint.view and endpoint.view.since(query.start)
    if recent is not None and not _unproven(blocks, chain, recent):
        results = await results_or_errors(state, endpoint, requests) if requests else []
        answers = told.completed(query.requests, results)
        return Comparison(answers=answers, head=recent.head.number)
    height = None if chain.tip is None else chain.tip.number
    view, results = await probe(state, endpoint, height, requests)
    answers = told.completed(query.requests, results)
    if isinstance(view, SourceError):
        return Comparison(error=_first_failure([view]), answers=answers)
    comparison = await _compare_blocks(state, endpoint, query, view)
    return replace(comparison, answers=answers, head=view.head.number)


async def _compare_blocks(
    state: PoolState, endpoint: RpcEndpoint, query: DissentQuery, view: View
) -> Comparison:
    chain, blocks = query.chain, query.blocks
    lowest = view.contradicted_height(chain)
    against = _from_height(lowest, chain, blocks, view)
    open_blocks = [
        block
        for block in _unproven(blocks, chain, view)
        if block not in against and block.number <= view.head.number
    ]
    if not open_blocks:
        return Comparison(frozenset(against), _lowest(lowest, against))
    # One by one: that a block below the kept ones is on the followed chain is only the word of
    # one provider, so the result for one of them says nothing about another.
    found = await blocks_at(state, endpoint, {block.number for block in open_blocks})
    missing = {number for number, result in found.items() if result is None}
    gaps = await skipped_heights(state, endpoint, missing, view.head.number)
    left_out = {number for number, error in gaps.items() if error is None}
    against |= {block for block in open_blocks if _is_against(block, found, left_out)}
    fork = _lowest(lowest, {block for block in against if chain.holds(block)})
    against |= _from_height(fork, chain, blocks, view)
    errors = [
        result for result in (*found.values(), *gaps.values()) if isinstance(result, SourceError)
    ]
    return Comparison(frozenset(against), _lowest(lowest, against), _first_failure(errors))


def _first_failure(errors: Sequence[SourceError]) -> str | None:
    """Return the first error that a healthy provider would not give."""
    return next((str(error) for error in errors if not isinstance(error, _NEUTRAL)), None)


def _from_height(
    lowest: int | None, chain: KeptChain, blocks: Collection[BlockRef], view: View
) -> set[BlockRef]:
    """Return the blocks of the followed chain from ``lowest`` up to the provider's head.

    At ``lowest``, the provider's chain leaves the followed chain.
    """
    return {
        block
        for block in blocks
        if lowest is not None
        and lowest <= block.number <= view.head.number
        and not _is_off(block, chain)
    }


def _is_against(
    block: BlockRef, found: Mapping[int, Link | SourceError | None], left_out: Collection[int]
) -> bool:
    """Return whether a provider's chain has another block of that number, or skips the number."""
    result = found[block.number]
    if isinstance(result, Link):
        return result.hash != block.hash
    return is_null_round(result) or block.number in left_out


def _lowest(height: int | None, against: Collection[BlockRef]) -> int | None:
    heights = [block.number for block in against]
    return min(heights if height is None else [*heights, height], default=None)


def _unproven(blocks: Collection[BlockRef], chain: KeptChain, view: View) -> list[BlockRef]:
    """Return the blocks on which the view does not prove that the provider agrees.

    A view proves that both chains are the same up to a height. It proves nothing for blocks below
    the kept ones: that these are on the followed chain is only the word of another provider.
    """
    agreed = view.agreed_height(chain)
    return [
        block
        for block in blocks
        if agreed is None
        or block.number > agreed
        or _is_off(block, chain)
        or _is_below(block, chain)
    ]


def _is_below(block: BlockRef, chain: KeptChain) -> bool:
    """Return whether a block is below the lowest kept one."""
    return chain.bottom is not None and block.number < chain.bottom.number


def _is_off(block: BlockRef, chain: KeptChain) -> bool:
    """Return whether the followed chain holds another block at that height."""
    kept = chain.at(block.number)
    return kept is not None and kept.hash != block.hash
