"""Providers whose chains do not contain a block of the followed chain."""

from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, KeptChain
from transaction_tracker.providers import Pool
from transaction_tracker.sources import ServerError, TransportError
from transaction_tracker.sources.ethereum.rpc import Dissent, Request

from .conftest import MakePool
from .support import (
    Behaviour,
    Node,
    chain_to,
    eventually,
    garbage,
    hash_at,
    link_at,
    normal,
    refusing,
    status,
    status_of,
)

CHAIN = chain_to(100)
BLOCK = link_at(90).ref
SECOND, THIRD = "127.0.0.1-2", "127.0.0.1-3"


async def following(
    make_pool: MakePool, *nodes: Node, chain: KeptChain = CHAIN, **options: Any
) -> Pool:
    """Start a pool that follows ``chain``."""
    pool = await make_pool(*nodes, **options)
    await pool.identity()
    pool.follows(chain)
    return pool


def fork(node: Node, at: int, head: int | None = None, branch: int = 1) -> None:
    node.fork, node.branch = at, branch
    node.head = node.head if head is None else head


async def test_recent_head_proves_agreement_without_a_request(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes)
    before = pool.requests

    # Each check has shown the head: the followed tip, which commits to all blocks below it.
    found = await pool.dissent(CHAIN, [BLOCK, link_at(50).ref])

    assert found == Dissent()
    assert pool.requests == before


async def test_block_below_the_kept_ones_is_requested(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    """A provider with our tip can have another block below the kept ones, which are not linked."""
    pool = await following(make_pool, *nodes[:2])
    ours, foreign = link_at(3).ref, link_at(3, branch=1).ref

    found = await pool.dissent(CHAIN, [foreign])

    assert found.against == {foreign: ("127.0.0.1-1", SECOND)}
    assert await pool.dissent(CHAIN, [ours]) == Dissent()


async def test_provider_with_another_block_at_that_height_is_against_it(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[2], at=89)
    pool = await following(make_pool, *nodes)
    blocks = [link_at(number).ref for number in (88, 89, 90, 95)]

    found = await pool.dissent(CHAIN, blocks)

    assert found.against == {link_at(90).ref: (THIRD,), link_at(95).ref: (THIRD,)}
    assert found.unanswered == {}


async def test_followed_provider_is_compared_too(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[0], at=80)
    pool = await following(make_pool, *nodes)
    await pool.call("eth_blockNumber")

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {BLOCK: ("127.0.0.1-1",)}


async def test_old_view_is_requested_again(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await following(make_pool, nodes[0])
    fork(nodes[0], at=85)
    assert (await pool.dissent(CHAIN, [BLOCK])).against == {}  # within probe_interval

    pool._state.probe_interval = 0.0

    assert BLOCK in (await pool.dissent(CHAIN, [BLOCK])).against


async def test_two_requests_per_provider_are_enough(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=90, head=120)
    pool = await following(make_pool, *nodes[:2])
    before = [node.requests for node in nodes]
    blocks = [link_at(number).ref for number in range(80, 101)]

    found = await pool.dissent(CHAIN, blocks)

    assert found.against == {block: (SECOND,) for block in blocks if block.number > 90}
    assert [node.requests - past for node, past in zip(nodes, before, strict=True)] == [0, 2, 0]


async def test_provider_behind_on_the_followed_chain_is_not_against_higher_blocks(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].head = 85
    pool = await following(make_pool, *nodes[:2])

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()


async def test_provider_behind_on_another_chain_is_against_blocks_from_fork_to_head(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=80, head=85)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [link_at(number).ref for number in (80, 81, 85, 86, 90)])

    # It holds nothing above its head, so it is not against higher blocks.
    assert found.against == {link_at(81).ref: (SECOND,), link_at(85).ref: (SECOND,)}
    assert found.leaving == {SECOND: 81}
    assert found.unanswered == {}


async def test_provider_that_leaves_the_chain_below_a_block_it_lacks_is_reported(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=94, head=97)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [BLOCK, link_at(99).ref])

    assert found.against == {}
    assert found.leaving == {SECOND: 96}  # its head and the parent are known


@pytest.mark.parametrize("branch", [0, 1])
async def test_blocks_are_requested_from_a_provider_whose_head_is_below_the_kept_ones(
    make_pool: MakePool, nodes: list[Node], branch: int
) -> None:
    chain = chain_to(100, keep=20)
    fork(nodes[1], at=40, head=70, branch=branch)
    pool = await following(make_pool, *nodes[:2], chain=chain)
    low, high = link_at(60).ref, link_at(95).ref

    found = await pool.dissent(chain, [low, high])

    assert found.against == ({low: (SECOND,)} if branch else {})
    assert status_of(pool, 2).chain == "unknown"


