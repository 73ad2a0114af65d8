import logging

import pytest

from transaction_tracker.follower.outage import MAX_DELAY_SECONDS, MAX_RETRY_AFTER_SECONDS, Outage
from transaction_tracker.sources import NotYetError, RateLimitedError, ServerError

BAD = ServerError("HTTP 503")


def test_delay_grows_with_each_failure_up_to_a_limit() -> None:
    outage = Outage()

    delays = [outage.failed(BAD, 1.0) for _ in range(12)]

    assert [round(delay / 1.05) for delay in delays[:4]] == [1, 2, 4, 8]
    assert all(MAX_DELAY_SECONDS <= delay <= 1.1 * MAX_DELAY_SECONDS for delay in delays[6:])


def test_delay_stays_at_the_limit_in_an_outage_of_days() -> None:
    outage = Outage()

    delays = [outage.failed(BAD, 1.0) for _ in range(10_000)]

    assert MAX_DELAY_SECONDS <= delays[-1] <= 1.1 * MAX_DELAY_SECONDS


def test_outage_ends_with_an_answer() -> None:
    outage = Outage()
    for _ in range(5):
        outage.failed(BAD, 1.0)
    assert outage.lasts

    outage.over()

    assert not outage.lasts
    assert outage.failed(BAD, 1.0) < 1.2


def test_retry_after_is_obeyed_up_to_a_limit() -> None:
    assert Outage().failed(RateLimitedError("slow down", retry_after=17.0), 1.0) == 17.0
    assert Outage().failed(RateLimitedError("slow down", retry_after=0.0), 1.0) >= 1.0
    assert Outage().failed(RateLimitedError("go away", 1e12), 1.0) == MAX_RETRY_AFTER_SECONDS


def test_long_outage_logs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()

    with caplog.at_level(logging.INFO):
        for _ in range(20):
            outage.failed(BAD, 1.0)
        outage.over()

    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "WARNING", "INFO"]


def test_data_not_available_yet_is_requested_again_without_back_off() -> None:
    outage = Outage()

    delays = [outage.failed(NotYetError("block not found"), 1.0) for _ in range(5)]

    assert all(1.0 <= delay <= 1.1 for delay in delays)


def test_data_not_available_yet_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()

    for _ in range(3):
        outage.failed(NotYetError("block not found"), 1.0)

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
