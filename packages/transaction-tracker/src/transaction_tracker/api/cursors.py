"""Cursors: the end of a page as opaque text."""

from typing import Annotated

from fastapi import Query

TRANSACTION_PATTERN = r"^t([0-9a-f]{2}){1,800}$"
EVENT_PATTERN = r"^e[0-9]{1,18}$"
ATTEMPT_PATTERN = r"^a[0-9]{1,18}$"

TransactionCursor = Annotated[
    str | None,
    Query(pattern=TRANSACTION_PATTERN, description="`next` of the previous page."),
]
EventCursor = Annotated[
    str | None, Query(pattern=EVENT_PATTERN, description="`next` of the previous page.")
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
