"""Parse and check the registrations of a request."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

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
    MAX_NONCE,
    MAX_RAW_BYTES,
    AmbiguousIdError,
    Expectation,
    InvalidTransactionError,
    Registration,
    Required,
    RequiredBy,
    State,
    Tag,
    Transaction,
)
from transaction_tracker.tracker import (
    Place,
    TrackerContext,
    place_of,
    place_of_raw,
    place_of_slot,
    registered_places,
)
from transaction_tracker.tracker.expectations import FIELDS, InvalidExpectationError

MAX_ITEMS = 10_000
MAX_EXPIRY_SECONDS = 10 * 365 * 86_400.0
MAX_DEADLINE = datetime(9999, 1, 1, tzinfo=UTC)

# Checked by a pattern, because pydantic also accepts numbers and dates without a time.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


# For the description alone: ``tracker.expectations`` checks the fields, as it does in Python.
RAW_PATTERN = "^0x([0-9a-fA-F]{2})+$"
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
            "description": "Contract of a token. The amount is then the sum of its transfers to "
            "`to`, which is required."
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


# Stands for a field that is missing: null is not one of its values.
_MISSING = ""
_NO_NONCE = -1
# Fields of which one, or a pair, says which transaction is meant.
_NAMES = frozenset(("id", "raw", "sender", "nonce"))


class RegistrationIn(BaseModel):
    """A transaction to track."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str = Field(
        _MISSING,
        min_length=1,
        max_length=MAX_ID_CHARACTERS,
        description="Id of the transaction at its source, or of its sender and nonce.",
    )
    sender: str = Field(
        _MISSING,
        max_length=MAX_ID_CHARACTERS,
        description="Sender of the transaction, in place of `id`: with `nonce`, the transaction is "
        "whichever uses that nonce.",
        json_schema_extra={"pattern": ADDRESS_PATTERN},
    )
    nonce: Annotated[int, BeforeValidator(whole)] = Field(
        _NO_NONCE, ge=0, le=MAX_NONCE, description="Nonce of the transaction; needs `sender`."
    )
    raw: str = Field(
        _MISSING,
        max_length=2 + 2 * MAX_RAW_BYTES,
        description="Raw signed transaction in place of `id`, in hexadecimal: its hash, its sender "
        "and its nonce are known at once.",
        json_schema_extra={"pattern": RAW_PATTERN},
    )
    rebroadcast: bool | None = Field(
        None,
        description="Whether `raw` is sent again while no provider has it, if the service allows "
        "it. Default: the service's setting.",
    )
    confirmations: Confirmations = Field(
        None,
        description="Number of confirmations that make the state final, or a tag of the chain. "
        "Default: the service's setting, or more if one of its rules requires it once the amount "
        "is known.",
    )
    expires_in: float | None = Field(
        None,
        gt=0,
        le=MAX_EXPIRY_SECONDS,
        description="Seconds after which a transaction that is not in a block expires.",
    )
    deadline: Deadline = Field(
        None,
        strict=False,
        description="Time at which a transaction that is not in a block expires, RFC 3339. "
        "Excludes expires_in.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object that is returned with each event, up to 4,096 bytes.",
    )
    expect: Annotated[dict[str, Any], WithJsonSchema(EXPECT)] | None = Field(
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


class InvalidFieldError(ValueError):
    """A field of a registration is invalid.

    Attributes:
        place: JSON pointer to the field, without the leading slash.
    """

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


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


def read_items(
    body: bytes, member: str = "transactions", noun: str = "registrations"
) -> RequestItems:
    """Return the registrations of a body.

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


async def check_items(
    content: RequestItems, contexts: Sequence[TrackerContext]
) -> list[CheckedItem]:
    """Check each registration of a request.

    Args:
        content: The registrations.
        contexts: The sources, which check ids, with defaults of confirmations and deadline.
    """
    now = time.time()
    ids = [_id_in(item) for item in content.items if isinstance(item, dict)]
    texts = [each for each in ids if each is not None and len(each) <= MAX_ID_CHARACTERS]
    sources = _Sources(contexts, await registered_places(texts, contexts))
    checked: list[CheckedItem] = []
    for item, pointer in zip(content.items, content.pointers(), strict=True):
        checked.append(_check(item, sources, now, pointer))
        if isinstance(item, dict) and item.get("raw") is not None:
            # To recover a sender takes a tenth of a millisecond; its data can be long.
            await asyncio.sleep(0)
    return checked


def _id_in(item: dict[str, Any]) -> str | None:
    """Return the id of an item that is not checked yet, also of a sender and a nonce."""
    given, sender = item.get("id"), item.get("sender")
    if isinstance(sender, str):
        return f"{sender.lower()}:{item.get('nonce')}"
    return given if isinstance(given, str) else None


def _check(item: Any, sources: "_Sources", now: float, pointer: str) -> CheckedItem:
    given = item.get("id") if isinstance(item, dict) else None
    given = given if isinstance(given, str) else None
    try:
        wanted = _adapter.validate_python(item)
    except ValidationError as error:
        return CheckedItem(given, None, tuple(faults(error, pointer)))
    try:
        registration = _registration(wanted, sources, now)
    except AmbiguousIdError as error:
        return _ambiguous(given, error, f"{pointer}/{_named_by(wanted)}")
    except InvalidFieldError as error:
        return _refused(given, str(error), f"{pointer}/{error.place}")
    except ValueError as error:
        # A rule that this module does not check first must not fail the other registrations.
        return _refused(given, str(error), pointer)
    return CheckedItem(given, registration)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The sources, and the places of ids that fit several of them and are registered already."""

    contexts: Sequence[TrackerContext]
    registered: Mapping[str, Place]


def _registration(wanted: RegistrationIn, sources: _Sources, now: float) -> Registration:
    metadata = checked_metadata(wanted.metadata)
    place, known = _name(wanted, sources)
    context = place.context
    sends = _sends_again(wanted, context)
    required, required_by = _chosen(wanted.confirmations, known, context)
    expectation = checked_expectation(wanted.expect, context)
    return Registration(
        place.id,
        required,
        _deadline(wanted, now, context),
        metadata,
        expectation,
        context.slot(place.id),
        known,
        wanted.raw if sends else None,
        context.source.name,
        place.given,
        required_by,
    )


def _chosen(
    confirmations: Required | None, known: Transaction | None, context: TrackerContext
) -> tuple[Required, RequiredBy]:
    try:
        return context.chosen(confirmations, known)
    except ValueError as error:
        raise InvalidFieldError(str(error), "confirmations") from None


def _sends_again(wanted: RegistrationIn, context: TrackerContext) -> bool:
    if "raw" in wanted.model_fields_set:
        try:
            return context.sends(wanted.raw, wanted.rebroadcast)
        except InvalidTransactionError as error:
            raise InvalidFieldError(str(error), "raw") from None
        except ValueError as error:
            raise InvalidFieldError(str(error), "rebroadcast") from None
    if wanted.rebroadcast:
        raise InvalidFieldError(
            "only a transaction that is given as raw can be sent", "rebroadcast"
        )
    return False


def _name(wanted: RegistrationIn, sources: _Sources) -> tuple[Place, Transaction | None]:
    """Return the place of a transaction, and the transaction if it is known."""
    given = wanted.model_fields_set & _NAMES
    contexts, registered = sources.contexts, sources.registered
    try:
        if given == {"id"}:
            return place_of(wanted.id, registered, contexts), None
        if given == {"raw"}:
            return place_of_raw(wanted.raw, contexts)
        if given == {"sender", "nonce"}:
            return place_of_slot(wanted.sender, wanted.nonce, registered, contexts), None
    except InvalidTransactionError as error:
        field = error.field if _named_by(wanted) == "sender" else None
        raise InvalidFieldError(str(error), field or _named_by(wanted)) from None
    # The field that is missing, or that must not be there.
    other = {"sender": "nonce", "nonce": "sender"}
    place = other.get(next(iter(given)), "id") if len(given) == 1 else "id"
    raise InvalidFieldError("give either id, or raw, or sender and nonce", place)


def _named_by(wanted: RegistrationIn) -> str:
    """Return the field that says which transaction is meant."""
    return next(name for name in ("id", "raw", "sender") if name in wanted.model_fields_set)


def _deadline(wanted: RegistrationIn, now: float, context: TrackerContext) -> float | None:
    if wanted.deadline is not None:
        return checked_deadline(wanted.deadline)
    seconds = context.expires_after if wanted.expires_in is None else wanted.expires_in
    return None if seconds is None else now + seconds


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
            raise InvalidFieldError(detail, f"expect/{_escaped(name)}")
    try:
        return context.expectation(expect)
    except InvalidExpectationError as error:
        place = "expect" if error.field is None else f"expect/{_escaped(error.field)}"
        raise InvalidFieldError(str(error), place) from None


def checked_deadline(deadline: datetime) -> float:
    """Return a deadline in Unix seconds, or raise ``InvalidFieldError``."""
    seconds = min(deadline, MAX_DEADLINE).timestamp()
    if seconds <= 0:
        raise InvalidFieldError("expected a time after 1970-01-01", "deadline")
    return seconds


def _refused(given: str | None, detail: str, pointer: str) -> CheckedItem:
    return CheckedItem(given, None, ({"detail": detail, "pointer": pointer},))


def _ambiguous(given: str | None, error: AmbiguousIdError, pointer: str) -> CheckedItem:
    return CheckedItem(given, None, (ambiguous(error, pointer),), is_ambiguous=True)


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
    return [_escaped(str(step)) for step in location[:1]]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
