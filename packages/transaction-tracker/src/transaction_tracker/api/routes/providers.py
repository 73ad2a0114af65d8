"""The RPC endpoints that the source is asked at."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, RoomOf, answer, problems, shows
from transaction_tracker.api.context import Room
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.service import ProviderControl
from transaction_tracker.providers.status import ProviderStatus

router = APIRouter(prefix="/v1/providers", tags=["providers"])

Name = Annotated[str, Path(max_length=300, description="As the list has it.")]


class ProviderView(BaseModel):
    """How a provider does."""

    name: str
    state: str
    chain_id: int | None
    head: int | None
    head_age: float | None
    lag: int | None
    chain: str
    latency_p50: float | None
    latency_p95: float | None
    errors: dict[str, int]
    error_rate: float
    requests: int
    paused_until: float | None
    by_hand: bool
    heads: bool | None
    last_error: str | None
    healthy: bool
    paused: bool


class ProviderList(BaseModel):
    """All providers, in the order of the configuration."""

    providers: list[ProviderView]


@router.get(
    "",
    operation_id="listProviders",
    dependencies=[READ],
    responses={200: shows(ProviderList), **problems()},
)
async def list_providers(room: RoomOf) -> Response:
    """List the providers, and how they do."""
    control = room.service.providers
    found = () if control is None else control.status()
    return answer({"providers": [one.facts() for one in found]})


@router.post(
    "/{name}/pause",
    operation_id="pauseProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView, "As it is now."), **problems(400, 404, 409, 422)},
)
async def pause(name: Name, room: RoomOf) -> Response:
    """Ask a provider no more."""
    return await _do(room, name, lambda control: control.pause(name))


@router.post(
    "/{name}/resume",
    operation_id="resumeProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView, "As it is now."), **problems(400, 404, 409, 422)},
)
async def resume(name: Name, room: RoomOf) -> Response:
    """Ask a provider again."""
    return await _do(room, name, lambda control: control.resume(name))


@router.post(
    "/{name}/check",
    operation_id="checkProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView, "As it is now."), **problems(400, 404, 409, 422)},
)
async def check(name: Name, room: RoomOf) -> Response:
    """Ask a provider now which chain it is on, and where its head is."""
    return await _do(room, name, lambda control: control.check(name))


async def _do(
    room: Room, name: str, action: Callable[[ProviderControl], Awaitable[ProviderStatus]]
) -> Response:
    control = room.service.providers
    known = () if control is None else control.status()
    if control is None or not any(one.name == name for one in known):
        detail = "there is no such provider; GET /v1/providers lists them"
        raise ProblemError(404, detail, kind="unknown-provider")
    return answer((await action(control)).facts())
