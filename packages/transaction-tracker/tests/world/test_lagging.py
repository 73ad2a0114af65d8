"""A provider that is always some blocks behind keeps no transaction from its end (rule 11.11)."""

import pytest

from .chain import transaction
from .node import Node
from .world import World, chain_of

LENGTH = 200
DEADLINE_SECONDS = 100.0


@pytest.mark.parametrize("lag", [1, 3, 10])
@pytest.mark.parametrize("end", ["dropped", "expired", "invalid"])
def test_a_provider_that_is_always_behind_stops_no_end(end: str, lag: int) -> None:
    fields = {"chainId": "0x5"} if end == "invalid" else {}
    payment = transaction("customer", 1, **fields)
    chain = chain_of(LENGTH)
    good, slow = Node(chain, "good"), Node(chain, "slow")
    slow.height = lambda: chain.head.number - lag
    expires_after = DEADLINE_SECONDS if end == "expired" else None
    world = World(good, slow, expires_after=expires_after)

    async def main() -> None:
        await world.reaches(chain)
        if end != "dropped":
            chain.wait(payment)
        await world.track(payment)
        await world.blocks(40)
        assert await world.ends(payment) == [end]

    world.play(main)


def test_a_block_that_only_we_still_know_of_keeps_its_transaction_from_expiring() -> None:
    """The followed node has lost its index, and the other one is not there yet."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    forgetful, slow = Node(chain, "forgetful"), Node(chain, "slow")
    slow.height = lambda: chain.head.number - 30
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_getBlockReceipts"):
        forgetful.change[method] = lambda _params, _result: None
    world = World(forgetful, slow, expires_after=DEADLINE_SECONDS)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(40)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(20)
        assert await world.ends(payment) == []

    world.play(main)
