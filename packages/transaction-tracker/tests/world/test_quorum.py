"""Ends need the agreement of two providers; otherwise they are held back (rule 11.5)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from transaction_tracker import TransactionTracker

from .chain import Json, transaction
from .node import Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
MANY = 120  # ends in one block: all its receipts are fetched at once
ERRORS = 60  # blocks: far longer than any end or alarm takes


def world_of(first: Node, honest: int, **settings: object) -> World:
    """Return a world with one faulty provider and honest providers of the same chain."""
    others = (Node(first.chain, f"honest-{number}") for number in range(honest))
    return World(first, *others, **settings)


async def alarm(world: World) -> str:
    """Return the response of ``/readyz``, or fail the test if the service is ready."""
    ready = await world.get("/readyz")
    assert ready.status == 503, ready
    return str(ready.content)


def list_in_block(node: Node, height: int, item: Json) -> None:
    """Make a node list a transaction in a block without it, and send a receipt of it."""

    def place() -> Json:
        block = node.chain.at(height)
        assert block is not None
        return {"blockHash": block.hash, "blockNumber": hex(height), "transactionIndex": "0x0"}

    def block(params: list[Any], found: Any) -> Any:
        if not found or int(found["number"], 16) != height or not params[1]:
            return found
        return found | {"transactions": [{**item, **place()}]}

    def instead(result: Callable[[], Json]) -> Any:
        def change(params: list[Any], found: Any) -> Any:
            is_changed = params[0] == item["hash"] and node.chain.head.number >= height
            return result() if is_changed else found

        return change

    receipt = {
        "transactionHash": item["hash"],
        "from": item["from"],
        "to": item["to"],
        "type": item["type"],
        "status": "0x1",
        "gasUsed": "0x5208",
        "cumulativeGasUsed": "0x5208",
        "effectiveGasPrice": "0x1",
        "contractAddress": None,
        "logs": [],
        "logsBloom": "0x" + "0" * 512,
    }
    node.change = {
        "eth_getBlockByHash": block,
        "eth_getBlockByNumber": block,
        "eth_getTransactionByHash": instead(lambda: {**item, **place()}),
        "eth_getTransactionReceipt": instead(lambda: {**receipt, **place()}),
    }


@pytest.mark.parametrize("honest", [1, 2])
def test_a_transaction_that_one_provider_alone_lists_in_a_block_is_not_confirmed(
    honest: int,
) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest)
    list_in_block(odd, LENGTH + 3, payment)

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        assert "does not list it in block" in await alarm(world)

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_a_winner_that_one_provider_alone_lists_in_a_block_replaces_nothing(honest: int) -> None:
    payment, phantom = transaction("customer", 1), transaction("customer", 1, value="0x1")
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest)
    list_in_block(odd, LENGTH + 3, phantom)

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_a_wrong_sender_while_pending_replaces_nothing(honest: int) -> None:
    """One provider names another sender, whose own payment is then mined."""
    payment, foreign = transaction("customer", 1), transaction("stranger", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest)
    odd.change["eth_getTransactionByHash"] = lambda params, found: (
        found | {"from": foreign["from"]} if found and params[0] == payment["hash"] else found
    )

    async def main() -> None:
        await world.reaches(chain)
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(foreign)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        assert "says that it has sender and nonce" in await alarm(world)

    world.play(main)


def test_status_from_a_single_provider_is_not_a_failure() -> None:
    """The other provider has the block, but no receipts yet."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd, honest = Node(chain, "odd"), Node(chain, "honest")
    odd.change["eth_getTransactionReceipt"] = lambda _params, found: (
        found and found | {"status": "0x0"}
    )
    for method in ("eth_getTransactionReceipt", "eth_getBlockReceipts"):
        honest.change[method] = lambda _params, _found: None
    world = World(odd, honest)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        assert "honest.test-2 lists it in block" in await alarm(world)

    world.play(main)


def test_contradicted_end_is_not_reported_when_the_provider_goes_down() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH, "branch")
    honest = Node(chain, "honest")
    world = World(Node(branch, "alone"), honest)

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment)
        branch.mine(payment)
        chain.mine()
        await world.blocks(2 * CONFIRMATIONS, chain, branch)
        honest.down = True
        await world.blocks(5, chain, branch)
        honest.down = False
        await world.blocks(2, chain, branch)
        assert await world.ends(payment) == []
        assert "honest.test-2 holds another block" in await alarm(world)

    world.play(main)


