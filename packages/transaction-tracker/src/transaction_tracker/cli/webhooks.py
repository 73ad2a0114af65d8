"""``txtrack webhook``: who is told of events."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter
from cyclopts.validators import Number

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE
from transaction_tracker.cli.flags import NoHeader, seconds
from transaction_tracker.cli.groups import CARE
from transaction_tracker.cli.service import ServiceFlags
from transaction_tracker.cli.verify import verify
from transaction_tracker.domain import State

_VERIFY = "--id STR --timestamp INT --signature STR --secret STR"

app = App(
    name="webhook", group=CARE, help="Manage the webhook endpoints that events are delivered to."
)
app.command(verify, usage=f"Usage: txtrack webhook verify {_VERIFY} [OPTIONS] [BODY]\n")

Facts = Mapping[str, Any]

_COLUMNS = ("id", "url", "states", "delivers", "why not")
_ATTEMPT_COLUMNS = ("event", "attempt", "ended", "seconds", "outcome", "error", "answer")


@app.command
async def add(
    url: str,
    /,
    *,
    state: Annotated[tuple[State, ...], Parameter(negative_iterable=())] = (),
    secret: Annotated[
        str | None, Parameter(env_var="TXTRACK_WEBHOOK_SECRET", show_default=False)
    ] = None,
    service: ServiceFlags | None = None,
) -> None:
    """Have events delivered to a URL from now on, signed as Standard Webhooks 1.0 has it.

    It prints the secret that deliveries are signed with, which the receiver needs: this once. A
    URL in a private network is refused unless webhooks.allow_private names its network.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers.

    Args:
        url: Where to; https, unless webhooks.allow_private names its host or network.
        state: Only events of this state; may be repeated. Without it, all.
        secret: Sign with this secret; without it, one is made.
    """
    flags = service or ServiceFlags()
    wish = {"url": url, "states": list(state) or None, "secret": secret}
    async with flags.api() as api:
        found = await api.post("v1/endpoints", wish)
    if flags.as_json:
        output.write_document(found)
        return
    output.note(f"Events go to {found['url']}. Its secret is shown only now:")
    output.facts({"endpoint": found["id"], "secret": found["secret"]})


@app.command
async def ls(*, no_header: NoHeader = False, service: ServiceFlags | None = None) -> None:
    """List the endpoints.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service answers.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        found = (await api.get("v1/endpoints"))["endpoints"]
    if flags.as_json:
        for one in found:
            output.write_json(one)
    else:
        output.table(_COLUMNS, map(_row, found), header=not no_header)


@app.command
async def get(endpoint: str, /, *, service: ServiceFlags | None = None) -> None:
    """Show an endpoint: its health, the last attempt and error, the next attempt, what waits.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id, as `txtrack webhook ls` shows it.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        _show(await api.get(_path(endpoint)), flags)


@app.command
async def attempts(
    endpoint: str,
    /,
    *,
    event: str | None = None,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 20,
    service: ServiceFlags | None = None,
) -> None:
    """List the last attempts at an endpoint, the newest first, with what its receiver answered.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
        event: Only attempts to deliver this event: its cursor, as `txtrack events --json` shows it.
        limit: How many at most.
    """
    flags = service or ServiceFlags()
    path = f"{_path(endpoint)}/attempts"
    async with flags.api() as api:
        found = [one async for one in api.pages(path, "attempts", limit, event=event)]
    if flags.as_json:
        for one in found:
            output.write_json(one)
    else:
        output.table(_ATTEMPT_COLUMNS, map(_attempt_row, found))


@app.command
async def rm(endpoint: str, /, *, service: ServiceFlags | None = None) -> None:
    """Forget an endpoint, and all that was to be delivered to it.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        await api.delete(_path(endpoint))
    if flags.as_json:
        output.write_document({"id": endpoint, "removed": True})
    else:
        output.say(f"{endpoint} is forgotten")


@app.command
async def enable(endpoint: str, /, *, service: ServiceFlags | None = None) -> None:
    """Deliver to an endpoint again: first what was pending, then what is new.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        _show(await api.post(f"{_path(endpoint)}/enable"), flags)


@app.command
async def disable(
    endpoint: str, /, *, reason: str = "by hand", service: ServiceFlags | None = None
) -> None:
    """Deliver to an endpoint no more; what is pending waits, and what comes new is not for it.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
        reason: Why, for whoever looks later.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        _show(await api.post(f"{_path(endpoint)}/disable", {"reason": reason}), flags)


