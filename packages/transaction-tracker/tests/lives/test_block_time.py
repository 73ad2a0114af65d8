"""A chain with blocks every 12 s: when the head is asked for, by a clock that nobody waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from beamish import process
from beamish.testing import simulate
from transaction_tracker.providers import HeadHint
from transaction_tracker.tracker import FOLLOWER

from .life import Life
from .world import network, simulated_clock

BLOCK_SECONDS = 12.0
POLL_SECONDS = 1.0


def followed(folder: Path, main: Callable[[Life], Awaitable[None]]) -> None:
    """Run the application on a chain, at first for so long that its blocks are expected."""

    async def run() -> None:
        async with simulated_clock():
            life = Life(0, folder / "lives.db")
            with network(*life.nodes):
                async with life.app:
                    for _ in range(10):
                        await asyncio.sleep(BLOCK_SECONDS)
                        life.chain.mine(1)
                    await main(life)

    simulate(run, 0)


async def found_after(life: Life) -> float:
    """Mine a block, and give the seconds until it is applied."""
    began = _now()
    head = life.chain.mine(1)[-1]
    while life.app.tip is None or life.app.tip.hash != head.hash:
        await asyncio.sleep(0.01)
    return _now() - began


def test_a_block_at_its_time_is_found_within_one_interval(tmp_path: Path) -> None:
    """However long answers take: here up to 0.2 s, and a block some of them."""

    async def main(life: Life) -> None:
        due = _now()
        late = []
        for _ in range(60):
            due += BLOCK_SECONDS
            await asyncio.sleep(due - _now())
            late.append(await found_after(life))
        assert max(late) <= 2 * POLL_SECONDS

    followed(tmp_path, main)


@pytest.mark.parametrize("told", [True, False])
def test_a_block_before_its_time_is_found_soon_by_those_who_are_told(
    tmp_path: Path, told: bool
) -> None:
    """Also when the node tells of it before it has it."""

    async def main(life: Life) -> None:
        await asyncio.sleep(BLOCK_SECONDS / 3)
        if told:
            process.send(FOLLOWER, HeadHint("one", 11, "0x" + "1" * 64))
            await asyncio.sleep(POLL_SECONDS / 2)
        late = await found_after(life)
        assert (late <= 2 * POLL_SECONDS) is told

    followed(tmp_path, main)


def _now() -> float:
    return asyncio.get_running_loop().time()
