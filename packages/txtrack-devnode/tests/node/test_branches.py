"""Nodes on another branch or a shorter chain, load balancers, and chains with other rules."""

import orjson
import pytest

from txtrack_devnode import (
    SYSTEM_TRANSACTIONS,
    Authorization,
    Chain,
    ChainError,
    ChainRules,
    DevelopmentNode,
)
from txtrack_devnode.ethereum import EthereumMethods
from txtrack_devnode.faults import Forked, LoadBalanced, ResetChain, parse
from txtrack_devnode.rpc import Dispatcher
from txtrack_devnode.rules import NullRoundAnswer
from txtrack_devnode.wire import receipt_json, transaction_json

from .support import Ask, Post, request


@pytest.fixture
def chain() -> Chain:
    return Chain(accounts=4)


def test_fork_shares_the_blocks_below_and_has_its_own_above(chain: Chain) -> None:
    chain.mine(10)

    fork = chain.fork(4, length=2)

    assert fork.block(6) is chain.block(6)
    assert fork.head.number == 8
    assert fork.block(7) is not chain.block(7)
    assert fork.block_by_hash(chain.head.hash) is not None  # it was its head before
    assert chain.block_by_hash(fork.head.hash) is None
    assert chain.head.number == 10


def test_fork_mines_without_changing_the_chain(chain: Chain) -> None:
    sender, to, *_ = chain.accounts
    old = chain.submit(sender, to, 5)
    chain.mine(2)
    fork = chain.fork(2, "drop", length=0)
    chain.mine()

    new = chain.submit(sender, to, 7)
    stuck = fork.pending(new.hash)
    fork.add(old)
    fork.mine()

    assert stuck == new  # it waits there behind a gap in the nonces
    assert fork.mined(old.hash) is not None
    assert chain.mined(new.hash) is None
    assert (chain.nonce(sender), fork.nonce(sender)) == (1, 2)
    assert chain.balance(to) - fork.balance(to) == -7


def test_forks_from_the_same_block_are_different_chains(chain: Chain) -> None:
    chain.mine(3)

    heads = {fork.head.hash for fork in (chain.fork(2), chain.fork(2), chain.fork(2).fork(1))}

    assert len(heads) == 3
    assert chain.mine()[0].hash not in heads


def test_growing_fork_mines_when_the_chain_does(chain: Chain) -> None:
    chain.mine(5)
    stuck, grows = chain.fork(3, length=1), chain.fork(3, length=1, grows=True)

    chain.mine(4)

    assert (stuck.head.number, grows.head.number) == (3, 7)


def test_reset_chain_has_the_same_id_and_another_genesis(chain: Chain) -> None:
    sender, to, *_ = chain.accounts
    chain.submit(sender, to, 5)
    chain.mine(5)

    other = chain.reset(2)

    first, old = other.block(0), chain.block(0)
    assert first is not None
    assert old is not None
    assert first.hash != old.hash
    assert (other.chain_id, other.head.number) == (chain.chain_id, 2)
    assert other.nonce(sender) == 0
    assert other.submit(sender, to, 5).nonce == 0


