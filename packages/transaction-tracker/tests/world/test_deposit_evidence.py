"""Watched addresses: no provider alone decides what a deposit is worth, or that it failed."""

import time
from typing import Any

import pytest

from transaction_tracker.follower.address_options import AddressesSection, TokenSection

from .chain import Json, address
from .node import Node
from .test_earlier_deposits import completes
from .watching import (
    ETHER,
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

RULES = AddressesSection(tokens=(TokenSection(address=TOKEN, min_value=10),))
OTHER = address("other shop")


def with_amount(value: int) -> Any:
    """Return a change of logs: all of them move another amount."""

    def change(_params: list[Any], logs: list[Json]) -> list[Json]:
        return [log | {"data": transfer(value)["data"]} for log in logs]

    return change


def with_status(status: str) -> Any:
    """Return a change of receipts: all transactions have another status, and no logs."""
    return lambda _params, receipt: receipt and receipt | {"status": status, "logs": []}


def worth(payment: Json, value: int) -> Any:
    """Return a change of blocks: a transaction moves another amount of the coin."""

    def changed(item: Any) -> Any:
        is_it = isinstance(item, dict) and item["hash"] == payment["hash"]
        return item | {"value": hex(value)} if is_it else item

    def change(_params: list[Any], block: Any) -> Any:
        return block and block | {"transactions": [*map(changed, block["transactions"])]}

    return change


def leave_out(_params: list[Any], _logs: Any) -> Any:
    return []


async def told(world: World, payment: Json) -> list[tuple[str, list[Any]]]:
    """Return the state and the deposits of each event."""
    shown = (await world.get(f"/v1/transactions/{payment['hash']}")).content
    return [(event["state"], event["deposits"]) for event in shown["history"]]


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with-another"])
def test_deposit_is_worth_what_the_receipt_says(others: int) -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, *(Node(chain, f"other-{n}") for n in range(others)), addresses=RULES)
    payment = calls("customer", 0)
    liar.change["eth_getLogs"] = with_amount(10**9)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]
        values = {each["value"] for _, paid in await told(world, payment) for each in paid}
        assert values == {"50"}

    world.play(main)


def test_deposit_that_the_receipt_denies_is_not_told() -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, Node(chain, "two"), addresses=RULES)
    payment = pays("customer", 0, OTHER)

    def invent(params: list[Any], _logs: Any) -> Any:
        is_asked = params[0]["blockHash"] == chain.at(101).hash
        return [transfer(10**9) | {"transactionHash": payment["hash"]}] if is_asked else []

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, OTHER)
        liar.change["eth_getLogs"] = invent
        chain.mine(payment)
        assert chain.head.number == 101
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [coin(OTHER)]
        assert all(
            [each["address"] for each in paid] == [OTHER] for _, paid in await told(world, payment)
        )
        assert ((await watched(SHOP)).found, (await watched(SHOP)).open) == (0, 0)
        assert ((await watched(OTHER)).found, (await watched(OTHER)).open) == (1, 0)

    world.play(main)


def test_earlier_deposit_is_worth_what_the_receipt_says() -> None:
    chain = chain_of(30)
    payment = calls("customer", 0)
    chain.mine(payment, receipt={"logs": [transfer(50)]})
    chain.grow(60)
    liar = Node(chain)
    world = World(liar, Node(chain, "two"), addresses=RULES)
    liar.change["eth_getLogs"] = with_amount(10**9)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, from_block=20)
        await completes(world)
        await world.blocks(2)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


def test_search_adds_to_a_known_transaction_only_what_its_receipt_says() -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, addresses=RULES)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50, OTHER)]})
        await world.reaches(chain)
        assert await deposits_of(payment) == [coin()]
        liar.change["eth_getLogs"] = with_amount(10**9)
        await watch(OTHER, from_block=90)
        await completes(world, OTHER)
        assert await deposits_of(payment) == [coin(), (OTHER, TOKEN, 50)]

    world.play(main)


