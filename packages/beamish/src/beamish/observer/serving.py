"""What HTTP servers in an application's own event loop share: uvicorn without signal handlers."""

import asyncio
import contextlib
import logging
import socket as sockets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from beamish.gen_server import GenServer
from beamish.messages import Exit
from beamish.process import set_label, spawn_link
from beamish.results import Stop

POLL_INTERVAL_SECONDS = 0.01

_TICK_SECONDS = 1.0


class EmbeddedServer(uvicorn.Server, ABC):
    """A uvicorn server that its caller stops, and that captures no signals.

    Args:
        config: Configuration of uvicorn.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: the surrounding program handles them."""
        yield

    async def main_loop(self) -> None:
        """Update the ``Date`` header every second until the server stops."""
        while not self.should_exit:
            await self.tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stopped.wait()

    async def tick(self) -> None:
        """Do what is due every second."""
        await self.on_tick(0)

    def stop(self) -> None:
        """Start the shutdown: stop accepting connections, and wait for requests to end."""
        self.should_exit = True
        self._stopped.set()

    @abstractmethod
    def abandon(self) -> None:
        """Stop accepting connections, and abort the open ones."""


class HeaderTimeoutProtocol(H11Protocol):
    """One connection, which is closed if a request's headers do not arrive in time.

    uvicorn's keep-alive timeout ends with the first byte: without this timer, a client that sends
    one byte an hour would hold a connection without limit.

    Attributes:
        header_seconds: Time within which a connection must send the headers of its next request.
        wire: Logger for errors of connections.
    """

    header_seconds: float
    wire: logging.Logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger: logging.Logger = self.wire
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        super().connection_lost(exc)
        if self._header_timer is not None:
            self._header_timer.cancel()

    def on_response_complete(self) -> None:
        """Start the timer for the next request."""
        super().on_response_complete()
        self._expect_headers()

    def _expect_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._header_timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.end_connection()

    def end_connection(self) -> None:
        """End a connection whose headers did not arrive in time."""
        self.transport.abort()


class HttpServerProcess(GenServer, trap_exit=True):
    """A process that serves an HTTP server on sockets, and stops with it.

    Args:
        grace_seconds: Time for requests in progress to end when the process stops.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._server: EmbeddedServer | None = None
        self._served = asyncio.Event()
        self.serving: asyncio.Event = asyncio.Event()

    def serve(self, server: EmbeddedServer, listening: list[sockets.socket]) -> None:
        """Start to serve; the sockets are closed at the end.

        Args:
            server: The server.
            listening: Bound sockets.
        """
        self._server = server
        spawn_link(self._serve, server, listening)

    def release(self) -> None:
        """Release what a subclass holds, once the server has stopped; can be called repeatedly."""

    def handle_info(self, message: object) -> Stop | None:
        """Stop if the server has stopped."""
        match message:
            case Exit(_, reason):
                return Stop(reason)
            case _:
                super().handle_info(message)
                return None

    async def terminate(self, _reason: object) -> None:
        """Stop accepting connections, wait for requests in progress, and cancel the rest."""
        if self._server is not None:
            self._server.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._grace_seconds):
                    await self._served.wait()
        self.release()

    async def _serve(self, server: EmbeddedServer, listening: list[sockets.socket]) -> None:
        set_label("HTTP server")
        self.serving.set()
        try:
            await server.serve(sockets=listening)
        finally:
            # Here as well as in `terminate`, which does not run if the process is killed: an open
            # port that nobody serves would hang its clients.
            server.abandon()
            for sock in listening:
                sock.close()
            self.release()
            self._served.set()


def url_of(sock: sockets.socket) -> str:
    """Return the URL of a listening socket, such as ``http://127.0.0.1:8080``."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
