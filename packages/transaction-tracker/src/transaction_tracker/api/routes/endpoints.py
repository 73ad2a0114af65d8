"""Endpoints: where events are delivered to by webhook."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from transaction_tracker.api import cursors
from transaction_tracker.api.answers import ADMIN, Limit, answer, problems, shows, with_body
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.views import EventView, Json, event_view, rfc3339
from transaction_tracker.domain import State
from transaction_tracker.net import ForbiddenAddressError, ForbiddenUrlError, NoAnswerError
from transaction_tracker.outbox import endpoints
from transaction_tracker.outbox.endpoints import (
    AttemptRecord,
    Delivery,
    Endpoint,
    Status,
    UnknownEndpointError,
)
from transaction_tracker.outbox.status import HealthWord
from transaction_tracker.store import DatabaseFailedError, StoreError

router = APIRouter(prefix="/v1/endpoints", tags=["endpoints"], dependencies=[ADMIN])

Name = Annotated[str, Path(max_length=40, description="The endpoint's id.")]

_FOUR = "(?:[A-Za-z0-9+/]{4})"
# 24 to 64 bytes: https://github.com/standard-webhooks/standard-webhooks
_PATTERN = (
    f"^whsec_(?:{_FOUR}{{8,20}}(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?"
    f"|{_FOUR}{{21}}(?:[A-Za-z0-9+/]{{2}}==)?)$"
)
_FORM = "whsec_ and 24 to 64 bytes in base64; made if it is left out."
_LONGEST_URL = 2_048
# Words of the errors about where a URL leads, not about its form.
_ABOUT_PLACES = ("may not be asked", "allow list")
_NEVER_ALLOWED = ("metadata", "unspecified", "multicast")


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class EndpointIn(_Wish):
    """Where to deliver, and what."""

    url: str = Field(
        min_length=1, max_length=_LONGEST_URL, description="https, on the public internet."
    )
    states: list[State] | None = Field(
        None, min_length=1, max_length=20, description="Only of these; of all without it."
    )


class NewEndpointIn(EndpointIn):
    """Where to deliver, and what, signed with which secret."""

    secret: str | None = Field(None, pattern=_PATTERN, description=_FORM)


class RotateIn(_Wish):
    """The next secret."""

    secret: str | None = Field(None, pattern=_PATTERN, description=_FORM)
    overlap: float = Field(
        endpoints.OVERLAP_SECONDS,
        ge=0,
        le=endpoints.MAX_OVERLAP_SECONDS,
        description="Seconds for which deliveries are signed with the old one too.",
    )


class DisableIn(_Wish):
    """Why to deliver no more."""

    reason: str = Field("by hand", max_length=endpoints.LONGEST_REASON)


class RedeliverIn(_Wish):
    """What to deliver again: without either, all dead letters."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["event", "since"]}})

    event: str | None = Field(
        None, pattern=cursors.EVENT_PATTERN, description="This one: its `cursor`."
    )
    since: str | None = Field(
        None, pattern=cursors.EVENT_PATTERN, description="All from this one on: its `cursor`."
    )


class EndpointView(BaseModel):
    """Where events are delivered to."""

    id: str
    url: str
    states: list[State] | None
    enabled: bool
    disabled_reason: str | None
    created_at: str
    previous_secret_until: str | None = Field(description="The old secret signs as well till then.")


class EndpointWithSecret(EndpointView):
    """Where events are delivered to, with the secret, which is shown only here."""

    secret: str


class AttemptView(BaseModel):
    """One attempt to deliver an event."""

    event: str = Field(description="The event's id.")
    event_cursor: str = Field(description="The event's `cursor`.")
    number: int = Field(description="1 is the first; a redelivery counts from 1 again.")
    ended_at: datetime
    seconds: float
    outcome: str = Field(description="`delivered`, or which kind of failure it was.")
    status: int | None = Field(description="Of the answer; null when none came.")
    error: str | None
    answer: str | None = Field(
        description="The first KiB of the body of the answer, without the endpoint's secrets."
    )


class AttemptPage(BaseModel):
    """A page of attempts, the newest first."""

    attempts: list[AttemptView]
    next: str | None = Field(description="Give it as `cursor` for the next page.")


class EndpointDetail(EndpointView):
    """Where events are delivered to, and how that goes."""

    health: HealthWord = Field(
        description="failing: five attempts in a row, or more, have delivered nothing."
    )
    failing_since: datetime | None
    pending: int
    dead: int
    last_attempt_at: datetime | None
    last_error: str | None = Field(description="Of the last attempt that failed, if it is kept.")
    last_error_at: datetime | None
    next_attempt_at: datetime | None = Field(description="Null when none is planned.")


class EndpointList(BaseModel):
    """All endpoints, the oldest first."""

    endpoints: list[EndpointDetail]


