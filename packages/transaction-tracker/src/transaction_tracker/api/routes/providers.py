"""RPC providers of the source."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
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

    name: Annotated[
        str,
        Field(description="Host and position in the configuration, such as node.example.org-1."),
    ]
    state: Annotated[
        str,
        Field(
            description="active: the service follows it. healthy: on standby. paused: after "
            "failures, or by an operator. refused: on another chain, never used. "
            "unchecked: before its first check."
        ),
    ]
    chain_id: Annotated[
        int | str | None, Field(description="Id of its chain; null before the first check.")
    ]
    head: Annotated[int | None, Field(description="Height of the last head that it reported.")]
    head_age: Annotated[float | None, Field(description="Seconds since that head arrived.")]
    lag: Annotated[
        int | None,
        Field(description="Number of blocks that it was behind the best known head at that time."),
    ]
    chain: Annotated[
        str,
        Field(
            description="same: it has the chain that the service follows. other: it has another "
            "block at a height of that chain. unknown: none of its recent blocks "
            "tells."
        ),
    ]
    latency_p50: Annotated[
        float | None, Field(description="Median latency of its last responses, in seconds.")
    ]
    latency_p95: Annotated[
        float | None,
        Field(description="95th percentile of the latency of its last responses, in seconds."),
    ]
    errors: Annotated[
        dict[str, int],
        Field(
            description="Number of errors by class: transport, rate_limit, server, malformed, "
            "not_yet, application."
        ),
    ]
    error_rate: Annotated[
        float,
        Field(
            description="Share of its last requests that failed through its own fault, from 0 to 1."
        ),
    ]
    requests: Annotated[int, Field(description="Number of HTTP requests that were sent to it.")]
    paused_until: Annotated[
        float | None,
        Field(
            description="Time of the next check of a paused provider, in Unix seconds; null while "
            "it is not paused, or paused by an operator."
        ),
    ]
    by_hand: Annotated[bool, Field(description="Whether an operator has paused it.")]
    heads: Annotated[
        bool | None,
        Field(
            description="Whether its subscription to new heads is open; null without a WebSocket "
            "URL."
        ),
    ]
    last_error: Annotated[str | None, Field(description="Its last error, for people.")]
    healthy: Annotated[bool, Field(description="Whether it is active or on standby.")]
    paused: Annotated[
        bool, Field(description="Whether it is paused, after failures or by an operator.")
    ]


@dataclass(kw_only=True)
class ProviderList:
    """All providers, in the order of the configuration."""

    providers: Annotated[
        list[ProviderView], Field(description="The providers; empty if the source has none.")
    ]


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
