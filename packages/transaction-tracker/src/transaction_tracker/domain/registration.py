"""What a user asks for, checked."""

import math
from dataclasses import dataclass

from transaction_tracker.domain.states import TAGS, Required

MOST_CONFIRMATIONS = 10_000
MOST_METADATA_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Registration:
    """A transaction to follow, and how.

    Attributes:
        id: The transaction's name at the source, in its one form.
        required: Confirmations that make its state final, or the chain's own word.
        deadline: Unix seconds; a transaction that is in no block then has expired.
        metadata: The user's own notes, a JSON object as text; given back with each event.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    id: str
    required: Required
    deadline: float | None = None
    metadata: str = "{}"

    def __post_init__(self) -> None:
        check_required(self.required)
        if self.deadline is not None and not (math.isfinite(self.deadline) and self.deadline > 0):
            raise ValueError(f"deadline must be a time in Unix seconds, got {self.deadline!r}")
        size = len(self.metadata.encode())
        if size > MOST_METADATA_BYTES:
            raise ValueError(
                f"metadata must be at most {MOST_METADATA_BYTES} bytes of JSON, got {size}"
            )


def check_required(required: object) -> None:
    """Refuse what is neither a number of confirmations nor the chain's own word."""
    if required in TAGS:
        return
    if type(required) is not int or not 1 <= required <= MOST_CONFIRMATIONS:
        raise ValueError(
            f"confirmations must be a whole number from 1 to {MOST_CONFIRMATIONS}, "
            f"'safe' or 'finalized', got {required!r}"
        )
