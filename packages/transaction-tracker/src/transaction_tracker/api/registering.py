"""Parse and check the registrations of a request."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from transaction_tracker.api.fields import (
    ADDRESS_PATTERN,
    EXPECT,
    RAW_PATTERN,
    Confirmations,
    Deadline,
    checked_deadline,
    checked_expectation,
    checked_metadata,
    whole,
)
from transaction_tracker.api.items import InvalidFieldError, RequestItems, ambiguous, faults
from transaction_tracker.api.problems import ErrorDetail
from transaction_tracker.domain import (
    MAX_ID_CHARACTERS,
    MAX_NONCE,
    MAX_RAW_BYTES,
    AmbiguousIdError,
    InvalidTransactionError,
    Registration,
    Required,
    RequiredBy,
    State,
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

MAX_EXPIRY_SECONDS = 10 * 365 * 86_400.0
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

    id: Annotated[str, Field(description="Id of the transaction, as the other routes take it.")]
    caip_id: Annotated[
        str, Field(description="Id with the chain id of CAIP-2 before it: eip155:1:0x….")
    ]
    status: Annotated[
        Literal["accepted"],
        Field(description="Always `accepted`: the registration is stored, or was stored before."),
    ]
    state: Annotated[State, Field(description="State of the transaction now.")]
    version: Annotated[int, Field(description="Number of its events so far.")]


@dataclass(kw_only=True)
class RefusedItem:
    """A registration that was refused."""

    id: Annotated[str | None, Field(description="The id in the request; null if it is not text.")]
    status: Annotated[
        Literal["refused"], Field(description="Always `refused`: nothing was stored.")
    ]
    errors: Annotated[
        Sequence[ErrorDetail],
        Field(description="What is wrong; `pointer` leads to the field in the request."),
    ]


@dataclass(kw_only=True)
class RegistrationResults:
    """Result of each registration, in the order of the request."""

    accepted: Annotated[int, Field(description="Number of registrations that are stored.")]
    refused: Annotated[int, Field(description="Number of registrations that were refused.")]
    results: Annotated[
        list[AcceptedItem | RefusedItem],
        Field(description="One result for each registration, in the order of the request."),
    ]


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


def _refused(given: str | None, detail: str, pointer: str) -> CheckedItem:
    return CheckedItem(given, None, ({"detail": detail, "pointer": pointer},))


def _ambiguous(given: str | None, error: AmbiguousIdError, pointer: str) -> CheckedItem:
    return CheckedItem(given, None, (ambiguous(error, pointer),), is_ambiguous=True)
