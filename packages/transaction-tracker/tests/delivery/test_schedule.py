"""Back-off of failed deliveries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.delivery.schedule import DELAYS, MAX_RETRY_AFTER_SECONDS, next_delay


def test_delays_are_the_documented_ones() -> None:
    delays = [next_delay(failures, 0.0) for failures in range(1, 9)]

    assert delays == [5, 30, 120, 600, 3_600, 21_600, 86_400, None]


@given(st.integers(1, len(DELAYS)), st.floats(0, 1))
def test_jitter_adds_at_most_a_fifth(failures: int, jitter: float) -> None:
    delay = next_delay(failures, jitter)

    assert delay is not None
    assert DELAYS[failures - 1] <= delay <= DELAYS[failures - 1] * 1.2001


@pytest.mark.parametrize(
    ("asked", "delay"), [(None, 5.0), (1.0, 5.0), (90.0, 90.0), (10.0**9, MAX_RETRY_AFTER_SECONDS)]
)
def test_retry_after_lengthens_the_delay_up_to_a_day(asked: float | None, delay: float) -> None:
    assert next_delay(1, 0.0, asked) == delay
