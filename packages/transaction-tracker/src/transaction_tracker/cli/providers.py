"""``txtrack provider``: manage the RPC endpoints of a running service."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api, ApiError
from transaction_tracker.cli.commands import MANAGE
from transaction_tracker.cli.exits import CommandError
from transaction_tracker.cli.flags import CONFIGURED, NoHeader, ServiceFlags

app: App = App(
    name="provider",
    group=MANAGE,
    help="Manage a service's RPC endpoints.",
)

Facts = Mapping[str, Any]

NONE = "this service has no providers, because its source is not a chain"

_COLUMNS = (
    "provider",
    "state",
    "chain id",
    "chain",
    "head",
    "head age",
    "behind",
    "p50",
    "p95",
    "last error",
)


@app.command
async def ls(*, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED) -> None:
    """List the providers with their state, chain, head, latency and last error.

    The column "chain" compares a provider with the followed chain: "same", "other" (another block
    at the same height), or "unknown" (its last head is too old, or too far from the followed head,
    to compare).

    A service whose source is not a chain has no providers; the command prints a note.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.
    """
    async with service.api() as api:
        _show(await _all(api), service, header=not no_header)


@app.command
async def pause(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED
) -> None:
    """Stop using a provider until it is resumed.

    Exit status: 0; 1 if the provider is unknown, 2 for bad input, 6 if no service responds.

    Args:
        name: Name of the provider, as `txtrack provider ls` shows it.
    """
    await _do("pause", name, service, header=not no_header)


@app.command
async def resume(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED
) -> None:
    """Resume a paused provider, also one that is paused because of its errors.

    Exit status: 0; 1 if the provider is unknown, 2 for bad input, 6 if no service responds.

    Args:
        name: Name of the provider, as `txtrack provider ls` shows it.
    """
    await _do("resume", name, service, header=not no_header)


@app.command(usage="Usage: txtrack provider check [OPTIONS] [NAMES...]\n")
async def check(
    *names: str, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED
) -> None:
    """Check the chain and the head of providers now.

    Exit status: 0; 1 if the provider is unknown, 2 for bad input, 6 if no service responds.

    Args:
        names: Names of providers, as `txtrack provider ls` shows them. Default: all.
    """
    async with service.api() as api:
        chosen = names or tuple(provider["name"] for provider in await _all(api))
        found = [await _post(api, name, "check") for name in chosen]
    _show(found, service, header=not no_header)


async def _do(action: str, name: str, service: ServiceFlags, *, header: bool) -> None:
    async with service.api() as api:
        found = await _post(api, name, action)
    _show([found], service, header=header)


async def _post(api: Api, name: str, action: str) -> Facts:
    try:
        found: Facts = await api.post(f"v1/providers/{quote(name, safe='')}/{action}")
    except ApiError as error:
        if error.http_status == 404 and not await _all(api):
            raise CommandError(NONE) from None
        raise
    return found


async def _all(api: Api) -> list[Facts]:
    found: list[Facts] = (await api.get("v1/providers"))["providers"]
    return found


def _show(found: Sequence[Facts], service: ServiceFlags, *, header: bool) -> None:
    if not found:
        output.note(f"txtrack: {NONE}")
    else:
        output.items(found, _COLUMNS, _row, as_json=service.as_json, header=header)


def _row(provider: Facts) -> list[object]:
    state = "paused by hand" if provider["by_hand"] else provider["state"]
    times = [
        None if provider[name] is None else f"{1000 * provider[name]:.0f} ms"
        for name in ("latency_p50", "latency_p95")
    ]
    age = None if provider["head_age"] is None else f"{provider['head_age']:.0f} s"
    place = [provider["chain_id"], provider["chain"], provider["head"], age, provider["lag"]]
    return [provider["name"], state, *place, *times, provider["last_error"]]
