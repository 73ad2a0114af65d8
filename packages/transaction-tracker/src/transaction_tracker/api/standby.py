"""The HTTP interface of a standby: it is alive, and not ready."""

import socket
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from transaction_tracker.api.answers import answer
from transaction_tracker.api.guard import HEALTH_PATH, Guard
from transaction_tracker.api.listening import Listening
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import standby
from transaction_tracker.domain.sharding import Shard


@dataclass(slots=True)
class StandbyStatus:
    """What a standby tells its clients; its owner changes it.

    Attributes:
        owner: URL of the service that owns the database, if it has one.
        takes_over: Whether the standby is starting as the owner.
    """

    owner: str | None = None
    takes_over: bool = False


class StandbyWeb(Listening):
    """Respond to ``/healthz`` with 200, and to all other requests with 503 and the owner's URL.

    Args:
        status: What clients are told.
        options: Address and limits.
        listener: Listening socket, which stays open.
        shard: The shard for which it stands by, if there are several.
    """

    def __init__(
        self,
        status: StandbyStatus,
        options: WebOptions,
        listener: socket.socket,
        shard: Shard | None = None,
    ) -> None:
        super().__init__(options, listener)
        self._status = status
        self._shard = shard

    def init(self) -> None:
        """Listen."""
        options = self._options
        self.listen(
            Guard(
                self._respond,
                options.max_requests,
                options.send_seconds,
                options.max_headers_bytes,
                shard=self._shard,
            )
        )

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
            await answer({"status": "alive"})(scope, receive, send)
            return
        if self._status.takes_over:
            raise standby("this service is taking over the database; retry soon")
        owner = self._status.owner
        where = "another service owns the database" if owner is None else f"{owner} is the owner"
        raise standby(f"this service is a standby: {where}; send requests there", owner)
