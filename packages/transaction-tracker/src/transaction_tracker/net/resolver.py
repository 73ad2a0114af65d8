"""Resolve host names, and check every address before a connection uses it."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Self

from aiohttp.abc import AbstractResolver, ResolveResult

from transaction_tracker.domain.webhook_endpoint import MAX_ENDPOINTS
from transaction_tracker.net.addresses import AllowList, can_be_allowed
from transaction_tracker.net.errors import ForbiddenAddressError
from transaction_tracker.threads import DaemonThreads

# A lookup blocks its thread until the name server answers or the C library gives up, and so it can
# outlive the request that needs it. With a thread for the name of each endpoint, and as many again
# for the former names of endpoints that were changed, silent name servers delay no other name.
MAX_LOOKUPS = 2 * MAX_ENDPOINTS
_MAX_ADDRESSES = 32


class SystemResolver(AbstractResolver):
    """Resolve names with the system's resolver, in threads of its own.

    The event loop's default executor has few threads: lookups at name servers that do not answer
    would occupy all of them. A name occupies one thread, however many requests and ports need it.

    Args:
        max_lookups: Number of names that can be looked up at the same time; further lookups wait.
    """

    def __init__(self, max_lookups: int = MAX_LOOKUPS) -> None:
        self._threads = DaemonThreads(max_lookups, "resolver")
        self._in_flight: dict[tuple[str, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name."""
        key = (host, int(family))
        lookup = self._in_flight.get(key)
        if lookup is None:
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(self._threads, _look_up, host, family)
            self._in_flight[key] = lookup
            lookup.add_done_callback(lambda _: self._in_flight.pop(key, None))
        # Without the shield, a caller that is cancelled would cancel the lookup for all callers.
        found = await asyncio.shield(lookup)
        return [{**address, "port": port} for address in found]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release the threads without waiting; a running lookup ends its thread when it returns."""
        self._threads.shutdown(cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Resolve names only to addresses that are all allowed.

    One forbidden address makes the whole name forbidden: a name with public and private
    addresses is a way to reach a private address with a later connection.

    Args:
        resolver: Resolver that looks the name up.
        allowed: Exceptions to the rule that only public addresses are allowed.
    """

    def __init__(self, resolver: AbstractResolver, allowed: AllowList) -> None:
        self._resolver = resolver
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            ForbiddenAddressError: Connections to one of the addresses are not allowed.
        """
        found = await self._resolver.resolve(host, port, family)
        check(self._allowed, [address["host"] for address in found])
        return found[:_MAX_ADDRESSES]

    async def close(self) -> None:
        """Close the resolver that looks names up."""
        await self._resolver.close()


def check(allowed: AllowList, addresses: Sequence[str]) -> None:
    """Raise ``ForbiddenAddressError`` if connections to one of the addresses are not allowed."""
    for address in addresses:
        parsed = ip_address(address)
        if (refusal := allowed.refusal(parsed)) is not None:
            raise ForbiddenAddressError(
                f"{address} is not allowed: the address is {refusal}",
                can_be_allowed=can_be_allowed(parsed),
            )


def _look_up(host: str, family: socket.AddressFamily) -> list[ResolveResult]:
    infos = socket.getaddrinfo(
        host, 0, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=0,
            family=found,
            proto=proto,
            flags=socket.AI_NUMERICHOST,
        )
        for found, _, proto, _, address in infos
    ]