def test_amount_of_the_coin_is_that_of_most_providers() -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, Node(chain, "two"), Node(chain, "three"), addresses=RULES)
    payment = pays("customer", 0)
    change = worth(payment, 1_000 * ETHER)
    liar.change |= {"eth_getBlockByHash": change, "eth_getBlockByNumber": change}

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [coin()]
        (*_, (state, paid)) = await told(world, payment)
        assert (state, [each["value"] for each in paid]) == ("confirmed", [str(ETHER)])

    world.play(main)


@pytest.mark.parametrize("kind", ["new", "earlier", "registered"])
def test_one_provider_alone_does_not_hide_a_deposit_as_failed(kind: str) -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, Node(chain, "two"), Node(chain, "three"), addresses=RULES)
    payment = pays("customer", 0)
    liar.change["eth_getTransactionReceipt"] = with_status("0x0")

    async def main() -> None:
        await world.reaches(chain)
        if kind != "earlier":
            await watch(SHOP)
        if kind == "registered":
            await world.track(payment)
        chain.mine(payment)
        await world.reaches(chain)
        if kind == "earlier":
            await watch(SHOP, from_block=90)
            await completes(world)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        # The event that said it had failed had no deposit; it is told again with the outcome.
        assert await deposits_of(payment) == [coin()]
        found = await watched()
        assert (found.found, found.open, found.passed_over["failed"]) == (1, 0, 0)

    world.play(main)


def test_failed_transaction_pays_nothing() -> None:
    chain = chain_of(100)
    world = World(Node(chain), addresses=RULES)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        await world.track(payment)
        chain.mine(payment, receipt={"status": "0x0"})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "failed")
        assert not any(paid for _, paid in await told(world, payment))
        assert ((await watched()).found, (await watched()).open) == (0, 0)

    world.play(main)


def test_expired_transaction_that_pays_is_tracked_again() -> None:
    chain = chain_of(100)
    world = World(Node(chain), addresses=RULES)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, OTHER)
        await world.track(payment, deadline=time.time() + 30, metadata={"order": 7})
        await world.blocks(6)
        await world.becomes(payment, "expired")
        chain.mine(payment, receipt={"logs": [transfer(50, OTHER)]})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [coin(), (OTHER, TOKEN, 50)]
        for each in (await watched(SHOP), await watched(OTHER)):
            assert (each.found, each.open) == (1, 0)
        record = await kept(payment)
        assert record is not None
        assert record.metadata == '{"order": 7}'

    world.play(main)


def test_search_tracks_an_expired_transaction_again() -> None:
    chain = chain_of(100)
    world = World(Node(chain), addresses=RULES)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, deadline=time.time() + 30)
        await world.blocks(6)
        await world.becomes(payment, "expired")
        chain.mine(payment)
        await world.blocks(2)
        await watch(SHOP, from_block=100)
        await completes(world)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [coin()]
        assert ((await watched()).found, (await watched()).open) == (1, 0)

    world.play(main)


def test_transfer_that_the_followed_provider_leaves_out_is_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = chain_of(100)
    liar = Node(chain)
    world = World(liar, Node(chain, "two"), addresses=RULES)
    payment, small = calls("customer", 0), calls("customer", 1)
    liar.change["eth_getLogs"] = leave_out

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50), transfer(60, address("nobody"))]})
        chain.mine(small, receipt={"logs": [transfer(5)]})
        await world.blocks(2 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]
        assert await kept(small) is None
        assert ((await watched()).found, (await watched()).open) == (1, 0)

    world.play(main)
    (text,) = [each for each in caplog.messages if "left out" in each]
    assert text.startswith("block 101 ")
    assert payment["hash"] in text


