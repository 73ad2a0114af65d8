"""Rate limit of requests to one node: the client's own limits, and those that the node asks for."""

import asyncio
import random

from beamish import Backoff
from transaction_tracker.awake import loop_time
from transaction_tracker.sources.bucket import TokenBucket
from transaction_tracker.sources.errors import RateLimitedError

MAX_IN_FLIGHT = 8
# A longer ``Retry-After`` is cut: a mistaken or hostile node could stop requests without end.
MAX_RETRY_AFTER_SECONDS = 300.0
_BACKOFF = Backoff(initial=1.0, maximum=60.0, jitter=0.0)
_JITTER = 0.25


class RateLimiter:
    """Delays requests to one node: calls per second, requests in flight, pauses after refusals.

    Args:
        requests_per_second: Maximum number of calls per second. Each call of a batch counts,
            because providers bill calls, not HTTP requests. ``None`` sets no limit.
        burst: Maximum number of calls that can be sent at once after a rest. Default: the calls
            of one second.
        max_in_flight: Maximum number of requests in flight.
    """

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        burst: int | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self._rate = requests_per_second
        self._burst = burst or (max(1, int(requests_per_second)) if requests_per_second else None)
        self._bucket: TokenBucket | None = None
        self._slots = asyncio.Semaphore(max_in_flight)
        self._max_in_flight = max_in_flight
        self._paused_until = 0.0
        self._refusals = 0

    @property
    def burst(self) -> int | None:
        """Maximum number of calls in one request; ``None`` sets no limit."""
        return self._burst if self._rate else None

    async def acquire(self, calls: int, deadline: float) -> None:
        """Wait until a request can be sent; ``release`` must follow.

        Args:
            calls: Number of calls in the request.
            deadline: Maximum wait in seconds.

        Raises:
            RateLimitedError: The request cannot be sent in time, because of the client's own
                limits or a pause that the node asked for. Nothing was sent.
        """
        self._check_pause()
        until = loop_time() + deadline
        await asyncio.sleep(self._reserve(calls, deadline))
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            message = f"limit of {self._max_in_flight} requests in flight reached"
            raise RateLimitedError(message) from None
        try:
            self._check_pause()  # the node can have refused another request during the wait
        except RateLimitedError:
            self._slots.release()
            raise

    def release(self) -> None:
        """Free the slot of a request that has ended."""
        self._slots.release()

    def refused(self, retry_after: float | None) -> None:
        """Start a pause: the node refused a request because of its rate limit.

        Args:
            retry_after: Seconds that the node asks to wait. Default: a back-off that doubles with
                each refusal.
        """
        now = loop_time()
        # The node refuses all requests in flight for the same reason: they count as one refusal,
        # or a single moment would drive the back-off to its maximum.
        if self._paused_until <= now:
            self._refusals += 1
        wait = self._backoff() if retry_after is None else min(retry_after, MAX_RETRY_AFTER_SECONDS)
        self._paused_until = max(self._paused_until, now + wait)

    def accepted(self) -> None:
        """Reset the back-off: the node accepted a request."""
        if self._paused_until <= loop_time():
            self._refusals = 0

    def _check_pause(self) -> None:
        wait = self._paused_until - loop_time()
        if wait > 0:
            raise RateLimitedError(f"rate limited; retrying in {wait:.1f} s", wait)

    def _reserve(self, calls: int, deadline: float) -> float:
        if self._rate is None or self._burst is None:
            return 0.0
        if self._bucket is None:
            self._bucket = TokenBucket.full(self._rate, self._burst, loop_time())
        wait = self._bucket.wait(loop_time(), calls)
        if wait > deadline:
            message = f"limit of {self._rate:g} requests per second reached for {wait:.1f} s"
            raise RateLimitedError(message, wait)
        return self._bucket.reserve(loop_time(), calls)

    def _backoff(self) -> float:
        # Programs that were refused together must not come back together.
        return _BACKOFF.delay(self._refusals) * (1 + random.uniform(0, _JITTER))  # noqa: S311
