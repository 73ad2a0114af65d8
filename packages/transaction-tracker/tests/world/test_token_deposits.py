"""Watched addresses: transfers of listed tokens to one become tracked transactions."""

from typing import Any

import pytest

from transaction_tracker.follower.address_options import AddressesSection, TokenSection

from .chain import Chain, address
from .node import Node, RpcError
from .watching import (
    OTHER_TOKEN,
    SHOP,
    TOKEN,
    calls,
    coin,
    deposits_of,
    kept,
    pays,
    transfer,
    watch,
    watched,
)
from .world import CONFIRMATIONS, World, chain_of

OTHER = address("other shop")
RULES = AddressesSection(tokens=(TokenSection(address=TOKEN, min_value=10),))
REFUSED = RpcError(-32005, "limit exceeded")


def refuse(_params: list[Any], _found: Any) -> Any:
    raise REFUSED


def world_of(chain: Chain, *more: Node, **settings: Any) -> tuple[World, Node]:
    node = Node(chain)
    return World(node, *more, **({"addresses": RULES} | settings)), node


def test_transfer_of_a_listed_token_is_tracked_until_its_end() -> None:
    chain = chain_of(100)
    world, _ = world_of(chain)
    payment = calls("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(7), transfer(5)]})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [(SHOP, TOKEN, 12)]
        found = await watched()
        assert (found.found, found.open) == (1, 0)

    world.play(main)


def test_one_transaction_can_pay_several_addresses_in_several_currencies() -> None:
    chain = chain_of(100)
    tokens = (TokenSection(address=TOKEN), TokenSection(address=OTHER_TOKEN))
    world, _ = world_of(chain, addresses=AddressesSection(tokens=tokens))
    payment = pays("customer", 0)
    logs = [transfer(5, OTHER), transfer(6, SHOP, OTHER_TOKEN), transfer(7, address("nobody"))]

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, metadata='{"of":"shop"}')
        await watch(OTHER)
        chain.mine(payment, receipt={"logs": logs})
        await world.reaches(chain)
        assert await deposits_of(payment) == [coin(), (OTHER, TOKEN, 5), (SHOP, OTHER_TOKEN, 6)]
        assert ((await watched()).found, (await watched(OTHER)).found) == (1, 1)
        record = await kept(payment)
        assert record is not None
        assert record.metadata == '{"of":"shop"}'

    world.play(main)


def test_other_tokens_and_small_amounts_make_no_deposits() -> None:
    chain = chain_of(100)
    world, _ = world_of(chain)
    unlisted, small, empty, own = (calls("customer", nonce) for nonce in range(4))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(unlisted, receipt={"logs": [transfer(50, token=OTHER_TOKEN)]})
        chain.mine(small, receipt={"logs": [transfer(9)]})
        chain.mine(empty, receipt={"logs": [transfer(0)]})
        chain.mine(own, receipt={"logs": [transfer(50, sender=SHOP)]})
        await world.reaches(chain)
        for payment in (unlisted, small, empty):
            assert await kept(payment) is None
        assert (await watched()).passed_over["below_minimum"] == 1

    world.play(main)


def test_a_reorganisation_changes_what_a_transaction_pays() -> None:
    chain = chain_of(100)
    world, node = world_of(chain)
    payment = calls("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, OTHER)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        node.chain = left = chain.fork(100, "left")
        left.mine(payment, receipt={"logs": [transfer(60, OTHER)]})
        left.grow(1)
        await world.reaches(left)
        assert await deposits_of(payment) == [(OTHER, TOKEN, 60)]
        assert [(await watched(each)).open for each in (SHOP, OTHER)] == [0, 1]
        node.chain = right = chain.fork(100, "right")
        right.mine(payment, receipt={"logs": []})
        right.grow(3)
        await world.reaches(right)
        assert await deposits_of(payment) == []
        shown = (await world.get(f"/v1/transactions/{payment['hash']}")).content
        assert (shown["address"], shown["deposits"]) == (None, [])
        # An event that was told never changes.
        told = [event["address"] for event in shown["history"] if event["state"] == "mined"]
        assert told == [SHOP, OTHER, None]

    world.play(main)


def test_refused_logs_are_read_from_another_provider() -> None:
    chain = chain_of(100)
    world, node = world_of(chain, Node(chain, "two"))
    payment = calls("customer", 0)
    node.change["eth_getLogs"] = refuse

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


def test_logs_that_all_providers_refuse_are_read_from_the_receipts() -> None:
    chain = chain_of(100)
    world, node = world_of(chain)
    payment = calls("customer", 0)
    node.change["eth_getLogs"] = refuse

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log | {"transactionHash": "0x" + "1" * 64},
        lambda log: log | {"removed": True},
        lambda _log: "no log",
    ],
    ids=["of-no-transaction-of-the-block", "removed", "no-object"],
)
def test_unreadable_logs_are_read_from_another_provider(change: Any) -> None:
    chain = chain_of(100)
    world, node = world_of(chain, Node(chain, "two"))
    payment = calls("customer", 0)
    node.change["eth_getLogs"] = lambda _params, logs: [change(log) for log in logs]

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


def test_block_whose_transfers_nobody_sends_waits() -> None:
    chain = chain_of(100)
    world, node = world_of(chain)
    payment = calls("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        node.change |= {"eth_getLogs": refuse, "eth_getBlockReceipts": refuse}
        before = world.tip_hash
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.blocks(3)
        assert world.tip_hash == before
        node.change.clear()
        await world.reaches(chain)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


def test_chain_goes_on_without_transfers_that_nobody_sends_and_they_are_searched() -> None:
    chain = chain_of(100)
    world, node = world_of(chain)
    first, second, after = calls("customer", 0), calls("customer", 1), pays("customer", 2)

    async def is_searched() -> bool:
        return (await watched()).search is None

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, OTHER)
        node.change |= {"eth_getLogs": refuse, "eth_getBlockReceipts": refuse}
        chain.mine(first, receipt={"logs": [transfer(50)]})
        chain.mine(second, receipt={"logs": [transfer(60, OTHER)]})
        chain.mine(after)
        await world.reaches(chain, within=300)
        assert await deposits_of(after) == [coin()]
        assert await kept(first) is None
        assert (await watched()).search is not None
        node.change.clear()
        assert await world.until(is_searched, 300)
        assert await deposits_of(first) == [(SHOP, TOKEN, 50)]
        assert await deposits_of(second) == [(OTHER, TOKEN, 60)]
        await world.blocks(CONFIRMATIONS)
        await world.becomes(first, "confirmed")
        found = await watched()
        assert (found.found, found.open) == (2, 0)

    world.play(main)


def test_without_tokens_no_logs_are_fetched() -> None:
    chain = chain_of(100)
    world, node = world_of(chain, addresses=AddressesSection())
    payment = calls("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        assert await kept(payment) is None
        assert node.calls["eth_getLogs"] == 0

    world.play(main)


def test_logs_are_fetched_only_if_the_filter_of_the_block_allows_some() -> None:
    chain = chain_of(100)
    world, node = world_of(chain)
    filled = "0x" + "00" * 255 + "01"

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(calls("customer", 0), logsBloom=filled)
        await world.reaches(chain)
        assert node.calls["eth_getLogs"] == 0
        chain.mine(calls("customer", 1), logsBloom="0x" + "ff" * 256)
        await world.reaches(chain)
        assert node.calls["eth_getLogs"] == 1

    world.play(main)
