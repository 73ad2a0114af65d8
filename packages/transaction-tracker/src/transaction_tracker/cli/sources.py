"""``txtrack source``: manage the sources of a running service."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.client import ApiError
from transaction_tracker.cli.commands import MANAGE
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError, CommandError
from transaction_tracker.cli.flags import (
    CONFIGURED,
    NO_FLAGS,
    ConfigurationFlags,
    Json,
    NoHeader,
    ServiceFlags,
)

app: App = App(
    name="source",
    group=MANAGE,
    help="Manage a service's sources, if it has several.",
)

Facts = Mapping[str, Any]

NONE = "this service has one source, without a name; list it in [[sources]]"

_COLUMNS = ("source", "chain", "state", "condition", "head", "tip", "open", "providers", "reason")


@app.command
async def ls(*, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED) -> None:
    """List the sources with their state, head and open transactions.

    The column "state" says whether the source runs, starts, has failed (the service starts it again
    until it runs) or is paused; "condition" whether it makes progress, as in /readyz.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.
    """
    async with service.api() as api:
        found: list[Facts] = (await api.get("v1/sources"))["sources"]
    _show(found, service, header=not no_header)


@app.command
async def pause(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED
) -> None:
    """Pause a source: no requests are sent to it, and its transactions wait.

    It stays paused over a restart of the service, until it is resumed.

    Exit status: 0; 1 if the source is unknown, 2 for bad input, 6 if no service responds.

    Args:
        name: Name of the source, as `txtrack source ls` shows it.
    """
    await _do("pause", name, service, header=not no_header)


@app.command
async def resume(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED
) -> None:
    """Resume a paused source; start a failed one now.

    Exit status: 0; 1 if the source is unknown, 2 for bad input, 6 if no service responds.

    Args:
        name: Name of the source, as `txtrack source ls` shows it.
    """
    await _do("resume", name, service, header=not no_header)


@app.command(usage="Usage: txtrack source check [OPTIONS] [NAMES...]\n")
async def check(*names: str, flags: ConfigurationFlags = NO_FLAGS, as_json: Json = False) -> int:
    """Check sources as `txtrack doctor` does: the chain and the head of each provider.

    Needs no running service.

    Exit status: 0 without errors, even with warnings; 1 with errors; 2 for bad input.

    Args:
        names: Names of sources in the configuration. Default: all.
        as_json: Print one JSON line per finding.
    """
    # Its modules are those of the service, which the other commands start faster without.
    from transaction_tracker.cli.doctor import check_source, show

    parts = flags.load().parts()
    unknown = [name for name in names if name not in parts]
    if unknown:
        known = ", ".join(name for name in parts if name is not None) or "none: there is only one"
        raise BadInputError(f"unknown source {unknown[0]!r}; the configured names are {known}")
    chosen: Sequence[str | None] = names or tuple(parts)
    found = [finding for name in chosen for finding in await check_source(name, parts[name])]
    show(found, as_json=as_json)
    return TROUBLE if any(finding.severity == "error" for finding in found) else OK


async def _do(action: str, name: str, service: ServiceFlags, *, header: bool) -> None:
    async with service.api() as api:
        try:
            found: Facts = await api.post(f"v1/sources/{quote(name, safe='')}/{action}")
        except ApiError as error:
            if error.http_status == 404 and not (await api.get("v1/sources"))["sources"]:
                raise CommandError(NONE) from None
            raise
    _show([found], service, header=header)


def _show(found: Sequence[Facts], service: ServiceFlags, *, header: bool) -> None:
    if not found:
        output.note(f"txtrack: {NONE}")
    else:
        output.items(found, _COLUMNS, _row, as_json=service.as_json, header=header)


def _row(source: Facts) -> list[object]:
    healthy = f"{source['healthy_providers']} of {source['providers']} healthy"
    return [
        source["name"],
        source["chain"],
        source["state"],
        source["condition"],
        source["head"],
        source["tip"],
        source["open"],
        healthy if source["providers"] else None,
        source["reason"],
    ]
