"""Cursors: where a page ends, as text that whoever passes it on need not understand."""

from typing import Annotated

from fastapi import Query

TRANSACTION_PATTERN = r"^t([0-9a-f]{2}){1,800}$"
EVENT_PATTERN = r"^e[0-9]{1,18}$"
ATTEMPT_PATTERN = r"^a[0-9]{1,18}$"

TransactionCursor = Annotated[
    str | None,
    Query(pattern=TRANSACTION_PATTERN, description="Where to go on: an answer's `next`."),
]
EventCursor = Annotated[
    str | None, Query(pattern=EVENT_PATTERN, description="Where to go on: an answer's `next`.")
]
AttemptCursor = Annotated[
    str | None, Query(pattern=ATTEMPT_PATTERN, description="Where to go on: an answer's `next`.")
]


def of_transaction(transaction: str) -> str:
    """Write a place in the list of transactions."""
    return "t" + transaction.encode().hex()


def transaction_at(cursor: str) -> str:
    """Read a place in the list of transactions; the pattern was checked."""
    # What nobody gave out is a place too, but one that every database can be asked about.
    return bytes.fromhex(cursor[1:]).decode(errors="replace").replace("\0", "")


def of_event(position: int) -> str:
    """Write a place among the events."""
    return f"e{position}"


def position_at(cursor: str) -> int:
    """Read a place among the events; the pattern was checked."""
    return int(cursor[1:])


def of_attempt(number: int) -> str:
    """Write a place among the attempts to deliver."""
    return f"a{number}"


def attempt_at(cursor: str) -> int:
    """Read a place among the attempts to deliver; the pattern was checked."""
    return int(cursor[1:])
