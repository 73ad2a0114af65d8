"""Names become addresses here, and every address is checked before it is used."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Self

from aiohttp.abc import AbstractResolver, ResolveResult

from transaction_tracker.net.addresses import AllowList
from transaction_tracker.net.errors import ForbiddenAddressError
from transaction_tracker.threads import DaemonThreads

# As many as there can be endpoints: a name server that is silent costs its own name a thread.
_LOOKUPS = 64
_MOST_ADDRESSES = 32


class SystemResolver(AbstractResolver):
    """Ask the system, in threads of our own, about each name once at a time.

    The event loop's own threads are few: names whose servers are silent would take them all.
    """

    def __init__(self) -> None:
        self._threads = DaemonThreads(_LOOKUPS, "resolver")
        self._under_way: dict[tuple[str, int, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """List the addresses of a name."""
        key = (host, port, int(family))
        found = self._under_way.get(key)
        if found is None:
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(self._threads, _look_up, host, port, family)
            self._under_way[key] = found
            found.add_done_callback(lambda _: self._under_way.pop(key, None))
        # Whoever does not want to wait any longer must not end it for the others.
        return await asyncio.shield(found)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the threads go; those that still wait end by themselves."""
        self._threads.shutdown(cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Give the addresses of a name, if each of them may be connected to.

    One that may not condemns the name: who mixes public and private addresses hopes that
    a later attempt takes the other.

    Args:
        resolver: Who knows the addresses.
        allowed: What may be connected to although it is not public.
    """

    def __init__(self, resolver: AbstractResolver, allowed: AllowList) -> None:
        self._resolver = resolver
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """List the addresses of a name, or raise ``ForbiddenAddressError``."""
        found = await self._resolver.resolve(host, port, family)
        check(self._allowed, [each["host"] for each in found])
        return found[:_MOST_ADDRESSES]

    async def close(self) -> None:
        """Close the one below."""
        await self._resolver.close()


def check(allowed: AllowList, addresses: Sequence[str]) -> None:
    """Raise ``ForbiddenAddressError`` unless all the addresses may be connected to."""
    for address in addresses:
        refusal = allowed.refusal(ip_address(address))
        if refusal is not None:
            raise ForbiddenAddressError(f"{address} may not be asked: the address is {refusal}")


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    infos = socket.getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=found,
            proto=proto,
            flags=socket.AI_NUMERICHOST,
        )
        for found, _, proto, _, address in infos
    ]
