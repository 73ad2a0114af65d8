"""The small Bitcoin network: its rules, and its node's JSON-RPC."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from txtrack_devnode.bitcoin import COIN, BitcoinChain, BitcoinNode, Coin, RejectedError
from txtrack_devnode.bitcoin.wire import genesis

REGTEST = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"


@pytest.fixture
async def node() -> AsyncIterator[BitcoinNode]:
    async with BitcoinNode() as node:
        yield node


async def ask(node: BitcoinNode, method: str, *params: object) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with aiohttp.ClientSession() as session, session.post(node.url, json=body) as response:
        answer = await response.json()
    return answer.get("result", answer.get("error"))


def test_first_block_is_that_of_each_regtest_network() -> None:
    assert genesis().hash == REGTEST
    assert genesis().root == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


def test_chain_is_reproducible() -> None:
    one, other = BitcoinChain.mature(), BitcoinChain.mature()
    one.pay()
    other.pay()

    assert one.mine().hash == other.mine().hash


def test_reward_can_be_spent_after_a_hundred_confirmations() -> None:
    chain = BitcoinChain.mature(99)

    with pytest.raises(RejectedError, match="coins"):
        chain.coins()
    chain.mine()
    assert len(chain.coins()) == 1


def test_higher_fee_replaces_and_removes_the_descendants() -> None:
    chain = BitcoinChain.mature()
    first = chain.pay()
    child = chain.pay(spends=[Coin(first.id, 0)], value=1_000)

    with pytest.raises(RejectedError, match="fee"):
        chain.pay(spends=first.spends, fee=500)
    second = chain.pay(spends=first.spends, fee=9_000)

    assert list(chain.mempool) == [second.id]
    assert child.id not in chain.mempool


def test_transaction_without_the_signal_is_not_replaced() -> None:
    chain = BitcoinChain.mature()
    first = chain.pay(replaceable=False)

    with pytest.raises(RejectedError, match="conflict"):
        chain.pay(spends=first.spends, fee=9_000)


def test_reorganisation_returns_transactions_and_discards_rewards() -> None:
    chain = BitcoinChain.mature()
    paid = chain.pay()
    removed = chain.mine()

    chain.rollback()

    assert list(chain.mempool) == [paid.id]
    assert chain.mine(2).number == removed.number + 1
    assert not chain.is_active(removed)
    assert removed.transactions[0].id not in {
        each.id for block in chain.blocks for each in block.transactions
    }


async def test_transaction_is_shown_as_documented(node: BitcoinNode) -> None:
    paid = node.chain.pay(value=COIN // 10)
    entry = await ask(node, "getmempoolentry", paid.id)
    waiting = await ask(node, "getrawtransaction", paid.id, 1)
    block = node.chain.mine()
    mined = await ask(node, "getrawtransaction", paid.id, 2, block.hash)

    assert (entry["fees"]["base"], entry["bip125-replaceable"]) == (0.00001, True)
    assert "blockhash" not in waiting
    assert (mined["blockhash"], mined["confirmations"], mined["fee"]) == (block.hash, 1, 0.00001)
    assert mined["in_active_chain"] is True
    assert mined["vout"][0]["value"] == 0.1


async def test_spent_output_is_null(node: BitcoinNode) -> None:
    (coin,) = node.chain.coins()
    node.chain.pay(spends=[coin])

    assert await ask(node, "gettxout", coin.id, coin.index) is None
    assert (await ask(node, "gettxout", coin.id, coin.index, False))["value"] == 50
    node.chain.mine()
    assert await ask(node, "gettxout", coin.id, coin.index, False) is None


@pytest.mark.parametrize(
    ("state", "words"), [(True, "mempool or blockchain"), (False, "Use -txindex")]
)
async def test_unknown_transaction_is_an_error(node: BitcoinNode, state: bool, words: str) -> None:
    node.state.txindex = state

    error = await ask(node, "getrawtransaction", "00" * 32, 1)

    assert error["code"] == -5
    assert words in error["message"]


async def test_pruned_block_is_an_error(node: BitcoinNode) -> None:
    node.state.pruned_below = 50
    block = node.chain.blocks[10].hash

    assert (await ask(node, "getblock", block, 0))["message"] == "Block not available (pruned data)"
    assert (await ask(node, "getblockheader", block))["height"] == 10


async def test_node_refuses_a_request_without_the_password(node: BitcoinNode) -> None:
    async with aiohttp.ClientSession() as session, session.post(node.open_url) as response:
        assert response.status == 401
