"""A process that serves an ASGI application on a socket."""

import logging
import socket

from starlette.types import ASGIApp

from beamish import call
from beamish.observer.serving import HttpServerProcess, url_of
from transaction_tracker.api.options import MAX_SHUTDOWN_SECONDS, WebOptions
from transaction_tracker.api.server import bind, http_server

_MARGIN_SECONDS = 1.0

logger: logging.Logger = logging.getLogger("transaction_tracker.api")


class Listening(HttpServerProcess, shutdown=MAX_SHUTDOWN_SECONDS + 5.0):
    """Serve an ASGI application, which a subclass passes to ``listen``.

    Args:
        options: Address and limits.
        listener: Listening socket, which stays open. Default: one of the process, at the address.
    """

    def __init__(self, options: WebOptions, listener: socket.socket | None = None) -> None:
        super().__init__(options.shutdown_seconds + _MARGIN_SECONDS)
        self._options = options
        self._given = listener
        self._url = ""

    def listen(self, app: ASGIApp) -> None:
        """Accept connections.

        Raises:
            OSError: The address cannot be used.
        """
        # A descriptor of its own: two processes can accept the connections of one queue, and
        # connections wait in it while none does.
        sock = bind(self._options) if self._given is None else self._given.dup()
        self._url = url_of(sock)
        self.serve(http_server(app, self._options), [sock])
        logger.info("listening", extra={"url": self._url})

    @call
    def url(self) -> str:
        """Return the URL, such as ``http://127.0.0.1:8080``."""
        return self._url
