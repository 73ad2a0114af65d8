"""The process that serves the API: starts last and stops first."""

import socket

from transaction_tracker.api.app import create_app
from transaction_tracker.api.listening import Listening
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.service import Service
from transaction_tracker.store import Store
from transaction_tracker.store.access import has_usable_token

WEB = "TransactionTracker.Web"


class NoTokenError(ValueError):
    """The API would be reachable from other machines without a token."""


class Web(Listening):
    """Serve the API.

    Args:
        service: The parts of the application that the API uses.
        options: Address and limits.
        listener: Listening socket, which stays open. Default: one of the process, at the address.

    Raises:
        StartError: At the start: the port is in use (``OSError``), or the address is not a
            loopback address and there is no token (``NoTokenError``).
    """

    def __init__(
        self, service: Service, options: WebOptions, listener: socket.socket | None = None
    ) -> None:
        super().__init__(options, listener)
        self._service = service

    async def init(self) -> None:
        """Check that a token exists if one is needed, and listen."""
        if not self._options.is_local and not await Store.run(has_usable_token):
            raise NoTokenError(
                f"{self._options.host} is reachable from other machines: create a token first, "
                "or listen on 127.0.0.1"
            )
        self._service.feed.open()
        self.listen(create_app(self._service, self._options))

    async def terminate(self, reason: object) -> None:
        """End event streams and long polls, and stop as `Listening` does."""
        self._service.feed.close()
        await super().terminate(reason)
