"""No end from one node: a healthy provider that knows better is heard (rule 11.5)."""

import asyncio
from typing import Any

import pytest

from .chain import Chain, Json, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
OLD = 20  # far below all blocks that are kept


def let_one_backend_be_stuck(node: Node, fork: Chain, item: Json) -> None:
    """Let a stuck backend of an address answer about a transaction and about its block.

    Balancers share the calls of a batch among their backends: the tip comes from a good one.
    """
    stuck = Node(fork)
    height = hex(fork.head.number)

    def about_item(method: str) -> Any:
        return lambda params, result: (
            stuck.result(method, params) if params[0] == item["hash"] else result
        )

    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        node.change[method] = about_item(method)
    node.change["eth_getBlockByNumber"] = lambda params, result: (
        stuck.result("eth_getBlockByNumber", params) if params[0] == height else result
    )


def test_an_old_block_of_which_another_provider_has_another_one_ends_nothing() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    fork = chain.fork(OLD, "old")
    fork.mine(payment)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    let_one_backend_be_stuck(odd, fork, payment)
    world = World(odd, good)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []

    world.play(main)


def test_an_old_block_from_a_stuck_backend_of_the_only_address_ends_nothing() -> None:
    """The tip comes from a good backend: only the links between the two blocks tell."""
    payment, old = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(LENGTH)
    fork = chain.fork(OLD, "old")
    fork.mine(payment)
    node = Node(chain, "only")
    let_one_backend_be_stuck(node, fork, payment)
    world = World(node)

    async def main() -> None:
        chain.mine(old)
        await world.blocks(4 * CONFIRMATIONS)
        await world.reaches(chain)
        await world.track(payment, old)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        await world.becomes(old, "confirmed")

    world.play(main)


def test_a_block_with_a_wrong_sender_replaces_nothing() -> None:
    payment, foreign = transaction("customer", 1), transaction("stranger", 1)
    chain = chain_of(LENGTH)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    world = World(odd, good)

    def lies(_params: list[Any], block: Any) -> Any:
        items = block and block["transactions"]
        if not items or not isinstance(items[0], dict):
            return block
        changed = [
            item | {"from": payment["from"]} if item["hash"] == foreign["hash"] else item
            for item in items
        ]
        return block | {"transactions": changed}

    odd.change = {"eth_getBlockByHash": lies, "eth_getBlockByNumber": lies}

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(foreign)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS + 1)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_blocks_that_only_the_followed_provider_has_confirm_nothing(honest: int) -> None:
    """It holds the transaction's block as all do, and a branch of its own on top of it."""
    payment = transaction("customer", 1)
    chain = chain_of(100)
    liar = Node(chain, "liar")
    world = World(liar, *(Node(chain, f"honest-{number}") for number in range(honest)))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS - 4)
        await world.reaches(chain)
        branch = chain.fork(chain.head.number - 2, "branch")
        branch.grow(CONFIRMATIONS)
        liar.chain = branch
        await asyncio.sleep(30.0)
        assert await world.ends(payment) == []
        await world.blocks(3, chain)
        assert await world.ends(payment) == ([] if honest == 1 else ["confirmed"])

    world.play(main)