@pytest.mark.parametrize("confirmations", [1, CONFIRMATIONS])
@pytest.mark.parametrize("honest", [1, 2])
def test_blocks_above_the_heads_of_other_providers_confirm_nothing(
    honest: int, confirmations: int
) -> None:
    """No provider can contradict them before the real chain has blocks of these heights."""
    phantom = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest, confirmations=confirmations)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(phantom)
        odd.chain = chain.fork(LENGTH, "made up")
        odd.chain.mine(phantom)
        odd.chain.grow(confirmations)
        await asyncio.sleep(10.0)
        await world.blocks(2 * CONFIRMATIONS, chain)
        assert await world.ends(phantom) == []

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_confirmations_that_one_provider_alone_has_confirm_nothing(honest: int) -> None:
    """All providers have the payment's block; one invents blocks above it before the others."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, honest)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        odd.chain = chain.fork(LENGTH + 1, "made up")
        odd.chain.grow(CONFIRMATIONS)
        await asyncio.sleep(11.0)  # the chain's next block is not there yet
        assert await world.ends(payment) == []

    world.play(main)


def test_provider_that_goes_on_alone_confirms_nothing() -> None:
    """The chain has no new blocks: most nodes have stopped, and one builds its own blocks."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    world = world_of(odd, 2)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        odd.chain = chain.fork(LENGTH, "made up")
        odd.chain.mine(payment)
        await world.blocks(2 * CONFIRMATIONS, odd.chain)
        assert await world.ends(payment) == []
        assert (await world.get("/readyz")).status == 503

    world.play(main)


def test_a_recheck_withdraws_no_objection() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH, "branch")
    honest = Node(chain, "honest")
    world = World(Node(branch, "alone"), honest)

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment)
        branch.mine(payment)
        chain.mine()
        await world.blocks(2 * CONFIRMATIONS, chain, branch)
        honest.down = True
        await world.blocks(2, chain, branch)
        await TransactionTracker.recheck(payment["hash"])
        await world.blocks(3, chain, branch)
        assert await world.ends(payment) == []

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_an_end_in_another_block_waits_again_for_providers_that_are_behind(honest: int) -> None:
    """The first block is undone before the others have it; the second is invented much later."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    other = chain.fork(LENGTH, "other")
    other.grow(2)
    other.wait(payment)
    odd = Node(chain, "odd")
    world = world_of(odd, honest, confirmations=1)
    for node in world.nodes[1:]:
        node.height = lambda: LENGTH

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        for node in world.nodes:
            node.chain, node.height = other, None
        await world.becomes(payment, "pending")
        await world.blocks(10, other)
        odd.chain = other.fork(other.head.number, "made up")
        odd.chain.mine(payment)
        await asyncio.sleep(5.0)
        await world.blocks(5, other)
        assert await world.ends(payment) == []

    world.play(main)


# -- Reports of ends that are held back


def test_end_that_an_unreadable_old_block_holds_back_is_reported() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(LENGTH)
    good, odd = Node(chain, "good"), Node(chain, "odd")
    world = World(good, odd)
    odd.change["eth_getBlockByNumber"] = lambda params, found: (
        found | {"hash": None} if params[0] == hex(21) else found
    )

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(ERRORS)
        ready = await world.get("/readyz")
        assert await world.ends(payment) == ["confirmed"] or ready.status == 503

    world.play(main)


class Failing(Node):
    """Node that fails with HTTP 500 for every second request about receipts."""

    asked = 0

    def answer(self, body: bytes) -> tuple[int, bytes]:
        if b"eth_getTransactionReceipt" in body:
            self.asked += 1
            if self.asked % 2 == 0:
                return 500, b"<html>internal error</html>"
        return super().answer(body)


def test_contradicted_ends_with_intermittent_errors_are_reported() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH, "branch")
    world = World(Node(branch, "alone"), Failing(chain, "honest"))

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment)
        branch.mine(payment)
        chain.mine()
        statuses = []
        for _ in range(ERRORS):
            await world.blocks(1, chain, branch)
            statuses.append((await world.get("/readyz")).status)
        assert await world.ends(payment) == []
        assert 503 in statuses

    world.play(main)


@pytest.mark.parametrize("odd", [0, 1])
def test_many_ends_are_reported_if_one_provider_lacks_block_receipts(odd: int) -> None:
    payments = [transaction(f"customer-{number}", 1) for number in range(MANY)]
    chain = chain_of(LENGTH)
    nodes = [Node(chain, "first"), Node(chain, "second")]

    def refuse(_params: list[Any], _found: Any) -> Any:
        raise RpcError(-32601, "the method eth_getBlockReceipts does not exist/is not available")

    nodes[odd].change["eth_getBlockReceipts"] = refuse
    world = World(*nodes)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(*payments)
        chain.mine(*payments)
        await world.blocks(CONFIRMATIONS + 2)
        assert [await world.ends(payment) for payment in payments] == [["confirmed"]] * MANY

    world.play(main)
