"""A process that serves an ASGI application on a socket."""

import asyncio
import logging
import socket
from contextlib import suppress

from starlette.types import ASGIApp

from beamish import Exit, GenServer, Pid, Stop, call, process
from transaction_tracker.api.options import MAX_SHUTDOWN_SECONDS, WebOptions
from transaction_tracker.api.server import HttpServer, bind, http_server

_MARGIN_SECONDS = 1.0

logger: logging.Logger = logging.getLogger("transaction_tracker.api")


class Listening(GenServer, trap_exit=True, shutdown=MAX_SHUTDOWN_SECONDS + 5.0):
    """Serve an ASGI application, which a subclass passes to ``listen``.

    Args:
        options: Address and limits.
        listener: Listening socket, which stays open. Default: one of the process, at the address.
    """

    def __init__(self, options: WebOptions, listener: socket.socket | None = None) -> None:
        self._options = options
        self._given = listener
        self._url = ""
        self._listener: HttpServer | None = None
        self._server: Pid | None = None
        self._served = asyncio.Event()

    def listen(self, app: ASGIApp) -> None:
        """Accept connections.

        Raises:
            OSError: The address cannot be used.
        """
        # A descriptor of its own: two processes can accept the connections of one queue, and
        # connections wait in it while none does.
        sock = bind(self._options) if self._given is None else self._given.dup()
        self._url = _url(sock)
        self._listener = http_server(app, self._options)
        self._server = process.spawn_link(self._serve, self._listener, sock)
        logger.info("listening", extra={"url": self._url})

    @call
    def url(self) -> str:
        """Return the URL, such as ``http://127.0.0.1:8080``."""
        return self._url

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
        if self._listener is not None:
            self._listener.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.shutdown_seconds + _MARGIN_SECONDS):
                    await self._served.wait()

    async def _serve(self, server: HttpServer, sock: socket.socket) -> None:
        try:
            await server.serve(sockets=[sock])
        finally:
            # Runs even if this process is killed: an open port that nobody serves would hang
            # its clients.
            server.abandon()
            sock.close()
            self._served.set()


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