async def test_node_answers_from_its_branch(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(6)
    node.faults.inject(parse("forked:depth=4,length=1"))

    assert await ask("eth_blockNumber") == "0x3"
    head = await ask("eth_getBlockByNumber", "latest", False)
    assert head["hash"] != node.chain.block(3).hash  # type: ignore[union-attr]
    assert head["parentHash"] == node.chain.block(2).hash  # type: ignore[union-attr]
    assert await ask("dev_faults") == {"1": "forked:depth=4,fork=0"}

    (mined,) = await ask("dev_mine_fork", 0)
    assert (await ask("eth_getBlockByNumber", "0x4", False))["hash"] == mined
    assert node.chain.head.number == 6
    assert (await ask("dev_mine_fork", 1))["code"] == -32602


async def test_branch_deeper_than_the_chain_starts_at_block_zero(
    node: DevelopmentNode, ask: Ask
) -> None:
    await node.mine(2)
    node.faults.inject(Forked(depth=1_000))

    assert await ask("eth_blockNumber") == "0x1"


async def test_two_nodes_can_be_on_the_same_branch(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(6)
    fork = node.chain.fork(3, length=2)
    node.faults.inject(Forked(fork=0))

    assert (await ask("eth_getBlockByNumber", "latest"))["hash"] == fork.head.hash
    with pytest.raises(ChainError, match="forked: no fork has the number 1"):
        node.faults.inject(Forked(fork=1))


async def test_node_is_on_a_shorter_chain_with_another_genesis(
    node: DevelopmentNode, ask: Ask
) -> None:
    await node.mine(6)
    old = await ask("eth_getBlockByNumber", "0x0")
    node.faults.inject(ResetChain(length=2))

    assert await ask("eth_blockNumber") == "0x2"
    assert (await ask("eth_getBlockByNumber", "0x0"))["hash"] != old["hash"]
    assert await ask("eth_chainId") == "0x7a69"


async def test_load_balanced_requests_go_to_different_nodes(
    node: DevelopmentNode, ask: Ask
) -> None:
    await node.mine(9)
    node.faults.inject(LoadBalanced(blocks=3))

    heights = [await ask("eth_blockNumber") for _ in range(40)]

    assert set(heights) == {"0x6", "0x7", "0x8", "0x9"}


@pytest.mark.parametrize("split", [False, True])
async def test_split_sends_the_calls_of_a_batch_to_different_nodes(
    node: DevelopmentNode, post: Post, split: bool
) -> None:
    await node.mine(9)
    node.faults.inject(LoadBalanced(blocks=3, split=split))
    batch = [request("eth_blockNumber", number=number) for number in range(40)]

    answers = (await post(batch)).json

    assert len({item["result"] for item in answers}) == (4 if split else 1)


async def test_null_rounds_have_no_block(node: DevelopmentNode, ask: Ask) -> None:
    await node.mine(2)
    await ask("dev_skip", 2)
    head = await node.mine()

    assert head.number == 5
    assert head.parent_hash == node.chain.block(2).hash  # type: ignore[union-attr]
    assert head.timestamp - node.chain.block(2).timestamp == 36  # type: ignore[union-attr]
    assert [await ask("eth_getBlockByNumber", hex(n), False) for n in (3, 4)] == [None, None]
    assert await ask("eth_getBlockReceipts", "0x4") is None
    assert await ask("eth_getBalance", node.chain.accounts[0], "0x4") == hex(10**27)
    assert await ask("eth_blockNumber") == "0x5"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("null", [None, None, None]),
        ("error", [12, "requested epoch was a null round (3)", 3]),
        ("previous", ["0x2", None, None]),
    ],
)
def test_null_rounds_get_the_configured_answer(answer: NullRoundAnswer, told: list[object]) -> None:
    rules = ChainRules(null_rounds=3, null_round_answer=answer)
    chain = Chain(rules=rules)
    chain.mine(4)
    dispatcher = Dispatcher(EthereumMethods(chain).table())

    raw = dispatcher.answer(request("eth_getBlockByNumber", "0x3") | {"params": ["0x3"]})

    found = orjson.loads(raw or b"")
    error, result = found.get("error") or {}, found.get("result") or {}
    assert [
        error.get("code", result.get("number")),
        error.get("message"),
        error.get("data"),
    ] == told


def test_reorg_and_views_work_with_null_rounds() -> None:
    chain = Chain(accounts=2, rules=ChainRules(null_rounds=3))
    sender, to = chain.accounts
    chain.mine(4)
    tx = chain.submit(sender, to, 1)
    chain.mine(2)

    assert [chain.block(number) is None for number in range(9)] == [
        *(False, False, False, True, False, False, True, False, False)
    ]
    assert (chain.head.number, chain.depth) == (8, 6)
    removed = chain.reorg(3, length=3).removed
    assert [block.number for block in removed] == [5, 7, 8]
    assert chain.nonce(sender, 7) == 0
    chain.mine()
    assert chain.mined(tx.hash) is not None
    with pytest.raises(ChainError, match="depth must be 1 to 7"):
        chain.rollback(8)


