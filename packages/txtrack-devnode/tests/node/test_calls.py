"""``eth_call`` and ``eth_getLogs`` on a chain whose only contracts are tokens."""

from typing import Any

import pytest

from txtrack_devnode import ETHER, DevelopmentNode, Transaction
from txtrack_devnode.tokens import TRANSFER_EVENT, transfer_data
from txtrack_devnode.wire import encode_reason

from .support import Ask

UNKNOWN = "0x" + "ab" * 32


def replay(tx: Transaction) -> dict[str, Any]:
    """Write the call that does what ``tx`` did."""
    return {"from": tx.sender, "to": tx.to, "value": hex(tx.value), "input": tx.data}


async def reverted(node: DevelopmentNode, reason: str = "paused") -> Transaction:
    """Given: a reverted transaction in block 1, and block 2 on top."""
    sender, to, _ = node.chain.accounts
    tx = node.chain.submit(sender, to, 5, data="0xabcd", reverts=reason)
    await node.mine(2)
    return tx


@pytest.mark.parametrize("height", ["0x0", "0x1"])
async def test_replay_of_a_reverted_transaction_reverts(
    node: DevelopmentNode, ask: Ask, height: str
) -> None:
    tx = await reverted(node)

    error = await ask("eth_call", replay(tx), height)

    assert error == {
        "code": 3,
        "message": "execution reverted: paused",
        "data": encode_reason("paused"),
    }


async def test_replay_can_revert_without_a_reason(node: DevelopmentNode, ask: Ask) -> None:
    tx = await reverted(node, "")

    error = await ask("eth_call", replay(tx), "0x1")

    assert error == {"code": 3, "message": "execution reverted", "data": "0x"}


async def test_replay_accepts_the_hash_of_a_block(node: DevelopmentNode, ask: Ask) -> None:
    tx = await reverted(node)
    block = node.chain.block(1)
    assert block is not None

    assert (await ask("eth_call", replay(tx), block.hash))["code"] == 3
    assert (await ask("eth_call", replay(tx), {"blockHash": block.hash}))["code"] == 3


async def test_other_calls_succeed(node: DevelopmentNode, ask: Ask) -> None:
    tx = await reverted(node)
    good = node.chain.submit(node.chain.accounts[1])
    await node.mine()

    assert await ask("eth_call", replay(tx)) == "0x", "not where it reverted"
    assert await ask("eth_call", replay(tx) | {"value": "0x6"}, "0x1") == "0x"
    assert await ask("eth_call", replay(good), "latest") == "0x"
    assert await ask("eth_call", {"to": tx.to, "data": "0x01"}, "pending") == "0x"


async def test_call_that_the_sender_cannot_pay_is_an_error(node: DevelopmentNode, ask: Ask) -> None:
    call = {"from": node.chain.accounts[0], "value": hex(10**9 * ETHER + 1)}

    error = await ask("eth_call", call)

    assert error["code"] == -32000
    assert error["message"].startswith("insufficient funds for transfer")


async def test_token_transfer_makes_a_log(node: DevelopmentNode, ask: Ask) -> None:
    sender, token, recipient = node.chain.accounts
    tx = node.chain.submit(sender, token, data=transfer_data(recipient, 17))
    head = await node.mine()

    receipt = await ask("eth_getTransactionReceipt", tx.hash)

    (log,) = receipt["logs"]
    assert log["address"] == token
    assert log["topics"] == [
        TRANSFER_EVENT,
        *(f"0x{'0' * 24}{key[2:]}" for key in (sender, recipient)),
    ]
    assert int(log["data"], 16) == 17
    assert (log["blockHash"], log["transactionHash"]) == (head.hash, tx.hash)
    assert receipt["logsBloom"] == "0x" + "f" * 512


async def test_reverted_token_transfer_makes_no_log(node: DevelopmentNode, ask: Ask) -> None:
    sender, token, recipient = node.chain.accounts
    tx = node.chain.submit(sender, token, data=transfer_data(recipient, 17), reverts="paused")
    await node.mine()

    receipt = await ask("eth_getTransactionReceipt", tx.hash)

    assert receipt["logs"] == []
    assert await ask("eth_getLogs", {"fromBlock": "0x0"}) == []


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ({}, 1),
        ({"fromBlock": "0x0", "toBlock": "0x99"}, 2),
        ({"fromBlock": "0x0", "toBlock": "0x1"}, 1),
        ({"fromBlock": "0x0", "topics": [TRANSFER_EVENT]}, 2),
        ({"fromBlock": "0x0", "topics": [None, None, [UNKNOWN]]}, 0),
        ({"fromBlock": "0x0", "topics": [None, None, None, UNKNOWN]}, 0),
        ({"fromBlock": "0x0", "address": "0x" + "1" * 40}, 0),
    ],
)
async def test_logs_are_found_by_block_address_and_topics(
    node: DevelopmentNode, ask: Ask, criteria: dict[str, object], count: int
) -> None:
    sender, token, recipient = node.chain.accounts
    for _ in range(2):
        node.chain.submit(sender, token, data=transfer_data(recipient, 17))
        await node.mine()

    found = await ask("eth_getLogs", criteria)

    assert len(found) == count


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("eth_call", [], -32602, "missing value for required argument 0"),
        ("eth_call", ["0x"], -32602, "the transaction must be an object"),
        ("eth_call", [{"to": "me"}], -32602, "to must be 0x and 40"),
        ("eth_call", [{}, "newest"], -32602, "the block must be a height"),
        ("eth_call", [{}, "0x9"], -32000, "header not found"),
        ("eth_call", [{"data": "0x11", "input": "0x22"}], -32602, "differ"),
        ("eth_getLogs", [{"fromBlock": "old"}], -32602, "the block must be a height"),
        ("eth_getLogs", [{"block": "0x1"}], -32602, "got ['block']"),
        ("eth_getLogs", [{"blockHash": "0x1"}], -32602, "blockHash must be 0x and 64"),
        ("eth_getLogs", [{"blockHash": UNKNOWN}], -32000, "header not found"),
    ],
)
async def test_invalid_calls_are_errors(
    ask: Ask, method: str, params: list[object], code: int, words: str
) -> None:
    error = await ask(method, *params)

    assert error["code"] == code
    assert words in error["message"]
