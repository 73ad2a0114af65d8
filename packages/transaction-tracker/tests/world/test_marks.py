"""A safe or finalized block counts only on its own chain (rule 11.1)."""

import asyncio
from typing import Any

import pytest

from .chain import transaction
from .node import Node, RpcError
from .world import World, chain_of

LENGTH = 200


def test_marks_of_a_former_chain_finalize_nothing_on_another_chain() -> None:
    first, payment = transaction("another", 1), transaction("customer", 1)
    chain = chain_of(LENGTH)
    other = chain.fork(50, "other")
    other.grow(110)
    other.mine(payment)
    other.grow(140)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(first, confirmations="finalized")
        chain.mine(first)
        node.tags = {"safe": LENGTH - 5, "finalized": LENGTH - 10}
        await world.blocks(2, chain)
        await world.becomes(first, "mined")

        node.chain = other
        node.tags = {}  # nothing is final there yet
        await world.reaches(other)
        await asyncio.sleep(30.0)
        await world.track(payment, confirmations="finalized")
        await world.becomes(payment, "mined")
        await world.blocks(3, other)
        assert await world.ends(payment) == []

        node.tags = {"safe": 190, "finalized": 180}
        await world.blocks(3, other)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_mark_in_an_undone_block_finalizes_nothing_later() -> None:
    """Also once blocks of that height are no longer kept, and nothing contradicts the mark."""
    first, payment = transaction("another", 1), transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(5, chain)
        await world.track(first, payment, confirmations="finalized")
        chain.mine(first)
        node.tags = {"safe": 205, "finalized": 205}
        await world.blocks(3, chain)
        await world.becomes(first, "mined")

        other = chain.fork(203, "other")
        other.mine(payment)
        other.grow(10)
        node.chain, node.tags = other, {}
        await world.reaches(other)
        await world.becomes(payment, "mined")
        await world.blocks(100, other)
        assert await world.ends(payment) == []

    world.play(main)


# -- Majority of providers


@pytest.mark.parametrize("honest", [1, 2])
def test_a_final_mark_of_one_provider_alone_confirms_nothing(honest: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    odd = Node(chain, "odd")
    others = (Node(chain, f"honest-{number}") for number in range(honest))
    world = World(odd, *others, confirmations="finalized")
    for other in world.nodes[1:]:
        other.tags = {"safe": LENGTH - 40, "finalized": LENGTH - 80}

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        for _ in range(4):
            odd.tags = {"safe": chain.head.number, "finalized": chain.head.number}
            await world.blocks(1)
        assert await world.ends(payment) == []

    world.play(main)


@pytest.mark.parametrize("tag", ["safe", "finalized"])
def test_a_mark_that_most_providers_have_confirms(tag: str) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    world = World(*(Node(chain, name) for name in ("a", "b", "c")), confirmations=tag)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(3)
        for node in world.nodes[:2]:
            node.tags = {tag: LENGTH + 1}
        await world.blocks(2)
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)


def test_a_mark_that_the_other_provider_reaches_later_confirms_then() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    world = World(first, second, confirmations="finalized")

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        first.tags, second.tags = {"finalized": LENGTH + 1}, {"finalized": LENGTH}
        await world.blocks(3)
        assert await world.ends(payment) == []
        assert (await world.get("/readyz")).status == 200
        second.tags = {"finalized": LENGTH + 1}
        await world.blocks(2)
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)


def without_tags(params: list[Any], found: Any) -> Any:
    """Return the result, or raise the error of a node that does not know the tags."""
    if params[0] in ("safe", "finalized"):
        raise RpcError(-32602, "invalid block number: tag is not supported")
    return found


def test_a_provider_without_tags_does_not_count() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    nodes = [Node(chain, name) for name in ("a", "b", "c")]
    world = World(*nodes, confirmations="finalized")
    nodes[2].change["eth_getBlockByNumber"] = without_tags

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        for node in nodes:
            node.tags = {"finalized": LENGTH + 1}
        await world.blocks(3)
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)


def test_mark_at_one_of_two_providers_is_an_alarm() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    first, second = Node(chain, "first"), Node(chain, "second")
    second.change["eth_getBlockByNumber"] = without_tags
    world = World(first, second, confirmations="finalized")

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        first.tags = {"finalized": LENGTH + 1}
        await world.blocks(8)
        assert await world.ends(payment) == []
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "has a finalized block, so nothing confirms it" in str(ready.content)

    world.play(main)


def test_one_response_of_a_single_provider_about_its_mark_confirms_nothing() -> None:
    """One of the nodes behind its address is wrong, and responds once."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain, "only")
    node.tags = {"finalized": LENGTH - 80}
    world = World(node, confirmations="finalized")
    wrong = [True]

    def once(params: list[Any], found: Any) -> Any:
        if params[0] == "finalized" and wrong:
            wrong.pop()
            return node.result("eth_getBlockByNumber", ["latest", False])
        return found

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(2)
        node.change["eth_getBlockByNumber"] = once
        await world.blocks(3)
        assert not wrong
        assert await world.ends(payment) == []

    world.play(main)
