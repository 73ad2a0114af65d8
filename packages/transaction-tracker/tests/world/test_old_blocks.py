"""A block far below the kept blocks must be proven before an end (rules 11.1 and 11.5)."""

import asyncio
import itertools
from typing import Any

import pytest

from .chain import Chain, Json, transaction
from .node import Node, Refusal
from .world import CONFIRMATIONS, DROP_BLOCKS, World, chain_of

LENGTH = 200
OLD = 20  # far below the kept blocks
FILECOIN = 314  # numbers can be without a block
FAR = 1_300  # farther below the lowest kept block than blocks are linked to it
MANY = 30


def let_one_backend_be_stuck(node: Node, fork: Chain, item: Json) -> None:
    """Make a stuck backend of an address answer about a transaction and its block.

    Load balancers split a batch among their backends: the tip comes from a good backend.
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


def test_old_block_that_differs_at_another_provider_ends_nothing() -> None:
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


def test_old_block_from_a_stuck_backend_of_the_only_address_ends_nothing() -> None:
    """The tip comes from a good backend: only the links between the two blocks are proof."""
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
        await asyncio.gather(*(world.track(item) for item in (*payments, strange)))
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(strange) == []

    world.play(main)


def test_old_block_whose_number_is_empty_on_the_chain_ends_nothing() -> None:
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


def test_an_old_block_of_a_stuck_backend_ends_nothing_where_batches_are_refused() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(60)
    fork = chain.fork(60, "old")
    fork.mine(payment)
    chain.grow(LENGTH)
    odd = Node(chain, "only")
    odd.refusal = Refusal(status=403)
    let_one_backend_be_stuck(odd, fork, payment)
    world = World(odd)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(2 * CONFIRMATIONS)
        await world.track(payment)
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []

    world.play(main)


def test_an_old_transaction_is_linked_call_by_call_where_batches_are_refused() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(60)
    chain.mine(payment)
    chain.grow(600)
    node = Node(chain, "only")
    node.refusal = Refusal(status=403)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(5 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("honest", [1, 2])
def test_a_block_too_far_down_to_be_linked_is_proven_by_several_providers(honest: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(FAR)
    world = World(Node(chain, "first"), *(Node(chain, f"more-{n}") for n in range(honest)))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.becomes(payment, "confirmed", within=10.0)

    world.play(main)


def test_a_block_too_far_down_to_be_linked_is_proven_by_one_provider_with_time() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(FAR)
    world = World(Node(chain, "only"))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(DROP_BLOCKS - 1)
        assert await world.ends(payment) == []
        await world.blocks(4 * DROP_BLOCKS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_block_too_far_down_that_some_responses_deny_ends_nothing() -> None:
    """The provider's backends take turns, and one of them is stuck on another branch."""
    payment = transaction("customer", 1)
    chain = chain_of(60)
    fork = chain.fork(60, "old")
    fork.mine(payment)
    chain.grow(FAR)
    node = Node(chain, "only")
    let_one_backend_be_stuck(node, fork, payment)
    turns = itertools.count()
    stuck = node.change["eth_getBlockByNumber"]
    node.change["eth_getBlockByNumber"] = lambda params, found: (
        stuck(params, found) if params[0] != hex(61) or next(turns) % 3 else found
    )
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(20 * DROP_BLOCKS)
        assert await world.ends(payment) == []

    world.play(main)


def test_a_winner_in_a_block_that_is_not_proven_yet_neither_replaces_nor_drops() -> None:
    payment, winner = transaction("customer", 1), transaction("customer", 1, value="0x1")
    chain = chain_of(20)
    chain.mine(winner)
    chain.grow(FAR)
    node = Node(chain, "only")
    world = World(node)

    async def main() -> None:
        chain.wait(payment)
        await world.reaches(chain)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.pool.clear()
        await world.blocks(20 * DROP_BLOCKS)
        assert await world.ends(payment) == ["replaced"]

    world.play(main)
