"""Deposits from before an address was watched are searched, in pieces and without a gap."""

from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.follower import address_searcher
from transaction_tracker.follower.address_options import AddressesSection, TokenSection

from .chain import Chain, Json, address
from .node import Node
from .test_token_deposits import refuse
from .watching import (
    SHOP,
    TOKEN,
    calls,
    coin,
    deposits_of,
    kept,
    pays,
    transfer,
    unwatch,
    watch,
    watched,
)
from .world import CONFIRMATIONS, World, chain_of

OTHER = address("other shop")


def chain_with(*payments: Json, at: int = 40, length: int = 200) -> Chain:
    """Return a chain with a payment in block ``at``, and in each block after it."""
    chain = chain_of(at - 1)
    for payment in payments:
        chain.mine(payment)
    chain.grow(length - chain.head.number)
    return chain


async def is_complete(account: str = SHOP) -> bool:
    return (await watched(account)).search is None


async def completes(world: World, account: str = SHOP) -> None:
    assert await world.until(lambda: is_complete(account), 300), await watched(account)


def test_earlier_deposits_are_found_and_confirmed() -> None:
    inside, outside = pays("customer", 1), pays("customer", 0)
    chain = chain_with(outside, inside)
    world = World(Node(chain, "one"), Node(chain, "two"))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=41, metadata='{"a":1}')
        await completes(world)
        await world.blocks(2)
        await world.becomes(inside, "confirmed")
        assert await deposits_of(inside) == [coin()]
        assert await kept(outside) is None
        record = await kept(inside)
        assert record is not None
        assert record.metadata == '{"a":1}'
        assert ((await watched()).found, (await watched()).open) == (1, 0)

    world.play(main)


def test_transfers_of_tokens_in_earlier_blocks_are_found() -> None:
    payment = calls("customer", 0)
    chain = chain_of(39)
    chain.mine(payment, receipt={"logs": [transfer(7)]})
    chain.grow(100)
    rules = AddressesSection(tokens=(TokenSection(address=TOKEN),))
    world = World(Node(chain), addresses=rules)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=0)
        await completes(world)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 7)]

    world.play(main)


def test_last_block_before_the_address_was_watched_is_searched() -> None:
    last, first = pays("customer", 0), pays("customer", 1)
    chain = chain_of(100)
    chain.mine(last)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=50)
        chain.mine(first)
        await world.reaches(chain)
        await completes(world)
        for payment in (last, first):
            assert await deposits_of(payment) == [coin()]

    world.play(main)


def test_search_goes_on_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_searcher, "PIECE_BLOCKS", 8)
    payment = pays("customer", 0)
    chain = chain_with(payment, at=150)
    node = Node(chain)
    world = World(node, database=tmp_path / "test.db")

    async def has_begun() -> bool:
        search = (await watched()).search
        return search is not None and search.next_block > 20

    def fail_above(params: list[Any], block: Any) -> Any:
        return (
            None if params[0].startswith("0x") and int(params[0], 16) in range(100, 190) else block
        )

    async def main() -> None:
        await world.start()
        await world.reaches(chain)
        node.change["eth_getBlockByNumber"] = fail_above
        await watch(SHOP, from_block=10)
        assert await world.until(has_begun, 300)
        await world.stop()
        node.change.clear()
        await world.start()
        place = (await watched()).search
        assert place is not None
        assert place.next_block > 20
        await completes(world)
        assert await deposits_of(payment) == [coin()]

    world.simulate(main)


def test_block_that_no_provider_sends_is_not_skipped() -> None:
    payment = pays("customer", 0)
    chain = chain_with(payment)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        node.change["eth_getBlockByNumber"] = lambda params, block: (
            None if params[0] == hex(40) else block
        )
        await watch(SHOP, from_block=0)
        assert not await world.until(is_complete, 120)
        search = (await watched()).search
        assert search is not None
        assert search.next_block == 40
        del node.change["eth_getBlockByNumber"]
        await completes(world)
        assert await deposits_of(payment) == [coin()]

    world.play(main)


def test_transfers_that_no_provider_sends_are_not_skipped() -> None:
    payment = calls("customer", 0)
    chain = chain_of(39)
    chain.mine(payment, receipt={"logs": [transfer(7)]})
    chain.grow(60)
    rules = AddressesSection(tokens=(TokenSection(address=TOKEN),))
    node = Node(chain)
    world = World(node, addresses=rules)

    async def main() -> None:
        await world.reaches(chain)
        node.change |= {"eth_getLogs": refuse, "eth_getBlockReceipts": refuse}
        await watch(SHOP, from_block=0)
        assert not await world.until(is_complete, 120)
        node.change.clear()
        await completes(world)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 7)]

    world.play(main)


def test_search_keeps_the_deposits_of_other_addresses() -> None:
    payment = calls("customer", 0)
    chain = chain_of(100)
    tokens = (TokenSection(address=TOKEN),)
    world = World(Node(chain), addresses=AddressesSection(tokens=tokens), confirmations=50)

    async def main() -> None:
        await world.reaches(chain)
        await watch(OTHER)
        chain.mine(payment, receipt={"logs": [transfer(5, OTHER), transfer(6)]})
        await world.reaches(chain)
        await watch(SHOP, from_block=100)
        await completes(world)
        assert await deposits_of(payment) == [(OTHER, TOKEN, 5), (SHOP, TOKEN, 6)]
        assert ((await watched()).open, (await watched(OTHER)).open) == (1, 1)

    world.play(main)


def test_failed_payments_and_small_ones_are_counted() -> None:
    chain = chain_of(39)
    chain.mine(pays("failed", 0), receipt={"status": "0x0"})
    chain.mine(pays("small", 0, value=5))
    chain.grow(60)
    world = World(Node(chain), addresses=AddressesSection(min_value=10))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=0)
        await completes(world)
        found = await watched()
        assert found.found == 0
        assert found.passed_over == {"failed": 1, "below_minimum": 1, "over_limit": 0}

    world.play(main)


def test_numbers_without_blocks_do_not_end_the_search() -> None:
    payment = pays("customer", 0)
    chain = Chain(314)
    chain.grow(10)
    chain.mine(skip=50)
    chain.mine(payment)
    chain.mine(skip=3)
    chain.grow(20)
    world = World(Node(chain), profile={"null_rounds": True})

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, source="ethereum:314", from_block=0)
        await completes(world)
        assert await deposits_of(payment) == [coin()]

    world.play(main)


def test_removed_address_ends_its_search() -> None:
    chain = chain_with(pays("customer", 0))
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=0)
        await unwatch(SHOP)
        await watch(OTHER)
        await world.blocks(CONFIRMATIONS)
        assert (await watched(OTHER)).search is None

    world.play(main)


def test_blocks_of_another_branch_are_not_searched() -> None:
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)
    payment = pays("customer", 0)
    other = chain.fork(100, "other")
    other.grow(3)

    def from_the_other_branch(params: list[Any], block: Any) -> Any:
        # Another node behind the same address.
        is_asked = params[0] == hex(101)
        return Node(other).result("eth_getBlockByNumber", params) if is_asked else block

    async def main() -> None:
        await world.reaches(chain)
        chain.mine(payment)
        await world.blocks(2)
        node.change["eth_getBlockByNumber"] = from_the_other_branch
        await watch(SHOP, from_block=95)
        assert not await world.until(is_complete, 100)
        node.change.clear()
        await completes(world)
        assert await deposits_of(payment) == [coin()]

    world.play(main)
