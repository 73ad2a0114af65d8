"""Questions about single transactions, in as few requests as can be."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transaction_tracker.domain import (
    Absent,
    Included,
    Outcome,
    Refused,
    Seen,
)
from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.ethereum import decode, fields, reasons
from transaction_tracker.sources.ethereum.answers import read, readable
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.protocol import Answer, Block, Consensus

_BLOCK_NUMBER = Request("eth_blockNumber")


@dataclass(frozen=True, slots=True)
class _Told:
    """What one node says about one transaction; each part may be missing or an error.

    Attributes:
        transaction: The transaction itself, its block and its chain.
        receipt: What came of it.
        nonce: The next nonce of its sender, waiting transactions counted or not.
    """

    transaction: decode.Found | SourceError | None
    receipt: decode.Receipt | SourceError | None
    nonce: int | SourceError | None = None

    @property
    def failed(self) -> bool:
        """Whether a part got no answer, so that nothing follows from its absence."""
        parts = (self.transaction, self.receipt, self.nonce)
        return any(isinstance(part, SourceError) for part in parts)


class LookUp:
    """Asks for transactions, receipts and nonces.

    Args:
        rpc: Who asks the nodes.

    Attributes:
        chain_id: The chain, as soon as it is known.
        base_fee: That of the last head, in wei per unit of gas.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.chain_id: int | None = None
        self.base_fee: int | None = None

    async def answers(
        self, slots: Mapping[str, str | None], height: int, *, at_once: bool
    ) -> dict[str, Answer]:
        """Ask the node that is followed."""
        if at_once:
            head, told = _read(slots, await self._rpc.batch(_questions(slots, "pending")))
        else:
            head, told = await self._step_by_step(list(slots))
        now = time.time()
        answers: dict[str, Answer] = {}
        for key, one in told.items():
            answer = self._answer(one, head if head >= height else None, now, slots[key])
            if answer is not None:
                answers[key] = answer
        return answers

    async def consensus(self, slots: Mapping[str, str | None], height: int) -> dict[str, Consensus]:
        """Ask every healthy node."""
        everywhere = await self._rpc.everywhere(_questions(slots, "latest"))
        nodes = [_read(slots, answers) for answers in everywhere]
        if not nodes or any(head < height for head, _ in nodes):
            return {}
        agreed = {key: _agreed([told[key] for _, told in nodes], slots[key]) for key in slots}
        return {key: one for key, one in agreed.items() if one is not None}

    async def receipts(self, ids: Collection[str]) -> list[decode.Receipt]:
        """Fetch receipts, as far as the node has them."""
        answers = await self._rpc.batch([_receipt(key) for key in ids])
        return [one for one in readable(answers, decode.receipt) if one.id in ids]

    async def reasons(self, block: Block, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Ask why transactions reverted whose receipts do not tell: by calling them again."""
        silent = [key for key, one in outcomes.items() if not one.succeeded and one.error is None]
        if not silent:
            return {}
        calls = [_replay(block, key) for key in silent]
        try:
            answers = await self._rpc.batch(calls)
        except SourceError:
            return {}  # a reason is good to have, and no reason to wait
        return {
            key: replace(outcomes[key], error=reasons.of_call(answer))
            for key, answer in zip(silent, answers, strict=True)
        }

    async def _step_by_step(self, ids: list[str]) -> tuple[int, dict[str, _Told]]:
        """Ask for the receipts of those only that are, or may be, in a block."""
        head, *found = await self._rpc.batch([_BLOCK_NUMBER, *map(_transaction, ids)])
        transactions = {
            key: _of(key, read(answer, decode.found))
            for key, answer in zip(ids, found, strict=True)
        }
        unclear = [
            key
            for key, one in transactions.items()
            if one is None or (isinstance(one, decode.Found) and one.block is not None)
        ]
        answers = await self._rpc.batch([_receipt(key) for key in unclear]) if unclear else []
        receipts = {
            key: _of(key, read(answer, decode.receipt))
            for key, answer in zip(unclear, answers, strict=True)
        }
        told = {key: _Told(one, receipts.get(key)) for key, one in transactions.items()}
        return _height(head), told

    def _answer(self, told: _Told, head: int | None, now: float, slot: str | None) -> Answer | None:
        """Say what follows; ``head`` is ``None`` where the node is behind us."""
        found, receipt = told.transaction, told.receipt
        if isinstance(found, decode.Found):
            return self._found(found, receipt, told.nonce, now)
        if found is None and receipt is None and head is not None:
            return Absent(head, now)
        # An error, or a receipt without its transaction: none of it is a fact.
        return None

    def _found(self, found: decode.Found, receipt: Any, nonce: Any, now: float) -> Answer | None:
        if found.chain_id not in (None, self.chain_id):
            return Refused(f"it belongs to chain {found.chain_id}, this is {self.chain_id}")
        if found.block is None:
            slot = found.transaction.slot
            gap = isinstance(nonce, int) and slot is not None and nonce < decode.nonce_of(slot)
            return Seen(found.transaction, now, self.base_fee, gap)
        # Two answers from two moments: only when they agree are they one fact.
        if isinstance(receipt, decode.Receipt) and receipt.block == found.block:
            return Included(found.transaction, found.block, receipt.outcome)
        return None


def _questions(slots: Mapping[str, str | None], until: str) -> list[Request]:
    senders = [slot for slot in slots.values() if slot is not None]
    return [
        _BLOCK_NUMBER,
        *map(_transaction, slots),
        *map(_receipt, slots),
        *(Request("eth_getTransactionCount", (decode.sender_of(s), until)) for s in senders),
    ]


def _read(slots: Mapping[str, str | None], answers: list[Any]) -> tuple[int, dict[str, _Told]]:
    """Put the answers to ``_questions`` together again, by transaction."""
    rest = iter(answers)
    head = _height(next(rest))
    found = {key: _of(key, read(next(rest), decode.found)) for key in slots}
    receipts = {key: _of(key, read(next(rest), decode.receipt)) for key in slots}
    nonces = {key: read(next(rest), _nonce) for key, slot in slots.items() if slot is not None}
    return head, {key: _Told(found[key], receipts[key], nonces.get(key)) for key in slots}


def _agreed(told: Iterable[_Told], slot: str | None) -> Consensus | None:
    everyone = list(told)
    if any(one.failed or _is_mined(one) for one in everyone):
        return None
    unknown = all(one.transaction is None for one in everyone)
    return "absent" if unknown and all(_is_free(one.nonce, slot) for one in everyone) else "unmined"


def _is_mined(told: _Told) -> bool:
    found = told.transaction
    in_block = isinstance(found, decode.Found) and found.block is not None
    return in_block or told.receipt is not None


def _is_free(nonce: Any, slot: str | None) -> bool:
    """Say whether a transaction of this slot could still be mined."""
    return slot is None or (isinstance(nonce, int) and nonce <= decode.nonce_of(slot))


def _of(key: str, value: Any) -> Any:
    """Take an answer about another transaction for none."""
    if value is None or isinstance(value, SourceError) or value.id == key:
        return value
    return SourceError(f"an answer about {value.id} came to a question about {key}")


def _height(answer: Any) -> int:
    """Read how far the node is; one that does not say is nowhere."""
    value = read(answer, _nonce)
    return value if isinstance(value, int) else -1


def _nonce(value: object) -> int:
    return fields.quantity(value, "number")


def _transaction(key: str) -> Request:
    return Request("eth_getTransactionByHash", (key,))


def _receipt(key: str) -> Request:
    return Request("eth_getTransactionReceipt", (key,))


def _replay(block: Block, key: str) -> Request:
    fields_of_call = decode.call_of(block.body[block.ids[key]])
    # On the state before the block: its own effects are not yet there.
    return Request("eth_call", (fields_of_call, hex(block.link.number - 1)))
