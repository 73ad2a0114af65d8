"""Questions about single transactions, in as few requests as possible."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transaction_tracker.domain import Absent, Included, Refused, Seen
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.outcomes import OutcomeReader
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.protocol import Answer, Consensus, Unanswered, Unreadable


def _quantity(value: Any) -> int:
    return fields.quantity(value, "number")


# What a node says that does not know the state of a height; not what it says about itself.
_NO_NONCE = (ApplicationError, MalformedError, NotYetError, ServerError)
_BLOCK_NUMBER = Request("eth_blockNumber", (), _quantity)

# What a node says of a call that it refuses. What is not there yet, and no answer, are no refusal.
_REFUSED = (ApplicationError, RateLimitedError, ServerError)


@dataclass(frozen=True, slots=True)
class _Told:
    """What nodes say about one transaction; each part can be missing or an error.

    Attributes:
        transaction: The transaction itself, its block and its chain.
        receipt: Its receipt.
        nonce: The next nonce of its sender.
    """

    transaction: decode.Found | SourceError | None
    receipt: decode.Receipt | SourceError | None
    nonce: int | SourceError | None = None

    @property
    def error(self) -> SourceError | None:
        """The error of a part without an answer: nothing follows from its absence."""
        parts = (self.transaction, self.receipt, self.nonce)
        return next((part for part in parts if isinstance(part, SourceError)), None)

    @property
    def open_reason(self) -> str | None:
        """Why the node does not say that no block has the transaction; ``None`` if it does."""
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
        """Whether the node knows the transaction, and has it in no block."""
        return isinstance(self.transaction, decode.Found) and self.transaction.block is None

    @property
    def lacks_a_part(self) -> bool:
        """Whether the node lacks or refuses what another one may have, or contradicts itself.

        The two parts are from two moments. Only when they name one block are they one fact.
        """
        found, receipt = self.transaction, self.receipt
        if not isinstance(found, decode.Found):
            return True
        if found.block is None:
            return False
        return not isinstance(receipt, decode.Receipt) or receipt.block != found.block


class LookUp:
    """Asks for transactions, receipts and nonces.

    Args:
        rpc: Who asks the nodes.
        context: The chain.
        outcomes: Reads receipts.
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
        """Ask the node that is followed, and the others for what it lacks.

        Args:
            slots: The transactions, with their slots where these are known.
            height: A node below it cannot say that there is none.
            at_once: In one request, with all that might be needed.
            doubted: Those that one of the others is asked about too if the node has them in no
                block.
        """
        if at_once:
            questions = self._questions(slots, "pending")
            head, told = _read(slots, await self._rpc.batch(questions))
        else:
            head, told = await self._step_by_step(list(slots))
        waiting = {key: told[key] for key in doubted if told[key].is_pending}
        told |= await self._completed({key: one for key, one in told.items() if one.lacks_a_part})
        told |= await self._mined_elsewhere(waiting)
        mined = await self._included(told)
        now = time.time()
        answers: dict[str, Answer] = {}
        for key, one in told.items():
            answer = mined.get(key) or self._answer(one, head if head >= height else None, now)
            if answer is not None:
                answers[key] = answer
        return answers

    async def consensus(
        self, slots: Mapping[str, str | None], height: int, tip: int | None = None
    ) -> dict[str, Consensus]:
        """Ask every healthy node, and return for each transaction what all agree about, if so.

        Args:
            slots: The transactions, with their slots where these are known.
            height: A node below it leaves everything open.
            tip: Height of our tip; ``None`` for the nodes' own heads. A nonce that a block above
                our tip has used is not used for us yet: that block will tell by whom.
        """
        nodes = [] if tip is None else await self._everywhere(slots, hex(tip))
        at_heads = not nodes or any(_lacks_nonce(told, slots) for _, told in nodes)
        if at_heads:
            # Some are below our tip, or do not know the state of a height.
            nodes = await self._everywhere(slots, "latest")
        lowest = min(head for head, _ in nodes)
        is_above = at_heads and tip is not None and any(head > tip for head, _ in nodes)
        found: dict[str, Consensus] = {}
        for key, slot in slots.items():
            told = [told[key] for _, told in nodes]
            agreed = self._agreed(told, slot)
            if lowest < height:
                agreed = Consensus("open", len(nodes), _why_behind(told, lowest, height))
            elif is_above and agreed.kind == "nonce-used":
                reason = "its nonce is used, perhaps by a block above our last one"
                agreed = Consensus("open", len(nodes), reason)
            found[key] = agreed
        return found

    # -- Asking

    async def _everywhere(
        self, slots: Mapping[str, str | None], until: str
    ) -> list[tuple[int, dict[str, _Told]]]:
        everywhere = await self._rpc.everywhere(self._questions(slots, until))
        return [_read(slots, answers) for answers in everywhere]

    async def _step_by_step(self, ids: list[str]) -> tuple[int, dict[str, _Told]]:
        """Ask for the receipts of those only that are, or may be, in a block."""
        head, *found = await self._rpc.batch([_BLOCK_NUMBER, *map(self._transaction, ids)])
        transactions = dict(zip(ids, found, strict=True))
        unclear = [
            key
            for key, one in transactions.items()
            if one is None or (isinstance(one, decode.Found) and one.block is not None)
        ]
        requests = [self._outcomes.request(key) for key in unclear]
        answers = await self._rpc.batch(requests) if requests else []
        receipts = dict(zip(unclear, answers, strict=True))
        told = {key: _Told(one, receipts.get(key)) for key, one in transactions.items()}
        return _height(head), told

    async def _completed(self, told: Mapping[str, _Told]) -> dict[str, _Told]:
        """Ask the other nodes for what the followed one lacks, or contradicts itself about."""
        if not told:
            return {}
        requests = [
            *map(self._transaction, told),
            *(self._outcomes.request(key) for key in told),
        ]
        answers = iter(await self._rpc.elsewhere(requests))
        transactions = {key: next(answers) or one.transaction for key, one in told.items()}
        receipts = {key: next(answers) or one.receipt for key, one in told.items()}
        return {
            key: replace(one, transaction=transactions[key], receipt=receipts[key])
            for key, one in told.items()
        }

    async def _mined_elsewhere(self, told: Mapping[str, _Told]) -> dict[str, _Told]:
        """Ask one of the other nodes for the blocks of transactions that are in none here.

        A node that leaves a transaction out of its block, or whose pool keeps it, would let it wait
        without end.
        """
        if not told:
            return {}
        requests = [
            *(self._transaction(key, only_mined=True) for key in told),
            *(self._outcomes.request(key) for key in told),
        ]
        answers = await self._rpc.one_other(requests)
        parts = zip(told, answers[: len(told)], answers[len(told) :], strict=True)
        return {
            key: replace(told[key], transaction=found, receipt=receipt)
            for key, found, receipt in parts
            if found is not None and receipt is not None
        }

    async def _included(self, told: Mapping[str, _Told]) -> dict[str, Answer]:
        """Return the answers about transactions that are in a block, with their outcomes."""
        found: dict[str, decode.Found] = {}
        receipts: dict[str, decode.Receipt] = {}
        for key, one in told.items():
            transaction, receipt = one.transaction, one.receipt
            if isinstance(transaction, decode.Found) and isinstance(receipt, decode.Receipt):
                found[key], receipts[key] = transaction, receipt
        found = {key: one for key, one in found.items() if one.block == receipts[key].block}
        receipts = {key: receipts[key] for key in found}
        items = {key: one.raw for key, one in found.items()}
        outcomes = await self._outcomes.settle(items, receipts) if found else {}
        return {
            key: Included(one.transaction, receipts[key].block, outcomes[key])
            for key, one in found.items()
        }

    def _questions(self, slots: Mapping[str, str | None], until: str) -> list[Request]:
        senders = [decode.sender_of(slot) for slot in slots.values() if slot is not None]
        return [
            _BLOCK_NUMBER,
            *map(self._transaction, slots),
            *map(self._outcomes.request, slots),
            *(Request("eth_getTransactionCount", (it, until), _quantity) for it in senders),
        ]

    def _transaction(self, key: str, *, only_mined: bool = False) -> Request:
        def read(value: Any) -> decode.Found | None:
            found = decode.found(value, self._context.profile)
            if found.id != key:
                raise MalformedError(f"transaction {found.id} came for {key}")
            return None if only_mined and found.block is None else found

        return Request("eth_getTransactionByHash", (key,), read)

    # -- Judging

    def _answer(self, told: _Told, head: int | None, now: float) -> Answer | None:
        """Return what follows; ``head`` is ``None`` where the node is behind us."""
        found, receipt = told.transaction, told.receipt
        for part in (found, receipt):
            if isinstance(part, MalformedError):
                return Unreadable(str(part))
        if isinstance(found, decode.Found):
            return self._of_found(found, told, now)
        if found is None and receipt is None and head is not None:
            return Absent(head, now)
        # A receipt without its transaction, or what is not known yet: neither is a fact.
        return _unanswered(told)

    def _of_found(self, found: decode.Found, told: _Told, now: float) -> Answer | None:
        if found.block is None:
            if self._is_foreign(found):
                ours = self._context.chain_id
                return Refused(f"it is signed for chain {found.chain_id}, this is chain {ours}")
            slot, nonce = found.transaction.slot, told.nonce
            gap = isinstance(nonce, int) and slot is not None and nonce < decode.nonce_of(slot)
            return Seen(found.transaction, now, self._context.base_fee, gap)
        if isinstance(told.receipt, decode.Receipt):
            return Unreadable(
                f"{self._rpc}: the transaction names block {found.block.number} "
                f"({found.block.hash}), its receipt block {told.receipt.block.number} "
                f"({told.receipt.block.hash})"
            )
        return _unanswered(told)

    def _is_foreign(self, found: decode.Found) -> bool:
        return found.chain_id not in (None, self._context.chain_id)

    def _agreed(self, told: list[_Told], slot: str | None) -> Consensus:
        reason = next((reason for one in told if (reason := one.open_reason)), None)
        if reason is not None:
            return Consensus("open", len(told), reason)
        known = [one.transaction for one in told if isinstance(one.transaction, decode.Found)]
        if len(known) == len(told) and all(map(self._is_foreign, known)):
            return Consensus("refused", len(told))
        if known:
            return Consensus("unmined", len(told))
        nonces = [one.nonce for one in told if isinstance(one.nonce, int)]
        used = slot is not None and any(nonce > decode.nonce_of(slot) for nonce in nonces)
        return Consensus("nonce-used" if used else "absent", len(told))


