"""``txtrack add``, ``get``, ``ls``, ``why``, ``untrack``, ``recheck``."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from transaction_tracker.cli import amounts, output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BAD_INPUT, OK, BadInputError
from transaction_tracker.cli.flags import NoHeader, Transactions, seconds
from transaction_tracker.cli.service import ServiceFlags, transaction_path
from transaction_tracker.domain import State

Facts = Mapping[str, Any]

_COLUMNS = ("transaction", "state", "depth", "block")


async def add(
    *transactions: Transactions,
    confirmations: str | None = None,
    expires_in: str | None = None,
    metadata: str | None = None,
    key: str | None = None,
    service: ServiceFlags | None = None,
) -> int:
    """Track transactions with a running service.

    When the command returns, the transactions are stored. The service tracks them until they are
    final, also across restarts. Adding a tracked transaction changes nothing.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds. An invalid
    transaction does not affect the others.

    Args:
        transactions: Ids. On a chain: hashes, 0x and 64 hexadecimal digits each. With another
            source: the source's own ids.
        confirmations: Blocks that make a state final, or "safe" or "finalized". Default:
            source.confirmations of the service.
        expires_in: Time such as 30m or 1d after which a transaction that is in no block expires.
        metadata: JSON object of up to 4 KiB that each event contains.
        key: Idempotency key: a repeated request with the same key returns the first response.
    """
    wanted = _wanted(confirmations, expires_in, metadata)
    flags = service or ServiceFlags()
    async with flags.api() as api:
        registrations = [{"id": transaction, **wanted} for transaction in transactions]
        response = await register(api, registrations, key)
    for result in response["results"]:
        if flags.as_json:
            output.write_json(result)
        elif result["status"] == "accepted":
            output.say(f"{result['id']} {result['state']}")
        else:
            output.note(f"txtrack: refused: {refusal(result)}")
    return BAD_INPUT if response["refused"] else OK


async def register(api: Api, registrations: Sequence[Facts], key: str | None = None) -> Any:
    """Register transactions; return the response with a result for each."""
    return await api.post("v1/transactions", {"transactions": registrations}, key=key)


def refusal(result: Facts) -> str:
    """Return the reason why a registration was refused."""
    return "; ".join(str(error["detail"]) for error in result["errors"])


async def get(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Show a transaction: its state, confirmations and history.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        found = await api.get(transaction_path(transaction))
    if flags.as_json:
        output.write_document(found)
        return
    output.facts(described(found))
    for event in found.get("history", ()):
        output.say(f"  {event['recorded_at']}  {event['previous']} -> {_becomes(event)}")


async def ls(
    *,
    state: tuple[State, ...] = (),
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    no_header: NoHeader = False,
    service: ServiceFlags | None = None,
) -> None:
    """List all transactions with their states, sorted by id.

    Prints each page as soon as it is loaded, so the list can be very long.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.

    Args:
        state: List only transactions in this state; can be repeated.
        limit: Maximum number of transactions. Default: all. A note on standard error says if
            there are more.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:

        def pages(count: int | None) -> AsyncIterator[Facts]:
            return api.pages("v1/transactions", "transactions", count, state=state)

        found = output.limited(pages, limit, "omit --limit to list all")
        await output.lines(found, _COLUMNS, _row, as_json=flags.as_json, header=not no_header)


def _row(transaction: Facts) -> Sequence[object]:
    block = _block(transaction)
    return transaction["id"], transaction["state"], depth(transaction), block


async def why(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Explain the state of a transaction, and what it waits for.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        found = await api.get(transaction_path(transaction))
    reasons = found["why"]
    if flags.as_json:
        output.write_document(reasons)
        return
    output.say(f"{found['state']}: {reasons['sentence']}")
    for note in reasons["notes"]:
        output.say(f"  {note}")


async def untrack(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Stop tracking a transaction; its history is kept.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        stopped = await api.delete(transaction_path(transaction))
    show([stopped] if stopped else [], as_json=flags.as_json)


async def recheck(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Check a transaction at the source soon; a parked one gets a new tracker.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        checked = await api.post(f"{transaction_path(transaction)}/recheck")
    show([checked] if checked else [], as_json=flags.as_json)


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
        "depth": depth(transaction) or None,
        "block": _block(transaction),
        "failure": outcome.get("error"),
        "fee": _fee(outcome),
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


def _fee(outcome: Facts) -> str | None:
    fee: str | None = outcome.get("fee")
    if fee is None:
        return None
    text = amounts.written(int(fee))
    return text if outcome.get("fee_scope") != "execution" else f"{text}; execution fee only"


def depth(transaction: Facts) -> str:
    """Return the confirmations of a transaction and the required number; empty without a block."""
    if transaction["block"] is None:
        return ""
    required = transaction["required"]
    count = transaction["confirmations"]
    return f"{min(count, required)}/{required}" if isinstance(required, int) else f"{count}"


def _wanted(
    confirmations: str | None, expires_in: str | None, metadata: str | None
) -> dict[str, Any]:
    """Return the options of a registration, as the API expects them."""
    wanted: dict[str, Any] = {}
    if confirmations is not None:
        wanted["confirmations"] = int(confirmations) if confirmations.isdecimal() else confirmations
    if expires_in is not None:
        wanted["expires_in"] = seconds("--expires-in", expires_in)
    if metadata is not None:
        wanted["metadata"] = _object(metadata)
    return wanted


def _details(transaction: Facts) -> list[str]:
    block = transaction["block"]
    outcome = transaction["outcome"] or {}
    superseded_by = transaction["superseded_by"]
    flags = transaction["flags"]
    parked = transaction.get("parked")
    return [
        f"block {block['number']}" if block else "",
        f"depth {depth(transaction)}" if block else "",
        outcome.get("error") or "",
        f"{transaction['reason']} by {superseded_by}" if superseded_by else "",
        f"flags {', '.join(flags)}" if flags else "",
        f"parked: {parked}" if parked else "",
    ]


def _becomes(event: Facts) -> str:
    flags = f" ({', '.join(event['flags'])})" if event["flags"] else ""
    return f"{event['state']}{flags}"


def _block(transaction: Facts) -> int | None:
    return transaction["block"]["number"] if transaction["block"] else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInputError('--metadata must be a JSON object, such as {"invoice": 17}')
    return value
