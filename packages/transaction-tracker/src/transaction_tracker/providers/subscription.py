"""A subscription to the new heads of a provider, over a connection that can fail at any time."""

import asyncio
import logging
import math
from dataclasses import dataclass, field
from typing import Any

from beamish import Backoff
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import Link
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.hints import HeadHint, HintSender
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.websocket import WebSocket, connect, time_limit
from transaction_tracker.sources import ServerError, SourceError, TransportError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.url import SecretUrl

_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
_MAX_ERROR_CHARACTERS = 200

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(slots=True)
class SubscriptionTimeouts:
    """Timeouts of subscriptions to new heads.

    The block time can change while connections are open: it is known only after the chain is.

    Attributes:
        block_time: Seconds between blocks; after three without a head, the connection is renewed.
        ping: Seconds between pings; the pong must arrive before the next ping.
        connect: Timeout of the connection and of the subscription, in seconds each.
        close: Timeout of the close, in seconds.
        backoff: Delays before a new connection.

    Raises:
        ValueError: A time is invalid; the message names it.
    """

    block_time: float = 12.0
    ping: float = 5.0
    connect: float = 10.0
    close: float = 1.0
    backoff: Backoff = field(default_factory=lambda: Backoff(initial=0.5, maximum=30.0))

    def __post_init__(self) -> None:
        for name in ("block_time", "ping", "connect", "close"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be over 0 seconds, got {value!r}")


class HeadSubscription:
    """Subscribes to the new heads of one provider, and connects again after each failure.

    Heads are sent on as hints: the receiver asks for the head, and reads the blocks from there
    down to the last one it has. So heads that are missed without a connection are not lost.

    Args:
        endpoint: The provider.
        url: WebSocket URL of the provider.
        state: State of the pool, which knows the followed provider.
        hints: Sends the hints.
        timeouts: Timeouts of the connection.
    """

    def __init__(
        self,
        endpoint: RpcEndpoint,
        url: SecretUrl,
        state: PoolState,
        hints: HintSender,
        timeouts: SubscriptionTimeouts,
    ) -> None:
        self._endpoint = endpoint
        self._url = url
        self._state = state
        self._hints = hints
        self._timeouts = timeouts
        self._losses = 0
        self._last_head = 0.0
        self._pong_due: float | None = None

    def __repr__(self) -> str:
        return f"HeadSubscription({self._endpoint.name!r})"

    async def run(self) -> None:
        """Keep the subscription open until cancelled.

        Source:
            ``eth_subscribe`` with ``newHeads``; WebSocket is RFC 6455.
        """
        while True:
            try:
                await self._connection()
            except* SourceError as group:
                self._lost(group.exceptions[0])
            finally:
                self._endpoint.is_subscribed = False
            await asyncio.sleep(self._timeouts.backoff.delay(self._losses))

    async def _connection(self) -> None:
        timeouts = self._timeouts
        async with connect(self._url, timeouts.connect, timeouts.close) as socket:
            async with time_limit(timeouts.connect, "no subscription"):
                await self._subscribe(socket)
            self._endpoint.is_subscribed = True
            self._last_head = loop_time()
            self._pong_due = None
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket))
                tasks.create_task(self._watch(socket))

    async def _subscribe(self, socket: WebSocket) -> None:
        await socket.send(_SUBSCRIBE)
        while True:
            response = await socket.receive()
            if response is None or response.get("id") != _SUBSCRIBE["id"]:
                continue
            if "result" in response:
                return
            error = self._url.redact(str(response.get("error")))[:_MAX_ERROR_CHARACTERS]
            raise ServerError(f"eth_subscribe failed: {error!r}")

    async def _read(self, socket: WebSocket) -> None:
        while True:
            message = await socket.receive()
            if message is None:
                self._pong_due = None
            elif message.get("method") == "eth_subscription":
                self._handle_head(_link(message))

    async def _watch(self, socket: WebSocket) -> None:
        """Send pings; raise ``TransportError`` if a pong or a head does not arrive in time."""
        while True:
            now = loop_time()
            if self._pong_due is not None and now >= self._pong_due:
                raise TransportError(f"no pong within {self._timeouts.ping:g} s")
            head_due = self._last_head + 3 * self._timeouts.block_time
            if now >= head_due:
                raise TransportError(f"no new head for {3 * self._timeouts.block_time:g} s")
            await socket.ping()
            self._pong_due = now + self._timeouts.ping
            await asyncio.sleep(min(self._timeouts.ping, max(0.0, head_due - now)))

    def _handle_head(self, head: Link) -> None:
        self._losses = 0
        self._last_head = loop_time()
        self._state.record_link(self._endpoint, head, loop_time())
        if self._sends_hints():
            self._hints.send(HeadHint(self._endpoint.name, head.number, head.hash), loop_time())

    def _sends_hints(self) -> bool:
        """Return whether this provider is followed, or the followed one has no subscription."""
        name = self._state.active
        if name in (None, self._endpoint.name):
            return True
        return not self._state.endpoint(name).is_subscribed

    def _lost(self, error: BaseException) -> None:
        self._losses += 1
        # A single loss is common, and further losses in a row say the same as the second.
        level = logging.WARNING if self._losses == 2 else logging.DEBUG
        name = self._endpoint.name
        logger.log(level, "provider %s: subscription to new heads lost: %s", name, error)


def _link(message: dict[str, Any]) -> Link:
    return decode.link(fields.record(message.get("params"), "notification").get("result"))
