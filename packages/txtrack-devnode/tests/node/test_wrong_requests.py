"""Invalid requests: the error code, and the reason in the message."""

import pytest

from .support import Ask

A = "0x" + "1" * 40
UNKNOWN = "0x" + "ab" * 32

WRONG: list[tuple[str, list[object], int, str]] = [
    ("eth_getBlockByNumber", ["0x01", True], -32602, "without a leading zero"),
    ("eth_getBlockByNumber", [1, True], -32602, "the block must be a height"),
    ("eth_getBlockByNumber", ["newest", True], -32602, "or one of latest, safe, finalized"),
    ("eth_getBlockByNumber", ["0x1", 1], -32602, "must be true or false, got 1"),
    ("eth_getBlockByHash", ["0x12", True], -32602, "64 hexadecimal digits, got '0x12'"),
    ("eth_getBlockReceipts", [{"block": 1}], -32602, "blockHash, blockNumber"),
    ("eth_getBlockReceipts", [{}], -32602, "the block must be a height"),
    ("eth_getTransactionByHash", ["0x" + "g" * 64], -32602, "64 hexadecimal digits"),
    ("eth_getTransactionReceipt", [None], -32602, "64 hexadecimal digits, got None"),
    ("eth_getTransactionReceipt", ["0x" + "1" * 999], -32602, "..."),
    ("eth_getTransactionReceipt", [], -32602, "missing value for required argument 0"),
    ("eth_getTransactionCount", [A, "0x9"], -32000, "header not found"),
    ("eth_getTransactionCount", ["me", "latest"], -32602, "40 hexadecimal digits"),
    ("eth_getBalance", [A, {"blockHash": UNKNOWN}], -32000, "header not found"),
    ("eth_sendTransaction", ["0x"], -32602, "the transaction must be an object"),
    ("eth_sendTransaction", [{}], -32602, "from must be 0x and 40"),
    ("eth_sendTransaction", [{"from": A}], -32000, "unknown account"),
    ("eth_sendTransaction", [{"from": A, "tip": 1}], -32602, "got ['tip']"),
    ("eth_sendTransaction", [{"from": A, "value": "5"}], -32602, "value must be 0x"),
    ("eth_sendTransaction", [{"from": A, "chainId": "0x1"}], -32000, "invalid chain id"),
    ("eth_sendTransaction", [{"from": A, "data": "0x1"}], -32602, "even number"),
    ("eth_sendTransaction", [{"from": A, "data": "0x11", "input": "0x22"}], -32602, "differ"),
    (
        "eth_sendTransaction",
        [{"from": A, "gasPrice": "0x1", "maxFeePerGas": "0x1"}],
        -32602,
        "give either gasPrice or",
    ),
    (
        "eth_sendTransaction",
        [{"from": A, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}],
        -32000,
        "higher than max fee",
    ),
    ("eth_sendRawTransaction", ["0x02"], -32000, "use eth_sendTransaction"),
    ("eth_estimateGas", [{}], -32601, "the method eth_estimateGas does not exist"),
    ("eth_subscribe", ["newHeads"], -32601, "the method eth_subscribe does not exist"),
    ("evm_mine", [{"blocks": 0}], -32000, "at least 1"),
    ("evm_mine", [{"time": 0}], -32602, "some of blocks"),
    ("dev_mine", [10_001], -32602, "at most 10000"),
    ("dev_mine", [True], -32602, "must be 0x"),
    ("dev_replace", [UNKNOWN, "eaten"], -32602, "repriced, cancelled, replaced, got 'eaten'"),
    ("dev_replace", [UNKNOWN], -32000, "in the pool"),
    ("dev_revert", [UNKNOWN, 5], -32602, "the reason must be a string"),
    ("dev_reorg", [1, "pool"], -32000, "depth must be 1 to 0"),
    ("dev_reorg", [1, "eat"], -32602, "one of pool, drop, move"),
    ("dev_rollback", [0], -32000, "depth must be"),
]


@pytest.mark.parametrize(("method", "params", "code", "words"), WRONG)
async def test_invalid_request_gets_an_error_with_the_reason(
    ask: Ask, method: str, params: list[object], code: int, words: str
) -> None:
    error = await ask(method, *params)

    assert error["code"] == code
    assert words in error["message"]
