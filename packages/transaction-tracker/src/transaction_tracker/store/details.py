"""The details of a transaction as JSON: what the API, events and webhooks say, and what is stored.

They are kept in the database and in each event, not in memory: no decision needs them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from msgspec.structs import replace

from transaction_tracker.domain import (
    Details,
    Event,
    Execution,
    Output,
    Payment,
    TokenUnit,
    Transfer,
)

# A transaction can have thousands of transfers, and each of its events says them again.
MAX_TRANSFERS = 100

# The units of tokens by the name of their source and their contract.
Units = Mapping[tuple[str, str], TokenUnit]
_NO_UNITS: Units = {}
# Part of each transfer whose decimals are unknown.
_OPEN = '"decimals":null'


def after(known: str | None, event: Event, units: Units = _NO_UNITS) -> str | None:
    """Return the details after an event, as JSON; ``None`` while nothing is known.

    Args:
        known: The details before it.
        event: The event, with the details that it shows.
        units: Units of its tokens that are known by now.
    """
    if event.tracked.by_slot and event.tracked.hash is None:
        # Another transaction than that of the removed block can take the slot.
        return None
    payment, execution = event.details.payment, event.details.execution
    is_in_block = _is_in_block(event)
    says_all = payment is not None and (
        not is_in_block or (execution is not None and execution.block_time is not None)
    )
    fields: dict[str, Any] = _NOTHING.copy()
    if known is not None and not says_all:
        fields |= orjson.loads(known)
    if payment is not None:
        fields |= _payment(payment)
    if not is_in_block:
        fields |= _NO_BLOCK
    elif execution is not None:
        fields |= _execution(execution, fields["block_time"])
    if fields == _NOTHING:
        return None
    _fill(fields, event.tracked.source, units)
    outcome = event.tracked.outcome
    fee = None if outcome is None or outcome.fee is None else str(outcome.fee)
    fields["fee_wei" if fields.get("outputs") is None else "fee_sat"] = fee
    return orjson.dumps(fields).decode()


def of_payment(payment: Payment) -> str:
    """Return the details of a transaction that is known, and in no block, as JSON."""
    return orjson.dumps(_NOTHING | _payment(payment)).decode()


def read(text: str | None) -> Details:
    """Parse details; those of a long list of transfers are only the first ones."""
    if text is None:
        return Details()
    fields = orjson.loads(text)
    payment = _read_payment(fields)
    if fields["transfers"] is None and all(fields[name] is None for name in _OF_BLOCK):
        return Details(payment)
    time = fields["block_time"]
    transfers = fields["transfers"]
    execution = Execution(
        fields["gas_used"],
        None if time is None else int(datetime.fromisoformat(time).timestamp()),
        fields["contract_address"],
        None if transfers is None else tuple(map(_read_transfer, transfers)),
        fields["malformed_logs"] or 0,
    )
    return Details(payment, execution)


def tokens_of(event: Event) -> set[str]:
    """Return the tokens of ERC-20 whose transfers an event shows."""
    execution = event.details.execution
    if execution is None or not execution.transfers:
        return set()
    shown = execution.transfers[:MAX_TRANSFERS]
    return {each.token for each in shown if each.standard == "erc20"}


def open_tokens(text: str | None) -> set[str]:
    """Return the tokens of ERC-20 in details whose decimals they do not say."""
    if text is None or _OPEN not in text:
        return set()
    return {each["token"] for each in _open_transfers(orjson.loads(text))}


def filled(text: str | None, source: str, units: Units) -> str | None:
    """Return details with the decimals and symbols that are known by now."""
    if text is None or _OPEN not in text:
        return text
    fields = orjson.loads(text)
    _fill(fields, source, units)
    return orjson.dumps(fields).decode()


def _fill(fields: dict[str, Any], source: str, units: Units) -> None:
    for each in _open_transfers(fields) if units else ():
        unit = units.get((source, each["token"]))
        if unit is not None:
            each |= {"decimals": unit.decimals, "symbol": unit.symbol}


def _open_transfers(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for each in fields.get("transfers") or ()
        # Versions that did not ask about tokens wrote no decimals.
        if each["standard"] == "erc20" and each.get("decimals") is None
    ]


def complete_after(text: str | None, event: Event) -> Details:
    """Return the details after an event, without transfers if they are not all stored.

    Args:
        text: The details after the event, as JSON.
        event: The event, whose own details are always complete.
    """
    if text is None or not _is_in_block(event):
        return Details()
    stored = read_complete(text)
    return replace(stored, execution=event.details.execution or stored.execution)


def read_complete(text: str | None) -> Details:
    """Parse details, without transfers if they are not all stored."""
    return replace(read(text), execution=None) if is_cut_off(text) else read(text)


def is_cut_off(text: str | None) -> bool:
    """Return whether details have only the first transfers of a long list."""
    return text is not None and (orjson.loads(text)["transfer_count"] or 0) > MAX_TRANSFERS


_OF_BLOCK = (
    "gas_used",
    "block_time",
    "contract_address",
    "transfers",
    "transfer_count",
    "malformed_logs",
)
# Only on a chain without accounts, whose smallest unit is the satoshi.
OUTPUT_NAMES = ("value_sat", "fee_sat", "outputs", "output_count")
NAMES = ("from", "to", "value_wei", "nonce", "fee_wei", *_OF_BLOCK)
_NO_BLOCK = dict.fromkeys(_OF_BLOCK)
_NOTHING: dict[str, Any] = dict.fromkeys(NAMES)


def _is_in_block(event: Event) -> bool:
    tracked = event.tracked
    return tracked.anchor is not None and tracked.superseded_by is None


def _payment(payment: Payment) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "from": payment.sender,
        "to": payment.recipient,
        "nonce": payment.nonce,
    }
    if payment.outputs is None:
        fields["value_wei"] = _text(payment.value)
        return fields
    return fields | {
        "value_sat": _text(payment.value),
        "fee_sat": None,
        "outputs": [
            {"index": output.index, "to": output.recipient, "value_sat": str(output.value)}
            for output in payment.outputs
        ],
        "output_count": payment.output_count,
    }


def _read_payment(fields: dict[str, Any]) -> Payment:
    listed = fields.get("outputs")
    outputs = (
        None
        if listed is None
        else tuple(Output(each["index"], int(each["value_sat"]), each["to"]) for each in listed)
    )
    value = fields["value_wei"] if outputs is None else fields["value_sat"]
    count = fields.get("output_count")
    return Payment(fields["from"], fields["to"], _integer(value), fields["nonce"], outputs, count)


def _execution(execution: Execution, known_time: str | None) -> dict[str, Any]:
    transfers = execution.transfers
    # A transaction leaves its block only by an event without a block, so a known time is that of
    # the same block.
    time = known_time if execution.block_time is None else _rfc3339(execution.block_time)
    return {
        "gas_used": execution.gas_used,
        "block_time": time,
        "contract_address": execution.contract_address,
        "transfers": None
        if transfers is None
        else [_transfer(transfer) for transfer in transfers[:MAX_TRANSFERS]],
        "transfer_count": None if transfers is None else len(transfers),
        "malformed_logs": None if transfers is None else execution.malformed_logs,
    }


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "index": transfer.index,
        "standard": transfer.standard,
        "token": transfer.token,
        "from": transfer.sender,
        "to": transfer.recipient,
        "value": _text(transfer.value),
        "token_id": _text(transfer.token_id),
        "decimals": None if transfer.unit is None else transfer.unit.decimals,
        "symbol": None if transfer.unit is None else transfer.unit.symbol,
    }


def _read_transfer(fields: dict[str, Any]) -> Transfer:
    decimals = fields.get("decimals")
    return Transfer(
        fields["index"],
        fields["standard"],
        fields["token"],
        fields["from"],
        fields["to"],
        _integer(fields["value"]),
        _integer(fields["token_id"]),
        None if decimals is None else TokenUnit(decimals, fields["symbol"]),
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text)


@lru_cache(maxsize=64)  # all transactions of a block have the same time
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
