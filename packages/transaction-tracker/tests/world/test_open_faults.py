"""Faults that are known and not mended yet: each test says what must hold (rules 11.1, 11.5)."""

import asyncio

import pytest

from .chain import Chain, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


def open_fault(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError)


def world_of(first: Node, honest: int, **settings: object) -> World:
    """Return a world with one odd provider and some that answer from the same chain as it is."""
    chain = first.chain
    others = [Node(chain, f"honest-{number}") for number in range(honest)]
    return World(first, *others, **settings)


# -- False ends


@open_fault("the marks of the followed provider alone are believed")
@pytest.mark.parametrize("honest", [1, 2])
def test_a_final_mark_of_one_provider_alone_confirms_nothing(honest: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest, confirmations="finalized")
    for other in world.nodes[1:]:
        other.tags = {"safe": LENGTH - 40, "finalized": LENGTH - 80}

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        for _ in range(4):
            odd.tags = {"safe": chain.head.number, "finalized": chain.head.number}
            await world.blocks(1)
        assert await world.ends(payment) == []

    world.play(main)


@open_fault("the first provider's block decides which chain it is; all others are refused")
def test_a_first_provider_of_another_genesis_ends_nothing_against_two_others() -> None:
    payment = transaction("customer", 1)
    chain, other = chain_of(LENGTH), Chain(1, "other")
    other.grow(LENGTH)
    world = World(Node(other, "first"), Node(chain, "second"), Node(chain, "third"))

    async def main() -> None:
        await asyncio.sleep(20.0)
        await world.track(payment)
        other.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, chain, other)
        assert await world.ends(payment) == []

    world.play(main)
