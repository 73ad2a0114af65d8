"""Read request bodies, with limits on size, time and nesting."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transaction_tracker.api.problems import ProblemError, parsed

MAX_DEPTH = 32
MAX_CONTAINERS = 250_000
MAX_STRINGS = 500_000

_BRACES = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

# A client that is still sending when the connection closes would lose the response, so the rest
# of a refused body is read and discarded for this long.
_DRAIN_SECONDS = 1.0
_CLOSE = {"Connection": "close"}


class ClientDisconnectedError(Exception):
    """The client disconnected before its request was complete."""


class Bodies:
    """Middleware: admit only requests whose body is complete, within limits, and JSON.

    Args:
        app: Inner application.
        max_bytes: Maximum size of a body, counted while it is received.
        seconds: Timeout for receiving a body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read and check the body, then handle the request."""
        headers = Headers(scope=scope)
        if not _has_body(headers):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(headers, receive)
        except ClientDisconnectedError:
            return
        if body:
            check_media_type(headers)
            check_depth(body)
        await self._app(scope, replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ProblemError(415, "send the body without compression", headers=_CLOSE)
        if int(headers.get("content-length", "0")) > self._max_bytes:
            await _drain(receive)
            raise self._too_large()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._collect(receive)
        except TimeoutError:
            detail = f"the body was not received within {self._seconds:g} s"
            raise ProblemError(408, detail, headers=_CLOSE) from None

    async def _collect(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_bytes:
                if more:
                    await _drain(receive)
                raise self._too_large()
            if not more:
                return bytes(body)

    def _too_large(self) -> ProblemError:
        detail = f"a body must have at most {self._max_bytes:,} bytes; split the request"
        return ProblemError(413, detail, headers=_CLOSE)


def check_media_type(headers: Headers) -> None:
    """Raise a problem unless the media type is JSON.

    Browsers let any web page send forms and plain text to other sites without asking them, but
    not JSON.

    Source:
        Fetch standard, CORS-safelisted request headers.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(415, "send JSON, with the header Content-Type: application/json")


def check_depth(body: bytes) -> None:
    """Raise a problem for JSON that is nested too deep or has too many values, before parsing.

    It uses only operations of bytes, whose time is linear in the size of the body: no loop over
    characters, and no pattern that a body could slow down.
    """
    # Every second part is inside a string, where brackets do not count.
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"', 2 * MAX_STRINGS)
    brackets = b"".join(parts[::2]).translate(_BRACES, _NOT_BRACKETS)
    if len(parts) > 2 * MAX_STRINGS or len(brackets) > 2 * MAX_CONTAINERS:
        limits = f"{MAX_STRINGS:,} strings, and {MAX_CONTAINERS:,} lists and objects"
        raise ProblemError(413, f"a body must have at most {limits}")
    for _ in range(MAX_DEPTH):
        # Each round removes the innermost pairs of brackets, and so one level of nesting.
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    # A remaining pair is nested deeper than the limit; without a pair, the brackets do not match,
    # and the parser says where.
    if b"[]" not in brackets:
        parsed(body)
    raise ProblemError(400, f"JSON must be nested at most {MAX_DEPTH} deep")


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that first returns a body that was already read."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _drain(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
