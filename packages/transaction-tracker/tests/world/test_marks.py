"""The chain's own marks count on the chain that they were told of only (rule 11.1)."""

import asyncio

from .chain import transaction
from .node import Node
from .world import World, chain_of

LENGTH = 200


def test_marks_of_a_chain_that_was_left_finalize_nothing_on_another_one() -> None:
    first, payment = transaction("another", 1), transaction("customer", 1)
    chain = chain_of(LENGTH)
    other = chain.fork(50, "other")
    other.grow(110)
    other.mine(payment)
    other.grow(140)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(first, confirmations="finalized")
        chain.mine(first)
        node.tags = {"safe": LENGTH - 5, "finalized": LENGTH - 10}
        await world.blocks(2, chain)
        await world.becomes(first, "mined")

        node.chain = other
        node.tags = {}  # nothing is final there yet
        await world.reaches(other)
        await asyncio.sleep(30.0)
        await world.track(payment, confirmations="finalized")
        await world.becomes(payment, "mined")
        await world.blocks(3, other)
        assert await world.ends(payment) == []

        node.tags = {"safe": 190, "finalized": 180}
        await world.blocks(3, other)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_a_mark_in_a_block_that_was_taken_back_finalizes_nothing_later() -> None:
    """Also once the blocks of that height are no longer kept, and nothing contradicts it."""
    first, payment = transaction("another", 1), transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(5, chain)
        await world.track(first, payment, confirmations="finalized")
        chain.mine(first)
        node.tags = {"safe": 205, "finalized": 205}
        await world.blocks(3, chain)
        await world.becomes(first, "mined")

        other = chain.fork(203, "other")
        other.mine(payment)
        other.grow(10)
        node.chain, node.tags = other, {}
        await world.reaches(other)
        await world.becomes(payment, "mined")
        await world.blocks(100, other)
        assert await world.ends(payment) == []

    world.play(main)
