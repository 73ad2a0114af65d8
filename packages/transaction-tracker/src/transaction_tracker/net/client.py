"""An HTTP client for URLs that users configure: checked addresses, no redirects, hard limits."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from transaction_tracker.awake import awake_timeout
from transaction_tracker.net.addresses import AllowList
from transaction_tracker.net.errors import ForbiddenAddressError, NoAnswerError
from transaction_tracker.net.resolver import MAX_LOOKUPS, CheckedResolver, SystemResolver, check
from transaction_tracker.net.url import checked_url

# Shorter than the keep-alive time of common servers, so that a request is not sent on a
# connection that the server is closing.
_KEEP_ALIVE_SECONDS = 4.0
_CHECK_TIMEOUT_SECONDS = 5.0
# Checks look names up in threads of their own: anybody who can register endpoints can have any
# number of names checked, and requests must not wait for their name servers.
_MAX_CHECK_LOOKUPS = 64

_HEADERS = {
    "User-Agent": "transaction-tracker",
    # A small compressed body can expand to gigabytes, so compression is not requested, and bodies
    # are not decompressed.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; redirects are responses like any other.

    Attributes:
        status: HTTP status.
        headers: Header fields; names are not case-sensitive.
        body: Body, as far as it was read.
        complete: Whether the whole body was read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool


class CheckedClient:
    """An HTTP client that connects only to allowed addresses.

    A name is resolved once for each connection, all its addresses are checked, and the
    connection is made to one of the checked addresses, so a name that resolves differently a
    moment later (DNS rebinding) has no effect. TLS verifies the name, not the address.
    Redirects are not followed; proxies and cookies are not used.

    Args:
        allowed: Exceptions to the rule that only public addresses are allowed.
        resolver: Resolver of names. Default: the system's.
        tls: Context for TLS connections. Default: verification by the system's authorities.
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
        self._check_resolver: CheckedResolver | None = None
        self._session: aiohttp.ClientSession | None = None

    async def check(self, text: str) -> URL:
        """Check a URL and the addresses of its host, and return the parsed URL.

        A host that does not resolve now is accepted, since it can resolve later.

        Raises:
            ForbiddenUrlError: Requests to the URL are not allowed.
            ForbiddenAddressError: Connections to an address of the host are not allowed.
        """
        url = checked_url(text, self.allowed)
        if self._check_resolver is None:
            self._check_resolver = self._new_resolver(_MAX_CHECK_LOOKUPS)
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
                await self._check_resolver.resolve(url.raw_host or "", url.port or 0)
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
    ) -> HttpResponse:
        """Send one request and return the response.

        Args:
            method: Such as ``POST``.
            text: URL. It is checked again, since the allow list can have changed.
            headers: Header fields of the request.
            body: Body of the request.
            deadline: Timeout in seconds for the whole exchange, without the time of suspends.
            max_bytes: Maximum size of the body that is read; the rest is discarded.

        Returns:
            The response, incomplete if the body was cut off or the deadline passed during it.

        Raises:
            ForbiddenUrlError: Requests to the URL are not allowed.
            NoAnswerError: The request got no response; ``why`` is the kind of failure.
        """
        url = checked_url(text, self.allowed)
        head: aiohttp.ClientResponse | None = None
        received = bytearray()
        try:
            async with (
                awake_timeout(deadline),
                self._open().request(
                    method, url, data=body, headers=headers, allow_redirects=False
                ) as head,
            ):
                complete = await _read(head, max_bytes, received)
                return HttpResponse(head.status, head.headers, bytes(received), complete)
        # ``from None``, here and below: errors of aiohttp print the whole URL.
        except TimeoutError:
            if head is not None:  # a timeout in the body must not discard the status
                return HttpResponse(head.status, head.headers, bytes(received), complete=False)
            raise NoAnswerError("timeout", f"no answer within {deadline:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from None

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        session, self._session = self._session, None
        resolvers = (self._resolver, self._check_resolver)
        self._resolver = self._check_resolver = None
        if session is not None:
            await session.close()
        for resolver in resolvers:
            if resolver is not None:
                await resolver.close()

    def _new_resolver(self, max_lookups: int) -> CheckedResolver:
        return CheckedResolver(self._given_resolver or SystemResolver(max_lookups), self.allowed)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = self._new_resolver(MAX_LOOKUPS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    socket_factory=self._socket,
                    # A cache of aiohttp's would hold addresses beyond the connection that
                    # they were checked for.
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

    def _socket(self, info: AddrInfoType) -> socket.socket:
        """Check an address and return a socket for it.

        aiohttp does not resolve a host that is an address, so this is the check that every
        connection passes.
        """
        family, kind, protocol, _, address = info
        check(self.allowed, [str(address[0])])
        return socket.socket(family, kind, protocol)


async def _read(response: aiohttp.ClientResponse, max_bytes: int, received: bytearray) -> bool:
    """Add the body, up to a limit, to ``received``; return whether that is the whole body."""
    complete = False
    try:
        async for chunk in response.content.iter_any():
            received += chunk
            if len(received) > max_bytes:
                del received[max_bytes:]
                return False
        complete = True
    except (aiohttp.ClientError, OSError):
        pass
    finally:
        if not complete:
            response.close()
    return complete


def _no_answer(error: Exception) -> NoAnswerError:
    """Return the error for users: without the URL, which can contain a key."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    match error:
        case _ if isinstance(cause, ForbiddenAddressError):
            return NoAnswerError("forbidden", str(cause))
        case aiohttp.ClientConnectorDNSError():
            return NoAnswerError("dns", "the host has no address")
        case aiohttp.ClientConnectorCertificateError():
            return NoAnswerError("tls", "TLS certificate verification failed")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return NoAnswerError("tls", "TLS handshake failed")
        case OSError():
            text = getattr(cause, "strerror", None) or type(cause).__name__
            return NoAnswerError("connection", f"connection failed: {text}")
        case aiohttp.ServerDisconnectedError():
            return NoAnswerError("connection", "connection closed before a response")
        case _:
            return NoAnswerError("protocol", f"invalid HTTP response: {type(error).__name__}")
