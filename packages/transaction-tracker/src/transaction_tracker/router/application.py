"""The supervision tree of the router."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Literal, Self

from beamish import Application, ChildSpec, GenServer, process
from transaction_tracker.api.listening import Listening
from transaction_tracker.api.options import WebOptions
from transaction_tracker.domain.sharding import ShardMap
from transaction_tracker.router.app import RouterParts, create_app
from transaction_tracker.router.metrics import RouterMetrics
from transaction_tracker.router.shard_client import ShardClient
from transaction_tracker.router.shards import Shards

ROUTER = "TransactionTracker.Router"
PROBE_INTERVAL_SECONDS = 0.5

logger: logging.Logger = logging.getLogger("transaction_tracker.router")


class RouterApplication(Application):
    """Serve one HTTP API in front of the shards of a service.

    It has no state of its own, so any number of routers can serve the same shards.

    Args:
        urls: URLs of the programs of each shard, by its number: its owner and its standbys.
        shards: The numbers of shards.
        web: Address and limits.
        seconds: Time for a shard to respond.

    Raises:
        StartError: When it starts: the address cannot be used.
    """

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "one_for_one"

    def __init__(
        self, urls: Sequence[Sequence[str]], shards: ShardMap, web: WebOptions, seconds: float
    ) -> None:
        super().__init__()
        self._urls = urls
        self._map = shards
        self._web = web
        self._seconds = seconds
        self._connections = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._shards = await self._connections.enter_async_context(
            Shards.connected(self._urls, self._map, self._seconds)
        )
        # Before the first request: otherwise each would ask for the owner of its shard.
        await asyncio.gather(*(client.probe() for client in self._shards.clients))
        self._metrics = RouterMetrics(self._shards)
        self._metrics.attach()
        try:
            return await super().__aenter__()
        except BaseException:
            await self._close()
            raise

    async def __aexit__(self, *error: object) -> None:
        try:
            await super().__aexit__(*error)  # type: ignore[arg-type]
        finally:
            await self._close()

    def children(self) -> list[ChildSpec]:
        """Return the child specifications: a probe of each shard, and the HTTP API."""
        probes = [
            ShardProbe.child_spec(client).replace(id=("probe", client.number))
            for client in self._shards.clients
        ]
        parts = RouterParts(self._shards, self._web, self._metrics, asyncio.Event())
        return [*probes, RouterWeb.child_spec(parts, name=ROUTER)]

    async def _close(self) -> None:
        self._metrics.detach()
        await self._connections.aclose()


class ShardProbe(GenServer):
    """Check regularly which program owns a shard, and whether it is ready.

    Args:
        client: The client of the shard, which it tells.
    """

    def __init__(self, client: ShardClient) -> None:
        self._client = client

    def init(self) -> None:
        """Start to check."""
        process.set_label(f"shard {self._client.number}")
        process.spawn_link(self._check)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)
            await self._client.probe()


class RouterWeb(Listening):
    """Serve the API of the router.

    Args:
        parts: What its routes need.
    """

    def __init__(self, parts: RouterParts) -> None:
        super().__init__(parts.options)
        self._parts = parts

    def init(self) -> None:
        """Listen."""
        self._parts.closing.clear()
        self.listen(create_app(self._parts))

    async def terminate(self, reason: object) -> None:
        """End the streams, and stop as `Listening` does."""
        self._parts.closing.set()
        await super().terminate(reason)
