"""JSON over HTTP: one request with its response, within a deadline and a size limit."""

from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from transaction_tracker.awake import awake_timeout
from transaction_tracker.json_answers import NotJsonError, TooManyValuesError, parse
from transaction_tracker.net.resolver import SystemResolver
from transaction_tracker.sources.errors import (
    LateError,
    MalformedError,
    TooLongError,
    TransportError,
)
from transaction_tracker.sources.ethereum.classify import http_error
from transaction_tracker.sources.ethereum.url import SecretUrl

# Nodes and proxies can send a JSON-RPC error in the body of a response with such a status.
_WITH_ERROR_BODY = (400, *range(500, 600))


class Http:
    """HTTP connections to one address. Errors do not name the address: the caller does.

    Args:
        url: Address.
        max_answer_bytes: Maximum size of a response; a longer one is refused.
        loads: Parses JSON, or raises ``ValueError``.
        authorization: Returns the value of the header ``Authorization`` for each request, or
            ``None`` for none; can raise ``SourceError``.
    """

    def __init__(
        self,
        url: SecretUrl,
        max_answer_bytes: int,
        *,
        loads: Callable[[bytes], Any] = orjson.loads,
        authorization: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._url = url
        self._max_answer_bytes = max_answer_bytes
        self._loads = loads
        self._authorization = authorization
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: object, deadline: float) -> Any:
        """Send a value as JSON, and return the object or array of the response.

        Args:
            body: Value to send.
            deadline: Maximum duration of the exchange in seconds.

        Raises:
            LateError: The response did not arrive in time.
            TransportError: There was no response, or only a part of it.
            SourceError: The status is an error; the class names the cause.
            MalformedError: The response is not JSON, or is too long.
        """
        try:
            async with awake_timeout(deadline):
                return await self._exchange(orjson.dumps(body))
        # ``from None``, here and below: aiohttp's errors print the whole URL.
        except TimeoutError:
            raise LateError(f"no answer within {deadline:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError(without_url(error)) from None

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await self._resolver.close()

    async def _exchange(self, body: bytes) -> Any:
        session, secret = self._open(), self._authorization()
        headers = None if secret is None else {"Authorization": secret}
        async with session.post(
            self._url.reveal(), data=body, headers=headers, allow_redirects=False
        ) as response:
            if response.status == 200:
                return await self._parsed(await self._read(response.content))
            if response.status == 413:
                raise TooLongError("HTTP 413")
            refusal = http_error(response.status, response.headers.get("Retry-After"))
            if response.status in _WITH_ERROR_BODY:
                error = await self._rpc_error(response.content)
                if error is not None:
                    return error
            raise refusal

    async def _rpc_error(self, content: aiohttp.StreamReader) -> dict[str, Any] | None:
        """Return the JSON-RPC error in the body of a response, if there is one."""
        try:
            answer = await self._parsed(await self._read(content))
        except MalformedError:
            return None
        is_error = isinstance(answer, dict) and isinstance(answer.get("error"), dict)
        return answer if is_error and "code" in answer["error"] else None

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        received = bytearray()
        async for chunk in content.iter_any():
            received += chunk
            if len(received) > self._max_answer_bytes:
                raise TooLongError(f"the answer is longer than {self._max_answer_bytes} bytes")
        return bytes(received)

    async def _parsed(self, body: bytes) -> Any:
        try:
            answer = await parse(body, loads=self._loads)
        except NotJsonError:
            raise MalformedError("the answer is not JSON") from None
        except TooManyValuesError as error:
            raise TooLongError(f"the answer has too many values: {error}") from None
        if not isinstance(answer, dict | list):
            raise MalformedError("the answer is not JSON-RPC")
        return answer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # It resolves in its own threads: asyncio waits for its default threads when the
            # program ends, so a name server that does not respond would delay the exit.
            self._resolver = SystemResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._resolver),
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def without_url(error: Exception) -> str:
    """Return the error of a connection in one line, without the URL that aiohttp puts in it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or error.os_error}"
    return f"the connection failed: {type(error).__name__}"
