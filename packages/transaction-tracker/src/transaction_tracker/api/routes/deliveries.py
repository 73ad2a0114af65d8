"""Deliveries as a whole: frozen by a finality violation, until somebody lets them go on."""

import time
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, RoomOf, answer, problems, shows
from transaction_tracker.api.views import rfc3339
from transaction_tracker.outbox import endpoints
from transaction_tracker.outbox.health import Flow, flow
from transaction_tracker.store import Store

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


class DeliveriesView(BaseModel):
    """Whether events are delivered."""

    frozen_since: str | None


class DeliveriesStatus(DeliveriesView):
    """Whether events are delivered, and in time."""

    flow: Flow = Field(
        description="behind: the oldest pending delivery has waited for a minute. stalled: for "
        "five minutes. frozen: nothing is delivered since the chain took back what was final."
    )
    pending: int = Field(description="Deliveries that are not settled yet.")
    oldest_pending_at: datetime | None = Field(
        description="When the oldest of them was written, disabled endpoints left out."
    )
    failing_endpoints: int


@router.get(
    "",
    operation_id="getDeliveries",
    dependencies=[READ],
    responses={200: shows(DeliveriesStatus), **problems()},
)
async def deliveries() -> Response:
    """Return whether events are delivered in time, or behind, or frozen."""
    frozen = await Store.frozen()
    waiting, oldest = await endpoints.backlog(), await endpoints.oldest_pending()
    age = 0.0 if oldest is None else time.time() - oldest
    content = {
        "frozen_since": None if frozen is None else rfc3339(frozen),
        "flow": flow(age, frozen=frozen is not None),
        "pending": waiting.pending,
        "oldest_pending_at": None if oldest is None else rfc3339(oldest),
        "failing_endpoints": await endpoints.count_failing(),
    }
    return answer(content)


@router.post(
    "/resume",
    operation_id="resumeDeliveries",
    dependencies=[ADMIN],
    responses={200: shows(DeliveriesView, "As it is now."), **problems(400, 409, 422)},
)
async def resume(room: RoomOf) -> Response:
    """Deliver events again, after somebody has looked at what the chain took back."""
    await room.service.resume_deliveries()
    return answer(await _view())


async def _view() -> dict[str, str | None]:
    since = await Store.frozen()
    return {"frozen_since": None if since is None else rfc3339(since)}
