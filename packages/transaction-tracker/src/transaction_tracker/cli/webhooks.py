"""``txtrack webhook`` and ``txtrack deliveries``: manage webhook endpoints."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.commands import MANAGE
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError
from transaction_tracker.cli.flags import CONFIGURED, NoHeader, ServiceFlags, WholeNumber, seconds
from transaction_tracker.cli.verify import verify
from transaction_tracker.domain import State
from transaction_tracker.domain.alert import ALERT_KINDS, AlertKind
from transaction_tracker.domain.webhook_endpoint import DEFAULT_OVERLAP, DEFAULT_REASON

_VERIFY = "--id STR --timestamp INT --signature STR --secret STR"

app: App = App(name="webhook", group=MANAGE, help="Manage webhook endpoints, which receive events.")
app.command(verify, usage=f"Usage: txtrack webhook verify {_VERIFY} [OPTIONS] [BODY]\n")

Facts = Mapping[str, Any]
Kinds = tuple[AlertKind | Literal["all"], ...]

_COLUMNS = ("id", "url", "states", "delivers", "why not")
_ATTEMPT_COLUMNS = ("event", "attempt", "ended", "seconds", "outcome", "error", "response")


@app.command
async def add(
    url: str,
    /,
    *,
    state: Annotated[tuple[State, ...], Parameter(negative_iterable=())] = (),
    alert: Annotated[Kinds, Parameter(negative_iterable=())] = (),
    alerts_only: Annotated[bool, Parameter(negative=())] = False,
    secret: Annotated[
        str | None, Parameter(env_var="TXTRACK_WEBHOOK_SECRET", show_default=False)
    ] = None,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """Deliver future events to a URL, signed according to Standard Webhooks 1.0.

    Prints the endpoint's secret once; the receiver needs it to verify signatures. A URL in a
    private network is refused unless webhooks.allow_private contains its network.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.

    Args:
        url: URL of the receiver; https, unless webhooks.allow_private contains its host or network.
        state: Deliver only events of this state; can be repeated. Default: all.
        alert: Also deliver alerts of this kind about the service; can be repeated. Default: none.
        alerts_only: Deliver no events, only alerts.
        secret: Secret for the signatures. Default: a generated one.
    """
    states = [] if alerts_only else list(state) or None
    body = {"url": url, "states": states, "alerts": _kinds(alert), "secret": secret}
    async with service.api() as api:
        found = await api.post("v1/endpoints", body)
    if service.as_json:
        output.write_document(found)
        return
    content = "alerts" if alerts_only else "events and alerts" if found["alerts"] else "events"
    output.note(
        f"Future {content} are delivered to {found['url']}. Save the secret: it cannot be shown "
        "again."
    )
    output.facts({"endpoint": found["id"], "secret": found["secret"]})


@app.command
async def ls(*, no_header: NoHeader = False, service: ServiceFlags = CONFIGURED) -> None:
    """List the webhook endpoints.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.
    """
    async with service.api() as api:
        found = (await api.get("v1/endpoints"))["endpoints"]
    output.items(found, _COLUMNS, _row, as_json=service.as_json, header=not no_header)


@app.command
async def get(endpoint: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Show an endpoint: health, last attempt and error, next attempt, pending deliveries.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint, as `txtrack webhook ls` shows it.
    """
    async with service.api() as api:
        _show(await api.get(_path(endpoint)), service)


