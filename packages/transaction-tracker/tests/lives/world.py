"""The complete application in a simulation: with a virtual clock, and without sockets."""

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
MAX_RESPONSE_SECONDS = 0.2


@dataclass(frozen=True)
class Content:
    """The body of a response, which can be cut off."""

    reply: Response

    async def iter_any(self) -> AsyncIterator[bytes]:
        body = self.reply.body or b""
        share = self.reply.share
        yield body if share is None else body[: int(len(body) * share)]
        if share is not None:
            raise aiohttp.ClientPayloadError("cut off")


class Exchange:
    """One request to a node: the result of ``Session.post``."""

    def __init__(self, node: "SimulatedNode", body: bytes) -> None:
        self._node = node
        self._body = body

    async def __aenter__(self) -> "Exchange":
        # Not the global random numbers: the number of requests must not change other choices.
        await asyncio.sleep(self._node.chance.uniform(0.001, MAX_RESPONSE_SECONDS))
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
        """Do nothing: there is no connection to close."""


class SimulatedNode:
    """A development node without a socket.

    Attributes:
        url: Its URL.
        chance: Random numbers of its response times.
        down: Whether each request fails.
        requests: Number of requests.
        fault_numbers: Numbers of its temporary faults.
    """

    def __init__(self, name: str, chain: Chain, seed: int) -> None:
        self.node = DevelopmentNode(chain=chain, seed=f"{name}:{seed}")
        self.url = f"http://{name}.test"
        self.chance = random.Random(f"{name}:{seed}")
        self.down = False
        self.requests = 0
        self.fault_numbers: list[int] = []

    async def answer(self, body: bytes) -> Response | None:
        self.requests += 1
        if self.down:
            raise aiohttp.ServerDisconnectedError
        return await self.node._handler.handle(body, self.node._dispatcher)


class Session:
    """A replacement for ``aiohttp.ClientSession``."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    def post(self, _url: str, *, data: bytes, headers: object, allow_redirects: bool) -> Exchange:
        assert not allow_redirects
        return Exchange(self._node, data)

    async def close(self) -> None:
        """Do nothing: there is no connection to close."""


@contextmanager
def network(*nodes: SimulatedNode) -> Iterator[None]:
    """Send requests for the URLs of these nodes to them; any other request fails."""
    by_url = {node.url: node for node in nodes}

    def open_session(self: http.Http) -> Session:
        return Session(by_url[str(self._url.reveal()).rstrip("/")])

    with mock.patch.object(http.Http, "_open", open_session):
        yield


@asynccontextmanager
async def simulated_clock() -> AsyncIterator[None]:
    """Replace all clocks of the program by that of its event loop."""
    loop = asyncio.get_running_loop()

    def unix_time() -> float:
        return START + loop.time()

    with (
        mock.patch.object(time, "time", unix_time),
        mock.patch.object(time, "monotonic", loop.time),
    ):
        yield
