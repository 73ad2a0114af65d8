"""Odd data of real nodes, for random lives."""

import random
from collections.abc import Callable, Sequence

from txtrack_devnode.faults import (
    CallError,
    DuplicatedTransaction,
    Fault,
    ForeignReceipt,
    HashesOnly,
    ListedTwice,
    LoadBalanced,
    MissingReceipt,
    NoStatus,
    OddField,
    OddPending,
    PrunedBlocks,
    RefusedBatch,
    Unprotected,
)
from txtrack_devnode.faults.results import ResultFault

ABOUT_TRANSACTIONS = frozenset(("eth_getTransactionByHash", "eth_getTransactionReceipt"))
_NOT_SUPPORTED = "Batched requests are not supported by this server"


def _of_a_part(part: float) -> list[Fault]:
    """Return the faults that concern a part of all transactions or blocks."""
    return [
        OddField(field="nonce", part=part),
        OddField(field="from", part=part),
        OddField(field="maxFeePerGas", part=part),
        OddField(record="receipt", field="effectiveGasPrice", part=part),
        OddField(record="receipt", field="gasUsed", value="0x", part=part),
        OddField(record="receipt", field="logsBloom", value="absent", part=part),
        OddField(record="block", field="baseFeePerGas", value="0x", part=part),
        OddField(record="block", field="size", part=part),
        Unprotected(part=part),
        ListedTwice(part=part),
        ForeignReceipt(part=part),
        MissingReceipt(part=part),
        NoStatus(part=part),
        OddPending(shape="zero", part=part),
        OddPending(shape="empty", part=part),
    ]


_OF_BLOCKS: Sequence[Fault] = (
    DuplicatedTransaction(),
    DuplicatedTransaction(renumbered=True),
    HashesOnly(),
)


def odd_faults(chance: random.Random, *, agreed: bool = False) -> list[Fault]:
    """Draw one to three permanent faults of odd data.

    With ``agreed``, without the faults that make transactions invalid if all providers have them,
    such as chain id 0 in a transaction with dynamic fees.
    """
    part = chance.choice([0.2, 0.6, 1.0])
    odd = [*_of_a_part(part), *_OF_BLOCKS]
    if not agreed:
        odd += [OddField(field="chainId", value=value, part=part) for value in ("0x0", "0x5")]
    return chance.sample(odd, chance.randint(1, 3))


def can_park(fault: Fault) -> bool:
    """Return whether a transaction can stay without an end if all providers have this fault."""
    if isinstance(fault, OddField):
        return fault.record != "block" and fault.field in ("nonce", "from", "gasUsed")
    return isinstance(fault, ListedTwice | ForeignReceipt | MissingReceipt | NoStatus)


def hides_outcome(fault: Fault) -> bool:
    """Return whether a provider with this fault has no receipt that decides an end."""
    return isinstance(fault, ForeignReceipt | MissingReceipt | NoStatus)


def refused_calls(chance: random.Random) -> list[Fault]:
    """Draw whether ``eth_call`` is refused, and with which message."""
    messages = [
        "required historical state is pruned",
        "the method eth_call does not exist/is not available",
        "insufficient funds for gas * price + value",
    ]
    methods = frozenset(("eth_call",))
    refused = CallError(methods=methods, code=-32000, message=chance.choice(messages))
    return [refused] if chance.random() < 0.5 else []


def refused_batch(chance: random.Random) -> Fault:
    """Draw how a provider refuses batches."""
    makers: Sequence[Callable[[], Fault]] = (
        lambda: RefusedBatch(code=-32005, message=_NOT_SUPPORTED),
        lambda: RefusedBatch(code=-32600),
        lambda: RefusedBatch(code=-32603, message="internal error"),
        lambda: RefusedBatch(http_status=chance.choice([400, 403, 405, 413])),
        lambda: RefusedBatch(limit=chance.randint(1, 5), http_status=413),
    )
    return chance.choice(makers)()


def pruned(chance: random.Random) -> Fault:
    """Draw how many of the oldest blocks a provider has pruned."""
    return PrunedBlocks(blocks=chance.choice([1, 1, 3]))


def load_balanced(chance: random.Random) -> Fault:
    """Draw the backends behind a provider's address."""
    return LoadBalanced(blocks=chance.randint(1, 4), split=chance.random() < 0.3)


__all__ = [
    "ABOUT_TRANSACTIONS",
    "ResultFault",
    "can_park",
    "hides_outcome",
    "load_balanced",
    "odd_faults",
    "pruned",
    "refused_batch",
    "refused_calls",
]