@app.command
async def attempts(
    endpoint: str,
    /,
    *,
    event: str | None = None,
    limit: WholeNumber = 20,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """List the last attempts at an endpoint with the responses, the newest first.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        event: List only attempts for this event: its cursor, as `txtrack events --json` shows it.
        limit: Maximum number of attempts.
    """
    path = f"{_path(endpoint)}/attempts"
    async with service.api() as api:
        found = [attempt async for attempt in api.pages(path, "attempts", limit, event=event)]
    header = not no_header
    output.items(found, _ATTEMPT_COLUMNS, _attempt_row, as_json=service.as_json, header=header)


@app.command
async def rm(endpoint: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Delete an endpoint with its deliveries.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
    """
    async with service.api() as api:
        await api.delete(_path(endpoint))
    if service.as_json:
        output.write_document({"id": endpoint, "removed": True})
    else:
        output.say(f"deleted {endpoint}")


@app.command
async def enable(endpoint: str, /, *, service: ServiceFlags = CONFIGURED) -> None:
    """Enable an endpoint: send pending deliveries, then deliver future events.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
    """
    async with service.api() as api:
        _show(await api.post(f"{_path(endpoint)}/enable"), service)


@app.command
async def disable(
    endpoint: str, /, *, reason: str = DEFAULT_REASON, service: ServiceFlags = CONFIGURED
) -> None:
    """Disable an endpoint: pending deliveries wait, future events are not delivered.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        reason: Reason, which `txtrack webhook ls` shows.
    """
    async with service.api() as api:
        _show(await api.post(f"{_path(endpoint)}/disable", {"reason": reason}), service)


@app.command(usage="Usage: txtrack webhook alerts [OPTIONS] ENDPOINT KINDS...\n")
async def alerts(
    endpoint: str, /, *kinds: AlertKind | Literal["all", "none"], service: ServiceFlags = CONFIGURED
) -> None:
    """Set the kinds of alerts about the service that an endpoint receives.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        kinds: Kinds of alerts; or all, or none.
    """
    if not kinds or ("none" in kinds and len(kinds) > 1):
        raise BadInputError("expected kinds of alerts, or all, or none; webhook get shows them")
    wanted = _kinds(tuple(kind for kind in kinds if kind != "none"))
    async with service.api() as api:
        known = await api.get(_path(endpoint))
        body = {"url": known["url"], "states": known["states"], "alerts": wanted}
        _show(await api.put(_path(endpoint), body), service)


@app.command
async def rotate(
    endpoint: str,
    /,
    *,
    overlap: str = DEFAULT_OVERLAP,
    secret: Annotated[
        str | None, Parameter(env_var="TXTRACK_WEBHOOK_SECRET", show_default=False)
    ] = None,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """Rotate the secret of an endpoint; the old secret also signs for a while.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        overlap: Time, such as 1d, for which both secrets sign; with 0s, the old one ends at once.
        secret: New secret. Default: a generated one.
    """
    body = {"secret": secret, "overlap": seconds("--overlap", overlap, or_none=True)}
    async with service.api() as api:
        _show(await api.post(f"{_path(endpoint)}/rotate", body), service)


@app.command(name="test")
async def probe(endpoint: str, /, *, service: ServiceFlags = CONFIGURED) -> int:
    """Send one test webhook to an endpoint now, and print the result.

    Exit status: 0 if it was delivered, 1 if not; 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
    """
    async with service.api() as api:
        result = await api.post(f"{_path(endpoint)}/test")
    if service.as_json:
        output.write_document(result)
    elif result["delivered"]:
        output.say(f"delivered: HTTP {result['status']} in {result['seconds']:.2f} s")
    else:
        output.say(f"not delivered: {result['error'] or result['outcome']}")
    return OK if result["delivered"] else TROUBLE


@app.command
async def redeliver(
    endpoint: str,
    /,
    *,
    event: str | None = None,
    since: str | None = None,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """Redeliver dead letters, one event, or all events from one on.

    Receivers recognize repeats by their webhook-id.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        event: Redeliver only this event: its cursor, as `txtrack events --json` shows it.
        since: Redeliver all events from this one on, delivered or not: its cursor; e0 for all.
    """
    async with service.api() as api:
        body = {"event": event, "since": since}
        response = await api.post(f"{_path(endpoint)}/redeliver", body)
    if service.as_json:
        output.write_document(response)
    else:
        output.say(f"{response['count']:,} events will be redelivered")


@app.command
async def dead(
    endpoint: str,
    /,
    *,
    limit: WholeNumber | None = None,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """List the dead letters of an endpoint with their last errors.

    Exit status: 0; 1 if the endpoint is unknown, 2 for bad input, 6 if no service responds.

    Args:
        endpoint: Id of the endpoint.
        limit: Maximum number of dead letters. Default: all. A note on standard error says if
            there are more.
    """
    async with service.api() as api:

        def pages(count: int | None) -> AsyncIterator[Facts]:
            return api.pages(f"{_path(endpoint)}/dead-letters", "dead_letters", count)

        found = output.limited(pages, limit, "omit --limit to list all")
        columns = ("event", "attempts", "last error", "given up")
        header = not no_header
        await output.lines(found, columns, _letter, as_json=service.as_json, header=header)


def _letter(found: Facts) -> Sequence[object]:
    return found["event"]["id"], found["attempts"], found["error"], found["settled_at"]


def _path(endpoint: str) -> str:
    return f"v1/endpoints/{quote(endpoint, safe='')}"


def _show(found: Facts, service: ServiceFlags) -> None:
    if service.as_json:
        output.write_document(found)
        return
    values = {**found} | {
        "states": _states(found),
        "alerts": ", ".join(found["alerts"]) or "none",
        "enabled": "yes" if found["enabled"] else "no",
    }
    output.facts({name.replace("_", " "): value for name, value in values.items()})


def _row(found: Facts) -> list[object]:
    delivers = {"healthy": "yes", "failing": "failing", "disabled": "no"}[found["health"]]
    why_not = found["last_error"] if delivers == "failing" else found["disabled_reason"]
    return [found["id"], found["url"], _states(found), delivers, why_not]


def _attempt_row(found: Facts) -> list[object]:
    seconds = f"{found['seconds']:.2f}"
    attempt = found["event"], found["number"], found["ended_at"], seconds, found["outcome"]
    return [*attempt, found["error"], found["answer"]]


def _states(found: Facts) -> str:
    states = found["states"]
    return "all" if states is None else ", ".join(states) or "none"


def _kinds(given: Kinds) -> list[str]:
    """Return the kinds of alerts, with all kinds for the word all."""
    return list(ALERT_KINDS if "all" in given else given)


deliveries: App = App(
    name="deliveries", group=MANAGE, help="Resume deliveries after a finality violation."
)


@deliveries.command
async def resume(*, service: ServiceFlags = CONFIGURED) -> None:
    """Resume the deliveries that a finality violation has frozen.

    When the chain takes back a final state, the service stops all deliveries. Find out what
    happened, then resume: pending events are delivered in order.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.
    """
    async with service.api() as api:
        state = await api.post("v1/deliveries/resume")
    if service.as_json:
        output.write_document(state)
    else:
        output.say("Deliveries are resumed.")
