"""Which block used a nonce: found by bisection of the sender's transaction count."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.blocks import Blocks
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.protocol import Block

# Points between two heights that one batch asks for: 16 find a block of 100 million in 7 batches.
_POINTS = 16


class Winners:
    """Finds the block in which an account's nonce was used.

    Args:
        rpc: Who asks the nodes. Old heights need a node that keeps old state (an archive node).
        blocks: Fetches the block that was found.
    """

    def __init__(self, rpc: Rpc, blocks: Blocks) -> None:
        self._rpc = rpc
        self._blocks = blocks

    async def find(self, slot: str, height: int) -> Block | None:
        """Return the block at or below ``height`` that has a transaction in ``slot``.

        Returns:
            ``None`` when no transaction of the block has the slot (an EIP-7702 authorization can
            use up a nonce), or when no provider keeps the state that is needed.

        Source:
            ``eth_getTransactionCount`` at a block: how many nonces were used by its end.
        """
        low, high = -1, height
        while high - low > 1:
            counts = await self._counts(decode.sender_of(slot), _points(low, high))
            narrower = _narrowed(low, high, counts, decode.nonce_of(slot))
            if narrower == (low, high):
                return None
            low, high = narrower
        found = await self._blocks.by_number(range(high, high + 1))
        return found[0] if found and slot in found[0].slots else None

    async def _counts(self, sender: str, heights: list[int]) -> dict[int, int]:
        requests = [_count(sender, height) for height in heights]
        answers = await self._rpc.batch(requests)
        if any(not isinstance(answer, int) for answer in answers):
            others = await self._rpc.elsewhere(requests)
            answers = [
                other if isinstance(answer, SourceError) or answer is None else answer
                for answer, other in zip(answers, others, strict=True)
            ]
        pairs: zip[tuple[int, Any]] = zip(heights, answers, strict=True)
        return {height: count for height, count in pairs if isinstance(count, int)}


def _points(low: int, high: int) -> list[int]:
    """Return heights between two others, and the higher one when nothing is between."""
    step = max(1, (high - low) // (_POINTS + 1))
    return [*range(low + step, high, step)][:_POINTS] or [high]


def _narrowed(low: int, high: int, counts: Mapping[int, int], nonce: int) -> tuple[int, int]:
    unused = [height for height, count in counts.items() if count <= nonce]
    used = [height for height, count in counts.items() if count > nonce]
    return max([low, *unused]), min([high, *used])


def _count(sender: str, height: int) -> Request:
    return Request(
        "eth_getTransactionCount",
        (sender, hex(height)),
        lambda value: fields.quantity(value, "transaction count"),
    )
