"""One address whose nodes are on two branches of about the same height (rule 11.11)."""

from itertools import groupby

import pytest

from .chain import Chain, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


class TwoFaced(Node):
    """An address that answers each HTTP request from the other one of two chains.

    Attributes:
        other: The second chain.
    """

    def __init__(self, chain: Chain, other: Chain) -> None:
        super().__init__(chain)
        self.other = other

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.chain, self.other = self.other, self.chain
        return super().answer(body)


@pytest.mark.parametrize("growing", [False, True])
def test_an_address_on_two_branches_moves_a_transaction_back_once_at_most(growing: bool) -> None:
    payment = transaction("customer", 1)
    first = chain_of(LENGTH)
    second = first.fork(LENGTH, "two")
    world = World(TwoFaced(first, second))

    async def main() -> None:
        await world.reaches(first)
        await world.track(payment)
        first.mine(payment)
        second.wait(payment)
        second.mine()
        for _ in range(8):
            await world.blocks(1 if growing else 0, first, second)
            await world.until(never, 12.0)
        states = [state for state, _ in groupby(await world.history(payment))]
        assert states in (["pending", "mined", "pending"], ["pending", "mined"]), states

    world.play(main)


async def never() -> bool:
    """Return false: wait for the whole time."""
    return False


def test_branch_that_is_shown_no_longer_is_undone() -> None:
    """The chain turns to another branch, and back."""
    first = chain_of(LENGTH)
    node = Node(first)
    world = World(node)

    async def main() -> None:
        await world.reaches(first)
        await world.blocks(4, first)
        await world.reaches(first)
        node.chain = second = first.fork(first.head.number - 2, "two")
        second.grow(2)
        await world.reaches(second)
        node.chain = first
        await world.reaches(first)

    world.play(main)


def test_a_longer_branch_is_followed_although_a_stuck_node_shows_the_other_one() -> None:
    payment = transaction("customer", 1)
    first = chain_of(LENGTH)
    node = TwoFaced(first, first)
    world = World(node)

    async def main() -> None:
        await world.reaches(first)
        await world.blocks(4, first)
        await world.reaches(first)
        node.chain = node.other = second = first.fork(first.head.number - 2, "two")
        second.grow(2)
        await world.reaches(second)
        node.other = first
        await world.track(payment)
        first.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, first)
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)
