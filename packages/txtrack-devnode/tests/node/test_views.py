"""Nodes that lag, are on an old branch, or share a chain."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from txtrack_devnode import ETHER, GWEI, Chain, DevelopmentNode, Transaction
from txtrack_devnode.faults import FrozenHead, LaggingHead, SilentHeads
from txtrack_devnode.view import ChainView, lagging_view

from .support import Ask, Post, request

FEE = 21_000 * (GWEI + GWEI // 10)


@pytest.fixture
def chain() -> Chain:
    return Chain(accounts=3)


@pytest.fixture
def paid(chain: Chain) -> list[Transaction]:
    """Given: five blocks, with a payment of 1 wei from account 0 to 1 in each."""
    sender, to, _ = chain.accounts
    sent = []
    for _ in range(5):
        sent.append(chain.submit(sender, to, 1))
        chain.mine()
    return sent


def test_view_ends_at_its_tip(chain: Chain, paid: list[Transaction]) -> None:
    view = lagging_view(chain, 2)

    assert view.head is chain.block(3)
    assert view.block(3) is view.head
    assert view.block(4) is None
    assert view.block_by_hash(chain.head.hash) is None
    assert view.block_by_hash(view.head.hash) is view.head
    assert view.is_canonical(view.head)
    assert not view.is_canonical(chain.head)


def test_transactions_mined_above_the_tip_are_pending(
    chain: Chain, paid: list[Transaction]
) -> None:
    sender, to, _ = chain.accounts
    waiting = chain.submit(sender, to, 1)
    view = lagging_view(chain, 2)

    assert view.mined(paid[2].hash) is not None
    assert view.pending(paid[2].hash) is None
    assert [view.mined(tx.hash) for tx in paid[3:]] == [None, None]
    assert [view.pending(tx.hash) for tx in paid[3:]] == paid[3:]
    assert view.pool == (*paid[3:], waiting)
    assert (view.nonce(sender), view.nonce(sender, 1), view.pending_nonce(sender)) == (3, 1, 6)
    assert view.balance(to) == 10**9 * ETHER + 3
    assert view.balance(sender) == 10**9 * ETHER - 3 - 3 * FEE
    assert view.pending_block().transactions == (*paid[3:], waiting)


def test_view_of_an_old_branch_has_its_own_transactions(
    chain: Chain, paid: list[Transaction]
) -> None:
    sender, to, third = chain.accounts
    tip = chain.head
    chain.reorg(2, "drop")
    other = chain.submit(third, sender, 7)
    chain.mine()

    view = ChainView(chain, tip, 5)

    assert [view.block(number) for number in (3, 5)] == [chain.block(3), tip]
    assert not view.is_canonical(chain.head)
    mined = view.mined(paid[4].hash)
    assert mined is not None
    assert (mined.block, mined.index) == (tip, 0)
    assert view.pending(paid[4].hash) is None
    assert view.pool == (other,)
    assert (view.nonce(sender), view.nonce(sender, 4), view.pending_nonce(sender)) == (5, 4, 5)
    assert view.nonce(third) == 0
    assert view.balance(to) == 10**9 * ETHER + 5
    assert view.balance(to, 4) == 10**9 * ETHER + 4
    assert view.balance(sender) == 10**9 * ETHER - 5 - 5 * FEE


def test_reverted_payment_of_an_old_branch_moved_nothing(chain: Chain) -> None:
    sender, to, _ = chain.accounts
    chain.submit(sender, to, 5, reverts="no")
    tip = chain.mine()[0]
    chain.reorg(1, "drop")

    view = ChainView(chain, tip, 1)

    assert view.balance(to) == 10**9 * ETHER
    assert view.balance(sender) == 10**9 * ETHER - FEE


def test_nonce_used_on_the_old_branch_is_used(chain: Chain) -> None:
    first = chain.submit(chain.accounts[0], value=1)
    tip = chain.mine()[0]
    chain.reorg(1, "drop")
    second = chain.submit(chain.accounts[0], value=2)

    view = ChainView(chain, tip, 1)

    assert view.pending(second.hash) is None
    assert chain.pending(second.hash) == second
    assert view.mined(first.hash) is not None


def test_safe_and_finalized_blocks_lag() -> None:
    chain = Chain(safe_distance=2, finalized_distance=4)
    chain.mine(20)

    view = lagging_view(chain, 3)
    assert (view.safe, view.finalized) == (15, 13)
    chain.rollback(2)
    assert (chain.safe, chain.finalized) == (16, 16)
    assert (lagging_view(chain, 3).safe, lagging_view(chain, 3).finalized) == (13, 13)


def test_view_of_a_short_chain_ends_at_block_zero(chain: Chain) -> None:
    chain.mine(2)

    assert lagging_view(chain, 100).head is chain.block(0)


async def test_all_methods_of_a_lagging_node_agree(node: DevelopmentNode, ask: Ask) -> None:
    chain = node.chain
    sender = chain.accounts[0]
    old = chain.submit(sender)
    await node.mine()
    new = chain.submit(sender)
    await node.mine()
    node.faults.inject(LaggingHead(blocks=1))

    assert await ask("eth_blockNumber") == "0x1"
    assert (await ask("eth_getBlockByNumber", "latest", False))["number"] == "0x1"
    assert await ask("eth_getBlockByNumber", "0x2", False) is None
    assert await ask("eth_getBlockByHash", chain.head.hash, False) is None
    assert await ask("eth_getBlockReceipts", chain.head.hash) is None
    assert await ask("eth_getTransactionReceipt", new.hash) is None
    assert (await ask("eth_getTransactionByHash", new.hash))["blockHash"] is None
    assert (await ask("eth_getTransactionReceipt", old.hash))["blockNumber"] == "0x1"
    assert await ask("eth_getTransactionCount", sender, "latest") == "0x1"
    assert await ask("eth_getTransactionCount", sender, "pending") == "0x2"
    assert (await ask("eth_getTransactionCount", sender, "0x2"))["message"] == "header not found"
    pending = await ask("eth_getBlockByNumber", "pending", False)
    assert (pending["number"], pending["transactions"]) == ("0x2", [new.hash])

    node.faults.clear()
    assert await ask("eth_blockNumber") == "0x2"


async def test_probable_lag_is_the_same_for_a_whole_batch(
    node: DevelopmentNode, post: Post
) -> None:
    await node.mine(3)
    node.faults.inject(LaggingHead(blocks=2, probability=0.5))
    batch = [request("eth_blockNumber", number=number) for number in range(5)]

    heights = [{answer["result"] for answer in (await post(batch)).json} for _ in range(20)]

    assert all(len(seen) == 1 for seen in heights)
    assert set.union(*heights) == {"0x1", "0x3"}


async def test_largest_lag_wins(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(9)
    for blocks in (2, 5, 3):
        node.faults.inject(LaggingHead(blocks=blocks))

    assert await ask("eth_blockNumber") == "0x4"


async def test_frozen_node_does_not_see_a_reorg(node: DevelopmentNode, ask: Ask) -> None:
    tx = node.chain.submit(node.chain.accounts[0])
    old = await node.mine()
    await ask("dev_inject", "frozen-head")
    node.chain.reorg(1, "drop")
    await node.mine(5)

    assert (await ask("eth_getBlockByNumber", "latest", False))["hash"] == old.hash
    assert (await ask("eth_getTransactionReceipt", tx.hash))["blockHash"] == old.hash
    assert (await ask("eth_getBlockByNumber", "0x1", True))["hash"] == old.hash
    assert await ask("eth_getTransactionCount", tx.sender, old.hash) == "0x1"
    assert await ask("dev_faults") == {"1": f"frozen-head:at={old.hash}"}

    await ask("dev_clear")
    assert (await ask("eth_getBlockByNumber", "0x1"))["hash"] != old.hash
    assert await ask("eth_getTransactionReceipt", tx.hash) is None


async def test_node_can_be_frozen_at_a_chosen_block(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(3)
    first = node.chain.block(1)
    assert first is not None

    node.faults.inject(FrozenHead(at=first.hash))

    assert await ask("eth_blockNumber") == "0x1"


async def test_payments_through_a_lagging_node_reach_the_chain(
    node: DevelopmentNode, ask: Ask
) -> None:
    sender = node.chain.accounts[0]
    node.chain.submit(sender)
    await node.mine()
    node.faults.inject(LaggingHead(blocks=1))

    sent = await ask("eth_sendTransaction", {"from": sender})

    waiting = node.chain.pending(sent)
    assert waiting is not None
    assert waiting.nonce == 1


@pytest.fixture
async def second(node: DevelopmentNode) -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=node.chain) as other:
        yield other


async def test_nodes_share_a_chain_and_have_their_own_faults(
    node: DevelopmentNode,
    second: DevelopmentNode,
    ask: Ask,
    http: aiohttp.ClientSession,
) -> None:
    await node.mine(3)
    second.faults.inject(LaggingHead(blocks=2))
    body = orjson.dumps(request("eth_blockNumber"))

    async with http.post(second.url, data=body) as response:
        lagging = orjson.loads(await response.read())["result"]

    assert await ask("eth_blockNumber") == "0x3"
    assert lagging == "0x1"
    assert (node.http_requests, second.http_requests) == (1, 1)
    assert node.faults.counts == {}
    assert second.chain is node.chain


def test_silent_heads_do_not_affect_requests() -> None:
    with pytest.raises(ValueError, match="methods must be some of eth_subscribe, got eth_call"):
        SilentHeads(methods=frozenset({"eth_call"}))
