"""RPC providers of the source."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, Api, answer, problems, shows
from transaction_tracker.api.context import ApiContext
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.service import ProviderControl
from transaction_tracker.providers.status import ProviderStatus

router: APIRouter = APIRouter(prefix="/v1/providers", tags=["providers"])

Name = Annotated[str, Path(max_length=300, description="Name of the provider.")]


@dataclass(kw_only=True)
class ProviderView:
    """Status of a provider."""

    name: str
    state: str
    chain_id: int | str | None
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


@dataclass(kw_only=True)
class ProviderList:
    """All providers, in the order of the configuration."""

    providers: list[ProviderView]


@router.get(
    "",
    operation_id="listProviders",
    dependencies=[READ],
    responses={200: shows(ProviderList), **problems()},
)
async def list_providers(api: Api) -> Response:
    """List the providers with their status."""
    control = api.service.providers
    found = () if control is None else control.status()
    return answer(ProviderList(providers=[ProviderView(**status.facts()) for status in found]))


@router.post(
    "/{name}/pause",
    operation_id="pauseProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView), **problems(400, 404, 409, 422)},
)
async def pause(name: Name, api: Api) -> Response:
    """Pause a provider: the service sends it no requests."""
    return await _do(api, name, lambda control: control.pause(name))


@router.post(
    "/{name}/resume",
    operation_id="resumeProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView), **problems(400, 404, 409, 422)},
)
async def resume(name: Name, api: Api) -> Response:
    """Resume a paused provider, once a check has succeeded."""
    return await _do(api, name, lambda control: control.resume(name))


@router.post(
    "/{name}/check",
    operation_id="checkProvider",
    dependencies=[ADMIN],
    responses={200: shows(ProviderView), **problems(400, 404, 409, 422)},
)
async def check(name: Name, api: Api) -> Response:
    """Check a provider's chain and head now."""
    return await _do(api, name, lambda control: control.check(name))


async def _do(
    api: ApiContext, name: str, action: Callable[[ProviderControl], Awaitable[ProviderStatus]]
) -> Response:
    control = api.service.providers
    known = () if control is None else control.status()
    if control is None or not any(status.name == name for status in known):
        detail = "unknown provider; GET /v1/providers lists the providers"
        raise ProblemError(404, detail, kind="unknown-provider")
    return answer(ProviderView(**(await action(control)).facts()))
