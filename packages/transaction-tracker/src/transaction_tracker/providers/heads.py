"""Listening for new heads: a connection that may break, fall silent or lie at any time."""

import asyncio
import logging
import math
from dataclasses import dataclass, field
from typing import Any

from beamish import Backoff
from transaction_tracker.domain import Link
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.hints import HeadHint, Hints
from transaction_tracker.providers.websocket import Socket, connected, within
from transaction_tracker.sources import ServerError, SourceError, TransportError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.url import SecretUrl

_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
_LONGEST_MESSAGE = 200

logger = logging.getLogger("transaction_tracker")


@dataclass(slots=True)
class Rhythm:
    """How a connection is watched.

    The block time can change while connections are open: the chain is known after they are.

    Attributes:
        block_time: Seconds between blocks; after three without a head we connect anew.
        ping: Seconds between our pings; each must be answered before the next.
        connect: Seconds that it may take to connect and to subscribe.
        close: Seconds that it may take to close.
        backoff: How long to wait before we connect anew.
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


class Heads:
    """Listens to one provider, and connects anew whenever that goes wrong.

    Heads are hints: whoever gets them asks for the head, and walks from there to what it
    knows. So nothing is lost while there is no connection.

    Args:
        endpoint: The provider.
        url: Where it tells of new heads.
        board: Whom we follow: hints of others are of use only when that one gives none.
        hints: Where the hints go.
        rhythm: How the connection is watched.
    """

    def __init__(
        self, endpoint: Endpoint, url: SecretUrl, board: Board, hints: Hints, rhythm: Rhythm
    ) -> None:
        self._endpoint = endpoint
        self._url = url
        self._board = board
        self._hints = hints
        self._rhythm = rhythm
        self._losses = 0
        self._last_head = 0.0
        self._pong_due: float | None = None

    def __repr__(self) -> str:
        return f"Heads({self._endpoint.name!r})"

    async def listen(self) -> None:
        """Listen for ever.

        Source:
            ``eth_subscribe`` with ``newHeads``; WebSocket is RFC 6455.
        """
        while True:
            try:
                await self._connection()
            except* SourceError as group:
                self._lost(group.exceptions[0])
            finally:
                self._endpoint.tells_heads = False
            await asyncio.sleep(self._rhythm.backoff.delay(self._losses))

    async def _connection(self) -> None:
        async with connected(self._url, self._rhythm.connect, self._rhythm.close) as socket:
            async with within(self._rhythm.connect, "no subscription"):
                await self._subscribe(socket)
            self._endpoint.tells_heads = True
            self._last_head = _now()
            self._pong_due = None
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket))
                tasks.create_task(self._watch(socket))

    async def _subscribe(self, socket: Socket) -> None:
        await socket.send(_SUBSCRIBE)
        while True:
            answer = await socket.receive()
            if answer is None or answer.get("id") != _SUBSCRIBE["id"]:
                continue
            if "result" in answer:
                return
            told = self._url.redact(str(answer.get("error")))[:_LONGEST_MESSAGE]
            raise ServerError(f"it does not tell of new heads: {told!r}")

    async def _read(self, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            if message is None:
                self._pong_due = None
            elif message.get("method") == "eth_subscription":
                self._hear(_link(message))

    async def _watch(self, socket: Socket) -> None:
        """Ping, and give up a connection on which nothing comes any more."""
        while True:
            now = _now()
            if self._pong_due is not None and now >= self._pong_due:
                raise TransportError(f"no answer to a ping within {self._rhythm.ping:g} s")
            head_due = self._last_head + 3 * self._rhythm.block_time
            if now >= head_due:
                raise TransportError(f"no new head for {3 * self._rhythm.block_time:g} s")
            await socket.ping()
            self._pong_due = now + self._rhythm.ping
            await asyncio.sleep(min(self._rhythm.ping, max(0.0, head_due - now)))

    def _hear(self, head: Link) -> None:
        self._losses = 0
        self._last_head = _now()
        self._board.saw_link(self._endpoint, head, _now())
        if self._is_of_use():
            self._hints.give(HeadHint(self._endpoint.name, head.number, head.hash), _now())

    def _is_of_use(self) -> bool:
        """Say whether this is the provider that is followed, or that one tells nothing."""
        name = self._board.active
        return name in (None, self._endpoint.name) or not self._board.named(name).tells_heads

    def _lost(self, error: BaseException) -> None:
        self._losses += 1
        # The first loss is an everyday thing, and the tenth in a row says what the second did.
        level = logging.WARNING if self._losses == 2 else logging.DEBUG
        name = self._endpoint.name
        logger.log(level, "provider %s no longer tells of new heads: %s", name, error)


def _link(message: dict[str, Any]) -> Link:
    return decode.link(fields.record(message.get("params"), "notification").get("result"))


def _now() -> float:
    return asyncio.get_running_loop().time()
