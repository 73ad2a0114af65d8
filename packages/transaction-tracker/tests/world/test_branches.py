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
    one = chain_of(LENGTH)
    two = one.fork(LENGTH, "two")
    world = World(TwoFaced(one, two))

    async def main() -> None:
        await world.reaches(one)
        await world.track(payment)
        one.mine(payment)
        two.wait(payment)
        two.mine()
        for _ in range(8):
            await world.blocks(1 if growing else 0, one, two)
            await world.until(never, 12.0)
        states = [state for state, _ in groupby(await world.history(payment))]
        assert states in (["pending", "mined", "pending"], ["pending", "mined"]), states

    world.play(main)


async def never() -> bool:
    """Return false: wait for the whole time."""
    return False


def test_a_branch_that_is_shown_no_longer_is_left_for_the_one_before() -> None:
    """The chain turns to another branch, and back."""
    one = chain_of(LENGTH)
    node = Node(one)
    world = World(node)

    async def main() -> None:
        await world.reaches(one)
        await world.blocks(4, one)
        await world.reaches(one)
        node.chain = two = one.fork(one.head.number - 2, "two")
        two.grow(2)
        await world.reaches(two)
        node.chain = one
        await world.reaches(one)

    world.play(main)


def test_a_longer_branch_is_followed_although_a_stuck_node_shows_the_other_one() -> None:
    payment = transaction("customer", 1)
    one = chain_of(LENGTH)
    node = TwoFaced(one, one)
    world = World(node)

    async def main() -> None:
        await world.reaches(one)
        await world.blocks(4, one)
        await world.reaches(one)
        node.chain = node.other = two = one.fork(one.head.number - 2, "two")
        two.grow(2)
        await world.reaches(two)
        node.other = one
        await world.track(payment)
        one.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, one)
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)
