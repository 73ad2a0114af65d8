"""The items of a request body, one or many, and the errors of each.

An invalid item does not refuse the others: its errors have JSON pointers to its fields.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from transaction_tracker.api.problems import ProblemError, parsed
from transaction_tracker.api.validation import described
from transaction_tracker.domain import AmbiguousIdError

MAX_ITEMS = 10_000


class InvalidFieldError(ValueError):
    """A field of an item is invalid.

    Attributes:
        place: JSON pointer to the field, without the leading slash.
    """

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class RequestItems:
    """The items of a request, not yet checked.

    Attributes:
        items: The items.
        place: JSON pointer to the list; ``None`` if the body is a single item.
    """

    items: list[Any]
    place: str | None

    def pointers(self) -> Iterable[str]:
        """Return the JSON pointer of each item, as a URI fragment."""
        if self.place is None:
            return ["#"]
        return [f"{self.place}/{number}" for number in range(len(self.items))]


def read_items(
    body: bytes, member: str = "transactions", noun: str = "registrations"
) -> RequestItems:
    """Return the items of a body.

    Args:
        body: The body.
        member: Name of the member that contains a list.
        noun: What the list contains, for errors.

    Raises:
        ProblemError: The body is not JSON, has none of the three shapes, or has too many items.
    """
    content = parsed(body)
    if isinstance(content, dict) and member not in content:
        return RequestItems([content], None)
    place = f"#/{member}" if isinstance(content, dict) else "#"
    items = content.pop(member) if isinstance(content, dict) else content
    if not isinstance(items, list) or (isinstance(content, dict) and content):
        raise _bad(f'expected one object, a list of {noun}, or {{"{member}": [...]}}', "#")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise _bad(f"expected 1 to {MAX_ITEMS:,} {noun}, got {len(items):,}", place)
    return RequestItems(items, place)


def _bad(detail: str, pointer: str) -> ProblemError:
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])


def ambiguous(error: AmbiguousIdError, pointer: str) -> dict[str, Any]:
    """Return the error of an id that fits several sources, with the candidates."""
    return {"detail": str(error), "pointer": pointer, "candidates": list(error.candidates)}


def faults(error: ValidationError, pointer: str) -> list[dict[str, str]]:
    """Return the errors of a model, each with the JSON pointer to its field."""
    # Without the input, which can be long or secret.
    found = error.errors(include_url=False, include_input=False)
    return [
        {"detail": described(each), "pointer": "/".join((pointer, *_steps(each["loc"])))}
        for each in found
    ]


def _steps(location: Sequence[str | int]) -> list[str]:
    # Further parts are branches of a union, such as confirmations/int, not steps in the body.
    return [escaped(str(step)) for step in location[:1]]


def escaped(step: str) -> str:
    """Return a step of a JSON pointer (RFC 6901, section 3)."""
    return step.replace("~", "~0").replace("/", "~1")
