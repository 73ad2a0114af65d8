"""uvicorn in the application's event loop, without signal handlers."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from beamish.observer.access import LOCAL_PEER
from beamish.observer.app import ObserverApp
from beamish.observer.sockets import is_admitted, peer_user

MAX_CONNECTIONS = 64
MAX_HEADERS_BYTES = 16_384
HEADER_SECONDS = 10.0
"""Time within which a connection must send the headers of its next request."""

_TICK_SECONDS = 1.0
_SHUTDOWN_SECONDS = 5.0
_POLL_INTERVAL_SECONDS = 0.01

# uvicorn warns about invalid requests, which anyone can send. Only errors are logged.
_wire = logging.getLogger("beamish.observer.wire")
_wire.setLevel(logging.ERROR)


class HttpServer(uvicorn.Server):
    """A server that its caller stops, and that captures no signals.

    Args:
        app: The application.
    """

    def __init__(self, app: ObserverApp) -> None:
        self._app = app
        self._stop = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MAX_CONNECTIONS,
                h11_max_incomplete_event_size=MAX_HEADERS_BYTES,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: the surrounding program handles them."""
        yield

    async def main_loop(self) -> None:
        """Update the ``Date`` header every second until the server stops."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, end the streams, and wait for requests in progress."""
        for server in self.servers:
            server.close()
        # First the streams: uvicorn waits for responses, and a stream ends only when it is told.
        self._app.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                while self.server_state.tasks or self.server_state.connections:
                    await asyncio.sleep(_POLL_INTERVAL_SECONDS)
        self.abandon()

    def stop(self) -> None:
        """Start the shutdown."""
        self.should_exit = True
        self._stop.set()

    def abandon(self) -> None:
        """Close the listening sockets, and abort the open connections and requests."""
        for server in getattr(self, "servers", ()):
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


class _Protocol(H11Protocol):
    """One connection, which is closed if a request's headers do not arrive in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _wire
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Check the user of a local connection, and wait for the first request."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock.family == getattr(socket, "AF_UNIX", None):
            user = peer_user(sock)
            if not is_admitted(user):
                transport.abort()
                return
            peer = f"user {user}" if user is not None else "a local user"
            self.app_state = {**self.app_state, LOCAL_PEER: peer}
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for headers."""
        super().connection_lost(exc)
        if self._header_timer is not None:
            self._header_timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._expect_headers()

    def _expect_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        # uvicorn's keep-alive timeout ends with the first byte: without this timer, a client that
        # sends one byte an hour would hold one of the few connections without limit.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
