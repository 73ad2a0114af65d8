"""The Ethereum source against a node with contradictory and malformed responses."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from transaction_tracker.domain import Absent, BlockRef
from transaction_tracker.sources import (
    MalformedError,
    NotYetError,
    Unanswered,
    Unreadable,
)
from transaction_tracker.sources.ethereum import EthereumSource

from .support import ScriptedNode, refusal, result

ID = "0x" + "1" * 64
OTHER = "0x" + "2" * 64
HERE, BEFORE = "0x" + "b" * 64, "0x" + "a" * 64
ALICE = "0x" + "a" * 40
TEN = BlockRef(10, HERE)
PLACED = {"blockNumber": "0xa", "blockHash": HERE}


def transaction(key: str, nonce: int = 0) -> dict[str, Any]:
    fields = {"hash": key, "from": ALICE, "to": ALICE, "value": "0x0", "input": "0x"}
    return fields | {"nonce": hex(nonce)}


def receipt(key: str, **changes: object) -> dict[str, Any]:
    fields = {"transactionHash": key, "status": "0x1", "gasUsed": "0x1"}
    return PLACED | fields | {"effectiveGasPrice": "0x1"} | changes


def block(*transactions: dict[str, Any], **changes: object) -> dict[str, Any]:
    fields = {"number": "0xa", "hash": HERE, "parentHash": BEFORE}
    return fields | {"transactions": list(transactions)} | changes


class Answers:
    """Results of a node by method; of a list, each request takes the next item."""

    def __init__(self, **by_method: Any) -> None:
        self._by_method = by_method

    def __call__(self, request: Any) -> Any:
        if isinstance(request, list):
            return [self(call) for call in request]
        value = self._by_method[request["method"]]
        if callable(value):
            value = value(*request["params"])
        elif isinstance(value, list):
            value = value.pop(0) if len(value) > 1 else value[0]
        return result(request, value)


@pytest.fixture
async def source(scripted: ScriptedNode) -> AsyncIterator[EthereumSource]:
    source = EthereumSource(scripted.url)
    yield source
    await source.close()


async def test_node_without_blocks_raises_not_yet(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(eth_getBlockByNumber=None)

    with pytest.raises(NotYetError, match="has no block at all yet"):
        await source.head()


async def test_block_other_than_the_requested_one_is_malformed(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(eth_getBlockByHash=block())

    with pytest.raises(MalformedError, match=f"block {HERE} came for block {BEFORE}"):
        await source.block(BlockRef(9, BEFORE))


async def test_block_is_requested_again_until_the_node_has_it(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(eth_getBlockByHash=[None, None, block()])

    assert (await source.block(TEN)).link.hash == HERE


async def test_receipts_later_than_their_block_are_requested_again(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(
        eth_getBlockByHash=block(transaction(ID)),
        eth_getTransactionReceipt=[None, receipt(ID)],
    )

    outcomes = await source.outcomes(await source.block(TEN), [ID])

    assert outcomes[ID].succeeded


async def test_malformed_receipt_does_not_affect_other_receipts(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    def answer(key: str) -> Any:
        return receipt(key) if key == ID else receipt(key, status="maybe")

    scripted.answer = Answers(
        eth_getBlockByHash=block(transaction(ID), transaction(OTHER, 1)),
        eth_getTransactionReceipt=answer,
    )

    outcomes = await source.outcomes(await source.block(TEN), [ID, OTHER])

    assert outcomes[ID].succeeded
    assert isinstance(outcomes[OTHER], Unreadable)
    assert "receipt's status must be a number in hexadecimal, got 'maybe'" in outcomes[OTHER].why


async def test_receipt_of_another_transaction_is_unreadable(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(
        eth_getBlockByHash=block(transaction(ID)), eth_getTransactionReceipt=receipt(OTHER)
    )

    outcomes = await source.outcomes(await source.block(TEN), [ID])

    unreadable = outcomes[ID]
    assert isinstance(unreadable, Unreadable)
    assert unreadable.why.endswith(f"the receipt of {OTHER} came for {ID}")


async def test_a_transaction_in_one_block_with_a_receipt_of_another_is_unreadable(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(
        eth_blockNumber="0xa",
        eth_getTransactionByHash=transaction(ID) | PLACED,
        eth_getTransactionReceipt=receipt(ID, blockHash=BEFORE),
    )

    answer = (await source.look_up({ID: ()}, 0))[ID]

    assert isinstance(answer, Unreadable)
    assert f"names block 10 ({HERE}), its receipt block 10 ({BEFORE})" in answer.why


async def test_transaction_other_than_the_requested_one_is_unreadable(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(eth_blockNumber="0xa", eth_getTransactionByHash=transaction(OTHER))

    answer = (await source.look_up({ID: ()}, 0))[ID]

    assert isinstance(answer, Unreadable)
    assert answer.why.endswith(f"transaction {OTHER} came for {ID}")


async def test_receipt_without_its_transaction_is_not_a_fact(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    scripted.answer = Answers(
        eth_blockNumber="0xa", eth_getTransactionByHash=None, eth_getTransactionReceipt=receipt(ID)
    )

    assert await source.look_up({ID: ()}, 0) == {}


@pytest.mark.parametrize("head", [None, "0x3", "ten"])
async def test_absence_counts_only_at_a_node_with_a_high_enough_head(
    scripted: ScriptedNode, source: EthereumSource, head: object
) -> None:
    scripted.answer = Answers(
        eth_blockNumber=head, eth_getTransactionByHash=None, eth_getTransactionReceipt=None
    )

    assert await source.look_up({ID: ()}, 4) == {}
    assert (await source.consensus({ID: ()}, 4))[ID].kind == "open"


async def test_indexing_in_progress_is_not_a_fact(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    message = "transaction indexing is in progress"
    scripted.answer = lambda request: refusal(request, -32000, message)

    assert await source.look_up({ID: ()}, 0) == {}


async def test_a_rate_limit_of_one_call_is_about_its_transaction_only(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    def answer(requests: Any) -> Any:
        if not isinstance(requests, list):
            return result(requests, None)  # the receipt of the first
        return [
            result(requests[0], "0x1"),
            result(requests[1], None),
            refusal(requests[2], -32005, "limit exceeded"),
        ]

    scripted.answer = answer

    found = await source.look_up({ID: None, OTHER: None}, 0)

    assert isinstance(found[ID], Absent)
    assert isinstance(found[OTHER], Unanswered)


async def test_missing_revert_reason_is_found_by_a_call(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    known = Answers(
        eth_getBlockByHash=block(transaction(ID)),
        eth_getTransactionReceipt=receipt(ID, status="0x0"),
    )

    def answer(request: Any) -> Any:
        call = request[0] if isinstance(request, list) else request
        if call["method"] == "eth_call":
            return refusal(request, 3, "execution reverted: no money")
        return known(request)

    scripted.answer = answer

    outcomes = await source.outcomes(await source.block(TEN), [ID])

    assert outcomes[ID].error == "no money"
    (asked,) = [request for request in scripted.received if "eth_call" in str(request)]
    call, at = (asked[0] if isinstance(asked, list) else asked)["params"]
    assert (call["from"], call["to"], at) == (ALICE, ALICE, "0x9")


async def test_node_without_block_receipts_gets_requests_for_single_receipts(
    scripted: ScriptedNode, source: EthereumSource
) -> None:
    ids = [f"0x{number:064x}" for number in range(150)]
    transactions = [transaction(key, number) for number, key in enumerate(ids)]
    known = Answers(
        eth_getBlockByHash=block(*transactions), eth_getTransactionReceipt=lambda key: receipt(key)
    )

    def answer(request: Any) -> Any:
        if isinstance(request, dict) and request["method"] == "eth_getBlockReceipts":
            return refusal(request, -32601, "the method does not exist")
        return known(request)

    scripted.answer = answer
    found = await source.block(TEN)

    for _ in range(2):
        assert len(await source.outcomes(found, ids)) == 150

    asked = [request["method"] for request in scripted.received if isinstance(request, dict)]
    assert asked.count("eth_getBlockReceipts") == 1


@pytest.mark.parametrize("code", [-32003, -32000, -32602, -32603])
async def test_refused_block_receipts_are_fetched_singly_for_this_block(
    scripted: ScriptedNode, source: EthereumSource, code: int
) -> None:
    ids = [f"0x{number:064x}" for number in range(150)]
    transactions = [transaction(key, number) for number, key in enumerate(ids)]
    known = Answers(
        eth_getBlockByHash=block(*transactions), eth_getTransactionReceipt=lambda key: receipt(key)
    )

    def answer(request: Any) -> Any:
        if isinstance(request, dict) and request["method"] == "eth_getBlockReceipts":
            return refusal(request, code, "response too large")
        return known(request)

    scripted.answer = answer
    found = await source.block(TEN)

    for _ in range(2):
        assert len(await source.outcomes(found, ids)) == 150

    asked = [request["method"] for request in scripted.received if isinstance(request, dict)]
    assert asked.count("eth_getBlockReceipts") == 2
