"""Transactions as nodes answer about them: in the mempool, in a block, or with their fee."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from transaction_tracker.domain import (
    BlockRef,
    Execution,
    Link,
    Outcome,
    Output,
    Payment,
    Transaction,
)
from transaction_tracker.slices import Steps
from transaction_tracker.sources.bitcoin import fields, raw
from transaction_tracker.sources.bitcoin.addresses import address_of, is_data
from transaction_tracker.sources.bitcoin.client import Chained, link_request
from transaction_tracker.sources.bitcoin.networks import NetworkProfile
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.ethereum.rpc import Request

MATURITY = 100
"""Confirmations of a block after which its reward can be spent (COINBASE_MATURITY)."""
MAX_SLOTS = 1_000
"""Slots of one transaction that are kept. More only cost memory: a rival takes one of these, or
the transaction is dropped as conflicted when no provider knows it any more."""
MAX_OUTPUTS = 100
"""Outputs of one transaction that are shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction that a node knows.

    Attributes:
        raw: The transaction.
        block: The block of the active chain that has it; ``None`` if it is in the mempool.
    """

    raw: raw.RawTransaction
    block: BlockRef | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A transaction that a node knows only from a block outside of its active chain."""

    raw: raw.RawTransaction


@dataclass(frozen=True, slots=True)
class Listed:
    """A transaction in the block in which it was asked for.

    Attributes:
        raw: The transaction.
        is_active: Whether the node has that block in its active chain.
        fee: Its fee in satoshi; ``None`` if the node does not say it.
    """

    raw: raw.RawTransaction
    is_active: bool
    fee: int | None = field(default=None)


def found_request(key: str) -> Request:
    """Return the request for a transaction and its block.

    The result is ``Found``, ``Stale``, or ``None`` if the node does not know the transaction.

    Source:
        ``getrawtransaction`` with verbosity 1, then ``getblockheader``.
    """

    def then(value: dict[str, Any]) -> Any:
        transaction = value["transaction"]
        if value.get("blockhash") is None:
            return Found(transaction)
        if not value.get("confirmations"):
            return Stale(transaction)
        header = link_request(fields.block_hash(value["blockhash"]))

        def read(answer: Any) -> Found:
            link: Link = fields.link(answer)
            return Found(transaction, link.ref)

        return Request(header.method, header.params, read)

    def read(value: Any) -> Steps[dict[str, Any]]:
        found = fields.record(value, "transaction")
        if found.get("blockhash") is not None:
            fields.block_hash(found["blockhash"])
        return found | {"transaction": (yield from _transaction(found, key))}

    return Chained("getrawtransaction", (key, 1), read, then=then)


def listed_request(key: str, block: BlockRef) -> Request:
    """Return the request for a transaction in a block, with its fee.

    It needs no index of transactions.

    Source:
        ``getrawtransaction`` with verbosity 2 and the block's hash. Versions before 25 send no
        fee, and neither does a node that has pruned the block's undo data.
    """

    def read(value: Any) -> Steps[Listed]:
        answer = fields.record(value, "transaction")
        fee = answer.get("fee")
        return Listed(
            (yield from _transaction(answer, key)),
            answer.get("in_active_chain") is not False,
            None if fee is None else fields.satoshi(fee, "fee"),
        )

    return Request("getrawtransaction", (key, 2, block.hash), read)


def transaction_of(found: raw.RawTransaction, network: NetworkProfile) -> Transaction:
    """Return a transaction in the form of all sources."""
    return Transaction(
        found.id,
        slots=found.spent[:MAX_SLOTS],
        content=_content(found),
        payment=_payment(found, network),
        min_confirmations=MATURITY if found.is_coinbase else 1,
    )


def outcome_of(found: raw.RawTransaction, fee: int | None, time: int | None) -> Outcome:
    """Return the outcome of a transaction in a block: it always succeeds."""
    return Outcome(
        succeeded=True,
        fee=0 if found.is_coinbase else fee,
        execution=Execution(block_time=time),
    )


def _transaction(value: dict[str, Any], key: str) -> Steps[raw.RawTransaction]:
    found = yield from raw.transaction_steps(raw.from_hex(value.get("hex"), f"transaction {key}"))
    if found.id != key:
        raise MalformedError(f"transaction {found.id} came for {key}")
    return found


def _content(found: raw.RawTransaction) -> str:
    """Return a digest of what a transaction pays: amounts and scripts, in order."""
    digest = sha256()
    for output in found.outputs:
        digest.update(output.value.to_bytes(8, "little"))
        digest.update(len(output.script).to_bytes(4, "little") + output.script)
    return digest.hexdigest()


def _payment(found: raw.RawTransaction, network: NetworkProfile) -> Payment:
    """Return the outputs; the recipient and the amount only if a single output pays."""
    paying = [each for each in found.outputs if not is_data(each.script)]
    (only,) = paying if len(paying) == 1 else (None,)
    return Payment(
        recipient=None if only is None else address_of(only.script, network),
        value=None if only is None else only.value,
        outputs=tuple(
            Output(at, each.value, address_of(each.script, network))
            for at, each in enumerate(found.outputs[:MAX_OUTPUTS])
        ),
        output_count=len(found.outputs),
    )
