"""Bodies of requests: read whole, but within limits of size, time and depth."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transaction_tracker.api.problems import ProblemError, not_json

MAX_DEPTH = 32
MAX_CONTAINERS = 250_000
MAX_STRINGS = 500_000

_BRACES = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

# A client that is told off while it still sends would lose the answer: so much is thrown away.
_DRAIN_SECONDS = 1.0
_CLOSE = {"Connection": "close"}


class ClientDisconnectedError(Exception):
    """The client went away before its request was complete."""


class Bodies:
    """Let only requests through whose body is whole, small, in time and plain JSON.

    Args:
        app: What answers.
        most_bytes: The largest body; counted as it comes, whatever ``Content-Length`` says.
        seconds: The longest time that a body may take to come.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, seconds: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then answer."""
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
            raise ProblemError(415, "send the body as it is, not compressed", headers=_CLOSE)
        if int(headers.get("content-length", "0")) > self._most_bytes:
            await _drain(receive)
            raise self._too_large()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._collect(receive)
        except TimeoutError:
            detail = f"the body must be here within {self._seconds:g} s"
            raise ProblemError(408, detail, headers=_CLOSE) from None

    async def _collect(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most_bytes:
                if more:
                    await _drain(receive)
                raise self._too_large()
            if not more:
                return bytes(body)

    def _too_large(self) -> ProblemError:
        detail = f"a body may have {self._most_bytes:,} bytes; split the request"
        return ProblemError(413, detail, headers=_CLOSE)


def check_media_type(headers: Headers) -> None:
    """Refuse a body that is not called JSON: a page elsewhere could send it unasked.

    Source:
        Fetch standard, CORS-safelisted request headers: forms and plain text need no consent.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(415, "send JSON, with the header Content-Type: application/json")


def check_depth(body: bytes) -> None:
    """Refuse JSON that is nested too deep, or has too many lists and objects, before parsing it."""
    # What is between quotes that are not escaped is no bracket. Neither a loop nor a pattern
    # goes over the text: nobody can write one that takes long.
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"', 2 * MAX_STRINGS)
    brackets = b"".join(parts[::2]).translate(_BRACES, _NOT_BRACKETS)
    if len(parts) > 2 * MAX_STRINGS or len(brackets) > 2 * MAX_CONTAINERS:
        most = f"{MAX_STRINGS:,} strings, and {MAX_CONTAINERS:,} lists and objects"
        raise ProblemError(413, f"a body may have {most}")
    for _ in range(MAX_DEPTH):
        # Each round takes the innermost pairs away, and so one level.
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    # A pair that is left lies deeper than the rounds went; without one, brackets do not match.
    if b"[]" not in brackets:
        raise not_json("its brackets do not match")
    raise ProblemError(400, f"JSON must be nested at most {MAX_DEPTH} deep")


def replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, and then whatever else comes."""
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
