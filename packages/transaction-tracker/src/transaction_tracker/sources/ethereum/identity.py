"""Which chain a node is on: its number, and a block that only this chain has at its height."""

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

# A block closer to the head may still be reorganised away.
MIN_ANCHOR_DEPTH = 64


class Batching(Protocol):
    """Sends many calls to one node."""

    async def batch(self, requests: list[Request]) -> list[Any]:
        """Return a result or an error for each call."""


async def identity(node: Batching, at: int | None) -> Identity:
    """Ask a node which chain it is on.

    Args:
        node: Whom to ask.
        at: Height of the anchor. ``None`` asks for block 0, or where the node has pruned it for
            the earliest block that the node still has.

    Returns:
        The identity, with no anchor where the node has no such block.

    Raises:
        SourceError: The node gives no answer.

    Source:
        ``eth_chainId`` and ``eth_getBlockByNumber``. EIP-4444: nodes may drop old blocks, and
        answer null or "pruned history unavailable" (4444) for them.
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
    """Find the earliest block that a node without block 0 has."""
    (block,) = await node.batch([_by_number("earliest")])
    return _anchor(block) or await _bisected(node)


async def _bisected(node: Batching) -> BlockRef | None:
    """Search between block 0, which the node lacks, and its head."""
    (latest,) = await node.batch([_by_number("latest")])
    found = _anchor(latest)
    if found is None:
        return None
    head, missing = found.number, 0
    # The exact border moves on with the head: a block in the oldest fifth of those that the
    # node has is as good, and takes fewer calls.
    while found.number - missing > max(1, (head - found.number) // 4):
        middle = (missing + found.number) // 2
        (block,) = await node.batch([_by_number(hex(middle))])
        anchor = _anchor(block, middle)
        found, missing = (found, middle) if anchor is None else (anchor, missing)
    return found if head - found.number >= MIN_ANCHOR_DEPTH else None


def _by_number(block: str) -> Request:
    return Request("eth_getBlockByNumber", (block, False))


def _anchor(block: Any, height: int | None = None) -> BlockRef | None:
    """Read a block's place; ``None`` where the node does not have the block."""
    if block is None or isinstance(block, ApplicationError | NotYetError):
        return None
    if isinstance(block, SourceError):
        raise block
    record = fields.record(block, "block")
    number = fields.height(record.get("number"), "number of a block")
    if height is not None and number != height:
        raise MalformedError(f"the node gave block {number} for block {height}")
    return BlockRef(number, fields.hash32(record.get("hash"), f"hash of block {number}"))
