"""Deliveries of one endpoint: attempts, dead letters, redelivery."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from transaction_tracker.api import cursors
from transaction_tracker.api.answers import ADMIN, Limit, answer, problems, shows, with_body
from transaction_tracker.api.endpoint_problems import EndpointId, explained, refused
from transaction_tracker.api.models import (
    EventView,
    Next,
    Time,
    event_view,
    optional_time,
    rfc3339,
)
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.endpoints import AttemptRecord, Delivery

router: APIRouter = APIRouter(prefix="/v1/endpoints", tags=["endpoints"], dependencies=[ADMIN])


_BOTH: dict[str, Any] = {
    "required": ["event", "since"],
    "properties": {"event": {"type": "string"}, "since": {"type": "string"}},
}


class RedeliverIn(BaseModel):
    """The events to redeliver. Default: all dead letters."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"not": _BOTH}
    )

    event: str | None = Field(
        None, pattern=cursors.EVENT_PATTERN, description="`cursor` of one event."
    )
    since: str | None = Field(
        None,
        pattern=cursors.EVENT_PATTERN,
        description="`cursor` of the first event; `e0` for all events.",
    )


@dataclass(kw_only=True)
class AttemptView:
    """One attempt to deliver an event."""

    event: Annotated[str, Field(description="Id of the event.")]
    event_cursor: Annotated[str, Field(description="`cursor` of the event.")]
    number: Annotated[
        int, Field(description="Number of the attempt, from 1; starts again at a redelivery.")
    ]
    ended_at: Annotated[Time, Field(description="Time when the attempt ended.")]
    seconds: Annotated[float, Field(description="Duration of the attempt in seconds.")]
    outcome: Annotated[str, Field(description="`delivered`, or the kind of failure.")]
    status: Annotated[int | None, Field(description="HTTP status; null without a response.")]
    error: Annotated[
        str | None, Field(description="Why it failed, in one line; null if it succeeded.")
    ]
    answer: Annotated[
        str | None,
        Field(description="First KiB of the response's body; the endpoint's secrets are redacted."),
    ]


@dataclass(kw_only=True)
class AttemptPage:
    """A page of attempts, the newest first."""

    attempts: Annotated[list[AttemptView], Field(description="The attempts of the page.")]
    next: Next


@dataclass(kw_only=True)
class Redelivered:
    """Number of events that will be redelivered."""

    count: Annotated[int, Field(description="Number of events; 0 if none matches.")]


@dataclass(kw_only=True)
class DeadLetter:
    """An event whose delivery failed finally."""

    event: Annotated[EventView, Field(description="The event, as the webhook has it.")]
    attempts: Annotated[
        int,
        Field(description="Number of attempts since the event was recorded or last redelivered."),
    ]
    status: Annotated[
        int | None, Field(description="HTTP status of the last response; null without one.")
    ]
    error: Annotated[str | None, Field(description="Why the last attempt failed, in one line.")]
    settled_at: Annotated[str | None, Field(description="Time when it became a dead letter.")]


@dataclass(kw_only=True)
class DeadLetterPage:
    """A page of dead letters, in the order of their events."""

    dead_letters: Annotated[list[DeadLetter], Field(description="The dead letters of the page.")]
    next: Next


@router.post(
    "/{id}/redeliver",
    operation_id="redeliverEvents",
    responses={200: shows(Redelivered), **with_body(404)},
)
async def redeliver(id: EndpointId, wanted: RedeliverIn | None = None) -> Response:  # noqa: A002
    """Redeliver dead letters, one event, or all events from a cursor on."""
    chosen = wanted or RedeliverIn(event=None, since=None)
    if chosen.event is not None and chosen.since is not None:
        raise refused("give event or since, not both")
    if chosen.event is not None and cursors.position_at(chosen.event) == 0:
        raise refused("no event has the cursor e0; since takes it", "#/event")
    with explained():
        count = await endpoints.redeliver(
            id, position=_position(chosen.event), since=_position(chosen.since)
        )
    return answer(Redelivered(count=count))


@router.get(
    "/{id}/dead-letters",
    operation_id="listDeadLetters",
    responses={200: shows(DeadLetterPage), **problems(404, 422)},
)
async def dead_letters(
    id: EndpointId,  # noqa: A002
    cursor: cursors.EventCursor = None,
    limit: Limit = 100,
) -> Response:
    """List the dead letters of an endpoint."""
    after = 0 if cursor is None else cursors.position_at(cursor)
    with explained():
        found = await endpoints.dead_letters(id, after=after, limit=limit)
    full = len(found) == limit
    page = DeadLetterPage(
        dead_letters=[_letter(delivery) for delivery in found],
        next=cursors.of_event(found[-1].position) if full else None,
    )
    return answer(page)


@router.get("/{id}/attempts", responses={200: shows(AttemptPage), **problems(404, 422)})
async def list_attempts(
    id: EndpointId,  # noqa: A002
    event: Annotated[
        str | None,
        Query(
            pattern=cursors.EVENT_PATTERN,
            description="Only for the event with this `cursor`.",
        ),
    ] = None,
    cursor: cursors.AttemptCursor = None,
    limit: Limit = 100,
) -> Response:
    """List the last attempts at an endpoint, with their responses.

    The service stores the last 10 attempts of each event, and at least the last 100 successful and
    the last 100 failed attempts of an endpoint.
    """
    before = None if cursor is None else cursors.attempt_at(cursor)
    with explained():
        found = await endpoints.attempts(id, before=before, limit=limit, position=_position(event))
    full = len(found) == limit
    page = AttemptPage(
        attempts=[_attempt(attempt) for attempt in found],
        next=cursors.of_attempt(found[-1].id) if full else None,
    )
    return answer(page)


def _position(cursor: str | None) -> int | None:
    return None if cursor is None else cursors.position_at(cursor)


def _attempt(attempt: AttemptRecord) -> AttemptView:
    return AttemptView(
        event=attempt.event,
        event_cursor=cursors.of_event(attempt.position),
        number=attempt.number,
        ended_at=rfc3339(attempt.ended_at),
        seconds=attempt.seconds,
        outcome=attempt.outcome,
        status=attempt.status,
        error=attempt.error,
        answer=attempt.answer,
    )


def _letter(delivery: Delivery) -> DeadLetter:
    return DeadLetter(
        event=event_view(delivery.entry),
        attempts=delivery.attempts,
        status=delivery.status,
        error=delivery.error,
        settled_at=optional_time(delivery.settled_at),
    )
