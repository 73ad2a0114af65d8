"""Identity of a node's chain: its chain id, and a block that only this chain has."""

from typing import Any, Protocol

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    SourceError,
)
from transaction_tracker.sources.ethereum import fields
from transaction_tracker.sources.ethereum.rpc import Identity, Request

# A block closer to the head can still be reorganised away.
MIN_ANCHOR_DEPTH = 64


class Batching(Protocol):
    """Client that sends many calls to one node."""

    async def batch(self, requests: list[Request]) -> list[Any]:
        """Return a result or an error for each call."""
        ...


async def identity(node: Batching, at: int | None) -> Identity:
    """Fetch the identity of a node's chain.

    Args:
        node: Client of the node.
        at: Height of the anchor. Default: block 0, or if the node has pruned it, an early block
            that the node still has.

    Returns:
        The identity, without an anchor if the node has no such block.

    Raises:
        SourceError: The node gives no usable response.

    Source:
        ``eth_chainId`` and ``eth_getBlockByNumber``. EIP-4444: nodes can drop old blocks, and
        return null or "pruned history unavailable" (4444) for them.
    """
    chain_id, block = await node.batch([Request("eth_chainId"), _by_number(hex(at or 0))])
    if isinstance(chain_id, SourceError):
        raise chain_id
    number = fields.quantity(chain_id, "chain id")
    anchor = _anchor(block, at or 0)
    if anchor is None and at is None:
        anchor = await _earliest(node)
    return Identity(number, anchor)


async def _earliest(node: Batching) -> BlockRef | None:
    """Find an early block of a node that does not have block 0."""
    (block,) = await node.batch([_by_number("earliest")])
    return _anchor(block) or await _bisected(node)


async def _bisected(node: Batching) -> BlockRef | None:
    """Search by bisection between block 0, which the node lacks, and its head."""
    (latest,) = await node.batch([_by_number("latest")])
    found = _anchor(latest)
    if found is None:
        return None
    head, missing = found.number, 0
    # Any block in the oldest fifth of the node's blocks is early enough. The exact border takes
    # more calls, and moves with the head.
    while found.number - missing > max(1, (head - found.number) // 4):
        middle = (missing + found.number) // 2
        (block,) = await node.batch([_by_number(hex(middle))])
        anchor = _anchor_or_none(block, middle)
        found, missing = (found, middle) if anchor is None else (anchor, missing)
    return found if head - found.number >= MIN_ANCHOR_DEPTH else None


def _anchor_or_none(block: Any, height: int) -> BlockRef | None:
    """Return the reference of a block; ``None`` also if it is unreadable, or that of another one.

    One odd block must not keep the service from starting: the search goes on above it.
    """
    try:
        return _anchor(block, height)
    except MalformedError:
        return None


def _by_number(block: str) -> Request:
    return Request("eth_getBlockByNumber", (block, False))


def _anchor(block: Any, height: int | None = None) -> BlockRef | None:
    """Return the reference of a block; ``None`` if the node does not have the block."""
    if block is None or isinstance(block, ApplicationError | NotYetError):
        return None
    if isinstance(block, SourceError):
        raise block
    record = fields.record(block, "block")
    number = fields.height(record.get("number"), "number of a block")
    if height is not None and number != height:
        raise MalformedError(f"the node gave block {number} for block {height}")
    return BlockRef(number, fields.hash32(record.get("hash"), f"hash of block {number}"))
