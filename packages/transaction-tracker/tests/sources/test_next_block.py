"""A head request also fetches the block above our tip."""

from typing import Any

import pytest

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.sources import ApplicationError, FetchedBlock
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, hash_at, raw_block, transaction, tx_hash

TIP = Link(9, hash_at(9), hash_at(8))
BODY = transaction(tx_hash(1), 7)


def following(rpc: FakeRpc, **profile: object) -> EthereumSource:
    source = EthereumSource(rpc, 1, profile=profile)  # type: ignore[arg-type]
    rpc.follows = lambda _chain: None  # type: ignore[attr-defined]
    source.follows(KeptChain(5, (TIP,)))
    return source


def node_at(head: int, *, branch: int = 0, missing: Any = None) -> Any:
    """Return a node with empty blocks up to ``head``, and a payment in block 10."""

    def answer(request: Request) -> Any:
        name = str(request.params[0])
        if request.method == "eth_getBlockByHash":
            return raw_block(10, BODY, branch=branch)
        number = head if name == "latest" else int(name, 16)
        if number > head:
            return missing
        return raw_block(number, *([BODY] if number == 10 else []), branch=branch)

    return answer


async def fetch_head_block(source: EthereumSource) -> FetchedBlock:
    """Return the block of the newest head."""
    return await source.block((await source.head()).link.ref)


def methods(rpc: FakeRpc) -> list[list[str]]:
    return [[request.method for request in requests] for requests in rpc.batches]


async def test_new_head_and_its_block_take_one_request() -> None:
    rpc = FakeRpc(node_at(10))

    block = await fetch_head_block(following(rpc))

    assert (block.link.hash, list(block.ids)) == (hash_at(10), [tx_hash(1)])
    assert methods(rpc) == [["eth_getBlockByNumber"] * 2]


async def test_next_block_is_used_only_if_it_is_the_head() -> None:
    """Different nodes behind one address can answer the calls of one request."""
    ahead, other = node_at(10), node_at(10, branch=1)
    theirs = ("latest", hash_at(10, 1))
    rpc = FakeRpc(lambda asked: (other if asked.params[0] in theirs else ahead)(asked))

    block = await fetch_head_block(following(rpc))

    assert block.link.hash == hash_at(10, 1)
    assert rpc.asked["eth_getBlockByHash"] == 1


@pytest.mark.parametrize("profile", [{"null_rounds": True}, {"parent_links": False}])
async def test_next_number_is_not_requested_if_it_can_be_without_a_block(
    profile: dict[str, object],
) -> None:
    rpc = FakeRpc(node_at(9))

    await following(rpc, **profile).head()

    assert methods(rpc) == [["eth_getBlockByNumber"]]


async def test_next_block_is_not_requested_from_a_node_without_batches() -> None:
    rpc = FakeRpc(node_at(10), calls_per_request=1)

    await fetch_head_block(following(rpc))

    assert methods(rpc) == [["eth_getBlockByNumber"], ["eth_getBlockByHash"]]


async def test_node_that_refuses_heights_above_its_head_rarely_gets_them() -> None:
    rpc = FakeRpc(node_at(9, missing=ApplicationError("requested a future block", -32000)))
    source = following(rpc)

    for _ in range(201):
        await source.head()

    assert sum(len(requests) for requests in rpc.batches) == 201 + 3
