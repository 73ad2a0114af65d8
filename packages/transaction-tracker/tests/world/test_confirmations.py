"""A confirmation counts only on a chain that contains our own (rule 11.1)."""

import asyncio

import pytest

from .chain import Chain, Json, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200  # far more than the kept blocks
OLD = 20  # fork point of the old fork


def old_fork(chain: Chain, item: Json) -> Chain:
    """Return an old fork without new blocks that contains a transaction."""
    fork = chain.fork(OLD, "old")
    fork.grow(7)
    fork.mine(item)
    fork.grow(1)
    return fork


@pytest.mark.parametrize("required", [CONFIRMATIONS, "safe", "finalized"])
def test_failover_to_a_node_on_an_old_fork_confirms_nothing(required: int | str) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    good, stuck = Node(chain, "good"), Node(old_fork(chain, payment), "stuck")
    good.tags = {"safe": LENGTH - 30, "finalized": LENGTH - 60}
    stuck.tags = {"safe": OLD + 9, "finalized": OLD + 9}
    world = World(good, stuck)

    async def main() -> None:
        await world.reaches(chain)
        good.down = True
        await world.track(payment, confirmations=required)
        await asyncio.sleep(600.0)
        assert await world.ends(payment) == []

        good.down = False
        await world.blocks(CONFIRMATIONS)
        await world.reaches(chain, within=600.0)  # it is paused for up to 480 s
        assert await world.ends(payment) == []
        # The chain grows, the stuck node returns to it, and its transactions are confirmed.
        chain.mine(payment)
        stuck.chain = chain
        good.tags = stuck.tags = {"safe": LENGTH + 20, "finalized": LENGTH + 20}
        await world.blocks(CONFIRMATIONS + 1)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_a_node_that_comes_back_with_a_shorter_chain_confirms_nothing() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        node.chain = old_fork(chain, payment)
        await world.track(payment)
        await world.blocks(5, node.chain)
        await asyncio.sleep(300.0)
        assert await world.ends(payment) == []

    world.play(main)


def test_a_node_that_lost_its_last_blocks_confirms_nothing_from_the_old_height() -> None:
    """The transaction's block is below the kept blocks, and our tip is not on its chain."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    shorter = chain.fork(100, "shorter")
    shorter.mine(payment)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        node.chain = shorter
        await asyncio.sleep(60.0)
        await world.track(payment)
        await asyncio.sleep(300.0)
        assert await world.ends(payment) == []

    world.play(main)


def test_different_blocks_at_two_providers_end_nothing() -> None:
    payment, failing = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(100)
    other = chain.fork(97, "other")
    other.grow(3)
    good, odd = Node(chain, "good"), Node(other, "odd")
    world = World(good, odd)

    async def main() -> None:
        await world.track(payment, failing)
        chain.mine(payment)
        chain.mine(failing, receipt={"status": "0x0"})
        other.grow(2)
        await world.blocks(3 * CONFIRMATIONS, chain, other)
        assert await world.ends(payment) == []
        assert await world.ends(failing) == []

        odd.chain = chain  # it switches to our chain: no provider contradicts any more
        await world.blocks(3, chain)
        await world.becomes(payment, "confirmed")
        await world.becomes(failing, "failed")

    world.play(main)


def test_different_blocks_at_two_providers_replace_nothing() -> None:
    payment, winner = transaction("customer", 1), transaction("customer", 1, value="0x0")
    chain = chain_of(100)
    other = chain.fork(99, "other")
    good, odd = Node(chain, "good"), Node(other, "odd")
    world = World(good, odd)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(winner)
        other.grow(2)
        await world.blocks(3 * CONFIRMATIONS, chain, other)
        assert await world.ends(payment) == []

    world.play(main)


def test_the_chain_that_most_providers_hold_is_followed_although_it_is_lower() -> None:
    payment, phantom = transaction("customer", 1), transaction("phantom", 1)
    chain = chain_of(100)
    minority = chain.fork(95, "minority")
    minority.mine(phantom)
    minority.grow(16)
    odd, *others = (
        Node(held, name) for held, name in ((minority, "a"), (chain, "b"), (chain, "c"))
    )
    world = World(odd, *others)

    async def main() -> None:
        await world.track(payment, phantom)
        chain.mine(payment)
        minority.mine()
        await world.blocks(2 * CONFIRMATIONS, chain, minority)
        await world.reaches(chain)
        assert await world.ends(phantom) == []
        assert "mined" in await world.history(payment)

        odd.down = True
        await world.blocks(2 * CONFIRMATIONS, chain)
        await world.becomes(payment, "confirmed")
        assert "confirmed" not in await world.history(phantom)

    world.play(main)


def test_lagging_provider_delays_no_end() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    good, slow = Node(chain, "good"), Node(chain, "slow")
    slow.height = lambda: 40
    world = World(good, slow)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_a_single_provider_confirms_by_its_linked_chain() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS - 2)
        assert (await world.history(payment))[-1] == "mined"
        await world.blocks(1)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("required", [CONFIRMATIONS, "finalized"])
def test_an_old_transaction_is_confirmed_by_a_node_whose_chain_has_our_head(
    required: int | str,
) -> None:
    """Its block is below the kept blocks."""
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(LENGTH)
    node = Node(chain)
    node.tags = {"safe": LENGTH - 30, "finalized": LENGTH - 60}
    world = World(node)

    async def main() -> None:
        # Long enough that its block is not kept.
        await world.blocks(100, seconds=2.0)
        await world.reaches(chain)
        await world.track(payment, confirmations=required)
        await world.becomes(payment, "confirmed")

    world.play(main)
