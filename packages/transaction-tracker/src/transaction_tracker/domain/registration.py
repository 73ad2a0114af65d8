"""The checked request to track a transaction."""

import math
from dataclasses import dataclass, field

from transaction_tracker.domain.expectation import Expectation
from transaction_tracker.domain.facts import Transaction
from transaction_tracker.domain.rules import RequiredBy
from transaction_tracker.domain.states import TAGS, Required

MAX_CONFIRMATIONS = 10_000
MAX_ID_CHARACTERS = 200
MAX_METADATA_BYTES = 4_096
# Of a raw signed transaction. Nodes do not accept more.
MAX_RAW_BYTES = 128 * 1024
# JSON numbers above it are not exact in many programs, and no account sends so many transactions.
MAX_NONCE = 2**53


@dataclass(frozen=True, slots=True)
class Registration:
    """A transaction to track, with its options.

    Attributes:
        id: Transaction id in its canonical form.
        required: Number of confirmations that make its state final, or a tag of the chain.
        deadline: Unix seconds; a transaction that is in no block by then expires.
        metadata: JSON object of the user, as text; returned with each event.
        expectation: What the payment must be; each event says whether it is.
        slot: Slot of the transaction, if the id is that slot: it is whichever takes it.
        known: The transaction, if it is known before the source shows it.
        raw: The signed transaction in hexadecimal, if it can be sent again when it is missing.
        source: Name of the source in the database; empty if there is only one.
        given: The id as the user gave it, if that is not ``id``.
        required_by: Who chose ``required``: no rule changes what the request asks for.

    Raises:
        ValueError: A value is invalid; the message names it.
    """

    id: str
    required: Required
    deadline: float | None = None
    metadata: str = "{}"
    expectation: Expectation | None = None
    slot: str | None = None
    known: Transaction | None = None
    raw: str | None = field(default=None, repr=False)
    source: str = ""
    given: str | None = None
    required_by: RequiredBy = "request"

    def __post_init__(self) -> None:
        check_required(self.required)
        check_deadline(self.deadline)
        check_metadata(self.metadata)


def check_deadline(deadline: float | None) -> None:
    """Raise ``ValueError`` unless ``deadline`` is ``None`` or a time in Unix seconds."""
    if deadline is not None and not (math.isfinite(deadline) and deadline > 0):
        raise ValueError(f"deadline must be a time in Unix seconds, got {deadline!r}")


def check_metadata(metadata: str) -> None:
    """Raise ``ValueError`` if ``metadata`` is too long."""
    size = len(metadata.encode())
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"metadata must be at most {MAX_METADATA_BYTES} bytes of JSON, got {size}")


def check_required(required: object) -> None:
    """Raise ``ValueError`` unless ``required`` is a number of confirmations or a tag."""
    if required in TAGS:
        return
    if type(required) is not int or not 1 <= required <= MAX_CONFIRMATIONS:
        raise ValueError(
            f"confirmations must be a whole number from 1 to {MAX_CONFIRMATIONS}, "
            f"'safe' or 'finalized', got {required!r}"
        )
