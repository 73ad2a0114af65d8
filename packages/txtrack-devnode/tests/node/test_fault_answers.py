"""Faults of calls and batches: errors, and wrong, missing or duplicated results."""

from collections import Counter
from typing import Any

import pytest

from txtrack_devnode import DevelopmentNode, Fault, Transaction
from txtrack_devnode.faults import (
    CallError,
    DuplicatedAnswer,
    DuplicatedTransaction,
    ForeignReceipt,
    Indexing,
    LaggingReceipts,
    MethodNotFound,
    RefusedBatch,
    StaleNull,
    WrongChainId,
    WrongId,
)

from .support import Ask, Post, request

UNKNOWN = "0x" + "ab" * 32
LOOK_UPS = ["eth_getTransactionByHash", "eth_getTransactionReceipt"]


@pytest.fixture
async def tx(node: DevelopmentNode) -> Transaction:
    """Given: a transaction in block 1."""
    sent = node.chain.submit(node.chain.accounts[0])
    await node.mine()
    return sent


def place(answer: Any) -> tuple[str, str]:
    return answer["blockHash"], answer["blockNumber"]


@pytest.mark.parametrize("method", LOOK_UPS)
async def test_stale_null_applies_to_existing_transactions(
    node: DevelopmentNode, ask: Ask, tx: Transaction, method: str
) -> None:
    node.faults.inject(StaleNull(times=2))

    answers = [await ask(method, tx.hash) for _ in range(3)]

    assert answers[:2] == [None, None]
    assert answers[2]["blockNumber"] == "0x1"


