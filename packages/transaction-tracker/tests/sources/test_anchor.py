"""The block that identifies a chain if block 0 is pruned."""

from collections.abc import Sequence
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import ApplicationError, NotYetError, ServerError
from transaction_tracker.sources.ethereum.identity import identity
from transaction_tracker.sources.ethereum.rpc import Identity, Request


def hash_of(number: int) -> str:
    return f"0x{number:064x}"


class PrunedChain:
    """Node with the blocks between ``lowest`` and ``head``."""

    def __init__(self, lowest: int, head: int, earliest: int | None = None) -> None:
        self.lowest = lowest
        self.head = head
        self.earliest = earliest
        self.gone: Any = None
        self.calls = 0

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        self.calls += len(requests)
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Any:
        if request.method == "eth_chainId":
            return "0x38"
        tag = str(request.params[0])
        tags = {"earliest": self.earliest, "latest": self.head}
        number = tags[tag] if tag in tags else int(tag, 16)
        if number is None or not self.lowest <= number <= self.head:
            return self.gone
        return {"number": hex(number), "hash": hash_of(number)}


async def test_earliest_block_of_the_node_is_the_anchor() -> None:
    node = PrunedChain(lowest=9_000_000, head=10_000_000, earliest=9_000_000)

    assert await identity(node, None) == Identity(56, BlockRef(9_000_000, hash_of(9_000_000)))
    assert node.calls == 3


@pytest.mark.parametrize(
    "gone",
    [None, ApplicationError("pruned history unavailable", 4444), NotYetError("block not found")],
    ids=["null", "4444", "not found"],
)
@pytest.mark.parametrize("lowest", [1, 5_000_000, 9_000_000, 9_910_000, 9_999_000])
async def test_early_block_is_found_with_few_calls(lowest: int, gone: Any) -> None:
    node = PrunedChain(lowest, head=10_000_000)
    node.gone = gone

    found = await identity(node, None)

    assert found.anchor is not None
    oldest_part = lowest + (10_000_000 - lowest) // 4
    assert lowest <= found.anchor.number <= oldest_part
    assert node.calls <= 20


async def test_block_that_can_be_reorganised_is_not_an_anchor() -> None:
    node = PrunedChain(lowest=9_999_990, head=10_000_000)

    assert await identity(node, None) == Identity(56, None)


async def test_missing_anchor_is_not_replaced_by_another_height() -> None:
    node = PrunedChain(lowest=50, head=1_000, earliest=50)

    assert await identity(node, 7) == Identity(56, None)
    assert await identity(node, 70) == Identity(56, BlockRef(70, hash_of(70)))
    assert node.calls == 4


async def test_server_error_is_not_a_pruned_block() -> None:
    node = PrunedChain(lowest=50, head=1_000)
    node.gone = ServerError("internal error")

    with pytest.raises(ServerError):
        await identity(node, None)
