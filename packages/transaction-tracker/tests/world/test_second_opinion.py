"""No end from a single node: other healthy providers count (rule 11.5)."""

import asyncio
from typing import Any

import pytest

from .chain import transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
FILECOIN = 314  # numbers can be without a block


def test_a_block_with_a_wrong_sender_replaces_nothing() -> None:
    payment, foreign = transaction("customer", 1), transaction("stranger", 1)
    chain = chain_of(LENGTH)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    world = World(odd, good)

    def lies(_params: list[Any], block: Any) -> Any:
        items = block and block["transactions"]
        if not items or not isinstance(items[0], dict):
            return block
        changed = [
            item | {"from": payment["from"]} if item["hash"] == foreign["hash"] else item
            for item in items
        ]
        return block | {"transactions": changed}

    odd.change = {"eth_getBlockByHash": lies, "eth_getBlockByNumber": lies}

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(foreign)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_blocks_of_the_followed_provider_alone_confirm_nothing(honest: int) -> None:
    """It holds the transaction's block like all providers, and its own branch above it."""
    payment = transaction("customer", 1)
    chain = chain_of(100)
    liar = Node(chain, "liar")
    world = World(liar, *(Node(chain, f"honest-{number}") for number in range(honest)))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS - 4)
        await world.reaches(chain)
        branch = chain.fork(chain.head.number - 2, "branch")
        branch.grow(CONFIRMATIONS)
        liar.chain = branch
        await asyncio.sleep(30.0)
        assert await world.ends(payment) == []
        await world.blocks(3, chain)
        assert await world.ends(payment) == ([] if honest == 1 else ["confirmed"])

    world.play(main)


def test_block_whose_number_is_empty_at_another_provider_ends_nothing() -> None:
    """With a block at that height, the single provider would hold the end back."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH, FILECOIN)
    branch = chain.fork(LENGTH, "branch")
    world = World(Node(branch, "first"), Node(branch, "second"), Node(chain, "honest"))

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment)
        chain.mine(skip=1)
        branch.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, chain, branch)
        assert await world.ends(payment) == []

    world.play(main)
