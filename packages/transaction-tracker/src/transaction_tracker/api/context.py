"""State that the routes share: the service, its limits and counts of long requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from fastapi import Request

from beamish import ExitError
from transaction_tracker.api.access import Tokens
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import ProblemError, too_many
from transaction_tracker.api.service import Service, SourceAccess
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.pages import touch

# Anyone can request /readyz without a token, so the check that the store can be written is cached.
_PROBE_SECONDS = 1.0
_STORE_TIMEOUT_SECONDS = 2.0

T = TypeVar("T")


class ConcurrencyLimit:
    """A limit on concurrent requests; a request beyond it fails at once and can be retried.

    Args:
        limit: Maximum number.
        subject: Subject and verb of the problem's text, such as "streams are open".
        kind: Kind of the problem.
    """

    def __init__(self, limit: int, subject: str, kind: str) -> None:
        self._limit = limit
        self._subject = subject
        self._kind = kind
        self.taken: int = 0

    @contextmanager
    def take(self, count: int = 1) -> Iterator[None]:
        """Count requests while the block runs, or raise a problem with status 429."""
        if self.taken + count > self._limit:
            raise too_many(
                f"at most {self._limit:,} {self._subject} at once; retry later", kind=self._kind
            )
        self.taken += count
        try:
            yield
        finally:
            self.taken -= count


class CachedValue(Generic[T]):
    """A value that is computed once and cached; concurrent callers share one computation.

    Args:
        seconds: Maximum age of the cached value.
        compute: Function that computes the value.
    """

    def __init__(self, seconds: float, compute: Callable[[], Awaitable[T]]) -> None:
        self._seconds = seconds
        self._compute = compute
        self._cached: tuple[float, T] | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> T:
        """Return the value, computed again if it is too old."""
        async with self._lock:
            now = time.monotonic()
            if self._cached is None or now - self._cached[0] > self._seconds:
                self._cached = now, await self._compute()
            return self._cached[1]


class ApiContext:
    """State that the routes of one API share.

    Args:
        service: The parts of the tracker application that the API uses.
        options: Limits of the API.
        tokens: Tokens in the database.
    """

    def __init__(self, service: Service, options: WebOptions, tokens: Tokens) -> None:
        self.service = service
        self.options = options
        self.tokens = tokens
        self.registering: ConcurrencyLimit = ConcurrencyLimit(
            options.max_registering, "transactions are registered", "registration-queue-full"
        )
        self.waiters: ConcurrencyLimit = ConcurrencyLimit(
            options.max_waiters, "requests wait", "too-many-waiters"
        )
        self.streams: ConcurrencyLimit = ConcurrencyLimit(
            options.max_streams, "streams are open", "too-many-streams"
        )
        self.store_fault: CachedValue[str | None] = CachedValue(_PROBE_SECONDS, _store_fault)

    def source_named(self, name: str) -> SourceAccess:
        """Return a source of several by its name, or raise a problem with status 404."""
        for source in self.service.sources:
            if source.name == name:
                return source
        detail = "unknown source; GET /v1/sources lists the sources"
        if not self.service.sources:
            detail = "this service has one source, without a name; list it in [[sources]]"
        raise ProblemError(404, detail, kind="unknown-source")

    def degraded(self, source: str = "") -> bool:
        """Return whether the states of a source's open transactions can be out of date."""
        return self.degraded_reason(source) is not None

    def degraded_reason(self, source: str = "") -> str | None:
        """Return why the states of a source's open transactions can be out of date, or ``None``.

        Args:
            source: Name of the source in the database; of no effect if there is only one.
        """
        if self.service.sources:
            return degraded_of_several(self.service.sources, source)
        verdict = self.service.following().verdict
        if verdict.state != "ok":
            return verdict.text
        providers = self.service.providers
        if providers is None or any(status.healthy for status in providers.status()):
            return None
        return "no provider is healthy"


def degraded_of_several(sources: Sequence[SourceAccess], wanted: str) -> str | None:
    """Return why the states of one source's open transactions can be out of date, or ``None``."""
    source = next((each for each in sources if each.source == wanted), None)
    if source is None:
        return f"no configured source follows {wanted}"
    if source.state == "paused":
        return f"source {source.name} is paused"
    verdict = source.following().verdict
    if verdict.state != "ok":
        return f"{source.name}: {verdict.text}"
    providers = source.providers()
    if not providers or any(status.healthy for status in providers):
        return None
    return f"no provider of {source.name} is healthy"


async def api_context(request: Request) -> ApiContext:
    """Return the shared state; a dependency of the routes."""
    context: ApiContext = request.app.state.context
    return context


async def _store_fault() -> str | None:
    """Return why the store cannot be written, or ``None``."""
    try:
        async with asyncio.timeout(_STORE_TIMEOUT_SECONDS):
            await Store.run(touch)
    except TimeoutError:
        return f"store: no write within {_STORE_TIMEOUT_SECONDS:g} s"
    except (StoreError, ExitError):
        return "store: write failed"
    return None
