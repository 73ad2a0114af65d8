"""The process that serves the API: starts last and stops first."""

import asyncio
import logging
import socket
from contextlib import suppress

from beamish import Exit, GenServer, Pid, Stop, call, process
from transaction_tracker.api.app import create_app
from transaction_tracker.api.options import MAX_SHUTDOWN_SECONDS, WebOptions
from transaction_tracker.api.server import HttpServer, bind, http_server
from transaction_tracker.api.service import Service
from transaction_tracker.store import Store
from transaction_tracker.store.access import has_usable_token

WEB = "TransactionTracker.Web"

_MARGIN_SECONDS = 1.0

logger = logging.getLogger("transaction_tracker.api")


class NoTokenError(ValueError):
    """The API would be reachable from other machines without a token."""


class Web(GenServer, trap_exit=True, shutdown=MAX_SHUTDOWN_SECONDS + 5.0):
    """Serve the API.

    Args:
        service: The parts of the application that the API uses.
        options: Address and limits.

    Raises:
        StartError: At the start: the port is in use (``OSError``), or the address is not a
            loopback address and there is no token (``NoTokenError``).
    """

    def __init__(self, service: Service, options: WebOptions) -> None:
        self._service = service
        self._options = options
        self._url = ""
        self._listener: HttpServer | None = None
        self._server: Pid | None = None
        self._served = asyncio.Event()

    async def init(self) -> None:
        """Check that a token exists if one is needed, and listen."""
        if not self._options.is_local and not await Store.run(has_usable_token):
            raise NoTokenError(
                f"{self._options.host} is reachable from other machines: create a token first, "
                "or listen on 127.0.0.1"
            )
        sock = bind(self._options)
        self._url = _url(sock)
        self._service.feed.open()
        self._listener = http_server(create_app(self._service, self._options), self._options)
        self._server = process.spawn_link(self._serve, self._listener, sock)
        logger.info("listening", extra={"url": self._url})

    @call
    def url(self) -> str:
        """Return the URL of the API, such as ``http://127.0.0.1:8080``."""
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
        self._service.feed.close()
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
