from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from transaction_tracker.domain import Outcome
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.profiles import PROFILES
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.ethereum.statuses import Statuses

TX, OTHER = "0x" + "1" * 64, "0x" + "2" * 64
BOB = "0x" + "b" * 40
ITEM = {"hash": TX, "to": BOB, "input": "0x", "gas": "0x5208", "gasPrice": "0x2"}
RECEIPT = {
    "transactionHash": TX,
    "blockHash": "0x" + "b" * 64,
    "blockNumber": "0xa",
    "gasUsed": "0x5208",
    "root": "0x" + "c" * 64,
}
CALL = ITEM | {"input": "0x12345678", "gas": "0x9000"}
ALL_USED = RECEIPT | {"gasUsed": "0x9000"}
NO_METHOD = ApplicationError("the method does not exist", -32601, "the method does not exist")


class Nodes:
    """Nodes with a result for each method; they record their requests."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers = answers
        self.asked: list[Request] = []

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        self.asked += requests
        given = [self.answers.get(request.method, NO_METHOD) for request in requests]
        whole = next((item for item in given if isinstance(item, SourceError)), None)
        if "whole" in self.answers and whole is not None:
            raise whole
        return given

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.asked]


async def settle(nodes: Nodes, item: Any, receipt: Any) -> Outcome | None:
    statuses = Statuses(nodes, ChainContext(1, PROFILES[1]))  # type: ignore[arg-type]
    found = await statuses.settle({TX: item}, {TX: decode.receipt(receipt, PROFILES[1])})
    return found[TX]


async def test_unused_gas_proves_success_without_a_request() -> None:
    nodes = Nodes({})

    outcome = await settle(nodes, CALL, RECEIPT)

    assert outcome == Outcome(succeeded=True, fee=42_000)
    assert nodes.asked == []


async def test_a_receipt_with_a_status_keeps_its_outcome() -> None:
    nodes = Nodes({})

    outcome = await settle(nodes, CALL, RECEIPT | {"status": "0x0", "effectiveGasPrice": "0x3"})

    assert outcome == Outcome(succeeded=False, fee=63_000)
    assert nodes.asked == []


async def test_a_transfer_to_an_account_without_code_succeeded() -> None:
    nodes = Nodes({"eth_getCode": "0x"})

    outcome = await settle(nodes, ITEM, RECEIPT)

    assert outcome == Outcome(succeeded=True, fee=42_000)
    assert nodes.asked == [Request("eth_getCode", (BOB, "0xa"))]


@pytest.mark.parametrize(
    ("item", "receipt"),
    [
        (ITEM | {"to": None}, RECEIPT),
        (ITEM | {"input": "0x00"}, RECEIPT),
        (ITEM | {"input": None}, RECEIPT),
        (ITEM | {"gas": "0x6000"}, RECEIPT | {"gasUsed": "0x6000"}),
    ],
)
async def test_transaction_other_than_a_plain_transfer_is_traced(item: Any, receipt: Any) -> None:
    nodes = Nodes({"eth_getCode": "0x"})

    assert await settle(nodes, item, receipt) is None
    assert nodes.methods == ["debug_traceTransaction", "trace_transaction"]


@pytest.mark.parametrize("code", ["0x6000", None, 7, MalformedError("odd"), ServerError("down")])
async def test_use_of_gas_proves_nothing_if_code_can_have_run(code: object) -> None:
    assert await settle(Nodes({"eth_getCode": code}), ITEM, RECEIPT) is None


@pytest.mark.parametrize(
    ("method", "answer", "succeeded"),
    [
        ("debug_traceTransaction", {"type": "CALL", "gasUsed": "0x9000"}, True),
        ("debug_traceTransaction", {"type": "CALL", "error": "out of gas"}, False),
        ("trace_transaction", [{"traceAddress": []}, {"traceAddress": [0], "error": "x"}], True),
        ("trace_transaction", [{"traceAddress": [0]}, {"traceAddress": [], "error": "x"}], False),
    ],
)
async def test_trace_has_the_outcome(method: str, answer: object, succeeded: bool) -> None:
    outcome = await settle(Nodes({method: answer}), CALL, ALL_USED)

    assert outcome == Outcome(succeeded=succeeded, fee=2 * 0x9000)


@pytest.mark.parametrize("answer", [None, {}, [], "x", 7, [{"traceAddress": [1]}], [None]])
@pytest.mark.parametrize("method", ["debug_traceTransaction", "trace_transaction"])
async def test_trace_in_an_unknown_form_is_ignored(method: str, answer: object) -> None:
    assert await settle(Nodes({method: answer}), CALL, ALL_USED) is None


async def test_unused_gas_proves_nothing_without_a_state_root() -> None:
    receipt = {key: value for key, value in RECEIPT.items() if key != "root"}

    assert await settle(Nodes({"eth_getCode": "0x"}), CALL, receipt) is None
    assert await settle(Nodes({"eth_getCode": "0x"}), ITEM, receipt) is None


@pytest.mark.parametrize("item", [None, TX, 7, []])
async def test_trace_decides_if_a_block_lists_hashes_only(item: object) -> None:
    nodes = Nodes({"eth_getCode": "0x", "debug_traceTransaction": {"type": "CALL"}})

    outcome = await settle(nodes, item, RECEIPT | {"effectiveGasPrice": "0x2"})

    assert outcome == Outcome(succeeded=True, fee=42_000)
    assert nodes.methods == ["debug_traceTransaction"]


@pytest.mark.parametrize("field", ["gas", "gasPrice", "to"])
async def test_unreadable_transaction_leaves_the_outcome_unknown(field: str) -> None:
    outcome = await settle(Nodes({}), ITEM | {field: "0x"}, RECEIPT)

    assert outcome is None


async def test_method_that_does_not_exist_is_called_once() -> None:
    nodes = Nodes({"trace_transaction": ServerError("busy")})
    statuses = Statuses(nodes, ChainContext())  # type: ignore[arg-type]
    receipts = {TX: decode.receipt(ALL_USED)}

    await statuses.settle({TX: CALL}, receipts)
    await statuses.settle({TX: CALL}, receipts)

    assert nodes.methods == ["debug_traceTransaction", *["trace_transaction"] * 2]


@pytest.mark.parametrize("error", [ServerError("down"), MalformedError("odd"), NO_METHOD])
async def test_error_leaves_the_outcome_unknown(error: SourceError) -> None:
    whole = {"whole": True, "debug_traceTransaction": error, "trace_transaction": error}

    assert await settle(Nodes(whole), CALL, ALL_USED) is None


async def test_rate_limit_of_one_call_leaves_its_outcome_unknown() -> None:
    nodes = Nodes({"debug_traceTransaction": RateLimitedError("traces are sold separately")})

    assert await settle(nodes, CALL, ALL_USED) is None


async def test_rate_limit_of_the_whole_request_is_raised() -> None:
    nodes = Nodes({"whole": True, "debug_traceTransaction": RateLimitedError("slow down")})

    with pytest.raises(RateLimitedError):
        await settle(nodes, CALL, ALL_USED)


async def test_many_receipts_take_one_request() -> None:
    nodes = Nodes({"eth_getCode": "0x"})
    receipts = {
        key: decode.receipt(RECEIPT | {"transactionHash": key, "effectiveGasPrice": "0x2"})
        for key in (TX, OTHER)
    }

    found = await Statuses(nodes, ChainContext()).settle(  # type: ignore[arg-type]
        {TX: ITEM, OTHER: ITEM | {"hash": OTHER}}, receipts
    )

    assert {key: outcome and outcome.succeeded for key, outcome in found.items()} == {
        TX: True,
        OTHER: True,
    }
    assert nodes.methods == ["eth_getCode"] * 2
