from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum.classify import http_error, rpc_error, seconds


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (-32005, "limit exceeded", RateLimitedError),
        (429, "slow down", RateLimitedError),
        (-32000, "Your app has exceeded its compute units per second", RateLimitedError),
        (-32000, "transaction indexing is in progress", NotYetError),
        (-32603, "header not found", NotYetError),
        (-32000, "Unknown block", NotYetError),
        (-32603, "internal error", ServerError),
        (-32601, "the method does not exist", ApplicationError),
        (-32602, "invalid argument 0", ApplicationError),
        (3, "execution reverted", ApplicationError),
    ],
)
def test_what_a_refusal_means(code: int, message: str, kind: type[SourceError]) -> None:
    error = rpc_error(code, message)

    assert type(error) is kind
    assert message in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, RateLimitedError), (500, ServerError), (503, ServerError), (401, ApplicationError)],
)
def test_what_a_status_means(status: int, kind: type[SourceError]) -> None:
    assert type(http_error(status, None)) is kind


def test_retry_after_may_be_seconds_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert seconds("7") == 7.0
    assert seconds(soon) == pytest.approx(60, abs=5)
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("given", [None, "", "soon", "-1", "1.5.2"])
def test_a_retry_after_that_says_nothing_is_none(given: str | None) -> None:
    assert seconds(given) is None
