"""The outermost middleware: request ids, log lines, security headers, limits and errors."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beamish import ExitError, telemetry
from transaction_tracker.api.problems import ProblemError, response, standby, unavailable
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.store import StoreError
from transaction_tracker.store.owned import OwnedFor, unlimited

logger: logging.Logger = logging.getLogger("transaction_tracker.api")

REQUEST = ("transaction_tracker", "http", "request")

# A request id of the client is used if it cannot forge log lines.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_LOGGED_PATH_CHARACTERS = 200
MAX_HEADERS = 100

# Responses of a shard say which one it is, so that a router never takes one for another.
SHARD_HEADER = "X-Shard"

# Answered by every program that responds, so that a standby is not restarted.
HEALTH_PATH = "/healthz"

# Defaults for responses that are not pages: a browser must not run, frame, sniff or cache them.
_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Middleware: identify, limit, log and protect every request.

    Args:
        app: Inner application.
        max_requests: Maximum number of concurrent requests; further requests get 503.
        send_seconds: Timeout for a client to accept a part of a response.
        max_headers_bytes: Maximum size of a request's line and headers.
        owned_for: Time for which the program owns the database; without it, requests get 503.
        shard: The shard that the program is; each response says so.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_requests: int,
        send_seconds: float,
        max_headers_bytes: int,
        owned_for: OwnedFor = unlimited,
        shard: Shard | None = None,
    ) -> None:
        self._app = app
        self._headers = _SAFE_HEADERS | ({} if shard is None else {SHARD_HEADER: str(shard)})
        self._owned_for = owned_for
        self._max_requests = max_requests
        self._max_headers_bytes = max_headers_bytes
        self._send_seconds = send_seconds
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = HttpExchange(scope, send, self._send_seconds, self._headers)
        self._requests += 1
        try:
            await self._handle(exchange, receive)
        finally:
            self._requests -= 1
            exchange.report()

    async def _handle(self, exchange: "HttpExchange", receive: Receive) -> None:
        try:
            if self._requests > self._max_requests:
                raise unavailable("too many concurrent requests; retry soon")
            self._check_headers(exchange.scope)
            self._check_lease(exchange.scope)
            await self._app(exchange.scope, receive, exchange.send)
        except SlowClientError:
            return
        except ProblemError as error:
            await exchange.fail(error, receive)
        except (ExitError, StoreError):
            # A process is being restarted; its supervisor has logged why.
            await exchange.fail(unavailable("a part of the service is restarting"), receive)
        except Exception:  # the response must not contain details of an unexpected error
            logger.exception("request failed", extra={"request_id": exchange.id})
            await exchange.fail(ProblemError(500, "internal error; it is logged"), receive)

    def _check_headers(self, scope: Scope) -> None:
        # uvicorn's limit applies only to headers that arrive in more than one piece.
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        size += sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])
        if size > self._max_headers_bytes or len(scope["headers"]) > MAX_HEADERS:
            detail = (
                f"a request's line and headers must have at most {self._max_headers_bytes:,} "
                f"bytes, and there must be at most {MAX_HEADERS} headers"
            )
            raise ProblemError(431, detail, headers={"Connection": "close"})

    def _check_lease(self, scope: Scope) -> None:
        # States in memory can be out of date once another program has taken over.
        if self._owned_for() <= 0 and scope["path"] != HEALTH_PATH:
            raise standby("this service cannot renew the lease of its database; retry soon")


class SlowClientError(Exception):
    """The client did not accept the response in time; its connection was aborted."""


class HttpExchange:
    """One request and its response.

    Args:
        scope: The request.
        send: Function that sends the response.
        seconds: Timeout for the client to accept a part of the response.
        defaults: Headers of each response that does not set them itself.
    """

    def __init__(
        self, scope: Scope, send: Send, seconds: float, defaults: Mapping[str, str]
    ) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self._is_ambiguous = "content-length" in headers and "transfer-encoding" in headers
        self.id: str = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        self.scope = scope
        self._send = send
        self._seconds = seconds
        self._defaults = defaults
        self._status: int | None = None
        self._began = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        """Send a part of the response, with the headers that all responses have."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            if self._is_ambiguous:
                # A proxy that obeys the other header could read the rest of the body as another
                # request (request smuggling), so the connection must not be reused.
                # Source: RFC 9112, section 6.1.
                headers["Connection"] = "close"
            for name, value in self._defaults.items():
                headers.setdefault(name, value)
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            # Abort instead of close: a close would wait until the client has read the rest.
            if (abort := self.scope["state"].get("abort")) is not None:
                abort()
            raise SlowClientError from None

    async def fail(self, error: ProblemError, receive: Receive) -> None:
        """Send a problem; if the response has started, abort the connection instead."""
        if self._status is not None:
            abort = self.scope["state"].get("abort")
            if abort is None:
                raise error
            # Returns without raising: uvicorn would log the error as its own.
            abort()
            await asyncio.sleep(0)  # until the server knows that the connection is over
            return
        await response(error, self.id)(self.scope, receive, self.send)

    def report(self) -> None:
        """Log and count the request."""
        seconds = time.perf_counter() - self._began
        method, route = self.scope["method"], getattr(self.scope.get("route"), "path", "unknown")
        principal = self.scope["state"].get("principal")
        facts = {
            "request_id": self.id,
            "method": method,
            # Quoted, because a path can contain any character. Without the query, which can
            # contain secrets.
            "path": quote(self.scope["path"])[:_MAX_LOGGED_PATH_CHARACTERS],
            "status": self._status,
            "seconds": round(seconds, 6),
            "client": (self.scope.get("client") or ("unknown",))[0],
            "token": getattr(principal, "id", None),
        }
        logger.info("request", extra=facts)
        labels = {"method": method, "route": route, "status": self._status}
        telemetry.execute(REQUEST, {"seconds": seconds}, labels)
