from typing import Any

import pytest

from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum.classify import (
    MAX_DATA_CHARACTERS,
    BatchRefusedError,
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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32005, "Batched requests are not supported by this server"),
        (-32010, "The batch request was too large"),
        (-32000, "batch limit 100 exceeded (can increase by --rpc.batch.limit)"),
        (-32202, "Batch requests are disabled"),
    ],
)
def test_a_refusal_that_speaks_of_batches_is_about_the_batch(code: int, message: str) -> None:
    assert type(rpc_error(code, message)) is BatchRefusedError


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (3, "execution reverted: batch is closed"),
        (-32000, "execution reverted: batch is closed"),
        (-32010, "Transaction with the same hash was already imported."),
    ],
)
def test_what_a_contract_or_a_pool_says_is_not_about_the_batch(code: int, message: str) -> None:
    assert type(rpc_error(code, message)) is ApplicationError


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("0x08c379a0", "0x08c379a0"),
        ({"data": "0x08c379a0"}, {"data": "0x08c379a0"}),
        (None, None),
        ("x" * 100_000, "x" * MAX_DATA_CHARACTERS),
        ({"data": "x" * 100_000}, None),
    ],
    ids=["text", "object", "none", "long text", "long object"],
)
def test_the_data_of_a_refusal_is_kept_within_limits(data: object, kept: object) -> None:
    error = rpc_error(3, "execution reverted", data)

    assert isinstance(error, ApplicationError)
    assert error.data == kept


def test_data_that_is_nested_too_deeply_is_not_kept() -> None:
    data: list[Any] = []
    for _ in range(500):
        data = [data]

    error = rpc_error(3, "execution reverted", data)

    assert isinstance(error, ApplicationError)
    assert error.data is None


def test_what_makes_an_answer_too_long_is_told_from_other_refusals() -> None:
    assert is_too_long(rpc_error(-32003, "response too large"))
    assert not is_too_long(rpc_error(-32003, "transaction rejected"))
    assert not is_too_long(rpc_error(-32000, "response too large"))
    assert not is_too_long(None)
