"""Webhook endpoints."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, answer, problems, shows, with_body
from transaction_tracker.api.endpoint_problems import EndpointId, explained
from transaction_tracker.api.models import Time, optional_time, rfc3339
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.status import DeliveryStatus, HealthState
from transaction_tracker.domain import State
from transaction_tracker.domain.alert import AlertKind
from transaction_tracker.domain.webhook_endpoint import (
    DEFAULT_REASON,
    ID_PATTERN,
    MAX_OVERLAP_SECONDS,
    MAX_REASON_CHARACTERS,
    OVERLAP_SECONDS,
    SECRET_FORM,
    SECRET_PATTERN,
    WebhookEndpoint,
)
from transaction_tracker.net.url import MAX_URL_CHARACTERS

router: APIRouter = APIRouter(prefix="/v1/endpoints", tags=["endpoints"], dependencies=[ADMIN])


class _Input(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


class EndpointIn(_Input):
    """URL, states and alerts of an endpoint."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_CHARACTERS,
        description="URL with https, on the public internet.",
    )
    states: list[State] | None = Field(
        None,
        max_length=20,
        description="States whose events are delivered. Default: all. Can be empty if there are "
        "alerts.",
    )
    alerts: list[AlertKind] = Field(
        [],
        max_length=20,
        description="Kinds of alerts about the service that are delivered. Default: none.",
    )


class NewEndpointIn(EndpointIn):
    """A new endpoint."""

    secret: str | None = Field(None, pattern=SECRET_PATTERN, description=SECRET_FORM)
    id: str | None = Field(
        None,
        pattern=ID_PATTERN,
        description="Id of the endpoint, which is the same at all shards of a service; a router "
        "chooses it. Default: a new id.",
    )


class RotateIn(_Input):
    """The new secret of an endpoint."""

    secret: str | None = Field(None, pattern=SECRET_PATTERN, description=SECRET_FORM)
    overlap: float = Field(
        OVERLAP_SECONDS,
        ge=0,
        le=MAX_OVERLAP_SECONDS,
        description="Seconds for which the old secret also signs deliveries.",
    )


class DisableIn(_Input):
    """Why an endpoint is disabled."""

    reason: str = Field(
        DEFAULT_REASON,
        max_length=MAX_REASON_CHARACTERS,
        description="The reason, which the endpoint then shows as `disabled_reason`.",
    )


@dataclass(kw_only=True)
class EndpointView:
    """An endpoint."""

    id: Annotated[str, Field(description="Id of the endpoint.")]
    url: Annotated[str, Field(description="URL to which its deliveries are sent.")]
    states: Annotated[
        list[State] | None, Field(description="States whose events are delivered; null for all.")
    ]
    alerts: Annotated[
        list[AlertKind], Field(description="Kinds of alerts about the service that are delivered.")
    ]
    enabled: Annotated[
        bool, Field(description="Whether deliveries are sent; those of a disabled endpoint wait.")
    ]
    disabled_reason: Annotated[
        str | None, Field(description="Why it is disabled; null if it is enabled.")
    ]
    created_at: Annotated[str, Field(description="Time when it was added.")]
    previous_secret_until: Annotated[
        str | None, Field(description="Time until which the old secret also signs deliveries.")
    ]


@dataclass(kw_only=True)
class EndpointWithSecret(EndpointView):
    """An endpoint with its secret, which is shown only once."""

    secret: Annotated[
        str,
        Field(
            description="Secret that signs its deliveries, as Standard Webhooks writes it: whsec_…."
        ),
    ]


@dataclass(kw_only=True)
class EndpointDetail(EndpointView):
    """An endpoint with its delivery status."""

    health: Annotated[
        HealthState,
        Field(
            description="failing: at least the last `alerts.endpoint_failures` attempts failed, "
            "five by default."
        ),
    ]
    failing_since: Annotated[
        Time | None,
        Field(description="Time of the first of these failures; null if it does not fail."),
    ]
    pending: Annotated[int, Field(description="Number of pending deliveries.")]
    dead: Annotated[int, Field(description="Number of dead letters.")]
    last_attempt_at: Annotated[
        Time | None, Field(description="Time of the last attempt; null without one.")
    ]
    last_error: Annotated[
        str | None, Field(description="Error of the last failed attempt, if it is stored.")
    ]
    last_error_at: Annotated[
        Time | None, Field(description="Time of the last failed attempt, if it is stored.")
    ]
    next_attempt_at: Annotated[Time | None, Field(description="Null if no attempt is scheduled.")]


@dataclass(kw_only=True)
class EndpointList:
    """All endpoints, the oldest first."""

    endpoints: Annotated[
        list[EndpointDetail], Field(description="All endpoints with their delivery status.")
    ]


@dataclass(kw_only=True)
class TestResult:
    """Result of a test message."""

    delivered: Annotated[bool, Field(description="Whether the receiver accepted the message.")]
    outcome: Annotated[str, Field(description="`delivered`, or the kind of failure.")]
    status: Annotated[
        int | None, Field(description="HTTP status of the response; null without one.")
    ]
    error: Annotated[
        str | None, Field(description="Why it failed, in one line; null if it succeeded.")
    ]
    seconds: Annotated[float, Field(description="Duration of the attempt in seconds.")]


