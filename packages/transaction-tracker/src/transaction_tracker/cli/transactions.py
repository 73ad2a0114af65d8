"""``txtrack add``, ``get``, ``ls``, ``why``, ``untrack``, ``recheck``."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from transaction_tracker.cli import output, payments, transaction_text
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BAD_INPUT, OK, BadInputError
from transaction_tracker.cli.flags import (
    CONFIGURED,
    NOTHING_EXPECTED,
    ExpectFlags,
    InputFile,
    NoHeader,
    ServiceFlags,
    WholeNumber,
    WholeNumberOrZero,
    number_or_tag,
    opened,
    seconds,
)
from transaction_tracker.domain import MAX_RAW_BYTES, State

Facts = Mapping[str, Any]

# Before registrations for a shard that is unavailable are sent again.
_SHARD_RETRY_SECONDS = 1.0
# In hexadecimal, with 0x and some white space around.
_MAX_RAW_CHARACTERS = 2 * MAX_RAW_BYTES + 100


async def add(
    *transactions: str,
    sender: str | None = None,
    nonce: WholeNumberOrZero | None = None,
    raw: InputFile | None = None,
    rebroadcast: bool | None = None,
    confirmations: str | None = None,
    expires_in: str | None = None,
    metadata: str | None = None,
    expect: ExpectFlags = NOTHING_EXPECTED,
    key: str | None = None,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """Track transactions with a running service.

    When the command returns, the transactions are stored. The service tracks them until they are
    final, also across restarts. Adding a tracked transaction changes nothing.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds. An invalid
    transaction does not affect the others.

    Args:
        transactions: Ids. On a chain: hashes, 0x and 64 hexadecimal digits each. With another
            source: the source's own ids.
        sender: Sender of a transaction whose hash is not known: whichever uses --nonce is tracked.
        nonce: Nonce of the transaction of --sender.
        raw: File with a raw signed transaction in hexadecimal; - is standard input.
        rebroadcast: Send the transaction of --raw again while no provider has it. Default:
            source.rebroadcast of the service.
        confirmations: Blocks that make a state final, or "safe" or "finalized". Default:
            source.confirmations of the service.
        expires_in: Time such as 30m or 1d after which a transaction that is in no block expires.
        metadata: JSON object of up to 4 KiB that each event contains.
        key: Idempotency key: a repeated request with the same key returns the first response.
    """
    wanted = _wanted(confirmations, expires_in, metadata) | expect.field()
    names = _names(transactions, sender, nonce, raw, rebroadcast)
    async with service.api() as api:
        registrations = [{**name, **wanted} for name in names]
        response = await register(api, registrations, key)
    for result in response["results"]:
        if service.as_json:
            output.write_json(result)
        elif result["status"] == "accepted":
            output.say(f"{result['id']} {result['state']}")
        else:
            output.note(f"txtrack: refused: {refusal(result)}")
    return BAD_INPUT if response["refused"] else OK


def _names(
    transactions: Sequence[str],
    sender: str | None,
    nonce: int | None,
    raw: str | None,
    rebroadcast: bool | None,
) -> list[dict[str, Any]]:
    """Return the fields that name each transaction of a registration."""
    if (sender is None) != (nonce is None):
        raise BadInputError("give --sender and --nonce together")
    names: list[dict[str, Any]] = [{"id": transaction} for transaction in transactions]
    if sender is not None:
        names.append({"sender": sender, "nonce": nonce})
    if raw is not None:
        given = {} if rebroadcast is None else {"rebroadcast": rebroadcast}
        names.append({"raw": _raw(raw), **given})
    if not names:
        raise BadInputError("give the ids of transactions, or --sender and --nonce, or --raw")
    return names


def _raw(file: str) -> str:
    """Return the raw transaction in a file; the service checks it."""
    with opened(file) as stream:
        content = stream.read(_MAX_RAW_CHARACTERS + 1)
    if len(content) > _MAX_RAW_CHARACTERS:
        raise BadInputError(f"--raw must have up to {_MAX_RAW_CHARACTERS:,} characters")
    return content.decode(errors="replace").strip()


async def register(api: Api, registrations: Sequence[Facts], key: str | None = None) -> Any:
    """Register transactions; return the response with a result for each.

    A router says which registrations a shard could not take: these are sent again.

    Raises:
        CommandError: A shard stays unavailable.
    """
    response = await _registered(api, registrations, key)
    results = response["results"]
    while missing := [place for place, each in enumerate(results) if _is_missing(each)]:
        await asyncio.sleep(_SHARD_RETRY_SECONDS)
        # If all of them are still missing, the response is 503, and the client gives up in time.
        again = await _registered(api, [registrations[place] for place in missing], key)
        for place, result in zip(missing, again["results"], strict=True):
            results[place] = result
        response["accepted"] += again["accepted"]
        response["refused"] += again["refused"]
    return response


async def _registered(api: Api, registrations: Sequence[Facts], key: str | None) -> Any:
    return await api.post("v1/transactions", {"transactions": registrations}, key=key)


def _is_missing(result: Facts) -> bool:
    return bool(result["status"] == "unavailable")


def refusal(result: Facts) -> str:
    """Return the reason why a registration was refused."""
    return "; ".join(str(error["detail"]) for error in result["errors"])


async def get(transaction: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Show a transaction: its state, confirmations and history.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    async with service.api() as api:
        found = await api.get(path_of(transaction))
    if service.as_json:
        output.write_document(found)
        return
    output.facts(transaction_text.described(found))
    for transfer in payments.transfers(found):
        output.say(f"  {transfer}")
    for event in found.get("history", ()):
        output.say(f"  {transaction_text.transition(event)}")


async def ls(
    *,
    state: tuple[State, ...] = (),
    source: str | None = None,
    limit: WholeNumber | None = None,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """List all transactions with their states, sorted by id.

    Prints each page as soon as it is loaded, so the list can be very long.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.

    Args:
        state: List only transactions in this state; can be repeated.
        source: List only transactions of the source with this name, if there are several.
        limit: Maximum number of transactions. Default: all. A note on standard error says if
            there are more.
    """
    async with service.api() as api:

        def pages(count: int | None) -> AsyncIterator[Facts]:
            chosen = {} if source is None else {"source": source}
            return api.pages("v1/transactions", "transactions", count, state=state, **chosen)

        found = output.limited(pages, limit, "omit --limit to list all")
        await output.lines(
            found,
            transaction_text.COLUMNS,
            transaction_text.row,
            as_json=service.as_json,
            header=not no_header,
        )


async def why(transaction: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Explain the state of a transaction, and what it waits for.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    async with service.api() as api:
        found = await api.get(path_of(transaction))
    reasons = found["why"]
    if service.as_json:
        output.write_document(reasons)
        return
    output.say(f"{found['state']}: {reasons['sentence']}")
    for note in reasons["notes"]:
        output.say(f"  {note}")


async def untrack(transaction: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Stop tracking a transaction; its history is kept.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    async with service.api() as api:
        stopped = await api.delete(path_of(transaction))
    transaction_text.show([stopped] if stopped else [], as_json=service.as_json)


async def recheck(transaction: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Check a transaction at the source soon; a parked one gets a new tracker.

    Exit status: 0; 1 if it is not tracked, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
    """
    async with service.api() as api:
        checked = await api.post(f"{path_of(transaction)}/recheck")
    transaction_text.show([checked] if checked else [], as_json=service.as_json)


def path_of(transaction: str) -> str:
    """Return the API's path of a transaction, with its id percent-encoded."""
    return f"v1/transactions/{quote(transaction, safe='')}"


def _wanted(
    confirmations: str | None, expires_in: str | None, metadata: str | None
) -> dict[str, Any]:
    """Return the options of a registration, as the API expects them."""
    wanted: dict[str, Any] = {}
    if confirmations is not None:
        wanted["confirmations"] = number_or_tag(confirmations)
    if expires_in is not None:
        wanted["expires_in"] = seconds("--expires-in", expires_in)
    if metadata is not None:
        wanted["metadata"] = metadata_object(metadata)
    return wanted


def metadata_object(text: str) -> dict[str, Any]:
    """Parse the value of ``--metadata``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInputError('--metadata must be a JSON object, such as {"invoice": 17}')
    return value
