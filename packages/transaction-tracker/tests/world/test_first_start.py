"""At the first start, most providers decide which chain is followed, not the first provider."""

import asyncio

import pytest

from .chain import Chain, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


def other_chain() -> Chain:
    """Return a chain with the same id and another genesis block."""
    other = Chain(1, "other")
    other.grow(LENGTH)
    return other


# At the second latency, the others respond after the wait for the first provider has ended.
@pytest.mark.parametrize("latency", [0.01, 2.0])
def test_a_first_provider_of_another_genesis_ends_nothing_against_two_others(
    latency: float,
) -> None:
    payment = transaction("customer", 1)
    chain, other = chain_of(LENGTH), other_chain()
    world = World(Node(other, "first"), Node(chain, "second"), Node(chain, "third"))
    for node in world.nodes[1:]:
        node.latency = latency

    async def main() -> None:
        chain.wait(payment)
        await asyncio.sleep(20.0)
        await world.track(payment)
        other.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, chain, other)
        assert await world.ends(payment) == []
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1, chain, other)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_providers_with_different_first_blocks_are_compared_at_a_common_height() -> None:
    """The provider with the lowest first block is on another chain, and must not decide alone."""
    payment = transaction("customer", 1)
    chain, other = chain_of(LENGTH), other_chain()
    world = World(Node(other, "first"), Node(chain, "second"), Node(chain, "third"))
    for node, oldest in zip(world.nodes, (10, 50, 90), strict=True):
        node.oldest = oldest

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        other.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, chain, other)
        assert await world.ends(payment) == []
        assert world.app is not None
        assert world.app.pool is not None
        assert [status.state for status in world.app.pool.status()] == [
            "refused",
            "active",
            "healthy",
        ]

    world.play(main)


def test_two_providers_with_different_first_blocks_must_agree_to_start() -> None:
    chain, other = chain_of(LENGTH), other_chain()
    world = World(Node(other, "first"), Node(chain, "second"))
    for node, oldest in zip(world.nodes, (10, 50), strict=True):
        node.oldest = oldest

    async def main() -> None:
        refused = await world.try_start()
        assert refused is not None
        assert "remove the provider that is wrong, or add another one" in refused

    world.simulate(main)


def test_start_is_refused_with_one_provider_against_one_and_names_both() -> None:
    chain, other = chain_of(LENGTH), other_chain()
    world = World(Node(other, "first"), Node(chain, "second"))

    async def main() -> None:
        refused = await world.try_start()
        assert refused is not None
        ours, theirs = chain.blocks[0].hash, other.blocks[0].hash
        assert f"block 0 is {theirs} at first.test-1, and {ours} at second.test-2" in refused
        assert "remove the provider that is wrong, or add another one" in refused

    world.simulate(main)


def test_start_does_not_wait_for_a_provider_that_is_down() -> None:
    chain = chain_of(LENGTH)
    first, late = Node(chain, "first"), Node(other_chain(), "late")
    late.down = True
    world = World(first, late)

    async def main() -> None:
        await world.reaches(chain)
        late.down = False
        await world.blocks(2 * CONFIRMATIONS)
        await world.reaches(chain)
        assert world.app is not None
        assert world.app.pool is not None
        assert [status.state for status in world.app.pool.status()] == ["active", "refused"]

    world.play(main)
