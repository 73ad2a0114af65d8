"""Which blocks a provider has at some numbers, and which numbers its chain leaves out."""

from collections.abc import Collection, Mapping

from transaction_tracker.domain import Link
from transaction_tracker.providers.asking import results_or_errors
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.questions import block_request
from transaction_tracker.sources import ApplicationError, SourceError
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.rpc import Request

# Numbers in a row that are looked at above one without a block. A provider without any block there
# has rather pruned them: Filecoin seldom leaves out more than a few.
MAX_GAP = 64


async def at_heights(
    endpoint: Endpoint, heights: Collection[int]
) -> Mapping[int, Link | SourceError | None]:
    """Ask a provider for its blocks of these numbers, in as few requests as it takes.

    Returns:
        For each number the block, ``None`` where the provider has none of that number, or the
        error that came in its place.

    Source:
        Filecoin, ``eth_getBlockByNumber`` of a null round: Lotus answers with the error "requested
        epoch was a null round", and Forest has answered with the block before it.
    """
    asked = sorted(heights)
    answers = await results_or_errors(endpoint, [block_request(hex(number)) for number in asked])
    return {number: _of(number, answer) for number, answer in zip(asked, answers, strict=True)}


async def skipped(
    endpoint: Endpoint, heights: Collection[int], head: int
) -> Mapping[int, SourceError | None]:
    """Find the numbers that a provider's chain leaves out for certain.

    A provider has no block of a number also where it has pruned it, and where a node that is
    behind has answered for it. Two blocks next to each other prove that there is none between them:
    the first block above the number, and its parent below.

    Args:
        endpoint: The provider.
        heights: Numbers of which it has no block.
        head: The number of its head.

    Returns:
        ``None`` for a number that is left out, and the error where the proof got no answer. A
        number about which nothing is known is not in it.
    """
    found: dict[int, SourceError | None] = {}
    # From the top down: below a block that is pruned, all are.
    for height in sorted(heights, reverse=True):
        parent = await _parent_over(endpoint, height, head)
        if parent is None and head - height > MAX_GAP:
            break
        if isinstance(parent, SourceError):
            found[height] = parent
        elif parent is not None and parent.number < height:
            found[height] = None
    return found


async def _parent_over(endpoint: Endpoint, height: int, head: int) -> Link | SourceError | None:
    """Return the parent of a provider's first block above a height, if the provider has it."""
    above = range(height + 1, min(head, height + MAX_GAP) + 1)
    shown = await at_heights(endpoint, above) if above else {}
    child = next((answer for answer in shown.values() if answer is not None), None)
    if not isinstance(child, Link):
        return child
    request = Request("eth_getBlockByHash", (child.parent, False), decode.link)
    (parent,) = await results_or_errors(endpoint, [request])
    is_other = isinstance(parent, Link) and parent.hash != child.parent
    return None if is_other else parent


def _of(number: int, answer: Link | SourceError | None) -> Link | SourceError | None:
    if isinstance(answer, Link) and answer.number != number:
        return None
    is_null_round = isinstance(answer, ApplicationError) and "null round" in str(answer).lower()
    return None if is_null_round else answer
