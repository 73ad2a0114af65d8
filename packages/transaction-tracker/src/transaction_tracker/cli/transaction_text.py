"""Transactions in words: a line, the columns of a list, and all that is known."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from transaction_tracker.cli import output, payments

Facts = Mapping[str, Any]

COLUMNS = ("transaction", "state", "depth", "block")


def show(found: Sequence[Facts], *, as_json: bool) -> None:
    """Print a line for each transaction."""
    for transaction in found:
        if as_json:
            output.write_json(transaction)
        else:
            output.say(line(transaction))


def line(transaction: Facts) -> str:
    """Return a line with the state and the details of a transaction."""
    state = f"{transaction['id']} {transaction['state']}"
    return ", ".join(filter(None, [state, *_details(transaction)]))


def described(transaction: Facts) -> dict[str, object]:
    """Return the names and values that describe a transaction."""
    outcome = transaction["outcome"] or {}
    metadata = transaction["metadata"]
    return {
        "transaction": transaction["id"],
        "state": transaction["state"],
        "depth": _depth(transaction) or None,
        "block": _block(transaction),
        "failure": outcome.get("error"),
        "fee": _fee(outcome),
        **payments.described(transaction),
        "hash": transaction.get("hash"),  # a service of an older version has none
        "superseded by": transaction["superseded_by"],
        "reason": transaction["reason"],
        "flags": ", ".join(transaction["flags"]) or None,
        "parked": transaction["parked"],
        "deadline": transaction["deadline"],
        "metadata": json.dumps(metadata) if metadata else None,
        "registered": transaction["created_at"],
        "changed": transaction["updated_at"],
        "why": transaction.get("why", {}).get("sentence"),
    }


def row(transaction: Facts) -> Sequence[object]:
    """Return the values of ``COLUMNS``."""
    return transaction["id"], transaction["state"], _depth(transaction), _block(transaction)


def transition(event: Facts) -> str:
    """Return a line with a change of the state."""
    flags = f" ({', '.join(event['flags'])})" if event["flags"] else ""
    return f"{event['recorded_at']}  {event['previous']} -> {event['state']}{flags}"


def _depth(transaction: Facts) -> str:
    """Return the confirmations of a transaction and the required number; empty without a block."""
    if transaction["block"] is None:
        return ""
    required = transaction["required"]
    count = transaction["confirmations"]
    return f"{min(count, required)}/{required}" if isinstance(required, int) else f"{count}"


def _fee(outcome: Facts) -> str | None:
    fee: str | None = outcome.get("fee")
    if fee is None:
        return None
    text = output.amount(int(fee))
    return text if outcome.get("fee_scope") != "execution" else f"{text}; execution fee only"


def _details(transaction: Facts) -> list[str]:
    block = transaction["block"]
    outcome = transaction["outcome"] or {}
    superseded_by = transaction["superseded_by"]
    flags = transaction["flags"]
    parked = transaction.get("parked")
    return [
        f"block {block['number']}" if block else "",
        f"depth {_depth(transaction)}" if block else "",
        outcome.get("error") or "",
        f"{transaction['reason']} by {superseded_by}" if superseded_by else "",
        payments.verdict(transaction) or "",
        f"flags {', '.join(flags)}" if flags else "",
        f"parked: {parked}" if parked else "",
    ]


def _block(transaction: Facts) -> int | None:
    return transaction["block"]["number"] if transaction["block"] else None
