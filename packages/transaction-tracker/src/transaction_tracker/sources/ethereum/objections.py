"""Whether the healthy providers agree with ends that are about to be told."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from transaction_tracker.domain import BlockRef, Chain, Outcome
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.marks import mark_requests, objection_to_mark
from transaction_tracker.sources.ethereum.receipts import BLOCK_RECEIPTS, MANY_HITS
from transaction_tracker.sources.ethereum.rpc import Dissent, Request, Rpc, Told
from transaction_tracker.sources.ethereum.takers import objections_to_takers, taker_requests
from transaction_tracker.sources.protocol import Ending, Objection


class Agreement:
    """Compares ends with what the healthy providers say: about the block and about the receipt.

    Args:
        rpc: Who asks the nodes.
        context: The chain.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return what providers are asked about ends, besides their blocks."""
        mined = {key: end for key, end in endings.items() if end.succeeded is not None}
        # A single provider has given its receipts already.
        receipts = self._receipts(mined) if self._rpc.is_compared else []
        takers = taker_requests(self._context, endings)
        return [*receipts, *takers, *mark_requests(endings)]

    async def objections(
        self, chain: Chain, endings: Mapping[str, Ending], told: Told | None = None
    ) -> dict[str, Objection]:
        """Return the transactions whose end cannot be told now; see ``ChainSource.objections``."""
        requests = self.requests(endings)
        blocks = {end.block for end in endings.values()}
        blocks |= {end.confirmed_by for end in endings.values() if end.confirmed_by is not None}
        # All are asked, also the followed one: the receipt can have come from another provider.
        dissent = await self._rpc.dissent(chain, blocks, requests, told)
        answers = [dict(zip(requests, told, strict=True)) for told in dissent.answers]
        found = objections_to_takers(self._context, answers, endings)
        receipts = _by_id(answers)
        for key, end in endings.items():
            if end.succeeded is None:
                continue
            if (objection := _of_receipts(receipts[key], end)) is not None:
                found[key] = objection
        for key, end in endings.items():
            names = dissent.against.get(end.block)
            if names:
                found[key] = Objection(_other_block(names, end.block), contradicts=True)
            elif names := _outvoting(dissent, end.confirmed_by):
                found[key] = Objection(_other_chain(names, end), contradicts=True, passes=True)
            elif (objection := objection_to_mark(end, answers, chain)) and key not in found:
                found[key] = objection
            elif dissent.unanswered and key not in found:
                names = dissent.unanswered
                found[key] = Objection(f"no answer from {', '.join(names)}", contradicts=False)
        return found

    def _receipts(self, mined: Mapping[str, Ending]) -> list[Request]:
        by_block: dict[BlockRef, list[str]] = {}
        for key, end in mined.items():
            by_block.setdefault(end.block, []).append(key)
        # From so many ends in one block on, all its receipts cost less than those of the ends.
        most = min(MANY_HITS, self._rpc.together)
        requests: list[Request] = []
        for block, keys in by_block.items():
            if len(keys) > most:
                requests.append(Request(BLOCK_RECEIPTS, (block.hash,), self._read_all))
            else:
                requests += [
                    Request("eth_getTransactionReceipt", (key,), self._read) for key in keys
                ]
        return requests

    def _read(self, value: Any) -> decode.Receipt:
        return decode.receipt(value, self._context.profile)

    def _read_all(self, value: Any) -> list[decode.Receipt]:
        return decode.receipts(value, self._context.profile)


def _by_id(answers: Sequence[Mapping[Request, Any]]) -> Mapping[str, list[decode.Receipt]]:
    """Return the receipts of all providers, by transaction."""
    found: defaultdict[str, list[decode.Receipt]] = defaultdict(list)
    for of_provider in answers:
        for answer in of_provider.values():
            for receipt in answer if isinstance(answer, list) else [answer]:
                if isinstance(receipt, decode.Receipt):
                    found[receipt.id].append(receipt)
    return found


def _of_receipts(receipts: Sequence[decode.Receipt], end: Ending) -> Objection | None:
    """Return how receipts contradict an end: one does, unless most say the same as we.

    A receipt of another block comes from another branch: that is judged by the blocks.
    """
    told = [receipt.outcome for receipt in receipts if receipt.block == end.block]
    outcomes: list[Outcome] = [outcome for outcome in told if outcome is not None]
    against = [outcome for outcome in outcomes if outcome.succeeded != end.succeeded]
    agreeing = len(outcomes) - len(against)
    if not against or agreeing > max(1, len(against)):
        return None
    reason = f"{len(against)} of {len(outcomes)} receipts say that it {_ended(against[0])}"
    outvoted = len(against) > max(1, agreeing)
    return Objection(reason, contradicts=True, outcome=against[0] if outvoted else None)


def _ended(outcome: Outcome) -> str:
    return "succeeded" if outcome.succeeded else "reverted"


def _outvoting(dissent: Dissent, block: BlockRef | None) -> tuple[str, ...]:
    """Return the providers whose chains leave ours below the last confirmation, if not outvoted.

    Such a provider may hold the transaction's block itself, and fewer blocks on top of it.
    """
    if block is None:
        return ()
    leaving = {name for name, height in dissent.leaving.items() if height <= block.number}
    leaving |= set(dissent.against.get(block, ()))
    return tuple(sorted(leaving)) if 2 * len(leaving) >= len(dissent.answers) else ()


def _other_chain(names: tuple[str, ...], end: Ending) -> str:
    verb = "holds" if len(names) == 1 else "hold"
    return f"{', '.join(names)} {verb} other blocks than we do above its block {end.block.number}"


def _other_block(names: tuple[str, ...], block: BlockRef) -> str:
    verb = "holds" if len(names) == 1 else "hold"
    return f"{', '.join(names)} {verb} another block than {block.hash} at height {block.number}"
