"""Deliveries as a whole: their status, and resuming them after a finality violation."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, Api, answer, problems, shows
from transaction_tracker.api.models import Time, optional_time
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.health import Flow, flow
from transaction_tracker.store import Store
from transaction_tracker.store.chain import frozen_sources

router: APIRouter = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


@dataclass(kw_only=True)
class DeliveriesView:
    """Whether deliveries are frozen."""

    frozen_since: Annotated[
        str | None,
        Field(description="Time since which deliveries are frozen; null if they are not."),
    ]


@dataclass(kw_only=True)
class DeliveriesStatus(DeliveriesView):
    """Status of all deliveries."""

    flow: Annotated[
        Flow,
        Field(
            description="behind: the oldest pending delivery has waited for a minute, or "
            "`alerts.outbox_warning`. stalled: for five minutes, or `alerts.outbox_critical`. "
            "frozen: a finality violation has stopped all deliveries; with several sources, "
            "those of `frozen_sources`."
        ),
    ]
    frozen_sources: Annotated[
        list[str],
        Field(description="Sources whose deliveries are frozen; empty if there is only one."),
    ]
    pending: Annotated[int, Field(description="Number of pending deliveries.")]
    oldest_pending_at: Annotated[
        Time | None,
        Field(description="Time of the oldest pending delivery to an enabled endpoint."),
    ]
    failing_endpoints: Annotated[int, Field(description="Number of enabled endpoints that fail.")]


@router.get(
    "",
    operation_id="getDeliveries",
    dependencies=[READ],
    responses={200: shows(DeliveriesStatus), **problems()},
)
async def deliveries(api: Api) -> Response:
    """Return the status of all deliveries."""
    frozen, sources = await Store.frozen(), await Store.run(frozen_sources)
    waiting, oldest = await endpoints.backlog(), await endpoints.oldest_pending()
    age = 0.0 if oldest is None else time.time() - oldest
    status = DeliveriesStatus(
        frozen_since=optional_time(frozen),
        frozen_sources=[each.name for each in api.service.sources if each.source in sources],
        flow=flow(age, frozen=frozen is not None, limits=api.service.flow_limits),
        pending=waiting.pending,
        oldest_pending_at=optional_time(oldest),
        failing_endpoints=await endpoints.count_failing(),
    )
    return answer(status)


@router.post(
    "/resume",
    operation_id="resumeDeliveries",
    dependencies=[ADMIN],
    responses={200: shows(DeliveriesView), **problems(400, 409, 422)},
)
async def resume(api: Api) -> Response:
    """Resume deliveries that a finality violation has frozen."""
    await api.service.resume_deliveries()
    return answer(DeliveriesView(frozen_since=optional_time(await Store.frozen())))
