"""Whether the healthy providers agree with ends that are about to be told."""

import asyncio
from collections.abc import Mapping
from typing import Any

from transaction_tracker.domain import BlockRef, Chain
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.takers import objections_to_takers
from transaction_tracker.sources.protocol import Ending, Objection

# From so many ends in one block on, all its receipts cost less than those of the ends.
_MANY_ENDS = 100


class Agreement:
    """Compares ends with what the healthy providers say: about the block and about the receipt.

    Args:
        rpc: Who asks the nodes.
        context: The chain.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context

    async def objections(self, chain: Chain, endings: Mapping[str, Ending]) -> dict[str, Objection]:
        """Return the transactions whose end cannot be told now; see ``ChainSource.objections``."""
        mined = {key: end for key, end in endings.items() if end.succeeded is not None}
        requests = self._receipts(mined)
        blocks = {end.block for end in endings.values()}
        dissent, second = await asyncio.gather(
            self._rpc.dissent(chain, blocks), self._rpc.elsewhere(requests)
        )
        found = await objections_to_takers(self._rpc, self._context, endings)
        for key, receipt in _by_id(second).items():
            if key in mined and (why := _difference(receipt, mined[key])) is not None:
                found[key] = Objection(why, contradicts=True)
        for key, end in endings.items():
            names = dissent.against.get(end.block)
            if names:
                found[key] = Objection(_other_block(names, end.block), contradicts=True)
            elif dissent.unanswered and key not in found:
                names = dissent.unanswered
                found[key] = Objection(f"no answer from {', '.join(names)}", contradicts=False)
        return found

    def _receipts(self, mined: Mapping[str, Ending]) -> list[Request]:
        by_block: dict[BlockRef, list[str]] = {}
        for key, end in mined.items():
            by_block.setdefault(end.block, []).append(key)
        requests: list[Request] = []
        for block, keys in by_block.items():
            if len(keys) > min(_MANY_ENDS, self._rpc.together):
                requests.append(Request("eth_getBlockReceipts", (block.hash,), self._read_all))
            else:
                requests += [
                    Request("eth_getTransactionReceipt", (key,), self._read) for key in keys
                ]
        return requests

    def _read(self, value: Any) -> list[decode.Receipt]:
        return [decode.receipt(value, self._context.profile)]

    def _read_all(self, value: Any) -> list[decode.Receipt]:
        return decode.receipts(value, self._context.profile)


def _by_id(second: list[Any]) -> dict[str, decode.Receipt]:
    return {receipt.id: receipt for receipts in second if receipts for receipt in receipts}


def _difference(receipt: decode.Receipt, end: Ending) -> str | None:
    """Return how another provider's receipt contradicts an end."""
    # A receipt of another block comes from another branch: that is judged by the blocks.
    if receipt.block != end.block:
        return None
    if receipt.outcome is not None and receipt.outcome.succeeded != end.succeeded:
        return f"another provider's receipt says that it {_ended(receipt.outcome.succeeded)}"
    return None


def _ended(succeeded: bool) -> str:
    return "succeeded" if succeeded else "reverted"


def _other_block(names: tuple[str, ...], block: BlockRef) -> str:
    verb = "holds" if len(names) == 1 else "hold"
    return f"{', '.join(names)} {verb} another block than {block.hash} at height {block.number}"
