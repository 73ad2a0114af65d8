"""Parse and check the registrations of a request."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from transaction_tracker.api.problems import ErrorDetail, ProblemError, parsed
from transaction_tracker.api.validation import described
from transaction_tracker.domain import (
    MAX_CONFIRMATIONS,
    MAX_ID_CHARACTERS,
    MAX_METADATA_BYTES,
    AmbiguousIdError,
    InvalidTransactionError,
    Registration,
    State,
    Tag,
)
from transaction_tracker.tracker import Place, TrackerContext, place_of, registered_places
from transaction_tracker.tracker.expectations import FIELDS, InvalidExpectationError

MAX_ITEMS = 10_000
MAX_EXPIRY_SECONDS = 10 * 365 * 86_400.0
MAX_DEADLINE = datetime(9999, 1, 1, tzinfo=UTC)

# Checked by a pattern, because pydantic also accepts numbers and dates without a time.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


# For the description alone: ``tracker.expectations`` checks the fields, as it does in Python.
ADDRESS_PATTERN = "^0x[0-9a-f]{40}$"
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
_EXPECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "from": _ADDRESS,
        "to": _ADDRESS,
        "value": _AMOUNT,
        "min_value": _AMOUNT,
        "token": _ADDRESS
        | {
            "description": "Contract of a token. The amount is then the sum of its transfers to "
            "`to`, which is required."
        },
    },
    "additionalProperties": False,
    "anyOf": [{"required": [name]} for name in ("from", "to", "value", "min_value")],
    "not": {"required": ["value", "min_value"]},
    "dependentRequired": {"token": ["to"]},
}


def _rfc3339(value: Any) -> Any:
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise ValueError("expected an RFC 3339 time such as 2030-01-31T12:00:00Z")
    return value


def _whole(value: Any) -> Any:
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


class RegistrationIn(BaseModel):
    """A transaction to track."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str = Field(min_length=1, max_length=MAX_ID_CHARACTERS)
    confirmations: Annotated[
        Annotated[int, Field(ge=1, le=MAX_CONFIRMATIONS), BeforeValidator(_whole)] | Tag | None,
        WrapValidator(_confirmations),
    ] = Field(
        None,
        description="Number of confirmations that make the state final, or a tag of the chain. "
        "Default: the service's setting.",
    )
    expires_in: float | None = Field(
        None,
        gt=0,
        le=MAX_EXPIRY_SECONDS,
        description="Seconds after which a transaction that is not in a block expires.",
    )
    deadline: Annotated[AwareDatetime, BeforeValidator(_rfc3339)] | None = Field(
        None,
        strict=False,
        description="Time at which a transaction that is not in a block expires, RFC 3339. "
        "Excludes expires_in.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object that is returned with each event, up to 4,096 bytes.",
    )
    expect: Annotated[dict[str, Any], WithJsonSchema(_EXPECT)] | None = Field(
        None,
        description="What the payment must be: `expectation` in each event says whether it is.",
    )

    @model_validator(mode="after")
    def _one_end(self) -> "RegistrationIn":
        if self.deadline is not None and self.expires_in is not None:
            raise ValueError("give deadline or expires_in, not both")
        return self


_adapter = TypeAdapter(RegistrationIn)


@dataclass(kw_only=True)
class AcceptedItem:
    """A registration that was stored."""

    id: str
    caip_id: str
    status: Literal["accepted"]
    state: State
    version: int


@dataclass(kw_only=True)
class RefusedItem:
    """A registration that was refused."""

    id: str | None
    status: Literal["refused"]
    errors: Sequence[ErrorDetail]


@dataclass(kw_only=True)
class RegistrationResults:
    """Result of each registration, in the order of the request."""

    accepted: int
    refused: int
    results: list[AcceptedItem | RefusedItem]


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """One checked registration of a request: valid, or with errors.

    Attributes:
        given: The id in the request, if it is text.
        registration: The registration; ``None`` if there are errors.
        errors: Errors with their JSON pointers.
        is_ambiguous: Whether the id fits several sources.
    """

    given: str | None
    registration: Registration | None
    errors: tuple[dict[str, Any], ...] = ()
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class RequestItems:
    """The registrations of a request, not yet checked.

    Attributes:
        items: The registrations.
        place: JSON pointer to the list; ``None`` if the body is a single registration.
    """

    items: list[Any]
    place: str | None

    def pointers(self) -> Iterable[str]:
        """Return the JSON pointer of each item, as a URI fragment."""
        if self.place is None:
            return ["#"]
        return [f"{self.place}/{number}" for number in range(len(self.items))]


