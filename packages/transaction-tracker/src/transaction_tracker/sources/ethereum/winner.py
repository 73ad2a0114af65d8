"""Find the block that used a nonce, by bisection of the sender's transaction count."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.errors import RateLimitedError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.blocks import Blocks
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Number of heights in one batch: with 16, a block of 100 million is found in 8 batches.
_POINTS = 16


class Winners:
    """Finds the block in which an account's nonce was used.

    Args:
        rpc: Client of the nodes. Old heights need a node that keeps old state (an archive node).
        blocks: Fetches the block once its height is found.
    """

    def __init__(self, rpc: Rpc, blocks: Blocks) -> None:
        self._rpc = rpc
        self._blocks = blocks

    async def find(self, slot: str, height: int) -> FetchedBlock | None:
        """Return the block at or below ``height`` that has a transaction in ``slot``.

        Returns:
            The block; ``None`` if no transaction of the block has the slot (an EIP-7702
            authorization can use a nonce), or if no provider keeps the state that is needed.

        Raises:
            RateLimitedError: A provider limits the rate; it can have the state.
            SourceError: No provider gave a usable response.

        Source:
            ``eth_getTransactionCount`` at a block: how many nonces were used by its end.
        """
        sender, nonce = decode.sender_of(slot), decode.nonce_of(slot)
        # Near the height first, because most nodes keep the state of the last 128 blocks only.
        low, high = _narrowed(-1, height, await self._counts(sender, _near(height)), nonce)
        while high - low > 1:
            counts = await self._counts(sender, _points(low, high))
            narrower = _narrowed(low, high, counts, nonce)
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
                answer if isinstance(answer, int) or other is None else other
                for answer, other in zip(answers, others, strict=True)
            ]
        limited = next((item for item in answers if isinstance(item, RateLimitedError)), None)
        if limited is not None:
            raise limited
        pairs: zip[tuple[int, Any]] = zip(heights, answers, strict=True)
        return {height: count for height, count in pairs if isinstance(count, int)}


def _near(height: int) -> list[int]:
    """Return a height and heights below it at doubling distances."""
    return [height, *(height - 2**step for step in range(_POINTS) if 2**step <= height)]


def _points(low: int, high: int) -> list[int]:
    """Return evenly spaced heights between ``low`` and ``high``."""
    step = max(1, (high - low) // (_POINTS + 1))
    return [*range(low + step, high, step)][:_POINTS]


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
