"""Who paid whom how much, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from transaction_tracker.cli import output

Facts = Mapping[str, Any]


def described(transaction: Facts) -> dict[str, object]:
    """Return the names and values of a transaction's details, and whether they are expected."""
    details = transaction.get("details") or {}
    value, gas = details.get("value_wei"), details.get("gas_used")
    return {
        "from": details.get("from"),
        "to": details.get("to"),
        "contract": details.get("contract_address"),
        "value": None if value is None else output.amount(int(value)),
        "nonce": details.get("nonce"),
        "gas used": None if gas is None else f"{gas:,}",
        "block time": details.get("block_time"),
        "deposits": _deposits(transaction),
        "expected": verdict(transaction),
    }


def verdict(transaction: Facts) -> str | None:
    """Return whether a transaction is the expected payment; ``None`` if nothing is expected."""
    expectation = transaction.get("expectation")
    if expectation is None:
        return None
    if expectation["matches"] is None:
        return "not known yet whether it is the expected payment"
    if expectation["matches"]:
        return "the expected payment"
    differences = (
        f"{each['field']} is {each['actual'] or 'none'}, expected {each['expected']}"
        for each in expectation["differences"]
    )
    return f"not the expected payment: {'; '.join(differences)}"


def _deposits(transaction: Facts) -> str | None:
    """Return what a transaction pays to watched addresses; ``None`` if it has never paid one."""
    deposits = transaction.get("deposits")
    if deposits is None:
        return None
    return "; ".join(map(_deposit, deposits)) or "none"


def _deposit(deposit: Facts) -> str:
    value, token = deposit["value"], deposit["token"]
    amount = output.amount(int(value)) if token is None else f"{value} of {token}"
    return f"{amount} to {deposit['address']}"


def transfers(transaction: Facts) -> Iterator[str]:
    """Yield a line for each token transfer."""
    details = transaction.get("details") or {}
    shown = details.get("transfers") or ()
    for each in shown:
        amount = "" if each["value"] is None else f" {_amount(each)} of"
        token = "" if each["token_id"] is None else f" id {each['token_id']}"
        yield (
            f"{each['standard']}{amount} {each['token']}{token} from {each['from']} to {each['to']}"
        )
    left_out = (details.get("transfer_count") or 0) - len(shown)
    if left_out > 0:
        yield f"and {left_out:,} more token transfers"


def _amount(transfer: Facts) -> str:
    """Return the amount of a transfer, for people too where its decimals are known."""
    value, decimals = transfer["value"], transfer.get("decimals")
    if decimals is None:
        return str(value)
    return f"{output.token_amount(int(value), decimals, transfer.get('symbol'))} ({value})"
