"""Calls about one transaction that all nodes refuse: it alone waits (rule 11.3)."""

from typing import Any

import pytest

from .chain import transaction
from .clock import unix_time
from .node import Node, Refusal, RpcError
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
LIMIT = RpcError(-32005, "rate limit exceeded")
ERRORS = 60  # blocks: far longer than any end or alarm takes


def refuse(*nodes: Node, method: str, key: str, error: RpcError) -> None:
    """Let nodes answer with an error about one transaction."""

    def change(params: list[Any], found: Any) -> Any:
        if params[0] == key:
            raise error
        return found

    for node in nodes:
        node.change[method] = change


def test_a_receipt_that_is_always_rate_limited_stops_no_chain() -> None:
    payment, other = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    world = World(one, two)
    refuse(one, two, method="eth_getTransactionReceipt", key=payment["hash"], error=LIMIT)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, other)
        chain.mine(payment, other)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(other) == ["confirmed"]

    world.play(main)


def test_a_receipt_that_all_refuse_for_ever_parks_its_transaction() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    world = World(one, two)
    error = RpcError(-32603, "internal error")
    refuse(one, two, method="eth_getTransactionReceipt", key=payment["hash"], error=error)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(2 * ERRORS)
        assert (await world.status(payment)).error is not None

    world.play(main)


def test_a_nonce_that_cannot_be_searched_stops_no_other_deadline() -> None:
    """Its winner needs old state, for which the provider wants to be paid."""
    delegated = transaction("delegator", 0)
    others = [transaction("customer", nonce) for nonce in range(5)]
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    world = World(one, two)

    def archive(params: list[Any], found: Any) -> Any:
        is_named = params[1] in ("latest", "pending")
        if not is_named and int(params[1], 16) < chain.head.number - 2:
            raise RpcError(-32005, "rate limit exceeded: archive requests need another plan")
        return found

    one.change["eth_getTransactionCount"] = two.change["eth_getTransactionCount"] = archive

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(delegated, *others)
        await world.track(delegated, *others, deadline=unix_time() + 120.0)
        await world.becomes(delegated, "pending")
        chain.mine(transaction("sponsor", 1, kind="0x4"), authorities=[delegated["from"]])
        chain.pool.pop(delegated["hash"])
        await world.blocks(30)
        assert [await world.ends(one) for one in others] == [["expired"]] * len(others)

    world.play(main)


@pytest.mark.parametrize("refusal", [None, Refusal(status=403)])
def test_a_block_with_nothing_but_rate_limited_receipts_is_applied(refusal: Refusal | None) -> None:
    """No other call of the request shows that the node answers; with batches, and without."""
    payments = [transaction("customer", nonce) for nonce in range(2)]
    other = transaction("another", 1)
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    one.refusal = two.refusal = refusal
    limited = {payment["hash"] for payment in payments}

    def limit(params: list[Any], found: Any) -> Any:
        if params[0] in limited:
            raise LIMIT
        return found

    for node in (one, two):
        node.change["eth_getTransactionReceipt"] = limit
    world = World(one, two)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(*payments, other)
        chain.mine(*payments)
        await world.blocks(1)
        chain.mine(other)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(other) == ["confirmed"]
        limited.clear()
        await world.blocks(ERRORS)
        assert [await world.ends(one) for one in payments] == [["confirmed"]] * 2

    world.play(main)


def test_a_transaction_that_all_refuse_to_tell_of_is_parked() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    world = World(one, two)
    error = RpcError(-32601, "the method is not available")
    refuse(one, two, method="eth_getTransactionByHash", key=payment["hash"], error=error)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(10)
        assert (await world.status(payment)).error is None
        await world.blocks(2 * ERRORS)
        assert "not available" in str((await world.status(payment)).error)

    world.play(main)


def test_a_search_that_stays_limited_is_given_up() -> None:
    """As if no provider kept old state: its nonce was used, by no transaction that is known."""
    delegated = transaction("delegator", 0)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    def archive(params: list[Any], found: Any) -> Any:
        is_named = params[1] in ("latest", "pending")
        if not is_named and int(params[1], 16) < chain.head.number - 2:
            raise LIMIT
        return found

    node.change["eth_getTransactionCount"] = archive

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(delegated)
        await world.track(delegated)
        await world.becomes(delegated, "pending")
        chain.mine(transaction("sponsor", 1, kind="0x4"), authorities=[delegated["from"]])
        chain.pool.pop(delegated["hash"])
        await world.blocks(30)
        assert await world.ends(delegated) == []
        await world.blocks(3 * ERRORS)
        assert await world.ends(delegated) == ["dropped"]

    world.play(main)
