"""A transaction that gets no end is reported."""

import pytest

from .chain import transaction
from .node import Node
from .test_marks import without_tags
from .world import World, chain_of

LENGTH = 200
BLOCKS = 40  # far longer than any alarm takes


@pytest.mark.parametrize("others", [0, 1, 2])
def test_unknown_tag_at_the_followed_provider_is_reported(others: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first = Node(chain, "first")
    first.change["eth_getBlockByNumber"] = without_tags
    more = [Node(chain, f"more-{number}") for number in range(others)]
    world = World(first, *more, confirmations="finalized")

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        for node in more:
            node.tags = {"finalized": LENGTH + 1}
        await world.blocks(BLOCKS)
        ready = await world.get("/readyz")
        assert await world.ends(payment) == ["confirmed"] or ready.status == 503

    world.play(main)