def read_items(body: bytes) -> RequestItems:
    """Return the registrations of a body.

    Raises:
        ProblemError: The body is not JSON, has none of the three shapes, or has too many items.
    """
    content = parsed(body)
    if isinstance(content, dict) and "transactions" not in content:
        return RequestItems([content], None)
    place = "#/transactions" if isinstance(content, dict) else "#"
    items = content.pop("transactions") if isinstance(content, dict) else content
    if not isinstance(items, list) or (isinstance(content, dict) and content):
        raise _bad('expected a registration, a list of them, or {"transactions": [...]}', "#")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise _bad(f"expected 1 to {MAX_ITEMS:,} registrations, got {len(items):,}", place)
    return RequestItems(items, place)


def _bad(detail: str, pointer: str) -> ProblemError:
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])


async def check_items(
    content: RequestItems, contexts: Sequence[TrackerContext]
) -> list[CheckedItem]:
    """Check each registration of a request.

    Args:
        content: The registrations.
        contexts: The sources, which check ids, with defaults of confirmations and deadline.
    """
    now = time.time()
    ids = [item.get("id") for item in content.items if isinstance(item, dict)]
    texts = [each for each in ids if isinstance(each, str) and len(each) <= MAX_ID_CHARACTERS]
    find = partial(place_of, registered=await registered_places(texts, contexts), contexts=contexts)
    checked: list[CheckedItem] = []
    for item, pointer in zip(content.items, content.pointers(), strict=True):
        checked.append(_check(item, find, now, pointer))
        if isinstance(item, dict) and item.get("expect") is not None:
            # The checksum of an address takes milliseconds.
            await asyncio.sleep(0)
    return checked


def _check(item: Any, find: Callable[[str], Place], now: float, pointer: str) -> CheckedItem:
    given = item.get("id") if isinstance(item, dict) else None
    given = given if isinstance(given, str) else None
    try:
        wanted = _adapter.validate_python(item)
    except ValidationError as error:
        return CheckedItem(given, None, tuple(_faults(error, pointer)))
    metadata = orjson.dumps(wanted.metadata)
    if len(metadata) > MAX_METADATA_BYTES:
        return _refused(
            given,
            f"expected up to {MAX_METADATA_BYTES:,} bytes, got {len(metadata):,}",
            f"{pointer}/metadata",
        )
    try:
        place = find(wanted.id)
    except AmbiguousIdError as error:
        return _ambiguous(given, error, f"{pointer}/id")
    except InvalidTransactionError as error:
        return _refused(given, str(error), f"{pointer}/id")
    context = place.context
    try:
        required = context.requirement(wanted.confirmations)
    except ValueError as error:
        return _refused(given, str(error), f"{pointer}/confirmations")
    for name, value in (wanted.expect or {}).items():
        if name in FIELDS and isinstance(value, int | float):
            detail = f"expected text, because JSON numbers are not exact; got {value}"
            return _refused(given, detail, f"{pointer}/expect/{_escaped(name)}")
    try:
        expectation = context.expectation(wanted.expect)
    except InvalidExpectationError as error:
        where = "expect" if error.field is None else f"expect/{_escaped(error.field)}"
        return _refused(given, str(error), f"{pointer}/{where}")
    deadline = _deadline(wanted, now, context)
    if deadline is not None and deadline <= 0:
        return _refused(given, "expected a time after 1970-01-01", f"{pointer}/deadline")
    try:
        registration = Registration(
            place.id,
            required,
            deadline,
            metadata.decode(),
            expectation,
            context.source.name,
            place.given,
        )
    except ValueError as error:
        # A rule that this function does not check first must not fail the other registrations.
        return _refused(given, str(error), pointer)
    return CheckedItem(given, registration)


def _deadline(wanted: RegistrationIn, now: float, context: TrackerContext) -> float | None:
    if wanted.deadline is not None:
        return min(wanted.deadline, MAX_DEADLINE).timestamp()
    seconds = context.expires_after if wanted.expires_in is None else wanted.expires_in
    return None if seconds is None else now + seconds


def _refused(given: str | None, detail: str, pointer: str) -> CheckedItem:
    return CheckedItem(given, None, ({"detail": detail, "pointer": pointer},))


def _ambiguous(given: str | None, error: AmbiguousIdError, pointer: str) -> CheckedItem:
    fault = {"detail": str(error), "pointer": pointer, "candidates": list(error.candidates)}
    return CheckedItem(given, None, (fault,), is_ambiguous=True)


def _faults(error: ValidationError, pointer: str) -> list[dict[str, str]]:
    # Without the input, which can be long or secret.
    found = error.errors(include_url=False, include_input=False)
    return [
        {"detail": described(each), "pointer": "/".join((pointer, *_steps(each["loc"])))}
        for each in found
    ]


def _steps(location: Sequence[str | int]) -> list[str]:
    # Further parts are branches of a union, such as confirmations/int, not steps in the body.
    return [_escaped(str(step)) for step in location[:1]]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
