"""Whether webhooks may go where their endpoints say."""

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

_WHY = "no event is delivered there"


async def check(endpoints: Sequence[Endpoint], allow_private: Iterable[str]) -> list[Finding]:
    """Judge every endpoint by the rules for addresses, as they are resolved now."""
    allowed = AllowList.of(allow_private)
    resolver = CheckedResolver(SystemResolver(), allowed)
    try:
        return list(await asyncio.gather(*(_one(one, allowed, resolver) for one in endpoints)))
    finally:
        await resolver.close()


async def _one(endpoint: Endpoint, allowed: AllowList, resolver: CheckedResolver) -> Finding:
    about = f"endpoint {endpoint.id}"
    try:
        url = checked_url(endpoint.url, allowed)
        await resolver.resolve(url.raw_host or "", url.port or 443)
    except (ForbiddenUrlError, ForbiddenAddressError) as caught:
        return error(
            about,
            f"its address is refused: {caught}",
            why=_WHY,
            do="if it is yours and meant to be private, add its network to webhooks.allow_private; "
            "otherwise txtrack webhook rm it",
        )
    except OSError as caught:
        return warning(
            about,
            f"its host cannot be resolved: {caught.strerror or caught}",
            why=_WHY,
            do="check the host's name and this machine's name server",
        )
    if not endpoint.enabled:
        return warning(
            about,
            f"is disabled: {endpoint.disabled_reason or 'by hand'}",
            why=f"{_WHY}, and what it should have heard waits",
            do="txtrack webhook enable it once its receiver is well",
        )
    if endpoint.failing_since is not None:
        return warning(
            about,
            "is failing: five attempts in a row, or more, have delivered nothing",
            why=f"{_WHY} until its receiver is well; what it should have heard waits",
            do=f"see what its receiver answers with txtrack webhook attempts {endpoint.id}",
        )
    return fine(about, "may be delivered to")