async def test_provider_far_ahead_is_compared_at_the_height_of_the_tip(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].head = 10_000
    pool = await following(make_pool, *nodes[:2])

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()
    assert status_of(pool, 2).chain == "same"


@pytest.mark.parametrize(
    "behaviour", [status(500), status(502), garbage, refusing(-32603, "internal error")]
)
async def test_failing_provider_is_reported_as_unanswered(
    make_pool: MakePool, nodes: list[Node], behaviour: Behaviour
) -> None:
    nodes[1].head = 70
    pool = await following(make_pool, *nodes[:2])
    nodes[1].behaviour = behaviour

    found = await pool.dissent(CHAIN, [BLOCK])

    assert (found.against, found.leaving, list(found.unanswered)) == ({}, {}, [SECOND])
    assert found.unanswered[SECOND].startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    "behaviour",
    [
        status(429),
        refusing(-32005, "rate limit exceeded"),
        refusing(-32601, "method not found", "eth_getBlockByNumber"),
        refusing(-32000, "header not found", "eth_getBlockByNumber"),
    ],
)
async def test_provider_that_refuses_is_neither_against_nor_unanswered(
    make_pool: MakePool, nodes: list[Node], behaviour: Behaviour
) -> None:
    nodes[1].head = 70
    pool = await following(make_pool, *nodes[:2])
    nodes[1].behaviour = behaviour

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()


async def test_paused_provider_is_not_compared(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=80)
    pool = await following(make_pool, *nodes[:2])
    await pool.pause(SECOND)

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent(dismissed=frozenset((SECOND,)))


async def test_no_request_is_sent_for_no_blocks(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=80)
    pool = await following(make_pool, *nodes[:2])
    before = pool.requests

    assert await pool.dissent(CHAIN, []) == Dissent()
    assert pool.requests == before


async def test_block_that_is_not_in_the_chain_is_compared_by_itself(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, nodes[0])
    foreign = BlockRef(90, hash_at(90, branch=7))

    assert (await pool.dissent(CHAIN, [foreign])).against == {foreign: ("127.0.0.1-1",)}


async def test_old_blocks_are_compared_one_by_one_however_many_there_are(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    chain = chain_to(1_000, keep=20)
    nodes[0].head = 1_000
    pool = await following(make_pool, nodes[0], chain=chain)
    ours = [link_at(number).ref for number in range(1, 900) if number != 450]
    foreign = link_at(450, branch=1).ref
    before = nodes[0].requests

    found = await pool.dissent(chain, [*ours, foreign])

    assert found.against == {foreign: ("127.0.0.1-1",)}
    assert nodes[0].requests - before == 1 + 9  # a request takes 100 calls


def without(node: Node, *numbers: int, result: Any = None) -> None:
    """Make a node's chain skip numbers: the next block builds on the block below the gap."""
    skipped = set(numbers)

    def block(number: int) -> Any:
        if number in skipped:
            return result
        found = Node.block(node, number)
        if found is None or number - 1 not in skipped:
            return found
        below = next(height for height in range(number - 1, -1, -1) if height not in skipped)
        return found | {"parentHash": link_at(below, node.branch, node.fork).hash}

    node.block = block  # type: ignore[method-assign]
    node.blocks = {
        hash_at(number): block(number) for number in range(node.head + 1) if number not in skipped
    }


@pytest.mark.parametrize("result", [None, {"number": "0x58", "hash": hash_at(88)}])
async def test_provider_whose_chain_skips_the_number_is_against_the_block(
    make_pool: MakePool, nodes: list[Node], result: Any
) -> None:
    """Forest has answered with the block below the gap."""
    if result is not None:
        result |= {"parentHash": hash_at(87)}
    fork(nodes[1], at=95)
    without(nodes[1], 90, 91, result=result)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [BLOCK, link_at(88).ref])

    assert found.against == {BLOCK: (SECOND,)}
    assert found.leaving == {SECOND: 90}


@pytest.mark.parametrize("is_proven", [True, False], ids=["by links", "by its word"])
async def test_null_round_error_means_a_skipped_number(
    make_pool: MakePool, nodes: list[Node], is_proven: bool
) -> None:
    """The node knows that number: for one that it does not, it sends another answer."""
    fork(nodes[1], at=95)
    without(nodes[1], 90)
    pool = await following(make_pool, *nodes[:2])
    nodes[1].behaviour = null_round(90)
    if not is_proven:
        for height in range(60, 90):  # no parent of the first block above the gap
            nodes[1].blocks.pop(hash_at(height), None)

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {BLOCK: (SECOND,)}


