"""A block far below the kept ones is proven before it ends anything (rules 11.1, 11.5)."""

import asyncio
from typing import Any

from .chain import Chain, Json, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
OLD = 20  # far below all blocks that are kept
FILECOIN = 314  # numbers can be without a block
FAR = 1_300  # farther below the lowest kept block than blocks are linked to it
MANY = 30


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


def test_one_old_block_of_another_branch_among_many_ends_nothing() -> None:
    payments = [transaction("customer", number) for number in range(MANY)]
    strange = transaction("another", 1)
    chain = chain_of(20)
    chain.mine(payments[0])
    fork = chain.fork(21, "old")
    fork.mine(strange)
    chain.mine()
    for payment in payments[1:]:
        chain.mine(payment)
    chain.grow(FAR)
    odd = Node(chain, "odd")
    let_one_backend_be_stuck(odd, fork, strange)
    world = World(odd, Node(chain, "honest"))

    async def main() -> None:
        await world.reaches(chain)
        await asyncio.gather(*(world.track(one) for one in (*payments, strange)))
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(strange) == []

    world.play(main)


def test_an_old_block_where_the_chain_has_none_of_that_number_ends_nothing() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(50, FILECOIN)
    fork = chain.fork(50, "old")
    fork.mine(payment)
    chain.mine(skip=1)
    chain.grow(FAR)
    odd = Node(chain, "odd")
    let_one_backend_be_stuck(odd, fork, payment)
    world = World(odd, Node(chain, "honest"))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []

    world.play(main)
