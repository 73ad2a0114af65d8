"""A transaction ends if an unknown transaction used its nonce (rule 11.6)."""

from typing import Any

import pytest

from .chain import Chain, Json, transaction
from .node import Node, RpcError
from .world import CONFIRMATIONS, DROP_BLOCKS, World, chain_of

LONG_AGO = 50  # height of a block that is no longer kept
PRUNED = [
    RpcError(-32000, "missing trie node 5d1c (path ) state 0x5d1c is not available"),
    RpcError(-32000, "state at block is pruned"),
    RpcError(-32603, "old data not available due to pruning"),
]


async def becomes_pending(world: World, chain: Chain, payment: Json) -> None:
    """Wait until the tracker has seen the transaction in the pool, and knows its nonce."""
    chain.wait(payment)
    await world.track(payment)
    await world.becomes(payment, "pending")


def test_a_nonce_that_an_authorization_used_ends_dropped() -> None:
    payment = transaction("customer", 5)
    chain = chain_of(100)
    chain.mine(transaction("customer", 4))
    world = World(Node(chain))

    async def main() -> None:
        await becomes_pending(world, chain, payment)
        chain.mine(transaction("sponsor", 1, kind="0x4"), authorities=[payment["from"]])
        chain.pool.clear()
        await world.becomes(payment, "missing")
        await world.blocks(DROP_BLOCKS - 2)
        assert await world.ends(payment) == []
        await world.blocks(6 * DROP_BLOCKS)
        dropped = await world.becomes(payment, "dropped")
        assert dropped.reason == "nonce-used"

    world.play(main)


def test_winner_in_a_block_that_is_not_kept_is_found() -> None:
    payment, winner = transaction("customer", 5), transaction("customer", 5, value="0x7")
    chain = chain_of(LONG_AGO - 2)
    chain.mine(transaction("customer", 4))
    chain.mine(winner)
    chain.mine(transaction("customer", 6), transaction("customer", 7))
    chain.grow(250)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await becomes_pending(world, chain, payment)
        chain.pool.clear()
        await world.blocks(8 * DROP_BLOCKS)
        replaced = await world.becomes(payment, "replaced")
        assert replaced.superseded_by == winner["hash"]

    world.play(main)


@pytest.mark.parametrize("error", PRUNED, ids=["trie-node", "pruned", "internal"])
def test_used_nonce_without_old_state_ends_dropped(error: RpcError) -> None:
    payment, winner = transaction("customer", 5), transaction("customer", 5, value="0x7")
    chain = chain_of(LONG_AGO - 1)
    chain.mine(winner)
    chain.grow(250)
    node = Node(chain)
    world = World(node)

    def recent_only(params: list[Any], nonce: Any) -> Any:
        name = params[1] if len(params) > 1 else "latest"
        if isinstance(name, str) and name.startswith("0x"):
            block = node._named(name)
            if block is None or block.number < chain.head.number - 100:
                raise error
        return nonce

    node.change = {"eth_getTransactionCount": recent_only}

    async def main() -> None:
        await world.reaches(chain)
        await becomes_pending(world, chain, payment)
        chain.pool.clear()
        await world.blocks(8 * DROP_BLOCKS)
        dropped = await world.becomes(payment, "dropped")
        assert dropped.reason == "nonce-used"
        await world.reaches(chain)

    world.play(main)


def test_missing_transaction_with_an_unused_nonce_ends_dropped_without_a_reason() -> None:
    payment = transaction("customer", 5)
    chain = chain_of(100)
    chain.mine(transaction("customer", 4))
    world = World(Node(chain))

    async def main() -> None:
        await becomes_pending(world, chain, payment)
        chain.pool.clear()
        await world.blocks(4 * DROP_BLOCKS)
        dropped = await world.becomes(payment, "dropped")
        assert dropped.reason is None
        # It comes back to life when a block has it after all.
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_nonce_used_only_above_our_tip_is_unused() -> None:
    """The next block shows which transaction used it; until then, nothing ends for that reason."""
    payment = transaction("customer", 5)
    chain = chain_of(100)
    chain.mine(transaction("customer", 4))
    node = Node(chain)
    world = World(node)

    def ahead(params: list[Any], nonce: Any) -> Any:
        return hex(int(nonce, 16) + 1) if params[1] == "latest" else nonce

    node.change = {"eth_getTransactionCount": ahead}

    async def main() -> None:
        await becomes_pending(world, chain, payment)
        chain.pool.clear()
        await world.blocks(4 * DROP_BLOCKS)
        dropped = await world.becomes(payment, "dropped")
        assert dropped.reason is None

    world.play(main)
