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
def test_rpc_error_maps_to_an_error_class(code: int, message: str, kind: type[SourceError]) -> None:
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
        # A wrong path, a refused key or a proxy: the provider as a whole fails.
        (301, ServerError),
        (401, ServerError),
        (402, ServerError),
        (403, ServerError),
        (404, ServerError),
        (405, ServerError),
    ],
)
def test_http_status_maps_to_an_error_class(status: int, kind: type[SourceError]) -> None:
    assert type(http_error(status, None)) is kind


def test_status_503_with_retry_after_is_a_rate_limit() -> None:
    error = http_error(503, "20")

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 20.0


def test_rate_limit_has_the_advised_wait() -> None:
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
def test_invalid_advice_is_ignored(data: object) -> None:
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
def test_error_about_batches_is_a_refused_batch(code: int, message: str) -> None:
    assert type(rpc_error(code, message)) is BatchRefusedError


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (3, "execution reverted: batch is closed"),
        (-32000, "execution reverted: batch is closed"),
        (-32010, "Transaction with the same hash was already imported."),
    ],
)
def test_error_of_a_contract_or_a_pool_is_not_a_refused_batch(code: int, message: str) -> None:
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
def test_size_of_error_data_is_limited(data: object, kept: object) -> None:
    error = rpc_error(3, "execution reverted", data)

    assert isinstance(error, ApplicationError)
    assert error.data == kept


def test_too_deeply_nested_error_data_is_dropped() -> None:
    data: list[Any] = []
    for _ in range(500):
        data = [data]

    error = rpc_error(3, "execution reverted", data)

    assert isinstance(error, ApplicationError)
    assert error.data is None


def test_too_long_response_is_distinguished_from_other_errors() -> None:
    assert is_too_long(rpc_error(-32003, "response too large"))
    assert not is_too_long(rpc_error(-32003, "transaction rejected"))
    assert not is_too_long(rpc_error(-32000, "response too large"))
    assert not is_too_long(None)
