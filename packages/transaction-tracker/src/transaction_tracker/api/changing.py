"""Parse and check the change of a registration."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from transaction_tracker.api.fields import (
    EXPECT,
    Confirmations,
    Deadline,
    checked_deadline,
    checked_expectation,
    checked_metadata,
    checked_required,
)
from transaction_tracker.api.items import InvalidFieldError, faults
from transaction_tracker.api.problems import ProblemError, parsed
from transaction_tracker.domain import UNCHANGED, RegistrationChange
from transaction_tracker.tracker import TrackerContext


class ChangeIn(BaseModel):
    """New values of a registration; what is missing stays as it is."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    confirmations: Confirmations = Field(
        None, description="Number of confirmations that make the state final, or a tag."
    )
    deadline: Deadline = Field(
        None,
        strict=False,
        description="Time at which a transaction that is not in a block expires, RFC 3339; null "
        "removes the deadline.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object that is returned with each event, in place of the previous one.",
    )
    expect: Annotated[dict[str, Any], WithJsonSchema(EXPECT)] | None = Field(
        None,
        description="What the payment must be, in place of the previous expectation; null removes "
        "it.",
    )


_adapter = TypeAdapter(ChangeIn)


def read_change(body: bytes, context: TrackerContext) -> RegistrationChange:
    """Return the change in a body.

    Args:
        body: The body of the request.
        context: Source, which checks tags and addresses.

    Raises:
        ProblemError: The body is invalid; the problem names the field.
    """
    content = parsed(body)
    if not isinstance(content, dict) or not content:
        raise _invalid('expected what to change, such as {"confirmations": 20}', "#")
    try:
        wanted = _adapter.validate_python(content)
    except ValidationError as error:
        errors = faults(error, "#")
        detail = "; ".join(fault["detail"] for fault in errors)
        raise ProblemError(422, detail, kind="invalid-request", errors=errors) from None
    try:
        return _change(wanted, context)
    except InvalidFieldError as error:
        raise _invalid(str(error), f"#/{error.place}") from None


def _change(wanted: ChangeIn, context: TrackerContext) -> RegistrationChange:
    given = wanted.model_fields_set
    if "confirmations" in given and wanted.confirmations is None:
        detail = "expected a number or a tag: the requirement can be changed, not removed"
        raise InvalidFieldError(detail, "confirmations")
    deadline = None if wanted.deadline is None else checked_deadline(wanted.deadline)
    return RegistrationChange(
        required=checked_required(wanted.confirmations, context)
        if "confirmations" in given
        else UNCHANGED,
        deadline=deadline if "deadline" in given else UNCHANGED,
        metadata=checked_metadata(wanted.metadata) if "metadata" in given else UNCHANGED,
        expectation=checked_expectation(wanted.expect, context) if "expect" in given else UNCHANGED,
    )


def _invalid(detail: str, pointer: str) -> ProblemError:
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])
