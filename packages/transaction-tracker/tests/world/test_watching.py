"""Watched addresses in a program: the functions of ``transaction_tracker.tracker.watching``."""

import pytest

from beamish import NoProcessError
from transaction_tracker.delivery.listener import StoredEvent
from transaction_tracker.domain import Deposit
from transaction_tracker.tracker import watching

from .chain import address
from .node import Node
from .watching import ETHER, SHOP, pays
from .world import CONFIRMATIONS, World, chain_of

OTHER = address("other shop")
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_program_watches_an_address_and_hears_of_its_deposits() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)
    heard: list[StoredEvent] = []
    world.on_event = heard.append

    async def main() -> None:
        await world.reaches(chain)
        (added,) = await watching.watch(SHOP, confirmations=2, metadata={"customer": 7})
        assert (added.address, added.required, added.watched_from) == (SHOP, 2, 101)
        chain.mine(payment)
        await world.blocks(2)
        await world.becomes(payment, "confirmed")
        await world.blocks(1)
        found = await watching.get(f"eip155:1:{SHOP}")
        assert found is not None
        assert (found.found, found.open) == (1, 0)
        assert await watching.unwatch(SHOP)
        assert not await watching.unwatch(SHOP)
        assert await watching.get(SHOP) is None

    world.play(main)
    assert [event.tracked.state for event in heard] == ["mined", "confirmed"]
    for event in heard:
        assert event.deposits == (Deposit(SHOP, None, ETHER),)
        assert event.metadata == {"customer": 7}


def test_addresses_are_returned_as_given_and_listed_in_order() -> None:
    world = World(Node(chain_of(100)))
    many = [f"0x{number:040x}" for number in range(1, 1_202)]

    async def main() -> None:
        await world.reaches(world.nodes[0].chain)
        added = await watching.watch([OTHER, MIXED, OTHER])
        assert [each.address for each in added] == [OTHER, MIXED.lower(), OTHER]
        await watching.watch(many)
        listed = [each.address for each in await watching.list_all()]
        assert listed == sorted([OTHER, MIXED.lower(), *many])

    world.play(main)


async def is_searched() -> bool:
    found = await watching.get(SHOP)
    return found is not None and found.search is None


def test_earlier_deposits_are_searched_at_once() -> None:
    payment = pays("customer", 0)
    chain = chain_of(50)
    chain.mine(payment)
    chain.grow(2 * CONFIRMATIONS)
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await world.reaches(chain)
        (added,) = await watching.watch(SHOP, from_block=40)
        assert added.search is not None
        # Without a wake-up, the searcher looks only twice a minute.
        assert await world.until(is_searched, 20.0)
        await world.blocks(1)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_wrong_arguments_store_nothing() -> None:
    world = World(Node(chain_of(100)))

    async def main() -> None:
        await world.reaches(world.nodes[0].chain)
        with pytest.raises(watching.InvalidAddressError, match="valid checksum"):
            await watching.watch([SHOP, MIXED.replace("A", "a", 1)])
        with pytest.raises(watching.InvalidAddressError, match="unknown source"):
            await watching.watch(SHOP, source="bank")
        with pytest.raises(ValueError, match="confirmations"):
            await watching.watch(SHOP, confirmations=0)
        with pytest.raises(ValueError, match="metadata"):
            await watching.watch(SHOP, metadata={"a": object()})
        with pytest.raises(ValueError, match="from_block"):
            await watching.watch(SHOP, from_block=-1)
        assert await watching.list_all() == []

    world.play(main)


async def test_functions_need_a_running_application() -> None:
    with pytest.raises(NoProcessError):
        await watching.watch(SHOP)
