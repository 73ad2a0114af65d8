"""What a result says about the provider that sent it."""

from types import SimpleNamespace
from typing import Any

import pytest

from transaction_tracker.domain import Link
from transaction_tracker.providers.requests import block_part, common_failure, head_of
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum.rpc import Request

from .support import hash_at, link_at

RAW = {"number": "0x64", "hash": hash_at(100), "parentHash": hash_at(99)}
HEAD = Request("eth_getBlockByNumber", ("latest", False))
RECEIPT = Request("eth_getTransactionReceipt", ("0xab",))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (RAW, link_at(100)),
        (link_at(100), link_at(100)),
        (SimpleNamespace(link=link_at(100), base_fee=7), link_at(100)),
        ("0x64", 100),
        (RAW | {"parentHash": None}, 100),
        (None, None),
    ],
)
def test_head_is_found_in_raw_and_in_decoded_results(
    result: Any, expected: Link | int | None
) -> None:
    assert head_of(result) == expected


@pytest.mark.parametrize("result", [{}, {"number": 7}, 7, [], "0x", SimpleNamespace(link=None)])
def test_result_without_a_head_is_an_error(result: Any) -> None:
    with pytest.raises(MalformedError):
        head_of(result)


def test_only_the_latest_block_is_a_head_request() -> None:
    assert block_part(HEAD) == "head"
    assert block_part(Request("eth_blockNumber")) == "head"
    assert block_part(Request("eth_getBlockByNumber", ("safe", False))) == "place"
    assert block_part(Request("eth_getBlockByNumber", ("0x64", True))) == "whole"
    assert block_part(RECEIPT) is None


@pytest.mark.parametrize(
    ("request_", "error", "is_whole"),
    [
        (HEAD, ServerError(""), True),
        (HEAD, TransportError(""), True),
        (HEAD, RateLimitedError(""), True),
        (HEAD, MalformedError(""), False),
        (HEAD, ApplicationError("", 3), False),
        (RECEIPT, ServerError(""), False),
        (RECEIPT, TransportError(""), True),
    ],
)
def test_common_failure_is_an_error_about_the_provider(
    request_: Request, error: SourceError, is_whole: bool
) -> None:
    assert (common_failure([request_], [error]) is error) == is_whole
    assert common_failure([request_, HEAD], [error, RAW]) is None
