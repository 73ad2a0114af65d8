"""The process that serves the API: the last child to start, and the first to stop."""

import asyncio
import logging
import socket
from contextlib import suppress

from beamish import Exit, GenServer, Pid, Stop, call, process
from transaction_tracker.api.app import create_app
from transaction_tracker.api.options import MAX_SHUTDOWN_SECONDS, WebOptions
from transaction_tracker.api.server import Listener, bind, listener
from transaction_tracker.api.service import Service
from transaction_tracker.store import Store
from transaction_tracker.store.access import has_usable_token

WEB = "TransactionTracker.Web"

_MARGIN_SECONDS = 1.0

logger = logging.getLogger("transaction_tracker.api")


class NoTokenError(ValueError):
    """The API would be open to others, and no token protects it."""


class Web(GenServer, trap_exit=True, shutdown=MAX_SHUTDOWN_SECONDS + 5.0):
    """Serve the API.

    Args:
        service: What it serves.
        options: Where, and within which limits.

    Raises:
        StartError: When it starts: the port is in use (``OSError``), or the address is one
            that others can reach and there is no token (``NoTokenError``).
    """

    def __init__(self, service: Service, options: WebOptions) -> None:
        self._service = service
        self._options = options
        self._url = ""
        self._listener: Listener | None = None
        self._server: Pid | None = None
        self._served = asyncio.Event()

    async def init(self) -> None:
        """Make sure that it is safe, and listen."""
        if not self._options.is_local and not await Store.run(has_usable_token):
            raise NoTokenError(
                f"{self._options.host} can be reached by others: create a token first, "
                "or listen on 127.0.0.1"
            )
        sock = bind(self._options)
        self._url = _url(sock)
        self._service.feed.open()
        self._service.metrics.attach()
        self._listener = listener(create_app(self._service, self._options), self._options)
        self._server = process.spawn_link(self._serve, self._listener, sock)
        logger.info("listening", extra={"url": self._url})

    @call
    def url(self) -> str:
        """Say where the API is: ``http://127.0.0.1:8080``."""
        return self._url

    def handle_info(self, message: object) -> Stop | None:
        """End with the server."""
        match message:
            case Exit(_, reason):
                return Stop(reason)
            case _:
                super().handle_info(message)
                return None

    async def terminate(self, _reason: object) -> None:
        """Accept no more, let requests end, and close what does not."""
        self._service.feed.close()
        if self._listener is not None:
            self._listener.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.shutdown_seconds + _MARGIN_SECONDS):
                    await self._served.wait()
        self._service.metrics.detach()

    async def _serve(self, server: Listener, sock: socket.socket) -> None:
        try:
            await server.serve(sockets=[sock])
        finally:
            # Also when this is killed: nobody is to find a port that does not answer.
            server.abandon()
            sock.close()
            self._served.set()


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
