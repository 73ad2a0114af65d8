"""A client of the service's HTTP API."""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

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
from transaction_tracker.net.service import SERVICE_URL, check_token, service_url

DEADLINE_SECONDS = 60.0
MAX_RESPONSE_BYTES = 64 * 2**20
PAGE_SIZE = 500
# The service sends comments on idle streams more often, so a longer silence is a dead connection.
_SILENCE_SECONDS = 90.0
# Attempts while the service is busy, and the longest time between two of them.
_MAX_ATTEMPTS = 8
_MAX_RETRY_SECONDS = 30.0
_BUSY = (429, 503)
# Statuses that mean that the input of the command is invalid.
_BAD_INPUT = (400, 413, 422)
MAX_EVENT_BYTES = 2**20
# The API's details name requests; the command line names the commands instead.
FIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not-tracked": "track it with txtrack add",
        "not-watched": "watch it with txtrack address add",
        "unknown-endpoint": "txtrack webhook ls lists the endpoints",
        "unknown-provider": "txtrack provider ls lists the providers",
        "unknown-source": "txtrack source ls lists the sources",
        "unknown-token": "txtrack token ls lists the tokens",
    }
)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        id: Cursor to resume from; empty if the stream has not sent one.
        event: Type of the event.
        data: Content; empty if the stream sent only an id.
    """

    id: str
    event: str
    data: str


async def server_events(lines: AsyncIterable[bytes]) -> AsyncIterator[ServerEvent]:
    """Yield the events in ``lines``; skip comments and an incomplete event at the end.

    Source:
        HTML standard, section 9.2.6, interpreting an event stream. Differs: lines end in LF or
        CRLF, ``retry`` is ignored, and an id without data is an event too: it is the cursor to
        resume from if the stream ends before its first event.
    """
    last_id, yielded_id, event, size = "", "", "message", 0
    data: list[str] = []
    async for line in lines:
        text = line.decode(errors="replace").rstrip("\n").removesuffix("\r")
        size += len(line)
        if size > MAX_EVENT_BYTES:
            raise CommandError("an event of the stream is larger than 1 MiB")
        if not text:
            if data or last_id != yielded_id:
                yield ServerEvent(last_id, event, "\n".join(data))
                yielded_id = last_id
            event, data, size = "message", [], 0
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            last_id = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)


class ApiError(CommandError):
    """The service responded with an error.

    Attributes:
        http_status: HTTP status.
        problem: Problem details (RFC 9457).
    """

    def __init__(self, http_status: int, problem: Mapping[str, Any], message: str) -> None:
        super().__init__(message, BAD_INPUT if http_status in _BAD_INPUT else TROUBLE)
        self.http_status = http_status
        self.problem = problem


class Api:
    """A client of a running service.

    Args:
        url: URL of the service, such as ``http://127.0.0.1:8080``.
        token: Bearer token, if the service requires one. Never printed.
        deadline: Maximum duration of one request in seconds, except streams.

    Raises:
        BadInputError: The URL or the token is invalid.
    """

    def __init__(
        self, url: str, token: str | None = None, *, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self.url: URL = _checked(url)
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

    async def get(self, path: str, *, retry: bool = True, **params: Any) -> Any:
        """Send a GET request; omit parameters that are ``None``, repeat those that are tuples.

        Retries while the service is busy, if ``retry`` is true.
        """
        return await self._with_retries("GET", path, params, attempts=_MAX_ATTEMPTS if retry else 1)

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, **params: Any
    ) -> Any:
        """Send a POST request; with the same idempotency ``key``, it takes effect only once."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._with_retries("POST", path, params, body, headers)

    async def put(self, path: str, body: Any) -> Any:
        """Send a PUT request."""
        return await self._with_retries("PUT", path, {}, body)

    async def patch(self, path: str, body: Any) -> Any:
        """Send a PATCH request; the service's changes are idempotent."""
        return await self._with_retries("PATCH", path, {}, body)

    async def delete(self, path: str, **params: Any) -> Any:
        """Send a DELETE request; omit parameters that are ``None``."""
        return await self._with_retries("DELETE", path, params)

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
        """Open an event stream; it ends with the connection."""
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._request("GET", path, params, None, headers) as response:
                if response.status != 200:
                    raise _refused(response.status, await _body(response))
                yield server_events(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None

    async def _with_retries(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        attempts: int = _MAX_ATTEMPTS,
    ) -> Any:
        for left in reversed(range(attempts)):
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
            # A redirect would send the token to another server.
            allow_redirects=False,
        )

    def _unreachable(self, error: Exception) -> CommandError:
        reason = "timed out" if isinstance(error, TimeoutError) else _reason(error)
        fix = (
            "start it with txtrack serve, or set another URL with --url, TXTRACK_URL, or "
            "client.url in the configuration"
        )
        return CommandError(f"no service at {self.url.origin()}: {reason}; {fix}", NO_SOURCE)


def _checked(text: str) -> URL:
    try:
        return service_url(text)
    except ValueError:  # its message can contain the URL, with a password
        raise BadInputError(f"--url must be {SERVICE_URL}") from None


async def _body(response: aiohttp.ClientResponse) -> Any:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_RESPONSE_BYTES:
            raise CommandError("the response is larger than 64 MiB; request less with --limit")
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        if _is_good(response):
            raise CommandError(
                "the server is not txtrack: its response is not JSON; check the URL"
            ) from None
        return None


def _is_good(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


def _pause(response: aiohttp.ClientResponse) -> float | None:
    """Return the seconds to wait before a retry; ``None`` if a retry is pointless."""
    wanted = response.headers.get("Retry-After", "")
    if response.status not in _BUSY or not wanted.isdecimal():
        return None
    return min(float(wanted), _MAX_RETRY_SECONDS)


def _refused(status: int, answer: Any) -> ApiError:
    problem = answer if isinstance(answer, dict) else {}
    return ApiError(status, problem, problem_message(status, problem))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()


def problem_message(status: int, problem: Mapping[str, Any]) -> str:
    """Return the message for a problem.

    Args:
        status: HTTP status.
        problem: Problem details (RFC 9457); empty if the response has none.
    """
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
    kind = str(problem.get("type", "")).rpartition(":")[2]
    if (fix := FIXES.get(kind)) is not None:
        # Replace the API's hint after the last semicolon: an id can contain semicolons too.
        return f"{detail.rpartition('; ')[0] or detail}; {fix}"
    errors = [_described(error) for error in problem.get("errors") or () if isinstance(error, dict)]
    text = "\n  ".join([f"the service refuses: {detail}", *_others(detail, errors)])
    if status == 401:
        text += "; set TXTRACK_TOKEN (txtrack token create makes one)"
    return text


def _others(detail: str, errors: list[str]) -> list[str]:
    """Return the errors, or none if the only one repeats the detail."""
    return [] if len(errors) == 1 and errors[0].endswith(detail) else errors


def _described(error: Mapping[str, Any]) -> str:
    place = str(error.get("pointer") or error.get("parameter") or error.get("header") or "")
    detail = str(error.get("detail", ""))
    return detail if detail.startswith(f"{place}:") or not place else f"{place}: {detail}"
