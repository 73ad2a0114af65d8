"""A stop is reported (rule 11.4)."""

import asyncio
from typing import Any

from .clock import now
from .node import Node
from .world import BLOCK_SECONDS, World, chain_of

# Without a block for max(5 block times, 60 s), reported at most 10 s later.
REPORTED_SECONDS = 70.0
BAD = 110


def test_unreadable_block_makes_the_service_not_ready() -> None:
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)

    def spoiled(_params: list[Any], block: Any) -> Any:
        is_bad = block and int(block["number"], 16) == BAD
        return {**block, "transactions": {"odd": True}} if is_bad else block

    node.change = {"eth_getBlockByHash": spoiled, "eth_getBlockByNumber": spoiled}

    async def main() -> None:
        await world.blocks(BAD - 1 - chain.head.number)
        assert (await world.get("/readyz")).status == 200
        await world.blocks(1)
        stopped = now() - BLOCK_SECONDS

        await world.blocks(4)
        while now() < stopped + REPORTED_SECONDS:
            await asyncio.sleep(0.5)
        chain.mine()
        reply = await world.get("/readyz")
        assert reply.status == 503, reply.content
        assert str(BAD) in reply.content["detail"]
        assert "transactions" in reply.content["detail"]

        node.change = {}
        await world.blocks(2)
        await world.reaches(chain)
        assert (await world.get("/readyz")).status == 200

    world.play(main)


def test_chain_without_new_blocks_leaves_the_service_ready() -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.blocks(5)
        await asyncio.sleep(REPORTED_SECONDS / 2)
        assert (await world.get("/readyz")).status == 200

    world.play(main)
