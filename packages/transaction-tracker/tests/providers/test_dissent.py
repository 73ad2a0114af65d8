"""Which providers' chains do not contain a block of ours."""

from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Chain
from transaction_tracker.providers import Pool
from transaction_tracker.sources import ServerError, TransportError
from transaction_tracker.sources.ethereum.rpc import Dissent, Request

from .conftest import MakePool
from .support import (
    Mood,
    Node,
    chain_to,
    eventually,
    garbage,
    hash_at,
    link_at,
    refusing,
    status,
    status_of,
    well,
)

CHAIN = chain_to(100)
BLOCK = link_at(90).ref
SECOND, THIRD = "127.0.0.1-2", "127.0.0.1-3"


async def following(
    make_pool: MakePool, *nodes: Node, chain: Chain = CHAIN, **options: Any
) -> Pool:
    """Start a pool whose providers have shown nothing yet since our chain was known."""
    pool = await make_pool(*nodes, **options)
    await pool.identity()
    pool.follows(chain)
    return pool


def fork(node: Node, at: int, head: int | None = None, branch: int = 1) -> None:
    node.fork, node.branch = at, branch
    node.head = node.head if head is None else head


async def test_all_agree_by_one_hash_and_no_request(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await following(make_pool, *nodes)
    before = pool.requests

    # Each has shown its head when it was checked: our tip, which commits to all below it.
    found = await pool.dissent(CHAIN, [BLOCK, link_at(50).ref])

    assert found == Dissent()
    assert pool.requests == before


async def test_a_block_below_all_that_is_kept_is_asked_for(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    """That a provider has our tip says nothing about a block that we have never linked to it."""
    pool = await following(make_pool, *nodes[:2])
    ours, foreign = link_at(3).ref, link_at(3, branch=1).ref

    found = await pool.dissent(CHAIN, [foreign])

    assert found.against == {foreign: ("127.0.0.1-1", SECOND)}
    assert await pool.dissent(CHAIN, [ours]) == Dissent()


async def test_a_provider_with_another_block_at_that_height_is_against_it(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[2], at=89)
    pool = await following(make_pool, *nodes)
    blocks = [link_at(number).ref for number in (88, 89, 90, 95)]

    found = await pool.dissent(CHAIN, blocks)

    assert found.against == {link_at(90).ref: (THIRD,), link_at(95).ref: (THIRD,)}
    assert found.unanswered == {}


async def test_the_followed_one_is_asked_too(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[0], at=80)
    pool = await following(make_pool, *nodes)
    await pool.call("eth_blockNumber")

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {BLOCK: ("127.0.0.1-1",)}


async def test_a_view_that_is_too_old_is_asked_for_again(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, nodes[0])
    fork(nodes[0], at=85)
    assert (await pool.dissent(CHAIN, [BLOCK])).against == {}  # within look_interval

    pool._board.look_interval = 0.0

    assert BLOCK in (await pool.dissent(CHAIN, [BLOCK])).against


async def test_two_requests_a_provider_are_enough(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=90, head=120)
    pool = await following(make_pool, *nodes[:2])
    before = [node.requests for node in nodes]
    blocks = [link_at(number).ref for number in range(80, 101)]

    found = await pool.dissent(CHAIN, blocks)

    assert found.against == {block: (SECOND,) for block in blocks if block.number > 90}
    assert [node.requests - past for node, past in zip(nodes, before, strict=True)] == [0, 2, 0]


async def test_a_provider_behind_on_our_chain_is_not_against_what_it_lacks(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].head = 85
    pool = await following(make_pool, *nodes[:2])

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()


async def test_a_provider_behind_on_another_chain_is_against_what_it_holds_above_its_fork(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=80, head=85)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [link_at(number).ref for number in (80, 81, 85, 86, 90)])

    # It holds nothing above its head, and so no other block there.
    assert found.against == {link_at(81).ref: (SECOND,), link_at(85).ref: (SECOND,)}
    assert found.leaving == {SECOND: 81}
    assert found.unanswered == {}


async def test_a_provider_that_leaves_our_chain_below_a_block_is_known_though_it_lacks_it(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=94, head=97)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [BLOCK, link_at(99).ref])

    assert found.against == {}
    assert found.leaving == {SECOND: 96}  # its head and the parent are known


