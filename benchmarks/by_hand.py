"""The same thing by hand: a task and a queue per server, a future per request, a dict of names.

Written for speed where that costs no correctness: a server's constructor runs in the starter, a
request is a plain function that returns its future, and a dead server refuses at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from benchmarks.implementation import Implementation
from benchmarks.latch import LATCH

Request = Literal["status", "bump", "arrive", "crash"]
Reply = asyncio.Future[int]

TIME_LIMIT = 5.0
MAX_RESTARTS = 1_000_000_000
MAX_SECONDS = 5.0


class ServerDiedError(Exception):
    """The server died before it answered."""


class Server:
    """A tracker of one transaction."""

    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id
        self.bumps = 0
        self.dead = False
        self._queue: asyncio.Queue[tuple[Request, Reply | None]] = asyncio.Queue()

    def request(self, request: Request) -> Reply:
        """Send a request whose answer is awaited."""
        if self.dead:
            raise ServerDiedError(self.transaction_id)
        reply: Reply = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((request, reply))
        return reply

    def tell(self, request: Request) -> None:
        """Send a request that nobody waits for."""
        if not self.dead:
            self._queue.put_nowait((request, None))

    async def run(self) -> None:
        """Handle requests one by one; an exception in one ends the server."""
        try:
            while True:
                request, reply = await self._queue.get()
                self._serve(request, reply)
        finally:
            self._die()

    def _serve(self, request: Request, reply: Reply | None) -> None:
        try:
            answer = self._handle(request)
        except Exception as error:
            if reply is not None and not reply.done():
                reply.set_exception(error)
            raise
        if reply is not None and not reply.done():
            reply.set_result(answer)

    def _handle(self, request: Request) -> int:
        match request:
            case "bump":
                self.bumps += 1
            case "arrive":
                self.bumps += 1
                LATCH.arrive()
            case "crash":
                raise RuntimeError("crash")
        return self.bumps

    def _die(self) -> None:
        self.dead = True
        while not self._queue.empty():
            _, reply = self._queue.get_nowait()
            if reply is not None and not reply.done():
                reply.set_exception(ServerDiedError(self.transaction_id))


class Trackers:
    """The registry and the supervisor of all servers."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._restarts: deque[float] = deque()

    async def start(self, transaction_id: str) -> Server:
        """Start a supervised server and register it."""
        if self.lookup(transaction_id) is not None:
            raise ValueError(f"{transaction_id} is already tracked")
        return self._spawn(transaction_id)

    def lookup(self, transaction_id: str) -> Server | None:
        """Find the live server of a transaction."""
        server = self._servers.get(transaction_id)
        return None if server is None or server.dead else server

    async def stop(self) -> None:
        """Stop all servers and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, transaction_id: str) -> Server:
        server = self._servers[transaction_id] = Server(transaction_id)
        task = asyncio.create_task(server.run())
        self._tasks[task] = transaction_id
        task.add_done_callback(self._ended)
        return server

    def _ended(self, task: asyncio.Task[None]) -> None:
        transaction_id = self._tasks.pop(task)
        del self._servers[transaction_id]
        if not task.cancelled() and task.exception() and self._may_restart():
            self._spawn(transaction_id)

    def _may_restart(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._restarts.append(now)
        while now - self._restarts[0] > MAX_SECONDS:
            self._restarts.popleft()
        return len(self._restarts) <= MAX_RESTARTS


def status(server: Server) -> Reply:
    """Ask for the state."""
    return server.request("status")


async def status_within(server: Server) -> int:
    """Ask for the state, and give up after a time."""
    async with asyncio.timeout(TIME_LIMIT):
        return await server.request("status")


def bump(server: Server) -> None:
    """Change the state, waiting for nothing."""
    server.tell("bump")


def arrive(server: Server) -> None:
    """Have the server count down the latch."""
    server.tell("arrive")


async def crash(server: Server) -> None:
    """Send a request that raises in the server."""
    try:
        await server.request("crash")
    except RuntimeError:
        return


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Run in nothing: the registry and the supervisor are plain objects."""
    yield


def implementation() -> Implementation[Server]:
    """Return the functions that the loops call."""
    trackers = Trackers()
    return Implementation(
        running=running,
        start=trackers.start,
        stop=trackers.stop,
        call=status,
        call_within=status_within,
        bump=bump,
        arrive=arrive,
        lookup=trackers.lookup,
        crash=crash,
    )
