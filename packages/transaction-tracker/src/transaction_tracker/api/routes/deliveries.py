"""Deliveries as a whole: their status, and resuming them after a finality violation."""

import time
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, Api, answer, problems, shows
from transaction_tracker.api.views import rfc3339
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.health import Flow, flow
from transaction_tracker.store import Store

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


class DeliveriesView(BaseModel):
    """Whether deliveries are frozen."""

    frozen_since: str | None


class DeliveriesStatus(DeliveriesView):
    """Status of all deliveries."""

    flow: Flow = Field(
        description="behind: the oldest pending delivery has waited for a minute. stalled: for "
        "five minutes. frozen: a finality violation has stopped all deliveries."
    )
    pending: int = Field(description="Number of pending deliveries.")
    oldest_pending_at: datetime | None = Field(
        description="Time of the oldest pending delivery to an enabled endpoint."
    )
    failing_endpoints: int


@router.get(
    "",
    operation_id="getDeliveries",
    dependencies=[READ],
    responses={200: shows(DeliveriesStatus), **problems()},
)
async def deliveries() -> Response:
    """Return the status of all deliveries."""
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
    responses={200: shows(DeliveriesView), **problems(400, 409, 422)},
)
async def resume(api: Api) -> Response:
    """Resume deliveries that a finality violation has frozen."""
    await api.service.resume_deliveries()
    return answer(await _view())


async def _view() -> dict[str, str | None]:
    since = await Store.frozen()
    return {"frozen_since": None if since is None else rfc3339(since)}
