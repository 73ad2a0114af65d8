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

    Once this has returned, they are stored, and tracked until they are final, also when the service
    is restarted. Adding a transaction again changes nothing.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers. Of several
    transactions, the good ones are tracked even if others are bad.

    Args:
        transactions: Ids: on a chain hashes, 0x and 64 hexadecimal digits each; of another source,
            what it calls its transactions.
        confirmations: Blocks that make a state final, or "safe" or "finalized"; without it,
            source.confirmations of the service.
        expires_in: Time such as 30m or 1d after which a transaction that is in no block expires.
        metadata: A JSON object of up to 4 KiB that comes back with every event.
        key: Idempotency key: the same request with the same key is answered as the first was.
    """
    wanted = _wanted(confirmations, expires_in, metadata)
    flags = service or ServiceFlags()
    async with flags.api() as api:
        answer = await register(api, [{"id": one, **wanted} for one in transactions], key)
    for result in answer["results"]:
        if flags.as_json:
            output.write_json(result)
        elif result["status"] == "accepted":
            output.say(f"{result['id']} {result['state']}")
        else:
            output.note(f"txtrack: refused: {refusal(result)}")
    return BAD_INPUT if answer["refused"] else OK


async def register(api: Api, registrations: Sequence[Facts], key: str | None = None) -> Any:
    """Ask for transactions to be followed; give what became of each."""
    return await api.post("v1/transactions", {"transactions": registrations}, key=key)


def refusal(result: Facts) -> str:
    """Say why a registration was refused."""
    return "; ".join(str(fault["detail"]) for fault in result["errors"])


async def get(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Show a transaction: its state, confirmations and history.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service answers.

    Args:
        transaction: Its id: on a chain, its hash.
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
    """List all transactions with their states, in the order of their ids.

    They are printed while they are read, also when there are very many.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers.

    Args:
        state: Only those in this state; may be repeated.
        limit: How many at most; without it, all. If there are more, standard error says so.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:

        def pages(count: int | None) -> AsyncIterator[Facts]:
            return api.pages("v1/transactions", "transactions", count, state=state)

        found = output.limited(pages, limit, "leave --limit out to list all")
        await output.lines(found, _COLUMNS, _row, as_json=flags.as_json, header=not no_header)


def _row(transaction: Facts) -> Sequence[object]:
    block = _block(transaction)
    return transaction["id"], transaction["state"], depth(transaction), block


async def why(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Explain why a transaction is in its state, and what it waits for.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service answers.

    Args:
        transaction: Its id: on a chain, its hash.
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
    """Stop tracking a transaction; what is known of it is kept.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service answers.

    Args:
        transaction: Its id: on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        answer = await api.delete(transaction_path(transaction))
    show([answer] if answer else [], as_json=flags.as_json)


async def recheck(transaction: str, /, *, service: ServiceFlags | None = None) -> None:
    """Ask the source about a transaction soon; a parked one gets a new tracker.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service answers.

    Args:
        transaction: Its id: on a chain, its hash.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        answer = await api.post(f"{transaction_path(transaction)}/recheck")
    show([answer] if answer else [], as_json=flags.as_json)


def show(found: Sequence[Facts], *, as_json: bool) -> None:
    """Print a line for each transaction."""
    for one in found:
        if as_json:
            output.write_json(one)
        else:
            output.say(line(one))


def line(one: Facts) -> str:
    """Say in a line what is known of a transaction."""
    return ", ".join(filter(None, [f"{one['id']} {one['state']}", *_details(one)]))


def described(one: Facts) -> dict[str, object]:
    """Name what is known of a transaction."""
    outcome = one["outcome"] or {}
    return {
        "transaction": one["id"],
        "state": one["state"],
        "depth": depth(one) or None,
        "block": _block(one),
        "failure": outcome.get("error"),
        "fee": _fee(outcome),
        "superseded by": one["superseded_by"],
        "reason": one["reason"],
        "flags": ", ".join(one["flags"]) or None,
        "parked": one["parked"],
        "deadline": one["deadline"],
        "metadata": json.dumps(one["metadata"]) if one["metadata"] else None,
        "registered": one["created_at"],
        "changed": one["updated_at"],
        "why": one.get("why", {}).get("sentence"),
    }


def _fee(outcome: Facts) -> str | None:
    fee: str | None = outcome.get("fee")
    if fee is None:
        return None
    text = amounts.written(int(fee))
    return text if outcome.get("fee_scope") != "execution" else f"{text}; execution fee only"


def depth(one: Facts) -> str:
    """Say how many confirmations of how many a transaction has, once it is in a block."""
    if one["block"] is None:
        return ""
    required = one["required"]
    count = one["confirmations"]
    return f"{min(count, required)}/{required}" if isinstance(required, int) else f"{count}"


def _wanted(
    confirmations: str | None, expires_in: str | None, metadata: str | None
) -> dict[str, Any]:
    """Write what is asked for beside the id, as the API wants it."""
    wanted: dict[str, Any] = {}
    if confirmations is not None:
        wanted["confirmations"] = int(confirmations) if confirmations.isdecimal() else confirmations
    if expires_in is not None:
        wanted["expires_in"] = seconds("--expires-in", expires_in)
    if metadata is not None:
        wanted["metadata"] = _object(metadata)
    return wanted


def _details(one: Facts) -> list[str]:
    outcome = one["outcome"] or {}
    superseded_by = one["superseded_by"]
    return [
        f"block {one['block']['number']}" if one["block"] else "",
        f"depth {depth(one)}" if one["block"] else "",
        outcome.get("error") or "",
        f"{one['reason']} by {superseded_by}" if superseded_by else "",
        f"flags {', '.join(one['flags'])}" if one["flags"] else "",
        f"parked: {one['parked']}" if one.get("parked") else "",
    ]


def _becomes(event: Facts) -> str:
    flags = f" ({', '.join(event['flags'])})" if event["flags"] else ""
    return f"{event['state']}{flags}"


def _block(one: Facts) -> int | None:
    return one["block"]["number"] if one["block"] else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInputError('--metadata must be a JSON object, such as {"invoice": 17}')
    return value
