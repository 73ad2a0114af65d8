"""The ASGI application of the router: its routes and its middleware."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from transaction_tracker.api.answers import answer
from transaction_tracker.api.bodies import Bodies
from transaction_tracker.api.context import ConcurrencyLimit
from transaction_tracker.api.guard import Guard
from transaction_tracker.api.head import HeadRequests
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.waiting import disconnected
from transaction_tracker.metrics import CONTENT_TYPE
from transaction_tracker.router import everywhere
from transaction_tracker.router.admission import METRICS_PATH, RequestAdmission
from transaction_tracker.router.feed import list_events
from transaction_tracker.router.listing import list_transactions
from transaction_tracker.router.metrics import RouterMetrics
from transaction_tracker.router.registering import register
from transaction_tracker.router.shard_client import ShardUnavailableError
from transaction_tracker.router.shards import Shards, passed_on, path_of, returned
from transaction_tracker.router.stream import MergedStream

Handler = Callable[[Request], Awaitable[Response]]

_MAX_WAIT_SECONDS = 60.0
_DEFAULT_WAIT_SECONDS = 30.0
_ENDPOINT = "/v1/endpoints/{id}"
_ADDRESS = "/v1/addresses/{address}"


@dataclass(frozen=True, slots=True)
class RouterParts:
    """What the routes need.

    Attributes:
        shards: The shards.
        options: Address and limits.
        metrics: The metrics.
        closing: Set when the router stops.
    """

    shards: Shards
    options: WebOptions
    metrics: RouterMetrics
    closing: asyncio.Event


def create_app(parts: RouterParts) -> ASGIApp:
    """Return the ASGI application of a router."""
    options = parts.options
    app: ASGIApp = Dispatcher(parts)
    app = HeadRequests(app)
    app = Bodies(app, max_bytes=options.max_body_bytes, seconds=options.body_seconds)
    app = RequestAdmission(app, parts.shards, options.is_local)
    return Guard(
        app,
        max_requests=options.max_requests,
        send_seconds=options.send_seconds,
        max_headers_bytes=options.max_headers_bytes,
    )


class Dispatcher:
    """Call the handler of a request's route, while its client waits.

    Args:
        parts: What the routes need.
    """

    def __init__(self, parts: RouterParts) -> None:
        self._shards = parts.shards
        self._parts = parts
        self._streams = ConcurrencyLimit(
            parts.options.max_streams, "streams are open", "too-many-streams"
        )
        self._routes = list(self._make())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        handler = self._matching(scope)
        request = Request(scope, receive)
        # Read before the handler runs: then the next message is the client's disconnect.
        await request.body()
        handling = asyncio.ensure_future(handler(request))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait([handling, gone], return_when=asyncio.FIRST_COMPLETED)
            if not handling.done():
                return
            response = handling.result()
        except ShardUnavailableError as error:
            raise error.problem() from None
        finally:
            for task in (handling, gone):
                task.cancel()
        await response(scope, receive, send)

    def _matching(self, scope: Scope) -> Handler:
        allowed: set[str] = set()
        for route, handler in self._routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child, route=route)
                return handler if b"shard=" not in scope["query_string"] else self._at_one(handler)
            if match is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            headers = {"Allow": ", ".join(sorted(allowed))}
            raise ProblemError(405, "method not allowed; see the Allow header", headers=headers)
        detail = (
            "unknown path of a router; each shard has its own dashboard, /docs and /openapi.json"
        )
        raise ProblemError(404, detail)

    def _make(self) -> Iterator[tuple[Route, Handler]]:
        shards = self._shards

        def route(methods: str, path: str, handler: Any) -> tuple[Route, Handler]:
            return Route(path, _never, methods=methods.split()), handler

        def for_all(function: Any, *values: Any) -> Handler:
            return lambda request: function(shards, request, *values)

        yield route("GET", "/healthz", _healthz)
        yield route("GET", "/readyz", self._readyz)
        yield route("GET", METRICS_PATH, self._metrics)
        yield route("POST", "/v1/transactions", for_all(register))
        yield route("GET", "/v1/transactions", for_all(list_transactions))
        yield route("GET", "/v1/transactions/{id}/wait", self._by_id)
        yield route("POST", "/v1/transactions/{id}/recheck", self._by_id)
        yield route("GET PATCH DELETE", "/v1/transactions/{id}", self._by_id)
        yield route("GET", "/v1/events", for_all(list_events))
        yield route("GET", "/v1/stream", self._stream)
        yield route("GET", "/v1/service", self._service)
        yield route("POST", "/v1/endpoints", for_all(everywhere.create_endpoint))
        yield route("GET", "/v1/endpoints", for_all(everywhere.read_all, everywhere.endpoints))
        yield route("GET", _ENDPOINT, for_all(everywhere.read_all, everywhere.endpoint_of))
        yield route("PUT", _ENDPOINT, for_all(everywhere.change_all))
        yield route("DELETE", _ENDPOINT, for_all(everywhere.remove_everywhere))
        yield route("POST", f"{_ENDPOINT}/enable", for_all(everywhere.change_all))
        yield route("POST", f"{_ENDPOINT}/disable", for_all(everywhere.change_all))
        yield route("POST", f"{_ENDPOINT}/rotate", for_all(everywhere.rotate_secret))
        yield route("POST", f"{_ENDPOINT}/test", self._any)
        yield route("POST", "/v1/addresses", for_all(everywhere.change_all))
        yield route("GET", _ADDRESS, for_all(everywhere.read_all, everywhere.address_of))
        yield route("DELETE", _ADDRESS, for_all(everywhere.remove_everywhere))
        yield route("GET", "/v1/deliveries", for_all(everywhere.read_all, everywhere.deliveries))
        yield route("POST", "/v1/deliveries/resume", for_all(everywhere.change_all))
        yield route("GET", "/v1/tokens", self._any)
        yield route("DELETE", "/v1/tokens/{id}", for_all(everywhere.remove_everywhere))
        yield route("POST", "/v1/tokens", _no_tokens)
        for methods, path in _OF_ONE_SHARD:
            yield route(methods, path, _needs_shard)

    def _at_one(self, handler: Handler) -> Handler:
        """Return the handler of a request that names its shard, if it does."""

        async def ask(request: Request) -> Response:
            query = parse_qsl(request.url.query, keep_blank_values=True)
            named = [value for name, value in query if name == "shard"]
            if not named:
                return await handler(request)
            client = self._shards.numbered(named[-1])
            others = urlencode([(name, value) for name, value in query if name != "shard"])
            target = path_of(request) + (f"?{others}" if others else "")
            sent = passed_on(request, await request.body(), target=target)
            return returned(await client.request(sent))

        return ask

    async def _by_id(self, request: Request) -> Response:
        seconds = _wait_seconds(request) if request.url.path.endswith("/wait") else 0.0
        sent = passed_on(request, await request.body(), seconds=seconds)
        return returned(await self._shards.of(request.path_params["id"], sent))

    async def _any(self, request: Request) -> Response:
        return returned(await self._shards.any(passed_on(request, await request.body())))

    async def _stream(self, request: Request) -> Response:
        parts = self._parts
        return MergedStream(self._shards, request, self._streams, parts.options, parts.closing)

    async def _service(self, request: Request) -> Response:
        found = await self._shards.any(passed_on(request))
        if found.status != 200:
            return returned(found)
        return answer(everywhere.service(self._shards, found.json))

    async def _metrics(self, _request: Request) -> Response:
        return Response(self._parts.metrics.render(), media_type=CONTENT_TYPE)

    async def _readyz(self, _request: Request) -> Response:
        notes = [
            {
                "detail": f"shard {client.number} is "
                f"{'not ready' if client.is_up else 'unavailable'}: {client.why}",
                "since": datetime.fromtimestamp(client.since, UTC).isoformat(),
            }
            for client in self._shards.clients
            if not client.is_ready
        ]
        if not any(client.is_up for client in self._shards.clients):
            raise ProblemError(
                503,
                "no shard is available",
                kind="not-ready",
                errors=notes,
                headers={"Retry-After": "1"},
            )
        return answer({"status": "ready"} | ({"notes": notes} if notes else {}))


# Routes whose responses are those of one shard. The parameter ``shard`` names it.
_OF_ONE_SHARD = (
    ("GET", f"{_ENDPOINT}/attempts"),
    ("GET", f"{_ENDPOINT}/dead-letters"),
    ("POST", f"{_ENDPOINT}/redeliver"),
    ("GET", "/v1/addresses"),
    ("GET", "/v1/alerts"),
    ("GET", "/v1/history"),
    ("GET", "/v1/providers"),
    ("POST", "/v1/providers/{name}/{action}"),
    ("GET", "/v1/sources"),
    ("POST", "/v1/sources/{name}/{action}"),
)


async def _healthz(_request: Request) -> Response:
    return answer({"status": "alive"})


async def _needs_shard(_request: Request) -> Response:
    detail = "the shards do not share this: add the parameter shard, such as ?shard=0"
    errors = [{"detail": detail, "parameter": "shard"}]
    raise ProblemError(422, detail, kind="invalid-request", errors=errors)


async def _no_tokens(_request: Request) -> Response:
    raise ProblemError(
        409, "a router creates no tokens; txtrack token create creates one for all shards"
    )


async def _never(_request: Request) -> Response:
    """Stand in for the handler of a route, which the dispatcher calls itself."""
    raise NotImplementedError


def _wait_seconds(request: Request) -> float:
    try:
        return min(
            float(request.query_params.get("timeout", _DEFAULT_WAIT_SECONDS)), _MAX_WAIT_SECONDS
        )
    except ValueError:
        return 0.0  # the shard refuses it
