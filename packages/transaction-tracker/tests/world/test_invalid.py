"""One response of one node never makes a transaction invalid (rule 11.5)."""

from typing import Any

import pytest

from .chain import transaction
from .node import Change, Node
from .world import CONFIRMATIONS, DROP_BLOCKS, World, chain_of

OTHER_CHAIN = "0x38"


def of_another_chain(times: int | None = None) -> Change:
    """Return a change that moves transactions to another chain, a limited number of times."""
    left = [times]

    def change(_params: list[Any], item: Any) -> Any:
        if item is None or left[0] == 0:
            return item
        left[0] = None if left[0] is None else left[0] - 1
        return {**item, "chainId": OTHER_CHAIN}

    return change


@pytest.mark.parametrize("given", ["0x0", "0x", None])
def test_an_unprotected_transaction_is_confirmed(given: str | None) -> None:
    payment = transaction("customer", 1, kind="0x0", chainId=given, v="0x1b")
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        chain.mine(payment)
        await world.blocks(2)
        await world.track(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert "invalid" not in await world.history(payment)

    world.play(main)


@pytest.mark.parametrize("given", ["0x0", "0x", None])
def test_unprotected_transaction_in_the_pool_is_pending(given: str | None) -> None:
    payment = transaction("customer", 1, kind="0x0", chainId=given, v="0x1b")
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_wrong_chain_id_from_one_of_two_providers_is_not_believed(times: int | None) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = {"eth_getTransactionByHash": of_another_chain(times)}
    world = World(odd, good)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.blocks(6 * DROP_BLOCKS)
        assert await world.ends(payment) == []
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("providers", [1, 2])
def test_wrong_chain_id_is_believed_after_blocks_and_seconds(providers: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    nodes = [Node(chain, f"n{place}") for place in range(providers)]
    for node in nodes:
        node.change = {"eth_getTransactionByHash": of_another_chain()}
    world = World(*nodes)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.blocks(DROP_BLOCKS - 2)
        assert "invalid" not in await world.history(payment)
        await world.blocks(6 * DROP_BLOCKS)
        await world.becomes(payment, "invalid")

    world.play(main)


def test_a_mined_transaction_is_never_invalid() -> None:
    payment = transaction("customer", 1, chainId=OTHER_CHAIN)
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        chain.mine(payment)
        await world.blocks(2)
        await world.track(payment)
        await world.blocks(6 * DROP_BLOCKS)
        assert "invalid" not in await world.history(payment)
        await world.becomes(payment, "confirmed")

    world.play(main)
