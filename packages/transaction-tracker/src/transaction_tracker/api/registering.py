"""What a registration may look like, and telling the good ones of a request from the bad."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from transaction_tracker.api.problems import Fault, ProblemError, not_json
from transaction_tracker.domain import InvalidTransactionError, Registration, State, Tag
from transaction_tracker.tracker import Context

MAX_ITEMS = 10_000
MAX_CONFIRMATIONS = 10_000
MAX_METADATA_BYTES = 4_096
MAX_ID_CHARACTERS = 200
LONGEST_SECONDS = 10 * 365 * 86_400.0
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


# Readers of times also take numbers, dates alone and times without a zone.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _rfc3339(value: Any) -> Any:
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise ValueError("expected a time such as 2030-01-31T12:00:00Z, as RFC 3339 has it")
    return value


def _whole(value: Any) -> Any:
    """Take 12.0 for 12: JSON knows one kind of number, and some writers add the point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class RegistrationIn(BaseModel):
    """A transaction to follow."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str = Field(min_length=1, max_length=MAX_ID_CHARACTERS)
    confirmations: (
        Annotated[int, Field(ge=1, le=MAX_CONFIRMATIONS), BeforeValidator(_whole)] | Tag | None
    ) = Field(None, description="What makes it final; without it, the service's setting.")
    expires_in: float | None = Field(
        None, gt=0, le=LONGEST_SECONDS, description="Seconds until it expires, in no block."
    )
    deadline: Annotated[AwareDatetime, BeforeValidator(_rfc3339)] | None = Field(
        None,
        strict=False,
        description="When it expires, in no block; RFC 3339. Not together with expires_in.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Given back with each event; up to 4,096 bytes as JSON."
    )

    @model_validator(mode="after")
    def _one_end(self) -> "RegistrationIn":
        if self.deadline is not None and self.expires_in is not None:
            raise ValueError("give deadline or expires_in, not both")
        return self


_one = TypeAdapter(RegistrationIn)


class Accepted(BaseModel):
    """A registration that is stored."""

    id: str
    status: Literal["accepted"]
    state: State
    version: int


class Refused(BaseModel):
    """A registration that is none."""

    id: str | None
    status: Literal["refused"]
    errors: list[Fault]


class Registered(BaseModel):
    """What became of each registration, in the order in which they were sent."""

    accepted: int
    refused: int
    results: list[Accepted | Refused]


@dataclass(frozen=True, slots=True)
class Fallible:
    """One registration of a request: good, or what is wrong with it.

    Attributes:
        given: The id that was sent, if it was a text.
        registration: What to register.
        errors: What is wrong.
    """

    given: str | None
    registration: Registration | None
    errors: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The registrations of a request, not checked yet.

    Attributes:
        items: One by one.
        place: Pointer to the list of them; ``None`` when the body is the one registration.
    """

    items: list[Any]
    place: str | None

    def pointers(self) -> Iterable[str]:
        """Say where each item is, as a JSON Pointer in a URI fragment."""
        if self.place is None:
            return ["#"]
        return [f"{self.place}/{number}" for number in range(len(self.items))]


def read_items(body: bytes) -> Content:
    """Read the registrations of a body.

    Raises:
        ProblemError: The body is not JSON, none of the three shapes, or has too many.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(str(error)) from None
    if isinstance(content, dict) and "transactions" not in content:
        return Content([content], None)
    place = "#/transactions" if isinstance(content, dict) else "#"
    items = content.pop("transactions") if isinstance(content, dict) else content
    if not isinstance(items, list) or (isinstance(content, dict) and content):
        raise _bad('expected a registration, a list of them, or {"transactions": [...]}', "#")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise _bad(f"expected 1 to {MAX_ITEMS:,} registrations, got {len(items):,}", place)
    return Content(items, place)


def _bad(detail: str, pointer: str) -> ProblemError:
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])


def check_items(content: Content, context: Context) -> list[Fallible]:
    """Check each registration of a request.

    Args:
        content: What was sent.
        context: Knows what an id is, and what counts when a registration does not say.
    """
    now = time.time()
    return [
        _check(item, context, now, pointer)
        for item, pointer in zip(content.items, content.pointers(), strict=True)
    ]


def _check(item: Any, context: Context, now: float, pointer: str) -> Fallible:
    given = item.get("id") if isinstance(item, dict) else None
    given = given if isinstance(given, str) else None
    try:
        wanted = _one.validate_python(item)
    except ValidationError as error:
        return Fallible(given, None, tuple(_faults(error, pointer)))
    metadata = orjson.dumps(wanted.metadata)
    if len(metadata) > MAX_METADATA_BYTES:
        return _refused(
            given,
            f"expected up to {MAX_METADATA_BYTES:,} bytes, got {len(metadata):,}",
            f"{pointer}/metadata",
        )
    try:
        key = context.source.identify(wanted.id)
    except InvalidTransactionError as error:
        return _refused(given, str(error), f"{pointer}/id")
    try:
        required = context.requirement(wanted.confirmations)
    except ValueError as error:
        return _refused(given, str(error), f"{pointer}/confirmations")
    return Fallible(
        given, Registration(key, required, _deadline(wanted, now, context), metadata.decode())
    )


def _deadline(wanted: RegistrationIn, now: float, context: Context) -> float | None:
    if wanted.deadline is not None:
        return min(wanted.deadline, LATEST).timestamp()
    seconds = context.expires_after if wanted.expires_in is None else wanted.expires_in
    return None if seconds is None else now + seconds


def _refused(given: str | None, detail: str, pointer: str) -> Fallible:
    return Fallible(given, None, ({"detail": detail, "pointer": pointer},))


def _faults(error: ValidationError, pointer: str) -> list[dict[str, str]]:
    # What came is not repeated: it may be long, or secret.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"detail": one["msg"], "pointer": "/".join((pointer, *_steps(one["loc"])))} for one in found
    ]


def _steps(location: Sequence[str | int]) -> list[str]:
    # The branches of a union are no steps: confirmations/int.
    steps = [str(step) for step in location]
    return [step.replace("~", "~0").replace("/", "~1") for step in steps[:1]]
