"""A client of the service's HTTP API, for the commands that talk to a running service."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from transaction_tracker.cli.exits import (
    BAD_INPUT,
    NO_SOURCE,
    TROUBLE,
    BadInputError,
    CommandError,
)
from transaction_tracker.cli.problems import message
from transaction_tracker.cli.sse import MAX_EVENT_BYTES, ServerEvent, server_events
from transaction_tracker.net.service import SERVICE_URL, check_token, service_url

DEADLINE_SECONDS = 60.0
MAX_ANSWER_BYTES = 64 * 2**20
PAGE_SIZE = 500
# A stream that says nothing for so long is dead: the service sends comments more often.
_SILENCE_SECONDS = 90.0
# How often to come again when the service says that it is busy, and how long to wait at most.
_TRIES = 8
_LONGEST_PAUSE_SECONDS = 30.0
_BUSY = (429, 503)
# What the service refuses because of what was typed.
_BAD_INPUT = (400, 413, 422)


class ApiError(CommandError):
    """The service refuses, and says why.

    Attributes:
        http_status: The HTTP status.
        problem: Its problem report, as RFC 9457 has it.
    """

    def __init__(self, http_status: int, problem: Mapping[str, Any], message: str) -> None:
        super().__init__(message, BAD_INPUT if http_status in _BAD_INPUT else TROUBLE)
        self.http_status = http_status
        self.problem = problem


class Api:
    """A running service.

    Args:
        url: Its address, such as ``http://127.0.0.1:8080``.
        token: The bearer token, where the service wants one. Never printed.
        deadline: Seconds that one request may take in all, streams aside.

    Raises:
        BadInputError: The address is none, or the token cannot stand in a header.
    """

    def __init__(
        self, url: str, token: str | None = None, *, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self.url = _checked(url)
        self._deadline = deadline
        self._headers = {"Accept": "application/json"}
        if token:
            try:
                check_token(token)
            except ValueError as error:
                raise BadInputError(f"--token {error}") from None
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=timeout, read_bufsize=MAX_EVENT_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, *, patient: bool = True, **params: Any) -> Any:
        """Ask for something; a parameter that is ``None`` is left out, a tuple is repeated.

        When the service says that it is busy, this waits and comes again, unless not ``patient``.
        """
        return await self._patiently("GET", path, params, tries=_TRIES if patient else 1)

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, **params: Any
    ) -> Any:
        """Have something done; with the same idempotency ``key``, only once."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._patiently("POST", path, params, body, headers)

    async def delete(self, path: str) -> Any:
        """Have something ended or removed."""
        return await self._patiently("DELETE", path, {})

    async def pages(
        self, path: str, items: str, limit: int | None = None, **params: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the ``items`` of all pages, up to ``limit``."""
        cursor: str | None = None
        left = math.inf if limit is None else limit
        while left > 0:
            size = int(min(left, PAGE_SIZE))
            page = await self.get(path, cursor=cursor, limit=size, **params)
            for item in page[items][:size]:
                yield item
            left -= size
            cursor = page["next"]
            if cursor is None:
                return

    @asynccontextmanager
    async def stream(self, path: str, **params: Any) -> AsyncIterator[AsyncIterator[ServerEvent]]:
        """Open an event stream; it ends when the connection does."""
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._request("GET", path, params, None, headers) as response:
                if response.status != 200:
                    raise _refused(response.status, await _body(response))
                yield server_events(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None

    async def _patiently(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        tries: int = _TRIES,
    ) -> Any:
        for left in reversed(range(tries)):
            try:
                async with (
                    asyncio.timeout(self._deadline),
                    self._request(method, path, params, body, headers) as response,
                ):
                    answer = await _body(response)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._unreachable(error) from None
            if _is_good(response):
                return answer
            pause = _pause(response)
            if pause is None or not left:
                raise _refused(response.status, answer)
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any,
        headers: Mapping[str, str],
    ) -> Any:
        if self._session is None:
            raise RuntimeError("use the client in an async with block")
        query = [
            (name, str(value))
            for name, values in params.items()
            for value in (values if isinstance(values, tuple) else (values,))
            if value is not None
        ]
        return self._session.request(
            method,
            self.url.join(URL(path, encoded=True)).with_query(query),
            data=None if body is None else orjson.dumps(body),
            headers={**headers, **({} if body is None else {"Content-Type": "application/json"})},
            # A redirect would carry the token elsewhere.
            allow_redirects=False,
        )

    def _unreachable(self, error: Exception) -> CommandError:
        what = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        way_out = (
            "start it with txtrack serve, or name another with --url, TXTRACK_URL, or client.url "
            "in the configuration"
        )
        return CommandError(f"no service at {self.url.origin()}: {what}; {way_out}", NO_SOURCE)


def _checked(text: str) -> URL:
    try:
        return service_url(text)
    except ValueError:  # not its own words: they can quote the text, with a password in it
        raise BadInputError(f"--url must be {SERVICE_URL}") from None


async def _body(response: aiohttp.ClientResponse) -> Any:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise CommandError("the answer is larger than 64 MiB: ask for less with --limit")
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        if _is_good(response):
            raise CommandError(
                "what answers there is not txtrack: its answer is not JSON"
            ) from None
        return None


def _is_good(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


def _pause(response: aiohttp.ClientResponse) -> float | None:
    """Say how many seconds to wait before coming again; ``None`` when that makes no sense."""
    wanted = response.headers.get("Retry-After", "")
    if response.status not in _BUSY or not wanted.isdecimal():
        return None
    return min(float(wanted), _LONGEST_PAUSE_SECONDS)


def _refused(status: int, answer: Any) -> ApiError:
    problem = answer if isinstance(answer, dict) else {}
    return ApiError(status, problem, message(status, problem))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
