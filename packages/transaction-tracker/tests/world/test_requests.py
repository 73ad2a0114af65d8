"""What blocks cost, whatever is tracked and whatever the providers know of it (rule 11.9)."""

import pytest

from .chain import transaction
from .node import Node
from .world import World, chain_of

TRACKED = 1_000
BLOCKS = 100
# Questions about single transactions are asked at every 24th look at least, also without room.
MOST_A_BLOCK = 4.1


@pytest.mark.parametrize("providers", [1, 2])
@pytest.mark.parametrize("is_known", [True, False], ids=["pending", "missing"])
def test_many_transactions_in_no_block_cost_no_more_requests(
    providers: int, is_known: bool
) -> None:
    items = [transaction(f"customer {number}", 1) for number in range(TRACKED)]
    chain = chain_of(100)
    if is_known:
        chain.wait(*items)
    nodes = [Node(chain, f"node{number}") for number in range(providers)]
    world = World(*nodes)

    async def main() -> None:
        await world.track(*items)
        await world.blocks(20)
        before = sum(node.requests for node in nodes)
        await world.blocks(BLOCKS)
        await world.reaches(chain)
        assert (sum(node.requests for node in nodes) - before) / BLOCKS <= MOST_A_BLOCK

    world.play(main)
