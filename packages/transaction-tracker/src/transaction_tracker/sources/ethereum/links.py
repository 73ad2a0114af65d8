"""Old blocks linked to the lowest kept one, header by header."""

import asyncio
from collections.abc import Sequence
from typing import Any

from transaction_tracker.domain import BlockRef, Link
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Further down, what proves a block is one node's word about it and about our tip together.
MAX_LINKED_REQUESTS = 10


def numbered(height: int) -> Request:
    """Return the request for the place of the canonical block of a height."""

    def read(value: Any) -> Link:
        link = decode.link(value)
        if link.number != height:
            raise fields.wrong("block number", str(height), link.number)
        return link

    return Request("eth_getBlockByNumber", (hex(height), False), read)


async def is_linked(rpc: Rpc, block: BlockRef, bottom: Link) -> bool:
    """Return whether a block is an ancestor of our lowest kept block, as the hashes prove it.

    One address can be many nodes, and answer about our tip from a good one and about the old
    block from one that is stuck on another branch. Only the links between the two are proof, all
    from one provider.

    Args:
        rpc: Asks the nodes.
        block: A block below ``bottom``.
        bottom: The lowest kept block.

    Returns:
        ``True`` also for a block so far down that its links would cost more than
        ``MAX_LINKED_REQUESTS`` requests.
    """
    # The lowest kept block too: the provider that sent it may have named another parent.
    requests = [numbered(height) for height in range(block.number, bottom.number + 1)]
    size = max(1, rpc.together)
    if len(requests) > MAX_LINKED_REQUESTS * size:
        return True
    parts = [requests[at : at + size] for at in range(0, len(requests), size)]
    answers = await asyncio.gather(*map(rpc.batch, parts))
    if _leads_to(block, bottom, [answer for part in answers for answer in part]):
        return True
    # The followed node can name wrong parents, or be the one that is on another branch.
    everywhere = await rpc.everywhere(requests) if rpc.is_compared else []
    return any(_leads_to(block, bottom, answers) for answers in everywhere)


def _leads_to(block: BlockRef, bottom: Link, answers: Sequence[object]) -> bool:
    links = {link.hash: link for link in answers if isinstance(link, Link)}
    found: Link | None = links.get(bottom.hash, bottom)
    while found is not None and found.number > block.number:
        found = links.get(found.parent)
    return found is not None and found.ref == block