@pytest.mark.parametrize("branch", [0, 1])
async def test_a_head_below_all_that_is_kept_proves_nothing_and_is_asked_directly(
    make_pool: MakePool, nodes: list[Node], branch: int
) -> None:
    chain = chain_to(100, keep=20)
    fork(nodes[1], at=40, head=70, branch=branch)
    pool = await following(make_pool, *nodes[:2], chain=chain)
    low, high = link_at(60).ref, link_at(95).ref

    found = await pool.dissent(chain, [low, high])

    assert found.against == ({low: (SECOND,)} if branch else {})
    assert status_of(pool, 2).chain == "unknown"


async def test_a_provider_far_ahead_is_compared_at_the_height_of_our_tip(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].head = 10_000
    pool = await following(make_pool, *nodes[:2])

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()
    assert status_of(pool, 2).chain == "same"


@pytest.mark.parametrize(
    "mood", [status(500), status(502), garbage, refusing(-32603, "internal error")]
)
async def test_a_provider_in_trouble_is_named(
    make_pool: MakePool, nodes: list[Node], mood: Mood
) -> None:
    nodes[1].head = 70
    pool = await following(make_pool, *nodes[:2])
    nodes[1].mood = mood

    found = await pool.dissent(CHAIN, [BLOCK])

    assert (found.against, found.leaving, list(found.unanswered)) == ({}, {}, [SECOND])
    assert found.unanswered[SECOND].startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    "mood",
    [
        status(429),
        refusing(-32005, "rate limit exceeded"),
        refusing(-32601, "method not found", "eth_getBlockByNumber"),
        refusing(-32000, "header not found", "eth_getBlockByNumber"),
    ],
)
async def test_a_provider_that_refuses_is_neither_against_nor_missing(
    make_pool: MakePool, nodes: list[Node], mood: Mood
) -> None:
    nodes[1].head = 70
    pool = await following(make_pool, *nodes[:2])
    nodes[1].mood = mood

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent()


async def test_a_paused_provider_has_no_say(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=80)
    pool = await following(make_pool, *nodes[:2])
    await pool.pause(SECOND)

    assert await pool.dissent(CHAIN, [BLOCK]) == Dissent(dismissed=frozenset((SECOND,)))


async def test_nothing_is_asked_for_no_blocks(make_pool: MakePool, nodes: list[Node]) -> None:
    fork(nodes[1], at=80)
    pool = await following(make_pool, *nodes[:2])
    before = pool.requests

    assert await pool.dissent(CHAIN, []) == Dissent()
    assert pool.requests == before


