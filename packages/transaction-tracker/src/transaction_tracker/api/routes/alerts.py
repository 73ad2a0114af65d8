"""Alerts about the service."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.alerts.payload import AlertView
from transaction_tracker.api.answers import READ, Api, Limit, answer, problems, shows
from transaction_tracker.domain.alert import AlertKind

router: APIRouter = APIRouter(prefix="/v1/alerts", tags=["operation"])

DEFAULT_LIMIT = 100

Active = Annotated[
    bool | None,
    Query(description="Whether to return only active alerts, or only cleared ones. Default: both."),
]
Kinds = Annotated[
    list[AlertKind],
    Query(default_factory=list, max_length=20, description="Only these kinds. Default: all."),
]


@dataclass(kw_only=True)
class AlertList:
    """Active alerts, the oldest first, then the last cleared ones, the newest first."""

    alerts: Annotated[list[AlertView], Field(description="The alerts that match the request.")]


@router.get(
    "",
    operation_id="listAlerts",
    dependencies=[READ],
    responses={200: shows(AlertList), **problems(422)},
)
async def list_alerts(
    api: Api, kind: Kinds, active: Active = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """List the active alerts and the last cleared ones.

    Reads no database, so it also works while the database does not answer.
    """
    board = api.service.alerts
    found = [
        *(() if active is False else board.active),
        *(() if active is True else board.cleared),
    ]
    wanted = [alert for alert in found if not kind or alert.kind in kind]
    return answer(AlertList(alerts=[AlertView.of(alert) for alert in wanted[:limit]]))
