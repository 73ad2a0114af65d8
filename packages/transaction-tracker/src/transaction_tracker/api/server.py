"""The HTTP server of the API, with stricter limits than uvicorn's."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp

from beamish.observer.serving import (
    POLL_INTERVAL_SECONDS,
    EmbeddedServer,
    HeaderTimeoutProtocol,
)
from transaction_tracker.api.connections import Acceptor, Admission
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import MEDIA_TYPE

# uvicorn warns about invalid requests, which anyone can send. Only errors are logged.
_wire = logging.getLogger("transaction_tracker.api.wire")
_wire.setLevel(logging.ERROR)


def _is_error(record: logging.LogRecord) -> bool:
    """Return whether a record is about an error, not about a cancelled request.

    uvicorn logs both. Requests are cancelled at a shutdown if they do not end in time.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


_wire.addFilter(_is_error)

_BACKLOG = 1_024
_LINGER_SECONDS = 1.0

_BAD_REQUEST = (
    b'{"type":"about:blank","title":"Bad Request","status":400,'
    b'"detail":"not an HTTP/1.1 request, or its headers are too large"}'
)


class HttpServer(EmbeddedServer):
    """A server within the limits of the API.

    Args:
        config: Configuration of uvicorn.
        protocol: Protocol class of connections.
        admission: Limits on connections.
        shutdown_seconds: Time for requests in progress to end when the server stops.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        protocol: "type[GuardedProtocol]",
        admission: Admission,
        shutdown_seconds: float,
    ) -> None:
        super().__init__(config)
        self._admission = admission
        self._protocol_class = protocol
        self._shutdown_seconds = shutdown_seconds
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections within the limits of ``admission``."""
        await self.lifespan.startup()
        self.servers: list[asyncio.Server] = []
        self._acceptors = [
            Acceptor(sock, self._admission, self._protocol) for sock in sockets or ()
        ]
        self.started = True

    async def tick(self) -> None:
        """Check the acceptors, and update the ``Date`` header."""
        for acceptor in self._acceptors:
            acceptor.check()
        await super().tick()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and wait ``shutdown_seconds`` for requests to end."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown_seconds):
                while self.server_state.tasks:
                    await asyncio.wait(self.server_state.tasks)
                while self.server_state.connections:  # responses are still being sent
                    await asyncio.sleep(POLL_INTERVAL_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()

    def abandon(self) -> None:
        """Abort all connections."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _protocol(self, release: Callable[[], None]) -> asyncio.Protocol:
        protocol = self._protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        protocol.on_close = release
        return protocol


def http_server(app: ASGIApp, options: WebOptions) -> HttpServer:
    """Return a server for ``app``; ``serve(sockets=[...])`` runs it."""
    protocol = _protocol(options)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
        h11_max_incomplete_event_size=options.max_headers_bytes,
    )
    return HttpServer(config, protocol, Admission.of(options), options.shutdown_seconds)


def bind(options: WebOptions) -> socket.socket:
    """Return a socket that listens on the address and port of the options.

    Raises:
        OSError: The address cannot be used; the message names the address and a way out.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol given, asyncio sets TCP_NODELAY, so small parts are sent at once.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _cannot_listen(options, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(options, error) from None
    sock.setblocking(False)
    return sock


def _cannot_listen(options: WebOptions, error: OSError) -> OSError:
    where = f"{options.host} port {options.port}"
    way_out = "choose another address or port; port 0 chooses a free port"
    return OSError(error.errno, f"cannot listen on {where}: {error.strerror}; {way_out}")


def _protocol(options: WebOptions) -> "type[GuardedProtocol]":
    class Guarded(GuardedProtocol):
        header_seconds = options.header_seconds

    return Guarded


class GuardedProtocol(HeaderTimeoutProtocol):
    """One connection, whose invalid requests get a problem.

    Attributes:
        on_close: Function that is called when the connection is closed.
    """

    wire = _wire
    on_close: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Lets the middleware abort the connection of a client that reads nothing.
        self.app_state: dict[str, Any] = {**self.app_state, "abort": self._abort}
        self._refused = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection's slot."""
        super().connection_lost(exc)
        self.on_close()

    def send_400_response(self, msg: str) -> None:
        """Send a problem for an invalid request."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=_BAD_REQUEST),
            h11.EndOfMessage(),
        )
        with contextlib.suppress(h11.LocalProtocolError):  # a response has already started
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        # A client that is still sending would lose the response if the connection closed at once.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self._abort)

    def data_received(self, data: bytes) -> None:
        """Parse data, unless the request was refused."""
        if not self._refused:
            super().data_received(data)

    def end_connection(self) -> None:
        """Close the connection, or abort it if the client has not read the last response."""
        if self.transport.get_write_buffer_size():
            self._abort()  # a close would wait until the client has read the rest
        else:
            self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()
