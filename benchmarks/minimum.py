"""The minimum that a program in Python does for the same thing, without any library.

A call is a coroutine that is awaited and the callback; a cast is a function that appends to a
mailbox, and a loop over the mailbox; a look-up is a function that searches a dict and returns a
list with a pair. Nothing is checked, limited, isolated, supervised or reported.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.implementation import Implementation, Requests
from benchmarks.latch import LATCH

Entries = list[tuple["Server", None]]


class Server:
    """A tracker of one transaction."""

    __slots__ = ("bumps", "mailbox", "transaction_id")

    def __init__(self, transaction_id: Hashable) -> None:
        self.transaction_id = transaction_id
        self.bumps = 0
        self.mailbox: deque[Any] | None = None

    def handle_call(self, request: Any, from_: None) -> int:
        """Return the state."""
        if request == "status":
            return self.bumps
        raise RuntimeError("crash")

    def handle_cast(self, request: Any) -> None:
        """Change the state."""
        self.bumps += 1
        if request == "arrive":
            LATCH.arrive()


_servers: dict[Hashable, Server] = {}
_waiting: deque[Server] = deque()


async def start(transaction_id: Hashable) -> Server:
    """Make a server and note its id."""
    server = _servers[transaction_id] = Server(transaction_id)
    return server


async def call(server: Server, request: Any) -> int:
    """Handle what is queued, and return the state."""
    if server.mailbox is not None:
        turn(server)
    return server.handle_call(request, None)


def cast(server: Server, request: Any) -> None:
    """Queue a request."""
    if server.mailbox is not None:
        server.mailbox.append(request)
        return
    server.mailbox = deque((request,))
    if not _waiting:
        asyncio.get_running_loop().call_soon(_drain)
    _waiting.append(server)


def _drain() -> None:
    while _waiting:
        turn(_waiting.popleft())


def turn(server: Server) -> None:
    """Handle what is queued."""
    mailbox = server.mailbox
    while mailbox:
        server.handle_cast(mailbox.popleft())
    server.mailbox = None


def find(transaction_id: Hashable) -> Entries:
    """Return the server of a transaction as a registry does."""
    server = _servers.get(transaction_id)
    return [] if server is None else [(server, None)]


def lookup(transaction_id: Hashable) -> Server | None:
    """Find the server of a transaction."""
    found = find(transaction_id)
    return found[0][0] if found else None


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Run in nothing."""
    yield


async def unsupported(*_: Any) -> None:
    """Raise an error: this operation has no minimum."""
    raise NotImplementedError


def implementation() -> Implementation[Server]:
    """Return the functions that the loops call."""
    return Implementation(
        running=running,
        start=start,
        stop=unsupported,
        call=call,
        call_within=call,
        bump=cast,
        arrive=cast,
        lookup=lookup,
        crash=unsupported,
        requests=Requests("status", "bump", "arrive"),
    )
