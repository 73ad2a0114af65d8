"""``txtrack provider``: the RPC endpoints that a running service asks."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api, ApiError
from transaction_tracker.cli.exits import CommandError
from transaction_tracker.cli.flags import NoHeader
from transaction_tracker.cli.groups import CARE
from transaction_tracker.cli.service import ServiceFlags

app = App(
    name="provider",
    group=CARE,
    help="Manage a service's RPC endpoints.",
)

Facts = Mapping[str, Any]

NONE = "this service has no providers: its source is no chain behind RPC endpoints"

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
async def ls(*, no_header: NoHeader = False, service: ServiceFlags | None = None) -> None:
    """List the providers: which is followed, how fast and how far each is, what went wrong.

    The column "chain" says whether a provider holds the chain that is followed: "same", "other"
    (another block at the same height), or "unknown" (its last head is too old, or too far from
    the followed one, to tell).

    A service whose source is not a chain has no providers, and says so.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        _show(await _all(api), flags, header=not no_header)


@app.command
async def pause(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags | None = None
) -> None:
    """Stop using a provider until it is resumed.

    Exit status: 0; 1 if no provider has this name, 2 for bad input, 6 if no service answers.

    Args:
        name: As `txtrack provider ls` shows it.
    """
    await _do("pause", name, service, header=not no_header)


@app.command
async def resume(
    name: str, /, *, no_header: NoHeader = False, service: ServiceFlags | None = None
) -> None:
    """Use a paused provider again, also one that was paused because of its errors.

    Exit status: 0; 1 if no provider has this name, 2 for bad input, 6 if no service answers.

    Args:
        name: As `txtrack provider ls` shows it.
    """
    await _do("resume", name, service, header=not no_header)


@app.command(usage="Usage: txtrack provider check [OPTIONS] [NAMES...]\n")
async def check(
    *names: str, no_header: NoHeader = False, service: ServiceFlags | None = None
) -> None:
    """Check now which chain each provider is on, and where its head is.

    Exit status: 0; 1 if no provider has this name, 2 for bad input, 6 if no service answers.

    Args:
        names: As `txtrack provider ls` shows them; all, when none is named.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        chosen = names or tuple(one["name"] for one in await _all(api))
        found = [await _post(api, name, "check") for name in chosen]
    _show(found, flags, header=not no_header)


async def _do(action: str, name: str, service: ServiceFlags | None, *, header: bool) -> None:
    flags = service or ServiceFlags()
    async with flags.api() as api:
        found = await _post(api, name, action)
    _show([found], flags, header=header)


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


def _show(found: Sequence[Facts], flags: ServiceFlags, *, header: bool) -> None:
    if not found:
        output.note(f"txtrack: {NONE}")
    elif flags.as_json:
        for one in found:
            output.write_json(one)
    else:
        output.table(_COLUMNS, map(_row, found), header=header)


def _row(one: Facts) -> list[object]:
    state = "paused by hand" if one["by_hand"] else one["state"]
    times = [
        None if one[name] is None else f"{1000 * one[name]:.0f} ms"
        for name in ("latency_p50", "latency_p95")
    ]
    age = None if one["head_age"] is None else f"{one['head_age']:.0f} s"
    place = [one["chain_id"], one["chain"], one["head"], age, one["lag"]]
    return [one["name"], state, *place, *times, one["last_error"]]
