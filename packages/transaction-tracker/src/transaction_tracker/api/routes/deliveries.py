"""Deliveries as a whole: frozen by a finality violation, until somebody lets them go on."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, RoomOf, answer, problems, shows
from transaction_tracker.api.views import rfc3339
from transaction_tracker.store import Store

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


class DeliveriesView(BaseModel):
    """Whether events are delivered."""

    frozen_since: str | None


@router.get(
    "",
    operation_id="getDeliveries",
    dependencies=[READ],
    responses={200: shows(DeliveriesView), **problems()},
)
async def deliveries() -> Response:
    """Say whether events are delivered, or frozen since the chain took back what was final."""
    return answer(await _view())


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
