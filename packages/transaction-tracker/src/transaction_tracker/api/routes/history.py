"""Figures over time, for charts."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.api.answers import READ, Api, answer, problems, shows
from transaction_tracker.api.history import Sample, Span

router: APIRouter = APIRouter(prefix="/v1", tags=["operation"])


@dataclass(kw_only=True)
class HistoryView:
    """Figures over time."""

    every_seconds: Annotated[float, Field(description="Time between two samples.")]
    samples: Annotated[list[Sample], Field(description="The oldest first.")]


@router.get(
    "/history",
    operation_id="getHistory",
    dependencies=[READ],
    responses={200: shows(HistoryView), **problems(422)},
)
async def history(
    api: Api,
    span: Annotated[
        Span,
        Query(description="10m: a sample every 5 s. 1d: one a minute."),
    ] = "10m",
) -> Response:
    """Return figures of the last ten minutes or of the last day, since the service started."""
    kept = api.service.history
    return answer(HistoryView(every_seconds=kept.interval(span), samples=kept.samples(span)))
