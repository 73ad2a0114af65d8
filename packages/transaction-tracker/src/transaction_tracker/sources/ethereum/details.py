"""Details of transactions, from the fields that nodes send.

No decision needs a detail, so an unreadable one is ``None``: it never makes a transaction, a
receipt or a block unreadable.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from transaction_tracker.domain import Execution, Outcome, Payment
from transaction_tracker.sources.ethereum.fields import (
    address,
    is_null,
    readable,
    readable_number,
    readable_quantity,
)
from transaction_tracker.sources.ethereum.transfers import read_logs

_MAX_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last time that RFC 3339 can name


def payment(transaction: Mapping[str, Any]) -> Payment:
    """Return who pays whom how much, from the fields of a transaction."""
    return Payment(
        sender=_account(transaction.get("from")),
        recipient=_account(transaction.get("to")),
        value=readable_quantity(transaction.get("value")),
        nonce=readable_number(transaction.get("nonce")),
    )


def execution(receipt: Mapping[str, Any], block_time: int | None = None) -> Execution:
    """Return what a transaction did, from the fields of its receipt.

    Args:
        receipt: Fields of the receipt.
        block_time: Time of its block in Unix seconds, if it is known.
    """
    logs = read_logs(receipt.get("logs"))
    transfers, malformed = (None, 0) if logs is None else logs
    return Execution(
        gas_used=readable_number(receipt.get("gasUsed")),
        block_time=block_time,
        contract_address=_account(receipt.get("contractAddress")),
        transfers=transfers,
        malformed_logs=malformed,
    )


def detailed(
    outcome: Outcome, receipt: Mapping[str, Any], block_time: int | None = None
) -> Outcome:
    """Return an outcome with the execution from a receipt."""
    found = execution(receipt, block_time)
    return replace(outcome, gas_used=found.gas_used, effects=found.effects, execution=found)


def time_of(block: object) -> int | None:
    """Return the time of a block in Unix seconds; ``None`` if it is unreadable."""
    return _time(block.get("timestamp")) if isinstance(block, dict) else None


def time_in(transaction: object) -> int | None:
    """Return the time of the block that a transaction names, which newer nodes send with it."""
    return _time(transaction.get("blockTimestamp")) if isinstance(transaction, dict) else None


def _time(value: object) -> int | None:
    found = readable_quantity(value)
    return found if found is not None and found <= _MAX_TIME else None


def _account(value: object) -> str | None:
    return None if is_null(value) else readable(address, value)
