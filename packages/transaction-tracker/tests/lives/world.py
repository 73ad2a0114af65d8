"""The whole application in a simulation: real code, with the sockets and the clock taken out."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from unittest import mock

import aiohttp

from transaction_tracker.sources.ethereum import http
from txtrack_devnode import Chain, DevelopmentNode
from txtrack_devnode.request_handler import Response

START = 1_700_000_000.0  # Unix seconds at which each simulation begins
SLOWEST_ANSWER = 0.2


@dataclass(frozen=True)
class Content:
    """The body of an answer, perhaps not all of it."""

    reply: Response

    async def iter_any(self) -> AsyncIterator[bytes]:
        body = self.reply.body or b""
        share = self.reply.share
        yield body if share is None else body[: int(len(body) * share)]
        if share is not None:
            raise aiohttp.ClientPayloadError("cut off")


class Exchange:
    """One request to a node: what ``session.post`` gives."""

    def __init__(self, node: "SimulatedNode", body: bytes) -> None:
        self._node = node
        self._body = body

    async def __aenter__(self) -> "Exchange":
        # Not from the global chance: how many draws it took must not change what happens.
        await asyncio.sleep(self._node.chance.uniform(0.001, SLOWEST_ANSWER))
        reply = await self._node.answer(self._body)
        if reply is None:
            raise aiohttp.ServerDisconnectedError
        self.status, self.headers, self.content = reply.status, reply.headers, Content(reply)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """There is no connection to close."""


class SimulatedNode:
    """A development node that is asked without a socket.

    Attributes:
        url: A name for it.
        chance: Decides how long its answers take.
        down: Whether nobody listens there.
        requests: How many requests came.
        troubles: The faults that pass, by their numbers.
    """

    def __init__(self, name: str, chain: Chain, seed: int) -> None:
        self.node = DevelopmentNode(chain=chain, seed=f"{name}:{seed}")
        self.url = f"http://{name}.test"
        self.chance = random.Random(f"{name}:{seed}")
        self.down = False
        self.requests = 0
        self.troubles: list[int] = []

    async def answer(self, body: bytes) -> Response | None:
        self.requests += 1
        if self.down:
            raise aiohttp.ServerDisconnectedError
        return await self.node._handler.handle(body, self.node._dispatcher)


class Session:
    """What stands in for ``aiohttp.ClientSession``."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    def post(self, _url: str, *, data: bytes, allow_redirects: bool) -> Exchange:
        assert not allow_redirects
        return Exchange(self._node, data)

    async def close(self) -> None:
        """There is nothing to close."""


@contextmanager
def network(*nodes: SimulatedNode) -> Iterator[None]:
    """Let requests to these nodes' addresses reach them, and no others go anywhere."""
    by_url = {node.url: node for node in nodes}

    def open_session(self: http.Http) -> Session:
        return Session(by_url[str(self._url.reveal()).rstrip("/")])

    with mock.patch.object(http.Http, "_open", open_session):
        yield


@asynccontextmanager
async def simulated_clock() -> AsyncIterator[None]:
    """Let all clocks of the program be that of its event loop."""
    loop = asyncio.get_running_loop()

    def unix_time() -> float:
        return START + loop.time()

    with (
        mock.patch.object(time, "time", unix_time),
        mock.patch.object(time, "monotonic", loop.time),
    ):
        yield
