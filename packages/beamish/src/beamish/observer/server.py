"""The observer's HTTP server: its limits, and the check of local users."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

import uvicorn

from beamish.observer.access import LOCAL_PEER
from beamish.observer.app import ObserverApp
from beamish.observer.serving import (
    POLL_INTERVAL_SECONDS,
    EmbeddedServer,
    HeaderTimeoutProtocol,
)
from beamish.observer.sockets import is_admitted, peer_user

MAX_CONNECTIONS = 64
MAX_HEADERS_BYTES = 16_384
HEADER_SECONDS = 10.0
"""Time within which a connection must send the headers of its next request."""

_SHUTDOWN_SECONDS = 5.0

# uvicorn warns about invalid requests, which anyone can send. Only errors are logged.
_wire = logging.getLogger("beamish.observer.wire")
_wire.setLevel(logging.ERROR)


class HttpServer(EmbeddedServer):
    """The server of an observer.

    Args:
        app: The application.
    """

    def __init__(self, app: ObserverApp) -> None:
        self._app = app
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
                    await asyncio.sleep(POLL_INTERVAL_SECONDS)
        self.abandon()

    def abandon(self) -> None:
        """Close the listening sockets, and abort the open connections and requests."""
        for server in getattr(self, "servers", ()):
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


class _Protocol(HeaderTimeoutProtocol):
    header_seconds = HEADER_SECONDS
    wire = _wire

    def connection_made(self, transport: Any) -> None:
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
