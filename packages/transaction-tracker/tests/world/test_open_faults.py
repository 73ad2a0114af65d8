"""Faults that are known and not mended yet: each test says what must hold (rules 11.1, 11.5)."""

from collections.abc import Callable
from typing import Any

import pytest

from .chain import Json, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200


def open_fault(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError)


def world_of(first: Node, honest: int, **settings: object) -> World:
    """Return a world with one odd provider and some that answer from the same chain as it is."""
    chain = first.chain
    others = [Node(chain, f"honest-{number}") for number in range(honest)]
    return World(first, *others, **settings)


def list_in_block(node: Node, height: int, item: Json) -> None:
    """Let a node list a transaction in a block that does not have it, and tell its receipt."""

    def place() -> Json:
        block = node.chain.at(height)
        assert block is not None
        return {"blockHash": block.hash, "blockNumber": hex(height), "transactionIndex": "0x0"}

    def block(params: list[Any], found: Any) -> Any:
        if not found or int(found["number"], 16) != height or not params[1]:
            return found
        return found | {"transactions": [{**item, **place()}]}

    def instead(told: Callable[[], Json]) -> Any:
        def change(params: list[Any], found: Any) -> Any:
            is_told = params[0] == item["hash"] and node.chain.head.number >= height
            return told() if is_told else found

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


# -- False ends


@open_fault("a healthy provider that has no such receipt, or has it as pending, is not counted")
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

    world.play(main)


@open_fault("a healthy provider that does not know the winner is not counted")
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


@open_fault("only the winner's slot is compared, not that of the transaction that lost it")
@pytest.mark.parametrize("honest", [1, 2])
def test_a_wrong_sender_while_pending_replaces_nothing(honest: int) -> None:
    """One provider names somebody else as sender; that one's own payment is mined."""
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

    world.play(main)


@open_fault("a receipt is one provider's word while the others have none of the transaction")
def test_a_status_that_one_provider_alone_tells_is_no_failure() -> None:
    """The other one has the block, and no receipts yet."""
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

    world.play(main)


@open_fault("an objection is forgotten as soon as the provider that makes it is paused")
def test_an_end_that_was_contradicted_is_not_told_because_that_provider_is_down() -> None:
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

    world.play(main)