class TestResult(BaseModel):
    """What came of a message that was sent to see whether it arrives."""

    delivered: bool
    verdict: str
    status: int | None
    error: str | None
    seconds: float


class Redelivered(BaseModel):
    """How many events will be delivered again."""

    count: int


class DeadLetter(BaseModel):
    """An event that was given up."""

    event: EventView
    attempts: int
    status: int | None
    error: str | None
    settled_at: str | None


class DeadLetterPage(BaseModel):
    """A page of events that were given up, in the order of the events."""

    dead_letters: list[DeadLetter]
    next: str | None = Field(description="Give it as `cursor` for the next page.")


@router.post(
    "",
    operation_id="createEndpoint",
    status_code=201,
    responses={201: shows(EndpointWithSecret), **with_body()},
)
async def create(wanted: NewEndpointIn) -> Response:
    """Deliver events to a URL from now on; Standard Webhooks 1.0 says how they are signed."""
    with _explained():
        endpoint = await endpoints.add(wanted.url, secret=wanted.secret, states=wanted.states)
    return answer(_with_secret(endpoint), 201)


@router.get("", operation_id="listEndpoints", responses={200: shows(EndpointList), **problems()})
async def list_endpoints() -> Response:
    """List the endpoints, and how deliveries to each are going."""
    return answer({"endpoints": [_detail(status) for status in await endpoints.statuses()]})


@router.get(
    "/{id}",
    operation_id="getEndpoint",
    responses={200: shows(EndpointDetail), **problems(404, 422)},
)
async def get_endpoint(id: Name) -> Response:  # noqa: A002 - the path's word
    """Show an endpoint, and how deliveries to it are going."""
    with _explained():
        return answer(_detail(await endpoints.status(id)))


@router.put(
    "/{id}", operation_id="updateEndpoint", responses={200: shows(EndpointView), **with_body(404)}
)
async def change(id: Name, wanted: EndpointIn) -> Response:  # noqa: A002
    """Deliver elsewhere, or other states; what is pending goes to the new URL."""
    with _explained():
        return answer(_view(await endpoints.change(id, url=wanted.url, states=wanted.states)))


@router.delete(
    "/{id}",
    operation_id="deleteEndpoint",
    status_code=204,
    response_class=Response,
    responses=problems(404, 422),
)
async def remove(id: Name) -> Response:  # noqa: A002
    """Forget an endpoint, and all that was to be delivered to it."""
    with _explained():
        await endpoints.remove(id)
    return Response(status_code=204)


@router.post(
    "/{id}/enable",
    operation_id="enableEndpoint",
    responses={200: shows(EndpointView), **problems(400, 404, 409, 422)},
)
async def enable(id: Name) -> Response:  # noqa: A002
    """Deliver again: first what was pending, then what is new."""
    with _explained():
        return answer(_view(await endpoints.enable(id)))


@router.post(
    "/{id}/disable",
    operation_id="disableEndpoint",
    responses={200: shows(EndpointView), **with_body(404)},
)
async def disable(id: Name, wanted: DisableIn | None = None) -> Response:  # noqa: A002
    """Deliver no more; what is pending waits."""
    reason = (wanted or DisableIn(reason="by hand")).reason
    with _explained():
        return answer(_view(await endpoints.disable(id, reason)))


@router.post(
    "/{id}/rotate",
    operation_id="rotateEndpointSecret",
    responses={200: shows(EndpointWithSecret), **with_body(404)},
)
async def rotate(id: Name, wanted: RotateIn | None = None) -> Response:  # noqa: A002
    """Sign with a new secret, and for a while with the old one as well."""
    chosen = wanted or RotateIn(secret=None, overlap=endpoints.OVERLAP_SECONDS)
    with _explained():
        endpoint = await endpoints.rotate(id, secret=chosen.secret, overlap=chosen.overlap)
    return answer(_with_secret(endpoint))


@router.post(
    "/{id}/test",
    operation_id="testEndpoint",
    responses={200: shows(TestResult), **problems(400, 404, 409, 422)},
)
async def test(id: Name) -> Response:  # noqa: A002
    """Send a message now, once, and say what came of it."""
    with _explained():
        result = await endpoints.test(id)
    content = {
        "delivered": result.delivered,
        "verdict": result.verdict,
        "status": result.status,
        "error": result.error,
        "seconds": result.seconds,
    }
    return answer(content)


@router.post(
    "/{id}/redeliver",
    operation_id="redeliverEvents",
    responses={200: shows(Redelivered), **with_body(404)},
)
async def redeliver(id: Name, wanted: RedeliverIn | None = None) -> Response:  # noqa: A002
    """Deliver again: dead letters, one event, or all events from one on."""
    chosen = wanted or RedeliverIn(event=None, since=None)
    if chosen.event is not None and chosen.since is not None:
        raise _refused("give event or since, not both")
    with _explained():
        count = await endpoints.redeliver(
            id, position=_position(chosen.event), since=_position(chosen.since)
        )
    return answer({"count": count})


