"""All shards of a service: which of them a request needs, and their responses together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from transaction_tracker.api.problems import ProblemError
from transaction_tracker.domain.sharding import ShardMap
from transaction_tracker.router.shard_client import (
    ShardClient,
    ShardRequest,
    ShardResponse,
    ShardUnavailableError,
    http_session,
)

_PASSED_ON = ("authorization", "content-type", "idempotency-key")
_PASSED_BACK = frozenset(
    ("content-type", "retry-after", "idempotent-replayed", "www-authenticate", "allow")
)


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards behind a router.

    Attributes:
        clients: The client of each shard, by its number.
        map: The numbers of shards.
    """

    clients: Sequence[ShardClient]
    map: ShardMap

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, urls: Sequence[Sequence[str]], shards: ShardMap, seconds: float
    ) -> AsyncIterator["Shards"]:
        """Yield the shards, with an HTTP client that is closed at the end.

        Args:
            urls: URLs of the programs of each shard.
            shards: The numbers of shards.
            seconds: Time for a response.
        """
        async with http_session(seconds) as session:
            yield cls(
                [
                    ShardClient(number, each, shards, session, seconds)
                    for number, each in enumerate(urls)
                ],
                shards,
            )

    async def one_of(
        self, numbers: Sequence[int], request: ShardRequest, elsewhere: Callable[..., bool]
    ) -> ShardResponse:
        """Return the response of the first shard that is the right one.

        Args:
            numbers: The shards, in the order in which they are asked.
            request: The request.
            elsewhere: Whether a response means that another shard is the right one.

        Raises:
            ShardUnavailableError: No shard was the right one, and not all of them responded.
        """
        last: ShardResponse | None = None
        missing: ShardUnavailableError | None = None
        for number in numbers:
            try:
                last = await self.clients[number].request(request)
            except ShardUnavailableError as error:
                missing = missing or error
                continue
            if not elsewhere(last):
                return last
        if missing is not None or last is None:
            raise missing or ShardUnavailableError(self.map.count, "the router does not know it")
        return last

    async def of(self, transaction: str, request: ShardRequest) -> ShardResponse:
        """Return the response of the shard that tracks a transaction.

        Raises:
            ShardUnavailableError: A shard that can track it is unavailable.
        """
        return await self.one_of(self.map.places(transaction), request, _is_not_tracked)

    async def all(self, request: ShardRequest) -> list[ShardResponse]:
        """Return the responses of all shards, which are asked side by side.

        Raises:
            ShardUnavailableError: A shard is unavailable; others can have executed the request.
        """
        return await self.each(lambda client: client.request(request))

    async def each(
        self, ask: Callable[[ShardClient], Awaitable[ShardResponse]]
    ) -> list[ShardResponse]:
        """Return what ``ask`` returns for all shards, side by side; see `all`."""
        found = await asyncio.gather(*map(ask, self.clients), return_exceptions=True)
        for result in found:
            if isinstance(result, BaseException):
                raise result
        return [result for result in found if isinstance(result, ShardResponse)]

    async def any(self, request: ShardRequest) -> ShardResponse:
        """Return the response of the first shard that is available.

        Raises:
            ShardUnavailableError: None is.
        """
        return await self.one_of(range(self.map.count), request, lambda _: False)

    def check_all(self) -> None:
        """Raise a problem unless all shards are available, before a change of all of them."""
        for client in self.clients:
            if client.is_up is False:
                raise ShardUnavailableError(client.number, client.why).problem()

    def numbered(self, text: str) -> ShardClient:
        """Return the shard that the parameter ``shard`` of a request names."""
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else -1
        if not 0 <= number < self.map.count:
            detail = f"shard: must be 0 to {self.map.count - 1}"
            errors = [{"detail": detail, "parameter": "shard"}]
            raise ProblemError(422, detail, kind="invalid-request", errors=errors)
        return self.clients[number]


def passed_on(
    request: Request, body: bytes | None = None, *, target: str | None = None, seconds: float = 0.0
) -> ShardRequest:
    """Return the request to a shard that a client's request becomes.

    Args:
        request: The client's request.
        body: Its body, if it has one.
        target: Path and query. Default: those of the client.
        seconds: Time of a long poll.
    """
    given = request.headers
    headers = {name: given[name] for name in _PASSED_ON if name in given}
    headers["X-Request-ID"] = request.state.request_id
    if request.client is not None:
        # A shard counts wrong tokens by the client's address, if it trusts the router as a proxy.
        headers["X-Forwarded-For"] = request.client.host
    return ShardRequest(
        request.method,
        target_of(request) if target is None else target,
        headers,
        body or None,
        seconds,
    )


def target_of(request: Request) -> str:
    """Return the path and the query of a request, as the client has sent them."""
    query: bytes = request.scope["query_string"]
    return path_of(request) + (f"?{query.decode('latin-1')}" if query else "")


def path_of(request: Request) -> str:
    """Return the path of a request, as the client has sent it."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return path.decode("latin-1")


def returned(response: ShardResponse) -> Response:
    """Return a shard's response to the client."""
    headers = {name: value for name, value in response.headers.items() if name in _PASSED_BACK}
    return Response(response.body, response.status, headers=headers)


def first_refusal(responses: Sequence[ShardResponse]) -> ShardResponse | None:
    """Return the first response that is not a success."""
    return next((each for each in responses if each.status >= 300), None)


def with_headers(request: ShardRequest, headers: Mapping[str, str | None]) -> ShardRequest:
    """Return a request with other values of some headers; ``None`` leaves one out."""
    changed: dict[str, Any] = {**request.headers, **headers}
    return replace(
        request, headers={name: value for name, value in changed.items() if value is not None}
    )


def _is_not_tracked(response: ShardResponse) -> bool:
    return response.status == 404 and response.kind == "not-tracked"
