"""Attaches to the observer of a running program, by its local socket or its URL.

When not to use it: from a program on another machine; the observer's API is plain HTTP.
"""

import asyncio
import json
import os
import re
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from beamish.errors import BeamishError

TOKEN_VARIABLE = "BEAMISH_OBSERVER_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable with the token: arguments of a command are visible to other users."""

_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 60.0  # an observer sends a snapshot at least every 15 s
_MAX_LINE_BYTES = 8 * 2**20
_MAX_BODY_BYTES = 32 * 2**20
_FILE = re.compile(r"\.py(:|$)")
_PLACE = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d+")
_NO_PATH = "Not Found"  # what Starlette says of a path without a route


class AttachError(BeamishError):
    """The observer cannot be reached, or refuses; the message says what to do."""


def is_address(target: str) -> bool:
    """Return whether a target is a socket or a URL, not ``module:Application``."""
    return "://" in target or ("/" in target and not _FILE.search(target))


def meant(target: str) -> str | None:
    """Return the address that was meant by a host and port, or by a socket in this folder."""
    if _PLACE.fullmatch(target):
        return f"http://{target}/"
    return f"./{target}" if not is_address(target) and Path(target).is_socket() else None


class Remote:
    """A running program with an observer.

    Args:
        address: The path of its local socket, or the URL of its pages.

    Raises:
        AttachError: The address is not valid, or the socket is another user's.
    """

    def __init__(self, address: str) -> None:
        self.name = address
        self._token = os.environ.get(TOKEN_VARIABLE, "")
        self._url = urlsplit(address) if "://" in address else None
        if self._url is None:
            _check_socket(Path(address))
        elif self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise AttachError(f"expected a URL such as http://127.0.0.1:4000/; got {address!r}")

    async def read(self, view: str, **parameters: str) -> Any:
        """Return one snapshot of a view."""
        path = f"api/{quote(view)}{_query(parameters)}"
        async with self._request("GET", path) as reader:
            async with asyncio.timeout(_SILENCE_SECONDS):
                return _decoded(await _whole(reader))

    async def stream(self, view: str, every: int, **parameters: str) -> AsyncIterator[Any]:
        """Yield a snapshot of a view every ``every`` seconds."""
        path = f"events{_query({'view': view, 'every': str(every), **parameters})}"
        async with self._request("GET", path) as reader:
            async for event, data in _events(reader):
                if event == "gone":
                    raise AttachError(str(data["error"]))
                if event == "bye":
                    break
                yield data
        raise AttachError("the program has ended the connection")

    async def trace(self, pid: str) -> AsyncIterator[str]:
        """Yield lines about what a server does, and why the trace ended."""
        path = f"api/process/{quote(pid, safe='')}/trace"
        async with self._request("POST", path, "X-Beamish-Action: trace") as reader:
            async for event, data in _events(reader):
                if event == "traced":
                    yield str(data["text"])
                else:
                    yield f"ended: {data.get('reason', 'the program stops')}"
                    return
        yield "ended: the connection was lost"

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *headers: str
    ) -> AsyncIterator[asyncio.StreamReader]:
        """Send a request; the reader is at the body of the successful response."""
        reader, writer = await self._connect()
        try:
            writer.write(self._head(method, path, headers))
            status = await _status(reader)
            if status != 200:
                raise await self._refused(status, reader)
            yield reader
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise AttachError(f"the connection to {self.name} failed: {error}") from None
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                if self._url is None:
                    return await asyncio.open_unix_connection(self.name, limit=_MAX_LINE_BYTES)
                secure = self._url.scheme == "https"
                return await asyncio.open_connection(
                    self._url.hostname,
                    self._url.port or (443 if secure else 80),
                    limit=_MAX_LINE_BYTES,
                    ssl=ssl.create_default_context() if secure else None,
                )
        except (OSError, ValueError) as error:  # ValueError: the port
            why = str(error) or "timed out"
            raise AttachError(
                f"cannot connect to {self.name}: {why}; is the program running, with an Observer?"
            ) from None

    def _head(self, method: str, path: str, headers: tuple[str, ...]) -> bytes:
        host, base = "localhost", "/"
        if self._url is not None:
            host, base = self._url.netloc.rpartition("@")[2], self._url.path.rstrip("/") + "/"
        # HTTP/1.0: the body ends with the connection, without chunks.
        lines = [f"{method} {base}{path} HTTP/1.0", f"Host: {host}", *headers]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        if method == "POST":
            lines.append("Content-Length: 0")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    async def _refused(self, status: int, reader: asyncio.StreamReader) -> AttachError:
        if status == 401:
            return AttachError(f"{self.name} requires a token; set {TOKEN_VARIABLE}")
        try:
            text = str(_decoded(await _whole(reader))["error"])
        except (AttachError, LookupError, TypeError):
            text = _NO_PATH
        if text == _NO_PATH:
            text = f"HTTP {status}; is this the URL of an observer?"
        return AttachError(text)


def _check_socket(path: Path) -> None:
    if not hasattr(socket, "AF_UNIX"):
        raise AttachError("this system has no local sockets; attach by the observer's URL")
    try:
        found = path.stat()
    except OSError as error:
        raise AttachError(
            f"no socket at {path}: {error.strerror}; the program opens it with "
            "Observer.child_spec(socket=...)"
        ) from None
    if not stat.S_ISSOCK(found.st_mode):
        raise AttachError(f"{path} is a file, not the socket of an observer")
    if found.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise AttachError(f"the socket at {path} is of another user (id {found.st_uid})")


def _query(parameters: dict[str, str]) -> str:
    return f"?{urlencode(parameters)}" if parameters else ""


async def _status(reader: asyncio.StreamReader) -> int:
    """Read the head of a response, and return its status."""
    async with asyncio.timeout(_SILENCE_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    if found is None:
        raise ValueError("this is not an HTTP server")
    return int(found[1])


async def _whole(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while part := await reader.read(2**16):
        body += part
        if len(body) > _MAX_BODY_BYTES:
            raise AttachError("the response is too long; ask for fewer rows")
    return bytes(body)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise AttachError("the response is not JSON; is this the URL of an observer?") from None


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, Any]]:
    """Yield the name and data of server-sent events."""
    event = ""
    while True:
        async with asyncio.timeout(_SILENCE_SECONDS):
            line = (await reader.readline()).decode(errors="replace").rstrip("\r\n")
            if not line and reader.at_eof():
                return
        field, _, value = line.partition(": ")
        if field == "event":
            event = value
        elif field == "data":
            yield event, json.loads(value)
