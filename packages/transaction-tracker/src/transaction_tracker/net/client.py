"""HTTP to places that somebody gave us: checked addresses, no redirects, limits on all of it."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from transaction_tracker.net.addresses import AllowList
from transaction_tracker.net.errors import ForbiddenAddressError, NoAnswerError
from transaction_tracker.net.resolver import CheckedResolver, SystemResolver, check
from transaction_tracker.net.url import checked_url

# Shorter than that of common servers: a connection that they are about to close is not used.
_KEEP_ALIVE_SECONDS = 4.0
_CHECK_SECONDS = 5.0

_HEADERS = {
    "User-Agent": "transaction-tracker",
    # What is small on the way and large here is not asked for, and not unpacked.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status; a redirect is an answer like any other.
        headers: The header fields; names in any case.
        body: The body, as far as it was read.
        complete: Whether that is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool


class CheckedClient:
    """Asks only where it may.

    A name is resolved once for each connection, all its addresses are checked, and the
    connection is made to one of these: what the name stands for a moment later is of no
    consequence. TLS still asks for the name. Redirects are not followed, proxies and
    cookies not used.

    Args:
        allowed: What may be asked although it is not public.
        resolver: Who knows the addresses of names; the system unless given.
        tls: How servers show who they are; the system's authorities unless given.
    """

    def __init__(
        self,
        allowed: AllowList,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.allowed = allowed
        self._given_resolver = resolver
        self._tls = tls
        self._resolver: CheckedResolver | None = None
        self._session: aiohttp.ClientSession | None = None

    async def check(self, text: str) -> URL:
        """Read a URL and look where it leads; a name that leads nowhere now may do so later.

        Raises:
            ForbiddenUrlError: It may not be asked.
            ForbiddenAddressError: Its host stands for an address that may not.
        """
        url = checked_url(text, self.allowed)
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._checked_resolver().resolve(url.raw_host or "", url.port or 0)
        except ForbiddenAddressError:
            raise
        except (TimeoutError, OSError):
            pass
        return url

    async def request(
        self,
        method: str,
        text: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline: float,
        max_bytes: int,
    ) -> Answer:
        """Send one request.

        Args:
            method: Such as ``POST``.
            text: The URL; checked again, since the allow list may have changed since it was.
            headers: Header fields to send.
            body: What to send.
            deadline: Seconds that it may take in all.
            max_bytes: How much of the answer is read; the rest is not waited for.

        Returns:
            The answer, also when its body broke off or the deadline passed while it came.

        Raises:
            ForbiddenUrlError: The URL may not be asked.
            NoAnswerError: No answer came; ``why`` says in which way.
        """
        url = checked_url(text, self.allowed)
        try:
            async with asyncio.timeout(deadline) as limit:
                async with self._open().request(
                    method, url, data=body, headers=headers, allow_redirects=False
                ) as response:
                    # The status has come, and counts, whatever becomes of the body.
                    until = limit.when()
                    limit.reschedule(None)
                    content, complete = await _read(response, max_bytes, until)
                    return Answer(response.status, response.headers, content, complete)
        # ``from None``, here and below: aiohttp's errors print the whole URL.
        except TimeoutError:
            raise NoAnswerError("timeout", f"no answer within {deadline:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _without_url(error) from None

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        session, self._session = self._session, None
        resolver, self._resolver = self._resolver, None
        if session is not None:
            await session.close()
        if resolver is not None:
            await resolver.close()

    def _checked_resolver(self) -> CheckedResolver:
        if self._resolver is None:
            self._resolver = CheckedResolver(self._given_resolver or SystemResolver(), self.allowed)
        return self._resolver

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._checked_resolver(),
                    socket_factory=self._socket,
                    # A cached address would outlive its check.
                    use_dns_cache=False,
                    keepalive_timeout=_KEEP_ALIVE_SECONDS,
                    limit=0,
                    ssl=self._tls or True,
                ),
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _socket(self, place: AddrInfoType) -> socket.socket:
        """Make the socket for one address: nothing gets past this, also what is no name."""
        family, kind, protocol, _, address = place
        check(self.allowed, [str(address[0])])
        return socket.socket(family, kind, protocol)


async def _read(
    response: aiohttp.ClientResponse, max_bytes: int, until: float | None
) -> tuple[bytes, bool]:
    """Read a body up to a limit; say whether that is all of it."""
    received = bytearray()
    try:
        async with asyncio.timeout_at(until):
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > max_bytes:
                    response.close()
                    return bytes(received[:max_bytes]), False
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
        return bytes(received), False
    return bytes(received), True


def _without_url(error: Exception) -> NoAnswerError:
    below = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    match error:
        case _ if isinstance(below, ForbiddenAddressError):
            return NoAnswerError("forbidden", str(below))
        case aiohttp.ClientConnectorDNSError():
            return NoAnswerError("dns", "the host has no address")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return NoAnswerError("tls", "the host could not show who it is")
        case OSError():
            words = getattr(below, "strerror", None) or type(below).__name__
            return NoAnswerError("connection", f"no connection: {words}")
        case aiohttp.ServerDisconnectedError():
            return NoAnswerError("connection", "the connection was closed before an answer came")
        case _:
            return NoAnswerError("protocol", f"what came is no HTTP: {type(error).__name__}")
