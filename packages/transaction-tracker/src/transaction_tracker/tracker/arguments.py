"""Check and convert the arguments of ``TransactionTracker``."""

import json
from collections.abc import Mapping
from typing import Any

from transaction_tracker.domain import (
    UNCHANGED,
    RegistrationChange,
    Required,
    Transaction,
    Unchanged,
)
from transaction_tracker.tracker.context import TrackerContext
from transaction_tracker.tracker.places import Place, place_of, place_of_raw


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Return metadata as JSON, or raise ``ValueError``."""
    try:
        # JSON has neither NaN nor infinity, but the json module writes them by default.
        return json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be a JSON object: {error}") from None


def named(transaction: str | None, raw: str | None) -> tuple[Place, Transaction | None]:
    """Return the source of a transaction with its id there, and the transaction if it is known.

    Args:
        transaction: Its id, or
        raw: the raw signed transaction.

    Raises:
        InvalidTransactionError: The given one is invalid.
        AmbiguousIdError: Several sources have such transactions.
        ValueError: None or both are given.
    """
    if transaction is not None and raw is None:
        return place_of(transaction), None
    if transaction is None and raw is not None:
        return place_of_raw(raw)
    raise ValueError("give either transaction or raw")


def registration_change(
    context: TrackerContext,
    *,
    confirmations: Required | Unchanged,
    deadline: float | Unchanged | None,
    metadata: Mapping[str, Any] | Unchanged,
    expect: Mapping[str, object] | Unchanged | None,
) -> RegistrationChange:
    """Check the arguments of ``TransactionTracker.change``; raise ``ValueError`` for a bad one."""
    return RegistrationChange(
        required=UNCHANGED if confirmations is UNCHANGED else context.requirement(confirmations),
        deadline=deadline,
        metadata=UNCHANGED if metadata is UNCHANGED else metadata_text(metadata),
        expectation=UNCHANGED if expect is UNCHANGED else context.expectation(expect),
    )