def test_chain_without_account_nonces_mines_all_with_nonce_zero() -> None:
    chain = Chain(accounts=2, rules=ChainRules(account_nonces=False))
    sender, to = chain.accounts

    sent = [chain.submit(sender, to, 1) for _ in range(3)]
    chain.mine()
    later = chain.submit(sender, to, 1)
    chain.mine()

    assert len({tx.hash for tx in sent}) == 3
    assert {tx.nonce for tx in (*sent, later)} == {0}
    assert [chain.mined(tx.hash) is not None for tx in (*sent, later)] == [True] * 4
    assert (chain.nonce(sender), chain.pending_nonce(sender)) == (0, 0)
    assert chain.balance(to) == 10**27 + 4
    waiting = chain.submit(sender, to, 1)
    with pytest.raises(ChainError, match="no account nonces"):
        chain.replace(waiting.hash, "repriced")


def test_system_transactions_are_at_the_start_of_each_block() -> None:
    chain = Chain(accounts=2, rules=ChainRules(system=tuple(SYSTEM_TRANSACTIONS)))
    tx = chain.submit(chain.accounts[0], chain.accounts[1], 1)

    first, second = chain.mine(2)

    assert [item.type for item in first.transactions] == [0x7E, 0x6A, 0xFF, 0x7F, 2]
    assert {item.nonce for block in (first, second) for item in block.transactions} == {0}
    assert [item.sender for item in first.transactions[:4]] == [
        item.sender for item in second.transactions
    ]
    assert len({item.hash for block in (first, second) for item in block.transactions}) == 9
    chain.reorg(1, "move")
    assert chain.pool == ()
    assert chain.mined(tx.hash) is not None
    assert chain.nonce(first.transactions[0].sender) == 0


def test_system_transaction_has_the_fields_of_a_deposit() -> None:
    chain = Chain(accounts=1, rules=ChainRules(system=tuple(SYSTEM_TRANSACTIONS[:1])))
    chain.mine()

    mined = chain.mined(chain.head.transactions[0].hash)
    assert mined is not None
    written, receipt = transaction_json(mined), receipt_json(mined)

    assert (written["type"], written["nonce"], written["gasPrice"]) == ("0x7e", "0x0", "0x0")
    assert "maxFeePerGas" not in written
    assert (receipt["type"], receipt["status"]) == ("0x7e", "0x1")


async def test_authorization_uses_a_nonce_without_a_transaction(
    node: DevelopmentNode, ask: Ask
) -> None:
    victim, sponsor, _ = node.chain.accounts
    lost = node.chain.submit(victim, sponsor, 1, max_fee=1, priority_fee=0)

    sponsored = await ask("dev_authorize", victim, sponsor)
    await node.mine()

    written = await ask("eth_getTransactionByHash", sponsored)
    assert (written["type"], written["authorizationList"][0]["nonce"]) == ("0x4", "0x0")
    assert await ask("eth_getTransactionCount", victim) == "0x1"
    assert await ask("eth_getTransactionByHash", lost.hash) is None
    assert node.chain.head.transactions[0].hash == sponsored
    node.chain.rollback(1)
    assert node.chain.nonce(victim) == 0


def test_authorization_and_transaction_with_the_same_nonce_are_never_both_valid(
    chain: Chain,
) -> None:
    victim, sponsor, *_ = chain.accounts
    chain.submit(sponsor, authorizations=[Authorization(victim, 0)])
    chain.submit(victim, sponsor, 1)
    chain.mine()
    second = chain.submit(victim, sponsor, 2)
    chain.submit(sponsor, authorizations=[Authorization(victim, 1)])
    chain.mine(2)

    assert chain.mined(second.hash) is not None
    assert chain.nonce(victim) == 2


def test_ten_thousand_blocks_share_seconds_on_a_fast_chain() -> None:
    chain = Chain(accounts=1, interval=0.25)

    chain.mine(10_000)

    first, head = chain.block(0), chain.head
    assert first is not None
    assert head.timestamp - first.timestamp == 2_500
    assert [block.timestamp - head.timestamp for block in chain.mine(4)] == [0, 0, 0, 1]
