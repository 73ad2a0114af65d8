"""Providers that have pruned block 0: the block by which they are compared."""

import logging
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

from .conftest import MakePool
from .support import Behaviour, Node, normal, states, status_of

FIFTY = "0x" + "5" * 64
OTHER = "0x" + "f" * 64


def pruned(lowest: int, **blocks: str) -> Behaviour:
    """Return a node's behaviour with the given blocks only, and no block below ``lowest``."""
    known: dict[Any, Any] = {
        hex(int(name[1:])): {"number": hex(int(name[1:])), "hash": block}
        for name, block in blocks.items()
    }
    known["earliest"] = known.get(hex(lowest))

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        answer = normal(node, body)
        if body["method"] == "eth_getBlockByNumber" and body["params"][0] != "latest":
            answer["result"] = known.get(body["params"][0])
        return answer

    return behaviour


def recording(behaviour: Behaviour, numbers: list[str]) -> Behaviour:
    """Record the numbers of the blocks that a node is asked for."""

    def recorded(node: Node, body: Any) -> Any:
        calls = body if isinstance(body, list) else [body]
        numbers.extend(
            call["params"][0] for call in calls if call["method"] == "eth_getBlockByNumber"
        )
        return behaviour(node, body)

    return recorded


def notes(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    return [text for text in found if "only the chain id was checked" in text]


async def test_provider_that_has_pruned_block_0_is_accepted_by_its_chain_id(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker")
    nodes[0].behaviour = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes[:3])

    assert await pool.identity() == Identity(1, BlockRef(0, nodes[1].genesis))
    assert states(pool) == ["healthy", "healthy", "healthy"]
    await pool.check("127.0.0.1-1")
    await pool.check("127.0.0.1-1")

    assert len(notes(caplog)) == 1
    assert "does not have block 0" in (status_of(pool, 1).last_error or "")
    assert status_of(pool, 2).last_error is None


async def test_provider_that_has_pruned_block_0_and_is_on_another_chain_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour, nodes[0].chain_id = pruned(50, _50=FIFTY), 5
    pool = await make_pool(*nodes[:2], chain_id=1)

    await pool.identity()

    assert states(pool)[0] == "refused"


async def test_highest_first_block_that_all_providers_have_is_the_anchor(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour = pruned(60, _60=FIFTY)
    nodes[1].behaviour = pruned(50, _50=FIFTY, _60=FIFTY)
    pool = await make_pool(*nodes[:2])

    assert await pool.identity() == Identity(1, BlockRef(60, FIFTY))


async def test_height_at_which_most_have_a_block_is_the_anchor_height(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    """Only the first provider has block 0, and it is on another chain."""
    nodes[0].genesis = OTHER
    nodes[1].behaviour = nodes[2].behaviour = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes)

    assert await pool.identity() == Identity(1, BlockRef(50, FIFTY))

    assert states(pool) == ["refused", "healthy", "healthy"]


async def test_provider_with_another_block_at_the_anchor_height_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour = pruned(50, _50=FIFTY)
    nodes[1].behaviour = pruned(50, _50=OTHER)
    nodes[2].behaviour = pruned(50, _50=FIFTY)
    pool = await make_pool(*nodes)

    await pool.identity()

    assert states(pool)[1] == "refused"
    assert f"block 50 is {OTHER}, expected {FIFTY}" in (status_of(pool, 2).last_error or "")


async def test_requested_height_is_the_anchor_height_from_then_on(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour = pruned(50, _50=FIFTY, _70=FIFTY)
    nodes[1].behaviour = pruned(50, _50=FIFTY, _70=OTHER)
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    assert "refused" not in states(pool)

    known = BlockRef(70, FIFTY)
    assert await pool.identity(70, expected=known) == Identity(1, known)

    assert states(pool)[1] == "refused"


async def test_only_the_chain_id_is_compared_if_no_provider_has_the_block(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour = pruned(50, _50=FIFTY)
    pool = await make_pool(nodes[0], chain_id=1)

    assert await pool.identity(7) == Identity(1, None)
    with pytest.raises(WrongChainError):
        nodes[0].chain_id = 5
        await pool.identity(8)


async def test_anchor_is_searched_for_at_the_start_only(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    numbers: list[str] = []
    nodes[0].behaviour = recording(pruned(50), numbers)
    pool = await make_pool(nodes[0], chain_id=1)
    assert await pool.identity() == Identity(1, None)
    assert "earliest" in numbers
    numbers.clear()

    await pool.check("127.0.0.1-1")

    assert states(pool) == ["healthy"]
    assert sorted(numbers) == ["0x0", "latest"]  # the identity, and the probe of the head


async def test_batch_size_is_that_of_the_followed_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    def single(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            error = {"code": -32005, "message": "Batched requests are not supported"}
            return {"jsonrpc": "2.0", "id": None, "error": error}
        return normal(node, body)

    nodes[0].behaviour = single
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    assert pool.calls_per_request == 1  # no provider is followed yet: the smallest

    await pool.pause("127.0.0.1-1")
    await pool.call("eth_blockNumber")

    assert pool.calls_per_request == 100


async def test_odd_block_in_the_search_for_an_early_one_is_passed_over(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    known = {f"_{number}": "0x" + f"{number:064x}" for number in range(1, 101)}
    early = pruned(0, **known)

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        answer = early(node, body)
        if body["method"] == "eth_getBlockByNumber" and body["params"][0] == "latest":
            answer["result"] = {"number": hex(100), "hash": known["_100"]}
        if body["method"] == "eth_getBlockByNumber" and body["params"][0] == hex(50):
            answer["result"] = {"number": hex(49), "hash": known["_49"]}
        return answer

    nodes[0].behaviour = behaviour
    pool = await make_pool(nodes[0])

    identity = await pool.identity()

    assert identity.chain_id == 1
    assert states(pool) == ["healthy"]
