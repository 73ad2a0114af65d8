"""Blocks of a provider by their numbers, and proof that its chain skips a number."""

from collections.abc import Collection, Mapping

from transaction_tracker.domain import Link
from transaction_tracker.providers.calls import results_or_errors
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.ethereum.classify import is_null_round

# Consecutive numbers that are read above a number without a block. A provider that has none of
# these blocks has more likely pruned them: Filecoin rarely skips more than a few.
MAX_GAP = 64


async def blocks_at(
    state: PoolState, endpoint: RpcEndpoint, heights: Collection[int]
) -> Mapping[int, Link | SourceError | None]:
    """Ask a provider for its blocks of these numbers, in as few requests as possible.

    Returns:
        For each number the block, ``None`` if the provider has no block of that number, or the
        error of the request; see ``is_null_round``.

    Source:
        Filecoin, ``eth_getBlockByNumber`` of a null round: Forest has answered with the block
        before it.
    """
    numbers = sorted(heights)
    requests = [endpoint.client.place_request(number) for number in numbers]
    results = await results_or_errors(state, endpoint, requests)
    return {
        number: _block_of(number, result) for number, result in zip(numbers, results, strict=True)
    }


async def skipped_heights(
    state: PoolState, endpoint: RpcEndpoint, heights: Collection[int], head: int
) -> Mapping[int, SourceError | None]:
    """Return the numbers that a provider's chain provably skips.

    For a number that the provider itself calls a null round, this proof is not needed. A provider
    also has no block of a number if it has pruned the block, or if a node that is behind answered
    in its place. Two linked blocks prove that none is between them: the first block above the
    number, and its parent below the number.

    Args:
        state: State of the pool.
        endpoint: The provider.
        heights: Numbers of which it has no block.
        head: Number of its head.

    Returns:
        For each skipped number ``None``, or the error of the request that should prove it. A
        number of which nothing is known is not in the mapping.
    """
    found: dict[int, SourceError | None] = {}
    # From the top down: below a pruned block, all blocks are pruned.
    for height in sorted(heights, reverse=True):
        parent = await _parent_of_next(state, endpoint, height, head)
        if parent is None and head - height > MAX_GAP:
            break
        if isinstance(parent, SourceError):
            found[height] = parent
        elif parent is not None and parent.number < height:
            found[height] = None
    return found


async def _parent_of_next(
    state: PoolState, endpoint: RpcEndpoint, height: int, head: int
) -> Link | SourceError | None:
    """Return the parent of a provider's first block above a height, if the provider has it."""
    above = range(height + 1, min(head, height + MAX_GAP) + 1)
    blocks = await blocks_at(state, endpoint, above) if above else {}
    child = next((b for b in blocks.values() if not (b is None or is_null_round(b))), None)
    if not isinstance(child, Link):
        return child
    request = endpoint.client.place_by_hash_request(child.parent)
    (parent,) = await results_or_errors(state, endpoint, [request])
    is_other = isinstance(parent, Link) and parent.hash != child.parent
    return None if is_other else parent


def _block_of(number: int, result: Link | SourceError | None) -> Link | SourceError | None:
    is_other = isinstance(result, Link) and result.number != number
    return None if is_other else result
