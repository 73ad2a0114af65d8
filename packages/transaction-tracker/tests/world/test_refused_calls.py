"""Refused calls about one transaction delay only that transaction (rule 11.3)."""

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
    """Make nodes send an error for calls about one transaction."""

    def change(params: list[Any], found: Any) -> Any:
        if params[0] == key:
            raise error
        return found

    for node in nodes:
        node.change[method] = change


def test_rate_limited_receipt_does_not_stop_the_chain() -> None:
    payment, other = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "one"), Node(chain, "two")
    world = World(first, second)
    refuse(first, second, method="eth_getTransactionReceipt", key=payment["hash"], error=LIMIT)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, other)
        chain.mine(payment, other)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(other) == ["confirmed"]

    world.play(main)


def test_receipt_refused_by_all_providers_parks_its_transaction() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "one"), Node(chain, "two")
    world = World(first, second)
    error = RpcError(-32603, "internal error")
    refuse(first, second, method="eth_getTransactionReceipt", key=payment["hash"], error=error)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(2 * ERRORS)
        assert (await world.status(payment)).error is not None

    world.play(main)


def test_nonce_without_a_search_result_delays_no_other_deadline() -> None:
    """The search for its winner needs old state, which the provider sells separately."""
    delegated = transaction("delegator", 0)
    others = [transaction("customer", nonce) for nonce in range(5)]
    chain = chain_of(LENGTH)
    first, second = Node(chain, "one"), Node(chain, "two")
    world = World(first, second)

    def archive(params: list[Any], found: Any) -> Any:
        is_named = params[1] in ("latest", "pending")
        if not is_named and int(params[1], 16) < chain.head.number - 2:
            raise RpcError(-32005, "rate limit exceeded: archive requests need another plan")
        return found

    first.change["eth_getTransactionCount"] = second.change["eth_getTransactionCount"] = archive

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(delegated, *others)
        await world.track(delegated, *others, deadline=unix_time() + 120.0)
        await world.becomes(delegated, "pending")
        chain.mine(transaction("sponsor", 1, kind="0x4"), authorities=[delegated["from"]])
        chain.pool.pop(delegated["hash"])
        await world.blocks(30)
        assert [await world.ends(payment) for payment in others] == [["expired"]] * len(others)

    world.play(main)


@pytest.mark.parametrize("refusal", [None, Refusal(status=403)])
def test_block_with_nothing_but_rate_limited_receipts_is_applied(refusal: Refusal | None) -> None:
    """No other call of the request shows that the node works; with batches, and without."""
    payments = [transaction("customer", nonce) for nonce in range(2)]
    other = transaction("another", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "one"), Node(chain, "two")
    first.refusal = second.refusal = refusal
    limited = {payment["hash"] for payment in payments}

    def limit(params: list[Any], found: Any) -> Any:
        if params[0] in limited:
            raise LIMIT
        return found

    for node in (first, second):
        node.change["eth_getTransactionReceipt"] = limit
    world = World(first, second)

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
        assert [await world.ends(payment) for payment in payments] == [["confirmed"]] * 2

    world.play(main)


def test_transaction_refused_by_all_providers_is_parked() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "one"), Node(chain, "two")
    world = World(first, second)
    error = RpcError(-32601, "the method is not available")
    refuse(first, second, method="eth_getTransactionByHash", key=payment["hash"], error=error)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(10)
        assert (await world.status(payment)).error is None
        await world.blocks(2 * ERRORS)
        assert "not available" in str((await world.status(payment)).error)

    world.play(main)


def test_rate_limited_search_is_given_up() -> None:
    """As if no provider kept old state: an unknown transaction used its nonce."""
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
