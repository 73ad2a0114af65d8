"""A single one of several providers can undo neither an end nor all kept blocks."""

import pytest

from transaction_tracker.store import Store

from .chain import Chain, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
WAIT_BLOCKS = 8  # more than the limit after which a stop is reported


def diverged(chain: Chain, number: int) -> Chain:
    """Return a longer chain that leaves another one above a height."""
    other = chain.fork(number, "other")
    other.grow(chain.head.number - number + 5)
    return other


async def is_reported(world: World) -> None:
    """Fail the test unless the service reports why it has stopped, and what to do."""
    ready = await world.get("/readyz")
    assert ready.status == 503, ready
    assert "nothing is taken back" in str(ready.content)
    assert "txtrack provider pause" in str(ready.content)


def test_single_provider_cannot_undo_the_chain_while_the_other_is_down() -> None:
    ended, waiting = transaction("customer", 1), transaction("other", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(ended, waiting)
        chain.mine(ended)
        await world.blocks(CONFIRMATIONS + 1)
        chain.mine(waiting)
        await world.blocks(2)
        assert await world.ends(ended) == ["confirmed"]
        second.down = True
        first.chain = diverged(chain, 50)
        await world.blocks(WAIT_BLOCKS, first.chain)
        assert (await world.status(ended)).state == "confirmed"
        assert (await world.status(waiting)).state == "mined"
        assert await Store.frozen() is None
        await is_reported(world)

        second.down, second.chain = False, first.chain
        await world.blocks(30, first.chain)
        await world.reaches(first.chain, within=600.0)
        assert (await world.status(waiting)).state != "mined"
        assert await Store.frozen() is not None

    world.play(main)


def test_single_provider_cannot_undo_an_end_while_the_other_is_down() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1)
        assert await world.ends(payment) == ["confirmed"]
        second.down = True
        first.chain = diverged(chain, LENGTH)
        await world.blocks(WAIT_BLOCKS, first.chain)
        assert (await world.status(payment)).state == "confirmed"
        assert await Store.frozen() is None
        await is_reported(world)

    world.play(main)


def test_single_provider_cannot_undo_a_finalized_block() -> None:
    """Also when no transaction has ended in it: all deliveries would stop."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    first.tags = second.tags = {"safe": LENGTH + 3, "finalized": LENGTH + 3}
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, confirmations="finalized")
        await world.blocks(3)
        chain.mine(payment)
        await world.blocks(3)
        await world.becomes(payment, "mined")
        second.down = True
        first.chain = diverged(chain, LENGTH + 1)
        await world.blocks(WAIT_BLOCKS, first.chain)
        assert (await world.status(payment)).state == "mined"
        assert await Store.frozen() is None
        await is_reported(world)

    world.play(main)


@pytest.mark.parametrize("number", [50, LENGTH])
def test_last_provider_that_is_not_paused_decides(number: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1)
        assert world.app is not None
        assert world.app.pool is not None
        second.down = True
        first.chain = diverged(chain, number)
        await world.blocks(WAIT_BLOCKS, first.chain)
        await is_reported(world)
        await world.app.pool.pause("second.test-2")
        await world.reaches(first.chain)
        await world.blocks(1, first.chain)
        assert await Store.frozen() is not None
        assert (await world.get("/readyz")).status == 200

    world.play(main)


def test_reorganisation_without_an_end_needs_one_provider() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(3)
        await world.becomes(payment, "mined")
        second.down = True
        first.chain = diverged(chain, LENGTH)
        await world.reaches(first.chain)
        assert (await world.status(payment)).state != "mined"

    world.play(main)


def test_refused_undo_is_reported_although_no_head_advances() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1)
        second.down = True
        other = chain.fork(LENGTH, "other")
        other.grow(chain.head.number - LENGTH)
        first.chain = other
        assert await world.until(has_halted, 120.0)
        await is_reported(world)
        first.chain = chain
        assert await world.until(is_ready_again, 120.0)

    async def has_halted() -> bool:
        return "source halted" in str((await world.get("/readyz")).content)

    async def is_ready_again() -> bool:
        return "nothing is taken back" not in str((await world.get("/readyz")).content)

    world.play(main)
