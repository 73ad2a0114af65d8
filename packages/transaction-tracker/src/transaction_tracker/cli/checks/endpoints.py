"""Check the addresses and the health of webhook endpoints."""

import asyncio
from collections.abc import Iterable, Sequence

from transaction_tracker.cli.checks.finding import Finding, error, fine, warning
from transaction_tracker.net import (
    AllowList,
    ForbiddenAddressError,
    ForbiddenUrlError,
    checked_url,
)
from transaction_tracker.net.resolver import CheckedResolver, SystemResolver
from transaction_tracker.store.endpoints import Endpoint

_WHY = "the endpoint receives no events"


async def check(endpoints: Sequence[Endpoint], allow_private: Iterable[str]) -> list[Finding]:
    """Check whether the endpoints' URLs are allowed, with their current addresses."""
    allowed = AllowList.of(allow_private)
    resolver = CheckedResolver(SystemResolver(), allowed)
    checks = [_check(endpoint, allowed, resolver) for endpoint in endpoints]
    try:
        return list(await asyncio.gather(*checks))
    finally:
        await resolver.close()


async def _check(endpoint: Endpoint, allowed: AllowList, resolver: CheckedResolver) -> Finding:
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
