"""Fast chains: catching up is bound by bandwidth, not by round trips (rule 11.10)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from .chain import transaction
from .clock import now
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

BLOCKS = 1_000
ROUND_TRIP = 0.1
CATCH_UP_SECONDS = 5.0
# Duration of the simulation itself: each of its steps and each write takes a little time.
SIMULATION_SECONDS = 5.0


def test_catching_up_with_a_thousand_blocks_takes_seconds(tmp_path: Path) -> None:
    payment = transaction("customer", 1, chain_id=42161)
    chain = chain_of(100, 42161)
    node = Node(chain)
    node.latency = ROUND_TRIP
    world = World(node, database=tmp_path / "world.db")

    async def main() -> None:
        await world.start()
        await world.reaches(chain)
        await world.track(payment)
        await world.stop()
        chain.grow(BLOCKS // 2)
        chain.mine(payment)
        chain.grow(BLOCKS // 2)
        await world.start()
        began = now()
        await world.reaches(chain)
        assert now() - began <= CATCH_UP_SECONDS + SIMULATION_SECONDS
        await world.becomes(payment, "confirmed")
        await world.stop()

    world.simulate(main)


@pytest.mark.parametrize("latency", [0.1, 0.3])
def test_tracker_keeps_up_with_a_block_every_quarter_of_a_second(latency: float) -> None:
    payment = transaction("customer", 1, chain_id=42161)
    chain = chain_of(100, 42161)
    node = Node(chain)
    node.latency = latency
    world = World(node, poll_interval=0.5, block_time=0.25)

    async def main() -> None:
        await world.track(payment)
        await world.blocks(80, seconds=0.25)
        before = node.requests
        chain.mine(payment)
        await world.blocks(400, seconds=0.25)
        assert world.app is not None
        assert world.app.tip is not None
        assert chain.head.number - world.app.tip.number <= 20
        assert node.requests - before <= 4 * 400
        await world.becomes(payment, "confirmed", within=5.0)

    world.play(main)


@pytest.mark.parametrize("after", [1, 5, 60, 95])
def test_reorganisation_during_catch_up_is_applied(after: int) -> None:
    """The node changes its chain after a number of responses about blocks."""
    lost, kept = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)
    asked = [0]

    async def main() -> None:
        await world.reaches(chain)
        await world.track(lost, kept)
        chain.grow(100)
        fork = chain.fork(chain.head.number, "fork")
        chain.mine(lost)
        chain.grow(200)
        fork.mine()
        fork.mine(kept)
        fork.grow(200)

        def changes_chain(_params: list[Any], block: Any) -> Any:
            asked[0] += 1
            if asked[0] == after:
                node.chain = fork
            return block

        node.change = {
            "eth_getBlockByNumber": changes_chain,
            "eth_getBlockByHash": changes_chain,
        }
        await asyncio.sleep(60.0)
        await world.blocks(CONFIRMATIONS, fork)
        await world.reaches(fork)
        await world.becomes(kept, "confirmed")
        assert "confirmed" not in (await world.history(lost))[-1:]

    world.play(main)
