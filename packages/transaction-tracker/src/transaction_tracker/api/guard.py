"""The outermost layer: a name for each request, its log line, safe headers, and no crash shown."""

import asyncio
import logging
import re
import secrets
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beamish import ExitError, telemetry
from transaction_tracker.api.problems import ProblemError, response, unavailable
from transaction_tracker.store import StoreError

logger = logging.getLogger("transaction_tracker.api")

REQUEST = ("transaction_tracker", "http", "request")

# A name that the client gave is taken over when it cannot do harm in a log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOGGED_PATH_CHARACTERS = 200
MAX_HEADERS = 100

# Nothing here is a page: a browser may neither run, frame, guess nor keep any of it.
_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Name, bound, log and protect every request.

    Args:
        app: What answers.
        most: Requests under way at once; more are refused with 503.
        send_seconds: How long a client may take to accept a part of an answer.
        max_headers_bytes: Size of a request's line and headers.
    """

    def __init__(
        self, app: ASGIApp, most: int, send_seconds: float, max_headers_bytes: int
    ) -> None:
        self._app = app
        self._most = most
        self._max_headers_bytes = max_headers_bytes
        self._send_seconds = send_seconds
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Exchange(scope, send, self._send_seconds)
        self._under_way += 1
        try:
            await self._answer(seen, receive)
        finally:
            self._under_way -= 1
            seen.report()

    async def _answer(self, seen: "Exchange", receive: Receive) -> None:
        try:
            if self._under_way > self._most:
                raise unavailable("too many requests are under way; try again soon")
            self._check_headers(seen.scope)
            await self._app(seen.scope, receive, seen.send)
        except SlowClientError:
            return
        except ProblemError as error:
            await seen.fail(error, receive)
        except (ExitError, StoreError):
            # A process that is being restarted: its supervisor has reported why.
            await seen.fail(unavailable("a part of the service is restarting"), receive)
        except Exception:  # whatever it is, the client sees no more than that it happened
            logger.exception("request failed", extra={"request_id": seen.id})
            await seen.fail(ProblemError(500, "an error in the service; it is logged"), receive)

    def _check_headers(self, scope: Scope) -> None:
        # uvicorn counts only what comes in more than one piece.
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        size += sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])
        if size > self._max_headers_bytes or len(scope["headers"]) > MAX_HEADERS:
            detail = (
                f"a request's line and headers may have {self._max_headers_bytes:,} bytes, and "
                f"there may be {MAX_HEADERS} headers"
            )
            raise ProblemError(431, detail, headers={"Connection": "close"})


class SlowClientError(Exception):
    """The client did not take what it had asked for, and was cut off."""


class Exchange:
    """One request and what became of it.

    Args:
        scope: The request.
        send: Sends the answer.
        seconds: How long the client may take to accept a part of it.
    """

    def __init__(self, scope: Scope, send: Send, seconds: float) -> None:
        asked = Headers(scope=scope)
        given = asked.get("x-request-id", "")
        self._is_ambiguous = "content-length" in asked and "transfer-encoding" in asked
        self.id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        self.scope = scope
        self._send = send
        self._seconds = seconds
        self._status: int | None = None
        self._began = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        """Pass on the answer, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.id
            if self._is_ambiguous:
                # A proxy that goes by the other header takes the rest for another request.
                # Source: RFC 9112, section 6.1.
                headers["Connection"] = "close"
            for name, value in _SAFE_HEADERS.items():
                headers.setdefault(name, value)
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            # Closing would wait for what is still to be sent.
            if (abort := self.scope["state"].get("abort")) is not None:
                abort()
            raise SlowClientError from None

    async def fail(self, error: ProblemError, receive: Receive) -> None:
        """Answer with a problem; when the answer has begun, it can only break off."""
        if self._status is not None:
            abort = self.scope["state"].get("abort")
            if abort is None:
                raise error
            # No more than that, and above all no error that the server would log as its own.
            abort()
            await asyncio.sleep(0)  # until the server knows that the connection is over
            return
        await response(error, self.id)(self.scope, receive, self.send)

    def report(self) -> None:
        """Log and count it."""
        seconds = time.perf_counter() - self._began
        method, route = self.scope["method"], getattr(self.scope.get("route"), "path", "unknown")
        principal = self.scope["state"].get("principal")
        facts = {
            "request_id": self.id,
            "method": method,
            # Quoted: a path may hold anything, and a query may hold secrets.
            "path": quote(self.scope["path"])[:_LOGGED_PATH_CHARACTERS],
            "status": self._status,
            "seconds": round(seconds, 6),
            "client": (self.scope.get("client") or ("unknown",))[0],
            "token": getattr(principal, "id", None),
        }
        logger.info("request", extra=facts)
        labels = {"method": method, "route": route, "status": self._status}
        telemetry.execute(REQUEST, {"seconds": seconds}, labels)
