"""Undecidable ends are held back and reported (rules 11.4 and 11.5)."""

from typing import Any

import pytest

from .chain import transaction
from .clock import unix_time
from .node import Node, RpcError
from .world import World, chain_of

LENGTH = 200
ERRORS = 60  # blocks: far longer than any end or alarm takes


def test_deadline_held_back_by_another_branch_is_reported() -> None:
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


def test_payment_that_only_the_followed_provider_has_as_pending_ends() -> None:
    """It omits the payment from the block in which all others have it."""
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


def test_a_deadline_that_can_be_decided_again_ends_the_alarm() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    honest, odd = Node(chain, "honest"), Node(chain, "odd")
    world = World(honest, odd)

    def limit(_params: list[Any], _found: Any) -> Any:
        raise RpcError(-32005, "rate limit exceeded")

    odd.change["eth_getTransactionByHash"] = limit

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment, deadline=unix_time() + 60.0)
        await world.blocks(8)
        assert (await world.get("/readyz")).status == 200
        await world.blocks(8)
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "odd.test" in ready.content["detail"]
        odd.change.clear()
        await world.blocks(3)
        assert await world.ends(payment) == ["expired"]
        assert (await world.get("/readyz")).status == 200

    world.play(main)


def test_lost_transaction_with_errors_at_one_provider_is_reported() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    honest, odd = Node(chain, "honest"), Node(chain, "odd")
    world = World(honest, odd)

    def refuse(_params: list[Any], _found: Any) -> Any:
        raise RpcError(-32000, "the index is broken")

    odd.change["eth_getTransactionByHash"] = refuse

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.pool.clear()
        await world.blocks(2 * ERRORS)
        assert await world.ends(payment) == []
        assert (await world.get("/readyz")).status == 503

    world.play(main)


def unreadable_head(params: list[Any], found: Any) -> Any:
    """Answer with a head that has no valid hash; other blocks are as they should be."""
    return found | {"hash": "0x1"} if params[0] == "latest" else found


@pytest.mark.parametrize("at", [0, 1], ids=["followed", "standby"])
def test_a_provider_whose_heads_become_unreadable_is_paused(at: int) -> None:
    chain = chain_of(LENGTH)
    nodes = [Node(chain, name) for name in ("one", "two", "three")]
    world = World(*nodes)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(3)
        nodes[at].change["eth_getBlockByNumber"] = unreadable_head
        await world.blocks(10)
        assert world.app is not None
        assert world.app.pool is not None
        paused = [status.state == "paused" for status in world.app.pool.status()]
        assert paused == [number == at for number in range(len(nodes))]

    world.play(main)


def test_heads_that_become_unreadable_everywhere_pause_no_provider() -> None:
    chain = chain_of(LENGTH)
    nodes = [Node(chain, name) for name in ("one", "two", "three")]
    world = World(*nodes)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(3)
        for node in nodes:
            node.change["eth_getBlockByNumber"] = unreadable_head
        assert world.app is not None
        assert world.app.pool is not None
        for _ in range(10):  # a pause can end before the last one
            await world.blocks(1)
            assert "paused" not in [status.state for status in world.app.pool.status()]
        for node in nodes:
            node.change.clear()
        await world.reaches(chain, within=60.0)

    world.play(main)


def test_provider_that_leaves_transactions_out_of_blocks_is_paused() -> None:
    payments = [transaction("customer", nonce) for nonce in range(3)]
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = World(odd, Node(chain, "good"), Node(chain, "well"))
    left_out = {payment["hash"] for payment in payments}

    def without(_params: list[Any], block: Any) -> Any:
        return block and block | {"transactions": []}

    def pending(params: list[Any], found: Any) -> Any:
        if params[0] not in left_out or not found:
            return found
        return found | dict.fromkeys(("blockHash", "blockNumber", "transactionIndex"))

    odd.change = {
        "eth_getBlockByHash": without,
        "eth_getBlockByNumber": without,
        "eth_getTransactionByHash": pending,
        "eth_getTransactionReceipt": lambda _params, _found: None,
    }

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(*payments)
        await world.track(*payments)
        for payment in payments:
            await world.becomes(payment, "pending")
            chain.mine(payment)
            await world.blocks(1)
        assert world.app is not None
        pool = world.app.pool

        async def is_paused() -> bool:
            await world.blocks(1)
            return pool.status()[0].state == "paused"

        assert await world.until(is_paused, within=1_200.0)

    world.play(main)


def test_tag_that_the_provider_refuses_is_reported() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node, confirmations="finalized")

    def refuse(params: list[Any], found: Any) -> Any:
        if params[0] in ("safe", "finalized"):
            raise RpcError(-32602, "the tag is not supported")
        return found

    node.change["eth_getBlockByNumber"] = refuse

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(3)
        assert (await world.get("/readyz")).status == 200
        await world.blocks(5)
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "finalized block, which the followed provider does not report" in str(ready.content)
        node.change.clear()
        node.tags = {"finalized": chain.head.number}
        await world.blocks(3)
        assert await world.ends(payment) == ["confirmed"]
        assert (await world.get("/readyz")).status == 200

    world.play(main)


@pytest.mark.parametrize("providers", [1, 2])
def test_transaction_that_all_providers_are_still_indexing_is_reported(providers: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    nodes = [Node(chain, f"node{number}") for number in range(providers)]
    world = World(*nodes)

    def indexing(_params: list[Any], _found: Any) -> Any:
        raise RpcError(-32000, "transaction indexing is in progress")

    for node in nodes:
        node.change["eth_getTransactionByHash"] = indexing
        node.change["eth_getTransactionReceipt"] = indexing

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(4)
        assert (await world.get("/readyz")).status == 200
        await world.blocks(ERRORS // 2)
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert payment["hash"] in str(ready.content)
        for node in nodes:
            node.change.clear()
        chain.wait(payment)
        await world.becomes(payment, "pending", within=900.0)
        assert (await world.get("/readyz")).status == 200

    world.play(main)


def test_old_block_with_pruned_headers_is_reported() -> None:
    """The links from our lowest block end at the pruned headers: nothing proves the block."""
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(LENGTH)
    node = Node(chain)
    world = World(node)

    def pruned(params: list[Any], found: Any) -> Any:
        is_pruned = params[0].startswith("0x") and 0 < int(params[0], 16) < 100
        return None if is_pruned else found

    node.change["eth_getBlockByNumber"] = pruned

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(ERRORS // 2)
        assert await world.ends(payment) == []
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "neither the links nor other providers prove that block" in str(ready.content)
        node.change.clear()
        await world.becomes(payment, "confirmed", within=900.0)
        assert (await world.get("/readyz")).status == 200

    world.play(main)
