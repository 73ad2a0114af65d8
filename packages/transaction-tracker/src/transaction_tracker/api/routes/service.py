"""Facts about the service, and what a token allows."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.api.access import Principal
from transaction_tracker.api.answers import READ, Api, answer, problems, shows
from transaction_tracker.api.models import Time, rfc3339
from transaction_tracker.store.access import Scope

router: APIRouter = APIRouter(prefix="/v1", tags=["operation"])


@dataclass(kw_only=True)
class ServiceView:
    """Facts about the service."""

    version: Annotated[str, Field(description="Version of the tracker.")]
    source: Annotated[
        str | None,
        Field(description="Null before the first answer of the source, and with several sources."),
    ]
    database: Annotated[Literal["sqlite", "postgresql"], Field(description="Kind of the database.")]
    started_at: Annotated[Time, Field(description="Time when the service started.")]
    explorer_url: Annotated[
        str | None,
        Field(description="URL of a transaction at a block explorer; `{id}` stands for its id."),
    ]
    token: Annotated[str | None, Field(description="Id of the token of the request.")]
    scopes: Annotated[list[Scope], Field(description="What the request is allowed to do.")]


@router.get(
    "/service",
    operation_id="getService",
    dependencies=[READ],
    responses={200: shows(ServiceView), **problems()},
)
async def service(request: Request, api: Api) -> Response:
    """Return facts about the service, and the scopes of the token."""
    principal: Principal = request.state.principal
    running = api.service
    view = ServiceView(
        version=version("transaction-tracker"),
        source=running.source_name(),
        database="postgresql" if running.is_postgresql else "sqlite",
        started_at=rfc3339(running.started_at),
        explorer_url=api.options.explorer_url,
        token=principal.id or None,
        scopes=sorted(principal.scopes),
    )
    return answer(view)
