"""What the measured loops need of an implementation."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Server = TypeVar("Server")


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests that ``call``, ``bump`` and ``arrive`` take; ``None`` if they take none."""

    status: str | None = None
    bump: str | None = None
    arrive: str | None = None


@dataclass(frozen=True, slots=True)
class Implementation(Generic[Server]):
    """The functions a user of the implementation calls, handed over as they are.

    The loops call them directly, with nothing between that would be measured too.

    Args:
        running: Runs the registry and the supervisor for a block.
        start: Starts a supervised server registered under an id.
        stop: Stops the supervisor and with it all servers.
        call: Asks a server for its state.
        call_within: The same with a time limit, where ``call`` has none.
        bump: Sends a cast that changes the state.
        arrive: Sends a cast that counts down the latch.
        lookup: Finds a server by its id.
        crash: Crashes a server by a call that raises there, and returns when it has.
        break_down: Sends a cast that raises in the server, if there is one.
        via: Returns the name by which a server can be called, if it has one.
        register: Registers a server under a local name, if it can have one.
        requests: What ``call``, ``bump`` and ``arrive`` are called with besides the server.
    """

    running: Callable[[], AbstractAsyncContextManager[None]]
    start: Callable[[Any], Awaitable[Server]]
    stop: Callable[[], Awaitable[None]]
    call: Callable[..., Awaitable[object]]
    call_within: Callable[..., Awaitable[object]]
    bump: Callable[..., None]
    arrive: Callable[..., None]
    lookup: Callable[[Any], Server | None]
    crash: Callable[[Server], Awaitable[None]]
    break_down: Callable[[Server], None] | None = None
    via: Callable[[Any], Any] | None = None
    register: Callable[[Server, str], object] | None = None
    requests: Requests = Requests()
