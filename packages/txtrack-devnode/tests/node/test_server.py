"""The node over HTTP, used like a real node."""

import asyncio
import errno
import io

import aiohttp
import orjson
import pytest

from txtrack_devnode import ETHER, GWEI, Chain, DevelopmentNode

from .support import Ask

UNKNOWN = "0x" + "ab" * 32
ANYBODY = "0x" + "1" * 40


async def test_node_reports_its_identity(ask: Ask) -> None:
    assert (await ask("web3_clientVersion")).startswith("txtrack-node/")
    assert await ask("net_version") == "31337"
    assert await ask("eth_chainId") == "0x7a69"
    assert await ask("eth_syncing") is False
    assert await ask("eth_blockNumber") == "0x0"
    assert await ask("eth_gasPrice") == hex(GWEI + GWEI // 10)


async def test_accounts_have_no_code(node: DevelopmentNode, ask: Ask) -> None:
    assert await ask("eth_getCode", node.chain.accounts[0], "latest") == "0x"
    assert (await ask("eth_getCode", "0x12"))["code"] == -32602


async def test_full_block_has_every_field_of_the_specification(
    node: DevelopmentNode, ask: Ask
) -> None:
    sender, to, _ = node.chain.accounts
    tx = node.chain.submit(sender, to, 5, data="0xab")
    head = await node.mine()

    block = await ask("eth_getBlockByNumber", "latest", True)

    assert block["number"] == "0x1"
    assert block["hash"] == head.hash
    assert block["parentHash"] == head.parent_hash
    assert block["timestamp"] == hex(head.timestamp)
    assert block["gasUsed"] == hex(21_016)
    assert block.keys() >= {
        *("sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
        *("difficulty", "gasLimit", "extraData", "mixHash", "nonce", "baseFeePerGas", "size"),
        *("uncles", "withdrawals", "withdrawalsRoot"),
    }
    assert block["transactions"] == [
        {
            "type": "0x2",
            "hash": tx.hash,
            "chainId": "0x7a69",
            "from": sender,
            "nonce": "0x0",
            "to": to,
            "value": "0x5",
            "input": "0xab",
            "gas": hex(21_016),
            "gasPrice": hex(GWEI + GWEI // 10),
            "maxFeePerGas": hex(2 * GWEI),
            "maxPriorityFeePerGas": hex(GWEI // 10),
            "accessList": [],
            "v": "0x0",
            "yParity": "0x0",
            "r": "0x1",
            "s": "0x1",
            "blockHash": head.hash,
            "blockNumber": "0x1",
            "blockTimestamp": hex(head.timestamp),
            "transactionIndex": "0x0",
        }
    ]


async def test_block_is_found_by_height_tag_and_hash(node: DevelopmentNode, ask: Ask) -> None:
    chain = node.chain
    tx = chain.submit(chain.accounts[0])
    await node.mine(70)

    for tag, height in [("latest", 70), ("safe", 38), ("finalized", 6), ("earliest", 0)]:
        assert (await ask("eth_getBlockByNumber", tag, False))["number"] == hex(height)
    first = await ask("eth_getBlockByNumber", "0x1")
    assert first["transactions"] == [tx.hash]
    assert await ask("eth_getBlockByHash", first["hash"].upper().replace("X", "x")) == first
    assert await ask("eth_getBlockByNumber", "0x47", True) is None
    assert await ask("eth_getBlockByHash", UNKNOWN, True) is None


async def test_pending_block_has_no_hash_yet(node: DevelopmentNode, ask: Ask) -> None:
    tx = node.chain.submit(node.chain.accounts[0])

    block = await ask("eth_getBlockByNumber", "pending", True)

    assert (block["number"], block["hash"], block["nonce"]) == ("0x1", None, None)
    assert [found["hash"] for found in block["transactions"]] == [tx.hash]
    assert block["transactions"][0]["blockHash"] is None


async def test_transaction_is_known_before_and_after_it_is_mined(
    node: DevelopmentNode, ask: Ask
) -> None:
    tx = node.chain.submit(node.chain.accounts[0])

    waiting = await ask("eth_getTransactionByHash", tx.hash)
    assert waiting["hash"] == tx.hash
    assert (waiting["blockHash"], waiting["blockNumber"], waiting["transactionIndex"]) == (
        (None,) * 3
    )
    assert await ask("eth_getTransactionReceipt", tx.hash) is None

    head = await node.mine()
    assert (await ask("eth_getTransactionByHash", tx.hash))["blockHash"] == head.hash
    assert await ask("eth_getTransactionByHash", UNKNOWN) is None


async def test_receipt_has_every_field_of_the_specification(
    node: DevelopmentNode, ask: Ask
) -> None:
    sender, to, other = node.chain.accounts
    node.chain.submit(other, to)
    tx = node.chain.submit(sender, to, 5)
    head = await node.mine()

    receipt = await ask("eth_getTransactionReceipt", tx.hash)

    assert receipt == {
        "type": "0x2",
        "transactionHash": tx.hash,
        "transactionIndex": "0x1",
        "blockHash": head.hash,
        "blockNumber": "0x1",
        "from": sender,
        "to": to,
        "cumulativeGasUsed": hex(42_000),
        "gasUsed": hex(21_000),
        "effectiveGasPrice": hex(GWEI + GWEI // 10),
        "contractAddress": None,
        "logs": [],
        "logsBloom": "0x" + "0" * 512,
        "status": "0x1",
    }


async def test_receipt_of_a_reverted_transaction_has_the_encoded_reason(
    node: DevelopmentNode, ask: Ask
) -> None:
    tx = node.chain.submit(node.chain.accounts[0], reverts="paused")
    await node.mine()

    receipt = await ask("eth_getTransactionReceipt", tx.hash)

    assert receipt["status"] == "0x0"
    data = bytes.fromhex(receipt["revertReason"][2:])
    assert data[:4].hex() == "08c379a0"
    assert int.from_bytes(data[4:36]) == 32
    assert int.from_bytes(data[36:68]) == 6
    assert data[68:].rstrip(b"\0") == b"paused"
    assert len(data) == 4 + 3 * 32


@pytest.mark.parametrize("by", ["number", "hash", "blockHash", "blockNumber", "latest"])
async def test_receipts_of_a_whole_block(node: DevelopmentNode, ask: Ask, by: str) -> None:
    chain = node.chain
    hashes = [chain.submit(chain.accounts[0]).hash for _ in range(3)]
    head = await node.mine()
    refs = {
        "number": "0x1",
        "hash": head.hash,
        "blockHash": {"blockHash": head.hash},
        "blockNumber": {"blockNumber": "0x1"},
        "latest": "latest",
    }

    receipts = await ask("eth_getBlockReceipts", refs[by])

    assert [receipt["transactionHash"] for receipt in receipts] == hashes
    assert receipts[2] == await ask("eth_getTransactionReceipt", hashes[2])


async def test_receipts_of_an_unknown_block_are_null(ask: Ask) -> None:
    assert await ask("eth_getBlockReceipts", "0x5") is None
    assert await ask("eth_getBlockReceipts", UNKNOWN) is None


async def test_accounts_send_unsigned_transactions(node: DevelopmentNode, ask: Ask) -> None:
    sender, to, _ = await ask("eth_accounts")
    assert [sender, to] == list(node.chain.accounts[:2])

    tx_hash = await ask("eth_sendTransaction", {"from": sender, "to": to, "value": "0x10"})
    assert await ask("eth_getTransactionCount", sender, "latest") == "0x0"
    assert await ask("eth_getTransactionCount", sender, "pending") == "0x1"
    assert await ask("evm_mine") == "0x0"

    assert (await ask("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"
    assert await ask("eth_getTransactionCount", sender) == "0x1"
    assert await ask("eth_getTransactionCount", sender, "0x0") == "0x0"
    assert await ask("eth_getBalance", to, "latest") == hex(10**9 * ETHER + 16)
    assert await ask("eth_getBalance", to, "earliest") == hex(10**9 * ETHER)


async def test_every_field_of_a_sent_transaction_is_used(ask: Ask) -> None:
    sender, to, _ = await ask("eth_accounts")
    fees = {"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1"}
    given = {"nonce": "0x3", "gas": "0x7530", "input": "0xabcd", **fees}

    tx_hash = await ask("eth_sendTransaction", {"from": sender, "to": to} | given)

    assert (await ask("eth_getTransactionByHash", tx_hash)).items() >= given.items()


async def test_gas_price_sets_both_fees(ask: Ask) -> None:
    sender = (await ask("eth_accounts"))[0]

    tx_hash = await ask("eth_sendTransaction", {"from": sender, "gasPrice": "0x77359400"})

    tx = await ask("eth_getTransactionByHash", tx_hash)
    assert tx["maxFeePerGas"] == tx["maxPriorityFeePerGas"] == "0x77359400"


async def test_state_of_an_orphaned_block_is_an_error(node: DevelopmentNode, ask: Ask) -> None:
    orphan = await node.mine()
    node.chain.reorg(1)

    error = await ask("eth_getTransactionCount", ANYBODY, orphan.hash)

    assert error == {"code": -32000, "message": "hash is not currently canonical"}
    assert (await ask("eth_getBlockByHash", orphan.hash))["hash"] == orphan.hash


async def test_control_methods_change_transactions(node: DevelopmentNode, ask: Ask) -> None:
    sender = node.chain.accounts[0]
    hashes = [await ask("eth_sendTransaction", {"from": sender}) for _ in range(4)]

    assert await ask("dev_drop", hashes[3]) is True
    cancelled = await ask("dev_replace", hashes[2], "cancelled")
    assert await ask("dev_revert", hashes[1], "paused") is True
    assert len(await ask("dev_mine", 2)) == 2

    assert (await ask("eth_getTransactionReceipt", hashes[0]))["status"] == "0x1"
    assert (await ask("eth_getTransactionReceipt", hashes[1]))["status"] == "0x0"
    assert (await ask("eth_getTransactionReceipt", cancelled))["status"] == "0x1"
    assert await ask("eth_getTransactionByHash", hashes[2]) is None
    assert await ask("eth_getTransactionByHash", hashes[3]) is None


async def test_control_methods_reorganise_the_chain(node: DevelopmentNode, ask: Ask) -> None:
    tx_hash = node.chain.submit(node.chain.accounts[0]).hash
    mined = await ask("dev_mine", "0x2")

    reorg = await ask("dev_reorg", 2, "move", "0x3")
    assert reorg["removed"] == mined
    assert len(reorg["added"]) == 3
    assert (await ask("eth_getTransactionReceipt", tx_hash))["blockHash"] == reorg["added"][1]

    assert await ask("dev_rollback", 2) == reorg["added"][1:]
    assert await ask("eth_getTransactionReceipt", tx_hash) is None


async def test_requests_are_counted_by_method(node: DevelopmentNode, ask: Ask) -> None:
    await ask("eth_blockNumber")
    await ask("eth_blockNumber")
    await ask("eth_chainId")

    assert node.counters == {"eth_blockNumber": 2, "eth_chainId": 1}
    assert node.http_requests == 3
    node.counters.clear()
    assert node.counters.total() == 0


async def test_batch_is_one_request_over_http(
    node: DevelopmentNode, http: aiohttp.ClientSession
) -> None:
    batch = [{"jsonrpc": "2.0", "id": i, "method": "eth_blockNumber"} for i in range(100)]

    async with http.post(node.url, data=orjson.dumps(batch)) as response:
        answers = orjson.loads(await response.read())

    assert response.content_type == "application/json"
    assert [answer["id"] for answer in answers] == list(range(100))
    assert node.http_requests == 1
    assert node.counters["eth_blockNumber"] == 100


async def test_notification_gets_an_empty_response(
    node: DevelopmentNode, http: aiohttp.ClientSession
) -> None:
    async with http.post(node.url, data=b'{"jsonrpc":"2.0","method":"evm_mine"}') as response:
        assert (response.status, await response.read()) == (204, b"")

    assert node.chain.head.number == 1


async def test_body_over_the_limit_is_an_error(
    node: DevelopmentNode, http: aiohttp.ClientSession
) -> None:
    async with http.post(node.url, data=io.BytesIO(b" " * (5 * 2**20 + 1))) as response:
        assert response.status == 413


async def test_only_post_is_allowed(node: DevelopmentNode, http: aiohttp.ClientSession) -> None:
    async with http.get(node.url) as response:
        assert response.status == 405


async def test_node_mines_by_itself_at_its_block_time() -> None:
    async with DevelopmentNode(block_time=0.01) as node:
        async with asyncio.timeout(50):
            while node.chain.head.number < 3:
                await asyncio.sleep(0.01)

    height = node.chain.head.number
    await asyncio.sleep(0.03)
    assert node.chain.head.number == height, "a stopped node does not mine"


async def test_port_in_use_is_an_error(node: DevelopmentNode) -> None:
    port = int(node.url.rpartition(":")[2])

    with pytest.raises(OSError) as error:
        async with DevelopmentNode(port=port):
            pytest.fail("the node opened a port in use")

    assert error.value.errno == errno.EADDRINUSE


async def test_port_is_free_again_after_the_node(http: aiohttp.ClientSession) -> None:
    async with DevelopmentNode() as first:
        port = int(first.url.rpartition(":")[2])

    async with DevelopmentNode(port=port, chain=first.chain) as second:
        assert second.url == f"http://127.0.0.1:{port}"


def test_url_before_the_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = DevelopmentNode().url


@pytest.mark.parametrize("block_time", [0, -1.0])
def test_block_time_must_be_positive(block_time: float) -> None:
    with pytest.raises(ValueError, match="block_time must be over 0"):
        DevelopmentNode(block_time=block_time)


async def test_chain_id_is_used(http: aiohttp.ClientSession) -> None:
    async with DevelopmentNode(chain_id=5) as node:
        assert node.chain.chain_id == 5


async def test_block_of_ten_thousand_transactions_is_served(http: aiohttp.ClientSession) -> None:
    chain = Chain(accounts=1)
    for _ in range(10_000):
        chain.submit(chain.accounts[0])
    async with DevelopmentNode(chain=chain) as node:
        await node.mine()
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
        body = orjson.dumps(request | {"params": ["latest", True]})

        async with http.post(node.url, data=body) as response:
            block = orjson.loads(await response.read())["result"]

    assert len(block["transactions"]) == 10_000
