"""Providers that have pruned block 0: by which block they are compared."""

import logging
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

from .conftest import MakePool
from .support import Mood, Node, states, status_of, well

FIFTY = "0x" + "5" * 64
OTHER = "0x" + "f" * 64


def pruned(lowest: int, **blocks: str) -> Mood:
    """A node without the blocks below ``lowest``; of the others it has those given."""
    known: dict[Any, Any] = {
        hex(int(name[1:])): {"number": hex(int(name[1:])), "hash": block}
        for name, block in blocks.items()
    }
    known["earliest"] = known.get(hex(lowest))

    def mood(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [mood(node, one) for one in body]
        answer = well(node, body)
        if body["method"] == "eth_getBlockByNumber" and body["params"][0] != "latest":
            answer["result"] = known.get(body["params"][0])
        return answer

    return mood


def noting(mood: Mood, asked: list[str]) -> Mood:
    """Keep which blocks a node is asked for."""

    def noted(node: Node, body: Any) -> Any:
        calls = body if isinstance(body, list) else [body]
        asked.extend(one["params"][0] for one in calls if one["method"] == "eth_getBlockByNumber")
        return mood(node, body)

    return noted


def notes(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [one.getMessage() for one in caplog.records if one.levelno == logging.INFO]
    return [text for text in found if "only the chain id could be checked" in text]


async def test_one_that_has_pruned_block_0_is_accepted_by_its_chain_id(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker")
    nodes[0].mood = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes[:3])

    assert await pool.identity() == Identity(1, BlockRef(0, nodes[1].genesis))
    assert states(pool) == ["healthy", "healthy", "healthy"]
    await pool.check("127.0.0.1-1")
    await pool.check("127.0.0.1-1")

    assert len(notes(caplog)) == 1
    assert "does not have block 0" in (status_of(pool, 1).last_error or "")
    assert status_of(pool, 2).last_error is None


async def test_one_that_has_pruned_block_0_and_is_on_another_chain_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].mood, nodes[0].chain_id = pruned(50, _50=FIFTY), 5
    pool = await make_pool(*nodes[:2], chain_id=1)

    await pool.identity()

    assert states(pool)[0] == "refused"


async def test_of_different_first_blocks_the_highest_one_counts_which_all_have(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].mood = pruned(60, _60=FIFTY)
    nodes[1].mood = pruned(50, _50=FIFTY, _60=FIFTY)
    pool = await make_pool(*nodes[:2])

    assert await pool.identity() == Identity(1, BlockRef(60, FIFTY))


async def test_the_height_at_which_most_have_a_block_counts(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    """The first one alone has block 0, and another chain."""
    nodes[0].genesis = OTHER
    nodes[1].mood = nodes[2].mood = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes)

    assert await pool.identity() == Identity(1, BlockRef(50, FIFTY))

    assert states(pool) == ["refused", "healthy", "healthy"]


async def test_another_block_at_the_height_that_counts_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].mood = pruned(50, _50=FIFTY)
    nodes[1].mood = pruned(50, _50=OTHER)
    nodes[2].mood = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes)

    await pool.identity()

    assert states(pool)[1] == "refused"
    assert f"block 50 is {OTHER}, expected {FIFTY}" in (status_of(pool, 2).last_error or "")


async def test_the_height_that_is_asked_for_counts_from_then_on(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].mood = pruned(50, _50=FIFTY, _70=FIFTY)
    nodes[1].mood = pruned(50, _50=FIFTY, _70=OTHER)
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    assert "refused" not in states(pool)

    known = BlockRef(70, FIFTY)
    assert await pool.identity(70, expected=known) == Identity(1, known)

    assert states(pool)[1] == "refused"


async def test_a_height_that_nobody_has_leaves_the_chain_id(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].mood = pruned(50, _50=FIFTY)
    pool = await make_pool(nodes[0], chain_id=1)

    assert await pool.identity(7) == Identity(1, None)
    with pytest.raises(WrongChainError):
        nodes[0].chain_id = 5
        await pool.identity(8)


async def test_a_block_to_compare_by_is_searched_for_at_the_start_only(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    asked: list[str] = []
    nodes[0].mood = noting(pruned(50), asked)
    pool = await make_pool(nodes[0], chain_id=1)
    assert await pool.identity() == Identity(1, None)
    assert "earliest" in asked
    asked.clear()

    await pool.check("127.0.0.1-1")

    assert states(pool) == ["healthy"]
    assert sorted(asked) == ["0x0", "latest"]  # the identity, and a look at its head


async def test_as_many_calls_go_together_as_the_followed_one_takes(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    def single(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            error = {"code": -32005, "message": "Batched requests are not supported"}
            return {"jsonrpc": "2.0", "id": None, "error": error}
        return well(node, body)

    nodes[0].mood = single
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    assert pool.calls_per_request == 1  # nobody is followed yet: the smallest

    await pool.pause("127.0.0.1-1")
    await pool.call("eth_blockNumber")

    assert pool.calls_per_request == 100
