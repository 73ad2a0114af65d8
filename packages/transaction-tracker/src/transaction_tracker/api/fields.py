"""Fields that registrations, changes and watched addresses share: types, schemas and checks."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, get_args

import orjson
from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from transaction_tracker.api.items import InvalidFieldError, escaped
from transaction_tracker.domain import (
    MAX_CONFIRMATIONS,
    MAX_METADATA_BYTES,
    Expectation,
    Required,
    Tag,
)
from transaction_tracker.tracker import TrackerContext
from transaction_tracker.tracker.expectations import FIELDS, InvalidExpectationError

MAX_DEADLINE = datetime(9999, 1, 1, tzinfo=UTC)

# Checked by a pattern, because pydantic also accepts numbers and dates without a time.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


# For the description alone: ``tracker.expectations`` checks the fields, as it does in Python.
RAW_PATTERN = "^0x([0-9a-fA-F]{2})+$"
ADDRESS_PATTERN = "^0x[0-9a-f]{40}$"
# The zero address is not a contract, and nobody owns it.
USED_ADDRESS_PATTERN = "^0x(?!0{40}$)[0-9a-f]{40}$"
AMOUNT_PATTERN = "^[0-9]{1,77}$"
_ADDRESS = {
    "type": "string",
    "pattern": ADDRESS_PATTERN,
    "description": "Address in lower case, or with a valid checksum (EIP-55).",
}
_AMOUNT = {
    "type": "string",
    "pattern": AMOUNT_PATTERN,
    "description": "Amount in the smallest unit of the coin (wei) or the token, as decimal text.",
}
EXPECT: dict[str, Any] = {
    "type": "object",
    "description": "What a payment must be: at least one of these fields.",
    "properties": {
        "from": _ADDRESS,
        "to": _ADDRESS,
        "value": _AMOUNT,
        "min_value": _AMOUNT,
        "token": _ADDRESS
        | {
            "pattern": USED_ADDRESS_PATTERN,
            "description": "Contract of a token. The amount is then the sum of its transfers to "
            "`to`, which is required.",
        },
    },
    "additionalProperties": False,
    # `token` alone is not enough, and needs `to`.
    "minProperties": 1,
    "not": {"required": ["value", "min_value"]},
    "dependentRequired": {"token": ["to"]},
}


def _rfc3339(value: Any) -> Any:
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise ValueError("expected an RFC 3339 time such as 2030-01-31T12:00:00Z")
    return value


# A time of a request, with its time zone. Pydantic alone also accepts numbers.
TimeIn = Annotated[AwareDatetime, BeforeValidator(_rfc3339)]


def whole(value: Any) -> Any:
    """Convert 12.0 to 12: JSON has one kind of number, and some writers add the point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _confirmations(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Check the confirmations, with one message for a number and for a tag."""
    try:
        return check(value)
    except ValidationError:
        names = " or ".join(repr(tag) for tag in get_args(Tag))
        raise ValueError(
            f"must be a whole number from 1 to {MAX_CONFIRMATIONS:,}, or {names}"
        ) from None


Confirmations: TypeAlias = Annotated[
    Annotated[int, Field(ge=1, le=MAX_CONFIRMATIONS), BeforeValidator(whole)] | Tag | None,
    WrapValidator(_confirmations),
]
Deadline: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_rfc3339)] | None


def checked_metadata(metadata: dict[str, Any]) -> str:
    """Return metadata as JSON, or raise ``InvalidFieldError`` if it is too long."""
    text = orjson.dumps(metadata)
    if len(text) > MAX_METADATA_BYTES:
        detail = f"expected up to {MAX_METADATA_BYTES:,} bytes, got {len(text):,}"
        raise InvalidFieldError(detail, "metadata")
    return text.decode()


def checked_required(confirmations: Required | None, context: TrackerContext) -> Required:
    """Return the requirement, or raise ``InvalidFieldError`` if the chain lacks the tag."""
    try:
        return context.requirement(confirmations)
    except ValueError as error:
        raise InvalidFieldError(str(error), "confirmations") from None


def checked_expectation(
    expect: dict[str, Any] | None, context: TrackerContext
) -> Expectation | None:
    """Return an expectation, or raise ``InvalidFieldError``."""
    for name, value in (expect or {}).items():
        if name in FIELDS and isinstance(value, int | float):
            detail = f"expected text, because JSON numbers are not exact; got {value}"
            raise InvalidFieldError(detail, f"expect/{escaped(name)}")
    try:
        return context.expectation(expect)
    except InvalidExpectationError as error:
        place = "expect" if error.field is None else f"expect/{escaped(error.field)}"
        raise InvalidFieldError(str(error), place) from None


def checked_deadline(deadline: datetime) -> float:
    """Return a deadline in Unix seconds, or raise ``InvalidFieldError``."""
    seconds = min(deadline, MAX_DEADLINE).timestamp()
    if seconds <= 0:
        raise InvalidFieldError("expected a time after 1970-01-01", "deadline")
    return seconds
