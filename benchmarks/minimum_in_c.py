"""The minimum that is left where a library in C does its part in no time.

The caller's own functions and the callback remain, in Python; the mailbox and the registry are a
deque and a dict, whose methods are called directly.
"""

from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.implementation import Implementation, Requests
from benchmarks.minimum import unsupported


class Server(deque[Any]):
    """A tracker of one transaction, and its mailbox."""

    def __init__(self, transaction_id: Hashable) -> None:
        super().__init__()
        self.transaction_id = transaction_id
        self.bumps = 0

    def handle_cast(self, request: Any) -> None:
        """Change the state."""
        self.bumps += 1
        if request == "arrive":
            raise NotImplementedError


_entries: dict[Hashable, list[tuple[Server, None]]] = {}
_find = _entries.get


async def start(transaction_id: Hashable) -> Server:
    """Make a server and the list that a look-up returns."""
    server = Server(transaction_id)
    _entries[transaction_id] = [(server, None)]
    return server


async def call(server: Server, request: Any) -> int:
    """Handle what is queued, and return the state."""
    waiting = list(server)
    server.clear()
    deque(map(server.handle_cast, waiting), maxlen=0)  # a loop in C
    return server.bumps


def lookup(transaction_id: Hashable) -> Server | None:
    """Find the server of a transaction."""
    found = _find(transaction_id)
    return found[0][0] if found else None


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Run in nothing."""
    yield


def implementation() -> Implementation[Server]:
    """Return the functions that the loops call."""
    return Implementation(
        running=running,
        start=start,
        stop=unsupported,
        call=call,
        call_within=call,
        bump=deque.append,
        arrive=unsupported,  # type: ignore[arg-type] # casts to many are not measured
        lookup=lookup,
        crash=unsupported,
        requests=Requests("status", "bump", "arrive"),
    )
