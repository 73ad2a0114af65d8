"""What the measured workloads need of a library."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Server = TypeVar("Server")
Main = Callable[[], Awaitable[None]]


def run_in_asyncio(main: Main) -> None:
    """Run ``main`` in an event loop, with nothing around it."""

    async def started() -> None:
        await main()

    asyncio.run(started())


@dataclass(frozen=True, slots=True)
class Peer(Generic[Server]):
    """A program written with one library, as the library's documentation shows it.

    Each measured function is a loop, written with the calls that a user of the library writes:
    some libraries await a cast and some do not, and some block in a call. Nothing stands between
    the loop and the library.

    Args:
        run: Runs an asynchronous function where the library's functions can be called.
        start_each: Starts a supervised server registered under each name, as far as the library
            has supervisors and names, and returns what callers hold of each server.
        call_each: Asks each server for its state and returns the last answer.
        cast_each: Sends each server a message that changes its state, and waits for no answer.
        look_up_each: Finds the server of each name, or is ``None`` without names.
        crash_each: Crashes the server of each name and waits for its successor, or is ``None``
            if nothing restarts servers.
        stop: Stops what would outlive this process.
    """

    run: Callable[[Main], None]
    start_each: Callable[[Sequence[str]], Awaitable[Sequence[Server]]]
    call_each: Callable[[Sequence[Server]], Awaitable[Any]]
    cast_each: Callable[[Sequence[Server]], Awaitable[None]]
    look_up_each: Callable[[Sequence[Any]], Awaitable[None]] | None = None
    crash_each: Callable[[Sequence[str]], Awaitable[None]] | None = None
    stop: Callable[[], None] = lambda: None
