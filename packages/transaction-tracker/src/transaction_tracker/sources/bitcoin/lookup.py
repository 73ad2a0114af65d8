"""Look up single transactions, and what all nodes say of them together."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from transaction_tracker.domain import Absent, BlockRef, Included, Seen
from transaction_tracker.sources.answers import (
    Answer,
    Consensus,
    FetchedBlock,
    Unanswered,
    Unreadable,
)
from transaction_tracker.sources.bitcoin import fields, spending
from transaction_tracker.sources.bitcoin.client import NotIndexedError
from transaction_tracker.sources.bitcoin.context import BitcoinContext
from transaction_tracker.sources.bitcoin.found import (
    Found,
    Stale,
    found_request,
    transaction_of,
)
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

Slots: TypeAlias = Mapping[str, tuple[str, ...]]

_HEIGHT = Request("getblockcount", (), lambda value: fields.height(value, "head"))
_REFUSED = (ApplicationError, RateLimitedError, ServerError)


@dataclass(frozen=True, slots=True)
class NodeSays:
    """What one node says of one transaction.

    Attributes:
        answer: The result for the transaction itself.
        spending: What it says of the outputs that the transaction spends.
    """

    answer: Found | Stale | SourceError | None
    spending: spending.Spending

    @property
    def is_absent(self) -> bool:
        """Whether neither the mempool nor a block of the node has it, for certain."""
        if isinstance(self.answer, NotIndexedError):
            return self.spending.is_unmined
        return self.answer is None or isinstance(self.answer, Stale)

    @property
    def open_reason(self) -> str | None:
        """Why a block can have the transaction; ``None`` if the node says that no block has it."""
        if isinstance(self.answer, NotIndexedError):
            reason = "so it cannot say whether an old block has the transaction"
            return None if self.is_absent else f"{self.answer}, {reason}"
        if isinstance(self.answer, SourceError):
            return str(self.answer)
        if isinstance(self.answer, Found) and self.answer.block is not None:
            block = self.answer.block
            return f"a provider has it in block {block.number} ({block.hash})"
        error = self.spending.error
        return None if error is None else str(error)


class LookUp:
    """Fetches single transactions.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
        fetch: Fetches a block, which proves that it has a transaction.
    """

    def __init__(
        self,
        rpc: Rpc,
        context: BitcoinContext,
        fetch: Callable[[BlockRef], Awaitable[FetchedBlock]],
    ) -> None:
        self._rpc = rpc
        self._context = context
        self._fetch = fetch

    async def answers(self, slots: Slots, height: int) -> dict[str, Answer]:
        """Look up transactions at the followed node, and those that it lacks at the others.

        Args:
            slots: Transaction ids, with their slots if known.
            height: A node whose head is below this height cannot say that a transaction does not
                exist.
        """
        requests = {key: found_request(key) for key in slots}
        head, *results = await self._rpc.batch([_HEIGHT, *requests.values()])
        found = dict(zip(slots, results, strict=True))
        missing = [key for key, answer in found.items() if not isinstance(answer, Found)]
        if missing:
            others = await self._rpc.elsewhere([requests[key] for key in missing])
            for key, other in zip(missing, others, strict=True):
                found[key] = other if isinstance(other, Found) else found[key]
        says = await self._with_spending(slots, found)
        is_high = isinstance(head, int) and head >= height
        facts: dict[str, Answer] = {}
        for key, said in says.items():
            fact = await self._fact(key, said, head if is_high else None, slots[key])
            if fact is not None:
                facts[key] = fact
        return facts

    async def consensus(self, slots: Slots, height: int) -> dict[str, Consensus]:
        """Ask all healthy nodes, and return their common answer about each transaction.

        Args:
            slots: Transaction ids, with their slots if known.
            height: All answers are open if a node's head is below this height.
        """
        wanted = dict.fromkeys(
            [
                _HEIGHT,
                *map(found_request, slots),
                *(request for own in slots.values() for request in spending.requests(own)),
            ]
        )
        nodes = [
            dict(zip(wanted, results, strict=True))
            for results in await self._rpc.everywhere(list(wanted))
        ]
        heads = [_height(answers[_HEIGHT]) for answers in nodes]
        found: dict[str, Consensus] = {}
        for key, own in slots.items():
            says = [
                NodeSays(answers[found_request(key)], spending.read(own, answers))
                for answers in nodes
            ]
            agreed = _agreed(says)
            if min(heads) < height and agreed.kind != "open":
                reason = f"a provider is at block {min(heads)}, below {height}"
                agreed = Consensus(
                    "open", len(nodes), f"{reason}: it cannot say that there is none"
                )
            found[key] = agreed
        return found

    # -- Parts

    async def _with_spending(self, slots: Slots, found: Mapping[str, Any]) -> dict[str, NodeSays]:
        """Ask about the outputs where a node without an index decides nothing alone."""
        unclear = [key for key, answer in found.items() if isinstance(answer, NotIndexedError)]
        requests = dict.fromkeys(
            request for key in unclear for request in spending.requests(slots[key])
        )
        results = await self._rpc.batch(list(requests)) if requests else []
        answers = dict(zip(requests, results, strict=True))
        return {
            key: NodeSays(
                answer,
                spending.read(slots[key], answers) if key in unclear else spending.Spending(),
            )
            for key, answer in found.items()
        }

    async def _fact(
        self, key: str, said: NodeSays, head: int | None, slots: tuple[str, ...]
    ) -> Answer | None:
        """Return the fact that follows; ``head`` is ``None`` if the node is behind us."""
        answer, now = said.answer, time.time()
        if isinstance(answer, Found):
            if answer.block is None:
                return Seen(transaction_of(answer.raw, self._context.network), now)
            return await self._included(key, answer.block)
        if isinstance(answer, MalformedError):
            return Unreadable(str(answer))
        # Without an index, one that was seen is missing, and has not ended: an old block could have
        # it. Of one that was never seen, nothing follows; that is not a refusal either.
        is_lost = isinstance(answer, NotIndexedError) and bool(slots)
        if said.is_absent or is_lost:
            return None if head is None else Absent(head, now)
        if isinstance(answer, NotIndexedError):
            return None
        return Unanswered(str(answer)) if isinstance(answer, _REFUSED) else None

    async def _included(self, key: str, ref: BlockRef) -> Answer | None:
        """Return the inclusion in a block, which the block itself proves."""
        try:
            block = await self._fetch(ref)
        except SourceError as error:
            return Unanswered(str(error)) if isinstance(error, _REFUSED) else None
        if key not in block.ids:
            return Unreadable(f"{self._rpc}: block {ref.number} ({ref.hash}) does not have it")
        outcome = (await self._context.outcomes(block, [key])).get(key)
        if outcome is None or isinstance(outcome, Unreadable):
            return outcome
        found = block.body[block.ids[key]]
        return Included(transaction_of(found, self._context.network), ref, outcome)


def _agreed(says: list[NodeSays]) -> Consensus:
    count = len(says)
    if any(isinstance(said.answer, Found) and said.answer.block is None for said in says):
        in_block = next((said.open_reason for said in says if _is_mined(said)), None)
        return (
            Consensus("unmined", count) if in_block is None else Consensus("open", count, in_block)
        )
    reason = next((reason for said in says if (reason := said.open_reason)), None)
    if reason is not None:
        return Consensus("open", count, reason)
    is_blocked = any(said.spending.is_blocked for said in says)
    return Consensus("conflicted" if is_blocked else "absent", count)


def _is_mined(said: NodeSays) -> bool:
    return isinstance(said.answer, Found) and said.answer.block is not None


def _height(answer: Any) -> int:
    """Return the height of a node's head; -1 if the node does not send it."""
    return answer if isinstance(answer, int) else -1
