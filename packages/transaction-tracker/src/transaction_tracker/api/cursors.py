"""Cursors: the end of a page as opaque text."""

from typing import Annotated

from fastapi import Query

from transaction_tracker.domain.numbers import json_number
from transaction_tracker.store.listing import ActivityPlace

TRANSACTION_PATTERN = r"^[tn]([0-9a-f]{2}){1,850}$"
EVENT_PATTERN = r"^e[0-9]{1,18}$"
ADDRESS_PATTERN = r"^w([0-9a-f]{2}){1,850}$"
ATTEMPT_PATTERN = r"^a[0-9]{1,18}$"

TransactionCursor = Annotated[
    str | None,
    Query(pattern=TRANSACTION_PATTERN, description="`next` of the previous page."),
]
EventCursor = Annotated[
    str | None, Query(pattern=EVENT_PATTERN, description="`next` of the previous page.")
]
AddressCursor = Annotated[
    str | None, Query(pattern=ADDRESS_PATTERN, description="`next` of the previous page.")
]
AttemptCursor = Annotated[
    str | None, Query(pattern=ATTEMPT_PATTERN, description="`next` of the previous page.")
]


def of_transaction(transaction: str) -> str:
    """Return the cursor of a transaction."""
    return "t" + transaction.encode().hex()


def transaction_at(cursor: str) -> str:
    """Return the transaction of a cursor that matches ``TRANSACTION_PATTERN``."""
    # A forged cursor can contain any bytes. It must become text that every database accepts.
    return bytes.fromhex(cursor[1:]).decode(errors="replace").replace("\0", "")


def of_place(place: ActivityPlace) -> str:
    """Return the cursor of a transaction in the order of activity."""
    text = f"{'e' if place.ended else 'o'}{place.time!r} {place.id}"
    return "n" + text.encode().hex()


def is_of_activity(cursor: str) -> bool:
    """Return whether a cursor of ``TRANSACTION_PATTERN`` is of a list in the order of activity."""
    return cursor.startswith("n")


def place_at(cursor: str) -> ActivityPlace | None:
    """Return the place of a cursor in the order of activity; ``None`` if it is forged."""
    text = transaction_at(cursor)
    kind, time, separator, transaction = text[:1], *text[1:].partition(" ")
    if kind not in "eo" or not separator:
        return None
    try:
        return ActivityPlace(kind == "e", json_number(time), transaction)
    except ValueError:
        return None


def of_address(source: str, address: str) -> str:
    """Return the cursor of a watched address."""
    return "w" + f"{source} {address}".encode().hex()


def address_at(cursor: str) -> tuple[str, str]:
    """Return source and address of a cursor that matches ``ADDRESS_PATTERN``."""
    source, _, address = transaction_at(cursor).partition(" ")
    return source, address


def of_event(position: int) -> str:
    """Return the cursor of an event."""
    return f"e{position}"


def position_at(cursor: str) -> int:
    """Return the event's position of a cursor that matches ``EVENT_PATTERN``."""
    return int(cursor[1:])


def of_attempt(number: int) -> str:
    """Return the cursor of an attempt."""
    return f"a{number}"


def attempt_at(cursor: str) -> int:
    """Return the attempt's id of a cursor that matches ``ATTEMPT_PATTERN``."""
    return int(cursor[1:])
