"""The checked request to change what is required of a tracked transaction."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from transaction_tracker.domain.expectation import Expectation
from transaction_tracker.domain.registration import check_deadline, check_metadata, check_required
from transaction_tracker.domain.states import Required


class Unchanged(Enum):
    """The type of ``UNCHANGED``."""

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return self.name


UNCHANGED: Final = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChange:
    """New values of a registration; ``UNCHANGED`` for what stays as it is.

    Attributes:
        required: Number of confirmations that make the state final, or a tag of the chain.
        deadline: Unix seconds; ``None`` removes the deadline.
        metadata: JSON object of the user, as text.
        expectation: What the payment must be; ``None`` removes the expectation.

    Raises:
        ValueError: A value is invalid, or all stay as they are.
    """

    required: Required | Unchanged = UNCHANGED
    deadline: float | Unchanged | None = UNCHANGED
    metadata: str | Unchanged = UNCHANGED
    expectation: Expectation | Unchanged | None = UNCHANGED

    def __post_init__(self) -> None:
        values = (self.required, self.deadline, self.metadata, self.expectation)
        if all(value is UNCHANGED for value in values):
            raise ValueError("change at least one of confirmations, deadline, metadata and expect")
        if self.required is not UNCHANGED:
            check_required(self.required)
        if self.deadline is not UNCHANGED:
            check_deadline(self.deadline)
        if self.metadata is not UNCHANGED:
            check_metadata(self.metadata)
