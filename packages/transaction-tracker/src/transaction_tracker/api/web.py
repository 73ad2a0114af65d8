"""The process that serves the API: starts last and stops first."""

import asyncio
import socket

from beamish import process
from transaction_tracker.api.app import create_app
from transaction_tracker.api.history import SAMPLE_SECONDS
from transaction_tracker.api.listening import Listening
from transaction_tracker.api.mounted_observer import MountedObserver
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
        self._observer = MountedObserver()
        self._counting: object = None

    async def init(self) -> None:
        """Check that a token exists if one is needed, and listen."""
        if not self._options.is_local and not await Store.run(has_usable_token):
            raise NoTokenError(
                f"{self._options.host} is reachable from other machines: create a token first, "
                "or listen on 127.0.0.1"
            )
        self._service.feed.open()
        self.listen(create_app(self._service, self._options, self._observer))
        self._counting = self._service.history.begin()
        self._observer.begin()
        process.spawn_link(self._sample)

    async def terminate(self, reason: object) -> None:
        """End event streams and long polls, and stop as `Listening` does."""
        self._service.feed.close()
        self._observer.close()  # before the server waits for open responses
        await super().terminate(reason)

    def release(self) -> None:
        """End the streams of the observer, and stop counting for the charts."""
        self._observer.close()
        self._service.history.end(self._counting)

    async def _sample(self) -> None:
        process.set_label("samples for the charts")
        while True:
            self._service.history.tick(await self._service.gauges())
            await asyncio.sleep(SAMPLE_SECONDS)
