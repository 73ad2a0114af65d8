"""A look at the head brings the block above our tip along."""

from typing import Any

import pytest

from transaction_tracker.domain import Chain, Link
from transaction_tracker.sources import ApplicationError, FetchedBlock
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, hash_at, raw_block, transaction, tx_hash

TIP = Link(9, hash_at(9), hash_at(8))
BODY = transaction(tx_hash(1), 7)


def following(rpc: FakeRpc, **profile: object) -> EthereumSource:
    source = EthereumSource(rpc, 1, profile=profile)  # type: ignore[arg-type]
    rpc.follows = lambda _chain: None  # type: ignore[attr-defined]
    source.follows(Chain(5, (TIP,)))
    return source


def node_at(head: int, *, branch: int = 0, missing: Any = None) -> Any:
    """Make a node with empty blocks up to ``head``, and a payment in block 10."""

    def answer(request: Request) -> Any:
        name = str(request.params[0])
        if request.method == "eth_getBlockByHash":
            return raw_block(10, BODY, branch=branch)
        number = head if name == "latest" else int(name, 16)
        if number > head:
            return missing
        return raw_block(number, *([BODY] if number == 10 else []), branch=branch)

    return answer


async def look(source: EthereumSource) -> FetchedBlock:
    """Look at the head, and fetch its block."""
    return await source.block((await source.head()).link.ref)


def methods(rpc: FakeRpc) -> list[list[str]]:
    return [[request.method for request in requests] for requests in rpc.batches]


async def test_a_new_head_and_its_block_cost_one_request() -> None:
    rpc = FakeRpc(node_at(10))

    block = await look(following(rpc))

    assert (block.link.hash, list(block.ids)) == (hash_at(10), [tx_hash(1)])
    assert methods(rpc) == [["eth_getBlockByNumber"] * 2]


async def test_a_block_is_used_only_if_it_is_the_head() -> None:
    """The calls of one request can be answered by different nodes behind one address."""
    ahead, other = node_at(10), node_at(10, branch=1)
    theirs = ("latest", hash_at(10, 1))
    rpc = FakeRpc(lambda asked: (other if asked.params[0] in theirs else ahead)(asked))

    block = await look(following(rpc))

    assert block.link.hash == hash_at(10, 1)
    assert rpc.asked["eth_getBlockByHash"] == 1


@pytest.mark.parametrize("profile", [{"null_rounds": True}, {"parent_links": False}])
async def test_numbers_that_can_be_without_a_block_are_not_asked_ahead(
    profile: dict[str, object],
) -> None:
    rpc = FakeRpc(node_at(9))

    await following(rpc, **profile).head()

    assert methods(rpc) == [["eth_getBlockByNumber"]]


async def test_a_node_without_batches_gets_no_second_request_for_a_look() -> None:
    rpc = FakeRpc(node_at(10), calls_per_request=1)

    await look(following(rpc))

    assert methods(rpc) == [["eth_getBlockByNumber"], ["eth_getBlockByHash"]]


async def test_a_node_that_refuses_heights_above_its_head_is_seldom_asked_for_them() -> None:
    rpc = FakeRpc(node_at(9, missing=ApplicationError("requested a future block", -32000)))
    source = following(rpc)

    for _ in range(201):
        await source.head()

    assert sum(len(requests) for requests in rpc.batches) == 201 + 3
