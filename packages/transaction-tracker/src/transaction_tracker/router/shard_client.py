"""The requests to one shard: to its owner, wherever it is."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from transaction_tracker.api.guard import SHARD_HEADER
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.domain.sharding import Shard, ShardMap

# A page of a thousand transactions with all their details has a few MiB.
MAX_RESPONSE_BYTES = 64 * 2**20
_CONNECT_SECONDS = 3.0
# Time for the beginning of a stream. The response of a frozen program never begins.
_STREAM_SECONDS = 5.0
# Time for the check whether a shard responds. A frozen program accepts connections.
PROBE_SECONDS = 3.0
_READY = "/readyz"
# Repeating these has no further effect, so one that may have been executed is sent again.
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "PATCH", "DELETE"))

logger: logging.Logger = logging.getLogger("transaction_tracker.router")


class ShardUnavailableError(Exception):
    """No program of a shard responds as its owner.

    Attributes:
        number: Number of the shard.
    """

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"shard {number} is unavailable: {why}")
        self.number = number

    def problem(self) -> ProblemError:
        """Return the problem of a request that needs the shard."""
        return shard_unavailable(f"{self}; retry soon")


def shard_unavailable(detail: str) -> ProblemError:
    """Return the problem of a request that needs a shard that is unavailable."""
    return ProblemError(503, detail, kind="shard-unavailable", headers={"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class ShardResponse:
    """A response of a shard.

    Attributes:
        status: HTTP status.
        headers: Headers, with names in lower case.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The content; ``None`` if it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def kind(self) -> str:
        """Kind of the problem, such as ``not-tracked``; empty for another response."""
        if self.status < 400:
            return ""
        content = self.json
        return str(content.get("type", "")).rpartition(":")[2] if isinstance(content, dict) else ""


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """A request to a shard.

    Attributes:
        method: HTTP method.
        target: Path and query, as they are sent.
        headers: Headers.
        body: The body; ``None`` for none.
        seconds: Time for the response, in addition to that of the client.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None
    seconds: float = 0.0

    @property
    def is_repeatable(self) -> bool:
        """Whether it has the same effect when it is sent twice. Registrations have."""
        return self.method in _REPEATABLE or self.target == "/v1/transactions"


class ShardClient:
    """Sends requests to the program that owns a shard.

    Args:
        number: Number of the shard.
        urls: URLs of its programs.
        shards: The numbers of shards.
        session: The HTTP client.
        seconds: Time for a response.

    Attributes:
        number: Number of the shard.
        is_up: Whether a program has responded as the owner; ``None`` before the first check.
        is_ready: Whether that program was ready.
        why: Why the shard is not up, or not ready.
        since: Unix seconds since which that is so.
        failures: Number of requests that found no owner.
        moves: Number of changes of the owner's URL.
    """

    def __init__(
        self,
        number: int,
        urls: Sequence[str],
        shards: ShardMap,
        session: aiohttp.ClientSession,
        seconds: float,
    ) -> None:
        self.number = number
        self.is_up: bool | None = None
        self.is_ready: bool = False
        self.why: str = "it was not asked yet"
        self.since: float = time.time()
        self.failures: int = 0
        self.moves: int = 0
        self._urls = tuple(urls)
        self._owner = self._urls[0]
        self._map = shards
        self._session = session
        self._seconds = seconds
        self._streams: set[aiohttp.ClientResponse] = set()

    @property
    def owner(self) -> str:
        """URL of the program that was the owner at the last response."""
        return self._owner

    async def request(self, request: ShardRequest) -> ShardResponse:
        """Send a request to the owner, and return its response.

        Raises:
            ShardUnavailableError: No program responds as the owner in time.
        """
        seconds = self._seconds + request.seconds
        try:
            if self.is_up is False:
                # At once: until a check succeeds, clients would wait for nothing.
                raise self._failed(self.why)
            async with asyncio.timeout(seconds):
                return await self._ask_in_turn(request)
        except TimeoutError:
            self.failures += 1
            raise self._failed(f"no response within {seconds:g} s") from None
        except ShardUnavailableError:
            self.failures += 1
            raise

    @asynccontextmanager
    async def stream(self, request: ShardRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a stream of the owner.

        The response can have any status. Its end, and an error of the connection, are those of
        the stream.

        Raises:
            ShardUnavailableError: No program responds as the owner.
        """
        try:
            async with (
                asyncio.timeout(min(self._seconds, _STREAM_SECONDS)) as beginning,
                self._send(self._owner, request) as response,
            ):
                beginning.reschedule(None)
                self._check(self._owner, response.headers)
                self._streams.add(response)
                try:
                    yield response
                finally:
                    self._streams.discard(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failed(_reason(error)) from None

    async def probe(self) -> None:
        """Check which program is the owner, and whether it is ready."""
        why = ""
        for url in self._in_turn():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    response = await self._ask(url, ShardRequest("GET", _READY, {}))
            except ShardUnavailableError as error:
                why = why or str(error.__cause__ or error)
                continue
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = why or f"{url}: {_reason(error)}"
                continue
            if response.status == 200 or response.kind == "not-ready":
                self._found(url)
                self._show(True, response.status == 200, _detail(response))
                return
            why = why or f"{url}: {_detail(response)}"
        self._show(False, False, why)

    async def _ask_in_turn(self, request: ShardRequest) -> ShardResponse:
        why = ""
        for url in self._in_turn():
            try:
                response = await self._ask(url, request)
            except aiohttp.ClientConnectorError as error:  # nothing was sent
                why = why or f"{url}: {_reason(error)}"
                continue
            except (aiohttp.ClientError, OSError) as error:
                if not request.is_repeatable:
                    raise self._failed(
                        f"{url}: {_reason(error)}; the request can have been executed"
                    ) from None
                why = why or f"{url}: {_reason(error)}"
                continue
            if response.kind == "standby":
                why = why or f"{url}: {_detail(response)}"
                continue
            self._found(url)
            return response
        raise self._failed(why)

    def _in_turn(self) -> list[str]:
        """Return the URLs, the last owner first. Only configured ones: they get the tokens."""
        return [self._owner, *(url for url in self._urls if url != self._owner)]

    async def _ask(self, url: str, request: ShardRequest) -> ShardResponse:
        async with self._send(url, request) as response:
            self._check(url, response.headers)
            if 300 <= response.status < 400:
                raise self._failed(f"{url}: it responds with a redirect")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise self._failed(f"{url}: its response is larger than 64 MiB")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return ShardResponse(response.status, headers, bytes(body))

    def _send(self, url: str, request: ShardRequest) -> Any:
        return self._session.request(
            request.method,
            URL(url + request.target, encoded=True),
            headers=request.headers,
            data=request.body,
            # A redirect would send the token to another server.
            allow_redirects=False,
        )

    def _check(self, url: str, headers: Mapping[str, str]) -> None:
        """Raise unless the program is this shard, of this service or one that has grown."""
        shown = headers.get(SHARD_HEADER, "")
        number, _, counts = shown.partition("/")
        try:
            found = Shard(int(number), ShardMap.parse(counts))
        except ValueError:
            raise self._failed(f"{url} is not a shard; set shard.number there") from None
        if found.number != self.number or not found.map.fits(self._map):
            raise self._failed(f"{url} is shard {shown}, not {self.number}/{self._map}")

    def _found(self, url: str) -> None:
        if url != self._owner:
            self.moves += 1
            self._owner = url
            self._end_streams()
            logger.info("shard %d: %s is the owner", self.number, url)

    def _end_streams(self) -> None:
        """Close the streams of a former owner: a frozen program keeps its connections open."""
        for response in self._streams:
            response.close()

    def _failed(self, why: str) -> ShardUnavailableError:
        return ShardUnavailableError(self.number, why)

    def _show(self, is_up: bool, is_ready: bool, why: str) -> None:
        if (self.is_up, self.is_ready) != (is_up, is_ready):
            self.since = time.time()
            if not is_up:
                self._end_streams()
                logger.warning("shard %d is unavailable: %s", self.number, why)
            elif self.is_up is False:
                logger.info("shard %d is available again", self.number)
        self.is_up, self.is_ready, self.why = is_up, is_ready, "" if is_ready else why


def http_session(seconds: float) -> aiohttp.ClientSession:
    """Return the HTTP client of a router, which the caller closes.

    Args:
        seconds: Time for a connection to a shard, if it is below the default.
    """
    return aiohttp.ClientSession(
        # Shorter than the time after which a shard closes an idle connection.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(seconds, _CONNECT_SECONDS)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=2**20,
    )


def _detail(response: ShardResponse) -> str:
    content = response.json
    text = content.get("detail") if isinstance(content, dict) else None
    return str(text or f"HTTP status {response.status}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
