"""What the measured loops need of an implementation."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

Server = TypeVar("Server")


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
    """

    running: Callable[[], AbstractAsyncContextManager[None]]
    start: Callable[[str], Awaitable[Server]]
    stop: Callable[[], Awaitable[None]]
    call: Callable[[Server], Awaitable[object]]
    call_within: Callable[[Server], Awaitable[object]]
    bump: Callable[[Server], None]
    arrive: Callable[[Server], None]
    lookup: Callable[[str], Server | None]
    crash: Callable[[Server], Awaitable[None]]
