"""What keeps us from asking a node more often than it likes."""

import asyncio
import random

from transaction_tracker.sources.bucket import TokenBucket
from transaction_tracker.sources.errors import RateLimitedError

MAX_IN_FLIGHT = 8
LONGEST_RETRY_AFTER = 300.0  # a node that says more is mistaken, or means ill
_SHORTEST_BACKOFF = 1.0
_LONGEST_BACKOFF = 60.0
_JITTER = 0.25


class Gate:
    """Lets requests through: so many per second, so many at a time, none after a refusal.

    Args:
        requests_per_second: Calls per second; each call of a batch counts, as it does for
            those who sell them. ``None`` sets no limit.
        burst: Calls that may go at once after a rest; by default those of one second.
        max_in_flight: Requests that may wait for their answers at the same time.
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
        self._closed_until = 0.0
        self._refusals = 0

    @property
    def burst(self) -> int | None:
        """The most calls that one request may have; ``None`` sets no limit."""
        return self._burst if self._rate else None

    async def enter(self, calls: int, deadline: float) -> None:
        """Wait until a request with so many calls may go; ``leave`` must follow.

        Args:
            calls: How many are in it.
            deadline: Seconds to wait at most.

        Raises:
            RateLimitedError: It may not go in time. That is our doing, or what the node asked
                for before; nothing was sent.
        """
        self._check_open()
        until = _now() + deadline
        await asyncio.sleep(self._reserve(calls, deadline))
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            message = f"{self._max_in_flight} requests still wait for their answers"
            raise RateLimitedError(message) from None
        if self._wait() > 0:  # refused while we waited
            self._slots.release()
            self._check_open()

    def leave(self) -> None:
        """Let the next one in."""
        self._slots.release()

    def refused(self, retry_after: float | None) -> None:
        """Close: the node wants fewer requests.

        Args:
            retry_after: Seconds that it asks for; without them each refusal doubles the wait.
        """
        now = _now()
        # Those that were under way at the first refusal are refused too, and say nothing new.
        if self._closed_until <= now:
            self._refusals += 1
        wait = self._backoff() if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        self._closed_until = max(self._closed_until, now + wait)

    def passed(self) -> None:
        """Note that the node took a request: the next refusal is the first again."""
        if self._closed_until <= _now():
            self._refusals = 0

    def _wait(self) -> float:
        return self._closed_until - _now()

    def _check_open(self) -> None:
        wait = self._wait()
        if wait > 0:
            raise RateLimitedError(f"left alone for another {wait:.1f} s, as it asked for", wait)

    def _reserve(self, calls: int, deadline: float) -> float:
        if self._rate is None or self._burst is None:
            return 0.0
        if self._bucket is None:
            self._bucket = TokenBucket.full(self._rate, self._burst, _now())
        wait = self._bucket.wait(_now(), calls)
        if wait > deadline:
            message = f"{self._rate:g} requests per second leave no room for {wait:.1f} s"
            raise RateLimitedError(message, wait)
        return self._bucket.reserve(_now(), calls)

    def _backoff(self) -> float:
        grown: float = _SHORTEST_BACKOFF * 2.0 ** min(self._refusals - 1, 10)
        # Programs that were refused together must not come back together.
        return min(grown, _LONGEST_BACKOFF) * (1 + random.uniform(0, _JITTER))  # noqa: S311


def _now() -> float:
    return asyncio.get_running_loop().time()
