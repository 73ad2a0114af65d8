"""Responses of real nodes that break Ethereum's specification: one fault each."""

from typing import Any

import pytest

from txtrack_devnode import Chain, DevelopmentNode, Transaction
from txtrack_devnode.faults import (
    DuplicatedTransaction,
    Fault,
    FlippedStatus,
    ForeignReceipt,
    HashesOnly,
    ListedTwice,
    MissingReceipt,
    NoStatus,
    OddField,
    OddPending,
    PrunedBlocks,
    RefusedBatch,
    Unprotected,
    WrongParent,
    parse,
)

from .support import Ask, Post, request

ZERO_HASH = "0x" + "0" * 64


@pytest.fixture
async def pair(node: DevelopmentNode) -> tuple[Transaction, Transaction]:
    """Given: two transactions in block 1, of which the second one reverted."""
    sent = node.chain.submit(node.chain.accounts[0])
    failed = node.chain.submit(node.chain.accounts[1], reverts="no")
    await node.mine()
    return sent, failed


async def listed(ask: Ask, block: str = "latest") -> list[Any]:
    found = (await ask("eth_getBlockByNumber", block, True))["transactions"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("field", ["nonce", "from"])
async def test_field_of_transactions_is_null(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction], field: str
) -> None:
    node.faults.inject(OddField(field=field))

    assert [item[field] for item in await listed(ask)] == [None, None]
    assert (await ask("eth_getTransactionByHash", pair[0].hash))[field] is None
    assert (await ask("eth_getBlockByNumber", "latest", False))["transactions"] == [
        tx.hash for tx in pair
    ]


