"""The gate before a node, and the values that it reckons with."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.sources import RateLimitedError
from transaction_tracker.sources.batching import BatchSize
from transaction_tracker.sources.bucket import TokenBucket
from transaction_tracker.sources.gate import LONGEST_RETRY_AFTER, Gate

LONG = 10.0


def test_a_full_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    bucket = TokenBucket.full(rate=2.0, burst=3.0, now=0.0)

    assert [bucket.reserve(0.0, 1) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert bucket.reserve(100.0, 3) == 0.0


def test_to_ask_what_the_wait_would_be_takes_nothing() -> None:
    bucket = TokenBucket.full(rate=1.0, burst=2.0, now=0.0)

    assert [bucket.wait(0.0, 2) for _ in range(3)] == [0.0] * 3
    assert bucket.wait(0.0, 4) == 2.0
    assert bucket.reserve(0.0, 2) == 0.0


@given(
    st.floats(0.5, 50),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), max_size=60),
)
def test_no_window_ever_sees_more_than_a_burst_and_the_rate(
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


def test_a_refused_batch_is_halved_and_grows_back_slowly() -> None:
    size = BatchSize(100)

    size.refused(100)
    assert size.size == 50
    for _ in range(20):
        size.answered(50)
    assert size.size == 62
    for _ in range(1_000):
        size.answered(size.size)
    assert size.size == 100


def test_a_short_batch_is_not_late_for_its_size() -> None:
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
def test_a_batch_is_never_empty_nor_longer_than_configured(most: int, steps: list[str]) -> None:
    size = BatchSize(most)

    for step in steps * 20:
        getattr(size, step)(size.size)
        assert 1 <= size.size <= most


async def test_an_open_gate_lets_all_through() -> None:
    gate = Gate()

    for _ in range(8):
        await gate.enter(100, LONG)

    assert gate.burst is None


async def test_no_more_are_under_way_than_allowed() -> None:
    gate = Gate(max_in_flight=2)
    await gate.enter(1, LONG)
    await gate.enter(1, LONG)
    third = asyncio.create_task(gate.enter(1, LONG))
    await asyncio.sleep(0)
    assert not third.done()

    gate.leave()

    await third


async def test_whoever_waits_too_long_for_others_gives_up() -> None:
    gate = Gate(max_in_flight=1)
    await gate.enter(1, LONG)

    with pytest.raises(RateLimitedError, match="1 requests still wait for their answers"):
        await gate.enter(1, 0.01)

    gate.leave()
    await gate.enter(1, 0.01)


async def test_whoever_waits_when_the_node_refuses_another_is_sent_away() -> None:
    gate = Gate(max_in_flight=1)
    await gate.enter(1, LONG)
    waiting = asyncio.create_task(gate.enter(1, LONG))
    await asyncio.sleep(0)

    gate.refused(30.0)
    gate.leave()

    with pytest.raises(RateLimitedError, match="left alone"):
        await waiting


async def test_one_that_is_cancelled_leaves_its_place() -> None:
    gate = Gate(max_in_flight=1)
    await gate.enter(1, LONG)
    waiting = asyncio.create_task(gate.enter(1, LONG))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.leave()

    await gate.enter(1, 0.01)


async def test_a_rate_makes_calls_wait_within_their_deadline() -> None:
    gate = Gate(requests_per_second=50, burst=1)
    loop = asyncio.get_running_loop()
    before = loop.time()

    for _ in range(4):
        await gate.enter(1, LONG)

    assert loop.time() - before >= 0.055
    with pytest.raises(RateLimitedError, match="leave no room") as caught:
        await gate.enter(1, 0.001)
    assert caught.value.retry_after is not None


async def wait_of(gate: Gate) -> float:
    with pytest.raises(RateLimitedError) as caught:
        await gate.enter(1, LONG)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


@pytest.mark.parametrize(
    ("asked", "kept"), [(17.0, 17.0), (1e9, LONGEST_RETRY_AFTER), (float("inf"), 300.0)]
)
async def test_the_gate_stays_shut_for_as_long_as_asked(asked: float, kept: float) -> None:
    gate = Gate()

    gate.refused(asked)

    assert await wait_of(gate) == pytest.approx(kept, abs=1)


async def test_refusals_that_were_under_way_together_are_one() -> None:
    gate = Gate()

    for _ in range(8):
        gate.refused(None)

    assert 0.5 < await wait_of(gate) <= 1.25


async def test_each_refusal_after_another_doubles_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    gate, waits = Gate(), []

    for _ in range(9):
        gate.refused(None)
        waits.append(await wait_of(gate))
        now[0] += waits[-1]

    for wait, expected in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert expected <= wait <= 1.25 * expected + 1e-6
    gate.passed()
    gate.refused(None)
    assert await wait_of(gate) <= 1.25