def _read(
    slots: Mapping[str, str | None], answers: Collection[Any]
) -> tuple[int, dict[str, _Told]]:
    """Put the answers to ``_questions`` together again, by transaction."""
    rest = iter(answers)
    head = _height(next(rest))
    found = {key: next(rest) for key in slots}
    receipts = {key: next(rest) for key in slots}
    nonces = {key: next(rest) for key, slot in slots.items() if slot is not None}
    return head, {key: _Told(found[key], receipts[key], nonces.get(key)) for key in slots}


def _lacks_nonce(told: Mapping[str, _Told], slots: Mapping[str, str | None]) -> bool:
    """Return whether a node that can be asked gave no nonce for a slot."""
    return any(
        (slots[key] is not None and one.nonce is None) or isinstance(one.nonce, _NO_NONCE)
        for key, one in told.items()
    )


def _why_behind(told: Collection[_Told], head: int, height: int) -> str:
    """Return why a node is not at a height: it is behind, or it gave no answer."""
    errors = [str(one.error) for one in told if one.error is not None]
    if head < 0 and errors:
        return errors[0]
    return f"a provider is at block {head}, and must be at {height} to tell that there is none"


def _unanswered(told: _Told) -> Unanswered | None:
    """Return the error with which a node refuses to tell a part, if it does."""
    for part in (told.transaction, told.receipt):
        if isinstance(part, _REFUSED):
            return Unanswered(str(part))
    return None


def _height(answer: Any) -> int:
    """Return how far the node is; one that does not say is nowhere."""
    return answer if isinstance(answer, int) else -1
