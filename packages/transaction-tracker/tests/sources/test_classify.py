import pytest

from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum.classify import (
    http_error,
    is_too_long,
    rpc_error,
)


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
    [
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (400, ApplicationError),
        (422, ApplicationError),
        # A wrong path, a key that is refused, a proxy: the provider as a whole is no good.
        (301, ServerError),
        (401, ServerError),
        (402, ServerError),
        (403, ServerError),
        (404, ServerError),
        (405, ServerError),
    ],
)
def test_what_a_status_means(status: int, kind: type[SourceError]) -> None:
    assert type(http_error(status, None)) is kind


def test_a_server_that_says_when_to_come_back_wants_fewer_requests() -> None:
    error = http_error(503, "20")

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 20.0


def test_a_refusal_may_say_how_long_to_wait() -> None:
    error = rpc_error(-32005, "limit exceeded", {"rate": {"backoff_seconds": 30}})

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 30.0


@pytest.mark.parametrize(
    "data",
    [
        None,
        "soon",
        {"rate": 3},
        {"rate": {}},
        {"rate": {"backoff_seconds": "30"}},
        {"rate": {"backoff_seconds": -1}},
        {"rate": {"backoff_seconds": float("inf")}},
        {"rate": {"backoff_seconds": float("nan")}},
    ],
)
def test_advice_that_is_none_is_not_followed(data: object) -> None:
    error = rpc_error(-32005, "limit exceeded", data)

    assert isinstance(error, RateLimitedError)
    assert error.retry_after is None


def test_what_makes_an_answer_too_long_is_told_from_other_refusals() -> None:
    assert is_too_long(rpc_error(-32003, "response too large"))
    assert not is_too_long(rpc_error(-32003, "transaction rejected"))
    assert not is_too_long(rpc_error(-32000, "response too large"))
    assert not is_too_long(None)