@router.post(
    "",
    operation_id="createEndpoint",
    status_code=201,
    responses={201: shows(EndpointWithSecret), **with_body()},
)
async def create(wanted: NewEndpointIn) -> Response:
    """Add an endpoint: deliver future events to a URL, signed by Standard Webhooks 1.0."""
    with explained():
        endpoint = await endpoints.add(
            wanted.url,
            secret=wanted.secret,
            states=wanted.states,
            alerts=wanted.alerts,
            endpoint_id=wanted.id,
        )
    return answer(_with_secret(endpoint), 201)


@router.get("", operation_id="listEndpoints", responses={200: shows(EndpointList), **problems()})
async def list_endpoints() -> Response:
    """List the endpoints with their delivery status."""
    found = [_detail(status) for status in await endpoints.statuses()]
    return answer(EndpointList(endpoints=found))


@router.get(
    "/{id}",
    operation_id="getEndpoint",
    responses={200: shows(EndpointDetail), **problems(404, 422)},
)
async def get_endpoint(id: EndpointId) -> Response:  # noqa: A002 - the path's name
    """Return an endpoint with its delivery status."""
    with explained():
        return answer(_detail(await endpoints.status(id)))


@router.put(
    "/{id}", operation_id="updateEndpoint", responses={200: shows(EndpointView), **with_body(404)}
)
async def change(id: EndpointId, wanted: EndpointIn) -> Response:  # noqa: A002
    """Change the URL, states and alerts of an endpoint; pending deliveries go to the new URL."""
    with explained():
        changed = await endpoints.change(
            id, url=wanted.url, states=wanted.states, alerts=wanted.alerts
        )
    return answer(_view(changed))


@router.delete(
    "/{id}",
    operation_id="deleteEndpoint",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "The endpoint is deleted."}, **problems(404, 422)},
)
async def remove(id: EndpointId) -> Response:  # noqa: A002
    """Delete an endpoint with all its deliveries."""
    with explained():
        await endpoints.remove(id)
    return Response(status_code=204)


@router.post(
    "/{id}/enable",
    operation_id="enableEndpoint",
    responses={200: shows(EndpointView), **problems(400, 404, 409, 422)},
)
async def enable(id: EndpointId) -> Response:  # noqa: A002
    """Enable an endpoint: pending deliveries are sent, and future events are delivered."""
    with explained():
        return answer(_view(await endpoints.enable(id)))


@router.post(
    "/{id}/disable",
    operation_id="disableEndpoint",
    responses={200: shows(EndpointView), **with_body(404)},
)
async def disable(id: EndpointId, wanted: DisableIn | None = None) -> Response:  # noqa: A002
    """Disable an endpoint: pending deliveries wait, and future events are not delivered."""
    reason = DEFAULT_REASON if wanted is None else wanted.reason
    with explained():
        return answer(_view(await endpoints.disable(id, reason)))


@router.post(
    "/{id}/rotate",
    operation_id="rotateEndpointSecret",
    responses={200: shows(EndpointWithSecret), **with_body(404)},
)
async def rotate(id: EndpointId, wanted: RotateIn | None = None) -> Response:  # noqa: A002
    """Rotate the secret; the old secret also signs deliveries for a while."""
    chosen = wanted or RotateIn(secret=None, overlap=OVERLAP_SECONDS)
    with explained():
        endpoint = await endpoints.rotate(id, secret=chosen.secret, overlap=chosen.overlap)
    return answer(_with_secret(endpoint))


@router.post(
    "/{id}/test",
    operation_id="testEndpoint",
    responses={200: shows(TestResult), **problems(400, 404, 409, 422)},
)
async def test(id: EndpointId) -> Response:  # noqa: A002
    """Send a test message now, without retries, and return the result."""
    with explained():
        result = await endpoints.test(id)
    view = TestResult(
        delivered=result.delivered,
        outcome=result.outcome,
        status=result.status,
        error=result.error,
        seconds=result.seconds,
    )
    return answer(view)


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "states": None if endpoint.states is None else list(endpoint.states),
        "alerts": list(endpoint.alerts),
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": rfc3339(endpoint.created_at),
        "previous_secret_until": optional_time(endpoint.previous_until),
    }


def _view(endpoint: WebhookEndpoint) -> EndpointView:
    return EndpointView(**_fields(endpoint))


def _with_secret(endpoint: WebhookEndpoint) -> EndpointWithSecret:
    return EndpointWithSecret(**_fields(endpoint), secret=endpoint.secret.reveal())


def _detail(status: DeliveryStatus) -> EndpointDetail:
    last, failed = status.last, status.last_failed
    return EndpointDetail(
        **_fields(status.endpoint),
        health=status.health,
        failing_since=optional_time(status.endpoint.failing_since),
        pending=status.pending,
        dead=status.dead,
        last_attempt_at=None if last is None else rfc3339(last.ended_at),
        last_error=None if failed is None else failed.error or failed.outcome,
        last_error_at=None if failed is None else rfc3339(failed.ended_at),
        next_attempt_at=optional_time(status.next_attempt_at),
    )
