"""Stops that are known and not mended yet: each test says what must hold (rules 11.3 and 11.4)."""

from typing import Any

from .chain import transaction
from .clock import unix_time
from .node import Node, RpcError
from .test_open_faults import LENGTH, open_fault
from .world import CONFIRMATIONS, World, chain_of

ERRORS = 60  # blocks: far longer than any end or alarm takes


# -- Stops that nobody is told of


@open_fault("an end that providers disagree about is told for blocks only, not for deadlines")
def test_a_deadline_that_another_branch_holds_back_is_told() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH - 5, "branch")
    branch.grow(5)
    world = World(Node(branch, "alone"), Node(chain, "honest"))

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment, deadline=unix_time() + 60.0)
        branch.wait(payment)
        chain.mine(payment)
        branch.mine()
        await world.blocks(ERRORS, chain, branch)
        assert await world.ends(payment) == []
        assert (await world.get("/readyz")).status == 503

    world.play(main)


@open_fault("what the followed provider has as pending is not asked of the others")
def test_a_payment_that_the_followed_provider_alone_has_as_pending_ends() -> None:
    """It leaves the payment out of the block that all others have it in."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = World(odd, Node(chain, "good"))
    waiting = dict.fromkeys(("blockHash", "blockNumber", "transactionIndex")) | payment

    def without(_params: list[Any], block: Any) -> Any:
        return block and block | {"transactions": []}

    odd.change = {
        "eth_getBlockByHash": without,
        "eth_getBlockByNumber": without,
        "eth_getTransactionByHash": lambda _params, _found: waiting,
        "eth_getTransactionReceipt": lambda _params, _found: None,
    }

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(payment)
        await world.blocks(2 * ERRORS)
        ready = await world.get("/readyz")
        assert await world.ends(payment) == ["confirmed"] or ready.status == 503

    world.play(main)


# -- One transaction that stops others


def refuse(*nodes: Node, method: str, key: str, error: RpcError) -> None:
    """Let nodes answer with an error about one transaction."""

    def change(params: list[Any], found: Any) -> Any:
        if params[0] == key:
            raise error
        return found

    for node in nodes:
        node.change[method] = change


@open_fault("one rate limit that stays keeps its block from being applied")
def test_a_receipt_that_is_always_rate_limited_stops_no_chain() -> None:
    payment, other = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(LENGTH)
    one, two = Node(chain, "one"), Node(chain, "two")
    world = World(one, two)
    limit = RpcError(-32005, "rate limit exceeded")
    refuse(one, two, method="eth_getTransactionReceipt", key=payment["hash"], error=limit)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, other)
        chain.mine(payment, other)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(other) == ["confirmed"]

    world.play(main)


@open_fault("errors about a receipt are never counted, so the transaction is never parked")
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


@open_fault("an error about one winner loses the answers about all that were asked with it")
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
