"""Look up transactions by their slots: whether the nonce of a sender is used."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from transaction_tracker.domain import Absent
from transaction_tracker.sources.answers import Answer, Consensus, Unanswered, Unused
from transaction_tracker.sources.errors import (
    ApplicationError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

_REFUSED = (ApplicationError, RateLimitedError, ServerError)


def _quantity(value: Any) -> int:
    return fields.quantity(value, "number")


_BLOCK_NUMBER = Request("eth_blockNumber", (), _quantity)


class SlotLookUp:
    """Fetches how many nonces the senders of slots have used.

    A hash is not needed: which transaction used a nonce is shown by our own blocks, or found by
    ``Winners``.

    Args:
        rpc: Client of the nodes.

    Source:
        ``eth_getTransactionCount`` at the newest block: the number of used nonces, which is the
        next nonce.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def answers(self, slots: Collection[str], height: int) -> dict[str, Answer]:
        """Look up slots at the followed node; see ``ChainSource.look_up``.

        Returns:
            ``Absent`` if a slot is used, ``Unused`` if not. Nothing from a node whose head is below
            ``height``.
        """
        head, *counts = await self._rpc.batch(_requests(slots))
        is_behind = not isinstance(head, int) or head < height
        found: dict[str, Answer] = {}
        for slot, count in zip(slots, counts, strict=True):
            if isinstance(count, int) and not is_behind:
                used = count > decode.nonce_of(slot)
                found[slot] = Absent(head, time.time()) if used else Unused()
            elif isinstance(count, _REFUSED):
                found[slot] = Unanswered(str(count))
        return found

    async def consensus(
        self, slots: Collection[str], height: int, tip: int | None
    ) -> dict[str, Consensus]:
        """Ask all healthy nodes, and return their common answer about each slot.

        Args:
            slots: The slots.
            height: All answers are open if a node's head is below this height.
            tip: Height of our tip. A nonce that is used at a head above it can have been used by a
                block that we have not applied.
        """
        nodes = await self._rpc.everywhere(_requests(slots))
        heads = [head for head, *_ in nodes]
        return {
            slot: _agreed(slot, heads, [counts[place] for _, *counts in nodes], height, tip)
            for place, slot in enumerate(slots)
        }


def _requests(slots: Collection[str]) -> list[Request]:
    return [
        _BLOCK_NUMBER,
        *(
            Request("eth_getTransactionCount", (decode.sender_of(slot), "latest"), _quantity)
            for slot in slots
        ),
    ]


def _agreed(
    slot: str, heads: Sequence[Any], counts: Sequence[Any], height: int, tip: int | None
) -> Consensus:
    number = len(counts)
    error = next((part for part in (*heads, *counts) if isinstance(part, SourceError)), None)
    if error is not None:
        return Consensus("open", number, str(error))
    if any(head is None or head < height for head in heads) or None in counts:
        return Consensus("open", number, f"a provider is below block {height}")
    used = [count > decode.nonce_of(slot) for count in counts]
    if not any(used):
        return Consensus("unmined", number)
    if not all(used):
        return Consensus("open", number, "the providers do not agree whether its nonce is used")
    if tip is not None and any(head > tip for head in heads):
        reason = "its nonce is used, perhaps by a block above our last one"
        return Consensus("open", number, reason)
    return Consensus("nonce-used", number)
