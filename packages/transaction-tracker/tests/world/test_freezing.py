"""A finality violation pauses deliveries until an operator resumes them."""

import pytest

from transaction_tracker.store import Store

from .chain import transaction
from .node import Node
from .world import World, chain_of

LENGTH = 200


def test_a_reorganisation_below_all_kept_blocks_pauses_deliveries() -> None:
    chain = chain_of(LENGTH)
    other = chain.fork(50, "other")
    other.grow(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(5, chain)
        assert await Store.frozen() is None

        node.chain = other
        await world.reaches(other)

        assert await Store.frozen() is not None

    world.play(main)


@pytest.mark.parametrize(("fork", "is_frozen"), [(202, True), (203, False)])
def test_undone_finalized_block_pauses_deliveries(fork: int, is_frozen: bool) -> None:
    """Also when no transaction has ended in it."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(5, chain)
        await world.track(payment, confirmations="finalized")
        chain.mine(payment)
        node.tags = {"safe": 203, "finalized": 203}
        await world.blocks(2, chain)
        await world.becomes(payment, "mined")

        other = chain.fork(fork, "other")
        other.grow(10)
        node.chain = other
        await world.reaches(other)

        assert (await Store.frozen() is not None) == is_frozen
        assert await world.ends(payment) == []

    world.play(main)