def test_transfer_that_another_provider_invents_is_not_told() -> None:
    chain = chain_of(100)
    liar = Node(chain, "two")
    world = World(Node(chain), liar, addresses=RULES)
    payment = pays("customer", 0, address("nobody"))

    def invent(params: list[Any], _logs: Any) -> Any:
        block = chain.at(101)
        is_asked = params[0]["blockHash"] == block.hash
        return [transfer(10**9) | {"transactionHash": payment["hash"]}] if is_asked else []

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        liar.change["eth_getLogs"] = invent
        chain.mine(payment)
        await world.blocks(2 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert not any(paid for _, paid in await told(world, payment))
        assert ((await watched()).found, (await watched()).open) == (0, 0)

    world.play(main)


def test_address_is_not_compared_with_blocks_from_before_it_was_watched() -> None:
    chain = chain_of(100)
    world = World(Node(chain), Node(chain, "two"), addresses=RULES)
    payment = calls("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(OTHER)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.reaches(chain)
        await watch(SHOP)
        await world.blocks(2 * CONFIRMATIONS)
        assert await kept(payment) is None

    world.play(main)


def test_transfers_are_compared_once_another_provider_has_the_block() -> None:
    chain = chain_of(100)
    liar, late = Node(chain), Node(chain, "two")
    world = World(liar, late, addresses=RULES)
    payment = calls("customer", 0)
    liar.change["eth_getLogs"] = leave_out
    late.change["eth_getLogs"] = lambda _params, _logs: None

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment, receipt={"logs": [transfer(50)]})
        await world.blocks(2 * CONFIRMATIONS)
        assert await kept(payment) is None
        late.change.clear()
        await world.blocks(2 * CONFIRMATIONS)
        assert await deposits_of(payment) == [(SHOP, TOKEN, 50)]

    world.play(main)


def test_transfers_that_no_other_provider_sends_are_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = chain_of(100)
    late = Node(chain, "two")
    world = World(Node(chain), late, addresses=RULES)
    late.change["eth_getLogs"] = lambda _params, _logs: None

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(calls("customer", 0), receipt={"logs": [transfer(50)]})
        await world.blocks(100)

    world.play(main)
    (text,) = [each for each in caplog.messages if "no other provider" in each]
    assert " 101 " in text


def test_one_request_compares_the_transfers_of_many_blocks() -> None:
    chain = chain_of(100)
    followed, other = Node(chain), Node(chain, "two")
    world = World(followed, other, addresses=RULES)
    asked: list[int] = []
    answer = other.answer

    def note(body: bytes) -> tuple[int, bytes]:
        if (count := body.count(b"eth_getLogs")) > 0:
            asked.append(count)
        return answer(body)

    other.answer = note  # type: ignore[method-assign]

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        for nonce in range(32):
            chain.mine(calls("customer", nonce), receipt={"logs": [transfer(5)]})
        await world.blocks(2 * CONFIRMATIONS)
        assert followed.calls["eth_getLogs"] == 32
        assert asked == [16, 16]

    world.play(main)


@pytest.mark.parametrize("value", [None, "1", 10**18, "0x"], ids=str)
def test_amount_that_one_provider_sends_unreadably_is_read_from_another(value: Any) -> None:
    chain = chain_of(100)
    odd = Node(chain)
    world = World(odd, Node(chain, "two"), addresses=RULES)
    payment = pays("customer", 0)

    def change(_params: list[Any], block: Any) -> Any:
        items = [item | {"value": value} for item in block["transactions"]] if block else []
        return block and block | {"transactions": items}

    odd.change |= {"eth_getBlockByHash": change, "eth_getBlockByNumber": change}

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await deposits_of(payment) == [coin()]

    world.play(main)


def test_amount_that_no_provider_sends_readably_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = chain_of(100)
    world = World(Node(chain), addresses=RULES)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment | {"value": "much"})
        await world.reaches(chain)
        assert await kept(payment) is None

    world.play(main)
    (text,) = [each for each in caplog.messages if "amount" in each]
    assert payment["hash"] in text
