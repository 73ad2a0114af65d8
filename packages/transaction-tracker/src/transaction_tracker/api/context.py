"""What the routes share: the service, its limits, and who is inside at the moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from fastapi import Request

from beamish import ExitError
from transaction_tracker.api.access import Tokens
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import too_many
from transaction_tracker.api.service import Service
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.pages import touch

# Counting reads every row: for many readers it is done once.
# Anybody may ask whether we are ready: the store is not written each time.
_PROBE_SECONDS = 1.0
_STORE_SECONDS = 2.0

T = TypeVar("T")


class Places:
    """A bounded number of places; who finds none is sent away at once, and comes again.

    Args:
        most: How many.
        what: What takes a place, in the plural, for the problem that is reported.
        kind: Which problem that is.
    """

    def __init__(self, most: int, what: str, kind: str) -> None:
        self._most = most
        self._what = what
        self._kind = kind
        self.taken = 0

    @contextmanager
    def take(self, count: int = 1) -> Iterator[None]:
        """Hold places while the block lasts, or raise a problem with status 429."""
        if self.taken + count > self._most:
            raise too_many(
                f"at most {self._most:,} {self._what} at once; come again", kind=self._kind
            )
        self.taken += count
        try:
            yield
        finally:
            self.taken -= count


class Recent(Generic[T]):
    """Something that takes time to find out: found out again only when it is some seconds old.

    Args:
        seconds: How old it may be.
        find_out: Finds it out.
    """

    def __init__(self, seconds: float, find_out: Callable[[], Awaitable[T]]) -> None:
        self._seconds = seconds
        self._find_out = find_out
        self._found: tuple[float, T] | None = None
        self._finding = asyncio.Lock()

    async def __call__(self) -> T:
        """Give it."""
        async with self._finding:
            now = time.monotonic()
            if self._found is None or now - self._found[0] > self._seconds:
                self._found = now, await self._find_out()
            return self._found[1]


class Room:
    """What the routes of one API share.

    Args:
        service: What is served.
        options: Within which limits.
        tokens: The tokens there are.
    """

    def __init__(self, service: Service, options: WebOptions, tokens: Tokens) -> None:
        self.service = service
        self.options = options
        self.tokens = tokens
        self.registering = Places(
            options.max_registering, "transactions are registered", "registration-queue-full"
        )
        self.waiters = Places(options.max_waiters, "requests wait", "too-many-waiters")
        self.streams = Places(options.max_streams, "streams are open", "too-many-streams")
        self.store_fault = Recent(_PROBE_SECONDS, _store_fault)

    def degraded(self) -> bool:
        """Return whether what is known of open transactions can be out of date."""
        return self.degraded_reason() is not None

    def degraded_reason(self) -> str | None:
        """Return why what is known of open transactions can be out of date, or ``None``."""
        verdict = self.service.following().verdict
        if verdict.state != "ok":
            return verdict.text
        providers = self.service.providers
        if providers is None or any(status.healthy for status in providers.status()):
            return None
        return "no provider is healthy"


async def room_of(request: Request) -> Room:
    """Give the room of the API that a request came to; a dependency of the routes."""
    room: Room = request.app.state.room
    return room


async def _store_fault() -> str | None:
    """Say what keeps the store from writing."""
    try:
        async with asyncio.timeout(_STORE_SECONDS):
            await Store.run(touch)
    except TimeoutError:
        return f"store: no write within {_STORE_SECONDS:g} s"
    except (StoreError, ExitError):
        return "store: cannot be written"
    return None
