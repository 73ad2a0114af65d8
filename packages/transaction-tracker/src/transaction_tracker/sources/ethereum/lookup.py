"""Look up single transactions, in as few requests as possible."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transaction_tracker.domain import Absent, BlockRef, Included, Rejected, Seen
from transaction_tracker.sources.answers import Answer, Consensus, Unanswered, Unreadable
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum import decode, details, fields
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.outcomes import OutcomeReader
from transaction_tracker.sources.ethereum.rpc import Request, Rpc


def _quantity(value: Any) -> int:
    return fields.quantity(value, "number")


# Errors of a node that does not know the state at a height. A rate limit or a transport error is
# about the node itself.
_NO_NONCE = (ApplicationError, MalformedError, NotYetError, ServerError)
_BLOCK_NUMBER = Request("eth_blockNumber", (), _quantity)

# Errors that mean that a node refuses the call. ``NotYetError`` and a missing response do not.
_REFUSED = (ApplicationError, RateLimitedError, ServerError)


@dataclass(frozen=True, slots=True)
class _NodeAnswers:
    """Answers of nodes about one transaction; each part can be missing or an error.

    Attributes:
        transaction: The transaction, with its block and its chain.
        receipt: Receipt of the transaction.
        nonce: Next nonce of its sender.
    """

    transaction: decode.Found | SourceError | None
    receipt: decode.Receipt | SourceError | None
    nonce: int | SourceError | None = None

    @property
    def error(self) -> SourceError | None:
        """Error of the first part that has one: nothing follows from the absence of that part."""
        parts = (self.transaction, self.receipt, self.nonce)
        return next((part for part in parts if isinstance(part, SourceError)), None)

    @property
    def open_reason(self) -> str | None:
        """Why a block can have the transaction; ``None`` if the node says that no block has it."""
        if self.error is not None:
            return str(self.error)
        found, receipt = self.transaction, self.receipt
        block = receipt.block if isinstance(receipt, decode.Receipt) else None
        block = found.block if isinstance(found, decode.Found) and found.block else block
        if block is None:
            return None if receipt is None else "a provider has a receipt of it"
        return f"a provider has it in block {block.number} ({block.hash})"

    @property
    def is_pending(self) -> bool:
        """Whether the node knows the transaction and has it in no block."""
        return isinstance(self.transaction, decode.Found) and self.transaction.block is None

    @property
    def is_partial(self) -> bool:
        """Whether another node can complete the answers: a part is missing, or the parts differ.

        The node answers the two calls at two moments: they are one fact only if both name the same
        block.
        """
        found, receipt = self.transaction, self.receipt
        if not isinstance(found, decode.Found):
            return True
        if found.block is None:
            return False
        return not isinstance(receipt, decode.Receipt) or receipt.block != found.block


class LookUp:
    """Fetches transactions, receipts and nonces.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
        outcomes: Reader of receipts.
    """

    def __init__(self, rpc: Rpc, context: ChainContext, outcomes: OutcomeReader) -> None:
        self._rpc = rpc
        self._context = context
        self._outcomes = outcomes

    async def answers(
        self,
        slots: Mapping[str, str | None],
        height: int,
        *,
        at_once: bool,
        doubted: Collection[str] = (),
    ) -> dict[str, Answer]:
        """Look up transactions at the followed node, and missing parts at the other nodes.

        Args:
            slots: Transaction ids, with their slots if known.
            height: A node whose head is below this height cannot say that a transaction does not
                exist.
            at_once: Whether to send all calls that can be needed in one request.
            doubted: Transactions for which another node is asked too if the followed node has
                them in no block.
        """
        if at_once:
            head, found = _read(slots, await self._rpc.batch(self._requests(slots, "pending")))
        else:
            head, found = await self._step_by_step(list(slots))
        waiting = {key: found[key] for key in doubted if found[key].is_pending}
        partial = {key: answers for key, answers in found.items() if answers.is_partial}
        found |= await self._completed(partial)
        found |= await self._mined_elsewhere(waiting)
        mined = await self._included(found)
        now = time.time()
        facts: dict[str, Answer] = {}
        for key, answers in found.items():
            fact = mined.get(key) or self._fact(answers, head if head >= height else None, now)
            if fact is not None:
                facts[key] = fact
        return facts

    async def consensus(
        self, slots: Mapping[str, str | None], height: int, tip: int | None = None
    ) -> dict[str, Consensus]:
        """Ask all healthy nodes, and return their common answer about each transaction.

        Args:
            slots: Transaction ids, with their slots if known.
            height: All answers are open if a node's head is below this height.
            tip: Height of our tip, at which nonces are read. Default: the nodes' own heads. A
                nonce that a block above our tip used is still unused for us: that block shows
                which transaction used it once it is applied.
        """
        nodes = [] if tip is None else await self._everywhere(slots, hex(tip))
        at_heads = not nodes or any(_lacks_nonce(answers, slots) for _, answers in nodes)
        if at_heads:
            # Some nodes are below our tip, or do not know the state at a height.
            nodes = await self._everywhere(slots, "latest")
        lowest = min(head for head, _ in nodes)
        is_above = at_heads and tip is not None and any(head > tip for head, _ in nodes)
        found: dict[str, Consensus] = {}
        for key, slot in slots.items():
            of_nodes = [answers[key] for _, answers in nodes]
            agreed = self._agreed(of_nodes, slot)
            if lowest < height:
                agreed = Consensus("open", len(nodes), _why_behind(of_nodes, lowest, height))
            elif is_above and agreed.kind == "nonce-used":
                reason = "its nonce is used, perhaps by a block above our last one"
                agreed = Consensus("open", len(nodes), reason)
            found[key] = agreed
        return found

    # -- Requests

    async def _everywhere(
        self, slots: Mapping[str, str | None], until: str
    ) -> list[tuple[int, dict[str, _NodeAnswers]]]:
        everywhere = await self._rpc.everywhere(self._requests(slots, until))
        return [_read(slots, answers) for answers in everywhere]

    async def _step_by_step(self, ids: list[str]) -> tuple[int, dict[str, _NodeAnswers]]:
        """Fetch transactions, then the receipts of those that are, or can be, in a block."""
        head, *results = await self._rpc.batch([_BLOCK_NUMBER, *map(self._transaction, ids)])
        transactions = dict(zip(ids, results, strict=True))
        unclear = [
            key
            for key, found in transactions.items()
            if found is None or (isinstance(found, decode.Found) and found.block is not None)
        ]
        requests = [self._outcomes.request(key) for key in unclear]
        answers = await self._rpc.batch(requests) if requests else []
        receipts = dict(zip(unclear, answers, strict=True))
        return _height(head), {
            key: _NodeAnswers(found, receipts.get(key)) for key, found in transactions.items()
        }

    async def _completed(self, partial: Mapping[str, _NodeAnswers]) -> dict[str, _NodeAnswers]:
        """Return the answers with the parts that other nodes have."""
        if not partial:
            return {}
        requests = [
            *map(self._transaction, partial),
            *(self._outcomes.request(key) for key in partial),
        ]
        results = iter(await self._rpc.elsewhere(requests))
        transactions = {key: next(results) or old.transaction for key, old in partial.items()}
        receipts = {key: next(results) or old.receipt for key, old in partial.items()}
        return {
            key: replace(old, transaction=transactions[key], receipt=receipts[key])
            for key, old in partial.items()
        }

    async def _mined_elsewhere(
        self, waiting: Mapping[str, _NodeAnswers]
    ) -> dict[str, _NodeAnswers]:
        """Return the answers of another node for transactions that it has in a block.

        The followed node can omit a transaction from its block, or keep it in its pool: the
        transaction would stay pending without limit.
        """
        if not waiting:
            return {}
        requests = [
            *(self._transaction(key, only_mined=True) for key in waiting),
            *(self._outcomes.request(key) for key in waiting),
        ]
        results = await self._rpc.one_other(requests)
        parts = zip(waiting, results[: len(waiting)], results[len(waiting) :], strict=True)
        return {
            key: replace(waiting[key], transaction=found, receipt=receipt)
            for key, found, receipt in parts
            if found is not None and receipt is not None
        }

    async def _included(self, answers: Mapping[str, _NodeAnswers]) -> dict[str, Answer]:
        """Return the facts about transactions that are in a block, with their outcomes."""
        mined: dict[str, decode.Found] = {}
        receipts: dict[str, decode.Receipt] = {}
        for key, parts in answers.items():
            found, receipt = parts.transaction, parts.receipt
            if isinstance(found, decode.Found) and isinstance(receipt, decode.Receipt):
                mined[key], receipts[key] = found, receipt
        mined = {key: found for key, found in mined.items() if found.block == receipts[key].block}
        receipts = {key: receipts[key] for key in mined}
        items = {key: found.raw for key, found in mined.items()}
        times = await self._block_times(mined.values())
        outcomes = await self._outcomes.settle(items, receipts, times) if mined else {}
        return {
            key: Included(found.transaction, receipts[key].block, outcomes[key])
            for key, found in mined.items()
        }

    async def _block_times(self, mined: Collection[decode.Found]) -> dict[BlockRef, int | None]:
        """Return the times of blocks, from the transactions if the nodes send them there.

        Otherwise the blocks are requested. A time that is still missing then stays unknown.
        """
        known = {found.block: details.time_in(found.raw) for found in mined if found.block}
        missing = [block for block, time in known.items() if time is None]
        requests = [
            Request("eth_getBlockByHash", (block.hash, False), details.time_of) for block in missing
        ]
        try:
            answers = await self._rpc.batch(requests) if requests else []
        except SourceError:
            return known  # a fact without its time is complete: it must not wait
        times = [answer if isinstance(answer, int) else None for answer in answers]
        return known | dict(zip(missing, times, strict=True))

    def _requests(self, slots: Mapping[str, str | None], until: str) -> list[Request]:
        senders = [decode.sender_of(slot) for slot in slots.values() if slot is not None]
        return [
            _BLOCK_NUMBER,
            *map(self._transaction, slots),
            *map(self._outcomes.request, slots),
            *(Request("eth_getTransactionCount", (sender, until), _quantity) for sender in senders),
        ]

    def _transaction(self, key: str, *, only_mined: bool = False) -> Request:
        def read(value: Any) -> decode.Found | None:
            found = decode.found(value, self._context.profile)
            if found.id != key:
                raise MalformedError(f"transaction {found.id} came for {key}")
            return None if only_mined and found.block is None else found

        return Request("eth_getTransactionByHash", (key,), read)

    # -- Facts

    def _fact(self, answers: _NodeAnswers, head: int | None, now: float) -> Answer | None:
        """Return the fact that follows; ``head`` is ``None`` if the node is behind us."""
        found, receipt = answers.transaction, answers.receipt
        for part in (found, receipt):
            if isinstance(part, MalformedError):
                return Unreadable(str(part))
        if isinstance(found, decode.Found):
            return self._of_found(found, answers, now)
        if found is None and receipt is None and head is not None:
            return Absent(head, now)
        # Neither a receipt without its transaction nor ``NotYetError`` is a fact.
        return _unanswered(answers)

    def _of_found(self, found: decode.Found, answers: _NodeAnswers, now: float) -> Answer | None:
        if found.block is None:
            if self._is_foreign(found):
                ours = self._context.chain_id
                return Rejected(f"it is signed for chain {found.chain_id}, this is chain {ours}")
            nonce, slots = answers.nonce, found.transaction.slots
            gap = isinstance(nonce, int) and any(nonce < decode.nonce_of(slot) for slot in slots)
            return Seen(found.transaction, now, self._context.base_fee, gap)
        receipt = answers.receipt
        if isinstance(receipt, decode.Receipt):
            return Unreadable(
                f"{self._rpc}: the transaction names block {found.block.number} "
                f"({found.block.hash}), its receipt block {receipt.block.number} "
                f"({receipt.block.hash})"
            )
        return _unanswered(answers)

    def _is_foreign(self, found: decode.Found) -> bool:
        return found.chain_id not in (None, self._context.chain_id)

    def _agreed(self, answers: list[_NodeAnswers], slot: str | None) -> Consensus:
        count = len(answers)
        reason = next((reason for node in answers if (reason := node.open_reason)), None)
        if reason is not None:
            return Consensus("open", count, reason)
        known = [node.transaction for node in answers if isinstance(node.transaction, decode.Found)]
        if len(known) == count and all(map(self._is_foreign, known)):
            return Consensus("refused", count)
        if known:
            return Consensus("unmined", count)
        nonces = [node.nonce for node in answers if isinstance(node.nonce, int)]
        used = slot is not None and any(nonce > decode.nonce_of(slot) for nonce in nonces)
        return Consensus("nonce-used" if used else "absent", count)


def _read(
    slots: Mapping[str, str | None], results: Collection[Any]
) -> tuple[int, dict[str, _NodeAnswers]]:
    """Return the height of a node's head, and its answers by transaction.

    Args:
        slots: Transaction ids, with their slots if known.
        results: Results of ``LookUp._requests``.
    """
    rest = iter(results)
    head = _height(next(rest))
    found = {key: next(rest) for key in slots}
    receipts = {key: next(rest) for key in slots}
    nonces = {key: next(rest) for key, slot in slots.items() if slot is not None}
    return head, {key: _NodeAnswers(found[key], receipts[key], nonces.get(key)) for key in slots}


def _lacks_nonce(answers: Mapping[str, _NodeAnswers], slots: Mapping[str, str | None]) -> bool:
    """Return whether a node that responds gave no nonce for a slot."""
    return any(
        (slots[key] is not None and parts.nonce is None) or isinstance(parts.nonce, _NO_NONCE)
        for key, parts in answers.items()
    )


def _why_behind(answers: Collection[_NodeAnswers], head: int, height: int) -> str:
    """Return why a node is not at a height: it is behind, or it did not respond."""
    errors = [str(node.error) for node in answers if node.error is not None]
    if head < 0 and errors:
        return errors[0]
    return f"a provider is at block {head}, below {height}: it cannot say that there is none"


def _unanswered(answers: _NodeAnswers) -> Unanswered | None:
    """Return the error with which a node refuses to send a part, if it does."""
    for part in (answers.transaction, answers.receipt):
        if isinstance(part, _REFUSED):
            return Unanswered(str(part))
    return None


def _height(answer: Any) -> int:
    """Return the height of a node's head; -1 if the node does not send it."""
    return answer if isinstance(answer, int) else -1
