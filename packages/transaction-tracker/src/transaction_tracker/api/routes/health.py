"""Liveness, readiness and metrics."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from transaction_tracker.api.answers import READ, Api, answer, problems, shows
from transaction_tracker.api.models import rfc3339
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.service import Following, Service
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.health import FlowLimits, flow
from transaction_tracker.metrics import CONTENT_TYPE

router: APIRouter = APIRouter(tags=["operation"])


@dataclass(kw_only=True)
class Alive:
    """The program responds."""

    status: Annotated[Literal["alive"], Field(description="Always `alive`.")]


class HealthNote(BaseModel):
    """A warning that does not make the service unready."""

    detail: Annotated[str, Field(description="The warning, for people.")]
    since: Annotated[str, Field(description="Time since which it applies.")]


class Ready(BaseModel):
    """The service works."""

    status: Annotated[
        Literal["ready"],
        Field(description="Always `ready`; otherwise the response has status 503."),
    ]
    notes: list[HealthNote] | None = Field(None, description="Warnings, such as a lagging source.")


@router.get(
    "/healthz", operation_id="getHealth", responses={200: shows(Alive, "The program responds.")}
)
async def healthz() -> Response:
    """Return 200 while the program responds; restart it if this fails."""
    return answer(Alive(status="alive"))


@router.get(
    "/readyz",
    operation_id="getReadiness",
    responses={
        200: shows(Ready, "The service works."),
        503: problems()[503] | {"description": "A part does not work; see `errors`."},
    },
)
async def readyz(api: Api) -> Response:
    """Return whether the store can be written and the source moves.

    With several sources, the service is ready while one of them moves; `notes` names the others.
    """
    errors = []
    store_fault = await api.store_fault()
    if store_fault is not None:
        errors.append({"detail": store_fault})
    standing, notes = _sources(api.service)
    errors += standing
    if errors:
        detail = "; ".join(error["detail"] for error in errors)
        raise ProblemError(
            503, detail, kind="not-ready", errors=errors, headers={"Retry-After": "5"}
        )
    notes += await _late_deliveries(api.service.flow_limits)
    return answer({"status": "ready"} | ({"notes": notes} if notes else {}))


@router.get(
    "/metrics",
    operation_id="getMetrics",
    dependencies=[READ],
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format.",
            "content": {CONTENT_TYPE: {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def metrics(api: Api) -> Response:
    """Return all metrics in Prometheus text format."""
    gauges = replace(
        await api.service.gauges(),
        registering=api.registering.taken,
        waiters=api.waiters.taken,
        streams=api.streams.taken,
    )
    # In a thread: counting a million processes would block the event loop.
    page = await asyncio.to_thread(api.service.metrics.render, gauges)
    return Response(page, media_type=CONTENT_TYPE)


def _sources(service: Service) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return why no source moves, if that is so, and the warnings about single sources."""
    if not service.sources:
        following = service.following()
        verdict = following.verdict
        return (
            [_detail(following)] if verdict.state in ("halted", "starting") else [],
            [_detail(following)] if verdict.state == "lagging" else [],
        )
    followed = {source.name: source.following() for source in service.sources}
    paused = {source.name for source in service.sources if source.state == "paused"}
    errors = {
        name: _detail(following, name)
        for name, following in followed.items()
        if name not in paused and following.verdict.state in ("halted", "starting")
    }
    lagging = {
        name: _detail(following, name)
        for name, following in followed.items()
        if following.verdict.state == "lagging"
    }
    if errors and len(errors) + len(paused) == len(followed):
        return list(errors.values()), []
    notes = errors | lagging
    return [], [notes[name] for name in followed if name in notes]


async def _late_deliveries(limits: FlowLimits) -> list[dict[str, str]]:
    """Return a note if deliveries are behind; a receiver that is down is not unreadiness."""
    oldest = await endpoints.oldest_pending()
    age = 0.0 if oldest is None else time.time() - oldest
    found = flow(age, frozen=False, limits=limits)
    if oldest is None or found == "flowing":
        return []
    detail = f"deliveries are {found}: the oldest pending delivery has waited for {age:.0f} s"
    return [{"detail": detail, "since": rfc3339(oldest)}]


def _detail(following: Following, name: str | None = None) -> dict[str, str]:
    lasted = following.now - following.verdict.since
    text = following.verdict.text if name is None else f"{name}: {following.verdict.text}"
    return {"detail": text, "since": rfc3339(time.time() - lasted)}