@router.get(
    "/{id}/dead-letters",
    operation_id="listDeadLetters",
    responses={200: shows(DeadLetterPage), **problems(404, 422)},
)
async def dead_letters(
    id: Name,  # noqa: A002
    cursor: cursors.EventCursor = None,
    limit: Limit = 100,
) -> Response:
    """List events that were given up at an endpoint."""
    after = 0 if cursor is None else cursors.position_at(cursor)
    with _explained():
        found = await endpoints.dead_letters(id, after=after, limit=limit)
    full = len(found) == limit
    content = {
        "dead_letters": [_letter(one) for one in found],
        "next": cursors.of_event(found[-1].position) if full else None,
    }
    return answer(content)


@router.get("/{id}/attempts", responses={200: shows(AttemptPage), **problems(404, 422)})
async def list_attempts(
    id: Name,  # noqa: A002
    event: Annotated[
        str | None,
        Query(pattern=cursors.EVENT_PATTERN, description="Only of this one: its `cursor`."),
    ] = None,
    cursor: cursors.AttemptCursor = None,
    limit: Limit = 100,
) -> Response:
    """List the last attempts at an endpoint, with what came back.

    Of each event the last 10 are kept; of the endpoint, the last 100 that succeeded and the last
    100 that failed, or some more.
    """
    before = None if cursor is None else cursors.attempt_at(cursor)
    with _explained():
        found = await endpoints.attempts(id, before=before, limit=limit, position=_position(event))
    full = len(found) == limit
    content = {
        "attempts": [_attempt(attempt) for attempt in found],
        "next": cursors.of_attempt(found[-1].id) if full else None,
    }
    return answer(content)


@contextmanager
def _explained() -> Iterator[None]:
    """Say as problems what the outbox raises."""
    try:
        yield
    except UnknownEndpointError:
        detail = "there is no such endpoint; GET /v1/endpoints lists them"
        raise ProblemError(404, detail, kind="unknown-endpoint") from None
    except (ForbiddenUrlError, ForbiddenAddressError, NoAnswerError) as error:
        raise _refused(_with_way_out(str(error)), "#/url") from None
    except DatabaseFailedError:
        raise
    except StoreError as error:
        raise ProblemError(409, str(error), kind="too-many-endpoints") from None
    except ValueError as error:
        raise _refused(str(error)) from None


def _with_way_out(text: str) -> str:
    """Name the option that allows a URL, where one can: clouds' metadata stays refused."""
    if any(words in text for words in _NEVER_ALLOWED):
        return text
    if not any(words in text for words in _ABOUT_PLACES):
        return text
    return f"{text}; webhooks.allow_private in the service's configuration can allow it"


def _refused(detail: str, pointer: str = "#") -> ProblemError:
    fault = {"detail": detail, "pointer": pointer}
    return ProblemError(422, detail, kind="invalid-request", errors=[fault])


def _position(cursor: str | None) -> int | None:
    return None if cursor is None else cursors.position_at(cursor)


def _view(endpoint: Endpoint) -> Json:
    until = endpoint.previous_until
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "states": endpoint.states,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": rfc3339(endpoint.created_at),
        "previous_secret_until": None if until is None else rfc3339(until),
    }


def _with_secret(endpoint: Endpoint) -> Json:
    return _view(endpoint) | {"secret": endpoint.secret.reveal()}


def _detail(status: Status) -> Json:
    last, failed, since = status.last, status.last_failed, status.endpoint.failing_since
    following = status.next_attempt_at
    return _view(status.endpoint) | {
        "health": status.health,
        "failing_since": None if since is None else rfc3339(since),
        "pending": status.pending,
        "dead": status.dead,
        "last_attempt_at": None if last is None else rfc3339(last.ended_at),
        "last_error": None if failed is None else failed.error or failed.outcome,
        "last_error_at": None if failed is None else rfc3339(failed.ended_at),
        "next_attempt_at": None if following is None else rfc3339(following),
    }


def _attempt(attempt: AttemptRecord) -> Json:
    return {
        "event": attempt.event,
        "event_cursor": cursors.of_event(attempt.position),
        "number": attempt.number,
        "ended_at": rfc3339(attempt.ended_at),
        "seconds": attempt.seconds,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
    }


def _letter(delivery: Delivery) -> Json:
    settled = delivery.settled_at
    return {
        "event": event_view(delivery.entry),
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "settled_at": None if settled is None else rfc3339(settled),
    }