async def test_stale_null_applies_to_blocks_and_receipts(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    node.faults.inject(StaleNull())

    assert await ask("eth_getBlockByNumber", "latest", True) is None
    assert await ask("eth_getBlockByHash", node.chain.head.hash, True) is None
    assert await ask("eth_getBlockReceipts", "latest") is None
    assert await ask("eth_blockNumber") == "0x1"


async def test_true_null_does_not_count_as_triggered(node: DevelopmentNode, ask: Ask) -> None:
    node.faults.inject(StaleNull(times=1))

    assert await ask("eth_getTransactionByHash", UNKNOWN) is None

    assert node.faults.counts == {}


async def test_stale_null_applies_to_one_transaction(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    other = node.chain.submit(node.chain.accounts[1])
    node.faults.inject(StaleNull(about=tx.hash))

    upper = tx.hash.upper().replace("X", "x")
    assert await ask("eth_getTransactionByHash", upper) is None
    assert (await ask("eth_getTransactionByHash", other.hash))["hash"] == other.hash


@pytest.mark.parametrize("method", LOOK_UPS)
async def test_indexing_has_the_error_of_geth(
    node: DevelopmentNode, ask: Ask, tx: Transaction, method: str
) -> None:
    node.faults.inject(Indexing())

    error = await ask(method, tx.hash)

    assert error == {"code": -32000, "message": "transaction indexing is in progress"}
    assert (await ask("eth_getBlockByNumber", "latest"))["number"] == "0x1"


async def test_receipts_lag_behind_their_block(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    node.faults.inject(LaggingReceipts(blocks=2))

    seen = []
    for _ in range(3):
        one, whole = (
            await ask("eth_getTransactionReceipt", tx.hash),
            await ask("eth_getBlockReceipts", "0x1"),
        )
        seen.append((one is not None, whole is not None))
        await node.mine()

    assert seen == [(False, False), (False, False), (True, True)]
    assert (await ask("eth_getTransactionByHash", tx.hash))["blockNumber"] == "0x1"


@pytest.mark.parametrize("fault", [LaggingReceipts(), ForeignReceipt(), DuplicatedTransaction()])
async def test_missing_data_is_not_changed(node: DevelopmentNode, ask: Ask, fault: Fault) -> None:
    node.faults.inject(fault)

    assert await ask("eth_getTransactionReceipt", UNKNOWN) is None
    assert await ask("eth_getBlockReceipts", UNKNOWN) is None
    assert await ask("eth_getBlockByHash", UNKNOWN, True) is None
    assert node.faults.counts == {}


async def test_wrong_chain_id(node: DevelopmentNode, ask: Ask) -> None:
    node.faults.inject(WrongChainId(chain_id=5))

    assert await ask("eth_chainId") == "0x5"
    assert await ask("net_version") == "5"


async def test_method_of_an_error_fault_is_not_called(node: DevelopmentNode, ask: Ask) -> None:
    node.faults.inject(MethodNotFound(methods=frozenset({"eth_sendTransaction"})))

    error = await ask("eth_sendTransaction", {"from": node.chain.accounts[0]})

    assert error["code"] == -32601
    assert "eth_sendTransaction does not exist" in error["message"]
    assert node.chain.pool == ()


async def test_one_call_of_a_batch_gets_an_error(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(CallError(times=1, code=-32005, message="slow down"))

    answers = (await post([request("eth_chainId", number=n) for n in range(3)])).json

    assert answers[0]["error"] == {"code": -32005, "message": "slow down"}
    assert [answer.get("result") for answer in answers[1:]] == ["0x7a69", "0x7a69"]


async def test_batches_over_the_limit_are_errors(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(RefusedBatch(limit=2))
    calls = [request("eth_chainId", number=number) for number in range(3)]

    refused = (await post(calls)).json

    assert refused["id"] is None
    error = {"code": -32600, "message": "batch of 3 calls: at most 2 allowed"}
    assert refused["error"] == error
    assert len((await post(calls[:2])).json) == 2
    assert (await post(calls[0])).json["result"] == "0x7a69"


async def test_wrong_id(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(WrongId(times=2))
    calls = [request("eth_chainId", number=number) for number in range(2)]

    alone, batch = (await post(calls[0])).json, (await post(calls)).json

    assert alone["id"] not in (0, 1)
    assert [answer["id"] == number for number, answer in enumerate(batch)] == [False, True]


async def test_wrong_id_does_not_apply_to_notifications(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(WrongId())

    answer = await post({"jsonrpc": "2.0", "method": "eth_chainId"})

    assert (answer.status, answer.body) == (204, b"")


async def test_call_of_a_batch_is_answered_twice(
    node: DevelopmentNode, post: Post, tx: Transaction
) -> None:
    node.faults.inject(DuplicatedAnswer(times=1))
    calls = [request("eth_getTransactionByHash", tx.hash, number=number) for number in range(2)]

    answers = (await post(calls)).json

    assert [answer["id"] for answer in answers] == [0, 0, 1]
    assert isinstance((await post(calls[0])).json, dict)


async def test_payment_is_never_sent_twice(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(DuplicatedAnswer())

    answers = (await post([request("eth_sendTransaction", {"from": node.chain.accounts[0]})])).json

    assert len(answers) == len(node.chain.pool) == 1


async def test_foreign_receipt_names_another_block(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    node.faults.inject(ForeignReceipt())
    genesis = node.chain.block(0)
    assert genesis is not None

    assert place(await ask("eth_getTransactionReceipt", tx.hash)) == (genesis.hash, "0x0")
    assert [place(receipt) for receipt in await ask("eth_getBlockReceipts", "0x1")] == [
        (genesis.hash, "0x0")
    ]


async def test_block_has_a_transaction_twice(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    node.faults.inject(DuplicatedTransaction())

    assert (await ask("eth_getBlockByNumber", "0x1", False))["transactions"] == [tx.hash] * 2
    whole = (await ask("eth_getBlockByNumber", "0x1", True))["transactions"]
    assert [found["hash"] for found in whole] == [tx.hash] * 2
    assert len(await ask("eth_getBlockReceipts", "0x1")) == 2
    assert (await ask("eth_getBlockByNumber", "0x0", True))["transactions"] == []


async def test_faults_do_not_change_the_chain(
    node: DevelopmentNode, ask: Ask, tx: Transaction
) -> None:
    for fault in (ForeignReceipt(), DuplicatedTransaction(), WrongChainId(), StaleNull(times=1)):
        node.faults.inject(fault)
    await ask("eth_getTransactionReceipt", tx.hash)
    await ask("eth_getBlockByNumber", "0x1", True)
    node.faults.clear()

    mined = node.chain.mined(tx.hash)
    assert mined is not None
    assert place(await ask("eth_getTransactionReceipt", tx.hash)) == (mined.block.hash, "0x1")
    assert len((await ask("eth_getBlockByNumber", "0x1", True))["transactions"]) == 1


async def test_several_faults_have_independent_probabilities(
    node: DevelopmentNode, post: Post, tx: Transaction
) -> None:
    node.faults.inject(StaleNull(probability=0.4))
    node.faults.inject(Indexing(probability=0.4))
    calls = [request(LOOK_UPS[0], tx.hash, number=number) for number in range(100)]

    answers = (await post(calls)).json

    kinds = Counter(
        "error" if "error" in answer else "null" if answer["result"] is None else "true"
        for answer in answers
    )
    assert kinds["error"] == node.faults.counts["indexing"] > 0
    assert kinds["null"] == node.faults.counts["stale-null"] > 0
    assert kinds["true"] > 0