async def test_null_round_at_the_tip_is_not_a_failed_request(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    """Its first request is for that number, and its head is too high to be compared."""
    chain = chain_to(90)
    fork(nodes[1], at=85, head=120)
    without(nodes[1], 90)
    pool = await following(make_pool, *nodes[:2], chain=chain)
    nodes[1].behaviour = null_round(90)

    found = await pool.dissent(chain, [BLOCK])

    assert found.against == {BLOCK: (SECOND,)}
    assert found.unanswered == {}


def null_round(number: int) -> Behaviour:
    """Answer as Lotus does."""
    error = {"code": 1, "message": f"requested epoch was a null round ({number})"}

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        if body["params"][:1] == [hex(number)]:
            return {"jsonrpc": "2.0", "id": body["id"], "error": error}
        return normal(node, body)

    return behaviour


@pytest.mark.parametrize("lowest", [50, 91, 200])
async def test_provider_that_has_pruned_the_block_is_not_against_it(
    make_pool: MakePool, nodes: list[Node], lowest: int
) -> None:
    """It has no block of that number, nor the parent of its first block above that number."""
    chain = chain_to(300, keep=20)
    nodes[0].head = 300
    without(nodes[0], *range(1, lowest))
    for height in range(lowest):
        nodes[0].blocks.pop(hash_at(height), None)
    pool = await following(make_pool, nodes[0], chain=chain)
    before = nodes[0].requests

    found = await pool.dissent(chain, [link_at(number).ref for number in range(20, 50)])

    assert found == Dissent()
    assert nodes[0].requests - before <= 4


async def test_backend_that_is_behind_does_not_make_a_provider_oppose_a_block(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=95)
    pool = await following(make_pool, *nodes[:2])

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        name = str(body["params"][0])
        is_above = name.startswith("0x") and 90 <= int(name, 16) < 100
        return normal(node, body) | ({"result": None} if is_above else {})

    nodes[1].behaviour = behaviour

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {}


async def test_failed_proof_of_a_gap_is_reported_as_unanswered(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=95)
    without(nodes[1], 90)
    pool = await following(make_pool, *nodes[:2])

    def behaviour(node: Node, body: Any) -> Any:
        calls = body if isinstance(body, list) else [body]
        if any(call["method"] == "eth_getBlockByHash" for call in calls):
            return status(500)(node, body)
        return normal(node, body)

    nodes[1].behaviour = behaviour

    found = await pool.dissent(CHAIN, [BLOCK])

    assert (found.against, found.leaving, list(found.unanswered)) == ({}, {SECOND: 99}, [SECOND])


async def test_status_shows_which_chain_a_provider_holds(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=80)
    pool = await make_pool(*nodes, probe_interval=0.02)
    assert [provider.head_age for provider in pool.status()] == [None] * 3
    await pool.identity()
    assert [provider.chain for provider in pool.status()] == ["unknown"] * 3

    pool.follows(CHAIN)

    await eventually(
        lambda: [provider.chain for provider in pool.status()] == ["same", "other", "same"]
    )
    ages = [provider.head_age for provider in pool.status()]
    assert all(age is not None and 0 <= age < 20 for age in ages)


# -- Further calls

FURTHER = [Request("eth_getTransactionReceipt", ("0x1",)), Request("eth_chainId")]


@pytest.mark.parametrize("is_old", [True, False])
async def test_further_calls_are_sent_in_the_same_request(
    make_pool: MakePool, nodes: list[Node], is_old: bool
) -> None:
    pool = await following(make_pool, *nodes)
    await pool.call("eth_blockNumber")
    if is_old:
        pool._state.probe_interval = 0.0
    before = [node.requests for node in nodes]

    found = await pool.dissent(CHAIN, [BLOCK], FURTHER)

    assert (found.against, found.unanswered) == ({}, {})
    assert [list(answers) for answers in found.answers.values()] == [[None, "0x1"]] * 3
    assert [node.requests - past for node, past in zip(nodes, before, strict=True)] == [1, 1, 1]


async def test_known_results_of_a_provider_are_not_requested_again(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    told = await pool.batch_without_failover(FURTHER[1:])
    before = [node.requests for node in nodes[:2]]

    found = await pool.dissent(CHAIN, [BLOCK], FURTHER[1:], told)

    assert told.node == "127.0.0.1-1"
    assert [list(answers) for answers in found.answers.values()] == [["0x1"]] * 2
    assert [node.requests - past for node, past in zip(nodes, before, strict=False)] == [0, 1]


async def test_failing_provider_has_its_error_in_the_place_of_each_result(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    pool._state.probe_interval = 0.0
    nodes[1].behaviour = status(500)

    found = await pool.dissent(CHAIN, [BLOCK], FURTHER)

    assert list(found.unanswered) == [SECOND]
    assert [type(answer) for answer in found.answers[SECOND]] == [ServerError] * 2
    assert list(found.answers["127.0.0.1-1"]) == [None, "0x1"]


async def test_dissent_fails_without_a_healthy_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    for name in ("127.0.0.1-1", SECOND):
        await pool.pause(name)

    with pytest.raises(TransportError):
        await pool.dissent(CHAIN, [BLOCK], FURTHER)
