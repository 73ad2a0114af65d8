"""Whether the API can listen, and is protected where others can reach it."""

from dataclasses import dataclass

from transaction_tracker.api import WebOptions
from transaction_tracker.api.server import bind
from transaction_tracker.cli.checks.finding import Finding, error, fine, warning
from transaction_tracker.cli.client import Api, ApiError
from transaction_tracker.cli.exits import CommandError
from transaction_tracker.cli.service import local_url

DEADLINE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Running:
    """What answers where the API is to listen.

    Attributes:
        url: Where.
        ready: Whether it does what it is there for; ``None`` when nothing of ours answers.
        fault: Why it is not ready.
        notes: What there is to look at although it is ready.
    """

    url: str
    ready: bool | None
    fault: str = ""
    notes: tuple[str, ...] = ()


async def running(options: WebOptions) -> Running:
    """Look whether our service runs there already."""
    url = local_url(options.host, options.port)
    async with Api(url, deadline=DEADLINE_SECONDS) as api:
        try:
            alive = await api.get("healthz", patient=False)
            if alive != {"status": "alive"}:
                return Running(url, None)
            ready = await api.get("readyz", patient=False)
        except ApiError as caught:
            said = str(caught.problem.get("detail", ""))
            return Running(url, False if said else None, said)
        except CommandError:
            return Running(url, None)
    notes = tuple(str(note["detail"]) for note in ready.get("notes", ()))
    return Running(url, True, notes=notes)


def check(options: WebOptions, found: Running, *, has_token: bool) -> list[Finding]:
    """Judge the address to listen on.

    Args:
        options: The address.
        found: What answers there now.
        has_token: Whether there is a token that is accepted.
    """
    about = f"address {options.host} port {options.port}"
    if not options.is_local and not has_token:
        return [
            error(
                about,
                "others can reach it, and there is no token",
                why="anyone could read and change what is followed; the service refuses to start",
                do="txtrack token create NAME, or set web.host to 127.0.0.1",
            )
        ]
    if found.ready is None:
        return [_bindable(about, options)]
    if found.notes:
        return [_noted(found.url, note) for note in found.notes]
    if found.ready:
        return [fine(f"service {found.url}", "runs, and is ready")]
    return [
        error(
            f"service {found.url}",
            f"runs, but is not ready: {found.fault}",
            why="no transaction can change its state until that ends",
            do="see the findings about the providers and the database, and the service's log",
        )
    ]


def _noted(url: str, note: str) -> Finding:
    """Judge a note of a service that is ready."""
    what = f"runs, and is ready, but: {note}"
    if note.startswith("deliveries"):
        return warning(
            f"service {url}",
            what,
            why="receivers do not hear of events in time",
            do="see which endpoint with txtrack webhook ls, and why with txtrack webhook attempts",
        )
    return warning(
        f"service {url}",
        what,
        why="no transaction can change its state until the head advances",
        do="compare the providers' heads with an explorer's; set source.block_time if the "
        "chain's blocks come more slowly",
    )


def _bindable(about: str, options: WebOptions) -> Finding:
    try:
        bind(options).close()
    except OSError as caught:
        return error(
            about,
            caught.strerror or str(caught),
            why="the API listens there",
            do="stop the program that listens there, or choose another web.port",
        )
    return fine(about, "is free")