async def test_field_is_odd_in_one_transaction_only(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(OddField(field="nonce", transaction=pair[1].hash))

    assert [item["nonce"] for item in await listed(ask)] == ["0x0", None]


async def test_part_selects_the_same_transactions_each_time(node: DevelopmentNode) -> None:
    fault = OddField(part=0.25)
    hashes = [node.chain.submit(node.chain.accounts[0]).hash for _ in range(400)]

    chosen = [fault.affects(tx_hash) for tx_hash in hashes]

    assert 60 < sum(chosen) < 140
    assert chosen == [OddField(part=0.25).affects(tx_hash) for tx_hash in hashes]


async def test_fee_fields_are_unreadable(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(OddField(record="block", field="baseFeePerGas", value="0x"))
    node.faults.inject(OddField(record="receipt", field="effectiveGasPrice", value="absent"))

    assert (await ask("eth_getBlockByHash", node.chain.head.hash))["baseFeePerGas"] == "0x"
    assert "effectiveGasPrice" not in await ask("eth_getTransactionReceipt", pair[0].hash)
    assert all("effectiveGasPrice" not in item for item in await ask("eth_getBlockReceipts", "0x1"))


async def test_transaction_is_duplicated_with_another_index(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(DuplicatedTransaction(renumbered=True))

    found = await listed(ask)

    assert [item["hash"] for item in found] == [pair[0].hash, pair[1].hash, pair[0].hash]
    assert [item["transactionIndex"] for item in found] == ["0x0", "0x1", "0x2"]


async def test_transaction_is_listed_again_in_the_next_block(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(ListedTwice(transaction=pair[0].hash))
    own = node.chain.submit(node.chain.accounts[2])
    await node.mine()

    found = await listed(ask)

    assert [item["hash"] for item in found] == [own.hash, pair[0].hash]
    assert {item["blockHash"] for item in found} == {node.chain.head.hash}
    assert [item["transactionIndex"] for item in found] == ["0x0", "0x1"]
    assert (await ask("eth_getTransactionReceipt", pair[0].hash))["blockNumber"] == "0x1"
    assert (await ask("eth_getBlockByNumber", "0x2"))["transactions"] == [own.hash, pair[0].hash]


async def test_block_lists_hashes_instead_of_transactions(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(HashesOnly())

    assert await listed(ask) == [tx.hash for tx in pair]


async def test_block_has_a_wrong_parent(node: DevelopmentNode, ask: Ask) -> None:
    head = await node.mine()
    node.faults.inject(WrongParent())

    block = await ask("eth_getBlockByNumber", "latest")

    assert block["hash"] == head.hash
    assert node.chain.block_by_hash(block["parentHash"]) is None


async def test_unprotected_transaction_is_legacy_with_chain_id_zero(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(Unprotected())

    for found in (await ask("eth_getTransactionByHash", pair[0].hash), (await listed(ask))[1]):
        assert (found["type"], found["chainId"]) == ("0x0", "0x0")
        assert "maxFeePerGas" not in found


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (OddPending(), [ZERO_HASH, "0x0", "0x0"]),
        (OddPending(shape="empty"), ["0x", "0x", "0x"]),
    ],
)
async def test_pending_transaction_has_zeros_or_empty_block_fields(
    node: DevelopmentNode,
    ask: Ask,
    pair: tuple[Transaction, Transaction],
    fault: Fault,
    place: list[str],
) -> None:
    waiting = node.chain.submit(node.chain.accounts[0])
    node.faults.inject(fault)

    found = await ask("eth_getTransactionByHash", waiting.hash)

    assert [found[name] for name in ("blockHash", "blockNumber", "transactionIndex")] == place
    assert (await ask("eth_getTransactionByHash", pair[0].hash))["blockNumber"] == "0x1"


async def test_receipt_is_missing(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(MissingReceipt(transaction=pair[0].hash))

    assert await ask("eth_getTransactionReceipt", pair[0].hash) is None
    assert await ask("eth_getTransactionReceipt", pair[1].hash) is not None
    receipts = await ask("eth_getBlockReceipts", "0x1")
    assert [item["transactionHash"] for item in receipts] == [pair[1].hash]
    assert (await ask("eth_getTransactionByHash", pair[0].hash))["blockNumber"] == "0x1"


async def test_receipt_from_before_byzantium_has_a_root_and_no_status(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(NoStatus(transaction=pair[0].hash))

    old, new = await ask("eth_getBlockReceipts", "0x1")

    assert "status" not in old
    assert len(old["root"]) == 66
    assert (new["status"], "root" in new) == ("0x0", False)


async def test_receipt_has_the_opposite_status(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(FlippedStatus())

    assert [item["status"] for item in await ask("eth_getBlockReceipts", "0x1")] == ["0x0", "0x1"]
    assert (await ask("eth_getTransactionReceipt", pair[0].hash))["status"] == "0x0"


async def test_foreign_receipt_of_one_transaction_names_another_block(
    node: DevelopmentNode, ask: Ask, pair: tuple[Transaction, Transaction]
) -> None:
    node.faults.inject(ForeignReceipt(transaction=pair[0].hash))

    receipts = await ask("eth_getBlockReceipts", "0x1")

    assert [item["blockNumber"] for item in receipts] == ["0x0", "0x1"]


async def test_oldest_blocks_are_null(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(3)
    node.faults.inject(PrunedBlocks(blocks=2))

    assert await ask("eth_getBlockByNumber", "0x0", False) is None
    assert await ask("eth_getBlockByNumber", "earliest", False) is None
    assert await ask("eth_getBlockReceipts", "0x0") is None
    assert await ask("eth_getBlockByNumber", "0x1", False) is None
    assert (await ask("eth_getBlockByNumber", "0x2", False))["number"] == "0x2"
    assert (await ask("eth_getBlockByNumber", "latest", False))["number"] == "0x3"


@pytest.mark.parametrize(
    ("text", "status", "code", "words"),
    [
        (
            "refused-batch:code=-32005,message=Batched requests are not supported by this server",
            *(200, -32005, "Batched requests are not supported by this server"),
        ),
        ("refused-batch:code=-32603,http_status=405", 405, -32603, "batch of 2 calls"),
        ("refused-batch:http_status=413", 413, -32600, "batch of 2 calls: at most 0 allowed"),
    ],
)
async def test_refused_batch_has_the_given_message_and_status(
    node: DevelopmentNode, post: Post, text: str, status: int, code: int, words: str
) -> None:
    fault = parse(text)
    assert isinstance(fault, RefusedBatch)
    node.faults.inject(fault)

    answer = await post([request("eth_chainId"), request("eth_blockNumber", number=2)])

    assert answer.status == status
    assert answer.json["error"]["code"] == code
    assert words in answer.json["error"]["message"]
    assert (await post(request("eth_chainId"))).json["result"] == "0x7a69"


@pytest.mark.parametrize(
    "fault",
    [
        *(OddField(), Unprotected(), ListedTwice(), HashesOnly(), WrongParent(part=0.0)),
        *(MissingReceipt(), NoStatus(), FlippedStatus(), OddField(record="receipt")),
    ],
)
async def test_empty_block_is_not_changed(node: DevelopmentNode, ask: Ask, fault: Fault) -> None:
    await node.mine()
    before = [
        await ask("eth_getBlockByNumber", "latest", True),
        await ask("eth_getBlockReceipts", "latest"),
    ]
    node.faults.inject(fault)

    after = [
        await ask("eth_getBlockByNumber", "latest", True),
        await ask("eth_getBlockReceipts", "latest"),
    ]

    assert after == before
    assert node.faults.counts == {}


def test_odd_answers_do_not_change_the_chain() -> None:
    chain = Chain()
    tx = chain.submit(chain.accounts[0])
    chain.mine()

    assert FlippedStatus().affects(tx.hash)
    assert not FlippedStatus(part=0.0).affects(tx.hash)
    assert chain.head.revert_reason(tx.hash) is None
