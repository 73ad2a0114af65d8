"""When the receipts of a block are prefetched together with the block."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from beamish.testing import settle
from transaction_tracker.domain import Link
from transaction_tracker.sources import NotYetError, RateLimitedError, SourceError
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.receipts import BlockReceipts
from transaction_tracker.sources.ethereum.rpc import Request

MANY, FEW = 101, 100


class Node:
    """Node without receipts that can fail, and that records its requests."""

    calls_per_request = 1_000

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: SourceError | None = None
        self.is_whole = False

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        (request,) = requests
        assert request.method == "eth_getBlockReceipts"
        self.asked.append(str(request.params[0]))
        await asyncio.sleep(0)
        if self.error is not None and self.is_whole:
            raise self.error
        return [self.error or request.result([])]


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def receipts(node: Node) -> AsyncIterator[BlockReceipts]:
    receipts = BlockReceipts(node, ChainContext())  # type: ignore[arg-type]
    yield receipts
    receipts.forget()


def link(number: int) -> Link:
    return Link(number, str(number), str(number - 1))


async def test_receipts_of_the_first_block_are_not_prefetched(
    receipts: BlockReceipts, node: Node
) -> None:
    receipts.prefetch("1")
    await asyncio.sleep(0)

    assert node.asked == []


@pytest.mark.parametrize(("hits", "asked"), [(MANY, ["1", "2"]), (FEW, [])])
async def test_next_receipts_are_prefetched_after_many_hits(
    receipts: BlockReceipts, node: Node, hits: int, asked: list[str]
) -> None:
    await receipts.of(link(1), hits)

    receipts.prefetch("2")
    await asyncio.sleep(0)

    assert node.asked == asked


async def test_prefetched_receipts_are_used_once(receipts: BlockReceipts, node: Node) -> None:
    await receipts.of(link(1), MANY)
    receipts.prefetch("2")

    assert await receipts.of(link(2), MANY) == []
    assert node.asked == ["1", "2"]
    assert await receipts.of(link(2), MANY) == []
    assert node.asked == ["1", "2", "2"]


async def test_prefetched_receipts_of_another_block_are_not_used(
    receipts: BlockReceipts, node: Node
) -> None:
    await receipts.of(link(1), MANY)
    receipts.prefetch("2")

    await receipts.of(link(3), MANY)

    assert node.asked == ["1", "3", "2"]


async def test_unused_prefetch_stops_prefetching(receipts: BlockReceipts, node: Node) -> None:
    await receipts.of(link(1), MANY)

    for block in ("2", "3", "4"):
        receipts.prefetch(block)
        await asyncio.sleep(0)

    assert node.asked == ["1", "2"]


async def test_prefetch_before_the_block_exists_is_repeated(
    receipts: BlockReceipts, node: Node
) -> None:
    await receipts.of(link(1), MANY)
    node.error = NotYetError("header not found")
    receipts.prefetch("2")
    await settle()
    node.error = None

    assert await receipts.of(link(2), MANY) == []
    assert node.asked == ["1", "2", "2"]


async def test_rate_limited_prefetch_is_not_repeated(receipts: BlockReceipts, node: Node) -> None:
    await receipts.of(link(1), MANY)
    node.error, node.is_whole = RateLimitedError("slow down", 1.0), True
    receipts.prefetch("2")

    with pytest.raises(RateLimitedError):
        await receipts.of(link(2), MANY)
    assert node.asked == ["1", "2"]


async def test_rate_limit_of_this_call_falls_back_to_single_receipts(
    receipts: BlockReceipts, node: Node
) -> None:
    node.error = RateLimitedError("the method needs another plan")

    assert await receipts.of(link(1), MANY) is None
