"""One WebSocket to a provider: objects in, objects out, everything else is an error."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import aiohttp
import orjson

from transaction_tracker.json_answers import JsonLimits, NotJsonError, TooManyValuesError, parse
from transaction_tracker.net.resolver import SystemResolver
from transaction_tracker.sources import MalformedError, TransportError
from transaction_tracker.sources.ethereum.http import without_url
from transaction_tracker.sources.ethereum.url import SecretUrl

MAX_MESSAGE_BYTES = 2**20
# A head, and the answer to a subscription, are small.
_LIMITS = JsonLimits(max_containers=20_000, max_strings=50_000, max_values=50_000)
_OVER = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


class Socket:
    """An open connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: object) -> None:
        """Send a value as JSON."""
        with _told_plainly():
            await self._socket.send_str(orjson.dumps(message).decode())

    async def ping(self) -> None:
        """Send a ping; ``receive`` tells of the pong."""
        with _told_plainly():
            await self._socket.ping()

    async def receive(self) -> dict[str, Any] | None:
        """Wait for the next object; ``None`` is a pong.

        Raises:
            TransportError: The connection is over.
            MalformedError: Something else came, or something too long.
        """
        while True:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.PONG:
                return None
            if message.type is not aiohttp.WSMsgType.PING:
                return await _object(message)
            with _told_plainly():
                await self._socket.pong(message.data)


@asynccontextmanager
async def connected(
    url: SecretUrl, connect_seconds: float, close_seconds: float
) -> AsyncIterator[Socket]:
    """Connect for the length of a block.

    Args:
        url: Where to.
        connect_seconds: How long that may take.
        close_seconds: How long it may take to close, whatever the other side does.

    Raises:
        TransportError: There is no connection.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    async with (
        SystemResolver() as resolver,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        ) as session,
    ):
        with _told_plainly():
            async with within(connect_seconds, "no connection"):
                socket = await session.ws_connect(
                    url.reveal(),
                    autoping=False,  # a pong is proof of life: we want to see it
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=close_seconds),
                )
        try:
            yield Socket(socket)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(close_seconds):
                    await socket.close()


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Give up after some seconds, with a ``TransportError`` that says what there is not."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransportError(f"{what} within {seconds:g} s") from None


async def _refuse_redirect(*_: object) -> None:
    raise TransportError("the provider sends us elsewhere")


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Say what went wrong with a connection in our own words: aiohttp's have the URL in them."""
    try:
        yield
    except aiohttp.WSServerHandshakeError as error:
        raise TransportError(f"no connection: HTTP {error.status}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(without_url(error)) from None


async def _object(message: aiohttp.WSMessage) -> dict[str, Any]:
    if message.type in _OVER:
        raise TransportError("the connection was closed")
    if message.type is aiohttp.WSMsgType.ERROR:
        # Its text may repeat what was sent.
        raise MalformedError(f"a message was refused: {type(message.data).__name__}")
    try:
        data = message.data.encode() if isinstance(message.data, str) else message.data
        value = await parse(data, _LIMITS)
    except NotJsonError:
        raise MalformedError("a message is not JSON") from None
    except TooManyValuesError as error:
        raise MalformedError(f"a message has too many values: {error}") from None
    if not isinstance(value, dict):
        raise MalformedError("a message is not JSON-RPC")
    return value
