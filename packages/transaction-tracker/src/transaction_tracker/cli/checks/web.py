"""Check the addresses of the API and of webhook endpoints."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transaction_tracker.api import WebOptions
from transaction_tracker.api.server import bind
from transaction_tracker.cli.checks import Finding, error, fine, warning
from transaction_tracker.cli.client import Api, ApiError
from transaction_tracker.cli.exits import CommandError
from transaction_tracker.cli.flags import local_url
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.net import (
    AllowList,
    ForbiddenAddressError,
    ForbiddenUrlError,
    checked_url,
)
from transaction_tracker.net.resolver import CheckedResolver, SystemResolver

DEADLINE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Running:
    """The service at the configured address, if it is running.

    Attributes:
        url: URL of the address.
        ready: Whether the service is ready; ``None`` if no txtrack service responds.
        fault: Reason why the service is not ready.
        notes: Warnings of a service that is ready.
    """

    url: str
    ready: bool | None
    fault: str = ""
    notes: tuple[str, ...] = ()


async def running(options: WebOptions) -> Running:
    """Return whether the service is running at the configured address, and its readiness."""
    url = local_url(options.host, options.port)
    async with Api(url, deadline=DEADLINE_SECONDS) as api:
        try:
            alive = await api.get("healthz", retry=False)
            if alive != {"status": "alive"}:
                return Running(url, None)
            ready = await api.get("readyz", retry=False)
        except ApiError as caught:
            detail = str(caught.problem.get("detail", ""))
            return Running(url, False if detail else None, detail)
        except CommandError:
            return Running(url, None)
    notes = tuple(str(note["detail"]) for note in ready.get("notes", ()))
    return Running(url, True, notes=notes)


def check(options: WebOptions, found: Running, *, has_token: bool) -> list[Finding]:
    """Check the address to listen on.

    Args:
        options: Options of the API.
        found: State of the service at this address.
        has_token: Whether a valid token exists.
    """
    subject = f"address {options.host} port {options.port}"
    if not options.is_local and not has_token:
        return [
            error(
                subject,
                "other machines can reach it, and there is no token",
                why="anyone could read and change the tracked transactions, so the service does "
                "not start",
                fix="txtrack token create NAME, or set web.host to 127.0.0.1",
            )
        ]
    if found.ready is None:
        return [_bindable(subject, options)]
    if found.notes:
        return [_noted(found.url, note) for note in found.notes]
    if found.ready:
        return [fine(f"service {found.url}", "running and ready")]
    return [
        error(
            f"service {found.url}",
            f"running, but not ready: {found.fault}",
            why="no transaction can change its state until the service is ready",
            fix="see the findings about the providers and the database, and the service's log",
        )
    ]


def _noted(url: str, note: str) -> Finding:
    """Return the finding for a warning of a service that is ready."""
    message = f"running and ready, but: {note}"
    if note.startswith("deliveries"):
        return warning(
            f"service {url}",
            message,
            why="receivers get events too late",
            fix="find the endpoint with txtrack webhook ls, and the cause with txtrack webhook "
            "attempts",
        )
    return warning(
        f"service {url}",
        message,
        why="no transaction can change its state until the head advances",
        fix="compare the providers' heads with an explorer's; set source.block_time if the "
        "chain's blocks are slower",
    )


def _bindable(subject: str, options: WebOptions) -> Finding:
    try:
        bind(options).close()
    except OSError as caught:
        return error(
            subject,
            caught.strerror or str(caught),
            why="the API cannot listen on this address",
            fix="stop the program that uses the port, or set another web.port",
        )
    return fine(subject, "free")


_WHY = "the endpoint receives no events"


async def check_endpoints(
    endpoints: Sequence[WebhookEndpoint], allow_private: Iterable[str]
) -> list[Finding]:
    """Check whether the endpoints' URLs are allowed, with their current addresses."""
    allowed = AllowList.of(allow_private)
    resolver = CheckedResolver(SystemResolver(), allowed)
    checks = [_check_endpoint(endpoint, allowed, resolver) for endpoint in endpoints]
    try:
        return list(await asyncio.gather(*checks))
    finally:
        await resolver.close()


async def _check_endpoint(
    endpoint: WebhookEndpoint, allowed: AllowList, resolver: CheckedResolver
) -> Finding:
    subject = f"endpoint {endpoint.id}"
    try:
        url = checked_url(endpoint.url, allowed)
        await resolver.resolve(url.raw_host or "", url.port or 443)
    except (ForbiddenUrlError, ForbiddenAddressError) as caught:
        return error(
            subject,
            f"URL refused: {caught}",
            why=_WHY,
            fix="if the receiver is yours and private on purpose, add its network to "
            f"webhooks.allow_private; otherwise run txtrack webhook rm {endpoint.id}",
        )
    except OSError as caught:
        return warning(
            subject,
            f"cannot resolve the host: {caught.strerror or caught}",
            why=_WHY,
            fix="check the host's name and this machine's name server",
        )
    if not endpoint.enabled:
        return warning(
            subject,
            f"disabled: {endpoint.disabled_reason or 'by hand'}",
            why=f"{_WHY}; its pending deliveries wait",
            fix=f"fix its receiver, then run txtrack webhook enable {endpoint.id}",
        )
    if endpoint.failing_since is not None:
        return warning(
            subject,
            "failing: at least five attempts in a row failed",
            why=f"{_WHY} until its receiver works; its pending deliveries wait",
            fix=f"see the receiver's responses with txtrack webhook attempts {endpoint.id}",
        )
    return fine(subject, "URL allowed")
