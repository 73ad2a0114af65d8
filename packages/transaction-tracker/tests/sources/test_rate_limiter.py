"""The rate limiter, its token bucket, and the batch size."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.sources import RateLimitedError
from transaction_tracker.sources.batching import BatchSize
from transaction_tracker.sources.bucket import TokenBucket
from transaction_tracker.sources.rate_limiter import MAX_RETRY_AFTER_SECONDS, RateLimiter

LONG = 10.0


def test_full_bucket_allows_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket.full(rate=2.0, burst=3.0, now=0.0)

    assert [bucket.reserve(0.0, 1) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert bucket.reserve(100.0, 3) == 0.0


def test_wait_reserves_no_tokens() -> None:
    bucket = TokenBucket.full(rate=1.0, burst=2.0, now=0.0)

    assert [bucket.wait(0.0, 2) for _ in range(3)] == [0.0] * 3
    assert bucket.wait(0.0, 4) == 2.0
    assert bucket.reserve(0.0, 2) == 0.0


@given(
    st.floats(0.5, 50),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), max_size=60),
)
def test_calls_in_any_time_window_stay_within_burst_and_rate(
    rate: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    bucket, now, sent = TokenBucket.full(rate, burst, 0.0), 0.0, []
    for pause, calls in asked:
        now += pause
        size = min(calls, burst)
        sent.append((now + bucket.reserve(now, size), size))

    for start, _ in sent:
        for end, _ in sent:
            within = sum(size for at, size in sent if start <= at <= end)
            assert start > end or within <= burst + rate * (end - start) + 1e-6


def test_refused_batch_is_halved_and_grows_back_slowly() -> None:
    size = BatchSize(100)

    size.refused(100)
    assert size.size == 50
    for _ in range(20):
        size.answered(50)
    assert size.size == 62
    for _ in range(1_000):
        size.answered(size.size)
    assert size.size == 100


def test_late_short_batch_does_not_reduce_the_size() -> None:
    size = BatchSize(100)

    size.late(3)
    assert size.size == 100
    size.late(100)
    assert size.size == 50


def test_each_refusal_makes_the_next_attempt_rarer() -> None:
    size, attempts = BatchSize(2), 0

    for _ in range(5_000):
        if size.size == 2:
            attempts += 1
            size.refused(2)
        else:
            size.answered(1)

    assert attempts < 15


@given(st.integers(1, 500), st.lists(st.sampled_from(["refused", "late", "answered"])))
def test_batch_is_never_empty_nor_longer_than_configured(max_size: int, steps: list[str]) -> None:
    size = BatchSize(max_size)

    for step in steps * 20:
        getattr(size, step)(size.size)
        assert 1 <= size.size <= max_size


async def test_limiter_without_a_rate_delays_no_call() -> None:
    limiter = RateLimiter()

    for _ in range(8):
        await limiter.acquire(100, LONG)

    assert limiter.burst is None


async def test_requests_in_flight_are_limited() -> None:
    limiter = RateLimiter(max_in_flight=2)
    await limiter.acquire(1, LONG)
    await limiter.acquire(1, LONG)
    third = asyncio.create_task(limiter.acquire(1, LONG))
    await asyncio.sleep(0)
    assert not third.done()

    limiter.release()

    await third


async def test_request_fails_if_no_slot_is_free_before_its_deadline() -> None:
    limiter = RateLimiter(max_in_flight=1)
    await limiter.acquire(1, LONG)

    with pytest.raises(RateLimitedError, match="limit of 1 requests in flight reached"):
        await limiter.acquire(1, 0.01)

    limiter.release()
    await limiter.acquire(1, 0.01)


async def test_waiting_request_fails_when_the_node_refuses_another_request() -> None:
    limiter = RateLimiter(max_in_flight=1)
    await limiter.acquire(1, LONG)
    waiting = asyncio.create_task(limiter.acquire(1, LONG))
    await asyncio.sleep(0)

    limiter.refused(30.0)
    limiter.release()

    with pytest.raises(RateLimitedError, match="rate limited; retrying"):
        await waiting


async def test_cancelled_request_leaves_no_slot_taken() -> None:
    limiter = RateLimiter(max_in_flight=1)
    await limiter.acquire(1, LONG)
    waiting = asyncio.create_task(limiter.acquire(1, LONG))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    limiter.release()

    await limiter.acquire(1, 0.01)


async def test_rate_delays_calls_within_their_deadline() -> None:
    limiter = RateLimiter(requests_per_second=50, burst=1)
    loop = asyncio.get_running_loop()
    before = loop.time()

    for _ in range(4):
        await limiter.acquire(1, LONG)

    assert loop.time() - before >= 0.055
    with pytest.raises(RateLimitedError, match="50 requests per second reached") as caught:
        await limiter.acquire(1, 0.001)
    assert caught.value.retry_after is not None


async def wait_of(limiter: RateLimiter) -> float:
    with pytest.raises(RateLimitedError) as caught:
        await limiter.acquire(1, LONG)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


@pytest.fixture
async def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the event loop, which only the test changes."""
    now = [1_000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    return now


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("asked", "kept"), [(17.0, 17.0), (1e9, MAX_RETRY_AFTER_SECONDS), (float("inf"), 300.0)]
)
async def test_pause_lasts_as_long_as_the_node_asks(asked: float, kept: float) -> None:
    limiter = RateLimiter()

    limiter.refused(asked)

    assert await wait_of(limiter) == kept


@pytest.mark.usefixtures("now")
async def test_refusals_of_requests_in_flight_count_as_one() -> None:
    limiter = RateLimiter()

    for _ in range(8):
        limiter.refused(None)

    assert 1.0 <= await wait_of(limiter) <= 1.25


async def test_each_refusal_after_a_pause_doubles_the_wait(now: list[float]) -> None:
    limiter, waits = RateLimiter(), []

    for _ in range(9):
        limiter.refused(None)
        waits.append(await wait_of(limiter))
        now[0] += waits[-1]

    for wait, expected in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert expected <= wait <= 1.25 * expected + 1e-6
    limiter.accepted()
    limiter.refused(None)
    assert await wait_of(limiter) <= 1.25
