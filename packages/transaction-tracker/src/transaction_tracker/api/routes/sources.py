"""Sources of the transactions, if there are several."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.api.answers import ADMIN, READ, Api, answer, problems, shows
from transaction_tracker.api.context import ApiContext
from transaction_tracker.api.service import SourceAccess

router: APIRouter = APIRouter(prefix="/v1/sources", tags=["sources"])

Name = Annotated[str, Path(max_length=32, description="Name of the source.")]


@dataclass(kw_only=True)
class SourceView:
    """One source of several."""

    name: Annotated[str, Field(description="Name of the source, as in the configuration.")]
    chain: Annotated[str, Field(description="Chain id of CAIP-2, such as eip155:1.")]
    state: Annotated[
        str,
        Field(
            description="running; starting: before the first attempt has ended; failed: its "
            "processes do not run, and are started again until they do; paused: by an operator."
        ),
    ]
    condition: Annotated[str, Field(description="ok, starting, lagging or halted, as in /readyz.")]
    reason: Annotated[str | None, Field(description="Why it is not ok.")]
    head: Annotated[
        int | None, Field(description="Height of the highest block that a provider has reported.")
    ]
    tip: Annotated[int | None, Field(description="Number of the last applied block.")]
    open: Annotated[int, Field(description="Number of its transactions that are not final.")]
    providers: Annotated[int, Field(description="Number of its providers.")]
    healthy_providers: Annotated[
        int, Field(description="Number of its providers that are active or on standby.")
    ]


@dataclass(kw_only=True)
class SourceList:
    """All sources, in the order of the configuration."""

    sources: Annotated[
        list[SourceView], Field(description="The sources; empty if the service has only one.")
    ]


@dataclass(kw_only=True)
class SourceCheck:
    """Result of a check."""

    name: Annotated[str, Field(description="Name of the source.")]
    ok: Annotated[bool, Field(description="Whether the check succeeded.")]
    problem: Annotated[
        str | None, Field(description="Why it failed, for people; null if it succeeded.")
    ]


@router.get(
    "",
    operation_id="listSources",
    dependencies=[READ],
    responses={200: shows(SourceList), **problems()},
)
async def list_sources(api: Api) -> Response:
    """List the sources; none if the service has only one, without a name."""
    return answer(SourceList(sources=[_view(source) for source in api.service.sources]))


@router.post(
    "/{name}/pause",
    operation_id="pauseSource",
    dependencies=[ADMIN],
    responses={200: shows(SourceView), **problems(400, 404, 409, 422)},
)
async def pause(name: Name, api: Api) -> Response:
    """Pause a source: no requests are sent to it, and its transactions wait.

    It stays paused over a restart of the service.
    """
    return await _do(api, name, lambda source: source.pause())


@router.post(
    "/{name}/resume",
    operation_id="resumeSource",
    dependencies=[ADMIN],
    responses={200: shows(SourceView), **problems(400, 404, 409, 422)},
)
async def resume(name: Name, api: Api) -> Response:
    """Resume a paused source; start a failed one now."""
    return await _do(api, name, lambda source: source.resume())


@router.post(
    "/{name}/check",
    operation_id="checkSource",
    dependencies=[ADMIN],
    responses={200: shows(SourceCheck), **problems(400, 404, 409, 422)},
)
async def check(name: Name, api: Api) -> Response:
    """Check a source now: its chain, and whether it makes progress."""
    problem = await api.source_named(name).check()
    return answer(SourceCheck(name=name, ok=not problem, problem=problem or None))


async def _do(
    api: ApiContext, name: str, action: Callable[[SourceAccess], Awaitable[None]]
) -> Response:
    source = api.source_named(name)
    await action(source)
    return answer(_view(source))


def _view(source: SourceAccess) -> SourceView:
    following, providers = source.following(), source.providers()
    return SourceView(
        name=source.name,
        chain=source.chain,
        state=source.state,
        condition=following.verdict.state,
        reason=following.verdict.reason or None,
        head=following.head,
        tip=None if source.tip is None else source.tip.number,
        open=source.open,
        providers=len(providers),
        healthy_providers=sum(status.healthy for status in providers),
    )
