"""Whether the program lives, whether it is of use, and what there is to measure."""

import asyncio
import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from transaction_tracker.api.answers import READ, RoomOf, answer, problems, shows
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.room import Room
from transaction_tracker.metrics import CONTENT_TYPE, Gauges
from transaction_tracker.outbox import endpoints
from transaction_tracker.store import Store
from transaction_tracker.tracker import Context

router = APIRouter(tags=["operation"])


class Alive(BaseModel):
    """The program answers."""

    status: Literal["alive"]


class Ready(BaseModel):
    """All parts do what they are there for."""

    status: Literal["ready"]


@router.get("/healthz", responses={200: shows(Alive, "The program lives.")})
async def healthz() -> Response:
    """Say that the program lives; restart it when this fails."""
    return answer({"status": "alive"})


@router.get(
    "/readyz",
    responses={
        200: shows(Ready, "All is well."),
        503: problems()[503] | {"description": "A part is not; `errors` says which, and why."},
    },
)
async def readyz(room: RoomOf) -> Response:
    """Say whether the store can be written and the follower keeps up with its source."""
    faults = [fault for fault in (await room.store_fault(), source_fault(room)) if fault]
    if faults:
        errors = [{"detail": fault} for fault in faults]
        raise ProblemError(
            503, "; ".join(faults), kind="not-ready", errors=errors, headers={"Retry-After": "5"}
        )
    return answer({"status": "ready"})


@router.get(
    "/metrics",
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
async def metrics(room: RoomOf) -> Response:
    """Give all metrics, as Prometheus reads them."""
    gauges = await _gauges(room)
    # A million processes take a while to count: not here, where everything waits for it.
    page = await asyncio.to_thread(room.service.metrics.render, gauges)
    return Response(page, media_type=CONTENT_TYPE)


def source_fault(room: Room) -> str | None:
    """Say what is wrong with what we hear of the source."""
    heard = room.service.following().heard_at
    if heard is None:
        return "source: its head was not heard yet"
    age = time.time() - heard
    if age > room.service.head_stale_seconds:
        return f"source: its head was heard {age:.0f} s ago"
    return None


async def _gauges(room: Room) -> Gauges:
    following, book = room.service.following(), Context.current().book
    head = following.head
    waiting = await endpoints.backlog()
    oldest, heard_at = waiting.oldest, following.heard_at
    behind = None if head is None or book.tip is None else max(0, head - book.tip.number)
    return Gauges(
        tracked=book.census.by_state,
        parked=book.census.parked,
        head_lag_seconds=None if heard_at is None else time.time() - heard_at,
        head_lag_blocks=behind,
        outbox_pending=waiting.pending,
        outbox_oldest_seconds=0.0 if oldest is None else time.time() - oldest,
        deliveries_frozen=int(await Store.frozen() is not None),
        registering=room.registering.taken,
        waiters=room.waiters.taken,
        streams=room.streams.taken,
    )