@app.command
async def rotate(
    endpoint: str,
    /,
    *,
    overlap: str = "1d",
    secret: Annotated[
        str | None, Parameter(env_var="TXTRACK_WEBHOOK_SECRET", show_default=False)
    ] = None,
    service: ServiceFlags | None = None,
) -> None:
    """Sign with a new secret, and for a while with the old one as well.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
        overlap: Time, such as 1d, for which deliveries are signed with both; 0s ends the old
            one at once.
        secret: The new secret; without it, one is made.
    """
    flags = service or ServiceFlags()
    wish = {"secret": secret, "overlap": seconds("--overlap", overlap, or_none=True)}
    async with flags.api() as api:
        _show(await api.post(f"{_path(endpoint)}/rotate", wish), flags)


@app.command(name="test")
async def probe(endpoint: str, /, *, service: ServiceFlags | None = None) -> int:
    """Send a message to an endpoint now, once, and say what came of it.

    Exit status: 0 if it arrived, 1 if not; 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        result = await api.post(f"{_path(endpoint)}/test")
    if flags.as_json:
        output.write_document(result)
    elif result["delivered"]:
        output.say(f"arrived: HTTP {result['status']} in {result['seconds']:.2f} s")
    else:
        output.say(f"did not arrive: {result['error'] or result['outcome']}")
    return OK if result["delivered"] else TROUBLE


@app.command
async def redeliver(
    endpoint: str,
    /,
    *,
    event: str | None = None,
    since: str | None = None,
    service: ServiceFlags | None = None,
) -> None:
    """Deliver again to an endpoint: what was given up, one event, or all from one on.

    Receivers know repeats by their webhook-id.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
        event: Only this event: its cursor, as `txtrack events --json` shows it.
        since: All events from this one on, delivered or not: its cursor.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:
        wish = {"event": event, "since": since}
        answer = await api.post(f"{_path(endpoint)}/redeliver", wish)
    if flags.as_json:
        output.write_document(answer)
    else:
        output.say(f"{answer['count']:,} events will be delivered again")


@app.command
async def dead(
    endpoint: str,
    /,
    *,
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    no_header: NoHeader = False,
    service: ServiceFlags | None = None,
) -> None:
    """List the dead letters of an endpoint: the events that were given up, and why.

    Exit status: 0; 1 if there is no such endpoint, 2 for bad input, 6 if no service answers.

    Args:
        endpoint: Its id.
        limit: How many at most; without it, all. If there are more, standard error says so.
    """
    flags = service or ServiceFlags()
    async with flags.api() as api:

        def pages(count: int | None) -> AsyncIterator[Facts]:
            return api.pages(f"{_path(endpoint)}/dead-letters", "dead_letters", count)

        found = output.limited(pages, limit, "leave --limit out to list all")
        columns = ("event", "attempts", "last error", "given up")
        header = not no_header
        await output.lines(found, columns, _letter, as_json=flags.as_json, header=header)


def _letter(found: Facts) -> Sequence[object]:
    return found["event"]["id"], found["attempts"], found["error"], found["settled_at"]


def _path(endpoint: str) -> str:
    return f"v1/endpoints/{quote(endpoint, safe='')}"


def _show(found: Facts, flags: ServiceFlags) -> None:
    if flags.as_json:
        output.write_document(found)
        return
    values = {**found} | {"states": _states(found), "enabled": "yes" if found["enabled"] else "no"}
    output.facts({name.replace("_", " "): value for name, value in values.items()})


def _row(found: Facts) -> list[object]:
    delivers = {"healthy": "yes", "failing": "failing", "disabled": "no"}[found["health"]]
    why_not = found["last_error"] if delivers == "failing" else found["disabled_reason"]
    return [found["id"], found["url"], _states(found), delivers, why_not]


def _attempt_row(found: Facts) -> list[object]:
    seconds = f"{found['seconds']:.2f}"
    told = found["event"], found["number"], found["ended_at"], seconds, found["outcome"]
    return [*told, found["error"], found["answer"]]


def _states(found: Facts) -> str:
    return ", ".join(found["states"] or ["all"])