async def test_a_block_that_our_chain_does_not_hold_is_compared_itself(
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


def without(node: Node, *numbers: int, told: Any = None) -> None:
    """Let a node's chain leave out numbers: each next block builds on the one below the gap."""
    left_out = set(numbers)

    def block(number: int) -> Any:
        if number in left_out:
            return told
        found = Node.block(node, number)
        if found is None or number - 1 not in left_out:
            return found
        below = next(height for height in range(number - 1, -1, -1) if height not in left_out)
        return found | {"parentHash": link_at(below, node.branch, node.fork).hash}

    node.block = block  # type: ignore[method-assign]
    node.blocks = {
        hash_at(number): block(number) for number in range(node.head + 1) if number not in left_out
    }


@pytest.mark.parametrize("told", [None, {"number": "0x58", "hash": hash_at(88)}])
async def test_a_provider_whose_chain_leaves_out_the_number_is_against_the_block(
    make_pool: MakePool, nodes: list[Node], told: Any
) -> None:
    """Forest has answered with the block before the gap."""
    if told is not None:
        told |= {"parentHash": hash_at(87)}
    fork(nodes[1], at=95)
    without(nodes[1], 90, 91, told=told)
    pool = await following(make_pool, *nodes[:2])

    found = await pool.dissent(CHAIN, [BLOCK, link_at(88).ref])

    assert found.against == {BLOCK: (SECOND,)}
    assert found.leaving == {SECOND: 90}


async def test_a_null_round_that_is_told_as_an_error_is_one(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=95)
    without(nodes[1], 90)
    pool = await following(make_pool, *nodes[:2])
    nodes[1].mood = null_round(90)

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {BLOCK: (SECOND,)}


def null_round(number: int) -> Mood:
    """Answer as Lotus does."""
    error = {"code": 1, "message": f"requested epoch was a null round ({number})"}

    def mood(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [mood(node, call) for call in body]
        if body["params"][:1] == [hex(number)]:
            return {"jsonrpc": "2.0", "id": body["id"], "error": error}
        return well(node, body)

    return mood


@pytest.mark.parametrize("lowest", [50, 91, 200])
async def test_a_provider_that_has_pruned_the_block_is_not_against_it(
    make_pool: MakePool, nodes: list[Node], lowest: int
) -> None:
    """It has none of that number, and the parent of the first one above is gone too."""
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


async def test_a_node_that_is_behind_and_answers_for_another_is_not_against_a_block(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=95)
    pool = await following(make_pool, *nodes[:2])

    def mood(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [mood(node, call) for call in body]
        name = str(body["params"][0])
        is_above = name.startswith("0x") and 90 <= int(name, 16) < 100
        return well(node, body) | ({"result": None} if is_above else {})

    nodes[1].mood = mood

    assert (await pool.dissent(CHAIN, [BLOCK])).against == {}


async def test_a_gap_that_could_not_be_proven_is_no_answer(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=95)
    without(nodes[1], 90)
    pool = await following(make_pool, *nodes[:2])

    def mood(node: Node, body: Any) -> Any:
        calls = body if isinstance(body, list) else [body]
        if any(call["method"] == "eth_getBlockByHash" for call in calls):
            return status(500)(node, body)
        return well(node, body)

    nodes[1].mood = mood

    found = await pool.dissent(CHAIN, [BLOCK])

    assert (found.against, found.leaving, list(found.unanswered)) == ({}, {SECOND: 99}, [SECOND])


async def test_status_tells_which_chain_a_provider_holds(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    fork(nodes[1], at=80)
    pool = await make_pool(*nodes, look_interval=0.02)
    assert [one.head_age for one in pool.status()] == [None] * 3
    await pool.identity()
    assert [one.chain for one in pool.status()] == ["unknown"] * 3

    pool.follows(CHAIN)

    await eventually(lambda: [one.chain for one in pool.status()] == ["same", "other", "same"])
    ages = [one.head_age for one in pool.status()]
    assert all(age is not None and 0 <= age < 20 for age in ages)


# -- What is sent along

ALONG = [Request("eth_getTransactionReceipt", ("0x1",)), Request("eth_chainId")]


@pytest.mark.parametrize("is_old", [True, False])
async def test_other_calls_go_along_in_one_request_to_each_provider(
    make_pool: MakePool, nodes: list[Node], is_old: bool
) -> None:
    pool = await following(make_pool, *nodes)
    await pool.call("eth_blockNumber")
    if is_old:
        pool._board.look_interval = 0.0
    before = [node.requests for node in nodes]

    found = await pool.dissent(CHAIN, [BLOCK], ALONG)

    assert (found.against, found.unanswered) == ({}, {})
    assert [list(answers) for answers in found.answers.values()] == [[None, "0x1"]] * 3
    assert [node.requests - past for node, past in zip(nodes, before, strict=True)] == [1, 1, 1]


async def test_a_provider_that_has_told_is_asked_only_for_the_rest(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    told = await pool.batch_without_failover(ALONG[1:])
    before = [node.requests for node in nodes[:2]]

    found = await pool.dissent(CHAIN, [BLOCK], ALONG[1:], told)

    assert told.node == "127.0.0.1-1"
    assert [list(answers) for answers in found.answers.values()] == [["0x1"]] * 2
    assert [node.requests - past for node, past in zip(nodes, before, strict=False)] == [0, 1]


async def test_a_provider_without_an_answer_has_its_error_in_each_place(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    pool._board.look_interval = 0.0
    nodes[1].mood = status(500)

    found = await pool.dissent(CHAIN, [BLOCK], ALONG)

    assert list(found.unanswered) == [SECOND]
    assert [type(one) for one in found.answers[SECOND]] == [ServerError] * 2
    assert list(found.answers["127.0.0.1-1"]) == [None, "0x1"]


async def test_without_any_healthy_provider_ends_get_no_silent_consent(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await following(make_pool, *nodes[:2])
    for name in ("127.0.0.1-1", SECOND):
        await pool.pause(name)

    with pytest.raises(TransportError):
        await pool.dissent(CHAIN, [BLOCK], ALONG)
