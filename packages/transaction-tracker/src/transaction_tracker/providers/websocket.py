"""A WebSocket connection to a provider, which carries JSON objects only."""

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
# A head and the response to a subscription are small.
_LIMITS = JsonLimits(max_containers=20_000, max_strings=50_000, max_values=50_000)
_CLOSED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


class WebSocket:
    """An open connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: object) -> None:
        """Send a value as JSON."""
        with _errors_without_url():
            await self._socket.send_str(orjson.dumps(message).decode())

    async def ping(self) -> None:
        """Send a ping; ``receive`` returns ``None`` for the pong."""
        with _errors_without_url():
            await self._socket.ping()

    async def receive(self) -> dict[str, Any] | None:
        """Wait for the next object; return ``None`` for a pong.

        Raises:
            TransportError: The connection is closed.
            MalformedError: The message is too long, or not a JSON object.
        """
        while True:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.PONG:
                return None
            if message.type is not aiohttp.WSMsgType.PING:
                return await _object(message)
            with _errors_without_url():
                await self._socket.pong(message.data)


@asynccontextmanager
async def connect(
    url: SecretUrl, connect_seconds: float, close_seconds: float
) -> AsyncIterator[WebSocket]:
    """Connect, and close the connection at the end of the block.

    Args:
        url: WebSocket URL.
        connect_seconds: Timeout of the connection.
        close_seconds: Timeout of the close, for a peer that does not close its side.

    Raises:
        TransportError: The connection could not be opened.
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
        with _errors_without_url():
            async with time_limit(connect_seconds, "no connection"):
                socket = await session.ws_connect(
                    url.reveal(),
                    autoping=False,  # `receive` must return pongs: they show that the peer responds
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=close_seconds),  # pyright: ignore[reportCallIssue]
                )
        try:
            yield WebSocket(socket)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(close_seconds):
                    await socket.close()


@asynccontextmanager
async def time_limit(seconds: float, missing: str) -> AsyncIterator[None]:
    """Raise ``TransportError`` when the block takes longer; ``missing`` begins its message."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransportError(f"{missing} within {seconds:g} s") from None


async def _refuse_redirect(*_: object) -> None:
    raise TransportError("redirects are not followed")


@contextmanager
def _errors_without_url() -> Iterator[None]:
    """Replace the errors of aiohttp, whose messages contain the URL and so its keys."""
    try:
        yield
    except aiohttp.WSServerHandshakeError as error:
        raise TransportError(f"no connection: HTTP {error.status}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(without_url(error)) from None


async def _object(message: aiohttp.WSMessage) -> dict[str, Any]:
    if message.type in _CLOSED:
        raise TransportError("the connection was closed")
    if message.type is aiohttp.WSMsgType.ERROR:
        # The text of the error can repeat what was sent.
        raise MalformedError(f"invalid message: {type(message.data).__name__}")
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
